import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

@Suite("The migrator", .timeLimit(.minutes(3)))
struct MigratorTests {
  private func withEmptySchema(
    _ body: (FreshSchema, LedgerDatabase, LedgerDatabase) async throws -> Void
  ) async throws {
    let schema = try FreshSchema()
    let (one, other) = (try schema.database(), try schema.database())
    let result: Result<Void, any Error>
    do { result = .success(try await body(schema, one, other)) } catch { result = .failure(error) }
    await one.close()
    await other.close()
    try await schema.drop()
    try result.get()
  }

  private func failure(_ body: () async throws(LedgerFailure) -> Void) async -> LedgerFailure? {
    do throws(LedgerFailure) { try await body() } catch { return error }
    return nil
  }

  @Test("applies every step once, and nothing the second time")
  func repeatable() async throws {
    try await withEmptySchema { _, one, _ in
      let migrator = Migrator(one)
      #expect(try await migrator.migrate() == migrations.map { "\($0.version) (\($0.name))" })
      #expect(try await migrator.migrate().isEmpty)
      try await migrator.check()
    }
  }

  @Test("two at once share the work")
  func twoAtOnce() async throws {
    try await withEmptySchema { _, one, other in
      async let left = Migrator(one).migrate()
      async let right = Migrator(other).migrate()
      let applied = try await left.count + right.count
      #expect(applied == migrations.count)
    }
  }

