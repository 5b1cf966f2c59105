import Orders
import Pipeline
import Testing

private let written = WrittenBill(number: "SO1", internalID: 77)
private let order = OrderID(rawValue: 1)

/// A claim of a bill with a content.
private func bill(
  _ revision: Int64, _ content: Int64, _ policy: ChangedOrders = .hold, stream: String = "SO", part: Int = 1,
  of parts: Int = 0, object: String = "SO", beside: [String]? = nil
) -> ClaimRequest {
  var request = ClaimRequest(
    BillID(order, stream: stream, part: part), revision: revision, object: object, billNumber: "A\(stream)\(part)",
    payloadHash: content)
  (request.change, request.parts, request.beside) = (policy, parts, beside)
  return request
}

extension SyncLedgerSubject {
  fileprivate func claim(_ requests: ClaimRequest...) async throws -> [ClaimAnswer] {
    try await ledger.claim(requests, leaseSeconds: 60)
  }

  @discardableResult
  fileprivate func settle(_ request: ClaimRequest, _ result: Settlement.Result) async throws -> ClaimAnswer {
    let answer = try await claim(request)[0]
    let token = try #require(answer.claim, "\(answer)").token
    #expect(try await ledger.settle([Settlement(request.bill, token: token, result: result)]) == [true])
    return answer
  }
}

