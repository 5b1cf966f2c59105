import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

extension ClaimAnswer {
  var isNew: Bool { if case .new = self { true } else { false } }
  var isInDoubt: Bool { if case .inDoubt = self { true } else { false } }
  var token: Int64? {
    switch self {
    case .new(let claim), .inDoubt(let claim): claim.token
    default: nil
    }
  }
}

@Suite("A ledger that was restored", .timeLimit(.minutes(2)))
struct RestoreTests {
  private func request(_ order: Int64, revision: Int64 = 1, hash: Int64 = 1) -> ClaimRequest {
    ClaimRequest(
      BillID(OrderID(rawValue: order), stream: "SO"), revision: revision, object: "SO", billNumber: "S\(order)",
      payloadHash: hash)
  }

  private func isRefused(_ body: () async throws(LedgerFailure) -> Void) async -> Bool {
    do throws(LedgerFailure) { try await body() } catch {
      if case .broken(let why) = error { return why.contains("ferry migrate --restored") }
    }
    return false
  }

  /// What a dump and its restore do to the tables: they are made anew.
  private func restore(_ schema: FreshSchema) async throws {
    try await schema.run("ALTER TABLE order_ledger RENAME TO dumped")
    try await schema.run("CREATE TABLE order_ledger (LIKE dumped INCLUDING ALL)")
    try await schema.run("INSERT INTO order_ledger SELECT * FROM dumped")
    try await schema.run("DROP TABLE dumped")
  }

  @Test("nobody works on it before somebody has said so, and then everybody does")
  func refused() async throws {
    try await withSchema { schema, one, other in
      #expect(try await Migrator(one).refusal() == nil)
      try await restore(schema)
      #expect(await isRefused { () throws(LedgerFailure) in try await Migrator(one).check() })
      #expect(
        await isRefused { () throws(LedgerFailure) in
          _ = try await PostgresLedger(one).claim([request(1)], leaseSeconds: 60)
        })
      // Nothing was ever polled.
      #expect(try await LedgerRestore(other).begin() == nil)
      #expect(try await Migrator(one).refusal() == nil)
      #expect(try await PostgresLedger(one).claim([request(1)], leaseSeconds: 60).first?.isInDoubt == true)
    }
  }

  @Test("what would be saved for the first time is in doubt until the restore is over; the rest is answered as ever")
  func doubted() async throws {
    try await withSchema { schema, one, other in
      let before = PostgresLedger(one)
      let claims = try await before.claim((1...4).map { request($0) }, leaseSeconds: 60)
      let results: [Settlement.Result] = [
        .written(WrittenBill(number: "S1", internalID: 1)), .clean, .parked(.k3Rejected),
      ]
      let settlements = zip(1...3, zip(claims, results)).map { order, end in
        Settlement(request(Int64(order)).bill, token: end.0.token ?? 0, result: end.1)
      }
      #expect(try await before.settle(settlements) == [true, true, true])
      try await restore(schema)
      _ = try await LedgerRestore(other).begin()
      let ledger = PostgresLedger(other)
      let answers = try await ledger.claim((1...5).map { request($0) }, leaseSeconds: 60)
      #expect(answers[0] == .duplicate)
      // Clean, parked, claimed and unknown ones: whoever held the fourth at the backup holds no lease now.
      #expect(answers.dropFirst().allSatisfy { $0.isInDoubt }, "\(answers)")
      // Found there, it is written.
      let found = Settlement(
        request(5).bill, token: answers[4].token ?? 0, result: .written(WrittenBill(number: "S5", internalID: 5)))
      #expect(try await ledger.settle([found]) == [true])
      #expect(try await ledger.claim([request(5)], leaseSeconds: 60) == [.duplicate])
      // Not found, it is asked for again and then saved, as any that is in doubt.
      let absent = Settlement(
        request(2).bill, token: answers[1].token ?? 0, result: .inDoubt(lookUpAfterSeconds: 0, absences: 1))
      #expect(try await ledger.settle([absent]) == [true])
      guard case .inDoubt(let claim)? = try await ledger.claim([request(2)], leaseSeconds: 60).first else {
        Issue.record("the second look-up is not in doubt")
        return
      }
      #expect(claim.absences == 1)

      #expect(try await LedgerRestore(other).end())
      #expect(try await LedgerRestore(other).end() == false)
      #expect(try await PostgresLedger(other).claim([request(6)], leaseSeconds: 60).first?.isNew == true)
    }
  }

  @Test(
    "what may have been in the queues at the backup is published again, and what was carried to its end is not searched for"
  )
  func republished() async throws {
    try await withSchema { schema, one, _ in
      let day: Int64 = 86_400
      let now: Int64 = 1_780_000_000
      try await schema.run("INSERT INTO poll_watermarks (stream, at) VALUES ('orders', \(now)), ('removed', \(now))")
      // Written; in a queue for five days; ended 40 days ago without a trace.
      for (order, at) in [(1, now - 20 * day), (2, now - 5 * day), (3, now - 40 * day)] {
        try await schema.run(
          "INSERT INTO order_revisions VALUES (\(order), 1, \(at), 7, true, false)")
      }
      let ledger = PostgresLedger(one)
      let token = try #require(try await ledger.claim([request(1)], leaseSeconds: 60).first?.token)
      let written = Settlement(
        request(1).bill, token: token, result: .written(WrittenBill(number: "S1", internalID: 1)))
      #expect(try await ledger.settle([written]) == [true])
      let restore = LedgerRestore(one)
      let far = try #require(try await restore.begin())
      #expect(far.window.from.epochSeconds == now - 30 * day)
      #expect(far.window.to.epochSeconds == now)
      try await schema.run("DELETE FROM order_revisions WHERE order_id = 3")
      try await schema.run("UPDATE order_revisions SET published = true")
      let sweep = try #require(try await restore.begin())
      #expect(sweep.window.from.epochSeconds == now - 5 * day)
      #expect(sweep.kind == .backfill && sweep.basis == .update && sweep.state == .running)
      // Parked, it is found among the letters; replayed, it lies in a queue again.
      try await schema.run("UPDATE order_revisions SET published = true")
      try await schema.run(
        """
        INSERT INTO dead_letters
          (fingerprint, stage, reason, sentence, order_id, revision, parked_at, vendor_answer, properties, body)
        VALUES ('a', 'load', 'k3_rejected', '', 2, 1, 0, '', '', '')
        """)
      #expect(try #require(try await restore.begin()).window.from.epochSeconds == now - day)
      try await schema.run("UPDATE dead_letters SET state = 'replayed'")
      try await schema.run("UPDATE order_revisions SET published = true")
      #expect(try #require(try await restore.begin()).window.from.epochSeconds == now - 5 * day)
      // Nothing open: a day, for bills beside others.
      try await schema.run("DELETE FROM order_revisions WHERE order_id = 2")
      #expect(try #require(try await restore.begin()).window.from.epochSeconds == now - day)
    }
  }

  @Test("a ledger is not accepted while a poller leads")
  func polled() async throws {
    try await withSchema { _, one, other in
      let poller = PostgresPollLedger(other)
      #expect(try await poller.lead())
      let restore = LedgerRestore(one)
      await #expect(throws: LedgerFailure.self) { try await restore.refuseWhilePolled() }
      await #expect(throws: LedgerFailure.self) { _ = try await restore.begin() }
      await poller.resign()
      try await restore.refuseWhilePolled()
    }
  }
}
