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
    case observed(@Sendable () -> Double)

    /// What Prometheus calls it.
    var kind: String {
      switch self {
      case .counter: "counter"
      case .gauge, .observed: "gauge"
      case .timer: "summary"
      }
    }
  }

  private struct State {
    var cells: [Series: Cell] = [:]
    /// By name: Prometheus takes one kind for all series of a name.
    var kinds: [String: String] = [:]
    /// By name: one sentence.
    var help: [String: String] = [:]

    /// False beyond the limit and for a name that is of another kind already: such a series counts for nobody,
    /// instead of eating the process's memory or making the text unreadable.
    mutating func add(_ cell: Cell, as series: Series) -> Bool {
      guard cells.count < MetricsRegistry.limit, kinds[series.name, default: cell.kind] == cell.kind else {
        return false
      }
      kinds[series.name] = cell.kind
      cells[series] = cell
      return true
    }
  }

  private let state = Mutex(State())
  private static let limit = 10_000

  /// An empty registry.
  public init() {}

  /// A gauge that is asked for its value when metrics are read.
  public func observe(_ name: String, labels: [(String, String)] = [], _ value: @escaping @Sendable () -> Double) {
    let series = Series(name: Self.name(name), labels: Self.text(labels))
    state.withLock { _ = $0.add(.observed(value), as: series) }
  }

  /// Sentences for the `# HELP` lines, by name. A name without one has no such line.
  public func describe(_ help: [String: String]) {
    state.withLock { $0.help.merge(help) { $1 } }
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
    let state = state.withLock { $0 }
    var lines: [String: [String]] = [:]
    for (series, cell) in state.cells {
      func add(_ suffix: String, _ value: String) {
        lines[series.name, default: []].append("\(series.name)\(suffix)\(series.labels) \(value)")
      }
      switch cell {
      case .counter(let counter): add("", String(counter.value))
      case .gauge(let gauge): add("", Self.text(gauge.value))
      case .observed(let value): add("", Self.text(value()))
      case .timer(let timer):
        let (count, sum) = timer.totals
        add("_count", String(count))
        add("_sum", Self.text(sum))
      }
    }
    var text = ""
    for name in lines.keys.sorted() {
      if let help = state.help[name] {
        text += "# HELP \(name) \(help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
      }
      text += "# TYPE \(name) \(state.kinds[name] ?? "untyped")\n"
      for line in (lines[name] ?? []).sorted() { text += line + "\n" }
    }
    return text
  }

  private func cell<Handler: Sendable>(
    _ name: String, _ labels: [(String, String)], _ make: () -> Handler, _ wrap: (Handler) -> Cell,
    _ unwrap: (Cell) -> Handler?
  ) -> Handler {
    let series = Series(name: Self.name(name), labels: Self.text(labels))
    return state.withLock { state in
      if let known = state.cells[series].flatMap(unwrap) { return known }
      let made = make()
      // A name of another kind keeps what it has; the handler works, but nobody reads it.
      if state.cells[series] == nil { _ = state.add(wrap(made), as: series) }
      return made
    }
  }

  /// Letters, digits, `_` and, in a metric's name, `:`; never a digit first.
  private static func name(_ label: String, colon: Bool = true) -> String {
    let name = label.unicodeScalars.map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9": Character(scalar)
      case ":" where colon: ":"
      default: "_"
      }
    }
    return name.first.map { ("0"..."9").contains($0) } ?? true ? "_" + String(name) : String(name)
  }

  /// Sorted by name, so that one set of labels is one series however it is written.
  private static func text(_ labels: [(String, String)]) -> String {
    if labels.isEmpty { return "" }
    let parts = labels.map { (name($0.0, colon: false), $0.1) }.sorted { $0.0 < $1.0 }.map { key, value in
      var escaped = ""
      // By scalars: a line's end after a carriage return is one character with it.
      for scalar in value.unicodeScalars {
        switch scalar {
        case "\\": escaped += "\\\\"
        case "\"": escaped += "\\\""
        case "\n": escaped += "\\n"
        default: escaped.unicodeScalars.append(scalar)
        }
      }
      return "\(key)=\"\(escaped)\""
    }
    return "{\(parts.joined(separator: ","))}"
  }

  private static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
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
