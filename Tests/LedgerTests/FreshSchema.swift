import Orders
import Pipeline
import PipelineTesting
import PostgreSQL

@testable import Ledger

/// A schema of one test's own, migrated, and removed at the end.
struct FreshSchema {
  let name = "test_" + TestServers.freshWord()
  let url: String

  init() throws { url = try TestServers.postgres() }

  func database(connections: Int = 2, lockTimeoutMilliseconds: Int = 10_000) throws -> LedgerDatabase {
    var options = LedgerOptions(url: url)
    options.schema = name
    options.connections = connections
    options.lockTimeoutMilliseconds = lockTimeoutMilliseconds
    options.applicationName = name
    return try LedgerDatabase(options)
  }

  /// A connection that looks at the schema from outside.
  func client() -> PostgresClient {
    var options = PostgresOptions(url: url)
    options.searchPath = name
    options.connections = 1
    return PostgresClient(options)
  }

  /// Ends the connection that holds the poller's lock; its owner hears of it when it asks next.
  func endLeadership() async throws {
    let client = client()
    _ = try await client.run(
      PostgresStatement(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid "
          + "AND objid = (hashtext($2::text)::bigint & 4294967295)::oid AND granted",
        .int(AdvisoryLock.poller), .text(name)))
    await client.close()
  }

  func drop() async throws { try await run("DROP SCHEMA IF EXISTS \"\(name)\" CASCADE") }

  /// Runs a statement from outside.
  func run(_ statement: String) async throws {
    let client = client()
    _ = try await client.run(PostgresStatement(statement))
    await client.close()
  }
}

/// Runs a test in a schema of its own, with two databases as two processes would have them.
func withSchema(
  _ body: (FreshSchema, _ one: LedgerDatabase, _ other: LedgerDatabase) async throws -> Void
) async throws {
  let schema = try FreshSchema()
  let (one, other) = (try schema.database(), try schema.database())
  let result: Result<Void, any Error>
  do {
    _ = try await Migrator(one).migrate()
    result = .success(try await body(schema, one, other))
  } catch {
    result = .failure(error)
  }
  await one.close()
  await other.close()
  try await schema.drop()
  try result.get()
}
