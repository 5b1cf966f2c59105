public import Orders
public import Pipeline
import Testing

/// A ledger under test.
public struct SyncLedgerSubject: Sendable {
  /// One worker's ledger.
  public let ledger: any SyncLedger
  /// Another worker's, over the same rows.
  public let other: any SyncLedger
  /// Ends the leases of an order's bills, or makes their look-ups due, now.
  public let makeDue: @Sendable (OrderID) async throws -> Void

  /// A subject.
  public init(
    ledger: any SyncLedger, other: any SyncLedger, makeDue: @escaping @Sendable (OrderID) async throws -> Void
  ) {
    self.ledger = ledger
    self.other = other
    self.makeDue = makeDue
  }

  func claim(_ order: Int64, _ revision: Int64 = 1, number: String? = nil, lease: Int = 60) async throws -> ClaimAnswer
  {
    try #require(
      try await ledger.claim([request(order, revision, number: number)], leaseSeconds: lease).first)
  }

  func settle(_ order: Int64, _ answer: ClaimAnswer, _ result: Settlement.Result) async throws {
    let claim = try #require(answer.claim)
    let flags = try await ledger.settle([
      Settlement(bill(of: OrderID(rawValue: order)), token: claim.token, result: result)
    ])
    #expect(flags == [true])
  }
}

func request(_ order: Int64, _ revision: Int64 = 1, number: String? = nil) -> ClaimRequest {
  ClaimRequest(
    BillID(OrderID(rawValue: order), stream: "SO"), revision: revision, object: "SO",
    billNumber: number ?? "SO\(order)",
    payloadHash: order &* 31 &+ revision)
}

/// A bill of the one stream that the cases use unless they say otherwise.
func bill(of order: OrderID) -> BillID { BillID(order, stream: "SO") }

private let bill = WrittenBill(number: "SO1", internalID: 77)

extension ClaimAnswer {
  /// The claim, when it was granted.
  var claim: Claim? {
    switch self {
    case .new(let claim), .inDoubt(let claim): claim
    default: nil
    }
  }

  var isNew: Bool { if case .new = self { true } else { false } }
  var isInDoubt: Bool { if case .inDoubt = self { true } else { false } }
  var busySeconds: Int? { if case .busy(let seconds) = self { seconds } else { nil } }
  var earlySeconds: Int? { if case .tooEarly(let seconds) = self { seconds } else { nil } }
}

/// What every `SyncLedger` does.
public let syncLedgerContract: [ContractCase<SyncLedgerSubject>] =
  claimCases + settleCases + batchCases + streamCases + movedCases + partCases + changeCases + touchCases
  + removalCases

