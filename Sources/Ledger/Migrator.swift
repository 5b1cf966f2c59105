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
  /// A schema with newer steps is left as it is.
  /// - Throws: `.broken` when this program may not work beside those, or this user may not change the database;
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
      refusal = self.refusal(of: present)
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

  /// Makes sure of schema and list of steps.
  private func prepare(_ session: PostgresSession) async throws(PostgresFailure) -> Present {
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
    let columns = try await session.run(
      PostgresStatement(
        "SELECT 1 FROM pg_attribute WHERE attrelid = 'schema_versions'::regclass AND attname = 'oldest'"))
    if columns.count == 0 {
      _ = try await session.run(PostgresStatement("ALTER TABLE schema_versions ADD COLUMN oldest integer"))
      _ = try await session.run(
        PostgresStatement(
          "COMMENT ON COLUMN schema_versions.oldest IS 'programs that know all steps up to this one may work beside it'"
        ))
    }
    return Present(try await session.run(presentStatement))
  }

  private func apply(_ session: PostgresSession, after found: Present) async throws(PostgresFailure) -> [String] {
    // A newer program's steps have seen to what older ones leave.
    if found.version > needed { return [] }
    let present = found.version
    var applied: [String] = []
    for step in steps where step.version > present {
      let statements = step.statements.map { PostgresStatement($0) }
      let record = PostgresStatement(
        "INSERT INTO schema_versions (version, name, oldest) VALUES ($1::int, $2::text, $3::int)",
        .int(Int64(step.version)), .text(step.name), .int(Int64(step.oldest ?? step.version)))
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

  /// Whether this program may work on the schema: it has all steps that this program knows, newer ones allow it, and the
  /// ledger was not restored without anybody saying so.
  /// - Throws: `.broken` with the remedy when it may not; `.unavailable` when nobody can tell.
  public func check() async throws(LedgerFailure) {
    if let refusal = try await refusal() { throw refusal }
  }

  /// What no waiting mends for a program that is started: a schema that is too new for it, or a ledger that was restored.
  /// - Returns: nil when the schema is fit for this program.
  /// - Throws: `.broken` with the remedy when the schema is missing or older; `.unavailable` when nobody can tell.
  public func refusal() async throws(LedgerFailure) -> LedgerFailure? {
    let present = try await present()
    if let older = older(present) { throw older }
    if let refusal = refusal(of: present) { return refusal }
    return try await LedgerRestore(database).refusal()
  }

  /// The schema's version where it has steps that this program does not know; nil where it has none.
  public func newerVersion() async throws(LedgerFailure) -> Int? {
    let version = try await present().version
    return version > needed ? version : nil
  }

  /// Whether every step that this program knows is done; a newer schema is none of its business.
  /// - Throws: `.broken` with the remedy when it is missing or older; `.unavailable` when nobody can tell.
  func checkDone() async throws(LedgerFailure) {
    if let older = older(try await present()) { throw older }
  }

  /// The newest step that this program knows.
  public var needed: Int { steps.last?.version ?? 0 }

  /// What steps there are.
  private struct Present {
    /// The newest step; 0: none.
    let version: Int
    /// What a program must know to work beside all steps that this one does not know; 0: there are none.
    let oldest: Int

    init(_ rows: PostgresRows) {
      version = Int(rows.int(0, 0) ?? 0)
      oldest = Int(rows.int(0, 1) ?? 0)
    }
  }

  private func present() async throws(LedgerFailure) -> Present { Present(try await database.run(presentStatement)) }

  /// Older programs made the table without the column.
  private var presentStatement: PostgresStatement {
    PostgresStatement(
      """
      SELECT coalesce(max(version), 0),
        coalesce(max(coalesce((to_jsonb(step) ->> 'oldest')::int, version)) FILTER (WHERE version > $1::int), 0)
      FROM schema_versions step
      """, .int(Int64(needed)))
  }

  private func older(_ present: Present) -> LedgerFailure? {
    guard present.version < needed else { return nil }
    return .broken(
      "schema \(database.schema) is at version \(present.version), this program needs \(needed): run `ferry migrate`")
  }

  private func refusal(of present: Present) -> LedgerFailure? {
    guard present.version > needed, present.oldest > needed else { return nil }
    return .broken(
      "schema \(database.schema) is at version \(present.version), newer than this program, which knows \(needed): "
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
