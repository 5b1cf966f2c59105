import Orders
import PCRE2
import Pipeline
import PostgreSQL

/// Answers questions by reading their collections in the order of ids, each collection once for all its questions.
struct CollectionScan {
  struct Question {
    let position: Int
    let key: LookupKey
    /// Why the index does not lead to its answer.
    let why: String
  }

  private let database: LedgerDatabase
  private let limits: PostgresCollections.Limits
  /// A page is as many records as have about so many bytes.
  private static let pageBytes = 2 << 20

  init(_ database: LedgerDatabase, _ limits: PostgresCollections.Limits) {
    self.database = database
    self.limits = limits
  }

  /// The answers, by their questions' positions.
  func answers(to questions: [Question]) async throws(LedgerFailure) -> [Int: LookupAnswer] {
    var answers: [Int: LookupAnswer] = [:]
    for (collection, questions) in Dictionary(grouping: questions, by: \.key.collection) {
      // Each collection has its time: one that is slow leaves the questions to another one unhurt.
      try await read(collection, questions, by: ContinuousClock.now + limits.scanTime, &answers)
    }
    return answers
  }

  private func read(
    _ collection: String, _ questions: [Question], by deadline: ContinuousClock.Instant,
    _ answers: inout [Int: LookupAnswer]
  ) async throws(LedgerFailure) {
    var open = questions
    var search = PatternSearch()
    var last = ""
    var seen = 0
    var size = 100
    while !open.isEmpty {
      let page = min(size, limits.scannedRecords + 1 - seen)
      let rows = try await database.run(
        PostgresStatement(
          Self.pageSQL, .text(storable(collection)), .int(Int64(last.unicodeScalars.count)), .text(last),
          .int(Int64(page))))
      var bytes = 0
      for row in 0..<rows.count {
        guard let id = rows[row, 0], let content = rows.bytes(row, 1) else { continue }
        last = id
        seen += 1
        bytes += content.count
        if let why = refusal(seen, deadline) { return close(open, why, &answers) }
        guard let record = IndexedRecord.document(content) else { continue }
        open.removeAll { question in
          let answer = question.key.answer(record, &search)
          if case .nothing = answer { return false }
          answers[question.position] = answer
          return true
        }
        if open.isEmpty { return }
      }
      if rows.count < page { return }
      size = max(1, min(2_000, Self.pageBytes / max(1, bytes / max(1, rows.count))))
    }
  }

  /// Why reading must not go on; nil when it may.
  private func refusal(_ seen: Int, _ deadline: ContinuousClock.Instant) -> String? {
    if seen > limits.scannedRecords {
      return "the first \(limits.scannedRecords) records do not answer it"
    }
    // The clock is not asked for each record.
    if seen % 64 == 1, ContinuousClock.now >= deadline {
      return "reading the records takes longer than \(limits.scanTime)"
    }
    return nil
  }

  private func close(_ open: [Question], _ why: String, _ answers: inout [Int: LookupAnswer]) {
    for question in open { answers[question.position] = .unanswered("\(question.why), and \(why)") }
  }

  private static let pageSQL = """
    SELECT id, content FROM collection_records
    WHERE collection = $1::text AND (length(id), id COLLATE "C") > ($2::int, $3::text COLLATE "C")
    ORDER BY length(id), id COLLATE "C" LIMIT $4::int
    """
}
