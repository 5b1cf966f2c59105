import Orders
public import Pipeline
import PostgreSQL
import Synchronization

/// What becomes of a ledger that was restored from a backup.
///
/// K/3 may hold bills that such a ledger does not know, or knows as never written; and what lay in the queues at the backup
/// counts as published and is in no queue any more. So nobody works on it until somebody has said that it was restored. From
/// then on K/3 is asked for each bill before it is first saved, until somebody ends that.
public struct LedgerRestore: Sendable {
  private let database: LedgerDatabase

  /// The restore of a database whose steps are done.
  public init(_ database: LedgerDatabase) { self.database = database }

  /// Whether K/3 is asked for each bill before it is first saved.
  /// - Throws: `.broken` when the ledger was restored and nobody has said so; `.unavailable` when nobody can tell.
  public func isOpen() async throws(LedgerFailure) -> Bool {
    let rows = try await database.run(PostgresStatement(Self.stateSQL))
    if rows.bool(0, 0) != true {
      throw .broken(
        "schema \(database.schema) was restored from a backup: stop all roles, then run `ferry migrate --restored`")
    }
    return rows.bool(0, 1) == true
  }

  /// Why nobody may work on the ledger; nil: it was not restored, or somebody has said so.
  /// - Throws: `.unavailable` when nobody can tell.
  func refusal() async throws(LedgerFailure) -> LedgerFailure? {
    do throws(LedgerFailure) {
      _ = try await isOpen()
      return nil
    } catch {
      guard case .broken = error else { throw error }
      return error
    }
  }

  /// Refuses while somebody polls; asked before anything is removed, and again by `begin`.
  /// - Throws: `.broken` while a poller leads; any failure else.
  public func refuseWhilePolled() async throws(LedgerFailure) {
    let polling = try await database.run(
      PostgresStatement(Self.pollingSQL, .int(AdvisoryLock.poller), .text(database.schema)))
    if polling.count > 0 { throw .broken("a poller still works on schema \(database.schema): stop all roles") }
  }

  /// Accepts the ledger as it is: begins to ask K/3 before first Saves, and to publish again what may have been in the queues.
  /// Repeatable. The queues must be empty: revisions are numbered anew, and an older message would pass for a newer one.
  /// - Returns: the backfill that publishes again; nil where nothing had been polled at the backup.
  /// - Throws: `.broken` while a poller leads; any failure else. What was begun stays begun.
  public func begin() async throws(LedgerFailure) -> Sweep? {
    try await refuseWhilePolled()
    let window = try await window()
    var sweep: Sweep?
    if let window { sweep = try await PostgresPollLedger(database).startRepublishing(window) }
    // Last: until then nobody works.
    _ = try await database.transaction([
      PostgresStatement(
        "INSERT INTO ledger_restores (ended) SELECT NULL WHERE NOT EXISTS (SELECT FROM ledger_restores WHERE ended IS NULL)"
      ),
      // Whoever held a lease at the backup holds none now.
      PostgresStatement(
        "UPDATE order_ledger SET due = clock_timestamp() WHERE state = 'writing' AND due > clock_timestamp()"),
      PostgresStatement("DELETE FROM ledger_origin"),
      PostgresStatement("INSERT INTO ledger_origin (ledger) VALUES ('order_ledger'::regclass::oid::bigint)"),
    ])
    return sweep
  }

  /// Ends the questions before first Saves. Loaders hear of it within a minute.
  /// - Returns: false when none were asked.
  public func end() async throws(LedgerFailure) -> Bool {
    try await database.run(
      PostgresStatement("UPDATE ledger_restores SET ended = clock_timestamp() WHERE ended IS NULL RETURNING id")
    ).count > 0
  }

