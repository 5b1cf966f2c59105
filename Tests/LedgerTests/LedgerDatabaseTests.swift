import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

@Suite("The ledger's database", .timeLimit(.minutes(3)))
struct LedgerDatabaseTests {
  private func bill(of order: OrderID) -> BillID { BillID(order, stream: "SO") }

  private func claim(_ order: Int64) -> ClaimRequest {
    ClaimRequest(
      bill(of: OrderID(rawValue: order)), revision: 1, object: "SO", billNumber: "SO\(order)", payloadHash: 1)
  }

  @Test("a database that is away is an outage, not a defect")
  func away() async throws {
    let database = try LedgerDatabase(LedgerOptions(url: "postgresql://nobody:secretword@127.0.0.1:1/none"))
    do throws(LedgerFailure) {
      _ = try await PostgresLedger(database).claim([claim(1)], leaseSeconds: 1)
      Issue.record("a claim was answered without a database")
    } catch {
      guard case .unavailable(let sentence) = error else {
        Issue.record("ended as \(error)")
        return
      }
      #expect(!sentence.contains("secretword"))
    }
    await database.close()
  }

  @Test("a ledger goes on after its connections were ended")
  func reconnects() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      _ = try await ledger.claim([claim(1)], leaseSeconds: 60)
      #expect(one.reconnects == 0)
      let client = schema.client()
      let ended = try await client.run(
        PostgresStatement(
          "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1::text",
          .text(schema.name)))
      #expect(ended.count > 0)
      await client.close()
      // The first statement may meet the dead connection; whatever it says, the next ones work.
      var answers: [ClaimAnswer] = []
      while answers.isEmpty {
        do throws(LedgerFailure) {
          answers = try await ledger.claim([claim(1), claim(2)], leaseSeconds: 60)
        } catch {
          guard case .unavailable = error else { throw error }
        }
      }
      #expect(answers.count == 2)
      // Those that are needed again.
      #expect(1...ended.count ~= one.reconnects, "\(one.reconnects) of \(ended.count)")
    }
  }

  @Test(
    "rows are found by their indexes from the first one on, whatever PostgreSQL takes the table for",
    arguments: ["VACUUM order_ledger, order_removals", "ANALYZE order_ledger, order_removals"])
  func indexes(_ counting: String) async throws {
    try await withSchema { schema, one, _ in
      if counting.hasPrefix("ANALYZE") {
        _ = try await PostgresLedger(one).claim([claim(-1)], leaseSeconds: 60)
        _ = try await PostgresLedger(one).remove(
          [RemovalRequest(OrderID(rawValue: -1), revision: 2, cancels: true)], leaseSeconds: 60)
      }
      await one.close()
      try await schema.run(counting)
      // One connection, which keeps the plans of its first statements.
      let database = try schema.database(connections: 1)
      let ledger = PostgresLedger(database)
      let ends: [Settlement.Result] = [.clean, .written(WrittenBill(number: "K", internalID: 1))]
      let rounds = Int64(60)
      for round in 0..<rounds {
        // Few of them at first, when the plans are made.
        let claims = (round * 50..<(round + 1) * 50).suffix(round == 0 ? 1 : 50).map(claim)
        for end in ends {
          let answers = try await ledger.claim(claims, leaseSeconds: 60)
          let settlements = zip(claims, answers).compactMap { claim, answer -> Settlement? in
            guard case .new(let granted) = answer else { return nil }
            return Settlement(claim.bill, token: granted.token, result: end)
          }
          #expect(try await ledger.settle(settlements) == claims.map { _ in true })
        }
        let removal = RemovalRequest(claims[0].bill.orderID, revision: 2, cancels: true)
        #expect(try await ledger.remove([removal], leaseSeconds: 60).first?.claimed.count == 1)
      }
      // What it read is counted at the latest when it ends.
      await database.close()
      let client = schema.client()
      let question = PostgresStatement(
        """
        SELECT ledger.seq_tup_read, ledger.idx_tup_fetch, removals.seq_tup_read, removals.idx_tup_fetch,
          (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = ledger.relid)::bigint,
          (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = removals.relid)::bigint
        FROM pg_stat_user_tables ledger, pg_stat_user_tables removals
        WHERE ledger.relid = 'order_ledger'::regclass AND removals.relid = 'order_removals'::regclass
          AND ledger.n_tup_upd >= $1::bigint
        """, .int((rounds - 1) * (50 * 3 + 1)))
      var rows = try await client.run(question)
      while rows.count == 0 { rows = try await client.run(question) }
      // Each statement meets a bill's row a few times; a removal's is there for one bill in fifty.
      let (bills, removals) = (rounds * 50, rounds)
      #expect(rows.int(0, 0) == 0)
      #expect(try #require(rows.int(0, 1)) <= bills * 12)
      #expect(rows.int(0, 2) == 0)
      #expect(try #require(rows.int(0, 3)) <= removals * 6)
      #expect(try #require(rows.int(0, 4)) <= bills * 12)
      #expect(try #require(rows.int(0, 5)) <= removals * 6)
      await client.close()
    }
  }

  @Test("what is granted already is not forgotten when the rest of the batch cannot be judged")
  func grantedIsKept() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      guard case .new(let claim)? = try await ledger.claim([self.claim(1)], leaseSeconds: 60).first else {
        Issue.record("not granted")
        return
      }
      _ = try await ledger.settle([Settlement(bill(of: OrderID(rawValue: 1)), token: claim.token, result: .clean)])
      let impatient = try schema.database(lockTimeoutMilliseconds: 200)
      let holder = try await schema.client().session()
      _ = try await holder.run(PostgresStatement("BEGIN"))
      _ = try await holder.run(PostgresStatement("SELECT 1 FROM order_ledger WHERE order_id = 1 FOR UPDATE"))
      let answers = try await PostgresLedger(impatient).claim([self.claim(1), self.claim(2)], leaseSeconds: 60)
      #expect(answers.first == .busy(forSeconds: 1))
      guard case .new? = answers.last else {
        Issue.record("\(answers)")
        return
      }
      _ = try await holder.run(PostgresStatement("ROLLBACK"))
      await holder.close()
      await impatient.close()
    }
  }

  @Test("claims and settles stay in their page and touch no index")
  func heapOnly() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      let requests = (1...64).map { claim($0) }
      let answers = try await ledger.claim(requests, leaseSeconds: 60)
      let settlements = zip(requests, answers).compactMap { request, answer -> Settlement? in
        guard case .new(let claim) = answer else { return nil }
        return Settlement(
          request.bill, token: claim.token,
          result: .written(WrittenBill(number: claim.key, internalID: 1)))
      }
      _ = try await ledger.settle(settlements)
      #expect(try await ledger.counts() == ["written": 64])
      await one.close()
      let client = schema.client()
      let rows = try await client.run(
        PostgresStatement(
          "SELECT n_tup_ins, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            + "WHERE schemaname = current_schema() AND relname = 'order_ledger'"))
      await client.close()
      #expect(rows.int(0, 0) == 64)
      #expect(rows.int(0, 1) == 64)
      #expect(rows.int(0, 2) == 64)
    }
  }

  @Test("a settled row keeps what K/3 said, and why an order is parked")
  func columns() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      var first = claim(1)
      first.strategy = "sales-order"
      first.notes = #"[{"kind":"residual"}]"#
      let answers = try await ledger.claim([first, claim(2)], leaseSeconds: 60)
      let tokens = answers.map { answer -> Int64 in if case .new(let claim) = answer { claim.token } else { 0 } }
      var written = WrittenBill(number: "SEORD\u{0}7", internalID: 4711)
      written.writeback = #"{"id":4711}"#
      _ = try await ledger.settle([
        Settlement(bill(of: OrderID(rawValue: 1)), token: tokens[0], result: .written(written)),
        Settlement(bill(of: OrderID(rawValue: 2)), token: tokens[1], result: .parked(.k3Rejected)),
      ])
      let client = schema.client()
      let rows = try await client.run(
        PostgresStatement(
          "SELECT state, bill_number, bill_internal_id, reason, strategy, notes, writeback FROM order_ledger ORDER BY order_id"
        ))
      await client.close()
      #expect(rows[0, 0] == "written")
      #expect(rows[0, 1] == "SEORD\u{FFFD}7")
      #expect(rows.int(0, 2) == 4711)
      #expect(rows[0, 3] == nil)
      #expect(rows[0, 4] == "sales-order")
      #expect(rows[0, 5] == #"[{"kind":"residual"}]"#)
      #expect(rows[1, 5] == nil)
      #expect(rows[0, 6] == #"{"id":4711}"#)
      #expect(rows[1, 6] == nil)
      #expect(rows[1, 0] == "parked")
      #expect(rows[1, 3] == "k3_rejected")
    }
  }

  @Test("the age of the oldest doubt goes on over its look-ups, and ends with it")
  func doubtAge() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      func settle(_ result: Settlement.Result) async throws {
        let answer = try await ledger.claim([claim(1)], leaseSeconds: 60)[0]
        let token =
          switch answer {
          case .new(let claim), .inDoubt(let claim): claim.token
          default: Int64(0)
          }
        let held = try await ledger.settle([Settlement(bill(of: OrderID(rawValue: 1)), token: token, result: result)])
        #expect(held == [true])
      }
      let client = schema.client()
      #expect(try await ledger.oldestDoubtSeconds() == 0)
      try await settle(.inDoubt(lookUpAfterSeconds: 0))
      _ = try await client.run(
        PostgresStatement("UPDATE order_ledger SET doubt_since = doubt_since - interval '1 hour'"))
      await client.close()
      #expect(try await ledger.oldestDoubtSeconds() >= 3600)
      try await settle(.inDoubt(lookUpAfterSeconds: 0, absences: 1))
      #expect(try await ledger.oldestDoubtSeconds() >= 3600)
      try await settle(.parked(.inDoubt))
      #expect(try await ledger.oldestDoubtSeconds() == 0)
      try await settle(.inDoubt(lookUpAfterSeconds: 0))
      #expect(try await ledger.oldestDoubtSeconds() < 3600)
    }
  }

  @Test("doubts are counted from their first settlement to their last, and claims whose lease is over are some")
  func openDoubts() async throws {
    try await withSchema { schema, one, other in
      let ledger = PostgresLedger(one)
      func settle(_ order: Int64, _ result: Settlement.Result) async throws {
        let token =
          switch try await ledger.claim([claim(order)], leaseSeconds: 60)[0] {
          case .new(let claim), .inDoubt(let claim): claim.token
          default: Int64(0)
          }
        let held = try await ledger.settle([
          Settlement(bill(of: OrderID(rawValue: order)), token: token, result: result)
        ])
        #expect(held == [true])
      }
      #expect(try await ledger.openDoubts() == 0)
      for order in 1...3 as ClosedRange<Int64> { try await settle(order, .inDoubt(lookUpAfterSeconds: 0)) }
      try await settle(4, .written(WrittenBill(number: "SO4", internalID: nil)))
      // Under way, and no doubt yet.
      _ = try await ledger.claim([claim(5)], leaseSeconds: 60)
      #expect(try await ledger.openDoubts() == 3)
      #expect(try await PostgresLedger(other).openDoubts() == 3)
      // Looked up, and still not known; found; parked.
      try await settle(1, .inDoubt(lookUpAfterSeconds: 0, absences: 1))
      #expect(try await ledger.openDoubts() == 3)
      try await settle(2, .written(WrittenBill(number: "SO2", internalID: nil)))
      #expect(try await ledger.openDoubts() == 2)
      try await settle(3, .parked(.inDoubt))
      #expect(try await ledger.openDoubts() == 1)
      // Claimed to be looked up again.
      _ = try await ledger.claim([claim(1)], leaseSeconds: 60)
      #expect(try await ledger.openDoubts() == 1)
    }
  }

  @Test("a bill in doubt that nobody finds out about for a day holds others back no longer in silence")
  func forgotten() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      func part(_ number: Int, _ revision: Int64) -> ClaimRequest {
        var request = ClaimRequest(
          BillID(OrderID(rawValue: 1), stream: "SO", part: number), revision: revision, object: "SO",
          billNumber: "A-\(number)", payloadHash: 1)
        request.parts = 2
        return request
      }
      _ = try await ledger.claim([part(2, 1)], leaseSeconds: 60)
      guard case .busy = try await ledger.claim([part(1, 2)], leaseSeconds: 60).first else {
        Issue.record("the older bill is being written")
        return
      }
      let client = schema.client()
      _ = try await client.run(PostgresStatement("UPDATE order_ledger SET due = due - interval '25 hours'"))
      await client.close()
      #expect(try await ledger.claim([part(1, 2)], leaseSeconds: 60) == [.changedAfterWritten])
    }
  }

  @Test("a poller whose connection was ended leads no more, and another one does")
  func leadershipEnds() async throws {
    try await withSchema { schema, one, other in
      let (first, second) = (PostgresPollLedger(one), PostgresPollLedger(other))
      #expect(try await first.lead())
      #expect(try await !second.lead())
      try await schema.endLeadership()
      #expect(try await second.lead())
      #expect(try await !first.lead())
      await first.resign()
      await second.resign()
    }
  }

  @Test("a poller of an older program, which knows the lock and the fence alone, is not followed while it has the lock")
  func olderPoller() async throws {
    try await withSchema { schema, one, other in
      let (first, second) = (PostgresPollLedger(one), PostgresPollLedger(other))
      #expect(try await first.lead())
      // It starts while the newer one has just lost its connection.
      try await schema.endLeadership()
      let client = schema.client()
      let older = try await client.session()
      let lock = PostgresStatement(
        "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.poller), .text(schema.name))
      #expect(try await older.run(lock).bool(0, 0) == true)
      _ = try await older.run(PostgresStatement("UPDATE poll_lease SET fence = fence + 1, since = clock_timestamp()"))
      #expect(try await !first.advance(.orders, from: nil, to: BeijingTime(epochSeconds: 1)))
      try await schema.run("UPDATE poll_lease SET until = '-infinity'")
      #expect(try await !first.lead())
      #expect(try await !second.lead())
      await older.close()
      await client.close()
      #expect(try await second.lead())
      #expect(try await !first.lead())
      await first.resign()
      await second.resign()
    }
  }

  @Test("a batch with repetitions is split so that no part names an order twice")
  func splitting() {
    #expect(parts(of: [1, 2, 1, 3, 1, 2], by: { $0 }) == [[0, 1, 3], [2, 5], [4]])
    #expect(parts(of: [1, 2, 3, 4, 5], limit: 2, by: { $0 }) == [[0, 1], [2, 3], [4]])
    #expect(parts(of: [Int](), by: { $0 }).isEmpty)
  }
}
