import Orders
import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@Suite("The poller's sweeps", .timeLimit(.minutes(1)))
struct PollerSweepTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()
  private let lines = Probe<String>()

  init() { broker = MemoryBroker(clock: clock) }

  private func poller(
    _ clock: PipelineClock? = nil, days: Int = 7, reconcile: Int = 86_400, interval: Int = 1_000,
    sinceDaysAgo: Int64 = 30
  ) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -sinceDaysAgo * 86_400))
    plan.pageSize = 2
    plan.intervalSeconds = interval
    plan.reconcileSeconds = reconcile
    plan.reconcileDays = days
    return Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan,
      clock: clock ?? pipelineClock(self.clock), logger: recording(lines), sweeps: ledger,
      leaseClock: pipelineClock(self.clock))
  }

  private func put(_ id: Int64, _ text: String, secondsAgo: Int64 = 3600) {
    let content = #"{"order_id":\#(id),"name":"\#(text)"}"#
    source.put(
      SourceOrder(
        id: OrderID(rawValue: id), number: "SO\(id)", updateTime: noon.advanced(bySeconds: -secondsAgo - id),
        content: Array(content.utf8)))
  }

  private func queued() async throws -> [String] {
    guard broker.count(in: .orders) > 0 else { return [] }
    let inbox = MemoryInbox(broker, stage: .transform)
    let deliveries = await inbox.next(max: 1_000)
    inbox.acknowledge(deliveries.map(\.receipt))
    return try deliveries.map { try $0.envelope.get() }.map { "\($0.orderID)/\($0.revision)" }.sorted()
  }

  /// A live cycle, then all slices of all sweeps.
  private func round(_ poller: Poller) async throws {
    try await poller.once()
    while try await poller.sweep() {}
    await ledger.resign()
  }

  /// The live stream began long ago, and no reconciliation was since.
  private func isDue() async throws {
    #expect(try await ledger.lead())
    try await ledger.startReconcile(window(daysAgo: 31, 30), everySeconds: 1)
    await ledger.resign()
  }

  private func asked(_ isMeant: (MemoryOrderSource.Question) -> Bool) -> Int { source.asked.count(where: isMeant) }

  private func window(daysAgo from: Int64, _ to: Int64) throws -> TimeWindow {
    try #require(
      TimeWindow(from: noon.advanced(bySeconds: -from * 86_400), to: noon.advanced(bySeconds: -to * 86_400)))
  }

  @Test("an order that changed without its update_time reaches the queue, once, and moves no watermark")
  func silentChange() async throws {
    for id in 1...9 { put(Int64(id), "first") }
    let poller = poller()
    try await round(poller)
    #expect(try await queued() == (1...9).map { "\($0)/1" })
    put(4, "second")
    source.setNow(noon.advanced(bySeconds: 86_399))
    try await round(poller)
    // Not due yet: what the first cycle has just read is not read again, nor when the poller is started anew.
    #expect(try await queued().isEmpty)
    #expect(asked { if case .created = $0 { true } else { false } } == 0)
    source.setNow(noon.advanced(bySeconds: 86_400))
    try await round(self.poller())
    #expect(try await queued() == ["4/2"])
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 86_395))
    let done = try #require(try await ledger.sweeps().first)
    #expect(done.state == .done)
    #expect(done.findings.read == 9 && done.findings.changed == 1)
    #expect(done.findings.missed == 0 && done.findings.failed == 0)
    #expect(lines.events.last?.hasPrefix("info A reconciliation is done changed=1 count=9 failed=0 missed=0") == true)
    source.setNow(noon.advanced(bySeconds: 2 * 86_400))
    try await round(poller)
    #expect(try await queued().isEmpty)
  }

  @Test("an order that the live stream never showed is found; one that it is about to show is left to it")
  func missed() async throws {
    try await isDue()
    let poller = poller()
    try await poller.once()
    // Behind the watermark less the overlap.
    put(1, "late", secondsAgo: 4_000)
    source.put(id: 2, number: "SO2", updated: noon)
    source.setNow(noon.advanced(bySeconds: 10))
    while try await poller.sweep() {}
    #expect(try await queued() == ["1/1"])
    let done = try #require(try await ledger.sweeps().first)
    #expect(done.findings.missed == 1 && done.findings.read == 2)
  }

  @Test("only orders of the last days are read")
  func days() async throws {
    try await isDue()
    put(1, "first", secondsAgo: 86_000)
    put(2, "first", secondsAgo: 87_000)
    try await poller().once()
    _ = try await queued()
    put(1, "second", secondsAgo: 86_000)
    put(2, "second", secondsAgo: 87_000)
    try await round(poller(days: 1))
    #expect(try await queued() == ["1/2"])
  }

  @Test("orders that are older than Ferry are compared once they are carried, and left alone until then")
  func olderThanFerry() async throws {
    put(1, "first", secondsAgo: 2 * 86_400)
    put(2, "first", secondsAgo: 2 * 86_400)
    let poller = poller(sinceDaysAgo: 1)
    try await poller.once()
    #expect(try await queued().isEmpty)
    let second = noon.advanced(bySeconds: -2 * 86_400 - 2)
    _ = try await ledger.startBackfill(try #require(TimeWindow(from: second, to: second)), .create)
    put(1, "second", secondsAgo: 2 * 86_400)
    while try await poller.sweep() {}
    #expect(try await queued() == ["2/1"])
    put(2, "second", secondsAgo: 2 * 86_400)
    source.setNow(noon.advanced(bySeconds: 86_400))
    try await round(poller)
    #expect(try await queued() == ["2/2"])
  }

  @Test("a poller that dies goes on at the slice that it was in")
  func resumes() async throws {
    try await isDue()
    for id in 1...9 { put(Int64(id), "first") }
    try await poller().once()
    _ = try await queued()
    for id in 1...9 { put(Int64(id), "second") }
    // Entered from order 9 to order 1; the last one of them cannot be read now.
    source.fail(.details(OrderID(rawValue: 1)), with: .throttled(afterSeconds: 1))
    let first = poller()
    await #expect(throws: PollInterruption.source(.throttled(afterSeconds: 1))) {
      while try await first.sweep() {}
    }
    let asked = source.asked.count
    let second = poller()
    while try await second.sweep() {}
    #expect(try await queued() == (1...9).map { "\($0)/2" })
    let again = source.asked.dropFirst(asked).filter { if case .details = $0 { true } else { false } }
    #expect(again.count <= 2)
  }

  @Test("the same poller cuts a window once, not for each slice")
  func cutsOnce() async throws {
    try await isDue()
    for id in 1...9 { put(Int64(id), "first", secondsAgo: 6 * 86_400 + Int64(id) * 100) }
    let poller = poller()
    try await poller.once()
    while try await poller.sweep() {}
    #expect(try await ledger.sweeps().first?.state == .done)
    // Seven days in halves down to a minute are 14 counts, and then a few for each slice.
    #expect(asked { if case .created = $0 { true } else { false } } < 60)
  }

  @Test("pages that move while a slice is read are read again")
  func drift() async throws {
    try await isDue()
    put(1, "first")
    put(2, "first")
    let poller = poller()
    try await poller.once()
    _ = try await queued()
    for id in 1...2 { put(Int64(id), "second") }
    let deleted = Probe<Bool>()
    source.beforeEach { [source] question in
      guard question == .details(OrderID(rawValue: 1)), deleted.events.isEmpty else { return }
      deleted.report(true)
      source.remove(OrderID(rawValue: 2))
    }
    while try await poller.sweep() {}
    #expect(try await queued() == ["1/2"])
    #expect(lines.events.contains { $0.contains("Pages moved while they were read") })
    #expect(try await ledger.sweeps().first?.findings.failed == 0)
  }

  @Test("published orders that are denied or cannot be read are counted, and stop nothing")
  func unreadable() async throws {
    try await isDue()
    for id in 1...4 { put(Int64(id), "first") }
    let poller = poller()
    try await poller.once()
    _ = try await queued()
    for id in 1...4 { put(Int64(id), "second") }
    for _ in 1...20 {
      source.fail(.details(OrderID(rawValue: 1)), with: .absent)
      source.fail(.details(OrderID(rawValue: 2)), with: .malformed("no object"))
      source.fail(.details(OrderID(rawValue: 4)), with: .transient("503"))
    }
    // While nothing at all can be read that is no order's fault.
    source.fail(.details(OrderID(rawValue: 3)), with: .transient("503"))
    for _ in 1...8 {
      do throws(PollInterruption) { while try await poller.sweep() {} } catch {
        #expect(error == .source(.transient("503")))
      }
    }
    #expect(try await queued() == ["3/2"])
    #expect(broker.parked(by: .transform).count == 0)
    let done = try #require(try await ledger.sweeps().first)
    #expect(done.state == .done && done.findings.failed == 3 && done.findings.changed == 1)
    #expect(lines.events.last?.hasPrefix("warning A reconciliation is done") == true)
  }

  @Test("a backfill publishes what is not published, also from before the first watermark, and fetches nothing else")
  func backfill() async throws {
    put(1, "first", secondsAgo: 50 * 86_400)
    put(2, "first", secondsAgo: 49 * 86_400)
    put(3, "first", secondsAgo: 20 * 86_400)
    let poller = poller(reconcile: 0)
    try await round(poller)
    #expect(try await queued() == ["3/1"])
    let before = asked { if case .details = $0 { true } else { false } }
    put(3, "silently", secondsAgo: 20 * 86_400)
    source.fail(.details(OrderID(rawValue: 2)), with: .malformed("no object"))
    _ = try await ledger.startBackfill(window(daysAgo: 60, 0), .create)
    try await round(poller)
    #expect(try await queued() == ["1/1"])
    #expect(broker.parked(by: .transform).count == 1)
    #expect(asked { if case .details = $0 { true } else { false } } == before + 2)
    let done = try #require(try await ledger.sweeps().first)
    #expect(done.findings.read == 3 && done.findings.missed == 1 && done.findings.failed == 1)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    // Done once more it finds only what is still unread.
    _ = try await ledger.startBackfill(window(daysAgo: 60, 0), .update)
    try await round(poller)
    #expect(try await queued() == ["2/2"])
  }

  @Test("sweeps take turns, and one that fails holds up neither the others nor the live stream")
  func turns() async throws {
    for id in 1...4 { put(Int64(id), "first", secondsAgo: 40 * 86_400) }
    for id in 5...8 { put(Int64(id), "first", secondsAgo: 50 * 86_400) }
    let poller = poller(reconcile: 0)
    let first = try await ledger.startBackfill(window(daysAgo: 45, 35), .create)
    let second = try await ledger.startBackfill(window(daysAgo: 55, 46), .create)
    for _ in 1...40 { source.fail(.details(OrderID(rawValue: 4)), with: .throttled(afterSeconds: nil)) }
    for _ in 1...12 {
      try await poller.once()
      try? await { () async throws(PollInterruption) in while try await poller.sweep() {} }()
    }
    #expect(try await Set(queued()).isSuperset(of: (5...8).map { "\($0)/1" }))
    let states = try await ledger.sweeps().map { ($0.id, $0.state) }
    #expect(states.contains { $0 == (second.id, .done) })
    #expect(states.contains { $0 == (first.id, .running) })
  }

  @Test("who does not lead sweeps nothing")
  func follower() async throws {
    let books = MemoryPollLedger.Books()
    let other = MemoryPollLedger(books)
    #expect(try await other.lead())
    let mine = MemoryPollLedger(books)
    _ = try await other.startBackfill(window(daysAgo: 45, 35), .create)
    let poller = Poller(
      source: source, ledger: mine, outbox: MemoryOutbox(broker),
      plan: PollPlan(since: noon), clock: pipelineClock(clock), logger: silent, sweeps: mine)
    #expect(try await !poller.sweep())
    #expect(source.asked.isEmpty)
  }

  @Test("a window that ends in the future is read up to OKKI's now, and the rest when it has come")
  func future() async throws {
    let poller = poller(reconcile: 0)
    try await poller.once()
    _ = try await ledger.startBackfill(
      #require(TimeWindow(from: noon.advanced(bySeconds: -100), to: noon.advanced(bySeconds: 100))), .create)
    while try await poller.sweep() {}
    #expect(try await ledger.sweeps().first?.next == noon.advanced(bySeconds: -4))
    #expect(try await ledger.sweeps().first?.state == .running)
    source.setNow(noon.advanced(bySeconds: 500))
    while try await poller.sweep() {}
    #expect(try await ledger.sweeps().first?.state == .done)
  }

  /// A clock that sleeps at once, and a CRM whose lists take 30 s a question.
  private func slowLists(
    _ onSleep: @escaping @Sendable (Duration) -> Void = { _ in }
  ) -> (PipelineClock, Shared<Duration>) {
    let start = ContinuousClock.now
    let passed = Shared(Duration.zero)
    source.beforeEach { if case .created = $0 { passed.value.withLock { $0 += .seconds(30) } } }
    let clock = PipelineClock(
      now: { start + passed.value.withLock { $0 } }, epochMilliseconds: { 1 },
      sleep: { pause in
        onSleep(pause)
        passed.value.withLock { $0 += pause }
        await Task.yield()
      })
    return (clock, passed)
  }

  @Test("after each slice a sweep pauses as long as the slice took")
  func halfOfTheRate() async throws {
    try await isDue()
    for id in 1...9 { put(Int64(id), "first", secondsAgo: 3600 + Int64(id) * 100) }
    let pauses = Probe<(asked: Int, pause: Duration)>()
    let source = source
    @Sendable func lists() -> Int { source.asked.count { if case .created = $0 { true } else { false } } }
    let (clock, _) = slowLists { pause in pauses.report((lists(), pause)) }
    let running = Task { await poller(clock, interval: 1_000_000).run() }
    // The last one is the rest of the interval.
    try await pauses.wait { $0.contains { $0.pause > .seconds(100_000) } }
    running.cancel()
    try await ended(running)
    var before = 0
    let slices = pauses.events.prefix { $0.pause < .seconds(100_000) }
    #expect(slices.count >= 5)
    for (asked, pause) in slices {
      #expect(pause == .seconds(30) * (asked - before))
      before = asked
    }
  }

  @Test("a live cycle waits for one slice at most")
  func liveFirst() async throws {
    try await isDue()
    for id in 1...60 { put(Int64(id), "first", secondsAgo: 3600 + Int64(id) * 100) }
    let (clock, passed) = slowLists()
    let cycles = Probe<Duration>()
    let poller = poller(clock)
    source.beforeEach { question in
      if case .created = question { passed.value.withLock { $0 += .seconds(30) } }
      if case .customers = question { cycles.report(passed.value.withLock { $0 }) }
    }
    let running = Task { await poller.run() }
    // A question a cycle.
    try await cycles.wait { $0.count >= 6 }
    running.cancel()
    try await ended(running)
    let times = cycles.events.prefix(6)
    // A slice is 14 halvings at first, later a few questions.
    for (one, next) in zip(times, times.dropFirst()) { #expect(next - one <= .seconds(1_000 + 30 * 20)) }
    #expect(try await ledger.sweeps().first?.findings.read ?? 0 > 4)
    #expect(try await ledger.sweeps().first?.state == .running)
  }
}

/// A value that a clock's closures share.
private final class Shared<Value: Sendable>: Sendable {
  let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
}
