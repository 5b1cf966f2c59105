import JSON
public import Orders
import PCRE2
public import Pipeline
import Synchronization

/// Collections in memory.
public final class MemoryCollections: Collections {
  private struct State {
    var records: [String: [String: JSONDocument]] = [:]
    var failure: LedgerFailure?
  }

  private let state = Mutex(State())

  /// Empty collections.
  public init() {}

  /// Answers everything with a failure from now on; nil ends that.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// Finds records, as the port says.
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer] {
    let result: Result<[LookupAnswer], LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      var search = PatternSearch()
      let sorted = Set(keys.map(\.collection)).map { name in
        let records = (state.records[name] ?? [:]).sorted { ($0.key.count, $0.key) < ($1.key.count, $1.key) }
        return (name, records.map(\.value).filter { $0.root.kind == .object })
      }
      let records = Dictionary(uniqueKeysWithValues: sorted)
      return .success(keys.map { Self.answer(to: $0, records[$0.collection] ?? [], &search) })
    }
    return try result.get()
  }

  private static func answer(
    to key: LookupKey, _ records: [JSONDocument], _ search: inout PatternSearch
  ) -> LookupAnswer {
    do throws(PatternTrouble) {
      for record in records {
        let isAnswer = try key.isAnswered(by: record.root) { (pattern, text) throws(PatternTrouble) in
          try search.finds(pattern, in: text)
        }
        if isAnswer { return .found(record) }
      }
      return .nothing
    } catch {
      return .unanswered(error.sentence)
    }
  }

  /// Stores records, as the port says.
  public func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
    let failure: LedgerFailure? = state.withLock { state in
      if let failure = state.failure { return failure }
      for record in records {
        state.records[collection, default: [:]][record.id] = try? JSONDocument(record.content)
      }
      return nil
    }
    if let failure { throw failure }
  }
}
