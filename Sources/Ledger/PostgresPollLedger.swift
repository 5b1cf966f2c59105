public import Orders
public import Pipeline
import PostgreSQL

/// The poller's memory in PostgreSQL.
public final class PostgresPollLedger: PollLedger {
  let database: LedgerDatabase
  let leadership: Leadership

  /// A memory on a migrated database.
  public init(_ database: LedgerDatabase) {
    self.database = database
    leadership = Leadership(database)
  }

  /// The watermark, as the port says.
  public func position(of stream: PollStream) async throws(LedgerFailure) -> PollPosition? {
    let rows = try await database.run(
      PostgresStatement(
        "SELECT at, extract(epoch FROM clock_timestamp() - moved)::bigint FROM poll_watermarks WHERE stream = $1::text",
        .text(stream.rawValue)))
    guard rows.count > 0, let at = rows.int(0, 0), let age = rows.int(0, 1) else { return nil }
    return PollPosition(BeijingTime(epochSeconds: at), age: age)
  }

  /// Moves the watermark, as the port says.
  public func advance(
    _ stream: PollStream, from old: BeijingTime?, to new: BeijingTime
  ) async throws(LedgerFailure) -> Bool {
    guard let fence = await leadership.fence else { return false }
    let statement =
      if let old {
        PostgresStatement(
          "WITH held AS (SELECT fence FROM poll_lease WHERE fence = $4::bigint FOR SHARE) "
            + "UPDATE poll_watermarks SET at = $3::bigint, moved = clock_timestamp() FROM held "
            + "WHERE stream = $1::text AND at = $2::bigint RETURNING stream",
          .text(stream.rawValue), .int(old.epochSeconds), .int(new.epochSeconds), .int(fence))
      } else {
        PostgresStatement(
          "WITH held AS (SELECT fence FROM poll_lease WHERE fence = $3::bigint FOR SHARE) "
            + "INSERT INTO poll_watermarks (stream, at) SELECT $1::text, $2::bigint FROM held "
            + "ON CONFLICT (stream) DO NOTHING RETURNING stream",
          .text(stream.rawValue), .int(new.epochSeconds), .int(fence))
      }
    return try await database.run(statement).count == 1
  }

  /// The headlines that must be fetched, as the port says.
  public func unpublished(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    var result: [OrderHeadline] = []
    for start in stride(from: 0, to: headlines.count, by: rowsPerStatement) {
      let part = headlines[start..<min(start + rowsPerStatement, headlines.count)]
      let rows = try await database.run(
        PostgresStatement(
          Self.unpublishedSQL, .intArray(part.map(\.id.rawValue)), .intArray(part.map(\.updateTime.epochSeconds)),
          .int(FetchedRevision.removalHash)))
      for row in 0..<rows.count {
        guard let position = rows.int(row, 0) else { continue }
        result.append(headlines[start + Int(position) - 1])
      }
    }
    return result
  }

  /// The headlines of which no deletion is published, as the port says.
  public func unremoved(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await self.headlines(headlines, with: Self.unremovedSQL, .int(FetchedRevision.removalHash))
  }

  /// The headlines that were numbered at some time, as the port says.
  public func numbered(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await self.headlines(headlines, with: Self.numberedSQL)
  }

  /// Those whose positions the statement answers; it is asked with their numbers and whatever else it needs.
  private func headlines(
    _ headlines: [OrderHeadline], with sql: String, _ others: PostgresValue...
  ) async throws(LedgerFailure) -> [OrderHeadline] {
    var result: [OrderHeadline] = []
    for start in stride(from: 0, to: headlines.count, by: rowsPerStatement) {
      let part = headlines[start..<min(start + rowsPerStatement, headlines.count)]
      let rows = try await database.run(
        PostgresStatement(sql, parameters: [.intArray(part.map(\.id.rawValue))] + others))
      for row in 0..<rows.count {
        guard let position = rows.int(row, 0) else { continue }
        result.append(headlines[start + Int(position) - 1])
      }
    }
    return result
  }

