public import Pipeline
import PostgreSQL

/// Where the ledger is and how it is reached.
public struct LedgerOptions: Sendable {
  /// A `postgresql://` address with user, password, database and `sslmode`.
  public var url: String
  /// PEM bundle of the authorities that the server's certificate is held against, where `sslmode` says so; nil: the system's
  /// for `verify-full`, and none for `verify-ca`, which then cannot be used.
  public var certificateAuthorityFile: String?
  /// The schema that holds all tables: a lower-case letter or `_`, then at most 62 of `a-z 0-9 _`.
  public var schema = "ferry"
  /// Connections for statements, 1...16, each with a thread of its own. The poller's election takes one more.
  public var connections = 2
  /// Longest wait for a lock in milliseconds, 1 or more.
  public var lockTimeoutMilliseconds = 10_000
  /// Longest wait for an answer, and for a connection, in milliseconds, 1 or more.
  public var callTimeoutMilliseconds = 40_000
  /// Told of each connection with TLS when the server's certificate ends, in seconds since 1970 UTC. Must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?
  /// Shown in `pg_stat_activity`.
  public var applicationName = "ferry"

  /// Options with the defaults above.
  public init(url: String) { self.url = url }

  /// The hosts that are connected to by the address, or by libpq's variables, and the `sslmode`; nil where the address cannot
  /// be used.
  public var route: (hosts: [String], sslMode: String)? {
    var options = PostgresOptions(url: url)
    options.certificateAuthorityFile = certificateAuthorityFile
    return options.route
  }
}

/// The connections to PostgreSQL that the ledger, the poller's memory and the collections share.
public final class LedgerDatabase: Sendable {
  /// The schema that holds the tables.
  public let schema: String
  let client: PostgresClient
  private let options: PostgresOptions

  /// Statements here are short and always the same. The planner's guess of what a lookup costs is so high that the server
  /// would compile it to machine code each time, which takes 10 to 300 ms; and planning it anew takes longer than the lookup.
  /// A plan that was made while a table was empty or short would go on reading all of it while it grows, until PostgreSQL
  /// happens to count its rows anew: rows are found by their indexes from the first one on.
  private static let settings = ["jit": "off", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"]

  /// Makes the database; connections are opened when they are first needed.
  /// - Throws: `.broken` when an option is out of its range, or no connection can ever be made by the address.
  public init(_ options: LedgerOptions) throws(LedgerFailure) {
    guard Self.isSchemaName(options.schema) else {
      throw .broken("the schema's name must be 1 to 63 of a-z 0-9 _, not beginning with a digit")
    }
    guard (1...16).contains(options.connections) else {
      throw .broken("the ledger takes 1 to 16 connections, not \(options.connections)")
    }
    schema = options.schema
    var postgres = PostgresOptions(url: options.url)
    postgres.certificateAuthorityFile = options.certificateAuthorityFile
    postgres.onCertificate = options.onCertificate
    postgres.applicationName = options.applicationName
    postgres.searchPath = options.schema
    postgres.connections = options.connections
    postgres.callTimeoutMilliseconds = options.callTimeoutMilliseconds
    postgres.statementTimeoutMilliseconds = min(30_000, options.callTimeoutMilliseconds)
    postgres.connectTimeoutSeconds = min(5, max(1, options.callTimeoutMilliseconds / 1000))
    postgres.lockTimeoutMilliseconds = min(options.lockTimeoutMilliseconds, options.callTimeoutMilliseconds)
    postgres.settings = Self.settings
    if let flaw = postgres.flaw { throw .broken("PostgreSQL's address cannot be used: \(flaw)") }
    self.options = postgres
    client = PostgresClient(postgres)
  }

  /// A connection whose statements may take as long as they need, for work on whole tables.
  func patientSession() async throws(PostgresFailure) -> PostgresSession {
    var patient = options
    patient.statementTimeoutMilliseconds = 0
    patient.callTimeoutMilliseconds = 86_400_000
    return try await PostgresClient(patient).session()
  }

  /// How many of its connections were made anew after one was lost.
  public var reconnects: Int { client.reconnects }

  /// Closes all connections; statements that wait end as `.unavailable`.
  public func close() async { await client.close() }

  private static func isSchemaName(_ name: String) -> Bool {
    guard (1...63).contains(name.utf8.count), let first = name.utf8.first else { return false }
    let isLetter = { (byte: UInt8) in (0x61...0x7a).contains(byte) || byte == 0x5f }
    return isLetter(first) && name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
  }

  /// How often a statement that lost a race is tried in all.
  static let tries = 4

  /// Runs a statement that is a transaction of its own, again when it lost a race against another one.
  func run(_ statement: PostgresStatement) async throws(LedgerFailure) -> PostgresRows {
    var left = Self.tries
    while true {
      left -= 1
      do throws(PostgresFailure) { return try await client.run(statement) } catch {
        guard left > 0, Self.lostRace(error) else { throw LedgerFailure(error, schema: schema) }
      }
    }
  }

  /// Runs statements as one transaction, again when it lost a race against another one.
  func transaction(_ statements: [PostgresStatement]) async throws(LedgerFailure) -> [PostgresRows] {
    do throws(PostgresFailure) { return try await attempt(statements) } catch {
      throw LedgerFailure(error, schema: schema)
    }
  }

  /// The same, for who has to know what PostgreSQL said.
  /// - Parameter tries: at least 1.
  func attempt(
    _ statements: [PostgresStatement], tries: Int = LedgerDatabase.tries
  ) async throws(PostgresFailure) -> [PostgresRows] {
    var left = tries
    while true {
      left -= 1
      do throws(PostgresFailure) { return try await client.transaction(statements) } catch {
        guard left > 0, Self.lostRace(error) else { throw error }
      }
    }
  }

  /// Serialization failure, deadlock, or two orders that took the same external key at the same moment: the statement
  /// provably did nothing, and does something else when it sees what the other one wrote.
  static func lostRace(_ failure: PostgresFailure) -> Bool {
    guard case .refused(let state, _) = failure else { return false }
    return ["40001", "40P01", "23505"].contains(state)
  }
}

extension LedgerFailure {
  /// What a failure of PostgreSQL means to the flow.
  init(_ failure: PostgresFailure, schema: String) {
    switch failure {
    case .unreachable(let text): self = .unavailable("PostgreSQL cannot be reached: \(text)")
    case .lost(let text): self = .unavailable("PostgreSQL was lost during a statement: \(text)")
    case .timedOut: self = .unavailable("PostgreSQL did not answer in time")
    case .closed: self = .unavailable("the ledger's connections are closed")
    case .invalid(let text): self = .broken("PostgreSQL driver: \(text)")
    case .refused(let state, let message):
      if failure.isTransient || state.hasPrefix("53") || state.hasPrefix("57") || state.hasPrefix("58") {
        self = .unavailable("PostgreSQL: \(message) (\(state))")
      } else if ["42P01", "42703", "42883", "3F000"].contains(state) {
        self = .broken("the ledger's tables are missing or too old in schema \(schema): run `ferry migrate`")
      } else {
        self = .broken("PostgreSQL refused a statement of the ledger: \(message) (\(state))")
      }
    }
  }
}
