public import JSON
public import Orders
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
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [JSONDocument?] {
    let result: Result<[JSONDocument?], LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      return .success(
        keys.map { key in
          if key.conditions.isEmpty { return nil }
          let matches = (state.records[key.collection] ?? [:]).filter { _, document in
            key.conditions.allSatisfy { document.root[$0.field]?.text == $0.value }
          }
          return matches.min { ($0.key.count, $0.key) < ($1.key.count, $1.key) }?.value
        })
    }
    return try result.get()
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
