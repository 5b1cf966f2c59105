import CoreMetrics
import Telemetry
import Testing

@Suite("Histograms", .timeLimit(.minutes(1)))
struct HistogramTests {
  private func registry(_ bounds: [Double] = [0.01, 0.5, 1, 60]) -> MetricsRegistry {
    let registry = MetricsRegistry()
    registry.divide(["ferry_seconds": bounds])
    return registry
  }

  @Test("a value is counted in every bucket whose bound it does not exceed; buckets rise to +Inf, with sum and count")
  func buckets() {
    let registry = registry()
    registry.describe(["ferry_seconds": "Seconds."])
    let timer = registry.makeTimer(label: "ferry_seconds", dimensions: [("stage", "load")])
    for nanoseconds in [0, 7_812_500, 15_625_000, 500_000_000, 60_000_000_000, 61_000_000_000] {
      timer.recordNanoseconds(Int64(nanoseconds))
    }
    #expect(
      registry.prometheusText() == """
        # HELP ferry_seconds Seconds.
        # TYPE ferry_seconds histogram
        ferry_seconds_bucket{stage="load",le="0.01"} 2
        ferry_seconds_bucket{stage="load",le="0.5"} 4
        ferry_seconds_bucket{stage="load",le="1"} 4
        ferry_seconds_bucket{stage="load",le="60"} 5
        ferry_seconds_bucket{stage="load",le="+Inf"} 6
        ferry_seconds_sum{stage="load"} 121.5234375
        ferry_seconds_count{stage="load"} 6

        """)
  }

  @Test("a histogram without labels and one that nothing was observed of have all their lines")
  func empty() {
    let registry = registry([1])
    _ = registry.makeRecorder(label: "ferry_seconds", dimensions: [], aggregate: true)
    #expect(
      registry.prometheusText() == """
        # TYPE ferry_seconds histogram
        ferry_seconds_bucket{le="1"} 0
        ferry_seconds_bucket{le="+Inf"} 0
        ferry_seconds_sum 0
        ferry_seconds_count 0

        """)
  }

  @Test("of one name, series stand together, and one set of labels is one series")
  func series() {
    let registry = registry([1])
    for stage in ["b", "a", "b"] {
      registry.makeTimer(label: "ferry_seconds", dimensions: [("stage", stage)]).recordNanoseconds(1)
    }
    let lines = registry.prometheusText().split(separator: "\n").filter { $0.contains("_count") || $0.contains("Inf") }
    #expect(
      lines == [
        #"ferry_seconds_bucket{stage="a",le="+Inf"} 1"#, #"ferry_seconds_count{stage="a"} 1"#,
        #"ferry_seconds_bucket{stage="b",le="+Inf"} 2"#, #"ferry_seconds_count{stage="b"} 2"#,
      ])
  }

  @Test("a value that is no number spoils no sum; one below all bounds and a negative one are in the first bucket")
  func oddValues() {
    let registry = registry([1])
    let recorder = registry.makeRecorder(label: "ferry_seconds", dimensions: [], aggregate: true)
    for value in [.nan, .infinity, -.infinity, -2, 0.5] { recorder.record(value) }
    recorder.record(Int64(7))
    let lines = registry.prometheusText().split(separator: "\n").dropFirst()
    #expect(
      lines == [
        #"ferry_seconds_bucket{le="1"} 2"#, #"ferry_seconds_bucket{le="+Inf"} 3"#, "ferry_seconds_sum 5.5",
        "ferry_seconds_count 3",
      ])
  }

  @Test("a name without buckets stays a sum and a count; a gauge of a name with buckets stays a gauge")
  func others() {
    let registry = registry([1])
    registry.makeTimer(label: "ferry_other", dimensions: []).recordNanoseconds(1_000_000_000)
    registry.makeRecorder(label: "ferry_seconds", dimensions: [], aggregate: false).record(3.0)
    #expect(
      registry.prometheusText() == """
        # TYPE ferry_other summary
        ferry_other_count 1
        ferry_other_sum 1
        # TYPE ferry_seconds gauge
        ferry_seconds 3

        """)
  }

  @Test("no observation is lost between many tasks, and buckets never fall while they go on")
  func concurrency() async {
    let registry = registry([0.5])
    await withTaskGroup { group in
      for task in 0..<8 {
        group.addTask {
          let timer = registry.makeTimer(label: "ferry_seconds", dimensions: [])
          for step in 0..<5_000 {
            timer.recordNanoseconds(task % 2 == 0 ? 250_000_000 : 1_000_000_000)
            if step % 500 == 0 {
              let counts = registry.prometheusText().split(separator: "\n").filter { $0.contains("_bucket") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
              #expect(counts == counts.sorted())
            }
          }
        }
      }
    }
    let lines = Set(registry.prometheusText().split(separator: "\n"))
    #expect(
      lines.isSuperset(of: [
        #"ferry_seconds_bucket{le="0.5"} 20000"#, #"ferry_seconds_bucket{le="+Inf"} 40000"#,
        "ferry_seconds_sum 25000", "ferry_seconds_count 40000",
      ]))
  }

  @Test("an observed counter is a counter; a series whose value is not known is left out, with its name if it is alone")
  func observed() {
    let registry = MetricsRegistry()
    registry.describe(["ferry_unknown": "Nobody knows.", "ferry_known": "Some do."])
    registry.observe("ferry_busy_seconds_total", as: .counter) { 1.5 }
    registry.observe("ferry_unknown") { nil }
    registry.observe("ferry_known", labels: [("a", "1")]) { nil }
    registry.observe("ferry_known", labels: [("a", "2")]) { 0 }
    #expect(
      registry.prometheusText() == """
        # TYPE ferry_busy_seconds_total counter
        ferry_busy_seconds_total 1.5
        # HELP ferry_known Some do.
        # TYPE ferry_known gauge
        ferry_known{a="2"} 0

        """)
  }
}
