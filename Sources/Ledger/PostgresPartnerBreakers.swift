public import Pipeline
import PostgreSQL

/// Which partners are away, in PostgreSQL: a row per partner that ever was.
public struct PostgresPartnerBreakers: PartnerBreakers {
  private let database: LedgerDatabase
  private let now: (@Sendable () -> Int64)?

  /// Breakers on a migrated database.
  /// - Parameter now: microseconds since 1970, for tests; nil: the database's clock.
  public init(_ database: LedgerDatabase, now: (@Sendable () -> Int64)? = nil) {
    self.database = database
    self.now = now
  }

  /// Why nobody goes to this partner, as the port says.
  public func standing(of partner: Partner) async throws(LedgerFailure) -> Reason? {
    let rows = try await database.run(
      PostgresStatement(
        "SELECT reason, sentence FROM partner_breakers WHERE partner = $1::text AND open_since IS NOT NULL",
        .text(partner.rawValue)))
    guard rows.count == 1, let code = rows[0, 0], let sentence = rows[0, 1] else { return nil }
    // A newer program may know reasons that this one does not.
    return Reason(ReasonCode(rawValue: code) ?? .k3Unavailable, sentence)
  }

  /// Stops all processes, as the port says.
  public func open(_ partner: Partner, _ reason: Reason) async throws(LedgerFailure) {
    _ = try await database.run(
      PostgresStatement(
        """
        INSERT INTO partner_breakers AS held (partner, open_since, reason, sentence)
        VALUES ($1::text, clock_timestamp(), $2::text, $3::text)
        ON CONFLICT (partner) DO UPDATE SET
          open_since = coalesce(held.open_since, EXCLUDED.open_since), reason = EXCLUDED.reason,
          sentence = EXCLUDED.sentence
        """, .text(partner.rawValue), .text(reason.code.rawValue), .text(reason.sentence)))
  }

  /// Asks to be the one that tries, as the port says.
  public func probe(
    _ partner: Partner, as holder: Int64, seconds: Int64
  ) async throws(LedgerFailure) -> ProbeAnswer {
    let rows = try await database.run(
      PostgresStatement(
        """
        UPDATE partner_breakers SET
          probe_holder = $3::bigint, probe_until = \(Self.clock) + $4::bigint
        WHERE partner = $2::text AND open_since IS NOT NULL
          AND (probe_until <= \(Self.clock) OR probe_holder = $3::bigint
            -- Nobody has a permit for longer: the clock was set back since.
            OR probe_until > \(Self.clock) + $4::bigint)
        RETURNING partner
        """, now.map { .int($0()) } ?? .null, .text(partner.rawValue), .int(holder), .int(seconds * 1_000_000)))
    if rows.count == 1 { return .granted }
    return try await standing(of: partner) == nil ? .closed : .taken
  }

  /// Lets all go on, as the port says.
  public func close(_ partner: Partner) async throws(LedgerFailure) {
    _ = try await database.run(
      PostgresStatement(
        "UPDATE partner_breakers SET open_since = NULL, probe_until = 0 WHERE partner = $1::text",
        .text(partner.rawValue)))
  }

  private static let clock = "coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
}
