import CoreMetrics
import Synchronization

/// One series. A handler of swift-metrics writes it; the registry reads it when metrics are asked for.
enum MetricCell: Sendable {
  case counter(CounterCell)
  case gauge(GaugeCell)
  case timer(TimerCell)
  case histogram(HistogramCell)
  case observed(MetricsRegistry.ObservedKind, @Sendable () -> Double?)

  /// What Prometheus calls it.
  var kind: String {
    switch self {
    case .counter: "counter"
    case .gauge: "gauge"
    case .observed(let kind, _): kind.rawValue
    case .timer: "summary"
    case .histogram: "histogram"
    }
  }
}

final class CounterCell: CounterHandler {
  private let count = Atomic<Int64>(0)
  var value: Int64 { count.load(ordering: .relaxed) }
  func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
  func reset() { count.store(0, ordering: .relaxed) }
}

final class GaugeCell: RecorderHandler, MeterHandler {
  private let current = Mutex<Double>(0)
  var value: Double { current.withLock { $0 } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { current.withLock { $0 = value } }
  func increment(by amount: Double) { current.withLock { $0 += amount } }
  func decrement(by amount: Double) { current.withLock { $0 -= amount } }
}

final class TimerCell: TimerHandler, RecorderHandler {
  private let state = Mutex<(count: Int64, sum: Double)>((0, 0))
  var totals: (count: Int64, sum: Double) { state.withLock { $0 } }
  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) {
    state.withLock { state in
      state.count += 1
      state.sum += value
    }
  }
}

/// Counts values in buckets. An observation is two atomic additions: no lock, nothing allocated.
final class HistogramCell: TimerHandler, RecorderHandler {
  /// Most bounds of a histogram.
  static let mostBounds = 23

  /// Upper bounds, rising; what is above the last one has a bucket of its own.
  let bounds: [Double]
  private let counts = InlineArray<24, Atomic<Int64>> { _ in Atomic(0) }
  /// The sum's bits.
  private let sum = Atomic<UInt64>(0)

  init(_ bounds: [Double]) { self.bounds = bounds }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }

  /// A value that is no number is not counted: it would make the sum none for ever.
  func record(_ value: Double) {
    guard value.isFinite else { return }
    var place = 0
    while place < bounds.count, bounds[place] < value { place += 1 }
    counts[place].wrappingAdd(1, ordering: .relaxed)
    var old = sum.load(ordering: .relaxed)
    while true {
      let new = (Double(bitPattern: old) + value).bitPattern
      let (isDone, now) = sum.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
      if isDone { return }
      old = now
    }
  }

  /// How many values are not above each bound, and how many there are in all; their sum. What is observed meanwhile is in the
  /// numbers from some bucket on, so these never fall from one to the next.
  var totals: (upTo: [Int64], count: Int64, sum: Double) {
    var count: Int64 = 0
    var upTo: [Int64] = []
    upTo.reserveCapacity(bounds.count)
    for place in bounds.indices {
      count += counts[place].load(ordering: .relaxed)
      upTo.append(count)
    }
    count += counts[bounds.count].load(ordering: .relaxed)
    return (upTo, count, Double(bitPattern: sum.load(ordering: .relaxed)))
  }
}
