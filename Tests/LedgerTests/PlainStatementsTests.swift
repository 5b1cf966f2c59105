import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

/// What the statements of new bills and of written ones leave to the general ones, and that they do the same.
@Suite("New bills and written ones", .timeLimit(.minutes(3)))
struct PlainStatementsTests {
  private func claim(_ order: Int64, _ number: String, revision: Int64 = 1) -> ClaimRequest {
    ClaimRequest(
      BillID(OrderID(rawValue: order), stream: "SO"), revision: revision, object: "SO", billNumber: number,
      payloadHash: 1)
  }

  /// The keys of what is granted; nil for the rest.
  private func keys(_ answers: [ClaimAnswer]) -> [String?] {
    answers.map { answer in if case .new(let claim) = answer { claim.key } else { nil } }
  }

  private static let taken = """
    INSERT INTO order_ledger
      (order_id, stream, state, revision, payload_hash, token, due, doubt, object, external_key)
    VALUES (9, 'SO', 'written', 1, 1, 0, clock_timestamp(), false, 'SO', 'N')
    """

  /// Waits for a row.
  private func waitFor(_ question: PostgresStatement, _ client: PostgresClient) async throws {
    while try await client.run(question).count == 0 {}
  }

  /// Lets the database refuse rows.
  private func refuse(_ condition: String, with code: String, in schema: FreshSchema) async throws {
    try await schema.run(
      """
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'refused' USING ERRCODE = '\(code)';
      END $$
      """)
    try await schema.run(
      "CREATE TRIGGER refuse BEFORE INSERT ON order_ledger FOR EACH ROW WHEN (\(condition)) EXECUTE FUNCTION refuse()")
  }

  @Test("a number that is taken at the same moment costs nobody but its own bill")
  func race() async throws {
    try await withSchema { schema, one, _ in
      let client = schema.client()
      let holder = try await client.session()
      _ = try await holder.run(PostgresStatement("BEGIN"))
      _ = try await holder.run(PostgresStatement(Self.taken))
      async let answers = PostgresLedger(one).claim(
        [claim(1, "A"), claim(2, "N"), claim(3, "C")], leaseSeconds: 60)
      let looker = schema.client()
      try await waitFor(
        PostgresStatement(
          "SELECT 1 FROM pg_stat_activity WHERE application_name = $1::text AND wait_event_type = 'Lock'",
          .text(schema.name)), looker)
      _ = try await holder.run(PostgresStatement("COMMIT"))
      #expect(try await keys(answers) == ["A", "N-2", "C"])
      await holder.close()
      await client.close()
      await looker.close()
    }
  }

  @Test("a race that is lost each time is no outage, and its bill gets another key", arguments: ["23505", "40P01"])
  func lostEachTime(_ state: String) async throws {
    try await withSchema { schema, one, _ in
      // Lost as often as a statement is tried; the last time the other one is there to be seen afterwards.
      try await schema.run("CREATE SEQUENCE losses")
      try await schema.run(
        """
        CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
          lost bigint;
        BEGIN
          IF NEW.order_id = 2 AND NEW.external_key = 'N' THEN
            lost := nextval('losses');
            IF lost = \(LedgerDatabase.tries) THEN
              PERFORM pg_advisory_xact_lock(77, hashtext(current_schema()));
            END IF;
            IF lost <= \(LedgerDatabase.tries) THEN
              RAISE EXCEPTION 'lost' USING ERRCODE = '\(state)';
            END IF;
          END IF;
          RETURN NEW;
        END $$
        """)
      try await schema.run(
        "CREATE TRIGGER lose BEFORE INSERT ON order_ledger FOR EACH ROW EXECUTE FUNCTION lose()")
      let client = schema.client()
      let holder = try await client.session()
      _ = try await holder.run(PostgresStatement("SELECT pg_advisory_lock(77, hashtext(current_schema()))"))
      async let answers = PostgresLedger(one).claim(
        [claim(1, "A"), claim(2, "N"), claim(3, "C")], leaseSeconds: 60)
      let looker = schema.client()
      try await waitFor(
        PostgresStatement(
          """
          SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 77
            AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid
          """), looker)
      _ = try await holder.run(PostgresStatement(Self.taken))
      _ = try await holder.run(PostgresStatement("SELECT pg_advisory_unlock_all()"))
      #expect(try await keys(answers) == ["A", "N-2", "C"])
      await holder.close()
      await client.close()
      await looker.close()
    }
  }

  @Test("a race that nobody wins is no outage: its bills come again")
  func crowd() async throws {
    try await withSchema { schema, one, _ in
      try await refuse("NEW.order_id = 2", with: "23505", in: schema)
      let answers = try await PostgresLedger(one).claim([claim(1, "A"), claim(2, "N")], leaseSeconds: 60)
      #expect(answers == [.busy(forSeconds: 1), .busy(forSeconds: 1)])
    }
  }

  @Test("two claims for the same numbers in opposite orders are both granted, each number once")
  func opposite() async throws {
    try await withSchema { _, one, other in
      for round in Int64(0)..<4 {
        func claims(_ first: Int64, _ numbers: [Int64]) -> [ClaimRequest] {
          let shared = numbers.map { claim(round * 100 + first + $0, "N\(round)-\(numbers[Int($0)])") }
          return shared + (4..<8).map { claim(round * 100 + first + $0, "U\(round)-\(first + $0)") }
        }
        let (up, down) = (claims(10, [0, 1, 2, 3]), claims(20, [3, 2, 1, 0]))
        async let left = PostgresLedger(one).claim(up, leaseSeconds: 60)
        async let right = PostgresLedger(other).claim(down, leaseSeconds: 60)
        let granted = try await keys(left + right).compactMap { $0 }
        #expect(granted.count == up.count + down.count)
        #expect(Set(granted).count == granted.count)
        #expect(Set(granted).isSuperset(of: (up + down).map(\.billNumber)))
      }
    }
  }

