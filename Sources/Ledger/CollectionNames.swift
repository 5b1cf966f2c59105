public import Pipeline
import PostgreSQL

extension PostgresCollections {
  /// The collections that hold a record, in order.
  public func names() async throws(LedgerFailure) -> [String] {
    // From one name to the next in the index, however many records lie between.
    let rows = try await database.run(
      PostgresStatement(
        """
        WITH RECURSIVE names AS (
          (SELECT collection FROM collection_records ORDER BY collection LIMIT 1)
          UNION ALL
          SELECT (
            SELECT next.collection FROM collection_records next
            WHERE next.collection > names.collection ORDER BY next.collection LIMIT 1)
          FROM names WHERE names.collection IS NOT NULL)
        SELECT collection FROM names WHERE collection IS NOT NULL
        """))
    return (0..<rows.count).compactMap { rows[$0, 0] }
  }

  /// The collections that hold a record, and how many each.
  public func counts() async throws(LedgerFailure) -> [(name: String, records: Int)] {
    let rows = try await database.run(
      PostgresStatement("SELECT collection, count(*) FROM collection_records GROUP BY collection ORDER BY collection"))
    return (0..<rows.count).compactMap { row in
      rows[row, 0].map { (name: $0, records: Int(rows.int(row, 1) ?? 0)) }
    }
  }
}
