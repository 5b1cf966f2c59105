import CoreMetrics

/// Counts what is tried again, by the delay queue that it waits in. All series are there from the start; counting neither locks
/// nor allocates.
struct RetryMeter: Sendable {
  /// By rising delays, as the ladder has them.
  private let steps: [(seconds: Int, counter: Counter)]

  init(_ stage: StageName, ladder: [Int], factory: any MetricsFactory) {
    steps = ladder.map { seconds in
      let labels = [("stage", stage.rawValue), ("delay", "\(seconds)s")]
      return (seconds, Counter(label: "ferry_retries_total", dimensions: labels, factory: factory))
    }
  }

  /// A message goes to the queue of the first step that is not shorter, or of the last.
  func count(afterSeconds seconds: Int) { (steps.first { $0.seconds >= seconds } ?? steps.last)?.counter.increment() }
}
