import Digests
public import Pipeline
import PostgreSQL

/// The installation's tokens in PostgreSQL. A token is sealed with a key made of the login that it was got with: who reads the
/// database has no token, and a process with another login does not see it.
public struct PostgresTokenStore: TokenStore {
  private let database: LedgerDatabase
  private let key: [UInt8]
  /// Tells logins apart without telling them.
  private let mark: String
  private let now: (@Sendable () -> Int64)?

  /// A store on a migrated database.
  /// - Parameters:
  ///   - secret: what only the installation and the vendor know: authority code or client secret.
  ///   - now: microseconds since 1970, for tests; nil: the database's clock.
  /// - Throws: `.broken` where the system's cryptography has no SHA-256.
  public init(
    _ database: LedgerDatabase, secret: String, now: (@Sendable () -> Int64)? = nil
  ) throws(LedgerFailure) {
    guard let key = Self.digest("ferry vendor token key", secret),
      let mark = Self.digest("ferry vendor token mark", secret)
    else { throw .broken("the system's cryptography has no SHA-256, which seals tokens") }
    self.database = database
    self.key = key
    self.mark = mark.prefix(8).map { String($0, radix: 16) }.joined(separator: "-")
    self.now = now
  }

  /// A token, as the port says.
  public func token(_ name: String, insteadOf refused: Int64?) async throws(LedgerFailure) -> TokenAnswer {
    var refused = refused ?? 0
    // Twice: a token that cannot be opened counts as refused.
    for _ in 0..<2 {
      let rows = try await database.run(PostgresStatement(Self.lookSQL, moment, .text(row(name))))
      guard rows.count == 1, let generation = rows.int(0, 0), let left = rows.int(0, 2), generation > refused, left > 0
      else { break }
      if let sealed = rows.bytes(0, 1), let text = open(sealed, name, generation) {
        return .token(StoredToken(generation: generation, text: text, seconds: max(left / 1_000_000, 1)))
      }
      refused = generation
    }
    let permits = try await database.run(
      PostgresStatement(Self.permitSQL, moment, .text(row(name)), .int(refused), .int(Self.permitMicros)))
    if permits.count == 1, let permit = permits.int(0, 0) { return .fetch(permit: permit) }
    return .wait(milliseconds: 100)
  }

  /// Keeps a token, as the port says.
  public func keep(
    _ name: String, _ text: String, seconds: Int64, permit: Int64
  ) async throws(LedgerFailure) -> Int64? {
    // The generation is the permit's number: both only grow, and it is known before the token is sealed.
    guard let sealed = AES256GCM.seal(Array(text.utf8), key: key, context: context(name, permit)) else {
      throw .broken("the system's cryptography has no AES-256-GCM, which seals tokens")
    }
    let rows = try await database.run(
      PostgresStatement(
        Self.keepSQL, moment, .text(row(name)), .int(permit), .bytes(sealed), .int(seconds * 1_000_000)))
    return rows.count == 1 ? permit : nil
  }

  /// Gives a permit back, as the port says.
  public func giveUp(_ name: String, permit: Int64) async throws(LedgerFailure) {
    _ = try await database.run(PostgresStatement(Self.giveUpSQL, .text(row(name)), .int(permit)))
  }

  private static let permitMicros: Int64 = 20_000_000

  private var moment: PostgresValue { now.map { .int($0()) } ?? .null }

  private func row(_ name: String) -> String { "\(name) \(mark)" }

  private func context(_ name: String, _ generation: Int64) -> [UInt8] { Array("\(row(name)) \(generation)".utf8) }

  private func open(_ sealed: [UInt8], _ name: String, _ generation: Int64) -> String? {
    AES256GCM.open(sealed, key: key, context: context(name, generation)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func digest(_ label: String, _ secret: String) -> [UInt8]? {
    Digest.sha256.bytes(Array("\(label)\u{0}\(secret)".utf8))
  }

  private static let clock = "coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"

  private static let lookSQL = """
    SELECT generation, secret, renew_at - \(clock) FROM vendor_tokens WHERE name = $2::text
    """

  // One permit at a time; none while there is a token that nobody has refused. A permit for longer than there are is from before
  // the clock was set back.
  private static let permitSQL = """
    INSERT INTO vendor_tokens AS held (name, permit, permit_until) VALUES ($2::text, 1, \(clock) + $4::bigint)
    ON CONFLICT (name) DO UPDATE SET permit = held.permit + 1, permit_until = EXCLUDED.permit_until
    WHERE (held.permit_until <= \(clock) OR held.permit_until > \(clock) + $4::bigint)
      AND (held.generation <= $3::bigint OR held.renew_at <= \(clock))
    RETURNING held.permit
    """

  private static let keepSQL = """
    UPDATE vendor_tokens SET generation = $3::bigint, secret = $4::bytea, renew_at = \(clock) + $5::bigint, permit_until = 0
    WHERE name = $2::text AND permit = $3::bigint
    RETURNING generation
    """

  private static let giveUpSQL = """
    UPDATE vendor_tokens SET permit_until = 0 WHERE name = $1::text AND permit = $2::bigint
    """
}
