internal import CPostgreSQL

#if canImport(Glibc)
  import Glibc
#endif

/// Where to connect, and what must never appear in an error.
struct ConnectionTarget: Sendable {
  let options: PostgresOptions
  /// Why no connection can ever be made with these options.
  let defect: PostgresFailure?
  private let password: String?
  /// What the URL says, by libpq's keywords, without the password.
  let fields: [String: String]
  /// What libpq takes where the URL says nothing.
  private let environment: @Sendable (String) -> String?

  init(_ options: PostgresOptions, environment: @escaping @Sendable (String) -> String? = Self.environment) {
    self.options = options
    self.environment = environment
    if let defect = options.defect {
      self.defect = .invalid(defect)
      password = nil
      fields = [:]
      return
    }
    var problem: UnsafeMutablePointer<CChar>?
    // SAFETY: libpq's list ends with an entry without a keyword; it is freed below, the strings are copied before.
    guard let list = unsafe PQconninfoParse(options.url, &problem) else {
      // libpq's own text quotes the URL, password included.
      unsafe PQfreemem(problem)
      defect = .invalid("the URL cannot be read")
      password = nil
      fields = [:]
      return
    }
    var fields: [String: String] = [:]
    var entry = unsafe list
    while let keyword = unsafe entry.pointee.keyword {
      if let value = unsafe entry.pointee.val {
        fields[unsafe String(cString: keyword)] = unsafe String(cString: value)
      }
      unsafe entry += 1
    }
    unsafe PQconninfoFree(list)
    password = fields.removeValue(forKey: "password")
    self.fields = fields
    let mode = fields["sslmode"] ?? environment("PGSSLMODE")
    let own = options.certificateAuthorityFile ?? fields["sslrootcert"] ?? environment("PGSSLROOTCERT")
    // With the system's authorities whoever has any public certificate would be believed, under whatever name.
    defect =
      mode == "verify-ca" && own == nil
      ? .invalid(
        "sslmode=verify-ca believes every certificate of the authorities that it is given, under whatever name, and none are "
          + "named: use verify-full, or name the server's own authority (sslrootcert)") : nil
  }

  /// The parameters for PQconnectStartParams, in order: what stands behind `dbname` wins over the URL.
  var parameters: [(keyword: String, value: String)] {
    [
      ("keepalives", "1"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "20000"),
      // Else libpq looks for a Kerberos ticket at each connection, with all of its libraries (a MiB), to encrypt by it.
      ("gssencmode", "disable"), ("dbname", options.url), ("application_name", options.applicationName),
      ("client_encoding", "UTF8"),
    ] + trust
  }

  /// What the URL says of TLS, or the environment as libpq reads it; libpq's own default else.
  var sslMode: String { fields["sslmode"] ?? environment("PGSSLMODE") ?? "prefer" }

  /// The hosts that libpq connects to, one after the other, as far as they are named: an address counts before the name that
  /// its certificate is held against. Without any it takes a socket of this machine.
  var hosts: [String] {
    func list(_ field: String, _ name: String) -> [String] {
      let text = fields[field] ?? environment(name) ?? ""
      return text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    }
    let (names, addresses) = (list("host", "PGHOST"), list("hostaddr", "PGHOSTADDR"))
    return (0..<max(names.count, addresses.count)).compactMap { place in
      let both = [addresses, names].compactMap { $0.indices.contains(place) ? $0[place] : nil }
      return both.first { !$0.isEmpty }
    }
  }

  /// No TLS below 1.2, whatever the URL says. The authorities only where they are asked: with a file of them libpq checks the
  /// certificate in every mode, and in the mode `prefer` it goes on in the clear where it refuses it. The system's only where
  /// the name is checked as well.
  private var trust: [(keyword: String, value: String)] {
    var trust: [(String, String)] = []
    let least = fields["ssl_min_protocol_version"] ?? environment("PGSSLMINPROTOCOLVERSION")
    if least != "TLSv1.3" { trust.append(("ssl_min_protocol_version", "TLSv1.2")) }
    let own = fields["sslrootcert"] ?? environment("PGSSLROOTCERT")
    if own == nil, sslMode.hasPrefix("verify-") {
      let file = options.certificateAuthorityFile ?? (sslMode == "verify-full" ? Self.systemAuthorities : nil)
      if let file { trust.append(("sslrootcert", file)) }
    }
    return trust
  }

  private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  static func environment(_ name: String) -> String? {
    // SAFETY: nobody changes the environment of this program.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// What is set on every new connection.
  var settings: [(name: String, value: String)] {
    [
      ("statement_timeout", "\(options.statementTimeoutMilliseconds)"),
      ("lock_timeout", "\(options.lockTimeoutMilliseconds)"),
      ("idle_in_transaction_session_timeout", "\(options.callTimeoutMilliseconds)"),
      ("TimeZone", "UTC"), ("DateStyle", "ISO"), ("bytea_output", "hex"),
    ] + (options.searchPath.map { [("search_path", $0)] } ?? [])
      + options.settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// What libpq says about a failed attempt. A server's own refusal is found by its SQLSTATE, which verbose texts hold.
  /// - Parameter refusal: why the server's certificate was refused, where it was.
  func failure(connecting text: String, refusal: String? = nil) -> PostgresFailure {
    let lines = text.split(separator: "\n")
    for line in lines {
      // "connection to server at ... failed: FATAL:  28P01: password authentication failed for user ..."
      let parts = line.split(separator: ":  ", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let state = parts[1].prefix(5)
      let isState = state.utf8.count == 5 && state.utf8.allSatisfy { 48...57 ~= $0 || 65...90 ~= $0 }
      guard isState, parts[1].dropFirst(5).hasPrefix(": ") else { continue }
      return .refused(sqlState: String(state), message: shown(String(parts[1].dropFirst(7))))
    }
    let why = refusal.flatMap { text.contains("certificate verify failed") ? ": \($0)" : nil } ?? ""
    return .unreachable(shown(lines.joined(separator: " ")) + why)
  }

  /// The text on one line, bounded, without the password.
  func shown(_ text: String) -> String {
    var text = text
    if let password, !password.isEmpty { text = text.split(separator: password).joined(separator: "***") }
    let scalars = text.unicodeScalars.prefix(500).map { $0.value < 32 || $0.value == 127 ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }
}
