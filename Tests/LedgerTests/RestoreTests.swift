import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Synchronization
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

extension LedgerRestore {
  /// All that `ferry migrate --restored` does about the ledger.
  func acceptAll() async throws -> Sweep? {
    try await begin()
    return try await accept()
  }
}

extension FreshSchema {
  /// What a dump and its restore do to the tables: they are made anew.
  func restore() async throws {
    try await run("ALTER TABLE order_ledger RENAME TO dumped")
    try await run("CREATE TABLE order_ledger (LIKE dumped INCLUDING ALL)")
    try await run("INSERT INTO order_ledger SELECT * FROM dumped")
    try await run("DROP TABLE dumped")
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

  @Test("nobody works on it before somebody has said so, and then everybody does")
  func refused() async throws {
    try await withSchema { schema, one, other in
      #expect(try await Migrator(one).refusal() == nil)
      try await schema.restore()
      #expect(await isRefused { () throws(LedgerFailure) in try await Migrator(one).check() })
      #expect(
        await isRefused { () throws(LedgerFailure) in
          _ = try await PostgresLedger(one).claim([request(1)], leaseSeconds: 60)
        })
      // Nothing was ever polled.
      #expect(try await LedgerRestore(other).acceptAll() == nil)
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
      try await schema.restore()
      _ = try await LedgerRestore(other).acceptAll()
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

  @Test("what a loader knows of it lasts 10 s, for claims and removals, and no longer than its statements work")
  func watched() async throws {
    try await withSchema { schema, one, other in
      let moment = Mutex(ContinuousClock.now)
      let ledger = PostgresLedger(one, now: { moment.withLock { $0 } })
      let later = { moment.withLock { $0 += .seconds(10) } }
      let claim = { (order: Int64) async throws(LedgerFailure) -> ClaimAnswer? in
        try await ledger.claim([request(order)], leaseSeconds: 60).first
      }
      let refusesAll = { () async -> Bool in
        let claims = await isRefused { () throws(LedgerFailure) in _ = try await claim(9) }
        let removals = await isRefused { () throws(LedgerFailure) in
          let removal = RemovalRequest(OrderID(rawValue: 9), revision: 1, cancels: false)
          _ = try await ledger.remove([removal], leaseSeconds: 60)
        }
        return claims && removals
      }
      #expect(try await claim(1)?.isNew == true)
      try await schema.restore()
      #expect(try await claim(2)?.isNew == true)
      later()
      #expect(await refusesAll())
      // A no is asked for each time.
      _ = try await LedgerRestore(other).acceptAll()
      #expect(try await claim(3)?.isInDoubt == true)
      #expect(try await LedgerRestore(other).end())
      #expect(try await claim(4)?.isInDoubt == true)
      later()
      #expect(try await claim(5)?.isNew == true)
      // Amid a restore there is no ledger.
      try await schema.run("ALTER TABLE order_ledger RENAME TO away")
      await #expect(throws: LedgerFailure.self) { _ = try await claim(6) }
      try await schema.run("ALTER TABLE away RENAME TO order_ledger")
      try await schema.restore()
      #expect(await refusesAll())
    }
  }

  @Test("once a restore is begun nobody works until it is accepted, though the tables keep their numbers")
  func begun() async throws {
    try await withSchema { _, one, other in
      let restore = LedgerRestore(other)
      await #expect(throws: LedgerFailure.self) { _ = try await restore.accept() }
      #expect(try await Migrator(one).refusal() == nil)
      try await restore.begin()
      #expect(await isRefused { () throws(LedgerFailure) in try await Migrator(one).check() })
      #expect(
        await isRefused { () throws(LedgerFailure) in
          _ = try await PostgresLedger(one).claim([request(1)], leaseSeconds: 60)
        })
      // Cut off here, it is begun once more.
      try await restore.begin()
      _ = try await restore.accept()
      #expect(try await PostgresLedger(one).claim([request(1)], leaseSeconds: 60).first?.isInDoubt == true)
      #expect(try await restore.end())
      #expect(try await restore.isOpen() == false)
    }
  }

  @Test("a table with the same number in another cluster is another ledger; who must not ask goes by the number alone")
  func cluster() async throws {
    try await withSchema { schema, one, _ in
      let role = "r_\(schema.name)"
      // An ordinary role may ask, and is told the same. All of it is rolled back.
      let known = try await one.run(PostgresStatement("SELECT cluster FROM ledger_origin WHERE cluster <> 0"))
      let cluster = try #require(known.int(0, 0))
      for (act, answer) in [("", cluster), ("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;", 0)] {
        let told = await #expect(throws: PostgresFailure.self) {
          try await schema.run(
            """
            DO $$ BEGIN
              CREATE ROLE \(role); GRANT USAGE ON SCHEMA \(schema.name) TO \(role); \(act)
              SET LOCAL ROLE \(role); RAISE 'cluster %', ledger_cluster();
            END $$
            """)
        }
        #expect("\(try #require(told))".contains("cluster \(answer)"))
      }
      try await schema.run("UPDATE ledger_origin SET cluster = cluster + 1")
      #expect(await isRefused { () throws(LedgerFailure) in try await Migrator(one).check() })
      try await schema.run("UPDATE ledger_origin SET cluster = 0")
      #expect(await isRefused { () throws(LedgerFailure) in try await Migrator(one).check() })
      // As an older program accepts it.
      try await schema.run("UPDATE ledger_origin SET cluster = NULL")
      try await Migrator(one).check()
    }
  }

