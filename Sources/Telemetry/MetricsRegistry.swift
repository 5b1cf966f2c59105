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

  private struct State {
    var cells: [Series: MetricCell] = [:]
    /// By name: Prometheus takes one kind for all series of a name.
    var kinds: [String: String] = [:]
    /// By name: one sentence.
    var help: [String: String] = [:]
    /// By name: upper bounds of the buckets.
    var buckets: [String: [Double]] = [:]

    /// False beyond the limit and for a name that is of another kind already: such a series counts for nobody,
    /// instead of eating the process's memory or making the text unreadable.
    mutating func add(_ cell: MetricCell, as series: Series) -> Bool {
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

  /// What a series is whose value is asked for.
  public enum ObservedKind: String, Sendable {
    /// Goes up and down.
    case gauge
    /// Only grows.
    case counter
  }

  /// A series that is asked for its value when metrics are read; without one, while it is not known, it is left out.
  public func observe(
    _ name: String, labels: [(String, String)] = [], as kind: ObservedKind = .gauge,
    _ value: @escaping @Sendable () -> Double?
  ) {
    let series = Series(name: Self.name(name), labels: Self.text(labels))
    state.withLock { _ = $0.add(.observed(kind, value), as: series) }
  }

  /// Makes histograms of the timers and recorders of these names that are made from now on.
  /// - Parameter buckets: by name the upper bounds, 1 to 23 of them, rising; of timers in seconds. A bound counts in its bucket.
  public func divide(_ buckets: [String: [Double]]) {
    for (name, bounds) in buckets {
      // The bounds are written in this program; a histogram has room for no more, and finds nothing among unsorted ones.
      precondition(
        (1...HistogramCell.mostBounds).contains(bounds.count) && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 },
        "the buckets of \(name) must be 1 to \(HistogramCell.mostBounds) rising bounds")
    }
    state.withLock { $0.buckets.merge(buckets) { $1 } }
  }

  /// Sentences for the `# HELP` lines, by name. A name without one has no such line.
  public func describe(_ help: [String: String]) {
    state.withLock { $0.help.merge(help) { $1 } }
  }

  /// A counter.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    cell(label, dimensions, CounterCell.init, MetricCell.counter) {
      if case .counter(let cell) = $0 { cell } else { nil }
    }
  }

  /// A gauge, or, with `aggregate`, a histogram where the name has buckets, else a sum and a count.
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    if !aggregate { return gauge(label, dimensions) }
    return histogram(label, dimensions) ?? timer(label, dimensions)
  }

  /// A gauge that goes up and down.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }

  /// A histogram of seconds where the name has buckets, else a sum of seconds and a count.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    histogram(label, dimensions) ?? timer(label, dimensions)
  }

  private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeCell {
    cell(label, dimensions, GaugeCell.init, MetricCell.gauge) { if case .gauge(let cell) = $0 { cell } else { nil } }
  }

  private func timer(_ label: String, _ dimensions: [(String, String)]) -> TimerCell {
    cell(label, dimensions, TimerCell.init, MetricCell.timer) { if case .timer(let cell) = $0 { cell } else { nil } }
  }

  private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramCell? {
    guard let bounds = state.withLock({ $0.buckets[Self.name(label)] }) else { return nil }
    return cell(label, dimensions, { HistogramCell(bounds) }, MetricCell.histogram) {
      if case .histogram(let cell) = $0 { cell } else { nil }
    }
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
    var blocks: [String: [(labels: String, lines: String)]] = [:]
    for (series, cell) in state.cells {
      let lines = Self.lines(of: cell, series)
      if !lines.isEmpty { blocks[series.name, default: []].append((series.labels, lines)) }
    }
    var text = ""
    for name in blocks.keys.sorted() {
      if let help = state.help[name] {
        text += "# HELP \(name) \(help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
      }
      text += "# TYPE \(name) \(state.kinds[name] ?? "untyped")\n"
      for block in (blocks[name] ?? []).sorted(by: { $0.labels < $1.labels }) { text += block.lines }
    }
    return text
  }

  /// The lines of one series, buckets from the lowest to the highest; none while its value is not known.
  private static func lines(of cell: MetricCell, _ series: Series) -> String {
    func line(_ suffix: String, _ value: String, _ labels: String = series.labels) -> String {
      "\(series.name)\(suffix)\(labels) \(value)\n"
    }
    switch cell {
    case .counter(let counter): return line("", String(counter.value))
    case .gauge(let gauge): return line("", text(gauge.value))
    case .observed(_, let value): return value().map { line("", text($0)) } ?? ""
    case .timer(let timer):
      let (count, sum) = timer.totals
      return line("_count", String(count)) + line("_sum", text(sum))
    case .histogram(let histogram):
      let (upTo, count, sum) = histogram.totals
      let others = series.labels.isEmpty ? "" : series.labels.dropFirst().dropLast() + ","
      var lines = ""
      for (bound, number) in zip(histogram.bounds.map(text) + ["+Inf"], upTo + [count]) {
        lines += line("_bucket", String(number), "{\(others)le=\"\(bound)\"}")
      }
      return lines + line("_sum", text(sum)) + line("_count", String(count))
    }
  }

  private func cell<Handler: Sendable>(
    _ name: String, _ labels: [(String, String)], _ make: () -> Handler, _ wrap: (Handler) -> MetricCell,
    _ unwrap: (MetricCell) -> Handler?
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