  /// Numbers contents, as the port says.
  public func number(_ revisions: [FetchedRevision]) async throws(LedgerFailure) -> [RevisionAnswer] {
    var answers: [RevisionAnswer] = Array(repeating: .overtaken, count: revisions.count)
    guard let fence = await leadership.fence else { return answers }
    for part in parts(of: revisions, by: \.orderID) {
      let found = try await numberOnce(part.map { revisions[$0] }, fence)
      for (position, answer) in zip(part, found) { answers[position] = answer }
    }
    return answers
  }

  private func numberOnce(
    _ revisions: [FetchedRevision], _ fence: Int64
  ) async throws(LedgerFailure) -> [RevisionAnswer] {
    var fresh = numbers(try await database.run(numberStatement(revisions, fence)))
    let others = revisions.filter { fresh[$0.orderID] == nil }
    var pending: [OrderID: Int64] = [:]
    var leads = true
    if !others.isEmpty {
      // As with claims: the first statement holds the rows that the second one looks at.
      let both = try await database.transaction([
        numberStatement(others, fence),
        PostgresStatement(
          Self.pendingSQL, .intArray(others.map(\.orderID.rawValue)),
          .intArray(others.map(\.updateTime.epochSeconds)), .intArray(others.map(\.contentHash)),
          .int(FetchedRevision.removalHash)),
        PostgresStatement("SELECT fence FROM poll_lease WHERE fence = $1::bigint FOR SHARE", .int(fence)),
      ])
      fresh.merge(numbers(both[0])) { _, new in new }
      pending = numbers(both[1])
      leads = both[2].count == 1
    }
    if !leads { return revisions.map { _ in .overtaken } }
    return revisions.map { revision in
      (fresh[revision.orderID] ?? pending[revision.orderID]).map { .publish(number: $0) } ?? .published
    }
  }

  private func numberStatement(_ revisions: [FetchedRevision], _ fence: Int64) -> PostgresStatement {
    PostgresStatement(
      Self.numberSQL, .intArray(revisions.map(\.orderID.rawValue)),
      .intArray(revisions.map(\.updateTime.epochSeconds)), .intArray(revisions.map(\.contentHash)),
      .int(FetchedRevision.removalHash), .int(fence))
  }

  private func numbers(_ rows: PostgresRows) -> [OrderID: Int64] {
    var result: [OrderID: Int64] = [:]
    for row in 0..<rows.count {
      guard let id = rows.int(row, 0), let number = rows.int(row, 1) else { continue }
      result[OrderID(rawValue: id)] = number
    }
    return result
  }

  /// Records what was published, as the port says. May be repeated.
  public func record(_ published: [PublishedRevision]) async throws(LedgerFailure) -> Bool {
    guard let fence = await leadership.fence else { return false }
    for part in parts(of: published, by: \.orderID) {
      let revisions = part.map { published[$0] }
      let held = try await database.run(
        PostgresStatement(
          Self.recordSQL, .intArray(revisions.map(\.orderID.rawValue)), .intArray(revisions.map(\.number)),
          .boolArray(revisions.map(\.mayStillChange)), .int(fence)))
      if held.count == 0 { return false }
    }
    return true
  }

  /// Stores customers, as the port says.
  public func store(customers: [CollectionRecord]) async throws(LedgerFailure) -> Bool {
    guard let fence = await leadership.fence else { return false }
    for batch in PostgresCollections.batches(of: customers) {
      let statement = PostgresCollections.storing(batch, in: Poller.customersCollection, fence: fence)
      if try await database.run(statement).count == 0 { return false }
    }
    return true
  }

  /// Becomes or stays the poller, by a lease, an advisory lock that lives as long as its connection, and a fence that
  /// outlives both.
  public func lead() async throws(LedgerFailure) -> Bool { try await leadership.take() }

  /// Steps down by closing that connection, and gives back a lease that stands alone.
  public func resign() async { await leadership.give() }

