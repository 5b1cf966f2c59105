public import JSON
public import Orders
public import Pipeline
import PostgreSQL

/// Collections in PostgreSQL: any scalar field of a record can be asked for, through one index.
///
/// Records are kept byte for byte. Each scalar member of the record's object is indexed by a 64-bit fingerprint of its
/// text, so that `5` and `"5"` are the same; what the index finds is compared with the record itself.
public final class PostgresCollections: Collections {
  private let database: LedgerDatabase
  /// Members of a record that can be asked for; those behind are kept but not found.
  private static let fieldsPerRecord = 1_000
  private static let bytesPerStatement = 4 << 20
  /// Records looked at per question: more than one only in case a fingerprint is shared by chance.
  private static let candidates = 3

  /// Collections on a migrated database.
  public init(_ database: LedgerDatabase) { self.database = database }

  /// Finds records, as the port says. Ids are ordered by length, then by bytes, so that numbers are in their order.
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [JSONDocument?] {
    var positions: [LookupKey: Int] = [:]
    var questions: [LookupKey] = []
    for key in keys where !key.conditions.isEmpty && positions[key] == nil {
      positions[key] = questions.count
      questions.append(key)
    }
    var found: [JSONDocument?] = Array(repeating: nil, count: questions.count)
    for start in stride(from: 0, to: questions.count, by: rowsPerStatement) {
      let part = Array(questions[start..<min(start + rowsPerStatement, questions.count)])
      for (offset, document) in try await look(part).enumerated() { found[start + offset] = document }
    }
    return keys.map { key in positions[key].flatMap { found[$0] } }
  }

  private func look(_ questions: [LookupKey]) async throws(LedgerFailure) -> [JSONDocument?] {
    let rows = try await database.run(
      PostgresStatement(
        Self.findSQL, .textArray(questions.map { storable($0.collection) }),
        .textArray(questions.map { arrayText(fieldPrints(asked: $0)) })))
    var found: [JSONDocument?] = Array(repeating: nil, count: questions.count)
    for row in 0..<rows.count {
      guard let position = rows.int(row, 0).map({ Int($0) - 1 }), found.indices.contains(position),
        found[position] == nil, let content = rows.bytes(row, 1), let document = document(content)
      else { continue }
      let matches = questions[position].conditions.allSatisfy { document.root[$0.field]?.text == $0.value }
      if matches { found[position] = document }
    }
    return found
  }

  /// Stores records, as the port says. What is no JSON object is kept too, but never found.
  public func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
    var last: [String: [UInt8]] = [:]
    for record in records { last[storable(record.id)] = record.content }
    var batch: [(id: String, content: [UInt8])] = []
    var size = 0
    for id in last.keys.sorted() {
      guard let content = last[id] else { continue }
      batch.append((id, content))
      size += content.count
      if size >= Self.bytesPerStatement || batch.count == rowsPerStatement {
        try await write(batch, in: collection)
        batch = []
        size = 0
      }
    }
    if !batch.isEmpty { try await write(batch, in: collection) }
  }

  private func write(
    _ batch: [(id: String, content: [UInt8])], in collection: String
  ) async throws(LedgerFailure) {
    _ = try await database.run(
      PostgresStatement(
        Self.storeSQL, .text(storable(collection)), .textArray(batch.map { $0.id }),
        .bytesArray(batch.map(\.content)),
        .textArray(batch.map { arrayText(fieldPrints(of: $0.content, in: collection)) })))
  }

  private func fieldPrints(asked key: LookupKey) -> [Int64] {
    key.conditions.map { fieldPrint(key.collection, $0.field, $0.value) }
  }

  private func fieldPrints(of content: [UInt8], in collection: String) -> [Int64] {
    guard let root = document(content)?.root, root.kind == .object else { return [] }
    var prints: Set<Int64> = []
    for (key, value) in root.members.prefix(Self.fieldsPerRecord) {
      if let text = value.text { prints.insert(fieldPrint(collection, key, text)) }
    }
    return prints.sorted()
  }

  private func document(_ content: [UInt8]) -> JSONDocument? {
    do throws(JSONError) { return try JSONDocument(content) } catch { return nil }
  }

  private func arrayText(_ values: [Int64]) -> String {
    "{" + values.map { String($0) }.joined(separator: ",") + "}"
  }

  private static let findSQL = """
    SELECT asked.position, record.content
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (collection, fields, position)
    CROSS JOIN LATERAL (
      SELECT stored.id, stored.content FROM collection_records stored
      WHERE stored.fields @> asked.fields::bigint[] AND stored.collection = asked.collection
      ORDER BY length(stored.id), stored.id COLLATE "C" LIMIT \(candidates)
    ) AS record
    ORDER BY asked.position, length(record.id), record.id COLLATE "C"
    """

  // A record that has not changed is not written again: writing costs an index entry per field.
  private static let storeSQL = """
    INSERT INTO collection_records AS stored (collection, id, content, fields)
    SELECT $1::text, id, content, fields::bigint[]
    FROM unnest($2::text[], $3::bytea[], $4::text[]) AS new (id, content, fields)
    ORDER BY id
    ON CONFLICT (collection, id) DO UPDATE SET content = EXCLUDED.content, fields = EXCLUDED.fields
    WHERE stored.content <> EXCLUDED.content
    """
}

/// The index's entry for a field with a value.
private func fieldPrint(_ collection: String, _ field: String, _ value: String) -> Int64 {
  // 0xFF never stands in UTF-8, so that the parts cannot run into each other.
  var bytes: [UInt8] = []
  bytes.reserveCapacity(collection.utf8.count + field.utf8.count + value.utf8.count + 2)
  bytes.append(contentsOf: collection.utf8)
  bytes.append(0xff)
  bytes.append(contentsOf: field.utf8)
  bytes.append(0xff)
  bytes.append(contentsOf: value.utf8)
  return fingerprint(bytes)
}
