import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@Suite("The poller's rounds", .timeLimit(.minutes(1)))
struct PollerRunTests {
  private let clock = ManualClock()
  private let lines = Probe<String>()
  private let source = MemoryOrderSource(now: noon)
  private let books: MemoryPollLedger.Books

  init() { books = MemoryPollLedger.Books(clock: clock) }

  private func poller(_ ledger: MemoryPollLedger) -> Poller {
    Poller(
      source: source, ledger: ledger,
      outbox: MemoryOutbox(MemoryBroker(clock: clock)), plan: PollPlan(since: noon.advanced(bySeconds: -3600)),
      clock: pipelineClock(clock), logger: recording(lines))
  }

  @Test("while PostgreSQL is away that is what is told, after growing pauses; when it is back the cycle runs")
  func ledgerAway() async throws {
    let ledger = MemoryPollLedger(books)
    ledger.fail(.unavailable("connection refused"))
    let running = Task { await poller(ledger).run() }
    for (round, pause) in [1, 2, 4, 8, 15, 15].enumerated() {
      try await lines.wait { $0.count == round + 1 }
      try await clock.sleepers(atLeast: 1)
      // Not yet.
      clock.advance(by: .seconds(pause) - .nanoseconds(1))
      #expect(lines.events.count == round + 1)
      if round == 5 { ledger.fail(nil) }
      clock.advance(by: .nanoseconds(1))
    }
    let told = "warning The poll cycle ended early failure=PostgreSQL is away: connection refused"
    #expect(lines.events == Array(repeating: told, count: 6))
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    running.cancel()
    try await ended(running)
  }

  @Test(
    "a partner that answers again is away no longer, however long the cycle goes on",
    arguments: [Partner.okki, .postgresql, .rabbitmq])
  func backAgain(partner: Partner) async throws {
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
    // Another slice, read after the first one is published.
    source.put(id: 2, number: "SO2", updated: noon.advanced(bySeconds: -3000))
    let ledger = MemoryPollLedger(books)
    let inner = MemoryOutbox(MemoryBroker(clock: clock))
    switch partner {
    case .okki: source.fail(.now, with: .transient("503"))
    case .postgresql: ledger.fail(.unavailable("connection refused"))
    default: inner.fail { _ in .refused("no queue takes it") }
    }
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.sliceSize = 1
    let poller = Poller(
      source: source, ledger: ledger, outbox: inner, plan: plan,
      clock: pipelineClock(clock), logger: silent)
    let running = Task { await poller.run() }
    try await clock.sleepers(atLeast: partner == .postgresql ? 1 : leaderSleepers)
    #expect(poller.interruption?.absence == Absence(partner))
    let seen = Probe<Absence?>()
    source.beforeEach { if $0 == .details(OrderID(rawValue: 1)) { seen.report(poller.interruption?.absence) } }
    ledger.fail(nil)
    inner.fail(nil)
    clock.advance(by: .seconds(1))
    try await seen.wait { $0.count == 1 }
    #expect(seen.events == [nil])
    running.cancel()
    try await ended(running)
  }

  @Test(
    "a leader that is frozen past another one's election publishes and writes nothing when it wakes",
    arguments: [MemoryOrderSource.Question.details(OrderID(rawValue: 1)), .orders(page: 1), .removed(page: 1)])
  func frozen(_ question: MemoryOrderSource.Question) async throws {
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
    source.put(id: 2, number: "SO2", updated: noon.advanced(bySeconds: -60))
    source.remove(OrderID(rawValue: 2), at: noon.advanced(bySeconds: -30))
    let ledger = MemoryPollLedger(books)
    let broker = MemoryBroker(clock: clock)
    let poller = Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker),
      plan: PollPlan(since: noon.advanced(bySeconds: -3600)), clock: pipelineClock(clock), logger: silent)
    let published = Probe<Int>()
    source.beforeEach { [books] asked in
      guard asked == question, published.events.isEmpty else { return }
      published.report(broker.count(in: .orders) + broker.count(in: .bills))
      books.cutOff()
      books.electAnother()
    }
    await #expect(throws: PollInterruption.overtaken) { try await poller.once() }
    #expect(broker.count(in: .orders) + broker.count(in: .bills) == published.events.first)
    #expect(try await ledger.watermark(of: .removed) == nil)
    // What had come before stays.
    #expect(try await (ledger.watermark(of: .orders) != nil) == (question == .removed(page: 1)))
  }

  @Test("a single cycle is left to the process that polls, and steps down after its own")
  func once() async throws {
    let other = MemoryPollLedger(books)
    let ledger = MemoryPollLedger(books)
    #expect(try await other.lead())
    #expect(try await !poller(ledger).once())
    #expect(try await ledger.watermark(of: .orders) == nil)
    await other.resign()
    #expect(try await poller(ledger).once())
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    #expect(try await other.lead())
  }

  @Test("while another process polls this one stands by, says so once, and takes over within 15 s of its end")
  func standsBy() async throws {
    let other = MemoryPollLedger(books)
    #expect(try await other.lead())
    let ledger = MemoryPollLedger(books)
    let running = Task { await poller(ledger).run() }
    for _ in 1...3 {
      try await clock.sleepers(atLeast: 1)
      #expect(try await ledger.watermark(of: .orders) == nil)
      // It renews its lease.
      #expect(try await other.lead())
      clock.advance(by: .seconds(15) - .nanoseconds(1))
      #expect(try await other.lead())
      clock.advance(by: .nanoseconds(1))
    }
    try await clock.sleepers(atLeast: 1)
    await other.resign()
    clock.advance(by: .seconds(15))
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    #expect(lines.events == ["info Another process polls; this one stands by"])
    running.cancel()
    try await ended(running)
  }
}
