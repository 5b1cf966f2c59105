public import CoreMetrics
import Synchronization

/// The counters of the flow. Label sets are closed: stages, outcomes and reason codes, never ids.
public final class PipelineMetrics: Sendable {
  private let outcomes = Mutex<(counters: [Key: Counter], last: (key: Key, counter: Counter)?)>(([:], nil))
  private let deadLetters = Mutex<[Key: Counter]>([:])
  private let transformed: Counter
  private let loaded: Counter
  private let settled: [StageName: Counter]
  private let delivery: Timer
  private let duplicates: Counter
  private let transforming: WaitMeter
  let factory: any MetricsFactory

  private struct Key: Hashable {
    let stage: StageName
    let outcome: String
    let reason: ReasonCode?

    init(stage: StageName, outcome: String, reason: ReasonCode?) {
      self.stage = stage
      self.outcome = outcome
      self.reason = reason
    }

    init(_ outcome: Outcome, at stage: StageName) {
      self.init(stage: stage, outcome: outcome.label, reason: outcome.reason?.code)
    }
  }

  /// The counters of a factory.
  public init(factory: any MetricsFactory = MetricsSystem.factory) {
    self.factory = factory
    transformed = Counter(label: "ferry_transformed_total", factory: factory)
    loaded = Counter(label: "ferry_loaded_total", factory: factory)
    delivery = Timer(label: "ferry_delivery_seconds", factory: factory)
    duplicates = Self.dedupHits("delivered", factory)
    transforming = WaitMeter(Timer(label: "ferry_transform_seconds", factory: factory))
    settled = Dictionary(
      uniqueKeysWithValues: StageName.allCases.map { stage in
        (stage, Counter(label: "ferry_settled_total", dimensions: [("stage", stage.rawValue)], factory: factory))
      })
  }

  /// Makes the series of a stage, so that they are there before the first increment: else whoever asks for a rate never sees
  /// that one.
  public func begin(_ stage: StageName) {
    for reason in ReasonCode.allCases { begin(burialFor: reason, at: stage) }
    switch stage {
    case .transform: _ = counter(Key(stage: stage, outcome: "forward", reason: nil))
    case .load:
      for done in Outcome.Done.allCases { _ = counter(Key(stage: stage, outcome: done.rawValue, reason: nil)) }
    }
  }

  /// What was there already.
  /// - Parameter kind: `listed` of the poller, `delivered` of a loader.
  static func dedupHits(_ kind: String, _ factory: any MetricsFactory) -> Counter {
    Counter(label: "ferry_dedup_hits_total", dimensions: [("kind", kind)], factory: factory)
  }

  /// A stage has decided on a batch.
  func handled(at stage: StageName, took: Duration) {
    if stage == .transform { transforming.observe(took) }
  }

  /// The same of what a poller parks for a stage.
  func begin(burialFor reason: ReasonCode, at stage: StageName) {
    _ = deadLetterCounter(Key(stage: stage, outcome: "dead", reason: reason))
  }

  /// Outcomes of a batch, which are mostly the same: one lock for each run of such, none for each order.
  func count(_ outcomes: [Outcome], at stage: StageName) {
    var begin = 0
    while begin < outcomes.count {
      let first = outcomes[begin]
      let key = Key(first, at: stage)
      var end = begin + 1
      while end < outcomes.count, Key(outcomes[end], at: stage) == key { end += 1 }
      counter(key).increment(by: end - begin)
      if case .forward = first { transformed.increment(by: end - begin) }
      if first.isWritten { loaded.increment(by: end - begin) }
      if case .done(.duplicate) = first { duplicates.increment(by: end - begin) }
      begin = end
    }
  }

  private func counter(_ key: Key) -> Counter {
    outcomes.withLock { state in
      // A batch's outcomes are mostly the same.
      if let last = state.last, last.key == key { return last.counter }
      let counter =
        state.counters[key]
        ?? Counter(
          label: "ferry_outcomes_total",
          dimensions: [
            ("stage", key.stage.rawValue), ("outcome", key.outcome), ("reason", key.reason?.rawValue ?? ""),
          ],
          factory: factory)
      state.counters[key] = counter
      state.last = (key, counter)
      return counter
    }
  }

  /// A bill is known as written in K/3. Neither locks nor allocates: it is told of each.
  /// - Parameters:
  ///   - seen: when the poller first saw the revision, in milliseconds since 1970 UTC; of 0 nobody knows.
  ///   - now: by this machine's clock.
  func delivered(_ seen: Int64, now: Int64) {
    guard seen > 0 else { return }
    delivery.recordNanoseconds(min(max(now - seen, 0), 1 << 42) * 1_000_000)
  }

  /// Messages are acknowledged: what came of them is safe.
  func countSettled(_ count: Int, at stage: StageName) { settled[stage]?.increment(by: count) }

  /// A message was refused unread: the broker parks it, without a burial.
  public func countRefused(_ reason: ReasonCode, at stage: StageName) {
    count([.dead(Outcome.Burial(Reason(reason, "refused unread")))], at: stage)
    countDeadLetter(reason, at: stage)
  }

  func countDeadLetter(_ reason: ReasonCode, at stage: StageName) {
    let key = Key(stage: stage, outcome: "dead", reason: reason)
    deadLetterCounter(key).increment()
  }

  private func deadLetterCounter(_ key: Key) -> Counter {
    deadLetters.withLock { counters in
      if let counter = counters[key] { return counter }
      let counter = Counter(
        label: "ferry_dead_letters_total",
        dimensions: [("stage", key.stage.rawValue), ("reason", key.reason?.rawValue ?? "")], factory: factory)
      counters[key] = counter
      return counter
    }
  }
}

extension Outcome {
  /// The message has come further, or to its end.
  var isFruitful: Bool {
    switch self {
    case .forward, .done: true
    case .retry, .later, .outage, .dead: false
    }
  }

  /// The bill is known as written in K/3, by this attempt or an earlier one whose answer was lost.
  var isWritten: Bool {
    switch self {
    case .done(.written), .done(.updated), .done(.resolved): true
    case .forward, .done, .retry, .later, .outage, .dead: false
    }
  }

  /// The reason that the outcome carries, if any.
  var reason: Reason? {
    switch self {
    case .forward, .done: nil
    case .retry(let reason), .later(let reason, _), .outage(let reason): reason
    case .dead(let burial): burial.reason
    }
  }
}
