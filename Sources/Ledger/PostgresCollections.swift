import JSON
public import Orders
import PCRE2
public import Pipeline
import PostgreSQL
import Synchronization

/// Collections in PostgreSQL: any scalar field of a record can be asked for, through one index.
///
/// Records are kept byte for byte. Each scalar of the record, also in objects within it, is indexed by a 64-bit fingerprint
/// of its text, so that `5` and `"5"` are the same; what the index finds is compared with the record itself. A query
/// that names no equality reads the collection in the order of its ids, within limits.
public final class PostgresCollections: Collections {
  /// What one `find` may cost where the index does not lead to the answer.
  public struct Limits: Sendable {
    /// Most records of a collection that are read, 1 or more.
    public var scannedRecords = 100_000
    /// Most records looked at that the index offers, 4 or more.
    public var candidates = 5_000
    /// Longest time that collections are read. Questions still open then are not answered.
    public var scanTime = Duration.seconds(10)

    /// The limits above.
    public init() {}
  }

  let database: LedgerDatabase
  let limits: Limits
  private let isMigrated = Mutex(false)

  /// Collections on a migrated database.
  public init(_ database: LedgerDatabase, limits: Limits = Limits()) {
    self.database = database
    self.limits = limits
  }

  /// A question that the index can lead to the answer of.
  private struct Probed {
    let position: Int
    let key: LookupKey
    let probes: [[LookupKey.Condition]]
  }