private let claimCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("an order never claimed is new, and the bill's number is its key") { subject async throws in
    let answer = try await subject.claim(1, number: "SO-2024-001")
    #expect(answer.isNew)
    #expect(answer.claim?.key == "SO-2024-001")
  },
  ContractCase("a claimed order is busy for what is left of its lease") { subject async throws in
    _ = try await subject.claim(1, lease: 60)
    let seconds = try #require(try await subject.claim(1).busySeconds)
    #expect((1...60).contains(seconds))
    #expect(seconds > 30)
  },
  ContractCase("an order whose lease is over is in doubt, with the same key and another token") {
    subject async throws in
    let first = try #require(try await subject.claim(1).claim)
    try await subject.makeDue(OrderID(rawValue: 1))
    let answer = try await subject.claim(1, number: "another")
    #expect(answer.isInDoubt)
    #expect(answer.claim?.key == first.key)
    #expect(answer.claim?.token != first.token)
  },
  ContractCase("a written revision is a duplicate, an older one stale, a newer one changed after it was written") {
    subject async throws in
    try await subject.settle(1, try await subject.claim(1, 2), .written(bill))
    #expect(try await subject.claim(1, 2) == .duplicate)
    #expect(try await subject.claim(1, 1) == .stale)
    #expect(try await subject.claim(1, 3) == .changedAfterWritten)
  },
  ContractCase("a revision older than the one claimed is stale, a newer one waits") { subject async throws in
    _ = try await subject.claim(1, 2)
    #expect(try await subject.claim(1, 1) == .stale)
    #expect(try await subject.claim(1, 3).busySeconds != nil)
  },
  ContractCase("a claim in doubt knows the oldest revision that may be written, until nothing is") {
    subject async throws in
    let order = OrderID(rawValue: 1)
    #expect(try await subject.claim(1, 3).claim?.doubtfulRevision == nil)
    try await subject.makeDue(order)
    #expect(try await subject.claim(1, 4).claim?.doubtfulRevision == 3)
    try await subject.makeDue(order)
    let last = try await subject.claim(1, 5)
    #expect(last.claim?.doubtfulRevision == 3)
    try await subject.settle(1, last, .parked(.changedAfterWritten))
    let replay = try await subject.claim(1, 5)
    #expect(replay.isInDoubt && replay.claim?.doubtfulRevision == 3)
    try await subject.settle(1, replay, .clean)
    let clean = try await subject.claim(1, 6)
    #expect(clean.isNew && clean.claim?.doubtfulRevision == nil)
  },
  ContractCase("a Save after proof that nothing older is in K/3 leaves a doubt of its own revision alone") {
    subject async throws in
    let order = OrderID(rawValue: 1)
    try await subject.settle(1, try await subject.claim(1, 1), .inDoubt(lookUpAfterSeconds: 0))
    try await subject.makeDue(order)
    let older = try await subject.claim(1, 2)
    #expect(older.claim?.doubtfulRevision == 1)
    var settlement = Settlement(
      bill(of: order), token: older.claim?.token ?? 0, result: .inDoubt(lookUpAfterSeconds: 0))
    settlement.followsProof = true
    #expect(try await subject.ledger.settle([settlement]) == [true])
    try await subject.makeDue(order)
    let own = try await subject.claim(1, 3)
    #expect(own.isInDoubt && own.claim?.doubtfulRevision == 2)
    try await subject.settle(1, own, .inDoubt(lookUpAfterSeconds: 0))
    try await subject.makeDue(order)
    #expect(try await subject.claim(1, 3).claim?.doubtfulRevision == 2)
  },
  ContractCase("a newer revision of an order in doubt asks first") { subject async throws in
    _ = try await subject.claim(1, 1)
    try await subject.makeDue(OrderID(rawValue: 1))
    #expect(try await subject.claim(1, 2).isInDoubt)
    try await subject.makeDue(OrderID(rawValue: 1))
    #expect(try await subject.claim(1, 1) == .stale)
  },
]