  /// The time of the last change of all orders that may have been in a queue at the backup: from that of the oldest published
  /// one of which nothing shows that it was carried to its end, but a day before the watermark at least (a bill of an order
  /// may have waited beside another one that was written) and 30 days at most (orders that nothing is made of show nothing).
  private func window() async throws(LedgerFailure) -> TimeWindow? {
    let result: Result<PostgresRows, PostgresFailure>
    do throws(PostgresFailure) {
      // It reads whole tables.
      let session = try await database.patientSession()
      do throws(PostgresFailure) {
        result = .success(
          try await session.run(PostgresStatement(Self.windowSQL, .int(FetchedRevision.removalHash))))
      } catch { result = .failure(error) }
      await session.close()
    } catch { throw LedgerFailure(error, schema: database.schema) }
    do throws(PostgresFailure) {
      let rows = try result.get()
      guard rows.count > 0, let from = rows.int(0, 0), let to = rows.int(0, 1) else { return nil }
      return TimeWindow(from: BeijingTime(epochSeconds: from), to: BeijingTime(epochSeconds: to))
    } catch { throw LedgerFailure(error, schema: database.schema) }
  }

  private static let stateSQL = """
    SELECT EXISTS (SELECT FROM ledger_origin WHERE ledger = 'order_ledger'::regclass::oid::bigint),
      EXISTS (SELECT FROM ledger_restores WHERE ended IS NULL)
    """

  private static let pollingSQL = """
    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid
      AND objid = (hashtext($2::text)::bigint & 4294967295)::oid AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    LIMIT 1
    """

  private static let windowSQL = """
    WITH open AS (
      SELECT min(seen.update_time) AS since FROM order_revisions seen
      WHERE seen.published AND seen.content_hash <> $1::bigint
        AND NOT EXISTS (
          SELECT FROM order_ledger held
          WHERE held.order_id = seen.order_id AND held.state = 'written' AND held.revision >= seen.number)
        AND NOT EXISTS (
          SELECT FROM dead_letters letter WHERE letter.order_id = seen.order_id AND letter.revision = seen.number
            AND letter.state <> 'replayed')
    )
    SELECT greatest(least(open.since, mark.at - 86400), mark.at - 30 * 86400),
      greatest(mark.at, (SELECT max(update_time) FROM order_revisions))
    FROM poll_watermarks mark, open WHERE mark.stream = 'orders'
    """
}

/// What a loader knows of the restore: asked at its first claim, and then once a minute at most.
final class RestoreWatch: Sendable {
  private static let pause = Duration.seconds(60)

  private let restore: LedgerRestore
  private let known = Mutex<(isOpen: Bool, asked: ContinuousClock.Instant)?>(nil)

  init(_ restore: LedgerRestore) { self.restore = restore }

  /// As `LedgerRestore.isOpen` had it within the last minute.
  func isOpen() async throws(LedgerFailure) -> Bool {
    let now = ContinuousClock.now
    if let known = known.withLock({ $0 }), known.asked + Self.pause > now { return known.isOpen }
    let isOpen = try await restore.isOpen()
    known.withLock { $0 = (isOpen, now) }
    return isOpen
  }
}

extension PostgresLedger {
  /// In a ledger that was restored: what was granted as new is claimed again as what a loader left that died with it, so that
  /// K/3 is asked first.
  func doubting(
    _ answers: [ClaimAnswer], to requests: [ClaimRequest], leaseSeconds: Int
  ) async -> [ClaimAnswer] {
    var answers = answers
    var fresh: [(place: Int, token: Int64)] = []
    for (place, answer) in answers.enumerated() {
      if case .new(let claim) = answer, claim.standing == nil, !claim.isRemoved { fresh.append((place, claim.token)) }
    }
    if fresh.isEmpty { return answers }
    let asked = fresh.map { requests[$0.place] }
    do throws(LedgerFailure) {
      _ = try await database.run(
        PostgresStatement(
          Self.forsakeSQL, .intArray(asked.map(\.bill.orderID.rawValue)), .textArray(asked.map(\.bill.stream)),
          .intArray(asked.map { Int64($0.bill.part) }), .intArray(fresh.map(\.token))))
      let again = try await grant(asked, leaseSeconds: leaseSeconds)
      for ((place, _), answer) in zip(fresh, again) { answers[place] = answer }
    } catch {
      // They are in doubt when their leases are over.
      for (place, _) in fresh { answers[place] = Self.rest(error) }
    }
    return answers
  }

  private static let forsakeSQL = """
    UPDATE order_ledger held SET due = clock_timestamp()
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS mine (order_id, stream, part, token)
    WHERE held.order_id = mine.order_id AND held.stream = mine.stream AND held.part = mine.part
      AND held.token = mine.token AND held.state = 'writing'
    """
}
