public import Pipeline
import PostgreSQL

/// Brings the ledger's schema to what this program needs.
public struct Migrator: Sendable {
  private let database: LedgerDatabase
  private let steps: [Migration]
  private let onWait: @Sendable () async -> Void

  /// A migrator of a database.
  /// - Parameter onWait: called each time that another migration has been waited for in vain for 10 s.
  public init(_ database: LedgerDatabase, onWait: @escaping @Sendable () async -> Void = {}) {
    self.init(database, steps: migrations, onWait: onWait)
  }

  init(_ database: LedgerDatabase, steps: [Migration], onWait: @escaping @Sendable () async -> Void = {}) {
    self.database = database
    self.steps = steps
    self.onWait = onWait
  }

  /// Applies what is missing, each step in a transaction of its own. Repeatable, and safe when two run at once.
  /// - Returns: the steps applied just now, as `1 (name)`; empty when there was nothing to do.
  /// - Throws: `.broken` when the database is newer than this program, or may not be changed by this user;
  ///   `.unavailable` when it is away or another migration goes on for longer than a minute.
  public func migrate() async throws(LedgerFailure) -> [String] {
    let session: PostgresSession
    do throws(PostgresFailure) { session = try await database.patientSession() } catch {
      throw LedgerFailure(error, schema: database.schema)
    }
    let result: Result<[String], PostgresFailure>
    var refusal: LedgerFailure?
    do throws(PostgresFailure) {
      try await lock(session)
      let present = try await prepare(session)
      refusal = tooNew(present)
      result = .success(refusal == nil ? try await apply(session, after: present) : [])
    } catch {
      result = .failure(error)
    }
    await session.close()
    if let refusal { throw refusal }
    switch result {
    case .success(let applied): return applied
    case .failure(let failure): throw LedgerFailure(failure, schema: database.schema)
    }
  }

  /// Takes the migrations' lock until the session ends.
  ///
  /// Another migration is work, not a fault: it is waited for six times the lock timeout of 10 s, which bounds single
  /// statements.
  private func lock(_ session: PostgresSession) async throws(PostgresFailure) {
    for attempt in 1... {
      do throws(PostgresFailure) {
        _ = try await session.run(
          PostgresStatement(
            "SELECT pg_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.migration),
            .text(database.schema)))
        return
      } catch {
        guard case .refused(sqlState: "55P03", _) = error, attempt < 6 else { throw error }
        await onWait()
      }
    }
  }

  /// Makes sure of schema and list of steps; the newest step's version, 0 when there is none.
  private func prepare(_ session: PostgresSession) async throws(PostgresFailure) -> Int {
    // Not IF NOT EXISTS: it asks for the right to create even when there is nothing to create.
    let schemas = try await session.run(
      PostgresStatement("SELECT 1 FROM pg_namespace WHERE nspname = $1::text", .text(database.schema)))
    if schemas.count == 0 {
      // The name is checked by LedgerDatabase: letters, digits and _.
      _ = try await session.run(PostgresStatement("CREATE SCHEMA \"\(database.schema)\""))
    }
    let tables = try await session.run(PostgresStatement("SELECT to_regclass('schema_versions')::text"))
    if tables[0, 0] == nil {
      _ = try await session.run(
        PostgresStatement(
          """
          CREATE TABLE schema_versions (
            version integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT clock_timestamp())
          """))
    }
    let newest = try await session.run(PostgresStatement("SELECT coalesce(max(version), 0) FROM schema_versions"))
    return Int(newest.int(0, 0) ?? 0)
  }

  private func apply(_ session: PostgresSession, after present: Int) async throws(PostgresFailure) -> [String] {
    var applied: [String] = []
    for step in steps where step.version > present {
      let statements = step.statements.map { PostgresStatement($0) }
      let record = PostgresStatement(
        "INSERT INTO schema_versions (version, name) VALUES ($1::int, $2::text)", .int(Int64(step.version)),
        .text(step.name))
      if let work = step.work {
        _ = try await session.transaction(statements)
        try await work(session)
        _ = try await session.run(record)
      } else {
        _ = try await session.transaction(statements + [record])
      }
      applied.append("\(step.version) (\(step.name))")
    }
    // What an older program did after its step was recorded.
    for step in steps where step.version <= present { try await step.work?(session) }
    return applied
  }

  /// Whether an older program has stored records since the last migration: fields in their objects are not found until the
  /// next one.
  public func hasOlderRecords() async throws(LedgerFailure) -> Bool {
    let rows = try await database.run(
      PostgresStatement("SELECT EXISTS (SELECT FROM collection_records WHERE layout < 2)"))
    return rows.bool(0, 0) == true
  }

  /// Whether the schema is what this program needs.
  /// - Throws: `.broken` with the remedy when it is missing, older or newer; `.unavailable` when nobody can tell.
  public func check() async throws(LedgerFailure) {
    if let refusal = tooNew(try await checkDone()) { throw refusal }
  }

  /// Whether every step that this program knows is done; a newer schema is none of its business.
  /// - Returns: the schema's version.
  /// - Throws: `.broken` with the remedy when it is missing or older; `.unavailable` when nobody can tell.
  @discardableResult func checkDone() async throws(LedgerFailure) -> Int {
    let rows = try await database.run(PostgresStatement("SELECT coalesce(max(version), 0) FROM schema_versions"))
    let present = Int(rows.int(0, 0) ?? 0)
    if present < needed {
      throw .broken(
        "schema \(database.schema) is at version \(present), this program needs \(needed): run `ferry migrate`")
    }
    return present
  }

  private var needed: Int { steps.last?.version ?? 0 }

  private func tooNew(_ present: Int) -> LedgerFailure? {
    guard present > needed else { return nil }
    return .broken(
      "schema \(database.schema) is at version \(present), newer than this program, which knows \(needed): "
        + "run the newer program")
  }
}

/// First halves of the advisory locks' keys; the second is made of the schema's name. Arbitrary, but never changed.
enum AdvisoryLock {
  static let migration: Int64 = 0x0066_6d01
  static let poller: Int64 = 0x0066_6d02
  /// The second half is made of the schema's and the collection's names.
  static let collection: Int64 = 0x0066_6d03
  static let deadLetters: Int64 = 0x0066_6d04
}
