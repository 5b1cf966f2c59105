import Orders
public import Pipeline
import PostgreSQL

/// What becomes of a ledger that was restored from a backup.
///
/// K/3 may hold bills that such a ledger does not know, or knows as never written; and what lay in the queues at the backup
/// counts as published and is in no queue any more. So nobody works on it until somebody has said that it was restored. From
/// then on K/3 is asked for each bill before it is first saved, until somebody ends that.
public struct LedgerRestore: Sendable {
  let database: LedgerDatabase

  /// The restore of a database whose steps are done.
  public init(_ database: LedgerDatabase) { self.database = database }

  /// Whether K/3 is asked for each bill before it is first saved.
  /// - Throws: `.broken` when the ledger was restored and nobody has said so; `.unavailable` when nobody can tell.
  public func isOpen() async throws(LedgerFailure) -> Bool {
    guard let isOpen = try await openness() else { throw Self.refusal(of: database.schema) }
    return isOpen
  }

  /// Why nobody may work on the ledger; nil: it was not restored, or somebody has said so.
  /// - Throws: any other failure, which says nothing of that.
  func refusal() async throws(LedgerFailure) -> LedgerFailure? {
    try await openness() == nil ? Self.refusal(of: database.schema) : nil
  }

  /// What `isOpen` says; nil where nobody may work.
  private func openness() async throws(LedgerFailure) -> Bool? {
    let rows = try await database.run(
      PostgresStatement("SELECT \(Self.isAccepted), EXISTS (SELECT FROM ledger_restores WHERE ended IS NULL)"))
    return rows.bool(0, 0) == true ? rows.bool(0, 1) == true : nil
  }

  static func refusal(of schema: String) -> LedgerFailure {
    .broken("schema \(schema) was restored from a backup: stop all roles, then run `ferry migrate --restored`")
  }

  /// Refuses while somebody polls.
  /// - Throws: `.broken` while a poller leads; any failure else.
  public func refuseWhilePolled() async throws(LedgerFailure) {
    let polling = try await database.run(
      PostgresStatement(Self.pollingSQL, .int(AdvisoryLock.poller), .text(database.schema)))
    if polling.count > 0 { throw .broken("a poller still works on schema \(database.schema): stop all roles") }
  }

  /// Writes down that the ledger was restored, before anything else is done about it: from now on nobody works until it is
  /// accepted, whatever comes between. Repeatable.
  /// - Throws: `.broken` while a poller leads; any failure else.
  public func begin() async throws(LedgerFailure) {
    try await refuseWhilePolled()
    _ = try await database.transaction([
      PostgresStatement("DELETE FROM ledger_origin"),
      // One that is under way keeps its beginning: what was told since is in doubt as before.
      PostgresStatement(
        "INSERT INTO ledger_restores (ended) SELECT NULL WHERE NOT EXISTS (SELECT FROM ledger_restores WHERE ended IS NULL)"
      ),
    ])
  }

  /// Accepts the ledger, after `begin`: has published again what may have been in the queues, and lets all work. Repeatable.
  /// The queues must be empty: revisions are numbered anew, and an older message would pass for a newer one.
  /// - Returns: the backfill that publishes again; nil where nothing had been polled at the backup.
  /// - Throws: `.broken` while a poller leads, or when nothing was begun; any failure else. What was begun stays begun.
  public func accept() async throws(LedgerFailure) -> Sweep? {
    try await refuseWhilePolled()
    var sweep: Sweep?
    if let lost = try await lost() {
      // Deletions first: once they count as not published, nobody can tell any more which were lost.
      _ = try await database.run(
        PostgresStatement(
          "UPDATE poll_watermarks SET at = $1::bigint, moved = clock_timestamp() "
            + "WHERE stream = $2::text AND at > $1::bigint",
          .int(lost.deletedSince.epochSeconds), .text(PollStream.removed.rawValue)))
      sweep = try await PostgresPollLedger(database).startRepublishing(lost.orders)
    }
    // Last: until then nobody works.
    let accepted = try await database.transaction([
      // Whoever held a lease at the backup holds none now.
      PostgresStatement(
        "UPDATE order_ledger SET due = clock_timestamp() WHERE state = 'writing' AND due > clock_timestamp()"),
      PostgresStatement(
        """
        INSERT INTO ledger_origin (ledger, cluster)
        SELECT 'order_ledger'::regclass::oid::bigint, ledger_cluster()
        WHERE EXISTS (SELECT FROM ledger_restores WHERE ended IS NULL)
        ON CONFLICT (single) DO UPDATE SET ledger = EXCLUDED.ledger, cluster = EXCLUDED.cluster
        """),
    ])
    if accepted.last?.affected != 1 { throw .broken("no restore of schema \(database.schema) was begun") }
    return sweep
  }

  /// Ends the questions before first Saves. Loaders hear of it within 10 s.
  /// - Returns: false when none were asked.
  public func end() async throws(LedgerFailure) -> Bool {
    try await database.run(
      PostgresStatement("UPDATE ledger_restores SET ended = clock_timestamp() WHERE ended IS NULL RETURNING id")
    ).count > 0
  }

  /// True where the ledger is in the place where it was made, or accepted as restored. A place that an older program wrote
  /// down is the table's number alone, which is unique only within a cluster.
  static let isAccepted = """
    EXISTS (
      SELECT FROM ledger_origin origin WHERE origin.ledger = 'order_ledger'::regclass::oid::bigint
        AND (origin.cluster IS NULL OR origin.cluster = ledger_cluster()))
    """

  private static let pollingSQL = """
    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid
      AND objid = (hashtext($2::text)::bigint & 4294967295)::oid AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    LIMIT 1
    """
}
