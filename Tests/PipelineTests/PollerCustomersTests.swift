import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

/// A CRM whose first page of customers shows the first one of the second page instead of its own last one, some times.
private final class UnsteadyCustomers: OrderSource {
  private let source: MemoryOrderSource
  private let unsteady: Mutex<Int>

  init(_ source: MemoryOrderSource, unsteady: Int) {
    self.source = source
    self.unsteady = Mutex(unsteady)
  }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    let page = try await source.customers(updatedIn: window, page: index, size: size)
    // The first page is asked for its count, read, and asked for its count again.
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

@Suite("Poller, customers", .timeLimit(.minutes(1)))
struct PollerCustomersTests {
  private let clock = ManualClock()
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()
  private let lines = Probe<String>()
  private let broker: MemoryBroker

  init() { broker = MemoryBroker(clock: clock) }

  private func poller(unsteady: Int) -> Poller {
    Poller(
      source: UnsteadyCustomers(source, unsteady: unsteady), ledger: ledger, outbox: MemoryOutbox(broker),
      plan: PollPlan(since: noon.advanced(bySeconds: -3600)), clock: pipelineClock(clock), logger: recording(lines))
  }

  private func put(_ ids: ClosedRange<Int>) {
    for id in ids {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -600))
    }
  }

  private func isThere(_ id: Int) async throws -> Bool {
    let condition = LookupKey.Condition(field: "company_id", value: "\(id)")
    let key = LookupKey(collection: Poller.customersCollection, conditions: [condition])
    return try await ledger.collections.find([key]).first?.record != nil
  }

  @Test("a customer whom no page shows while another one is shown twice is found, and the watermark waits for that")
  func twice() async throws {
    put(1...600)
    // The count and the page: the second pass shows all.
    try await poller(unsteady: 2).once()
    #expect(try await isThere(500))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    #expect(lines.events.isEmpty)
  }

  @Test("a list of customers that keeps changing holds up no order, keeps its watermark, and is told of")
  func drifts() async throws {
    put(1...600)
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
    // Five passes of two questions after the first count, then in each cycle one pass and its count.
    let poller = poller(unsteady: 1 + 10 + 3)
    try await poller.once()
    #expect(broker.count(in: .orders) == 1)
    #expect(try await !isThere(500))
    #expect(try await ledger.watermark(of: .customers) == nil)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    let asked = source.asked.count { $0 == .customers }
    try await poller.once()
    // Whatever the list does, it is asked once only: two pages, two counts, and what this CRM asks itself.
    #expect(source.asked.count { $0 == .customers } == asked + 4 + 3)
    #expect(try await ledger.watermark(of: .customers) == nil)
    #expect(lines.events.count { $0.hasPrefix("warning The customers' list kept changing") } == 1)
    try await poller.once()
    #expect(try await isThere(500))
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
  }
}