/// Orders that get a new revision which makes the very same bill.
let touchCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("a newer revision that makes the very same bill is a duplicate, and older ones are stale from then on") {
    subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    // Revision 2 is another content, late; revision 3 is the first content again.
    #expect(try await subject.claim(bill(3, 7)) == [.duplicate])
    for policy in ChangedOrders.allCases {
      #expect(try await subject.claim(bill(2, 8, policy)) == [.stale])
      #expect(try await subject.claim(bill(1, 7, policy)) == [.stale])
      #expect(try await subject.claim(bill(3, 7, policy)) == [.duplicate])
    }
    #expect(try await subject.claim(bill(4, 8)) == [.changedAfterWritten])
    #expect(try await subject.claim(bill(4, 8, .ignore)) == [.ignored])
    #expect(try await subject.claim(bill(5, 7, .update)) == [.duplicate])
    #expect(try await subject.claim(bill(6, 8, .update))[0].claim?.standing == "SO1")
  },
  ContractCase("the same bill in another object, or of another cut, is a change") { subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    #expect(try await subject.claim(bill(2, 7, object: "PO")) == [.changedAfterWritten])
    #expect(try await subject.claim(bill(2, 7, of: 1)) == [.changedAfterWritten])
    #expect(try await subject.claim(bill(2, 7)) == [.duplicate])
  },
  ContractCase("what is not known to be written is no duplicate, whatever is the same") { subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    try await subject.settle(bill(2, 8, .update), .parked(.k3Rejected))
    let parked = try await subject.settle(bill(3, 8, .update), .clean)
    #expect(parked.isNew && parked.claim?.standing == "SO1")
    let clean = try await subject.settle(bill(4, 8, .update), .inDoubt(lookUpAfterSeconds: 0))
    #expect(clean.isNew && clean.claim?.standing == "SO1")
    #expect(try await subject.claim(bill(5, 8, .update))[0].isInDoubt)
    #expect(try await subject.claim(bill(6, 8, .update))[0].busySeconds != nil)
  },
  ContractCase("a newer revision that makes just what is in doubt is in doubt itself, and nothing older is") {
    subject async throws in
    try await subject.settle(bill(1, 7), .inDoubt(lookUpAfterSeconds: 0))
    let touched = try await subject.settle(bill(2, 7), .inDoubt(lookUpAfterSeconds: 0))
    #expect(touched.isInDoubt && touched.claim?.doubtfulRevision == 2)
    let changed = try await subject.settle(bill(3, 8), .inDoubt(lookUpAfterSeconds: 0))
    #expect(changed.claim?.doubtfulRevision == 2)
    // The same as the last one, but an older one is in doubt, too.
    let again = try await subject.settle(bill(4, 8), .inDoubt(lookUpAfterSeconds: 0))
    #expect(again.claim?.doubtfulRevision == 2)
    // Nothing of 3 and 4 was sent, or the doubt would be of them alone: 5 is what is in doubt.
    #expect(try await subject.settle(bill(5, 7), .clean).claim?.doubtfulRevision == 5)
    #expect(try await subject.claim(bill(5, 7))[0].claim?.doubtfulRevision == nil)
  },
  ContractCase("an order that goes back to what is in doubt, after a parked change, is in doubt with that alone") {
    subject async throws in
    try await subject.settle(bill(1, 7), .inDoubt(lookUpAfterSeconds: 0))
    let changed = try await subject.settle(bill(2, 8), .parked(.changedAfterWritten))
    #expect(changed.isInDoubt && changed.claim?.doubtfulRevision == 1)
    let back = try await subject.settle(bill(3, 7), .inDoubt(lookUpAfterSeconds: 0))
    #expect(back.isInDoubt && back.claim?.doubtfulRevision == 3)
    #expect(try await subject.settle(bill(4, 8), .parked(.changedAfterWritten)).claim?.doubtfulRevision == 3)
    try await subject.settle(bill(5, 7), .written(written))
    #expect(try await subject.claim(bill(4, 8)) == [.stale])
    #expect(try await subject.claim(bill(5, 7)) == [.duplicate])
  },
  ContractCase("another content of the revision that is in doubt is not what is in doubt, but sent with proof it is") {
    subject async throws in
    try await subject.settle(bill(5, 7), .inDoubt(lookUpAfterSeconds: 0))
    // As when the strategy was edited meanwhile.
    // It is as good as an older one's, also when that is asked for again.
    for _ in 1...2 {
      #expect(
        try await subject.settle(bill(5, 8), .inDoubt(lookUpAfterSeconds: 0)).claim?.doubtfulRevision == 4)
    }
    #expect(
      try await subject.settle(bill(5, 7), .inDoubt(lookUpAfterSeconds: 0)).claim?.doubtfulRevision == 5)
    #expect(
      try await subject.settle(bill(6, 8), .inDoubt(lookUpAfterSeconds: 0)).claim?.doubtfulRevision == 5)
    #expect(
      try await subject.settle(bill(7, 7), .inDoubt(lookUpAfterSeconds: 0)).claim?.doubtfulRevision == 7)
    let token = try #require(try await subject.claim(bill(7, 8))[0].claim).token
    var sent = Settlement(bill(7, 8).bill, token: token, result: .inDoubt(lookUpAfterSeconds: 0))
    sent.followsProof = true
    #expect(try await subject.ledger.settle([sent]) == [true])
    #expect(try await subject.settle(bill(8, 8), .clean).claim?.doubtfulRevision == 8)
  },
  ContractCase("a standing bill whose change is in doubt, and is the same again and again, is in doubt with the last") {
    subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    for revision: Int64 in 2...4 {
      let answer = try await subject.settle(bill(revision, 8, .update), .inDoubt(lookUpAfterSeconds: 0))
      #expect(answer.claim?.doubtfulRevision == (revision == 2 ? nil : revision))
    }
  },
  ContractCase("where somebody died over the change, or it was of another cut, older contents stay in doubt") {
    subject async throws in
    try await subject.settle(bill(1, 7), .inDoubt(lookUpAfterSeconds: 0))
    // It may have been sent.
    #expect(try await subject.claim(bill(2, 8))[0].isInDoubt)
    try await subject.makeDue(order)
    #expect(
      try await subject.settle(bill(3, 7), .inDoubt(lookUpAfterSeconds: 0)).claim?.doubtfulRevision == 1)
    #expect(try await subject.settle(bill(4, 7), .clean).claim?.doubtfulRevision == 1)
    try await subject.settle(bill(4, 7), .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.settle(bill(5, 8, of: 1), .parked(.conflict)).claim?.doubtfulRevision == 4)
    #expect(try await subject.claim(bill(6, 7))[0].claim?.doubtfulRevision == 4)
  },
  ContractCase("a change that was sent with proof that nothing older is there is all that is in doubt") {
    subject async throws in
    try await subject.settle(bill(1, 7), .inDoubt(lookUpAfterSeconds: 0))
    let token = try #require(try await subject.claim(bill(2, 8))[0].claim).token
    var sent = Settlement(bill(2, 8).bill, token: token, result: .inDoubt(lookUpAfterSeconds: 0))
    sent.followsProof = true
    #expect(try await subject.ledger.settle([sent]) == [true])
    #expect(try await subject.settle(bill(3, 7), .parked(.changedAfterWritten)).claim?.doubtfulRevision == 2)
    #expect(try await subject.claim(bill(4, 8))[0].claim?.doubtfulRevision == 4)
  },
  ContractCase("of a standing bill every revision that was to be written may be there") { subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    try await subject.settle(bill(2, 8, .update), .inDoubt(lookUpAfterSeconds: 0))
    try await subject.settle(bill(3, 9, .update), .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.claim(bill(4, 8, .update))[0].claim?.doubtfulRevision == 2)
  },
  ContractCase("whose worker died over it, a bill that only its revision changed is in doubt with that revision") {
    subject async throws in
    #expect(try await subject.claim(bill(1, 7))[0].isNew)
    try await subject.makeDue(order)
    #expect(try await subject.claim(bill(2, 7))[0].claim?.doubtfulRevision == 2)
    try await subject.makeDue(order)
    #expect(try await subject.claim(bill(3, 7, of: 1))[0].claim?.doubtfulRevision == 2)
  },
  ContractCase("of several bills those that stay are duplicates, whatever becomes of those that change") {
    subject async throws in
    for part in 1...3 { try await subject.settle(bill(1, Int64(part), part: part, of: 3), .written(written)) }
    let next = [bill(2, 1, part: 1, of: 3), bill(2, 9, part: 2, of: 3), bill(2, 3, part: 3, of: 3)]
    #expect(try await subject.claim(next[0], next[1], next[2]) == [.duplicate, .changedAfterWritten, .duplicate])
    #expect(try await subject.claim(bill(1, 2, part: 2, of: 3)) == [.duplicate])
    #expect(try await subject.claim(bill(1, 1, part: 1, of: 3)) == [.stale])
  },
  ContractCase("beside bills that stay one that changes is updated, in whatever order they come") {
    subject async throws in
    for part in 1...2 { try await subject.settle(bill(1, Int64(part), part: part, of: 2), .written(written)) }
    let answers = try await subject.claim(bill(2, 9, .update, part: 1, of: 2), bill(2, 2, .update, part: 2, of: 2))
    #expect(answers[0].isNew && answers[0].claim?.standing == "SO1" && answers[1] == .duplicate)
    // While it is being changed, and when that is in doubt, the other one stays as it is.
    #expect(try await subject.claim(bill(3, 2, .update, part: 2, of: 2)) == [.duplicate])
  },
  ContractCase("a bill that stays is held where the order was cut otherwise since") { subject async throws in
    try await subject.settle(bill(1, 1, part: 1, of: 2), .written(written))
    #expect(try await subject.claim(bill(2, 1, part: 1, of: 3)) == [.changedAfterWritten])
    #expect(try await subject.claim(bill(2, 1, part: 1, of: 2)) == [.duplicate])
  },
  ContractCase("in each stream a bill stays by itself, but not where another stream's bill is in the way") {
    subject async throws in
    try await subject.settle(bill(1, 7, beside: ["D"]), .written(written))
    try await subject.settle(bill(1, 7, stream: "D", object: "D", beside: ["SO"]), .written(written))
    let both = [bill(2, 7, beside: ["D"]), bill(2, 8, stream: "D", object: "D", beside: ["SO"])]
    #expect(try await subject.claim(both[0], both[1]) == [.duplicate, .changedAfterWritten])
    #expect(try await subject.claim(bill(3, 7, beside: [])) == [.changedAfterWritten])
  },
  ContractCase("an order that was removed and is back as it was is a duplicate; its removal is stale") {
    subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    let removal = RemovalRequest(order, revision: 2, cancels: false)
    #expect(try await subject.ledger.remove([removal], leaseSeconds: 60)[0].held == [bill(1, 7).bill])
    #expect(try await subject.claim(bill(3, 7)) == [.duplicate])
    #expect(try await subject.claim(bill(1, 7)) == [.removed])
    let cancels = RemovalRequest(order, revision: 2, cancels: true)
    #expect(try await subject.ledger.remove([cancels], leaseSeconds: 60)[0].isStale)
    #expect(
      try await subject.ledger.remove([RemovalRequest(order, revision: 9, cancels: false)], leaseSeconds: 60)[0].held
        == [bill(1, 7).bill])
    #expect(try await subject.claim(bill(8, 7)) == [.removed])
  },
  ContractCase("a bill that was deleted in K/3 is claimed anew, though it is the same") { subject async throws in
    try await subject.settle(bill(1, 7), .written(written))
    let removal = RemovalRequest(order, revision: 2, cancels: true)
    let bills = try await subject.ledger.remove([removal], leaseSeconds: 60)[0].claimed
    #expect(try await subject.claim(bill(3, 7))[0].busySeconds != nil)
    let settlement = Settlement(bill(1, 7).bill, token: try #require(bills.first).token, result: .cancelled)
    #expect(try await subject.ledger.settle([settlement]) == [true])
    let anew = try await subject.claim(bill(3, 7))[0]
    #expect(anew.isNew && anew.claim?.standing == nil)
  },
]
