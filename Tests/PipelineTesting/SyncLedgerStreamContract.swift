import Orders
import Pipeline
import Testing

private let written = WrittenBill(number: "SO1", internalID: 77)

/// A claim of a bill by a strategy that writes into `stream`.
private func claim(
  _ stream: String, _ revision: Int64, beside: [String]? = [], order: Int64 = 1, parts: Int = 0
) -> ClaimRequest {
  var request = ClaimRequest(
    BillID(OrderID(rawValue: order), stream: stream), revision: revision, object: stream, billNumber: "A\(order)",
    payloadHash: revision)
  request.beside = beside
  request.parts = parts
  return request
}

extension SyncLedgerSubject {
  fileprivate func claim(_ request: ClaimRequest) async throws -> ClaimAnswer {
    try #require(try await ledger.claim([request], leaseSeconds: 60).first)
  }

  @discardableResult
  fileprivate func settle(_ request: ClaimRequest, _ result: Settlement.Result) async throws -> ClaimAnswer {
    let answer = try await claim(request)
    let token = try #require(answer.claim).token
    #expect(try await ledger.settle([Settlement(request.bill, token: token, result: result)]) == [true])
    return answer
  }
}

/// Orders that go over from one stream to another.
let movedCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("an order that stands in one stream is written in no other, cut or whole") { subject async throws in
    try await subject.settle(claim("SO", 1), .written(written))
    #expect(try await subject.claim(claim("D", 2)) == .writtenElsewhere(stream: "SO"))
    #expect(try await subject.claim(claim("D", 1)) == .writtenElsewhere(stream: "SO"))
    #expect(try await subject.claim(claim("D", 2, beside: ["E"], parts: 3)) == .writtenElsewhere(stream: "SO"))
    #expect(try await subject.claim(claim("D", 2, order: 2)).isNew)
    #expect(try await subject.claim(claim("SO", 2)) == .changedAfterWritten)
  },
  ContractCase("a stream that may stand beside is not in the way, and nobody says a word where nobody knows") {
    subject async throws in
    try await subject.settle(claim("SO", 1), .written(written))
    try await subject.settle(claim("D", 2, beside: ["SO", "E"]), .written(written))
    #expect(try await subject.claim(claim("E", 2, beside: ["SO"])) == .writtenElsewhere(stream: "D"))
    #expect(try await subject.claim(claim("F", 2, beside: nil)).isNew)
  },
  ContractCase("while the bill in the other stream is being written or found out about, a claim waits") {
    subject async throws in
    #expect(try await subject.claim(claim("SO", 1)).isNew)
    #expect(try await subject.claim(claim("D", 2)).busySeconds != nil)
    try await subject.makeDue(OrderID(rawValue: 1))
    try await subject.settle(claim("SO", 1), .inDoubt(lookUpAfterSeconds: 3_600))
    #expect(try await subject.claim(claim("D", 2)).earlySeconds != nil)
    try await subject.makeDue(OrderID(rawValue: 1))
    try await subject.settle(claim("SO", 1), .clean)
    #expect(try await subject.claim(claim("D", 2)).isNew)
  },
  ContractCase("what was parked in another stream is in the way only where it may be in K/3") { subject async throws in
    try await subject.settle(claim("SO", 1), .parked(.k3Rejected))
    try await subject.settle(claim("D", 2), .parked(.conflict))
    #expect(try await subject.claim(claim("E", 3)) == .writtenElsewhere(stream: "D"))
  },
  ContractCase("an older revision is stale once the order went on in another stream; written it is a duplicate") {
    subject async throws in
    try await subject.settle(claim("SO", 1), .written(written))
    try await subject.settle(claim("D", 2, beside: ["SO"]), .clean)
    #expect(try await subject.claim(claim("E", 1)) == .stale)
    #expect(try await subject.claim(claim("SO", 1)) == .duplicate)
    // Taken by both in its revision they do not meet.
    #expect(try await subject.claim(claim("E", 1, beside: ["SO", "D"])).isNew)
  },
  ContractCase("in one batch the first stream wins, and what belongs together is taken together") {
    subject async throws in
    let answers = try await subject.ledger.claim(
      [
        claim("SO", 1), claim("D", 2), claim("SO", 1, beside: ["E"], order: 2), claim("E", 1, beside: ["SO"], order: 2),
        claim("SO", 1, order: 3), claim("D", 1, order: 3),
      ], leaseSeconds: 60)
    #expect(answers.map(\.isNew) == [true, false, true, true, true, false])
    #expect(answers[1].busySeconds != nil && answers[5].busySeconds != nil)
  },
  ContractCase("of two racing workers with an order in two streams never both get one") { subject async throws in
    // Again and again: only on connections that stand do two claims meet.
    for round in Int64(0)..<30 {
      let orders = (1...10).map { round * 100 + $0 }
      async let left = subject.ledger.claim(orders.map { claim("SO", 1, order: $0) }, leaseSeconds: 60)
      async let right = subject.other.claim(orders.reversed().map { claim("D", 2, order: $0) }, leaseSeconds: 60)
      let answers = try await (left, Array(right.reversed()))
      for (older, newer) in zip(answers.0, answers.1) { #expect(older.isNew != newer.isNew) }
    }
  },
]