  /// Finds records, as the port says. Ids are ordered by length, then by bytes, so that numbers are in their order.
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer] {
    if !isMigrated.withLock({ $0 }) {
      // Once. While a migration is under way, or was cut off, records are there that the index does not lead to.
      try await Migrator(database).checkDone()
      isMigrated.withLock { $0 = true }
    }
    var positions: [LookupKey: Int] = [:]
    var probed: [Probed] = []
    var read: [CollectionScan.Question] = []
    for key in keys where positions[key] == nil && !(key.conditions.isEmpty && key.filter == nil) {
      let position = positions.count
      positions[key] = position
      if let probes = LookupProbes.of(key) {
        probed.append(Probed(position: position, key: key, probes: probes))
      } else {
        read.append(CollectionScan.Question(position: position, key: key, why: "the query has no equality to look up"))
      }
    }
    var answers: [LookupAnswer] = Array(repeating: .nothing, count: positions.count)
    // What takes long first, so that the quick answers are new when the last one is there.
    try await scan(read, &answers)
    let wide = try await probe(probed, &answers)
    if !wide.isEmpty {
      try await answer(wide: wide, &answers)
      let positions = Set(wide.map(\.position))
      _ = try await probe(probed.filter { !positions.contains($0.position) }, &answers)
    }
    return keys.map { key in positions[key].map { answers[$0] } ?? .nothing }
  }

  private func scan(
    _ questions: [CollectionScan.Question], _ answers: inout [LookupAnswer]
  ) async throws(LedgerFailure) {
    if questions.isEmpty { return }
    let scan = CollectionScan(database, limits)
    for (position, answer) in try await scan.answers(to: questions) { answers[position] = answer }
  }

  /// Answers questions for which the index offers very many records: what most records hold is soon met in the order of ids.
  private func answer(wide: [Probed], _ answers: inout [LookupAnswer]) async throws(LedgerFailure) {
    let why = "the query's equalities hold for more than \(limits.candidates) records"
    try await scan(wide.map { CollectionScan.Question(position: $0.position, key: $0.key, why: why) }, &answers)
    for question in wide where question.key.filter == nil {
      guard case .unanswered = answers[question.position] else { continue }
      // Equalities alone have an answer, however many records hold it.
      _ = try await look([question], limit: 4, offered: nil, &answers)
    }
  }

  // MARK: The index

  /// One statement for nearly all questions; only those whose few first candidates do not tell are asked for more.
  /// - Returns: the questions for which the index offers too many records to put them in order.
  private func probe(
    _ questions: [Probed], _ answers: inout [LookupAnswer]
  ) async throws(LedgerFailure) -> [Probed] {
    var open: [Probed] = []
    var wide: [Probed] = []
    for part in Self.parts(questions) {
      let left = try await look(part, limit: 4, offered: limits.candidates, &answers)
      open += left.open
      wide += left.wide
    }
    for limit in [256, limits.candidates] {
      var still: [Probed] = []
      for question in open {
        let left = try await look([question], limit: limit, offered: limits.candidates, &answers)
        still += left.open
        wide += left.wide
      }
      open = still
    }
    for question in open {
      let sentence = "the query's equalities hold for more records than are looked at (\(limits.candidates))"
      answers[question.position] = .unanswered(sentence)
    }
    return wide
  }

  private static func parts(_ questions: [Probed]) -> [[Probed]] {
    var parts: [[Probed]] = []
    var size = 0
    for question in questions {
      if parts.isEmpty || size + question.probes.count > rowsPerStatement {
        parts.append([])
        size = 0
      }
      parts[parts.count - 1].append(question)
      size += question.probes.count
    }
    return parts
  }

  /// Answers what the first `limit` candidates of each question tell; gives back the others, those apart for which the index
  /// offers more than `offered` records: to find the first of them, all would have to be read.
  private func look(
    _ questions: [Probed], limit: Int, offered: Int?, _ answers: inout [LookupAnswer]
  ) async throws(LedgerFailure) -> (open: [Probed], wide: [Probed]) {
    let probes = questions.indices.flatMap { number in questions[number].probes.map { (number, $0) } }
    if probes.isEmpty { return ([], []) }
    // Many probes of one question share what it may cost.
    let perProbe = max(4, questions.count == 1 ? limit / probes.count : limit)
    let rows = try await database.run(
      PostgresStatement(
        Self.findSQL, .textArray(probes.map { storable(questions[$0.0].key.collection) }),
        .textArray(probes.map { IndexedRecord.entries(asked: $0.1, in: questions[$0.0].key.collection) }),
        .int(Int64(perProbe)), offered.map { .int(Int64($0) + 1) } ?? .null))
    var found = questions.map { _ in Candidates() }
    for row in 0..<rows.count {
      guard let probe = rows.int(row, 0).map({ Int($0) - 1 }), probes.indices.contains(probe), let id = rows[row, 1],
        let content = rows.bytes(row, 2)
      else { continue }
      found[probes[probe].0].add(id, content, ofProbe: probe, limit: perProbe)
      if rows.bool(row, 3) == true { found[probes[probe].0].isWide = true }
    }
    var left: (open: [Probed], wide: [Probed]) = ([], [])
    for (question, candidates) in zip(questions, found) {
      if candidates.isWide {
        left.wide.append(question)
      } else if let answer = candidates.answer(to: question.key) {
        answers[question.position] = answer
      } else {
        left.open.append(question)
      }
    }
    return left
  }

  // The `|| ''` keeps the planner from reading a whole collection in the order of ids: fields name it already. The inner
  // LIMIT bounds what is read and sorted for a value that most records have.
  private static let findSQL = """
    SELECT asked.position, record.id, record.content, record.offered >= $4::int
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (collection, fields, position)
    CROSS JOIN LATERAL (
      SELECT offered.id, offered.content, count(*) OVER () AS offered FROM (
        SELECT stored.id, stored.content FROM collection_records stored
        WHERE stored.fields @> asked.fields::bigint[] AND stored.collection || '' = asked.collection LIMIT $4::int
      ) AS offered
      ORDER BY length(offered.id), offered.id COLLATE "C" LIMIT $3::int
    ) AS record
    ORDER BY asked.position, length(record.id), record.id COLLATE "C"
    """

  // MARK: Storing

  private static let bytesPerStatement = 4 << 20

  /// Stores records, as the port says. What is no JSON object is kept too, but never found.
  public func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
    for batch in Self.batches(of: records) { _ = try await database.run(Self.storing(batch, in: collection)) }
  }

  /// Records for a statement each: the last one of each id, the ids as they are stored.
  static func batches(of records: [CollectionRecord]) -> [[CollectionRecord]] {
    var last: [String: [UInt8]] = [:]
    for record in records { last[storable(record.id)] = record.content }
    var batches: [[CollectionRecord]] = []
    var batch: [CollectionRecord] = []
    var size = 0
    // In the order of ids, so that two that store at once cannot deadlock.
    for (id, content) in last.sorted(by: { $0.key < $1.key }) {
      batch.append(CollectionRecord(id: id, content: content))
      size += content.count
      if size >= bytesPerStatement || batch.count == rowsPerStatement {
        batches.append(batch)
        batch = []
        size = 0
      }
    }
    return batch.isEmpty ? batches : batches + [batch]
  }

  /// Stores one of these batches.
  /// - Parameter fence: of a poller that was elected; when another one has been since, nothing is stored and no row
  ///   comes back. Nil stores in any case.
  static func storing(
    _ batch: [CollectionRecord], in collection: String, fence: Int64? = nil
  ) -> PostgresStatement {
    PostgresStatement(
      fence == nil ? storeSQL : fencedSQL, .text(storable(collection)), .textArray(batch.map(\.id)),
      .bytesArray(batch.map(\.content)),
      .textArray(batch.map { IndexedRecord.entries(of: $0.content, in: collection) }), .int(IndexedRecord.layout),
      fence.map { .int($0) } ?? .bool(true))
  }

  // A record that has not changed is not written again: writing costs an index entry per field. But a filling that has begun
  // must see that it is there still.
  private static let storeSQL = insert(where: "$6::boolean")

  private static let fencedSQL = """
    WITH held AS (SELECT fence FROM poll_lease WHERE fence = $6::bigint FOR SHARE),
      stored AS (\(insert(where: "(SELECT true FROM held)")))
    SELECT fence FROM held
    """

  private static func insert(where condition: String) -> String {
    """
    INSERT INTO collection_records AS stored (collection, id, content, fields, layout)
    SELECT $1::text, id, content, fields::bigint[], $5::smallint
    FROM unnest($2::text[], $3::bytea[], $4::text[]) AS new (id, content, fields)
    WHERE \(condition)
    ORDER BY id
    ON CONFLICT (collection, id) DO UPDATE
    SET content = EXCLUDED.content, fields = EXCLUDED.fields, layout = EXCLUDED.layout, stored = clock_timestamp()
    WHERE stored.content <> EXCLUDED.content OR stored.layout <> EXCLUDED.layout
      OR stored.stored < (SELECT fill.began FROM collection_fills fill WHERE fill.collection = $1::text)
    """
  }
}