  @Test("what else is broken is no sentence of the restore, and no leave to work")
  func otherwise() async throws {
    try await withSchema { schema, one, _ in
      try await schema.run("ALTER TABLE ledger_restores RENAME TO away")
      await #expect(throws: LedgerFailure.self) { _ = try await LedgerRestore(one).refusal() }
      await #expect(throws: LedgerFailure.self) { _ = try await Migrator(one).refusal() }
    }
  }

  @Test("who leads, and who would, is refused with the next renewal or election, and nothing that it writes counts")
  func led() async throws {
    try await withSchema { schema, one, other in
      let (leader, next) = (PostgresPollLedger(one), PostgresPollLedger(other))
      #expect(try await leader.lead())
      #expect(try await next.lead() == false)
      try await schema.restore()
      for poller in [leader, next, leader] {
        #expect(await isRefused { () throws(LedgerFailure) in _ = try await poller.lead() })
      }
      #expect(try await leader.advance(.orders, from: nil, to: BeijingTime(epochSeconds: 1)) == false)
      // Nobody who is refused keeps the lock.
      _ = try await LedgerRestore(other).acceptAll()
      #expect(try await next.lead())
      // Whether it may is not known, which is no yes.
      try await schema.run("ALTER TABLE ledger_origin RENAME TO away")
      await #expect(throws: LedgerFailure.self) { _ = try await next.lead() }
      await #expect(throws: LedgerFailure.self) { _ = try await leader.lead() }
      await next.resign()
      await leader.resign()
    }
  }

  @Test("a removal that is told after the restore began may be of bills that nobody knows, each time that it comes")
  func removed() async throws {
    try await withSchema { schema, one, other in
      let remove = { (order: Int64, revision: Int64) async throws -> Bool in
        let request = RemovalRequest(OrderID(rawValue: order), revision: revision, cancels: order == 3)
        return try await PostgresLedger(one).remove([request], leaseSeconds: 60).first?.mayBeUnknown == true
      }
      for order in Int64(1)...2 { #expect(try await remove(order, 2) == false) }
      try await schema.restore()
      _ = try await LedgerRestore(other).acceptAll()
      #expect(try await remove(1, 2) == false)
      // Back in OKKI, and removed once more.
      #expect(try await remove(2, 4))
      for _ in 0..<2 { #expect(try await remove(3, 1)) }
      // Run again, the command does not forget them.
      _ = try await LedgerRestore(other).acceptAll()
      #expect(try await remove(3, 1))
      #expect(try await LedgerRestore(other).end())
      #expect(try await remove(3, 1) == false)
      #expect(try await remove(4, 1) == false)
    }
  }

  @Test("a ledger is not accepted while a poller leads")
  func polled() async throws {
    try await withSchema { _, one, other in
      let poller = PostgresPollLedger(other)
      #expect(try await poller.lead())
      let restore = LedgerRestore(one)
      await #expect(throws: LedgerFailure.self) { try await restore.refuseWhilePolled() }
      await #expect(throws: LedgerFailure.self) { try await restore.begin() }
      #expect(try await Migrator(one).refusal() == nil)
      await poller.resign()
      try await restore.begin()
      await #expect(throws: LedgerFailure.self) { _ = try await poller.lead() }
      _ = try await restore.accept()
    }
  }
}
