import Orders
import PipelineTesting
import Testing

@testable import Pipeline

/// A CRM that has no more than so many customers on a page, and keeps one back.
private struct CappedCustomers: OrderSource {
  let source: MemoryOrderSource
  let most: Int
  var back: String?

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    let page = try await source.customers(updatedIn: window, page: index, size: min(size, most))
    return CustomerPage(
      total: page.total, records: page.records.filter { $0.id != back }, now: page.now, unreadable: page.unreadable)
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    try await source.orders(query, page: index, size: size)
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await source.details(of: ids) }

  func now() async throws(SourceFailure) -> BeijingTime { try await source.now() }
}

@Suite("The poller and customers' pages that OKKI cuts, with one bad customer", .timeLimit(.minutes(1)))
struct PollerSpoiltCustomersTests {
  private let clock = ManualClock()
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  private func poller(most: Int, back: String? = nil) -> Poller {
    Poller(
      source: CappedCustomers(source: source, most: most, back: back), ledger: ledger,
      outbox: MemoryOutbox(MemoryBroker(clock: clock)), plan: PollPlan(since: noon), clock: pipelineClock(clock),
      logger: recording(Probe<String>()))
  }

  private func put(_ ids: ClosedRange<Int>) {
    for id in ids {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -60))
    }
  }

  private func missing(_ ids: ClosedRange<Int>) async throws -> [Int] {
    let keys = ids.map { id in
      LookupKey(
        collection: Poller.customersCollection, conditions: [LookupKey.Condition(field: "company_id", value: "\(id)")])
    }
    return zip(ids, try await ledger.collections.find(keys)).filter { $1.record == nil }.map(\.0)
  }

  private var end: BeijingTime { noon.advanced(bySeconds: -5) }

  @Test("all others are stored, and the watermark moves", arguments: [30, 100, 555, 1000], [100, 60, 499, 500])
  func pieces(bad: Int, most: Int) async throws {
    put(1...1000)
    source.breakPages(ofCustomer: "\(bad)", .unframed)
    try await poller(most: most).once()
    #expect(try await missing(1...1000) == [bad])
    #expect(try await ledger.watermark(of: .customers) == end)
  }

  @Test("as they are where the row alone cannot be read", arguments: [30, 1000])
  func row(bad: Int) async throws {
    put(1...1000)
    source.spoil(customer: "\(bad)")
    try await poller(most: 100).once()
    #expect(try await missing(1...1000) == [bad])
    #expect(try await ledger.watermark(of: .customers) == end)
  }

  @Test("where one is kept back besides, those that are shown are stored, and the watermark waits for him")
  func back() async throws {
    put(1...30)
    source.breakPages(ofCustomer: "3", .unframed)
    try await poller(most: 500, back: "17").once()
    #expect(try await missing(1...30) == [3, 17])
    #expect(try await ledger.watermark(of: .customers) == nil)
  }
}
