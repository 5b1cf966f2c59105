public import Orders
public import Pipeline
import Synchronization

/// The archive of parked messages in memory.
public final class MemoryDeadLetters: DeadLetters {
  private struct Filed: Sendable {
    var state = FiledLetter.State.waiting
    var letter: DeadLetter
    var acts: [LetterAct] = []
    var repeats: [DeadLetter] = []
  }

  private struct State {
    var filed: [Filed] = []
    var failure: LedgerFailure?
    var filingFailure: LedgerFailure?
    var refused: Set<OrderID> = []
  }

  private let state = Mutex(State())

  private let books: MemoryPollLedger.Books

  /// An empty archive.
  /// - Parameter books: where it asks for orders to be read anew.
  public init(asking books: MemoryPollLedger.Books = MemoryPollLedger.Books()) { self.books = books }

  /// The next `mark` fails so, and does nothing.
  public func failNextMark(_ failure: LedgerFailure) { state.withLock { $0.failure = failure } }

  /// Letters of these orders cannot be filed from now on.
  public func refuse(_ orders: Set<OrderID>) { state.withLock { $0.refused = orders } }

  /// Nothing can be filed for this from now on.
  public func failFiling(_ failure: LedgerFailure?) { state.withLock { $0.filingFailure = failure } }

  /// Files letters.
  public func file(_ letters: [DeadLetter]) async throws(LedgerFailure) -> Filing {
    if let failure = state.withLock({ $0.filingFailure }) { throw failure }
    return state.withLock { state in
      var filing = Filing()
      for (place, letter) in letters.enumerated() {
        if letter.reason.utf8.count > 2_000 || letter.orderID.map(state.refused.contains) == true {
          filing.refused[place] = "it cannot be filed"
        } else if state.filed.contains(where: { ([$0.letter] + $0.repeats).contains { $0.isSame(as: letter) } }) {
          continue
        } else if let first = state.filed.firstIndex(where: { $0.state == .waiting && $0.letter.isAlike(letter) }) {
          state.filed[first].repeats.append(letter)
        } else {
          state.filed.append(Filed(letter: letter))
          filing.new += 1
        }
      }
      return filing
    }
  }

  /// Letters, with growing numbers.
  public func letters(
    _ filter: LetterFilter, after: Int64, limit: Int, withBodies: Bool
  ) async throws(LedgerFailure) -> [FiledLetter] {
    let filed = state.withLock { $0.filed }
    var found: [FiledLetter] = []
    var bytes = 0
    for (place, entry) in filed.enumerated() where place + 1 > after && found.count < limit {
      let id = Int64(place + 1)
      guard filter.ids?.contains(id) ?? true, filter.fits(entry.letter) else { continue }
      guard filter.state ?? entry.state == entry.state else { continue }
      var letter = entry.letter
      if !withBodies { letter.body = [] }
      bytes += letter.body.count
      if bytes > filter.mostBodyBytes, !found.isEmpty { break }
      letter.identity = ""
      var filed = FiledLetter(id: id, state: entry.state, by: entry.acts.last?.by, letter: letter)
      filed.times += entry.repeats.count
      if let last = entry.repeats.last { filed.lastParkedAt = last.parkedAt }
      found.append(filed)
    }
    return found
  }

  /// Letters that wait, counted.
  public func waiting() async throws(LedgerFailure) -> [WaitingLetters] {
    let letters = state.withLock { $0.filed.filter { $0.state == .waiting }.map(\.letter) }
    let groups = Dictionary(grouping: letters) { [$0.stage.rawValue, $0.reason] }
    return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { _, letters in
      WaitingLetters(
        stage: letters[0].stage, reason: letters[0].reason, count: letters.count,
        oldest: letters.map(\.parkedAt).min() ?? 0)
    }
  }

  /// What was done to a letter.
  public func acts(on id: Int64) async throws(LedgerFailure) -> [LetterAct] {
    state.withLock { $0.filed.indices.contains(Int(id) - 1) ? $0.filed[Int(id) - 1].acts : [] }
  }

  /// Marks letters as replayed, and asks for their orders.
  public func refetch(_ ids: [Int64], by: String) async throws(LedgerFailure) -> [Int64] {
    let (marked, orders) = state.withLock { state in
      let places = ids.map { Int($0) - 1 }.filter { state.filed.indices.contains($0) }
        .filter { state.filed[$0].letter.orderID != nil }.sorted()
      for place in places {
        state.filed[place].state = .replayed
        state.filed[place].acts.append(LetterAct(.replayed, by: by, at: 0, isRefetch: true))
      }
      return (places.map { Int64($0 + 1) }, Set(places.compactMap { state.filed[$0].letter.orderID }))
    }
    books.ask(orders)
    return marked
  }

