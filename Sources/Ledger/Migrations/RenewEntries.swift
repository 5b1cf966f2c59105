import PostgreSQL

/// Makes the index entries of records anew that an older program stored, in small steps, each of which counts: one that is cut
/// off leaves the rest to the next one.
@Sendable func renewEntries(_ session: PostgresSession) async throws(PostgresFailure) {
  var last = (collection: "", id: "")
  while true {
    let rows = try await session.run(
      PostgresStatement(
        """
        SELECT collection, id, content FROM collection_records
        WHERE layout < 2 AND (collection, id) > ($1::text, $2::text) ORDER BY collection, id LIMIT 500
        """, .text(last.collection), .text(last.id)))
    if rows.count == 0 { return }
    var collections: [String] = []
    var ids: [String] = []
    var entries: [String] = []
    for row in 0..<rows.count {
      guard let collection = rows[row, 0], let id = rows[row, 1], let content = rows.bytes(row, 2) else { continue }
      last = (collection, id)
      collections.append(collection)
      ids.append(id)
      entries.append(IndexedRecord.entries(of: content, in: collection))
    }
    _ = try await session.run(
      PostgresStatement(
        """
        UPDATE collection_records stored SET fields = new.fields::bigint[], layout = $4::smallint
        FROM unnest($1::text[], $2::text[], $3::text[]) AS new (collection, id, fields)
        WHERE stored.collection = new.collection AND stored.id = new.id AND stored.layout < 2
        """, .textArray(collections), .textArray(ids), .textArray(entries), .int(IndexedRecord.layout)))
  }
}
