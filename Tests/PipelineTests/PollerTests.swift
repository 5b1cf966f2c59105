import JSON
import Logging
import Orders
import Pipeline
import PipelineTesting
import Telemetry
import TestSockets
import Testing

@Suite("Poller", .timeLimit(.minutes(1)))
struct PollerTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
  }

  private func poller(
    logger: Logger = silent, metrics: PipelineMetrics = PipelineMetrics(), _ shape: (inout PollPlan) -> Void = { _ in }
  ) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    shape(&plan)
    return Poller(
      source: source, ledger: ledger, outbox: outbox, plan: plan,
      clock: pipelineClock(clock), logger: logger, metrics: metrics)
  }

  private func put(_ ids: ClosedRange<Int64>, secondsAgo: Int64 = 600) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -secondsAgo - id)) }
  }

  /// The orders in the queue, with their revisions.
  private func queued() async -> [Int64: [Int64]] {
    let inbox = MemoryInbox(broker, stage: .transform)
    var result: [Int64: [Int64]] = [:]
    let count = broker.count(in: .orders)
    guard count > 0 else { return [:] }
    let deliveries = await inbox.next(max: 10_000)
    for delivery in deliveries {
      if case .success(let envelope) = delivery.envelope {
        result[envelope.orderID.rawValue, default: []].append(envelope.revision)
      }
    }
    inbox.acknowledge(deliveries.map(\.receipt))
    return result
  }

  @Test("every order of the window is published once, and the watermark stands at the vendor's now less the lag")
  func publishes() async throws {
    put(1...25)
    try await poller().once()
    #expect(await queued() == Dictionary(uniqueKeysWithValues: (1...25).map { (Int64($0), [1]) }))
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    try await poller().once()
    #expect(await queued().isEmpty)
  }

  @Test("pages are read from the last to the first")
  func lastPageFirst() async throws {
    put(1...25)
    try await poller().once()
    let pages = source.asked.compactMap { question -> Int? in
      if case .orders(let page) = question { page } else { nil }
    }
    // Count, the three pages backwards, count again.
    #expect(pages == [1, 3, 2, 1, 1])
  }

  @Test("an order that leaves the window while it is read costs a second pass and loses no other")
  func drift() async throws {
    put(1...25)
    let source = self.source
    let moved = Probe<Bool>()
    source.beforeEach { question in
      // While the second page from the end is asked for, the oldest order is touched and leaves the window.
      guard question == .orders(page: 2), moved.events.isEmpty else { return }
      moved.report(true)
      source.put(id: 25, number: "SO25", updated: noon.advanced(bySeconds: 10))
    }
    try await poller().once()
    let first = await queued()
    #expect(Set(first.keys).isSuperset(of: 1...24))
    source.setNow(noon.advanced(bySeconds: 60))
    try await poller().once()
    #expect(await queued().keys.contains(25))
  }

  @Test("a slice that never settles keeps the watermark where it was")
  func endlessDrift() async throws {
    put(1...25)
    let source = self.source
    let serial = Probe<Int64>()
    source.beforeEach { question in
      guard question == .orders(page: 3) else { return }
      let next = Int64(100 + serial.events.count)
      serial.report(next)
      source.put(id: next, number: "SO\(next)", updated: noon.advanced(bySeconds: -1000))
    }
    await #expect(throws: PollInterruption.drift) { try await poller { $0.maxPasses = 3 }.once() }
    #expect(try await ledger.watermark(of: .orders) == nil)
  }

  @Test("a window with too many orders is halved, and nothing falls between the halves")
  func bisects() async throws {
    put(1...60)
    try await poller { $0.sliceSize = 10 }.once()
    #expect(await queued().count == 60)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    // No slice had a second page.
    #expect(source.asked.allSatisfy { if case .orders(let page) = $0 { page == 1 } else { true } })
  }

  @Test("without a confirm the watermark does not move, and the same number is published again")
  func noConfirm() async throws {
    put(1...3)
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 2 else { return nil }
      return .unknown("the connection broke")
    }
    await #expect(throws: PollInterruption.broker("the connection broke")) { try await poller().once() }
    #expect(try await ledger.watermark(of: .orders) == nil)
    outbox.fail(nil)
    try await poller().once()
    // Order 2 arrived in doubt and again: twice, under one number.
    #expect(await queued() == [1: [1], 2: [1, 1], 3: [1]])
  }

  @Test("a changed order gets the next number, an unchanged one in the overlap nothing")
  func revisions() async throws {
    put(1...2, secondsAgo: 10)
    try await poller().once()
    _ = await queued()
    source.put(id: 2, number: "SO2", updated: noon.advanced(bySeconds: 10))
    source.setNow(noon.advanced(bySeconds: 60))
    try await poller().once()
    #expect(await queued() == [2: [2]])
  }

  @Test("an order deleted between list and details is skipped")
  func deleted() async throws {
    put(1...3)
    let source = self.source
    source.beforeEach { question in
      if question == .details(OrderID(rawValue: 2)) { source.remove(OrderID(rawValue: 2)) }
    }
    try await poller().once()
    #expect(await queued().keys.sorted() == [1, 3])
    #expect(broker.parked(by: .transform).isEmpty)
  }

  @Test("an order that the list shows and order/info denies is parked, not lost")
  func denied() async throws {
    put(1...3)
    source.fail(.details(OrderID(rawValue: 2)), with: .absent)
    try await poller().once()
    #expect(await queued().keys.sorted() == [1, 3])
    #expect(broker.parked(by: .transform).map { $0.envelope?.orderID.rawValue } == [2])
  }

  @Test(
    "orders that are all denied or unreadable are not parked: it is order/info that fails",
    arguments: [SourceFailure.absent, .malformed("data is null")])
  func allDenied(failure: SourceFailure) async throws {
    put(1...25)
    for id in 1...25 as ClosedRange<Int64> { source.fail(.details(OrderID(rawValue: id)), with: failure) }
    let poller = poller { $0.pageSize = 100 }
    await #expect(throws: PollInterruption.source(failure)) { try await poller.once() }
    #expect(broker.parked(by: .transform).isEmpty)
    #expect(try await ledger.watermark(of: .orders) == nil)
    try await poller.once()
    #expect(await queued().count == 25)
  }

  @Test("an order whose details alone fail is parked after five cycles; the others go on at once")
  func stuckOrder() async throws {
    put(1...3)
    for _ in 1...5 { source.fail(.details(OrderID(rawValue: 2)), with: .transient("500", answer: "<h1>")) }
    let poller = poller()
    for _ in 1...4 {
      await #expect(throws: PollInterruption.source(.transient("500"))) { try await poller.once() }
      #expect(try await ledger.watermark(of: .orders) == nil)
    }
    try await poller.once()
    let parked = broker.parked(by: .transform)
    #expect(parked.map { $0.envelope?.orderID.rawValue } == [2])
    #expect(parked.first?.burial?.vendorAnswer == "<h1>")
    #expect(await queued().keys.contains(1))
    #expect(try await ledger.watermark(of: .orders) != nil)
  }

  @Test("details that cannot be read are parked with their reason and hold up nobody")
  func malformedDetails() async throws {
    put(1...3)
    source.fail(.details(OrderID(rawValue: 2)), with: .malformed("nested too deep", answer: "[[[["))
    let lines = Probe<String>()
    let registry = MetricsRegistry()
    try await poller(logger: recording(lines), metrics: PipelineMetrics(factory: registry)).once()
    let counted = #"ferry_dead_letters_total{reason="order_malformed",stage="transform"} 1"#
    #expect(registry.prometheusText().contains(counted))
    #expect(lines.events.count == 1)
    let line = try #require(lines.events.first)
    #expect(line.hasPrefix("warning Parked "))
    #expect(line.contains(" order.id=2 ") && line.contains("reason.code=order_malformed"), "\(line)")
    #expect(await queued().keys.sorted() == [1, 3])
    let parked = broker.parked(by: .transform)
    #expect(parked.map { $0.envelope?.orderID.rawValue } == [2])
    #expect(parked.first?.burial?.reason.code == .orderMalformed && parked.first?.burial?.vendorAnswer == "[[[[")
    #expect(!line.contains("[[[["))
    #expect(try await ledger.watermark(of: .orders) != nil)
  }

  @Test("a source that is away ends the cycle before the watermark moves")
  func sourceAway() async throws {
    put(1...3)
    source.fail(.details(OrderID(rawValue: 2)), with: .transient("503"))
    await #expect(throws: PollInterruption.source(.transient("503"))) { try await poller().once() }
    #expect(try await ledger.watermark(of: .orders) == nil)
    // What was read of the page is published all the same.
    #expect(await queued().keys.sorted() == [1, 3])
    try await poller().once()
    #expect(await queued().keys.sorted() == [2])
  }

  @Test("an outage of all details parks nothing, however long it lasts")
  func detailsAway() async throws {
    put(1...3)
    for id in 1...3 { for _ in 1...8 { source.fail(.details(OrderID(rawValue: Int64(id))), with: .transient("500")) } }
    let poller = poller()
    for _ in 1...8 {
      await #expect(throws: PollInterruption.source(.transient("500"))) { try await poller.once() }
    }
    #expect(broker.parked(by: .transform).isEmpty)
    try await poller.once()
    #expect(await queued().keys.sorted() == [1, 2, 3])
  }

  @Test("customers are stored before orders are published")
  func customers() async throws {
    put(1...1)
    source.putCustomer(
      CollectionRecord(id: "7", content: Array(#"{"company_id":7,"serial_id":"C7"}"#.utf8)), updated: noon)
    try await poller().once()
    let key = LookupKey(
      collection: Poller.customersCollection, conditions: [LookupKey.Condition(field: "company_id", value: "7")])
    #expect(try await ledger.collections.find([key]).first?.record?.root["serial_id"]?.string == "C7")
    let first = source.asked.firstIndex(of: .customers) ?? .max
    let orders = source.asked.firstIndex(of: .orders(page: 1)) ?? .max
    #expect(first < orders)
  }

  @Test("a poller tells how its last cycle ended, until one has reached the end again")
  func interruption() async throws {
    let poller = poller()
    source.fail(.now, with: .transient("503"))
    #expect(poller.interruption == nil)
    let running = Task { await poller.run() }
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(poller.interruption == .source(.transient("503")))
    #expect(poller.interruption?.absence == Absence(.okki))
    clock.advance(by: .seconds(1))
    try await clock.sleepers(atLeast: leaderSleepers)
    #expect(poller.interruption == nil)
    running.cancel()
    try await ended(running)
  }

  @Test("each early end of a cycle names who was away, or nobody")
  func partners() {
    let named: [(PollInterruption, Partner?)] = [
      (.source(.transient("")), .okki), (.source(.malformed("")), .okki),
      (.source(.throttled(afterSeconds: 1)), nil), (.ledger(.unavailable("")), .postgresql),
      (.ledger(.broken("")), .setup), (.broker(""), .rabbitmq), (.drift, nil), (.overtaken, nil), (.stopped, nil),
    ]
    for (interruption, partner) in named {
      #expect(interruption.absence == partner.map { Absence($0) }, "\(interruption)")
    }
    #expect(PollInterruption.source(.unauthorized("")).absence == Absence(.okki, refusesUs: true))
    #expect(Reason(.k3Unauthorized, "").absence == Absence(.k3, refusesUs: true))
    #expect(Reason(.k3Unavailable, "").absence == Absence(.k3))
    #expect(Reason(.k3Unavailable, "").partner == .k3)
    #expect(Reason(.inDoubt, "").partner == .k3)
    #expect(Reason(.ledgerUnavailable, "").partner == .postgresql)
    #expect(Reason(.configuration, "").partner == .setup)
  }
}
