import JSON
public import Orders
import Synchronization

/// Remembers answers for a short time, so that the orders of a backlog do not ask for one customer again and again.
///
/// What `find` returns is never older than its lifetime when it returns, but for what it asked just now: equalities in one go at
/// the end, queries by other operators before, each of which is as old as the answering of all of them takes. A missing record may
/// arrive any moment and costs little to ask for, so it is not remembered; the outcome of a query by other
/// operators is, since it may have cost the reading of a collection.
///
/// Memory is bounded by two generations: new answers go into the young one; when that is full it becomes the old one,
/// and the old one is dropped as a whole. So the newest answers stay, however many there are.
public final class CachedCollections: Collections {
  private struct Entry {
    let answer: LookupAnswer
    let until: ContinuousClock.Instant
  }

  private struct State {
    var young: [LookupKey: Entry] = [:]
    var old: [LookupKey: Entry] = [:]
    /// Bytes of the young ones' records.
    var bytes = 0
    /// Counts what was stored: an answer that was asked for before is not remembered after.
    var stores = 0
  }

  private let collections: any Collections
  private let clock: PipelineClock
  private let lifetime: Duration
  private let limit: Int
  private let maxBytes: Int
  private let state = Mutex(State())

  /// A cache in front of collections.
  /// - Parameters:
  ///   - lifetime: how long an answer may be out of date. With the second that a batch may take to be mapped, a change is in
  ///     every bill that is made 2 s after it.
  ///   - limit: most answers held, 2 or more.
  ///   - maxBytes: most bytes of records held.
  public init(
    _ collections: any Collections, clock: PipelineClock, lifetime: Duration = .seconds(1), limit: Int = 20_000,
    maxBytes: Int = 16 << 20
  ) {
    self.collections = collections
    self.clock = clock
    self.lifetime = lifetime
    self.limit = limit
    self.maxBytes = maxBytes
  }

  /// Asks only for what is not remembered.
  public func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer] {
    let now = clock.now()
    let remembered: [LookupKey: Entry] = state.withLock { state in
      var remembered: [LookupKey: Entry] = [:]
      for key in keys {
        if let entry = state.young[key] ?? state.old[key], entry.until > now { remembered[key] = entry }
      }
      return remembered
    }
    // Mostly all are remembered, and nothing is awaited.
    if remembered.count == keys.count { return keys.map { remembered[$0]?.answer ?? .nothing } }
    let missing = Set(keys).subtracting(remembered.keys)
    var answers = remembered.mapValues(\.answer)
    // Queries may read a whole collection, equalities are quick. So these come last, with what grew too old while others were
    // asked for: no order is mapped with an old record because another one asked for much.
    for isQuery in [true, false] {
      let kind = { (key: LookupKey) in (key.filter != nil) == isQuery }
      answers.merge(try await ask(missing.filter(kind))) { $1 }
      let now = clock.now()
      let stale = remembered.filter { $0.value.until <= now && kind($0.key) }
      answers.merge(try await ask(Set(stale.keys))) { $1 }
    }
    return keys.map { answers[$0] ?? .nothing }
  }

  private func ask(_ questions: Set<LookupKey>) async throws(LedgerFailure) -> [LookupKey: LookupAnswer] {
    if questions.isEmpty { return [:] }
    let until = clock.now().advanced(by: lifetime)
    let stores = state.withLock(\.stores)
    let asked = Array(questions)
    var answers: [LookupKey: LookupAnswer] = [:]
    for (key, answer) in zip(asked, try await collections.find(asked)) { answers[key] = answer }
    state.withLock { state in
      guard state.stores == stores else { return }
      for (key, answer) in answers where answer.record != nil || key.filter != nil {
        remember(key, Entry(answer: answer, until: until), &state)
      }
    }
    return answers
  }

  private func remember(_ key: LookupKey, _ entry: Entry, _ state: inout State) {
    let size = entry.answer.record?.root.rawBytes.count ?? 0
    guard size <= maxBytes / 2 else { return }
    if state.young.count >= limit / 2 || state.bytes + size > maxBytes / 2 {
      state.old = state.young
      state.young = [:]
      state.bytes = 0
    }
    // One that is told anew is counted twice until its generation ends: too early an end harms nobody.
    state.young[key] = entry
    state.bytes += size
  }

  /// How many answers are held, and the bytes of their records, for tests.
  var held: (answers: Int, bytes: Int) {
    state.withLock { state in
      let records = [state.young, state.old].flatMap(\.values)
      return (records.count, records.reduce(0) { $0 + ($1.answer.record?.root.rawBytes.count ?? 0) })
    }
  }

  /// Stores and forgets what was remembered.
  public func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
    try await collections.store(records, in: collection)
    state.withLock { state in
      state = State(stores: state.stores + 1)
    }
  }
}
