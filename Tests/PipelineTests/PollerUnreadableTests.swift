import Orders
import PipelineTesting
import Synchronization
import Testing

@testable import Pipeline

/// A CRM whose page leaves out one of its rows, another one each time, and shows one twice instead.
private final class ForgetfulSource: OrderSource {
  private let source: MemoryOrderSource
  private let asked = Mutex(0)

  init(_ source: MemoryOrderSource) { self.source = source }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    let page = try await source.orders(query, page: index, size: size)
    guard size > 1, page.headlines.count > 1, !page.unreadable.isEmpty else { return page }
    let isOdd = asked.withLock { count in
      count += 1
      return count % 2 == 1
    }
    return OrderPage(
      total: page.total, headlines: (isOdd ? page.headlines.dropLast() : page.headlines) + page.headlines.prefix(1),
      now: page.now, unreadable: isOdd ? page.unreadable : [])
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await source.details(of: ids) }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    try await source.customers(updatedIn: window, page: index, size: size)
  }

  func now() async throws(SourceFailure) -> BeijingTime { try await source.now() }
}

@Suite("The poller and rows that cannot be read", .timeLimit(.minutes(1)))
struct PollerUnreadableTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()
  private let lines = Probe<String>()

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
  }

  private func poller(
    _ other: (any OrderSource)? = nil, _ shape: (inout PollPlan) -> Void = { _ in }
  ) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 3
    shape(&plan)
    return Poller(
      source: other ?? source, ledger: ledger, outbox: outbox, plan: plan, clock: pipelineClock(clock),
      logger: recording(lines), sweeps: ledger,
      // It stands still: questions that take minutes would else race with the renewals.
      leaseClock: pipelineClock(ManualClock()))
  }

  private func put(_ ids: ClosedRange<Int64>) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 + id)) }
  }

  /// A row is looked at in five cycles before it is given up.
  private func patience(_ poller: Poller) async throws {
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
      #expect(parked.isEmpty)
    }
  }

  private var parked: [String] { broker.parked(by: .transform).map { spoiltRow($0.body) } }

  @Test("rows that tell no order are parked as they came, once, and passed; the others are published")
  func passed() async throws {
    put(1...10)
    for id in [4, 10] { source.spoil(OrderID(rawValue: Int64(id))) }
    let poller = poller()
    try await patience(poller)
    #expect(broker.count(in: .orders) == 8)
    #expect(try await ledger.watermark(of: .orders) == nil)
    try await poller.once()
    #expect(broker.count(in: .orders) == 8)
    #expect(parked.sorted() == ["row of 10", "row of 4"])
    #expect(broker.parked(by: .transform).first?.burial?.reason.code == .orderMalformed)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    source.setNow(noon.advanced(bySeconds: -500))
    try await poller.once()
    #expect(parked.count == 2)
    #expect(lines.events.count { $0.hasPrefix("warning Parked") } == 2)
    #expect(!lines.events.contains { $0.contains("row of 4") })
    // Read again within the overlap, or by a reconciliation, it is an order like others.
    for id in [4, 10] { source.spoil(OrderID(rawValue: Int64(id)), false) }
    source.setNow(noon.advanced(bySeconds: -450))
    try await poller.once()
    #expect(broker.count(in: .orders) == 10)
  }

  @Test("the watermark waits where the letter is not confirmed")
  func unconfirmed() async throws {
    put(1...4)
    source.spoil(OrderID(rawValue: 2))
    outbox.fail { parcel in
      guard case .unreadable = parcel.content else { return nil }
      return .unknown("the connection broke")
    }
    let poller = poller()
    try await patience(poller)
    await #expect(throws: PollInterruption.broker("the connection broke")) { try await poller.once() }
    #expect(try await ledger.watermark(of: .orders) == nil)
    outbox.fail(nil)
    try await poller.once()
    #expect(parked.last == "row of 2")
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("where no row of any page tells its order the list has another shape: nothing is parked and nothing passed")
  func shape() async throws {
    put(1...4)
    for id in 1...4 { source.spoil(OrderID(rawValue: Int64(id))) }
    await #expect(throws: PollInterruption.source(.malformed("no row of OKKI's list of orders tells its order"))) {
      try await poller().once()
    }
    #expect(parked.isEmpty)
    #expect(try await ledger.watermark(of: .orders) == nil)
  }

  @Test("one row alone in its window is passed where another page shows an order")
  func alone() async throws {
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -90_000))
    put(2...2)
    source.spoil(OrderID(rawValue: 2))
    let poller = poller()
    try await patience(poller)
    try await poller.once()
    #expect(parked == ["row of 2"])
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("a row that is readable again is an order like others, and nothing is parked")
  func mended() async throws {
    put(1...4)
    source.spoil(OrderID(rawValue: 2))
    let poller = poller()
    await #expect(throws: PollInterruption.self) { try await poller.once() }
    source.spoil(OrderID(rawValue: 2), false)
    try await poller.once()
    #expect(broker.count(in: .orders) == 4)
    #expect(parked.isEmpty)
  }

  @Test("where no row of the list of deleted orders can be read, that list waits, whatever orders there are")
  func deleted() async throws {
    put(1...4)
    source.remove(OrderID(rawValue: 4), at: noon.advanced(bySeconds: -60))
    source.spoil(OrderID(rawValue: 4))
    let poller = poller()
    for _ in 1...6 { try await poller.once() }
    #expect(broker.count(in: .orders) == 3)
    #expect(parked.isEmpty)
    #expect(try await ledger.watermark(of: .removed) == nil)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("what an earlier pass showed, and the last one not, is not passed unparked")
  func passes() {
    var first = Poller.PageYield()
    first.unreadable = [1: [1]]
    first.seen = [OrderID(rawValue: 7), OrderID(rawValue: 8)]
    first.denied = [7, 8].map { OrderHeadline(id: OrderID(rawValue: $0), updateTime: noon) }
    var second = Poller.PageYield()
    second.seen = [OrderID(rawValue: 8), OrderID(rawValue: 9)]
    second.keep(first)
    #expect(second.unreadable == [1: [1]])
    #expect(second.denied.map(\.id.rawValue) == [7])
    #expect(second.read == 3)
  }

  @Test("a row that the first pass over a slice showed, and the second one not, is parked before it is passed")
  func leftOut() async throws {
    // Of one second, so that no slice is halved, and on two pages.
    for id in Int64(1)...5 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600)) }
    source.spoil(OrderID(rawValue: 3))
    let poller = poller(ForgetfulSource(source))
    try await patience(poller)
    try await poller.once()
    #expect(parked == ["row of 3"])
    #expect(broker.count(in: .orders) == 4)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("rows that are alike count each")
  func alike() { #expect(Poller.keyed([[1], [1], [2]]).count == 3) }

  @Test("one unreadable customer alone in the window stops nothing where the whole list shows another")
  func oneCustomer() async throws {
    for (id, seconds) in [("1", Int64(-600)), ("2", 60)] {
      source.putCustomer(
        CollectionRecord(id: id, content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: seconds))
    }
    source.spoil(customer: "2")
    let poller = poller()
    try await poller.once()
    source.setNow(noon.advanced(bySeconds: 600))
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 595))
  }

  @Test("a list beside the orders that takes long to fail takes a fifth of the time at most")
  func slow() async throws {
    let asked = Probe<Bool>()
    source.beforeEach { [clock] question in
      guard question == .customers else { return }
      asked.report(true)
      clock.advance(by: .seconds(100))
    }
    for _ in 1...2 { source.fail(.customers, with: .transient("timeout")) }
    let poller = poller()
    try await poller.once()
    try await poller.once()
    #expect(asked.events.count == 1)
    clock.advance(by: .seconds(400))
    try await poller.once()
    #expect(asked.events.count == 2)
  }

  @Test("a backfill counts them as read and as failed")
  func sweep() async throws {
    put(1...3)
    source.spoil(OrderID(rawValue: 2))
    let poller = poller { $0.since = noon.advanced(bySeconds: -10) }
    try await poller.once()
    let window = try #require(TimeWindow(from: noon.advanced(bySeconds: -3600), to: noon.advanced(bySeconds: -60)))
    _ = try await ledger.startBackfill(window, .update)
    #expect(try await ledger.lead())
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { while try await poller.sweep() {} }
      #expect(parked.isEmpty)
    }
    while try await poller.sweep() {}
    let findings = try #require(try await ledger.sweeps().first).findings
    #expect(findings.read == 3)
    #expect(findings.failed == 1)
    #expect(parked == ["row of 2"])
  }

  @Test("what a sweep sees of a row is no cycle of the live stream")
  func looks() async throws {
    put(1...3)
    source.spoil(OrderID(rawValue: 2))
    let poller = poller()
    let window = try #require(TimeWindow(from: noon.advanced(bySeconds: -3600), to: noon.advanced(bySeconds: -60)))
    _ = try await ledger.startBackfill(window, .update)
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
      #expect(try await ledger.lead())
      await #expect(throws: PollInterruption.self) { while try await poller.sweep() {} }
      #expect(parked.isEmpty)
    }
    try await poller.once()
    #expect(parked == ["row of 2"])
  }

  @Test("a customer that cannot be read is told once, and the others are stored")
  func customers() async throws {
    for id in 1...3 {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -60))
    }
    source.spoil(customer: "2")
    let poller = poller()
    try await poller.once()
    try await poller.once()
    let keys = (1...3).map { id in
      LookupKey(
        collection: Poller.customersCollection, conditions: [LookupKey.Condition(field: "company_id", value: "\(id)")])
    }
    #expect(try await ledger.collections.find(keys).map { $0.record != nil } == [true, false, true])
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    #expect(lines.events == ["warning A row of OKKI's list of customers cannot be read; the others can"])
  }
}