  /// Records an act.
  public func mark(
    _ ids: [Int64], _ act: FiledLetter.State, by: String, read times: [Int]?
  ) async throws(LedgerFailure) -> [Int64] {
    let failure = state.withLock { state in
      defer { state.failure = nil }
      return state.failure
    }
    if let failure { throw failure }
    return state.withLock { state in
      let read = Dictionary(zip(ids, times ?? [])) { first, _ in first }
      return ids.sorted().filter { id in
        let place = Int(id) - 1
        guard state.filed.indices.contains(place), act == .replayed || state.filed[place].state == .waiting else {
          return false
        }
        if let read = read[id], state.filed[place].repeats.count + 1 != read { return false }
        state.filed[place].state = act
        state.filed[place].acts.append(LetterAct(act, by: by, at: 0))
        return true
      }
    }
  }
}

extension DeadLetter {
  fileprivate func isSame(as other: DeadLetter) -> Bool {
    stage == other.stage && properties == other.properties && body == other.body
  }
}

extension DeadLetter {
  fileprivate func isAlike(_ other: DeadLetter) -> Bool {
    !identity.isEmpty && stage == other.stage && identity == other.identity && body == other.body
  }
}

extension LetterFilter {
  fileprivate func fits(_ letter: DeadLetter) -> Bool {
    let isOfOrder = order == nil || order == letter.orderNumber || order == letter.orderID.map { "\($0)" }
    return reason ?? letter.reason == letter.reason && stage ?? letter.stage == letter.stage && isOfOrder
  }
}

/// Dead queues in memory.
public final class MemoryDeadQueues: DeadQueues {
  private struct State {
    var dead: [(letter: DeadLetter, tag: UInt64, excess: String?)] = []
    var lent: Set<UInt64> = []
    var serial: UInt64 = 0
    var published: [DeadLetter] = []
    var batches: [Int] = []
    var refusal: String?
    var unfit: (orders: Set<OrderID>, answer: PublishResult)?
  }

  private let state = Mutex(State())

  /// Empty ones.
  public init() {}

  /// What was published to the stages again.
  public var published: [DeadLetter] { state.withLock { $0.published } }

  /// How many at a time.
  public var batches: [Int] { state.withLock { $0.batches } }

  /// Nothing more can be published.
  public func refuse(_ why: String) { state.withLock { $0.refusal = why } }

  /// Letters of these orders are answered so.
  public func refuse(_ orders: Set<OrderID>, as answer: PublishResult) {
    state.withLock { $0.unfit = (orders, answer) }
  }

  /// Puts a letter into its stage's dead queue.
  /// - Parameter excess: why it cannot be taken in.
  public func park(_ letter: DeadLetter, excess: String? = nil) {
    state.withLock { state in
      state.serial += 1
      state.dead.append((letter, state.serial, excess))
    }
  }

  /// The tags of what lies there, taken or not.
  public var tags: [UInt64] { state.withLock { $0.dead.map(\.tag) } }

  /// Takes letters.
  public func take(_ stage: StageName, max: Int) async throws(BrokerFailure) -> [TakenLetter] {
    state.withLock { state in
      let taken = state.dead.filter { $0.letter.stage == stage && !state.lent.contains($0.tag) }.prefix(max)
      state.lent.formUnion(taken.map(\.tag))
      return taken.map { entry in
        let place = LetterPlace(queue: "\(stage.rawValue).dead", position: Int(entry.tag), messageID: nil)
        return TakenLetter(entry.letter, tag: entry.tag, place: place, excess: entry.excess)
      }
    }
  }

  /// Removes taken letters.
  public func acknowledge(_ taken: [TakenLetter]) {
    let tags = Set(taken.map(\.tag))
    state.withLock { $0.dead.removeAll { tags.contains($0.tag) } }
  }

  /// Keeps what is published.
  public func publishAgain(_ letters: [DeadLetter]) async -> [PublishResult] {
    state.withLock { state in
      state.batches.append(letters.count)
      if let why = state.refusal { return letters.map { _ in .refused(why) } }
      return letters.map { letter in
        if letter.body.isEmpty {
          let remedy = letter.orderID == nil ? "discard it" : "replay it with --refetch"
          return .tooLarge("it has no body, so there is nothing to publish: \(remedy)")
        }
        if let unfit = state.unfit, let order = letter.orderID, unfit.orders.contains(order) { return unfit.answer }
        state.published.append(letter)
        return .confirmed
      }
    }
  }

  /// What is lent goes back.
  public func close() async { state.withLock { $0.lent = [] } }
}
