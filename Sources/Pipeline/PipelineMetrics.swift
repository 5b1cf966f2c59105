public import CoreMetrics
import Synchronization

/// The counters of the flow. Label sets are closed: stages, outcomes and reason codes, never ids.
public final class PipelineMetrics: Sendable {
  private let outcomes = Mutex<(counters: [Key: Counter], last: (key: Key, counter: Counter)?)>(([:], nil))
  private let deadLetters = Mutex<[Key: Counter]>([:])
  private let transformed: Counter
  private let loaded: Counter
  private let settled: [StageName: Counter]
  let factory: any MetricsFactory

  private struct Key: Hashable {
    let stage: StageName
    let outcome: String
    let reason: ReasonCode?
  }

  /// The counters of a factory.
  public init(factory: any MetricsFactory = MetricsSystem.factory) {
    self.factory = factory
    transformed = Counter(label: "ferry_transformed_total", factory: factory)
    loaded = Counter(label: "ferry_loaded_total", factory: factory)
    settled = Dictionary(
      uniqueKeysWithValues: StageName.allCases.map { stage in
        (stage, Counter(label: "ferry_settled_total", dimensions: [("stage", stage.rawValue)], factory: factory))
      })
  }

  func count(_ outcome: Outcome, at stage: StageName) {
    let key = Key(stage: stage, outcome: outcome.label, reason: outcome.reason?.code)
    outcomes.withLock { state in
      // A batch's outcomes are mostly the same.
      if let last = state.last, last.key == key { return last.counter }
      let counter =
        state.counters[key]
        ?? Counter(
          label: "ferry_outcomes_total",
          dimensions: [("stage", stage.rawValue), ("outcome", key.outcome), ("reason", key.reason?.rawValue ?? "")],
          factory: factory)
      state.counters[key] = counter
      state.last = (key, counter)
      return counter
    }.increment()
    switch outcome {
    case .forward: transformed.increment()
    case .done(.written), .done(.updated), .done(.resolved): loaded.increment()
    default: break
    }
  }

  /// Messages are acknowledged: what came of them is safe.
  func countSettled(_ count: Int, at stage: StageName) { settled[stage]?.increment(by: count) }

  /// A message was refused unread: the broker parks it, without a burial.
  public func countRefused(_ reason: ReasonCode, at stage: StageName) {
    count(.dead(Outcome.Burial(Reason(reason, "refused unread"))), at: stage)
    countDeadLetter(reason, at: stage)
  }

  func countDeadLetter(_ reason: ReasonCode, at stage: StageName) {
    let key = Key(stage: stage, outcome: "dead", reason: reason)
    deadLetters.withLock { counters in
      if let counter = counters[key] { return counter }
      let counter = Counter(
        label: "ferry_dead_letters_total", dimensions: [("stage", stage.rawValue), ("reason", reason.rawValue)],
        factory: factory)
      counters[key] = counter
      return counter
    }.increment()
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

  /// The reason that the outcome carries, if any.
  var reason: Reason? {
    switch self {
    case .forward, .done: nil
    case .retry(let reason), .later(let reason, _), .outage(let reason): reason
    case .dead(let burial): burial.reason
    }
  }
}
