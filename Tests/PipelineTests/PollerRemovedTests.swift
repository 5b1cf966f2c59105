import Logging
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("The poller and deleted orders", .timeLimit(.minutes(1)))
struct PollerRemovedTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
  }

  private func poller(_ logger: Logger = silent, _ shape: (inout PollPlan) -> Void = { _ in }) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 2
    shape(&plan)
    return Poller(
      source: source, ledger: ledger, outbox: outbox, plan: plan,
      clock: pipelineClock(clock), logger: logger)
  }

  private func put(_ id: Int64, secondsAgo: Int64 = 600) {
    source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -secondsAgo))
  }

  private func remove(_ id: Int64, secondsAgo: Int64) {
    source.remove(OrderID(rawValue: id), at: noon.advanced(bySeconds: -secondsAgo))
  }

  /// What waits in a queue: order, revision, whether it is a removal.
  private func queued(_ queue: QueueName) async throws -> [String] {
    guard broker.count(in: queue) > 0 else { return [] }
    let inbox = MemoryInbox(broker, stage: queue == .orders ? .transform : .load)
    let deliveries = await inbox.next(max: 10_000)
    inbox.acknowledge(deliveries.map(\.receipt))
    return try deliveries.map { delivery in
      let envelope = try delivery.envelope.get()
      return "\(envelope.orderID)/\(envelope.revision)\(envelope.content == .removal ? " removed" : "")"
    }.sorted()
  }

  @Test("a deleted order goes to the bills' queue once, newer than its contents, and the stream has its own watermark")
  func removal() async throws {
    for id in 1...3 { put(Int64(id)) }
    try await poller().once()
    #expect(try await queued(.orders) == ["1/1", "2/1", "3/1"])
    remove(2, secondsAgo: -10)
    source.setNow(noon.advanced(bySeconds: 60))
    try await poller().once()
    #expect(try await queued(.bills) == ["2/2 removed"])
    #expect(try await ledger.watermark(of: .removed) == noon.advanced(bySeconds: 55))
    source.setNow(noon.advanced(bySeconds: 120))
    // Still within the overlap.
    try await poller().once()
    #expect(try await queued(.bills).isEmpty)
    #expect(try await queued(.orders).isEmpty)
  }

  @Test("orders that were deleted before the first cycle are told from FERRY_POLL_SINCE on, in slices and pages")
  func first() async throws {
    for id in 1...9 {
      put(Int64(id), secondsAgo: 7200)
      remove(Int64(id), secondsAgo: 600 + Int64(id))
    }
    put(10, secondsAgo: 7200)
    remove(10, secondsAgo: 3601)
    // Another one that is there, of long ago, since else no denial counts.
    put(11, secondsAgo: 86_400)
    try await poller(silent) { $0.sliceSize = 4 }.once()
    #expect(try await queued(.bills) == (1...9).map { "\($0)/1 removed" })
  }

  @Test("an order that OKKI still shows is not taken for deleted, and that is told")
  func alive() async throws {
    put(1)
    try await poller().once()
    _ = try await queued(.orders)
    source.listAsRemoved(OrderID(rawValue: 1), at: noon.advanced(bySeconds: -60))
    let lines = Probe<String>()
    try await poller(recording(lines)).once()
    #expect(try await queued(.bills).isEmpty)
    #expect(lines.events.count == 1)
    #expect(lines.events.first?.contains("are not taken for deleted") == true)
  }

  @Test("an OKKI that lists no deleted orders holds up no others, and is told once and asked again")
  func unknownList() async throws {
    put(1)
    put(2)
    remove(2, secondsAgo: 60)
    let lines = Probe<String>()
    let poller = poller(recording(lines))
    for round in 1...3 {
      source.fail(.removed(page: 1), with: .transient("OKKI answered code 400"))
      source.setNow(noon.advanced(bySeconds: Int64(round) * 60))
      try await poller.once()
    }
    #expect(try await queued(.orders) == ["1/1"])
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 175))
    #expect(try await ledger.watermark(of: .removed) == nil)
    let told = "warning Deleted orders cannot be read; orders can failure=OKKI is away or broken for now: OKKI answered"
    #expect(lines.events.filter { $0.hasPrefix("warning") } == ["\(told) code 400"])
    #expect(poller.interruption == nil)
    try await poller.once()
    #expect(try await queued(.bills) == ["2/1 removed"])
    #expect(try await ledger.watermark(of: .removed) == noon.advanced(bySeconds: 175))
  }

  @Test("while OKKI does not say whether an order is there its deletion waits, and the watermark with it")
  func unanswered() async throws {
    put(1)
    put(2)
    remove(1, secondsAgo: 60)
    source.fail(.details(OrderID(rawValue: 1)), with: .transient("500"))
    try await poller().once()
    #expect(try await queued(.bills).isEmpty)
    #expect(try await ledger.watermark(of: .removed) == nil)
    try await poller().once()
    #expect(try await queued(.bills) == ["1/1 removed"])
  }

  @Test("while OKKI denies every order none is taken for deleted, also where it lists orders that are alive")
  func outage() async throws {
    for id: Int64 in 1...4 { put(id) }
    let lines = Probe<String>()
    let poller = poller(recording(lines))
    try await poller.once()
    _ = try await queued(.orders)
    let watermark = try await ledger.watermark(of: .removed)
    for id: Int64 in 1...2 { source.listAsRemoved(OrderID(rawValue: id), at: noon.advanced(bySeconds: -60)) }
    for round: Int64 in 1...2 {
      for id: Int64 in 1...4 { source.fail(.details(OrderID(rawValue: id)), with: .absent) }
      source.setNow(noon.advanced(bySeconds: round * 30))
      try await poller.once()
    }
    #expect(try await queued(.bills).isEmpty)
    #expect(try await ledger.watermark(of: .removed) == watermark)
    let told = "warning Deleted orders cannot be read; orders can failure=OKKI denies what was asked for"
    #expect(lines.events.filter { $0.hasPrefix("warning") } == [told])
    // Now another order is shown, and so the denials count.
    for id: Int64 in 2...3 { source.fail(.details(OrderID(rawValue: id)), with: .absent) }
    remove(1, secondsAgo: 30)
    try await poller.once()
    #expect(try await queued(.bills) == ["1/2 removed", "2/2 removed"])
    #expect(try await ledger.watermark(of: .removed) == noon.advanced(bySeconds: 55))
  }

  @Test("other orders are looked for on pages that are no larger than the plan's, since OKKI cuts larger ones")
  func cutPages() async throws {
    for id: Int64 in 1...4 { put(id, secondsAgo: 600 - id) }
    let poller = poller(silent) { $0.pageSize = 2 }
    try await poller.once()
    _ = try await queued(.orders)
    // The first page has nothing but these, which are denied.
    for id: Int64 in 3...4 {
      source.listAsRemoved(OrderID(rawValue: id), at: noon.advanced(bySeconds: -60))
      source.fail(.details(OrderID(rawValue: id)), with: .absent)
    }
    source.cutPages(at: 2)
    try await poller.once()
    #expect(try await queued(.bills) == ["3/2 removed", "4/2 removed"])
  }

  @Test("a deleted order that OKKI shows unreadably is parked once, with OKKI's answer, and its bill is left alone")
  func unreadable() async throws {
    for id: Int64 in 1...2 { put(id) }
    try await poller().once()
    _ = try await queued(.orders)
    remove(1, secondsAgo: 60)
    for _ in 1...2 {
      source.fail(.details(OrderID(rawValue: 1)), with: .malformed("data is an array", answer: "[[["))
      try await poller().once()
    }
    #expect(try await queued(.bills).isEmpty)
    let parked = broker.parked(by: .transform)
    #expect(parked.compactMap(\.envelope).map(\.orderID.rawValue) == [1])
    #expect(parked.first?.burial?.vendorAnswer == "[[[")
    let why = "order 1, which OKKI lists as deleted: OKKI's answer cannot be read: data is an array"
    #expect(parked.first?.burial?.reason == Reason(.orderMalformed, why))
    #expect(try await ledger.watermark(of: .removed) == noon.advanced(bySeconds: -5))
  }

  @Test("a deleted order that alone cannot be asked for is parked after five cycles, and holds up no newer page")
  func stuck() async throws {
    // Two on a page, and the oldest page is read first.
    for id in 1...6 { put(Int64(id)) }
    for id in 1...5 { remove(Int64(id), secondsAgo: 100 - Int64(id)) }
    for _ in 1...6 { source.fail(.details(OrderID(rawValue: 1)), with: .transient("502", answer: "<h1>")) }
    let poller = poller()
    try await poller.once()
    #expect(try await queued(.bills) == ["2/1 removed", "3/1 removed", "4/1 removed", "5/1 removed"])
    #expect(try await ledger.watermark(of: .removed) == nil)
    for _ in 2...4 { try await poller.once() }
    #expect(broker.parked(by: .transform).isEmpty)
    for _ in 5...6 { try await poller.once() }
    let parked = broker.parked(by: .transform)
    #expect(parked.compactMap(\.envelope).map(\.orderID.rawValue) == [1])
    #expect(parked.first?.burial?.vendorAnswer == "<h1>")
    #expect(try await ledger.watermark(of: .removed) == noon.advanced(bySeconds: -5))
  }

  @Test("what may be OKKI's trouble with all is not asked for page by page, and parks nobody")
  func throttled() async throws {
    for id in 1...6 { put(Int64(id)) }
    for id in 1...5 { remove(Int64(id), secondsAgo: 100 - Int64(id)) }
    for _ in 1...8 { source.fail(.details(OrderID(rawValue: 1)), with: .throttled(afterSeconds: nil)) }
    let poller = poller()
    for _ in 1...8 { try await poller.once() }
    #expect(broker.parked(by: .transform).isEmpty)
    #expect(try await queued(.bills) == [])
  }

  @Test("the same trouble is told once, whatever OKKI's pages look like meanwhile")
  func toldOnce() async throws {
    put(1)
    put(2)
    remove(1, secondsAgo: 60)
    let lines = Probe<String>()
    let poller = poller(recording(lines))
    for round in 1...3 {
      source.fail(.details(OrderID(rawValue: 1)), with: .transient("OKKI answered 502", answer: "page \(round)"))
      try await poller.once()
    }
    #expect(lines.events.count { $0.hasPrefix("warning Deleted orders cannot be read") } == 1)
  }

  @Test("a deletion without a confirm ends the cycle and is published again under its number")
  func noConfirm() async throws {
    put(1)
    put(2)
    remove(1, secondsAgo: 60)
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.content == .removal else { return nil }
      return .unknown("the connection broke")
    }
    await #expect(throws: PollInterruption.broker("the connection broke")) { try await poller().once() }
    #expect(try await ledger.watermark(of: .removed) == nil)
    outbox.fail(nil)
    try await poller().once()
    #expect(try await queued(.bills) == ["1/1 removed", "1/1 removed"])
  }

  @Test("an order that is back is published anew, also with the time it had")
  func restored() async throws {
    put(1, secondsAgo: 60)
    put(2)
    try await poller().once()
    remove(1, secondsAgo: 30)
    try await poller().once()
    put(1, secondsAgo: 60)
    try await poller().once()
    #expect(try await queued(.orders) == ["1/1", "1/3", "2/1"])
    #expect(try await queued(.bills) == ["1/2 removed"])
  }
}
