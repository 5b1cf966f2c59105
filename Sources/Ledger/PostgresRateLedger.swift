public import Pipeline
import PostgreSQL

/// The installation's rate limit in PostgreSQL: one row per vendor, one statement per lease.
public struct PostgresRateLedger: RateLedger {
  private let database: LedgerDatabase
  private let now: (@Sendable () -> Int64)?

  /// A rate limit on a migrated database.
  /// - Parameter now: microseconds since 1970, for tests; nil: the database's clock, so that no process's counts.
  public init(_ database: LedgerDatabase, now: (@Sendable () -> Int64)? = nil) {
    self.database = database
    self.now = now
  }

  /// Takes what there is, as the port says.
  public func lease(_ ask: RateAsk) async throws(LedgerFailure) -> RateLease {
    let statement = PostgresStatement(
      Self.leaseSQL, moment, .text(ask.bucket), .int(ask.microsPerSecond), .int(Int64(ask.burst)),
      .int(Int64(ask.most)), .bool(ask.hasAnswered))
    var rows = try await database.run(statement)
    if rows.count == 0 {
      _ = try await database.run(
        PostgresStatement(Self.openSQL, moment, .text(ask.bucket), .int(Int64(ask.burst) * Self.token)))
      rows = try await database.run(statement)
    }
    guard rows.count == 1, let granted = rows.int(0, 0), let tokens = rows.int(0, 1), let pause = rows.int(0, 2),
      let streak = rows.int(0, 3)
    else { throw .broken("the rate limit of \(ask.bucket) has no row") }
    if granted > 0 { return RateLease(granted: Int(granted), waitMicros: 0, isPause: false, hasStreak: streak > 0) }
    if pause > 0 { return RateLease(granted: 0, waitMicros: pause, isPause: true, hasStreak: streak > 0) }
    return RateLease(
      granted: 0, waitMicros: ask.waitMicros(tokens: tokens), isPause: false, hasStreak: streak > 0)
  }

  /// Stops everybody, as the port says.
  public func pause(_ bucket: String, seconds: Int?, jitterPermille: Int) async throws(LedgerFailure) -> Int64 {
    let figure: PostgresValue = seconds.map { .int(Int64($0) * 1_000_000) } ?? .null
    _ = try await database.run(PostgresStatement(Self.openSQL, moment, .text(bucket), .int(0)))
    let rows = try await database.run(
      PostgresStatement(Self.pauseSQL, moment, .text(bucket), figure, .int(Int64(jitterPermille))))
    guard rows.count == 1, let left = rows.int(0, 0) else { throw .broken("the rate limit of \(bucket) has no row") }
    return left
  }

  /// A token in the row.
  private static let token: Int64 = 1_000_000

  private var moment: PostgresValue { now.map { .int($0()) } ?? .null }

  // A lease that a crash of the server forgets does no harm, so nobody waits for its disk. The time is read before the row
  // is locked: who waited for the lock reckons with a moment that is too early, never with one that is too late.
  private static let clock = """
    WITH clock AS MATERIALIZED (
      SELECT coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now,
        set_config('synchronous_commit', 'off', true) AS commits)
    """

  // What cannot be by this clock was written before it was set back, and is not waited out: no pause is longer than an hour,
  // and a bucket is never filled for longer ahead than a pause, but for moments that were read before the row was locked.
  private static let isSetBack = """
    (held.not_before > clock.now + 3601000000 OR held.at > greatest(held.not_before, clock.now) + 60000000)
    """
  private static let notBefore = "CASE WHEN \(isSetBack) THEN 0 ELSE held.not_before END"
  private static let at = "CASE WHEN \(isSetBack) THEN clock.now ELSE held.at END"

  private static let openSQL =
    clock + """

      INSERT INTO rate_buckets (bucket, tokens, at)
      SELECT $2::text, $3::bigint, clock.now FROM clock
      ON CONFLICT (bucket) DO NOTHING
      """

  private static let filled = """
    least($4::bigint * 1000000,
      held.tokens + trunc(greatest(clock.now - (\(at)), 0)::numeric * $3::bigint / 1000000))::bigint
    """
  private static let grant = """
    CASE WHEN (\(notBefore)) > clock.now THEN 0 ELSE least($5::bigint, \(filled) / 1000000) END
    """

  private static let leaseSQL =
    clock + """

      UPDATE rate_buckets AS held SET
        granted = \(grant), tokens = \(filled) - \(grant) * 1000000, at = greatest(\(at), clock.now),
        not_before = \(notBefore),
        streak = CASE WHEN $6::boolean AND (\(notBefore)) <= clock.now THEN 0 ELSE held.streak END
      FROM clock WHERE held.bucket = $2::text
      RETURNING held.granted, held.tokens, greatest(held.not_before - clock.now, 0), held.streak
      """

  private static let until = """
    CASE
      WHEN $3::bigint IS NOT NULL THEN greatest(\(notBefore), clock.now + $3::bigint)
      WHEN (\(notBefore)) > clock.now THEN held.not_before
      ELSE clock.now + least(200000 * (1 << least(held.streak, 8)), 30000000) * (500 + $4::bigint / 2) / 1000
    END
    """

  private static let pauseSQL =
    clock + """

      UPDATE rate_buckets AS held SET
        not_before = \(until), at = greatest(\(at), \(until)), tokens = least(held.tokens, 0),
        streak = CASE
          WHEN $3::bigint IS NULL AND (\(notBefore)) <= clock.now THEN least(held.streak + 1, 8) ELSE held.streak END
      FROM clock WHERE held.bucket = $2::text
      RETURNING greatest(held.not_before - clock.now, 0)
      """
}
