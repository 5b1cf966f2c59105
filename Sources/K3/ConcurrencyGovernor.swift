/// Decides how many requests may be under way at a time: half as many when K/3 is overloaded, one more after a round of
/// quick answers (AIMD). Pure; it knows no clock.
///
/// It begins at its ceiling, so a K/3 that keeps up never notices it. K/3 is overloaded when it says so or lets a request
/// time out. Such signs come in crowds: the limit is halved once for all requests that were sent before it was.
///
/// A round is as many answers of one kind as the limit lets through twice, at least 8, all sent since the limit changed
/// last. Its middle latency is held against the lowest middle of earlier rounds: below double, one more; above fourfold, one
/// less; else neither. Middles, because bills of one line and of 800 lie side by side. The lowest is forgotten by a fiftieth
/// a round, so that a K/3 that has become slower for good does not hold the limit down for ever; and below 50 ms nothing
/// counts as slow.
struct ConcurrencyGovernor: Sendable {
  /// What is compared with what.
  enum Kind: Sendable, CaseIterable { case write, read }

  /// What a request tells.
  enum Sign: Sendable {
    /// It was answered.
    case answered(Kind, after: Duration)
    /// K/3 has too much to do.
    case overloaded
  }

  private struct Round {
    var latencies: [Duration] = []
    /// The lowest middle of earlier rounds; nil before the first.
    var lowest: Duration?
  }

  /// The limit's bounds.
  let bounds: ClosedRange<Int>
  /// Requests that may be under way at a time.
  private(set) var limit: Int
  /// When the limit changed last; nil: never.
  private var changed: ContinuousClock.Instant?
  private var writes = Round()
  private var reads = Round()

  /// A latency that is quick whatever the others were.
  static let quick = Duration.milliseconds(50)
  /// Fewest answers of a round.
  static let leastAnswers = 8

  init(_ bounds: ClosedRange<Int>) {
    self.bounds = bounds
    limit = bounds.upperBound
  }

  /// Takes a request's sign.
  /// - Parameters:
  ///   - sent: when the request left the queue.
  ///   - now: when it ended.
  mutating func note(_ sign: Sign, sent: ContinuousClock.Instant, now: ContinuousClock.Instant) {
    // Sent under another limit: it tells of that one.
    if let changed, sent < changed { return }
    switch sign {
    case .overloaded: change(to: limit / 2, now)
    case .answered(.write, let latency): note(latency, \.writes, now)
    case .answered(.read, let latency): note(latency, \.reads, now)
    }
  }

  private mutating func note(
    _ latency: Duration, _ round: WritableKeyPath<ConcurrencyGovernor, Round>, _ now: ContinuousClock.Instant
  ) {
    self[keyPath: round].latencies.append(latency)
    guard self[keyPath: round].latencies.count >= max(Self.leastAnswers, limit * 2) else { return }
    let latencies = self[keyPath: round].latencies.sorted()
    let middle = max(latencies[latencies.count / 2], Self.quick)
    let before = self[keyPath: round].lowest
    self[keyPath: round].latencies = []
    self[keyPath: round].lowest = before.map { min($0 + $0 / 50, middle) } ?? middle
    guard let before else { return }
    if middle < before * 2 {
      change(to: limit + 1, now)
    } else if middle > before * 4 {
      change(to: limit - 1, now)
    }
  }

  private mutating func change(to wished: Int, _ now: ContinuousClock.Instant) {
    let next = min(max(wished, bounds.lowerBound), bounds.upperBound)
    writes.latencies = []
    reads.latencies = []
    // Also when nothing is left to change: the signs of one crowd are one.
    changed = now
    limit = next
  }
}
