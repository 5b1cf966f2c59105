import Orders
import Pipeline
import PipelineTesting
import Telemetry
import TestSockets
import Testing

/// What a poller tells of itself, in exact figures.
@Suite("Metrics of the poller", .timeLimit(.minutes(1)))
struct PollerMetricsTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let source = MemoryOrderSource(now: noon)
  private let books: MemoryPollLedger.Books
  private let registry = MetricsRegistry()

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
    books = MemoryPollLedger.Books(clock: clock)
  }

  private func poller(_ registry: MetricsRegistry? = nil) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    let start = ContinuousClock.now
    let time = PipelineClock(
      now: { [clock] in start + clock.now.offset },
      epochMilliseconds: { [clock] in 1_000_000_000 + clock.seconds * 1_000 },
      sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
    return Poller(
      source: source, ledger: MemoryPollLedger(books), outbox: outbox, plan: plan, clock: time, logger: silent,
      metrics: PipelineMetrics(factory: registry ?? self.registry))
  }

  private func value(_ name: String, in registry: MetricsRegistry? = nil) -> String? {
    (registry ?? self.registry).prometheusText().split(separator: "\n").first { $0.hasPrefix(name + " ") }
      .map { String($0.dropFirst(name.count + 1)) }
  }

  private func put(_ ids: ClosedRange<Int64>) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 - id)) }
  }

  @Test("pages are those of all lists that were answered, orders those that were published; a failure is neither")
  func pages() async throws {
    put(1...25)
    let poller = poller()
    #expect(value("ferry_polled_pages_total") == "0" && value("ferry_poll_cycles_total") == "0")
    #expect(poller.lastProgress == 1_000_000_000)
    source.fail(.orders(page: 3), with: .transient("503"))
    await #expect(throws: PollInterruption.self) { try await poller.once() }
    // From an hour ago to OKKI's now less the lag.
    #expect(value("ferry_poll_window_lag_seconds") == "3595")
    // Those of the customers, who are none. How many orders there are is a question, and no page.
    let customers = source.asked.count { $0 == .customers }
    #expect(value("ferry_polled_pages_total") == "\(customers)" && value("ferry_polled_total") == "0")
    #expect(value("ferry_poll_cycles_total") == "0" && poller.lastProgress == 1_000_000_000)
    clock.advance(by: .seconds(5))
    try await poller.once()
    let again = source.asked.count { $0 == .customers }
    #expect(customers > 0 && again > customers)
    // 25 orders, ten a page; none is deleted.
    #expect(value("ferry_polled_pages_total") == "\(again + 3)")
    #expect(value("ferry_polled_total") == "25" && value("ferry_poll_cycles_total") == "1")
    #expect(poller.lastProgress == 1_000_005_000)
    #expect(value("ferry_watermark_epoch_seconds") == "\(noon.epochSeconds - 5)")
    #expect(value("ferry_removed_watermark_epoch_seconds") == "\(noon.epochSeconds - 5)")
    #expect(value("ferry_poll_failures_total") == "0" && value("ferry_poll_window_lag_seconds") == "0")
    let listed = #"ferry_dedup_hits_total{kind="listed"}"#
    #expect(value(listed) == "0")
    put(1...1)
    for id in 30...32 { source.put(id: Int64(id), number: "SO\(id)", updated: noon.advanced(bySeconds: -6)) }
    try await poller.once()
    #expect(value("ferry_polled_total") == "28" && value(listed) == "0")
    // They lie in the overlap of the next window, beside a new one.
    source.put(id: 33, number: "SO33", updated: noon.advanced(bySeconds: -6))
    try await poller.once()
    #expect(value("ferry_polled_total") == "29" && value(listed) == "3")
  }

  @Test("the window's lag is that of orders alone, and never below 0, where OKKI's clock has gone back")
  func lag() async throws {
    put(1...1)
    source.fail(.removed(page: 1), with: .transient("OKKI answered code 400"))
    let poller = poller()
    try await poller.once()
    // Deleted orders were not read: those lag behind.
    #expect(source.asked.contains(.removed(page: 1)) && value("ferry_removed_poll_failures_total") == "1")
    #expect(value("ferry_poll_window_lag_seconds") == "0")
    source.setNow(noon.advanced(bySeconds: -3))
    try await poller.once()
    #expect(value("ferry_poll_window_lag_seconds") == "0" && value("ferry_poll_cycles_total") == "2")
  }

  @Test("of two pollers one leads at a time, by its metric and by what it says; when it stops the other does")
  func leads() async throws {
    put(1...1)
    let registries = [MetricsRegistry(), MetricsRegistry()]
    let pollers = registries.map { poller($0) }
    let first = Task { await pollers[0].run() }
    try await clock.sleepers(atLeast: leaderSleepers)
    let second = Task { await pollers[1].run() }
    try await clock.sleepers(atLeast: leaderSleepers + 1)
    #expect(registries.map { value("ferry_poll_leader", in: $0) } == ["1", "0"])
    #expect(pollers.map(\.isLeading) == [true, false])
    first.cancel()
    try await ended(first)
    #expect(registries.map { value("ferry_poll_leader", in: $0) } == ["0", "0"])
    #expect(pollers.map(\.isLeading) == [false, false])
    clock.advance(by: .seconds(15))
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(registries.map { value("ferry_poll_leader", in: $0) } == ["0", "1"])
    #expect(pollers.map(\.isLeading) == [false, true])
    second.cancel()
    try await ended(second)
    #expect(pollers.map(\.isLeading) == [false, false])
  }

  @Test("cycles that fail are counted as such, and the leader that loses PostgreSQL says that it does not lead")
  func failures() async throws {
    let ledger = MemoryPollLedger(books)
    let lines = Probe<String>()
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    // Its lease is not over by then.
    plan.intervalSeconds = 1
    let poller = Poller(
      source: source, ledger: ledger, outbox: outbox, plan: plan,
      clock: pipelineClock(clock), logger: recording(lines), metrics: PipelineMetrics(factory: registry))
    let running = Task { await poller.run() }
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(value("ferry_poll_leader") == "1" && value("ferry_poll_cycles_total") == "1")
    ledger.fail(.unavailable("connection refused"))
    clock.advance(by: .seconds(1))
    try await lines.wait { $0.contains { $0.contains("The poll cycle ended early") } }
    #expect(value("ferry_poll_failures_total") == "1" && value("ferry_poll_leader") == "0" && !poller.isLeading)
    running.cancel()
    try await ended(running)
  }
}
