import Foundation
import PostgreSQL
import Testing

/// One test after the other: together they would take more connections than a server gives.
@Suite("PostgreSQL driver", .serialized, .timeLimit(.minutes(1)))
enum PostgreSQLTests {}

struct NoServer: Error, CustomStringConvertible {
  let description = "FERRY_TEST_POSTGRES_URL is not set: run deploy/test, which starts the servers"
}

/// The test server's URL.
func serverURL() throws -> String {
  guard let url = ProcessInfo.processInfo.environment["FERRY_TEST_POSTGRES_URL"] else { throw NoServer() }
  return url
}

/// The server's URL with something changed.
func serverURL(_ change: (inout URLComponents) -> Void) throws -> String {
  var parts = try #require(URLComponents(string: serverURL()))
  change(&parts)
  return try #require(parts.string)
}

/// Runs a test with a client whose statements work in a schema of the test's own, and removes both.
func withClient(
  url: String? = nil, _ change: (inout PostgresOptions) -> Void = { _ in },
  _ body: (PostgresClient, PostgresOptions) async throws -> Void
) async throws {
  let schema = "ferry_test_\(UInt64.random(in: 0...UInt64.max))"
  let admin = PostgresClient(PostgresOptions(url: try serverURL()))
  var options = PostgresOptions(url: try url ?? serverURL())
  options.searchPath = schema
  change(&options)
  let client = PostgresClient(options)
  var problem: (any Error)?
  do {
    try await admin.script("create schema \(schema)")
    try await body(client, options)
  } catch {
    problem = error
  }
  await client.close(graceMilliseconds: 0)
  try await admin.script("drop schema if exists \(schema) cascade")
  await admin.close()
  if let problem { throw problem }
}

/// What a call failed with; nil when it did not fail.
func failure(_ body: () async throws -> Void) async -> PostgresFailure? {
  do {
    try await body()
  } catch let error as PostgresFailure {
    return error
  } catch {
    Issue.record(error)
  }
  return nil
}

extension PostgresFailure {
  var sqlState: String? { if case .refused(let state, _) = self { state } else { nil } }
  var isLost: Bool { if case .lost = self { true } else { false } }
  var isUnreachable: Bool { if case .unreachable = self { true } else { false } }
  var isInvalid: Bool { if case .invalid = self { true } else { false } }
}

extension PostgresClient {
  func number(_ sql: String, _ parameters: PostgresValue...) async throws(PostgresFailure) -> Int64? {
    try await run(PostgresStatement(sql, parameters: parameters)).int(0, 0)
  }

  /// Asks until so many backends wait for the advisory lock.
  func untilWaiting(for key: Int64, _ count: Int64) async throws {
    let sql = "select count(*) from pg_locks where locktype = 'advisory' and objid = $1::int8::oid and not granted"
    while try await number(sql, .int(key)) != count { try Task.checkCancellation() }
  }

  /// Ends a backend and waits until it is gone.
  func terminate(_ pid: Int64) async throws {
    let rows = try await run(PostgresStatement("select pg_terminate_backend($1::int, 10000)", .int(pid)))
    try #require(rows.bool(0, 0) == true)
  }
}

/// A key for an advisory lock that no other test uses.
func lockKey() -> Int64 { Int64.random(in: 1...Int64(Int32.max)) }
