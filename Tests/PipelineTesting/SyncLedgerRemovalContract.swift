import Orders
import Pipeline
import Testing

private let written = WrittenBill(number: "SO1", internalID: 77)
private let order = OrderID(rawValue: 1)

extension SyncLedgerSubject {
  fileprivate func remove(_ revision: Int64, cancels: Bool = false) async throws -> RemovalAnswer {
    let request = RemovalRequest(order, revision: revision, cancels: cancels)
    return try #require(try await ledger.remove([request], leaseSeconds: 60).first)
  }

  fileprivate func settle(_ bill: StandingBill, _ result: Settlement.Result) async throws {
    #expect(try await ledger.settle([Settlement(bill.bill, token: bill.token, result: result)]) == [true])
  }
}

/// Orders that are removed in OKKI.
let removalCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("a removed order is not granted any more, in whatever older revision, and as usual in a newer one") {
    subject async throws in
    #expect(try await subject.remove(3) == RemovalAnswer())
    #expect(try await subject.remove(3) == RemovalAnswer())
    #expect(try await subject.claim(1, 2) == .removed)
    #expect(try await subject.claim(1, 4).isNew)
    #expect(try await subject.remove(3).isStale)
    #expect(try await subject.claim(2, 1).isNew)
  },
  ContractCase("an older removal is stale") { subject async throws in
    _ = try await subject.remove(5)
    #expect(try await subject.remove(3).isStale)
    #expect(try await subject.claim(1, 4) == .removed)
  },
  ContractCase("a removal waits for a bill that is being written or in doubt, which is granted to be looked up") {
    subject async throws in
    let first = try await subject.claim(1, 1)
    #expect(try #require(try await subject.remove(2).waitSeconds) > 30)
    #expect(try await subject.claim(1, 1).busySeconds != nil)
    try await subject.settle(1, first, .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.remove(2).waitSeconds != nil)
    let asked = try await subject.claim(1, 1)
    #expect(asked.isInDoubt && asked.claim?.isRemoved == true)
    try await subject.settle(1, asked, .cancelled)
    #expect(try await subject.claim(1, 1) == .removed)
    #expect(try await subject.remove(2) == RemovalAnswer())
  },
  ContractCase("what is written is held, or claimed to be deleted once; deleted it is nowhere") {
    subject async throws in
    try await subject.settle(1, try await subject.claim(1, 1), .written(written))
    #expect(try await subject.remove(2).held == [bill(of: order)])
    #expect(try await subject.claim(1, 1) == .duplicate)
    let claimed = try #require(try await subject.remove(2, cancels: true).claimed.first)
    #expect(claimed.number == "SO1" && claimed.internalID == 77 && claimed.object == "SO" && !claimed.isInDoubt)
    #expect(try await subject.remove(2, cancels: true).waitSeconds != nil)
    #expect(try await subject.claim(1, 1) == .removed)
    #expect(try await subject.claim(1, 3).busySeconds != nil)
    try await subject.settle(claimed, .cancelled)
    #expect(try await subject.remove(2, cancels: true) == RemovalAnswer())
    let restored = try await subject.claim(1, 3)
    #expect(restored.isNew && restored.claim?.standing == nil)
  },
  ContractCase("a deletion in doubt is gone on with by nobody but the removal") { subject async throws in
    try await subject.settle(1, try await subject.claim(1, 1), .written(written))
    let first = try #require(try await subject.remove(2, cancels: true).claimed.first)
    try await subject.settle(first, .cancelling(lookUpAfterSeconds: 0, absences: 1))
    #expect(try await subject.claim(1, 3).earlySeconds != nil)
    let second = try #require(try await subject.remove(2, cancels: true).claimed.first)
    #expect(second.isInDoubt && second.absences == 1)
    try await subject.makeDue(order)
    let third = try #require(try await subject.remove(2, cancels: true).claimed.first)
    #expect(third.isInDoubt && third.absences == 0)
    try await subject.settle(third, .parked(.removedAfterWritten))
    let restored = try await subject.claim(1, 3)
    #expect(restored.isInDoubt && restored.claim?.standing == "SO1" && restored.claim?.isRemoved == false)
  },
  ContractCase("of a claim and a removal at the same moment one sees the other") { subject async throws in
    for round in Int64(1)...30 {
      let id = OrderID(rawValue: round * 100)
      async let claim = subject.ledger.claim([request(round * 100)], leaseSeconds: 60)
      async let removal = subject.other.remove([RemovalRequest(id, revision: 2, cancels: false)], leaseSeconds: 60)
      let (claimed, removed) = try await (claim[0], removal[0])
      #expect(claimed.isNew ? removed.waitSeconds != nil : claimed == .removed && removed == RemovalAnswer())
    }
  },
]
