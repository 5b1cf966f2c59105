public import Orders
public import Pipeline
import Synchronization

/// The poller's memory in memory. Several of them may share one `Books`, as processes share a database: there an election
/// is a lease, and a lock that lives as long as its connection.
public final class MemoryPollLedger: PollLedger {
  /// What would be in the database.
  public final class Books: Sendable {
    struct Known {
      var number: Int64
      var updateTime: BeijingTime
      var contentHash: Int64
      var isPublished = false
      var mustRefetch = false
    }

    struct Asked {
      var request: Int64
      /// When it was taken last: a number that grows.
      var tried: Int64?
    }

    struct State {
      var refetches: [OrderID: Asked] = [:]
      var serial: Int64 = 0
      var watermarks: [PollStream: BeijingTime] = [:]
      /// When watermarks were moved.
      var moved: [PollStream: ManualClock.Instant] = [:]
      var orders: [OrderID: Known] = [:]
      /// Who has the lock.
      var lock: ObjectIdentifier?
      var fence = 0
      var sweeps: [Sweep] = []
      /// The fence of the last election; another one when somebody was elected who knows of no leases.
      var leased: Int?
      var until: ManualClock.Instant
      /// Whether the lease ends with the lock.
      var isBound = true

      func isOver(at now: ManualClock.Instant) -> Bool { leased == fence && until <= now }
    }

    let clock: ManualClock
    let state: Mutex<State>
    /// Where customers are stored.
    public let collections = MemoryCollections()

    /// Empty books, whose leases end by this clock.
    public init(clock: ManualClock = ManualClock()) {
      self.clock = clock
      state = Mutex(State(until: clock.now))
    }

    /// Whoever leads loses the lock and does not know it.
    public func cutOff() { state.withLock { $0.lock = nil } }

    /// All sweeps, as they stand.
    public var allSweeps: [Sweep] { state.withLock { $0.sweeps } }

    /// Orders that are still to be read anew.
    public var toReadAnew: Set<OrderID> { state.withLock { Set($0.refetches.keys) } }

    /// Orders are to be read anew.
    public func ask(_ orders: Set<OrderID>) {
      state.withLock { state in
        for order in orders.sorted() {
          state.serial += 1
          state.refetches[order] = Asked(request: state.serial)
        }
      }
    }

    /// Whoever leads has not renewed its lease in time.
    public func expire() { state.withLock { [clock] in $0.until = clock.now } }

    /// Somebody whom nobody here knows, and who knows of no leases, is elected and gone again.
    public func electAnother() { state.withLock { $0.fence += 1 } }
  }

  private let books: Books
  private let fence = Mutex<Int?>(nil)
  /// Where customers are stored.
  public var collections: MemoryCollections { books.collections }
  private let failure = Mutex<LedgerFailure?>(nil)

  /// A memory over these books.
  public init(_ books: Books = Books()) { self.books = books }

  /// Answers everything with a failure from now on; nil ends that.
  public func fail(_ failure: LedgerFailure?) { self.failure.withLock { $0 = failure } }

  /// Whether this one was elected last.
  var isElected: (Books.State) -> Bool {
    let fence = fence.withLock { $0 }
    return { $0.fence == fence }
  }

  func checked<Value>(_ body: (inout sending Books.State) -> sending Value) throws(LedgerFailure) -> Value {
    if let failure = failure.withLock({ $0 }) { throw failure }
    return books.state.withLock(body)
  }

  var now: ManualClock.Instant { books.clock.now }

  /// The watermark, as the port says.
  public func position(of stream: PollStream) async throws(LedgerFailure) -> PollPosition? {
    let now = now
    return try checked { state in
      guard let watermark = state.watermarks[stream] else { return nil }
      let age = state.moved[stream].map { $0.duration(to: now).components.seconds } ?? 0
      return PollPosition(watermark, age: age)
    }
  }

  /// Moves the watermark, as the port says.
  public func advance(
    _ stream: PollStream, from old: BeijingTime?, to new: BeijingTime
  ) async throws(LedgerFailure) -> Bool {
    let isElected = isElected
    let now = now
    return try checked { state in
      guard isElected(state), state.watermarks[stream] == old else { return false }
      state.watermarks[stream] = new
      state.moved[stream] = now
      return true
    }
  }

  /// The headlines that must be fetched, as the port says.
  public func unpublished(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try checked { state in
      headlines.filter { headline in
        guard let known = state.orders[headline.id] else { return true }
        return !known.isPublished || known.mustRefetch || known.updateTime != headline.updateTime
          || known.contentHash == FetchedRevision.removalHash
      }
    }
  }

  /// The headlines of which no deletion is published, as the port says.
  public func unremoved(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try checked { state in
      headlines.filter { headline in
        guard let known = state.orders[headline.id] else { return true }
        return !known.isPublished || known.contentHash != FetchedRevision.removalHash
      }
    }
  }

