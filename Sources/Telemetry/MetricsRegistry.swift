public import CoreMetrics
import Synchronization

/// Keeps every metric of the process and prints them as Prometheus text (version 0.0.4).
///
/// A factory for swift-metrics. Label sets must be closed: a series lives as long as the process.
public final class MetricsRegistry: MetricsFactory {
  private struct Series: Hashable {
    let name: String
    let labels: String
  }

  private enum Cell: Sendable {
    case counter(CounterCell)
    case gauge(GaugeCell)
    case timer(TimerCell)
  }

  private let cells = Mutex<[Series: Cell]>([:])
  private let gauges = Mutex<[Series: @Sendable () -> Double]>([:])
  private static let limit = 10_000

  /// An empty registry.
  public init() {}

  /// A gauge that is asked for its value when metrics are read.
  public func observe(_ name: String, labels: [(String, String)] = [], _ value: @escaping @Sendable () -> Double) {
    gauges.withLock { $0[Series(name: name, labels: Self.text(labels))] = value }
  }

  /// A counter.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    cell(label, dimensions, CounterCell.init, Cell.counter) { if case .counter(let cell) = $0 { cell } else { nil } }
  }

  /// A gauge, or, with `aggregate`, a sum and a count.
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    if aggregate {
      return cell(label, dimensions, TimerCell.init, Cell.timer) { if case .timer(let cell) = $0 { cell } else { nil } }
    }
    return cell(label, dimensions, GaugeCell.init, Cell.gauge) { if case .gauge(let cell) = $0 { cell } else { nil } }
  }

  /// A gauge that goes up and down.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    cell(label, dimensions, GaugeCell.init, Cell.gauge) { if case .gauge(let cell) = $0 { cell } else { nil } }
  }

  /// A sum of seconds and a count.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    cell(label, dimensions, TimerCell.init, Cell.timer) { if case .timer(let cell) = $0 { cell } else { nil } }
  }

  /// Series live as long as the process.
  public func destroyCounter(_ handler: any CounterHandler) {}
  /// Series live as long as the process.
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  /// Series live as long as the process.
  public func destroyMeter(_ handler: any MeterHandler) {}
  /// Series live as long as the process.
  public func destroyTimer(_ handler: any TimerHandler) {}

  /// All series, sorted by name and labels.
  public func prometheusText() -> String {
    var lines: [String: [String]] = [:]
    var kinds: [String: String] = [:]
    for (series, cell) in cells.withLock({ $0 }) {
      switch cell {
      case .counter(let counter):
        kinds[series.name] = "counter"
        lines[series.name, default: []].append("\(series.name)\(series.labels) \(counter.value)")
      case .gauge(let gauge):
        kinds[series.name] = "gauge"
        lines[series.name, default: []].append("\(series.name)\(series.labels) \(Self.text(gauge.value))")
      case .timer(let timer):
        let (count, sum) = timer.totals
        kinds[series.name] = "summary"
        lines[series.name, default: []].append("\(series.name)_count\(series.labels) \(count)")
        lines[series.name, default: []].append("\(series.name)_sum\(series.labels) \(Self.text(sum))")
      }
    }
    for (series, value) in gauges.withLock({ $0 }) {
      kinds[series.name] = "gauge"
      lines[series.name, default: []].append("\(series.name)\(series.labels) \(Self.text(value()))")
    }
    var text = ""
    for name in lines.keys.sorted() {
      text += "# TYPE \(name) \(kinds[name] ?? "untyped")\n"
      for line in (lines[name] ?? []).sorted() { text += line + "\n" }
    }
    return text
  }

  private func cell<Handler: Sendable>(
    _ name: String, _ labels: [(String, String)], _ make: () -> Handler, _ wrap: (Handler) -> Cell,
    _ unwrap: (Cell) -> Handler?
  ) -> Handler {
    let series = Series(name: Self.name(name), labels: Self.text(labels))
    return cells.withLock { cells in
      if let known = cells[series].flatMap(unwrap) { return known }
      let made = make()
      // Beyond the limit a series counts for nobody, instead of eating the process's memory.
      if cells.count < Self.limit { cells[series] = wrap(made) }
      return made
    }
  }

  private static func name(_ label: String) -> String {
    String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
  }

  private static func text(_ labels: [(String, String)]) -> String {
    if labels.isEmpty { return "" }
    let parts = labels.map { key, value in
      var escaped = ""
      for character in value {
        switch character {
        case "\\": escaped += "\\\\"
        case "\"": escaped += "\\\""
        case "\n": escaped += "\\n"
        default: escaped.append(character)
        }
      }
      return "\(name(key))=\"\(escaped)\""
    }
    return "{\(parts.joined(separator: ","))}"
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
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
