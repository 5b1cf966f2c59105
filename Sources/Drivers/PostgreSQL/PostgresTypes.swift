/// One parameter of a statement.
///
/// Everything but bytes travels as text, so the server decides the type from the statement (`$1::int`, a column);
/// `bytes` and `bytesArray` travel as binary `bytea` and `bytea[]`.
public enum PostgresValue: Sendable, Hashable {
  /// NULL.
  case null
  /// A whole number.
  case int(Int64)
  /// Text; must not hold a NUL character.
  case text(String)
  /// A truth value.
  case bool(Bool)
  /// A `bytea`.
  case bytes([UInt8])
  /// An array of whole numbers, for a parameter of the type `bigint[]` and no other: it goes in binary.
  case intArray([Int64])
  /// An array of text, also of anything that can be written as text (`$1::uuid[]`); nil is NULL.
  case textArray([String?])
  /// A `bytea[]`.
  case bytesArray([[UInt8]])
  /// An array of truth values, for a parameter of the type `boolean[]`: it goes in binary.
  case boolArray([Bool])
}

/// One SQL statement with its parameters `$1`, `$2`, ...
///
/// It is prepared once per connection, by its text: keep the text constant and put what varies into parameters.
public struct PostgresStatement: Sendable, Hashable {
  /// The text: one statement.
  public var sql: String
  /// The parameters, `$1` first.
  public var parameters: [PostgresValue]

  /// Makes a statement.
  public init(_ sql: String, _ parameters: PostgresValue...) {
    self.init(sql, parameters: parameters)
  }

  /// Makes a statement.
  public init(_ sql: String, parameters: [PostgresValue]) {
    self.sql = sql
    self.parameters = parameters
  }
}

/// Why a call failed. No case holds the password, DETAIL or HINT.
public enum PostgresFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// No connection could be made; nothing was done.
  case unreachable(String)
  /// The connection broke, or no answer came in time, after the statement was sent: whether it took effect is unknown.
  case lost(String)
  /// The server cancelled the statement (statement timeout), or the call waited too long for a connection. Nothing
  /// was done.
  case timedOut
  /// The server refused, with its five-character code and primary message. Nothing was done.
  case refused(sqlState: String, message: String)
  /// The call itself is wrong. Nothing was done.
  case invalid(String)
  /// The client or session is closed, or the session's connection is gone. Nothing was done.
  case closed

  /// Whether the same call may well succeed later. After `.lost` it may also have succeeded already.
  public var isTransient: Bool {
    switch self {
    case .unreachable, .lost, .timedOut: true
    case .invalid, .closed: false
    case .refused("08P01", _): false  // A protocol violation, such as a wrong number of parameters, stays one.
    case .refused(let state, _):
      state.hasPrefix("08") || state.hasPrefix("57P0") || ["53300", "40001", "40P01", "55P03"].contains(state)
    }
  }

  /// The failure in words.
  public var description: String {
    switch self {
    case .unreachable(let text): "PostgreSQL cannot be reached: \(text)"
    case .lost(let text): "the connection to PostgreSQL was lost, the outcome is unknown: \(text)"
    case .timedOut: "PostgreSQL did not finish the statement in time; nothing was done"
    case .refused(let state, let message): "PostgreSQL refused: \(state) \(message)"
    case .invalid(let text): "invalid use of PostgreSQL: \(text)"
    case .closed: "the PostgreSQL client or session is closed"
    }
  }
}

/// How a `PostgresClient` works.
public struct PostgresOptions: Sendable {
  /// A `postgresql://` URI as libpq takes it; TLS as its `sslmode` says, 1.2 or newer.
  public var url: String
  /// A PEM bundle of the authorities that `verify-ca` and `verify-full` ask, unless the URL names its own (`sslrootcert`);
  /// nil: the system's for `verify-full`, and none for `verify-ca`, which then cannot be used.
  public var certificateAuthorityFile: String?
  /// Shown in `pg_stat_activity`.
  public var applicationName = "ferry"
  /// Bound for one attempt to connect, all hosts of the URL together. Name resolution has the resolver's own bound.
  public var connectTimeoutSeconds = 5
  /// The server cancels a statement after this; 0: never.
  public var statementTimeoutMilliseconds = 30_000
  /// The server cancels a statement that waits for a lock this long; 0: never.
  public var lockTimeoutMilliseconds = 10_000
  /// No answer for this long ends a call as `.lost` and drops the connection.
  public var callTimeoutMilliseconds = 40_000
  /// The schemas to search, as in `SET search_path`; nil: the role's own.
  public var searchPath: String?
  /// Further settings of every connection, by their names, such as `jit`.
  public var settings: [String: String] = [:]
  /// Connections, and statements at once; 1 ... 100.
  public var connections = 2
  /// Told of each connection with TLS when the server's certificate ends, in seconds since 1970 UTC. Called on the connection's
  /// thread, so it must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?

  /// The defaults for a server.
  public init(url: String) { self.url = url }

  /// The hosts that are connected to by the URL, or by the environment as libpq reads it, and the `sslmode`; nil where the
  /// options cannot be used.
  public var route: (hosts: [String], sslMode: String)? {
    let target = ConnectionTarget(self)
    return target.defect == nil ? (target.hosts, target.sslMode) : nil
  }

  /// Why no connection can ever be made with these options, a sentence without the password; nil where one can.
  public var flaw: String? {
    if case .invalid(let text)? = ConnectionTarget(self).defect { text } else { nil }
  }

  /// Why the options cannot be used, or nil.
  var defect: String? {
    guard url.hasPrefix("postgresql://") || url.hasPrefix("postgres://") else { return "the URL is not postgresql://" }
    guard 1...100 ~= connections else { return "connections must be 1 to 100" }
    guard 1...3_600 ~= connectTimeoutSeconds else { return "connectTimeoutSeconds must be 1 to 3600" }
    guard 0...86_400_000 ~= statementTimeoutMilliseconds, 0...86_400_000 ~= lockTimeoutMilliseconds,
      1...86_400_000 ~= callTimeoutMilliseconds
    else { return "a timeout is out of range" }
    let further = settings.flatMap { [$0.key, $0.value] }
    guard !([url, applicationName, searchPath ?? ""] + further).contains(where: { $0.utf8.contains(0) }) else {
      return "an option holds a NUL character"
    }
    return nil
  }
}
