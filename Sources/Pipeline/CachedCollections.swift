public import JSON
public import Orders
import Synchronization

/// Remembers found records for a short time, so that the orders of a batch run do not ask for one customer again and
/// again. What was not found is not remembered: it may arrive any moment.
public final class CachedCollections: Collections {
  private struct Entry {
    let record: JSONDocument
    let until: ContinuousClock.Instant
  }

  private let collections: any Collections
  private let clock: PipelineClock
  private let lifetime: Duration
  private let limit: Int
  private let entries = Mutex<[LookupKey: Entry]>([:])

  /// A cache in front of collections.
  /// - Parameters:
  ///   - lifetime: how long a record may be out of date.
  ///   - limit: most records held.
  public init(
    _ collections: any Collections, clock: PipelineClock, lifetime: Duration = .seconds(2), limit: Int = 5_000
  ) {
    self.collections = collections
    self.clock = clock
    self.lifetime = lifetime
    self.limit = limit
  }

  /// Asks only for what is not remembered.
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [JSONDocument?] {
    let now = clock.now()
    var known: [LookupKey: JSONDocument] = entries.withLock { entries in
      var known: [LookupKey: JSONDocument] = [:]
      for key in keys {
        if let entry = entries[key], entry.until > now { known[key] = entry.record }
      }
      return known
    }
    let missing = Array(Set(keys.filter { known[$0] == nil }))
    if !missing.isEmpty {
      let found = try await collections.find(missing)
      let until = now.advanced(by: lifetime)
      entries.withLock { entries in
        if entries.count + missing.count > limit { entries.removeAll(keepingCapacity: true) }
        for (key, record) in zip(missing, found) {
          guard let record else { continue }
          known[key] = record
          entries[key] = Entry(record: record, until: until)
        }
      }
    }
    return keys.map { known[$0] }
  }

  /// Stores and forgets what was remembered.
  public func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
    try await collections.store(records, in: collection)
    entries.withLock { $0.removeAll(keepingCapacity: true) }
  }
}
