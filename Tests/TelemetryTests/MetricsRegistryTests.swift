import CoreMetrics
import Telemetry
import Testing

@Suite("Prometheus text", .timeLimit(.minutes(2)))
struct MetricsRegistryTests {
  @Test("each kind of metric has its lines, sorted by name and labels, with one type line a name")
  func kinds() {
    let registry = MetricsRegistry()
    registry.makeTimer(label: "ferry_seconds", dimensions: [("stage", "load")]).recordNanoseconds(1_500_000_000)
    registry.makeTimer(label: "ferry_seconds", dimensions: [("stage", "load")]).recordNanoseconds(250_000_000)
    registry.makeCounter(label: "ferry_orders", dimensions: [("stage", "b")]).increment(by: 2)
    registry.makeCounter(label: "ferry_orders", dimensions: [("stage", "a")]).increment(by: 40)
    registry.makeCounter(label: "ferry_orders", dimensions: []).increment(by: 1)
    registry.makeMeter(label: "ferry_depth", dimensions: []).set(7.5)
    registry.makeRecorder(label: "ferry_batch", dimensions: [], aggregate: false).record(Int64(3))
    registry.makeRecorder(label: "ferry_rows", dimensions: [], aggregate: true).record(2.5)
    registry.observe("ferry_open", labels: [("port", "9")]) { 1e17 }
    #expect(
      registry.prometheusText() == """
        # TYPE ferry_batch gauge
        ferry_batch 3
        # TYPE ferry_depth gauge
        ferry_depth 7.5
        # TYPE ferry_open gauge
        ferry_open{port="9"} 1e+17
        # TYPE ferry_orders counter
        ferry_orders 1
        ferry_orders{stage="a"} 40
        ferry_orders{stage="b"} 2
        # TYPE ferry_rows summary
        ferry_rows_count 1
        ferry_rows_sum 2.5
        # TYPE ferry_seconds summary
        ferry_seconds_count{stage="load"} 2
        ferry_seconds_sum{stage="load"} 1.75

        """)
  }

  @Test("an empty registry has no text")
  func empty() {
    #expect(MetricsRegistry().prometheusText() == "")
  }

  @Test("one set of labels is one series, in whatever order it is given")
  func labelOrder() {
    let registry = MetricsRegistry()
    registry.makeCounter(label: "c", dimensions: [("b", "1"), ("a", "2")]).increment(by: 1)
    registry.makeCounter(label: "c", dimensions: [("a", "2"), ("b", "1")]).increment(by: 1)
    registry.makeCounter(label: "c", dimensions: [("a", "1"), ("b", "2")]).increment(by: 5)
    #expect(registry.prometheusText() == "# TYPE c counter\nc{a=\"1\",b=\"2\"} 5\nc{a=\"2\",b=\"1\"} 2\n")
  }

  @Test(
    "label values are escaped so that a series stays one line",
    arguments: [
      ("\"", "\\\""), ("\\", "\\\\"), ("\n", "\\n"), ("\r\n", "\r\\n"), ("a\\n\"b", "a\\\\n\\\"b"), ("中文 🚚", "中文 🚚"),
      ("e\u{301}", "e\u{301}"), ("", ""), ("\n\u{301}", "\\n\u{301}"),
    ])
  func escaping(value: String, written: String) {
    let registry = MetricsRegistry()
    registry.makeCounter(label: "c", dimensions: [("l", value)]).increment(by: 1)
    #expect(registry.prometheusText() == "# TYPE c counter\nc{l=\"\(written)\"} 1\n")
    #expect(registry.prometheusText().utf8.count(where: { $0 == 0x0A }) == 2)
  }

  @Test(
    "names are made of what Prometheus takes",
    arguments: [("a.b-c d", "a_b_c_d"), ("订单", "__"), ("a:b", "a:b"), ("9a", "_9a"), ("", "_"), ("a\r\nb", "a__b")])
  func names(name: String, written: String) {
    let registry = MetricsRegistry()
    registry.makeCounter(label: name, dimensions: []).increment(by: 1)
    registry.observe(name + "x", labels: [("a:" + name, "v")]) { 0 }
    let lines = registry.prometheusText().split(separator: "\n")
    #expect(lines.contains("\(written) 1"))
    #expect(
      lines.allSatisfy {
        $0.wholeMatch(of: #/(# TYPE )?[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="v"\})? \w+/#) != nil
      })
  }

  @Test("numbers that are none are spelled as Prometheus reads them")
  func specialNumbers() {
    let registry = MetricsRegistry()
    registry.observe("a") { .nan }
    registry.observe("b") { .infinity }
    registry.observe("c") { -.infinity }
    registry.observe("d") { -0.0 }
    registry.observe("e") { -0.25 }
    let values = registry.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(values == ["a NaN", "b +Inf", "c -Inf", "d 0", "e -0.25"])
  }

  @Test("a name keeps its first kind; a handler of another kind works, but is not shown")
  func oneKindForAName() {
    let registry = MetricsRegistry()
    registry.makeCounter(label: "x", dimensions: []).increment(by: 3)
    registry.makeMeter(label: "x", dimensions: []).set(Int64(99))
    registry.makeTimer(label: "x", dimensions: [("a", "b")]).recordNanoseconds(1)
    registry.observe("x", labels: [("c", "d")]) { 5 }
    registry.makeCounter(label: "x", dimensions: []).increment(by: 1)
    #expect(registry.prometheusText() == "# TYPE x counter\nx 4\n")
  }

  @Test("a counter starts anew when it is reset, and a meter goes up and down")
  func changes() {
    let registry = MetricsRegistry()
    let counter = registry.makeCounter(label: "c", dimensions: [])
    counter.increment(by: 5)
    counter.reset()
    counter.increment(by: 2)
    let meter = registry.makeMeter(label: "m", dimensions: [])
    meter.set(Int64(4))
    meter.increment(by: 1.5)
    meter.decrement(by: 3)
    #expect(registry.prometheusText() == "# TYPE c counter\nc 2\n# TYPE m gauge\nm 2.5\n")
  }

  @Test("no increment is lost between many tasks that make and use the same series")
  func concurrency() async {
    let registry = MetricsRegistry()
    await withTaskGroup { group in
      for task in 0..<16 {
        group.addTask {
          for step in 0..<500 {
            registry.makeCounter(label: "c", dimensions: [("task", "\(task % 4)")]).increment(by: 1)
            registry.makeTimer(label: "t", dimensions: []).recordNanoseconds(1_000_000_000)
            registry.makeMeter(label: "m", dimensions: []).increment(by: step % 2 == 0 ? 1 : -1)
            if step % 100 == 0 { _ = registry.prometheusText() }
          }
        }
      }
    }
    let lines = Set(registry.prometheusText().split(separator: "\n"))
    for task in 0..<4 { #expect(lines.contains("c{task=\"\(task)\"} 2000")) }
    #expect(lines.isSuperset(of: ["t_count 8000", "t_sum 8000", "m 0"]))
  }

  @Test("beyond ten thousand series a new one is not kept")
  func limit() {
    let registry = MetricsRegistry()
    for number in 0..<10_050 { registry.makeCounter(label: "c", dimensions: [("n", "\(number)")]).increment(by: 1) }
    #expect(registry.prometheusText().utf8.count(where: { $0 == 0x0A }) == 10_001)
  }

  @Test("an observed gauge may ask the registry itself")
  func observedGauge() {
    let registry = MetricsRegistry()
    let counter = registry.makeCounter(label: "c", dimensions: [])
    registry.observe("o") {
      counter.increment(by: 1)
      return Double(registry.makeCounter(label: "c", dimensions: []) === counter ? 1 : 0)
    }
    #expect(registry.prometheusText().contains("\no 1\n"))
  }

  @Test("a described name has its HELP line before its TYPE line; a description without a series has none")
  func help() {
    let registry = MetricsRegistry()
    registry.describe(["c": "What \\ is\ncounted.", "other": "Nothing."])
    registry.makeCounter(label: "c", dimensions: []).increment(by: 1)
    #expect(registry.prometheusText() == "# HELP c What \\\\ is\\ncounted.\n# TYPE c counter\nc 1\n")
  }
}
