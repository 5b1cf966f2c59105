import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// A CRM whose first page of customers shows the first one of the second page instead of its own last one, some times.
private final class UnsteadyCustomers: OrderSource {
  private let source: MemoryOrderSource
  private let unsteady: Mutex<Int>

  init(_ source: MemoryOrderSource, unsteady: Int) {
    self.source = source
    self.unsteady = Mutex(unsteady)
  }

  /// From now on it stands still.
  func stop() { unsteady.withLock { $0 = 0 } }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    let page = try await source.customers(updatedIn: window, page: index, size: size)
    let moves = unsteady.withLock { left in
      guard index == 1 else { return false }
      defer { left -= 1 }
      return left > 0
    }
    guard moves else { return page }
    let next = try await source.customers(updatedIn: window, page: index + 1, size: size)
    return CustomerPage(total: page.total, records: page.records.dropLast() + next.records.prefix(1), now: page.now)
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    try await source.orders(query, page: index, size: size)
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await source.details(of: ids) }

  func now() async throws(SourceFailure) -> BeijingTime { try await source.now() }
}

/// A CRM whose list of customers begins elsewhere with each question, and has no more than so many on a page.
private final class TurningCustomers: OrderSource {
  private let source: MemoryOrderSource
  private let state: Mutex<(asked: Int, turn: Int)>
  private let most: Int
  private let each: @Sendable () -> Void

  init(_ source: MemoryOrderSource, turn: Int = 0, most: Int = 500, each: @escaping @Sendable () -> Void = {}) {
    self.source = source
    state = Mutex((0, turn))
    (self.most, self.each) = (most, each)
  }

  /// From now on it stands still.
  func stop() { state.withLock { $0 = (0, 0) } }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    each()
    let all = try await source.customers(updatedIn: window, page: 1, size: 1_000_000)
    if all.total == 0 { return all }
    let begin = state.withLock { state in
      state.asked += 1
      return state.asked * state.turn % all.total
    }
    let rows = all.records.dropFirst(begin) + all.records.prefix(begin)
    let size = min(size, most)
    return CustomerPage(
      total: all.total, records: Array(rows.dropFirst((index - 1) * size).prefix(size)), now: all.now)
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    try await source.orders(query, page: index, size: size)
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await source.details(of: ids) }

  func now() async throws(SourceFailure) -> BeijingTime { try await source.now() }
}

@Suite("Poller, customers", .timeLimit(.minutes(1)))
struct PollerCustomersTests {
  private let clock = ManualClock()
  private let source = MemoryOrderSource(now: noon)
  private let ledger: MemoryPollLedger
  private let lines = Probe<String>()
  private let registry = MetricsRegistry()
  private let broker: MemoryBroker

  init() {
    broker = MemoryBroker(clock: clock)
    ledger = MemoryPollLedger(MemoryPollLedger.Books(clock: clock))
  }

  private func poller(unsteady: Int) -> Poller { poller(UnsteadyCustomers(source, unsteady: unsteady)) }