  // `held` keeps the lease from being raised until the statement's end: an election waits for what the last leader has under
  // way, and what comes later finds another fence.
  //
  // As in PostgresLedger: inserts that meet existing rows, single-row subselects, ids in order.

  private static let unpublishedSQL = """
    SELECT asked.position
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS asked (order_id, update_time, position)
    LEFT JOIN LATERAL (SELECT * FROM order_revisions row WHERE row.order_id = asked.order_id LIMIT 1) AS known ON true
    WHERE known.published IS NOT TRUE OR known.update_time <> asked.update_time OR known.refetch
      OR known.content_hash = $3::bigint
    ORDER BY asked.position
    """

  private static let unremovedSQL = """
    SELECT asked.position
    FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (order_id, position)
    LEFT JOIN LATERAL (SELECT * FROM order_revisions row WHERE row.order_id = asked.order_id LIMIT 1) AS known ON true
    WHERE known.published IS NOT TRUE OR known.content_hash <> $2::bigint
    ORDER BY asked.position
    """

  private static let numberedSQL = """
    SELECT asked.position
    FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (order_id, position)
    JOIN LATERAL (SELECT 1 FROM order_revisions row WHERE row.order_id = asked.order_id LIMIT 1) AS known ON true
    ORDER BY asked.position
    """

  // A content older than the one known does not count: somebody has fetched a newer one since, and publishes it. A
  // deletion ($4) is newer than all of them, and what has no time (0) than what nobody has published.
  private static let numberSQL = """
    WITH held AS (SELECT fence FROM poll_lease WHERE fence = $5::bigint FOR SHARE), fetched AS (
      SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS fetched (order_id, update_time, content_hash)
    )
    INSERT INTO order_revisions AS known (order_id, number, update_time, content_hash, published, refetch)
    SELECT order_id, 1, update_time, content_hash, false, false FROM fetched
    WHERE (SELECT true FROM held) ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE SET
      number = known.number + 1, update_time = greatest(known.update_time, EXCLUDED.update_time),
      content_hash = EXCLUDED.content_hash, published = false, refetch = false
    WHERE CASE WHEN EXCLUDED.content_hash = $4::bigint THEN known.content_hash <> EXCLUDED.content_hash
      ELSE EXCLUDED.update_time > known.update_time
        OR (EXCLUDED.update_time = known.update_time OR EXCLUDED.update_time = 0 AND NOT known.published)
          AND EXCLUDED.content_hash <> known.content_hash END
    RETURNING known.order_id, known.number
    """

  private static let pendingSQL = """
    SELECT known.order_id, known.number
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS fetched (order_id, update_time, content_hash)
    CROSS JOIN LATERAL (SELECT * FROM order_revisions row WHERE row.order_id = fetched.order_id LIMIT 1) AS known
    WHERE NOT known.published AND known.content_hash = fetched.content_hash
      AND (known.update_time = fetched.update_time OR fetched.update_time = 0 OR fetched.content_hash = $4::bigint)
    """

  // Nobody waits for the disk: a record that a crash of the server forgets is one that was not made yet, and the same number is
  // published again. The watermark's commit waits, and with it all that was committed before.
  private static let recordSQL = """
    WITH commits AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode), held AS (SELECT fence FROM poll_lease WHERE fence = $4::bigint FOR SHARE), confirmed AS (
      SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS confirmed (order_id, number, refetch)
    ), recorded AS (
      INSERT INTO order_revisions AS known (order_id, number, update_time, content_hash, published, refetch)
      SELECT order_id, number, 0, 0, true, refetch FROM confirmed
      WHERE (SELECT true FROM held) AND (
        SELECT true FROM order_revisions row
        WHERE row.order_id = confirmed.order_id AND row.number = confirmed.number LIMIT 1)
      ORDER BY order_id
      ON CONFLICT (order_id) DO UPDATE SET published = true, refetch = EXCLUDED.refetch
      WHERE known.number = EXCLUDED.number
    )
    SELECT held.fence FROM held, commits
    """
}