  /// Calls `body` while another session holds the migrations' lock; `release` ends that session.
  private func whileAnotherMigrates(
    _ body: (_ schema: FreshSchema, _ release: @escaping @Sendable () async -> Void) async throws -> Void
  ) async throws {
    try await withEmptySchema { schema, _, _ in
      let holder = schema.client()
      let session = try await holder.session()
      _ = try await session.run(
        PostgresStatement(
          "SELECT pg_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.migration), .text(schema.name)))
      try await body(schema) { await session.close() }
      await session.close()
      await holder.close()
    }
  }

  @Test("waits for another migration longer than for any other lock, and then goes on")
  func waitsForAnother() async throws {
    try await whileAnotherMigrates { schema, release in
      // The lock is free once the server has seen the session end, which may take it a while.
      let waiting = try schema.database(lockTimeoutMilliseconds: 1_000)
      #expect(try await Migrator(waiting, onWait: release).migrate().count == migrations.count)
      await waiting.close()
    }
  }

  @Test("gives up when another migration does not end within six lock timeouts")
  func givesUp() async throws {
    try await whileAnotherMigrates { schema, _ in
      let waits = Probe<Void>()
      let waiting = try schema.database(lockTimeoutMilliseconds: 1)
      let refusal = await failure { () throws(LedgerFailure) in
        _ = try await Migrator(waiting, onWait: { waits.report(()) }).migrate()
      }
      await waiting.close()
      guard case .unavailable? = refusal else {
        Issue.record("another migration that does not end gave \(String(describing: refusal))")
        return
      }
      #expect(waits.events.count == 5)
    }
  }

  @Test("refuses a database that is newer than the program")
  func newer() async throws {
    try await withEmptySchema { schema, one, _ in
      _ = try await Migrator(one).migrate()
      let client = schema.client()
      _ = try await client.run(PostgresStatement("INSERT INTO schema_versions (version, name) VALUES (900, 'later')"))
      await client.close()
      for refusal in [
        await failure { () throws(LedgerFailure) in _ = try await Migrator(one).migrate() },
        await failure { () throws(LedgerFailure) in try await Migrator(one).check() },
      ] {
        guard case .broken(let sentence)? = refusal else {
          Issue.record("a newer database was not refused: \(String(describing: refusal))")
          continue
        }
        #expect(sentence.contains("900"))
      }
    }
  }

  /// Steps after those of this program.
  private func later(oldest: Int?) throws -> [Migration] {
    let last = try #require(migrations.last).version
    return migrations + [
      Migration(version: last + 1, name: "next", statements: ["CREATE TABLE newer (a int)"], oldest: last),
      Migration(version: last + 2, name: "after next", statements: [], oldest: oldest),
    ]
  }

  @Test("a newer schema whose steps let this program work is fit for it, and stays as it is")
  func newerAndFit() async throws {
    try await withEmptySchema { schema, one, other in
      let last = try #require(migrations.last).version
      let newer = Migrator(one, steps: try later(oldest: last))
      #expect(try await newer.migrate().count == migrations.count + 2)
      let older = Migrator(other)
      try await older.check()
      #expect(try await older.newerVersion() == last + 2)
      #expect(try await older.migrate().isEmpty)
      // What this program does works beside it.
      #expect(try await PostgresLedger(other).claim([claimed], leaseSeconds: 60).first?.isNew == true)
      #expect(try await newer.migrate().isEmpty)
      #expect(try await newer.newerVersion() == nil)
    }
  }

  private var claimed: ClaimRequest {
    ClaimRequest(BillID(OrderID(rawValue: 1), stream: "SO"), revision: 1, object: "SO", billNumber: "1", payloadHash: 1)
  }

  @Test("a newer schema with one step that does not let this program work is refused by check and by migrate")
  func newerAndUnfit() async throws {
    try await withEmptySchema { _, one, other in
      _ = try await Migrator(one, steps: try later(oldest: nil)).migrate()
      for refusal in [
        await failure { () throws(LedgerFailure) in _ = try await Migrator(other).migrate() },
        await failure { () throws(LedgerFailure) in try await Migrator(other).check() },
        try await Migrator(other).refusal(),
      ] {
        guard case .broken(let sentence)? = refusal else {
          Issue.record("a newer database was not refused: \(String(describing: refusal))")
          continue
        }
        #expect(sentence.contains("newer than this program"))
      }
    }
  }

  @Test(
    "a schema that programs made before steps told what they let work is migrated, and unknown steps without it are refused"
  )
  func before() async throws {
    try await withEmptySchema { schema, one, _ in
      _ = try await Migrator(one, steps: Array(migrations.prefix(19))).migrate()
      try await schema.run("ALTER TABLE schema_versions DROP COLUMN oldest")
      // A program of then could ask it.
      #expect(try await Migrator(one, steps: Array(migrations.prefix(19))).newerVersion() == nil)
      #expect(await failure { () throws(LedgerFailure) in try await Migrator(one).check() } != nil)
      #expect(try await Migrator(one).migrate() == migrations.dropFirst(19).map { "\($0.version) (\($0.name))" })
      try await Migrator(one).check()
      // The first steps that tell it let the last program that did not know them work.
      #expect(try await Migrator(one, steps: Array(migrations.prefix(19))).migrate().isEmpty)
    }
  }

  @Test("a step that fails leaves nothing of itself behind")
  func failingStep() async throws {
    try await withEmptySchema { schema, one, _ in
      let bad = Migration(version: 1, name: "bad", statements: ["CREATE TABLE half (a int)", "SELECT no_such_thing"])
      let refusal = await failure { () throws(LedgerFailure) in _ = try await Migrator(one, steps: [bad]).migrate() }
      guard case .broken? = refusal else {
        Issue.record("a failing step ended as \(String(describing: refusal))")
        return
      }
      let client = schema.client()
      let left = try await client.run(PostgresStatement("SELECT to_regclass('half')::text"))
      #expect(left[0, 0] == nil)
      await client.close()
      #expect(try await Migrator(one).migrate().count == migrations.count)
    }
  }

  @Test("a missing schema is told with its remedy, by the check and by the ledger")
  func missing() async throws {
    try await withEmptySchema { _, one, _ in
      for refusal in [
        await failure { () throws(LedgerFailure) in try await Migrator(one).check() },
        await failure { () throws(LedgerFailure) in _ = try await PostgresLedger(one).counts() },
      ] {
        guard case .broken(let sentence)? = refusal else {
          Issue.record("a missing schema ended as \(String(describing: refusal))")
          continue
        }
        #expect(sentence.contains("ferry migrate"))
      }
    }
  }

  @Test("an old schema is told with its remedy")
  func old() async throws {
    try await withEmptySchema { _, one, _ in
      _ = try await Migrator(one).migrate()
      let next = Migration(version: try #require(migrations.last).version + 1, name: "next", statements: ["SELECT 1"])
      let refusal = await failure { () throws(LedgerFailure) in
        try await Migrator(one, steps: migrations + [next]).check()
      }
      guard case .broken(let sentence)? = refusal else {
        Issue.record("an old schema ended as \(String(describing: refusal))")
        return
      }
      #expect(sentence.contains("ferry migrate"))
      #expect(try await Migrator(one, steps: migrations + [next]).migrate() == ["\(next.version) (next)"])
    }
  }

  @Test("steps are numbered from 1, rising")
  func numbering() {
    let versions = migrations.map(\.version)
    #expect(versions.first == 1)
    #expect(zip(versions, versions.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test("a schema's name with anything but a-z 0-9 _ is refused", arguments: ["", "A", "a-b", "1a", "a\"b", "ä"])
  func names(_ name: String) {
    var options = LedgerOptions(url: "postgresql://localhost/x")
    options.schema = name
    #expect(throws: LedgerFailure.self) { try LedgerDatabase(options) }
  }
}
