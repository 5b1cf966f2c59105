import Orders
import Pipeline
import Testing

/// A claim of the order's bill in the stream `SO`, which a strategy makes of some object.
private func claim(_ object: String, _ revision: Int64 = 1) -> ClaimRequest {
  ClaimRequest(
    BillID(OrderID(rawValue: 1), stream: "SO"), revision: revision, object: object, billNumber: "A",
    payloadHash: revision)
}

extension SyncLedgerSubject {
  fileprivate func settled(_ request: ClaimRequest, _ result: Settlement.Result) async throws -> Claim {
    let answer = try #require(try await ledger.claim([request], leaseSeconds: 60).first)
    let claim = try #require(answer.claim, "\(answer)")
    #expect(try await ledger.settle([Settlement(request.bill, token: claim.token, result: result)]) == [true])
    return claim
  }
}

/// A bill whose strategy is given another object of K/3 under a fixed stream.
let objectCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("a bill in doubt is asked for in its first object and in each that it is claimed of since, twice in all")
  {
    subject async throws in
    let once = Settlement.Result.inDoubt(lookUpAfterSeconds: 0, absences: 1)
    #expect(try await subject.settled(claim("SO"), once).otherObjects == [])
    let moved = try await subject.settled(claim("X"), once)
    #expect(moved.object == "SO" && moved.key == "A" && moved.otherObjects == ["X"] && moved.absences == 0)
    // Asked of both, and then of one more.
    #expect(try await subject.settled(claim("X"), once).absences == 1)
    let further = try await subject.settled(claim("Y", 2), once)
    #expect(further.otherObjects == ["X", "Y"] && further.absences == 0)
    // Back in the first object nothing is forgotten, nor to be asked anew.
    let back = try await subject.settled(claim("SO", 2), .parked(.changedAfterWritten))
    #expect(back.otherObjects == ["X", "Y"] && back.absences == 1)
    #expect(try await subject.settled(claim("X", 2), .clean).otherObjects == ["X", "Y"])
  },
  ContractCase("a bill of which nothing may be in K/3 is of the object that it is claimed of, and of no other one") {
    subject async throws in
    _ = try await subject.settled(claim("SO"), .inDoubt(lookUpAfterSeconds: 0))
    #expect(try await subject.settled(claim("X"), .clean).otherObjects == ["X"])
    let freed = try await subject.settled(claim("X"), .inDoubt(lookUpAfterSeconds: 0, absences: 1))
    #expect(freed.object == "X" && freed.otherObjects == [])
    let again = try await subject.settled(claim("X"), .clean)
    #expect(again.object == "X" && again.otherObjects == [] && again.absences == 1)
  },
]
