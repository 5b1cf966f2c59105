public import Pipeline
import PostgreSQL

extension PostgresLedger {
  /// How long the bill that is in doubt for longest is so, in seconds by the database's clock; 0 when none is. One whose message
  /// was parked as `in_doubt` counts until somebody resolves it.
  public func oldestDoubtSeconds() async throws(LedgerFailure) -> Int64 {
    let rows = try await database.run(
      PostgresStatement(
        """
        SELECT coalesce(greatest(ceil(extract(epoch FROM clock_timestamp() - min(doubt_since)))::bigint, 0), 0)
        FROM order_ledger WHERE doubt_since IS NOT NULL AND doubt AND state IN ('writing', 'in_doubt')
        """))
    return rows.count == 0 ? 0 : rows.int(0, 0) ?? 0
  }

  /// How many bills are in doubt. The index over doubts finds them.
  public func openDoubts() async throws(LedgerFailure) -> Int64 {
    let rows = try await database.run(
      PostgresStatement(
        """
        SELECT count(*) FROM order_ledger
        WHERE doubt_since IS NOT NULL AND doubt AND state IN ('writing', 'in_doubt')
        """))
    return rows.count == 0 ? 0 : rows.int(0, 0) ?? 0
  }
}
