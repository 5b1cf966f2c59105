import Orders
import Pipeline
import Testing

private let written = WrittenBill(number: "SO1", internalID: 77)
private let order = OrderID(rawValue: 1)

private func change(
  _ revision: Int64, _ policy: ChangedOrders = .update, stream: String = "SO", part: Int = 1, of parts: Int = 0,
  beside: [String]? = nil
) -> ClaimRequest {
  var request = ClaimRequest(
    BillID(order, stream: stream, part: part), revision: revision, object: "SO", billNumber: "A", payloadHash: revision)
  (request.change, request.parts, request.beside) = (policy, parts, beside)
  return request
}

extension SyncLedgerSubject {
  fileprivate func claim(_ request: ClaimRequest) async throws -> ClaimAnswer {
    try #require(try await ledger.claim([request], leaseSeconds: 60).first)
  }

  @discardableResult
  fileprivate func settle(_ request: ClaimRequest, _ result: Settlement.Result) async throws -> ClaimAnswer {
    let answer = try await claim(request)
    let token = try #require(answer.claim, "\(answer)").token
    #expect(try await ledger.settle([Settlement(request.bill, token: token, result: result)]) == [true])
    return answer
  }
}

/// Orders that change after their bills were written.
let changeCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("a written bill is claimed by a newer revision where an update is wanted, with its number in K/3") {
    subject async throws in
    #expect(try await subject.settle(change(1), .written(written)).claim?.standing == nil)
    #expect(try await subject.claim(change(1)) == .duplicate)
    #expect(try await subject.claim(change(2, .hold)) == .changedAfterWritten)
    #expect(try await subject.claim(change(2, .ignore)) == .ignored)
    let answer = try await subject.claim(change(2))
    #expect(answer.isNew && answer.claim?.key == "A" && answer.claim?.standing == "SO1")
    #expect(try await subject.claim(change(3)).busySeconds != nil)
    #expect(try await subject.claim(change(1)) == .stale)
  },
  ContractCase("a bill that was changed is written in the newer revision, and the older one is stale") {
    subject async throws in
    try await subject.settle(change(1), .written(written))
    try await subject.settle(change(2), .written(WrittenBill(number: "SO1", internalID: nil)))
    #expect(try await subject.claim(change(2)) == .duplicate)
    #expect(try await subject.claim(change(1)) == .stale)
    #expect(try await subject.claim(change(3)).claim?.standing == "SO1")
  },
  ContractCase("a bill found to stand, in whatever revision, is from then on looked up as such") {
    subject async throws in
    try await subject.settle(change(1), .inDoubt(lookUpAfterSeconds: 0))
    let doubtful = try await subject.settle(change(2), .standing(written, lookUpAfterSeconds: 0, absences: 1))
    #expect(doubtful.isInDoubt && doubtful.claim?.standing == nil)
    let found = try await subject.settle(change(2), .written(WrittenBill(number: "SO1", internalID: nil)))
    #expect(found.isInDoubt && found.claim?.standing == "SO1" && found.claim?.absences == 1)
    #expect(try await subject.claim(change(2)) == .duplicate)
  },
  ContractCase("whatever became of an update, the bill stands until it is written again") { subject async throws in
    try await subject.settle(change(1), .written(written))
    try await subject.settle(change(2), .clean)
    let clean = try await subject.settle(change(2), .inDoubt(lookUpAfterSeconds: 0, absences: 1))
    #expect(clean.isNew && clean.claim?.standing == "SO1")
    let doubtful = try await subject.settle(change(3), .parked(.changedAfterWritten))
    #expect(doubtful.isInDoubt && doubtful.claim?.standing == "SO1")
    #expect(doubtful.claim?.doubtfulRevision == 2 && doubtful.claim?.absences == 1)
    // Also for those who hold what changes: it must not be taken for a bill that nobody has written.
    let parked = try await subject.settle(change(3, .hold), .parked(.k3Rejected))
    #expect(parked.isInDoubt && parked.claim?.standing == "SO1")
    let refused = try await subject.claim(change(3))
    #expect(refused.isNew && refused.claim?.standing == "SO1")
    // A worker that died over it.
    try await subject.makeDue(order)
    #expect(try await subject.claim(change(3)).isInDoubt)
  },
  ContractCase("an update is not granted into another cut, nor beside other bills of the order that are older") {
    subject async throws in
    try await subject.settle(change(1), .written(written))
    #expect(try await subject.claim(change(2, of: 2)) == .changedAfterWritten)
    #expect(try await subject.claim(change(2, part: 2, of: 2)) == .changedAfterWritten)
    #expect(try await subject.claim(change(2, stream: "D", beside: [])) == .writtenElsewhere(stream: "SO"))
    #expect(try await subject.claim(change(2)).isNew)
  },
  ContractCase("a bill that is being changed is in the way of the order's others, whatever became of it") {
    subject async throws in
    try await subject.settle(change(1, part: 1, of: 2), .written(written))
    try await subject.settle(change(2, part: 1, of: 2), .clean)
    #expect(try await subject.claim(change(2, part: 2, of: 2)) == .changedAfterWritten)
    #expect(try await subject.claim(change(2, stream: "D", beside: [])) == .writtenElsewhere(stream: "SO"))
    let claim = try await subject.claim(change(2, part: 1, of: 2))
    #expect(try await subject.claim(change(2, part: 2, of: 2)).busySeconds != nil)
    let token = try #require(claim.claim).token
    let settlement = Settlement(change(2).bill, token: token, result: .written(written))
    #expect(try await subject.ledger.settle([settlement]) == [true])
    #expect(try await subject.claim(change(2, part: 2, of: 2)).isNew)
  },
  ContractCase("of two workers racing to change a bill one gets it, and the newer revision is the last") {
    subject async throws in
    try await subject.settle(change(1), .written(written))
    async let left = subject.ledger.claim([change(2)], leaseSeconds: 60)
    async let right = subject.other.claim([change(3)], leaseSeconds: 60)
    let answers = try await left + right
    #expect(answers.filter(\.isNew).count == 1)
    #expect(answers[0].isNew ? answers[1].busySeconds != nil : answers[0] == .stale)
  },
]
