import Ledger
import Orders
import Pipeline
import PostgreSQL
import Testing

@Suite("What the ledger tells of an order", .timeLimit(.minutes(2)))
struct OrderRecordTests {
  private func claim(_ order: Int64, _ stream: String, part: Int = 1, of parts: Int = 0, number: String) -> ClaimRequest
  {
    var request = ClaimRequest(
      BillID(OrderID(rawValue: order), stream: stream, part: part), revision: 3, object: stream, billNumber: number,
      payloadHash: 1)
    (request.parts, request.strategy, request.beside) = (parts, "maker", ["SO", "D"])
    if stream == "D" { request.keyField = "FKey" }
    return request
  }

  @Test("each bill is told with its state, number, notes and write-back, and what the poller saw of the order")
  func whole() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      var noted = claim(7, "SO", part: 2, of: 2, number: "A-2")
      noted.notes = NoteText.json([BillNote(.residual, place: "Page2[0].P", "0.01")])
      let requests = [
        claim(7, "SO", of: 2, number: "A"), noted, claim(7, "D", number: "A-D"), claim(8, "SO", number: "B"),
      ]
      let answers = try await ledger.claim(requests, leaseSeconds: 60)
      var bill = WrittenBill(number: "A", internalID: 1001)
      bill.writeback = #"{"id":1001}"#
      let results: [Settlement.Result] = [.written(bill), .parked(.k3Rejected), .inDoubt(lookUpAfterSeconds: 5)]
      let settled = try await ledger.settle(
        zip(zip(requests, answers), results).compactMap { pair, result in
          guard case .new(let claim) = pair.1 else { return nil }
          var settlement = Settlement(pair.0.bill, token: claim.token, result: result)
          if pair.0.bill.stream == "D" { settlement.vendorAnswer = String(repeating: "单", count: 300) }
          return settlement
        })
      #expect(settled == [true, true, true])
      let client = schema.client()
      _ = try await client.run(
        PostgresStatement(
          "INSERT INTO order_revisions VALUES (7, 4, 1770000000, 5, false, false), (9, 1, 1, 1, true, false), "
            + "(8, 1, 1, $1::bigint, false, false)", .int(FetchedRevision.removalHash)))
      await client.close()

      let order = try #require(try await ledger.orders("7").first)
      #expect(order.seen?.revision == 4 && order.seen?.isPublished == false && order.seen?.isRemoval == false)
      #expect(try await ledger.orders("8").first?.seen?.isRemoval == true)
      #expect(order.seen?.updateTime == BeijingTime(epochSeconds: 1_770_000_000))
      #expect(
        order.bills.map { "\($0.stream) \($0.part)/\($0.parts) \($0.state)" } == [
          "D 1/0 in_doubt", "SO 1/2 written", "SO 2/2 parked",
        ])
      #expect(order.bills.map(\.key) == ["A-D", "A", "A-2"])
      #expect(order.bills.map(\.keyField) == ["FKey", "FBillNo", "FBillNo"])
      #expect(order.bills.map(\.isInDoubt) == [true, false, false])
      #expect(order.bills.map(\.reason) == [nil, nil, "k3_rejected"])
      #expect(order.bills.map { $0.vendorAnswer?.count } == [200, nil, nil])
      let first = order.bills[1]
      #expect(first.number == "A" && first.internalID == 1001 && first.writeback == #"{"id":1001}"#)
      #expect(first.strategy == "maker" && first.revision == 3 && first.claims == 1 && first.notes == nil)
      #expect(order.bills[2].notes.flatMap(NoteText.notes)?.map(\.text) == ["0.01"])
      #expect(order.bills.allSatisfy { $0.changed >= $0.firstClaimed && $0.due.epochSeconds > 1_700_000_000 })
      #expect(order.bills[0].due > order.bills[0].changed)
    }
  }

  @Test("an order is found by its id, by any bill's key in any case, and by what K/3 called a bill; or not at all")
  func found() async throws {
    try await withSchema { _, one, _ in
      let ledger = PostgresLedger(one)
      let requests = [claim(7, "SO", number: "A-1"), claim(8, "SO", number: "7")]
      let answers = try await ledger.claim(requests, leaseSeconds: 60)
      guard case .new(let claim) = answers[0] else { throw LedgerFailure.broken("not granted") }
      let renamed = Settlement(
        requests[0].bill, token: claim.token, result: .written(WrittenBill(number: "SEORD1", internalID: nil)))
      #expect(try await ledger.settle([renamed]) == [true])
      for (text, ids) in [
        ("7", [7, 8]), ("8", [8]), ("a-1", [7]), ("SEORD1", [7]), ("seord", []), ("9", []), ("%", []), ("A-1\0", []),
      ] as [(String, [Int64])] {
        #expect(try await ledger.orders(text).map(\.id.rawValue) == ids, "\(text)")
      }
    }
  }
}
