public import Telemetry

extension MetricsRegistry {
  /// A registry whose histograms have the buckets that a test wants; an observation is then in one of few.
  ///
  /// - Parameter buckets: upper bounds by the histogram's name.
  public convenience init(dividing buckets: [String: [Double]]) {
    self.init()
    divide(buckets)
  }

  /// Whether `/metrics` has this line, such as `ferry_returned_total{stage="poll"} 0`.
  public func has(_ sample: String) -> Bool { samples.contains(sample[...]) }

  /// Samples of a metric that are not 0, by the values of their labels with blanks between.
  ///
  /// - Parameter first: with what the labels' values must begin.
  public func told(_ name: String, _ first: String = "") -> [String: String] {
    var told: [String: String] = [:]
    for line in samples where line.hasPrefix(name + "{") {
      let values = line.matches(of: #/"([^"]*)"/#).map { String($0.output.1) }.joined(separator: " ")
      guard let value = line.split(separator: " ").last, value != "0", values.hasPrefix(first) else { continue }
      told[values] = String(value)
    }
    return told
  }

  /// Lines of a metric, as the page has them, that are not 0 and without its name.
  public func lines(_ name: String) -> Set<String> {
    Set(
      samples.filter { ($0.hasPrefix(name + "{") || $0.hasPrefix(name + " ")) && !$0.hasSuffix(" 0") }
        .map { String($0.dropFirst(name.count)) })
  }

  private var samples: [Substring] { prometheusText().split(separator: "\n") }
}
