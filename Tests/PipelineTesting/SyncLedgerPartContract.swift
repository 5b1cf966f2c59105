import Orders
import Pipeline
import Testing

private let written = WrittenBill(number: "SO1", internalID: 77)
private let order = OrderID(rawValue: 1)

private func stream(_ name: String, object: String = "SO", number: String = "A", order: OrderID = order) -> ClaimRequest
{
  ClaimRequest(BillID(order, stream: name), revision: 1, object: object, billNumber: number, payloadHash: 1)
}

/// Bills of one order that different strategies write.
let streamCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("each stream writes its bill of an order") { subject async throws in
    let asked = [stream("SO"), stream("returns", object: "Goods_Return_Notice")]
    let answers = try await subject.ledger.claim(asked, leaseSeconds: 60)
    #expect(answers.map(\.isNew) == [true, true])
    let token = try #require(answers[1].claim?.token)
    let settlement = Settlement(asked[1].bill, token: token, result: .written(written))
    #expect(try await subject.ledger.settle([settlement]) == [true])
    let again = try await subject.ledger.claim(asked, leaseSeconds: 60)
    #expect(again[0].busySeconds != nil)
    #expect(again[1] == .duplicate)
  },
  ContractCase("bills of different objects may have one number, those of one object not") { subject async throws in
    let other = OrderID(rawValue: 2)
    let answers = try await subject.ledger.claim(
      [
        stream("SO"), stream("returns", object: "Goods_Return_Notice"), stream("SO", number: "a", order: other),
        stream("second"),
      ], leaseSeconds: 60)
    let keys = answers.compactMap { $0.claim?.key }
    #expect(keys.prefix(3) == ["A", "A", "a-2"])
    #expect(keys.count == 4 && keys[3].hasPrefix("A-1"))
  },
]

/// A bill of several.
private func part(_ number: Int, _ revision: Int64 = 1, order: OrderID = order, of count: Int = 3) -> ClaimRequest {
  var request = ClaimRequest(
    BillID(order, stream: "SO", part: number), revision: revision, object: "SO", billNumber: "A-\(order)-\(number)",
    payloadHash: Int64(number) &* 31 &+ revision)
  request.parts = count
  return request
}

extension SyncLedgerSubject {
  fileprivate func claim(_ request: ClaimRequest) async throws -> ClaimAnswer {
    try #require(try await ledger.claim([request], leaseSeconds: 60).first)
  }