  /// The headlines that were numbered at some time, as the port says.
  public func numbered(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try checked { state in headlines.filter { state.orders[$0.id] != nil } }
  }

  /// Numbers contents, as the port says.
  public func number(_ revisions: [FetchedRevision]) async throws(LedgerFailure) -> [RevisionAnswer] {
    let isElected = isElected
    return try checked { state in
      if !isElected(state) { return revisions.map { _ in .overtaken } }
      return revisions.map { revision in
        guard let known = state.orders[revision.orderID] else {
          state.orders[revision.orderID] = Books.Known(
            number: 1, updateTime: revision.updateTime, contentHash: revision.contentHash)
          return .publish(number: 1)
        }
        // A deletion is newer than every content, whatever its time.
        let isRemoval = revision.contentHash == FetchedRevision.removalHash
        let isTimeless = revision.updateTime.epochSeconds == 0 && !known.isPublished
        if !isRemoval, !isTimeless, revision.updateTime < known.updateTime { return .published }
        let isAsNew = isRemoval || isTimeless || revision.updateTime == known.updateTime
        if isAsNew, revision.contentHash == known.contentHash {
          return known.isPublished ? .published : .publish(number: known.number)
        }
        state.orders[revision.orderID] = Books.Known(
          number: known.number + 1, updateTime: max(known.updateTime, revision.updateTime),
          contentHash: revision.contentHash)
        return .publish(number: known.number + 1)
      }
    }
  }

  /// Records what was published, as the port says.
  public func record(_ published: [PublishedRevision]) async throws(LedgerFailure) -> Bool {
    let isElected = isElected
    return try checked { state in
      if !isElected(state) { return false }
      for revision in published where state.orders[revision.orderID]?.number == revision.number {
        state.orders[revision.orderID]?.isPublished = true
        state.orders[revision.orderID]?.mustRefetch = revision.mayStillChange
      }
      return true
    }
  }

  /// Takes what is asked for, as the port says.
  public func refetches(limit: Int) async throws(LedgerFailure) -> [Refetch]? {
    let isElected = isElected
    return try checked { state in
      if !isElected(state) { return nil }
      let order = { (asked: Books.Asked) in (asked.tried ?? -1, asked.request) }
      let taken = state.refetches.sorted { order($0.value) < order($1.value) }.prefix(limit)
      for (id, asked) in taken {
        if asked.tried == nil {
          state.orders[id]?.updateTime = BeijingTime(epochSeconds: 0)
          state.orders[id]?.contentHash = FetchedRevision.forgottenHash
        }
        state.serial += 1
        state.refetches[id]?.tried = state.serial
      }
      return taken.map { Refetch($0.key, request: $0.value.request) }.sorted { $0.request < $1.request }
    }
  }

  /// Ends what was asked for, as the port says.
  public func endRefetches(_ done: [Refetch]) async throws(LedgerFailure) -> Bool {
    let isElected = isElected
    return try checked { state in
      if !isElected(state) { return false }
      for refetch in done where state.refetches[refetch.order]?.request == refetch.request {
        state.refetches[refetch.order] = nil
      }
      return true
    }
  }

  /// Stores customers, as the port says.
  public func store(customers: [CollectionRecord]) async throws(LedgerFailure) -> Bool {
    let isElected = isElected
    guard try checked({ isElected($0) }) else { return false }
    try await books.collections.store(customers, in: Poller.customersCollection)
    return true
  }

  /// Becomes or stays the poller of these books.
  public func lead() async throws(LedgerFailure) -> Bool {
    let me = ObjectIdentifier(self)
    do throws(LedgerFailure) {
      return try checked { [now = books.clock.now] state in
        if state.lock == nil { state.lock = me }
        let isLocked = state.lock == me
        let isOver = state.isOver(at: now)
        let isMine = fence.withLock { $0 == state.fence }
        guard isMine || isOver || isLocked && (state.leased != state.fence || state.isBound) else {
          if isLocked { state.lock = nil }
          fence.withLock { $0 = nil }
          return false
        }
        if !isMine {
          state.fence += 1
          state.leased = state.fence
          fence.withLock { $0 = state.fence }
        }
        state.until = now.advanced(by: .seconds(PollLease.seconds))
        state.isBound = isLocked
        return true
      }
    } catch {
      // The lock lives as long as its connection; the fence is another one's only with another election.
      disconnect()
      throw error
    }
  }

  /// Steps down.
  public func resign() async {
    let last = fence.withLock { fence in
      defer { fence = nil }
      return fence
    }
    books.state.withLock { state in
      if state.fence == last { state.until = books.clock.now }
    }
    disconnect()
  }

  /// Loses the connection, and the lock with it.
  public func disconnect() {
    books.state.withLock { state in
      if state.lock == ObjectIdentifier(self) { state.lock = nil }
    }
  }
}
