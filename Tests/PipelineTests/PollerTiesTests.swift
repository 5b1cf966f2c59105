import Logging
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

/// A CRM whose pages share out orders of the same second anew for each request, as a database does that sorts by the
/// time alone: the count stays, and what one page has shown stands on the next one instead of another order.
private final class TiedSource: OrderSource {
  private let source: MemoryOrderSource
  private let unsteady: Mutex<Int>

  /// - Parameter unsteady: how many pages are shared out wrongly.
  init(_ source: MemoryOrderSource, unsteady: Int) {
    self.source = source
    self.unsteady = Mutex(unsteady)
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    let page = try await source.orders(query, page: index, size: size)
    guard size > 1, index == 1, case .updated = query else { return page }
    let moves = unsteady.withLock { left in
      defer { left -= 1 }
      return left > 0
    }
    guard moves else { return page }
    // The first of the next page instead of the last one of this.
    let next = try await source.orders(query, page: index + 1, size: size)
    if next.headlines.isEmpty { return page }
    return OrderPage(
      total: page.total, headlines: page.headlines.dropLast() + next.headlines.prefix(1), now: page.now)
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await source.details(of: ids) }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    try await source.customers(updatedIn: window, page: index, size: size)
  }

  func now() async throws(SourceFailure) -> BeijingTime { try await source.now() }
}

@Suite("Poller, orders of one second", .timeLimit(.minutes(1)))
struct PollerTiesTests {
  private let clock = ManualClock()
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  private func published(unsteady: Int, _ ids: ClosedRange<Int64>, apart: Int64 = 0) async throws -> Set<Int64> {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 - id * apart)) }
    let broker = MemoryBroker(clock: clock)
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    let poller = Poller(
      source: TiedSource(source, unsteady: unsteady), ledger: ledger, outbox: MemoryOutbox(broker),
      plan: plan, clock: pipelineClock(clock), logger: silent)
    try await poller.once()
    let inbox = MemoryInbox(broker, stage: .transform)
    let envelopes = await inbox.next(max: 1_000).compactMap { try? $0.envelope.get() }
    return Set(envelopes.map(\.orderID.rawValue))
  }

  @Test("an order that one page left out and no other showed is read in a second pass")
  func leftOut() async throws {
    #expect(try await published(unsteady: 1, 1...25) == Set(1...25))
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("pages that always leave the same order out are made smaller, until one page shows all")
  func leftOutForEver() async throws {
    #expect(try await published(unsteady: .max, 1...25, apart: 1) == Set(1...25))
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("more orders of one second than a page holds, of which one is never shown, keep the watermark where it was")
  func neverShown() async throws {
    await #expect(throws: PollInterruption.drift) { try await published(unsteady: .max, 1...25) }
    let watermark = try await ledger.watermark(of: .orders)
    #expect(watermark.map { $0 < noon.advanced(bySeconds: -600) } ?? true)
  }
}