private let settleCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("a clean order is new again under its first key") { subject async throws in
    let first = try await subject.claim(1, number: "A")
    try await subject.settle(1, first, .clean)
    let second = try await subject.claim(1, number: "B")
    #expect(second.isNew)
    #expect(second.claim?.key == "A")
  },
  ContractCase("the key's field is the claim's, but in doubt that of the attempt in doubt") { subject async throws in
    func keyed(_ revision: Int64) -> ClaimRequest {
      var request = request(1, revision)
      request.keyField = "FHeadSelfS0143"
      return request
    }
    let other = keyed(1)
    let first = try await subject.ledger.claim([other], leaseSeconds: 60)[0]
    #expect(first.isNew && first.claim?.keyField == "FHeadSelfS0143")
    try await subject.makeDue(other.bill.orderID)
    let second = try await subject.claim(1, 2)
    #expect(second.isInDoubt && second.claim?.keyField == "FHeadSelfS0143")
    try await subject.settle(1, second, .clean)
    let third = try await subject.claim(1, 2)
    #expect(third.isNew && third.claim?.keyField == "FBillNo")
    try await subject.settle(1, third, .inDoubt(lookUpAfterSeconds: 60))
    try await subject.makeDue(other.bill.orderID)
    let fourth = try await subject.ledger.claim([keyed(3)], leaseSeconds: 60)[0]
    #expect(fourth.isInDoubt && fourth.claim?.keyField == "FBillNo")
  },
  ContractCase("a parked order is new again, also in a newer revision") { subject async throws in
    try await subject.settle(1, try await subject.claim(1), .parked(.k3Rejected))
    let second = try await subject.claim(1)
    #expect(second.isNew)
    try await subject.settle(1, second, .parked(.k3Rejected))
    #expect(try await subject.claim(1, 2).isNew)
  },
  ContractCase("an order parked for a conflict asks first") { subject async throws in
    try await subject.settle(1, try await subject.claim(1), .parked(.conflict))
    #expect(try await subject.claim(1).isInDoubt)
  },
  ContractCase("an order in doubt is too early, then asks first") { subject async throws in
    try await subject.settle(1, try await subject.claim(1), .inDoubt(lookUpAfterSeconds: 90))
    let seconds = try #require(try await subject.claim(1).earlySeconds)
    #expect((60...90).contains(seconds))
    try await subject.makeDue(OrderID(rawValue: 1))
    #expect(try await subject.claim(1).isInDoubt)
  },
  ContractCase("a look-up that may follow at once is not too early") { subject async throws in
    try await subject.settle(1, try await subject.claim(1), .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.claim(1).isInDoubt)
  },
  ContractCase("absences are kept while an order is in doubt, and forgotten when a Save may have been sent") {
    subject async throws in
    #expect(try await subject.claim(1).claim?.absences == 0)
    try await subject.makeDue(OrderID(rawValue: 1))
    let first = try await subject.claim(1)
    #expect(first.claim?.absences == 0)
    try await subject.settle(1, first, .inDoubt(lookUpAfterSeconds: 0, absences: 1))
    let second = try await subject.claim(1)
    #expect(second.isInDoubt && second.claim?.absences == 1)
    // Whoever held it died, perhaps after a Save.
    try await subject.makeDue(OrderID(rawValue: 1))
    let third = try await subject.claim(1)
    #expect(third.isInDoubt && third.claim?.absences == 0)
    try await subject.settle(1, third, .inDoubt(lookUpAfterSeconds: 0, absences: 1))
    let fourth = try await subject.claim(1)
    try await subject.settle(1, fourth, .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.claim(1).claim?.absences == 0)
  },
  ContractCase("doubt ends when nothing was written") { subject async throws in
    try await subject.settle(1, try await subject.claim(1), .inDoubt(lookUpAfterSeconds: 0))
    try await subject.settle(1, try await subject.claim(1), .clean)
    #expect(try await subject.claim(1).isNew)
  },
  ContractCase("a worker that lost its lease cannot settle") { subject async throws in
    let old = try #require(try await subject.claim(1).claim)
    try await subject.makeDue(OrderID(rawValue: 1))
    let new = try #require(try await subject.other.claim([request(1)], leaseSeconds: 60).first?.claim)
    let order = OrderID(rawValue: 1)
    #expect(try await subject.ledger.settle([Settlement(bill(of: order), token: old.token, result: .clean)]) == [false])
    #expect(try await subject.claim(1).busySeconds != nil)
    #expect(
      try await subject.other.settle([Settlement(bill(of: order), token: new.token, result: .written(bill))]) == [true])
    #expect(try await subject.claim(1) == .duplicate)
  },
  ContractCase("a settlement may be repeated, and what is written stays written") { subject async throws in
    let claim = try #require(try await subject.claim(1).claim)
    let order = OrderID(rawValue: 1)
    let written = Settlement(bill(of: order), token: claim.token, result: .written(bill))
    #expect(try await subject.ledger.settle([written]) == [true])
    #expect(try await subject.ledger.settle([written]) == [true])
    #expect(
      try await subject.ledger.settle([Settlement(bill(of: order), token: claim.token, result: .clean)]) == [false])
    #expect(try await subject.claim(1) == .duplicate)
  },
  ContractCase("an order that nobody claimed cannot be settled, and stays unknown") { subject async throws in
    let order = OrderID(rawValue: 404)
    #expect(try await subject.ledger.settle([Settlement(bill(of: order), token: 1, result: .written(bill))]) == [false])
    #expect(try await subject.claim(404).isNew)
  },
]