  fileprivate func settle(_ request: ClaimRequest, _ answer: ClaimAnswer, _ result: Settlement.Result) async throws {
    let settlement = Settlement(request.bill, token: try #require(answer.claim).token, result: result)
    #expect(try await ledger.settle([settlement]) == [true])
  }
}

/// Several bills that one strategy makes of an order.
let partCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("the bills of one revision are claimed and settled each by itself") { subject async throws in
    let asked = (1...3).map { part($0) }
    let answers = try await subject.ledger.claim(asked, leaseSeconds: 60)
    #expect(answers.map(\.isNew) == [true, true, true])
    #expect(answers.compactMap { $0.claim?.key } == ["A-1-1", "A-1-2", "A-1-3"])
    try await subject.settle(asked[1], answers[1], .written(written))
    try await subject.settle(asked[2], answers[2], .parked(.k3Rejected))
    let again = try await subject.ledger.claim(asked, leaseSeconds: 60)
    #expect(again[0].busySeconds != nil)
    #expect(again[1] == .duplicate)
    #expect(again[2].isNew)
  },
  ContractCase("a bill of an older revision is stale once any bill of a newer one is claimed") { subject async throws in
    #expect(try await subject.claim(part(1, 2)).isNew)
    #expect(try await subject.claim(part(3, 1)) == .stale)
    #expect(try await subject.claim(part(2, 2)).isNew)
  },
  ContractCase("a newer revision is changed after it was written, whichever bill of the older one is in K/3") {
    subject async throws in
    try await subject.settle(part(3), try await subject.claim(part(3)), .written(written))
    #expect(try await subject.claim(part(1, 2)) == .changedAfterWritten)
    #expect(try await subject.claim(part(1, 1)).isNew)
  },
  ContractCase("a newer revision waits while a bill of the older one is being written or in doubt") {
    subject async throws in
    let claimed = try await subject.claim(part(3))
    #expect(try await subject.claim(part(1, 2)).busySeconds != nil)
    try await subject.settle(part(3), claimed, .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.claim(part(1, 2)).earlySeconds != nil)
    let asked = try await subject.claim(part(3))
    #expect(asked.isInDoubt)
    try await subject.settle(part(3), asked, .clean)
    #expect(try await subject.claim(part(1, 2)).isNew)
  },
  ContractCase("a bill of an older revision that is parked holds a newer one back only where it may be in K/3") {
    subject async throws in
    try await subject.settle(part(3), try await subject.claim(part(3)), .parked(.k3Rejected))
    let newer = try await subject.claim(part(1, 2))
    #expect(newer.isNew)
    try await subject.settle(part(1, 2), newer, .parked(.conflict))
    #expect(try await subject.claim(part(2, 3)) == .changedAfterWritten)
  },
  ContractCase("of two revisions in one batch the first one is claimed whole") { subject async throws in
    let answers = try await subject.ledger.claim(
      [part(1), part(2), part(1, 2), part(3, 2), part(3)], leaseSeconds: 60)
    #expect(answers[0].isNew)
    #expect(answers[1].isNew)
    #expect(answers[2].busySeconds != nil)
    #expect(answers[3].busySeconds != nil)
    #expect(answers[4].isNew)
  },
  ContractCase("of two racing workers with two revisions of orders never both get one") { subject async throws in
    // Again and again: only on connections that stand do two claims meet.
    for round in Int64(0)..<30 {
      let orders = (1...10).map { OrderID(rawValue: round * 100 + $0) }
      async let left = subject.ledger.claim(orders.map { part(1, 1, order: $0) }, leaseSeconds: 60)
      async let right = subject.other.claim(orders.reversed().map { part(2, 2, order: $0) }, leaseSeconds: 60)
      let answers = try await (left, Array(right.reversed()))
      for (older, newer) in zip(answers.0, answers.1) { #expect(older.isNew != newer.isNew) }
    }
  },
  ContractCase("an older revision in doubt stays in the way when its bill is claimed again by a newer one") {
    subject async throws in
    try await subject.settle(part(1), try await subject.claim(part(1)), .inDoubt(lookUpAfterSeconds: 0))
    let asked = try await subject.claim(part(1, 2))
    #expect(asked.isInDoubt && asked.claim?.doubtfulRevision == 1)
    #expect(try await subject.claim(part(2, 2)).busySeconds != nil)
    try await subject.settle(part(1, 2), asked, .parked(.changedAfterWritten))
    #expect(try await subject.claim(part(2, 2)) == .changedAfterWritten)
  },
  ContractCase("what was in doubt and is written in the newer revision is in nobody's way") { subject async throws in
    try await subject.settle(part(1), try await subject.claim(part(1)), .inDoubt(lookUpAfterSeconds: 0))
    try await subject.settle(part(1, 2), try await subject.claim(part(1, 2)), .written(written))
    #expect(try await subject.claim(part(2, 2)).isNew)
  },
  ContractCase("an order that was cut otherwise is not written beside what there is of it") { subject async throws in
    let whole = ClaimRequest(
      BillID(order, stream: "SO"), revision: 1, object: "SO", billNumber: "A", payloadHash: 1)
    try await subject.settle(part(2), try await subject.claim(part(2)), .written(written))
    #expect(try await subject.claim(whole) == .changedAfterWritten)
    #expect(try await subject.claim(part(1, of: 2)) == .changedAfterWritten)
    #expect(try await subject.claim(part(1)).isNew)
    let other = OrderID(rawValue: 2)
    let single = ClaimRequest(
      BillID(other, stream: "SO"), revision: 1, object: "SO", billNumber: "B", payloadHash: 1)
    try await subject.settle(single, try await subject.claim(single), .written(written))
    #expect(try await subject.claim(part(2, order: other)) == .changedAfterWritten)
    #expect(try await subject.claim(part(1, order: other)) == .duplicate)
  },
  ContractCase("fallback keys of several bills differ") { subject async throws in
    let asked = (1...3).map { number in
      var request = ClaimRequest(
        BillID(order, stream: "SO", part: number), revision: 1, object: "SO", billNumber: "A", payloadHash: 1)
      request.parts = 3
      return request
    }
    let keys = try await subject.ledger.claim(asked, leaseSeconds: 60).compactMap { $0.claim?.key }
    #expect(keys == ["A", "A-1-2", "A-1-3"])
  },
]
