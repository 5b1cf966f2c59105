import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@Suite("Poller: what is read ahead", .timeLimit(.minutes(1)))
struct PollerAheadTests {
  /// Holds back the details of each page until the next page's list was asked for.
  private final class HeldSource: OrderSource {
    struct Log {
      var listed: Set<Int> = []
      var pages: [[Int64]] = []
      var active = 0
      var mostActive = 0
    }

    let inner: MemoryOrderSource
    let size: Int
    let log = Mutex(Log())

    init(_ inner: MemoryOrderSource, size: Int) {
      self.inner = inner
      self.size = size
    }

    func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
      if case .updated = query, size == self.size {
        log.withLock { _ = $0.listed.insert(index) }
      }
      return try await inner.orders(query, page: index, size: size)
    }

    func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] {
      let next = log.withLock { log in
        log.pages.append(ids.map(\.rawValue))
        log.active += 1
        log.mostActive = max(log.mostActive, log.active)
        return 3 - log.pages.count
      }
      while next >= 1, !log.withLock({ $0.listed.contains(next) }), !Task.isCancelled { await Task.yield() }
      let answers = await inner.details(of: ids)
      log.withLock { $0.active -= 1 }
      return answers
    }

    func customers(
      updatedIn window: TimeWindow?, page index: Int, size: Int
    ) async throws(SourceFailure) -> CustomerPage {
      try await inner.customers(updatedIn: window, page: index, size: size)
    }

    func now() async throws(SourceFailure) -> BeijingTime { try await inner.now() }
  }

  @Test("the next page's list is asked for while a page's details are fetched; details are fetched page by page")
  func lists() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let source = HeldSource(MemoryOrderSource(now: noon), size: 10)
    for id in 1...25 {
      source.inner.put(id: Int64(id), number: "SO\(id)", updated: noon.advanced(bySeconds: -600 - Int64(id)))
    }
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    let ledger = MemoryPollLedger()
    let poller = Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan, clock: pipelineClock(clock),
      logger: silent)
    try await poller.once()
    #expect(broker.count(in: .orders) == 25)
    let (pages, mostActive) = source.log.withLock { ($0.pages, $0.mostActive) }
    #expect(pages.map { Set($0) } == [Set(21...25), Set(11...20), Set(1...10)])
    #expect(mostActive == 1)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }
}
