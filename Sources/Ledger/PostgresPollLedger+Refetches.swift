import Orders
public import Pipeline
import PostgreSQL

/// Orders that are to be read anew (V0013).
extension PostgresPollLedger {
  /// Takes what is asked for, as the port says.
  public func refetches(limit: Int) async throws(LedgerFailure) -> [Refetch]? {
    guard let fence = await leadership.fence else { return nil }
    let rows = try await database.run(
      PostgresStatement(Self.takeSQL, .int(fence), .int(Int64(limit)), .int(FetchedRevision.forgottenHash)))
    if rows.count == 0 { return nil }
    return (0..<rows.count).compactMap { row in
      guard let order = rows.int(row, 1), let request = rows.int(row, 2) else { return nil }
      return Refetch(OrderID(rawValue: order), request: request)
    }
  }

  /// Ends what was asked for, as the port says.
  public func endRefetches(_ done: [Refetch]) async throws(LedgerFailure) -> Bool {
    guard let fence = await leadership.fence else { return false }
    let rows = try await database.run(
      PostgresStatement(
        Self.endSQL, .intArray(done.map(\.order.rawValue)), .intArray(done.map(\.request)), .int(fence)))
    return rows.count == 1
  }

  // One row of `held`, whatever was taken: none tells that another poller was elected. Orders that were taken before are not
  // forgotten once more, or a crash after publishing would give the same content another number.
  private static let takeSQL = """
    WITH held AS (SELECT fence FROM poll_lease WHERE fence = $1::bigint FOR SHARE), picked AS (
      SELECT order_id, tried FROM order_refetches WHERE (SELECT true FROM held)
      ORDER BY tried NULLS FIRST, request LIMIT $2::bigint FOR UPDATE
    ), forgotten AS (
      UPDATE order_revisions known SET update_time = 0, content_hash = $3::bigint FROM picked
      WHERE known.order_id = picked.order_id AND picked.tried IS NULL
    ), taken AS (
      UPDATE order_refetches row SET tried = clock_timestamp() FROM picked WHERE row.order_id = picked.order_id
      RETURNING row.order_id, row.request
    )
    SELECT held.fence, taken.order_id, taken.request FROM held LEFT JOIN taken ON true ORDER BY taken.request
    """

  private static let endSQL = """
    WITH held AS (SELECT fence FROM poll_lease WHERE fence = $3::bigint FOR SHARE), ended AS (
      DELETE FROM order_refetches row USING unnest($1::bigint[], $2::bigint[]) AS done (order_id, request)
      WHERE row.order_id = done.order_id AND row.request = done.request AND (SELECT true FROM held)
    )
    SELECT fence FROM held
    """
}