  @Test("what earlier parts of a batch were granted is not forgotten when a later one cannot be judged")
  func earlierParts() async throws {
    try await withSchema { schema, one, _ in
      try await refuse("NEW.revision = 2", with: "23514", in: schema)
      let answers = try await PostgresLedger(one).claim(
        [claim(1, "A"), claim(2, "B"), claim(2, "B", revision: 2)], leaseSeconds: 60)
      #expect(keys(answers) == ["A", "B", nil])
      guard case .unanswered(.broken(let why))? = answers.last else {
        Issue.record("\(answers)")
        return
      }
      #expect(why.contains("23514"))
    }
  }

  @Test("a new bill's row is the same whichever statement makes it")
  func freshRows() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      let alike = (Int64(1)...3).map { order in
        var request = ClaimRequest(
          BillID(OrderID(rawValue: order), stream: "stream", part: 4), revision: 10 + order, object: "object",
          billNumber: "N\(order)", payloadHash: 20 + order)
        request.strategy = "strategy\u{0}"
        request.notes = order == 2 ? nil : "notes\u{0}\(order)"
        request.keyField = "FKeyField"
        return request
      }
      var another = claim(8, "another")
      another.strategy = "another"
      let client = schema.client()
      /// All that the rows hold but tokens and times, and then whether these are theirs.
      func rows(_ claim: () async throws -> Void) async throws -> [String?] {
        try await claim()
        let rows = try await client.run(
          PostgresStatement(
            """
            SELECT (to_jsonb(held) - 'token' - 'due' - 'changed' - 'first_claimed')::text || ' '
              || round(extract(epoch FROM due - changed)) || ' ' || (changed > clock_timestamp() - interval '1 hour')
              || ' ' || (token = (SELECT last_value FROM claim_tokens))
            FROM order_ledger held WHERE order_id < 8 ORDER BY order_id
            """))
        _ = try await client.run(PostgresStatement("DELETE FROM order_ledger"))
        return (0..<rows.count).map { rows[$0, 0] }
      }
      let general = try await rows {
        _ = try await one.transaction(ledger.lock(alike) + [ledger.claimStatement(alike, 600)])
      }
      #expect(general.count == 3)
      #expect(general.allSatisfy { $0?.hasSuffix(" 600 true true") == true })
      for asked in [alike, alike + [another]] {
        let fresh = try await rows { _ = try await ledger.claimFresh(asked, leaseSeconds: 600) }
        #expect(fresh == general)
      }
      await client.close()
    }
  }

  @Test("a written bill's row is the same whichever statement settles it")
  func writtenRows() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      let requests = (Int64(1)...4).map { claim($0, "N\($0)") }
      let answers = try await ledger.claim(requests, leaseSeconds: 60)
      let settlements = zip(requests, answers).compactMap { request, answer -> Settlement? in
        guard case .new(let claim) = answer else { return nil }
        let order = request.bill.orderID.rawValue
        var bill = WrittenBill(number: "K\u{0}\(order)", internalID: order % 2 == 0 ? 7 : nil)
        if order > 2 { bill.writeback = "written\u{0}" }
        return Settlement(request.bill, token: claim.token, result: .written(bill))
      }
      let client = schema.client()
      func rows(_ statement: PostgresStatement) async throws -> [String?] {
        _ = try await client.run(
          PostgresStatement(
            """
            UPDATE order_ledger SET
              state = 'in_doubt', due = '2001-01-01', changed = '2001-01-01', doubt = true, reason = 'k3_rejected',
              absences = 2, doubt_since = '2001-01-01', doubt_revision = 5, doubt_hash = 6, doubt_token = 7,
              vendor_answer = 'answer', writeback = 'earlier', bill_number = 'earlier', bill_internal_id = 3
            """))
        #expect(try await one.run(statement).count == settlements.count)
        let rows = try await client.run(
          PostgresStatement(
            """
            SELECT (to_jsonb(held) - 'due' - 'changed')::text || ' ' || (due > clock_timestamp() - interval '1 hour')
              || ' ' || (due <= clock_timestamp()) || ' ' || (changed > clock_timestamp() - interval '1 hour')
            FROM order_ledger held ORDER BY order_id
            """))
        return (0..<rows.count).map { rows[$0, 0] }
      }
      let general = try await rows(ledger.settleStatement(settlements))
      #expect(general.count == 4)
      #expect(general.allSatisfy { $0?.hasSuffix(" true true true") == true })
      let plain = try #require(ledger.settleWritten(settlements))
      #expect(try await rows(plain) == general)
      await client.close()
    }
  }

  @Test("an unexpected answer of K/3 is kept, also of a written bill")
  func vendorAnswer() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresLedger(one)
      guard case .new(let granted)? = try await ledger.claim([claim(1, "N")], leaseSeconds: 60).first else {
        Issue.record("not granted")
        return
      }
      var settlement = Settlement(
        claim(1, "N").bill, token: granted.token, result: .written(WrittenBill(number: "N", internalID: 1)))
      settlement.vendorAnswer = "strange"
      #expect(try await ledger.settle([settlement]) == [true])
      let client = schema.client()
      #expect(try await client.run(PostgresStatement("SELECT vendor_answer FROM order_ledger"))[0, 0] == "strange")
      await client.close()
    }
  }
}