  private func poller(_ source: UnsteadyCustomers) -> Poller {
    Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker),
      plan: PollPlan(since: noon.advanced(bySeconds: -3600)), clock: pipelineClock(clock), logger: recording(lines),
      metrics: PipelineMetrics(factory: registry))
  }

  private func poller(_ source: TurningCustomers, passes: Int = 1) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.maxPasses = passes
    return Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan, clock: pipelineClock(clock),
      logger: recording(lines))
  }

  private func put(_ ids: ClosedRange<Int>, secondsAgo: Int64 = 600) {
    for id in ids {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -secondsAgo))
    }
  }

  private func missing(_ ids: ClosedRange<Int>) async throws -> [Int] {
    var missing: [Int] = []
    for id in ids where try await !isThere(id) { missing.append(id) }
    return missing
  }

  private func isThere(_ id: Int) async throws -> Bool {
    let condition = LookupKey.Condition(field: "company_id", value: "\(id)")
    let key = LookupKey(collection: Poller.customersCollection, conditions: [condition])
    return try await ledger.collections.find([key]).first?.record != nil
  }

  @Test("a customer whom no page shows while another one is shown twice is found, and the watermark waits for that")
  func twice() async throws {
    put(1...600)
    // The page of all, which tells their count, and that of the first pass: the second pass shows all.
    try await poller(unsteady: 1 + 1).once()
    #expect(try await isThere(500))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    #expect(lines.events.isEmpty)
  }

  @Test(
    "a list of customers that cannot be read holds up no order, keeps its watermark, and is told once",
    arguments: [
      SourceFailure.malformed("row 3 has no company_id"), .unauthorized("the token lacks a scope"), .transient("502"),
    ])
  func unreadable(failure: SourceFailure) async throws {
    put(1...3)
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
    for _ in 1...3 { source.fail(.customers, with: failure) }
    let poller = poller(unsteady: 0)
    for _ in 1...3 { try await poller.once() }
    #expect(broker.count(in: .orders) == 1)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    #expect(try await ledger.watermark(of: .customers) == nil)
    #expect(lines.events.count { $0.hasPrefix("warning Customers cannot be read") } == 1)
    try await poller.once()
    #expect(try await isThere(3))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }

  @Test("a list of customers that keeps changing holds up no order, keeps its watermark, and is told of")
  func drifts() async throws {
    put(1...600)
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
    // The count of all and five passes, then in each cycle one pass.
    let poller = poller(unsteady: 1 + 5 + 1)
    try await poller.once()
    #expect(broker.count(in: .orders) == 1)
    #expect(try await !isThere(500))
    #expect(try await ledger.watermark(of: .customers) == nil)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    let asked = source.asked.count { $0 == .customers }
    try await poller.once()
    // Whatever the list does, it is asked once only: two pages, and what this CRM asks itself.
    #expect(source.asked.count { $0 == .customers } == asked + 2 + 1)
    #expect(try await ledger.watermark(of: .customers) == nil)
    #expect(lines.events.count { $0.hasPrefix("warning The customers' list kept changing") } == 1)
    #expect(registry.has("ferry_customer_drift_total 2"))
    try await poller.once()
    #expect(registry.has("ferry_customer_drift_total 2"))
    #expect(try await isThere(500))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }

  @Test("customers of one second whom each pass shows in another order are all found in time, over several cycles")
  func turning() async throws {
    try await poller(TurningCustomers(source)).once()
    let watermark = try await ledger.watermark(of: .customers)
    put(1...120, secondsAgo: -10)
    source.setNow(noon.advanced(bySeconds: 60))
    // Of 120 one pass leaves out 28, since each page begins 14 customers later than it should.
    let poller = poller(TurningCustomers(source, turn: 14, most: 50))
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == watermark)
    #expect(try await missing(1...120).count == 28)
    source.setNow(noon.advanced(bySeconds: 120))
    try await poller.once()
    // As far as the list went that was begun.
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 55))
    #expect(try await missing(1...120).isEmpty)
    #expect(lines.events.count { $0.hasPrefix("warning") } == 1)
  }

  @Test("while all of a list was not shown yet, customers that changed after its end are stored")
  func newer() async throws {
    try await poller(TurningCustomers(source)).once()
    put(1...120, secondsAgo: -10)
    source.setNow(noon.advanced(bySeconds: 60))
    // One pass shows 60 of them, two show 90.
    let list = TurningCustomers(source, turn: 30, most: 50)
    let poller = poller(list)
    try await poller.once()
    put(130...130, secondsAgo: -70)
    source.setNow(noon.advanced(bySeconds: 120))
    try await poller.once()
    #expect(try await isThere(130))
    list.stop()
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 55))
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 115))
  }

  @Test("a list begun by a clock that was ahead, and not shown whole, hides nobody who changed before it")
  func ahead() async throws {
    source.setNow(noon.advanced(bySeconds: 600))
    try await poller(TurningCustomers(source)).once()
    put(1...120, secondsAgo: -610)
    clock.advance(by: .seconds(60))
    source.setNow(noon.advanced(bySeconds: 660))
    let list = TurningCustomers(source, turn: 14, most: 50)
    let poller = poller(list)
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 595))
    list.stop()
    put(130...130, secondsAgo: -70)
    // Right again, and as late as the list's end.
    clock.advance(by: .seconds(640))
    source.setNow(noon.advanced(bySeconds: 700))
    for _ in 1...2 { try await poller.once() }
    #expect(try await missing(1...120).isEmpty)
    #expect(try await isThere(130))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 695))
  }

  @Test("the first list does not count as shown because a new customer came for one who left, and one was never shown")
  func swapped() async throws {
    put(1...600)
    let list = UnsteadyCustomers(source, unsteady: .max)
    let poller = poller(list)
    try await poller.once()
    #expect(try await missing(1...600) == [500])
    source.removeCustomer("600")
    put(601...601, secondsAgo: -10)
    source.setNow(noon.advanced(bySeconds: 60))
    try await poller.once()
    #expect(try await ledger.watermark(of: .customers) == nil)
    list.stop()
    try await poller.once()
    #expect(try await missing(1...599).isEmpty)
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }

  @Test("a list that has not shown all takes a fifth of the time at most")
  func rests() async throws {
    put(1...60)
    let asked = Mutex(0)
    let poller = poller(
      TurningCustomers(source, turn: 10, most: 50) { [clock] in
        asked.withLock { $0 += 1 }
        clock.advance(by: .seconds(1))
      })
    try await poller.once()
    // A page of all, for their count, then two pages, of a second each.
    #expect(asked.withLock { $0 } == 3)
    clock.advance(by: .seconds(11))
    try await poller.once()
    #expect(asked.withLock { $0 } == 3)
    clock.advance(by: .seconds(1))
    try await poller.once()
    #expect(asked.withLock { $0 } > 3)
  }

  /// How many questions a cycle asks about customers.
  private func questions(of poller: Poller) async throws -> Int {
    let asked = source.asked.count { $0 == .customers }
    try await poller.once()
    return source.asked.count { $0 == .customers } - asked
  }

  /// On pages of 50.
  private var steady: Poller { poller(TurningCustomers(source, most: 50), passes: 5) }

  @Test("each page is asked for once, and one page of all at first, which tells that nobody is outside")
  func requests() async throws {
    put(1...120)
    let poller = steady
    #expect(try await questions(of: poller) == 1 + 3)
    #expect(try await missing(1...120).isEmpty)
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    // Nobody changed.
    source.setNow(noon.advanced(bySeconds: 60))
    #expect(try await questions(of: poller) == 1)
    put(201...270, secondsAgo: -60)
    source.setNow(noon.advanced(bySeconds: 120))
    #expect(try await questions(of: poller) == 2)
    #expect(try await missing(201...270).isEmpty)
    #expect(lines.events.isEmpty)
  }

  @Test("where there are more customers than the first window has, the pages of all are read too")
  func outside() async throws {
    put(1...120)
    // One without a time of change lies in no window, as does one that is said to change tomorrow.
    put(121...121, secondsAgo: -86_400)
    #expect(try await questions(of: steady) == 3 + 3)
    #expect(try await missing(1...121).isEmpty)
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }

  @Test("a list that a customer leaves while it is read is read once more, and nobody is left out", arguments: 2...4)
  func leaves(question: Int) async throws {
    put(1...120)
    let asked = Mutex(0)
    source.beforeEach { [source] in
      guard $0 == .customers else { return }
      let number = asked.withLock { count in
        count += 1
        return count
      }
      if number != question { return }
      // Whoever comes after the first one moves forward by one place.
      source.putCustomer(
        CollectionRecord(id: "1", content: Array(#"{"company_id":1}"#.utf8)), updated: noon.advanced(bySeconds: 10))
    }
    let count = try await questions(of: steady)
    #expect(try await missing(1...120).isEmpty)
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    // A page of all, and two passes; or, where the window has fewer from the first, all pages of all and one pass.
    #expect(count == (question == 2 ? 3 + 3 : 1 + 3 + 3))
  }

  @Test("where OKKI puts fewer customers on a page than it was asked for, all are read", arguments: [100, 10, 499])
  func cut(most: Int) async throws {
    put(1...300)
    try await poller(TurningCustomers(source, most: most)).once()
    #expect(try await missing(1...300).isEmpty)
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }

  @Test("a page that shows fewer customers than its list has leaves the watermark, also the only one")
  func few() async throws {
    put(1...20)
    try await poller(TurningCustomers(source, most: 9)).once()
    #expect(try await ledger.watermark(of: .customers) == nil)
  }
}