/// What the index offers for one question.
private struct Candidates {
  private var records: [(id: RecordOrder, content: [UInt8])] = []
  /// How many came of each probe.
  private var counts: [Int: Int] = [:]
  /// Behind it some probe has candidates that were not asked for.
  private var horizon: RecordOrder?
  /// Whether they are not the first ones, since there are too many to put in order.
  var isWide = false

  mutating func add(_ id: String, _ content: [UInt8], ofProbe probe: Int, limit: Int) {
    let order = RecordOrder(id)
    records.append((order, content))
    counts[probe, default: 0] += 1
    if counts[probe] == limit { horizon = min(horizon ?? order, order) }
  }

  /// The answer; nil when it may be among those that were not asked for.
  func answer(to key: LookupKey) -> LookupAnswer? {
    var search = PatternSearch()
    // Those of one probe come in order.
    for record in counts.count > 1 ? records.sorted(by: { $0.id < $1.id }) : records {
      if let horizon, horizon < record.id { return nil }
      switch key.answer(record.content, &search) {
      case .nothing: continue
      case let answer: return answer
      }
    }
    return horizon == nil ? .nothing : nil
  }
}

/// Where a record stands among those of its collection: by its id's length, then by its bytes.
struct RecordOrder: Comparable {
  let id: String
  private let length: Int

  init(_ id: String) {
    self.id = id
    length = id.unicodeScalars.count
  }

  static func < (left: RecordOrder, right: RecordOrder) -> Bool {
    left.length == right.length
      ? left.id.utf8.lexicographicallyPrecedes(right.id.utf8) : left.length < right.length
  }
}

extension LookupKey {
  /// What one record says to the question: itself, nothing, or that nobody can tell.
  func answer(_ content: [UInt8], _ search: inout PatternSearch) -> LookupAnswer {
    guard let record = IndexedRecord.document(content) else { return .nothing }
    return answer(record, &search)
  }

  /// The same of a record that has been read.
  func answer(_ record: JSONDocument, _ search: inout PatternSearch) -> LookupAnswer {
    do throws(PatternTrouble) {
      let isAnswer = try isAnswered(by: record.root) { (pattern, text) throws(PatternTrouble) in
        try search.finds(pattern, in: text)
      }
      return isAnswer ? .found(record) : .nothing
    } catch {
      return .unanswered(error.sentence)
    }
  }
}
