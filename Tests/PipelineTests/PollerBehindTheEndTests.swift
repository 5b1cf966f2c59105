import Orders
import PipelineTesting
import Testing

@testable import Pipeline

/// What a page behind the end of a list tells is not what its first page tells.
@Suite("The poller and lists that tell no number of rows behind their end", .timeLimit(.minutes(1)))
struct PollerBehindTheEndTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  init() { broker = MemoryBroker(clock: clock) }

  private func poller() -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 50
    return Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan, clock: pipelineClock(clock),
      logger: recording(Probe<String>()))
  }

  private func put(_ ids: ClosedRange<Int64>) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 + id)) }
  }

  private func putCustomers(_ ids: ClosedRange<Int>) {
    for id in ids {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -60))
    }
  }

  @Test("no order is passed because a page behind the bad rows tells that there is none", arguments: [0, 1])
  func orders(told: Int) async throws {
    let total = Int64(told + 1)
    put(1...total)
    for id in 1...total { source.breakPages(of: OrderID(rawValue: id), .unframed) }
    source.tellBehindTheEnd(told)
    let poller = poller()
    for _ in 1...6 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
    }
    #expect(try await ledger.watermark(of: .orders) == nil)
    #expect(broker.parked(by: .transform).isEmpty)
  }

  @Test("a row that can be read is asked for before one behind the end", arguments: [1, 2, 4, 8, 16])
  func others(bad: Int64) async throws {
    put(1...50)
    for id in 51 - bad...50 { source.breakPages(of: OrderID(rawValue: id), .unframed) }
    source.tellBehindTheEnd(0)
    let window = try #require(TimeWindow(from: noon.advanced(bySeconds: -3600), to: noon))
    #expect(try await source.count(of: .updated(window)) == 50)
  }

  @Test("what a page has no row for is not believed where it should have one")
  func empty() async throws {
    let asked = Probe<Int>()
    let page = try await anyPage(atLeast: 0) { index, _ throws(SourceFailure) -> OrderPage in
      asked.report(index)
      let rows = index < 3 ? [] : [OrderHeadline(id: OrderID(rawValue: 1), updateTime: noon)]
      return OrderPage(total: 40, headlines: rows, now: noon)
    }
    #expect(page.headlines.count == 1)
    #expect(asked.events == [1, 2, 3])
  }

  @Test("the pieces of a page are as many as the rows that are known to be there")
  func pieces() async throws {
    // A page may be unreadable whose rows are not, each by itself, among the first ones of the list.
    await #expect(throws: SourceFailure.self) {
      try await anyPage(atLeast: 51) { _, _ throws(SourceFailure) -> OrderPage in
        OrderPage(total: 50, headlines: [OrderHeadline(id: OrderID(rawValue: 1), updateTime: noon)], now: noon)
      }
    }
  }

  @Test("no customer is passed because a page behind the bad ones tells that there is none", arguments: [0, 1])
  func customers(told: Int) async throws {
    putCustomers(1...told + 1)
    for id in 1...told + 1 { source.breakPages(ofCustomer: "\(id)", .unframed) }
    source.tellBehindTheEnd(told)
    let poller = poller()
    for _ in 1...2 { try await poller.once() }
    #expect(try await ledger.watermark(of: .customers) == nil)
  }
}
