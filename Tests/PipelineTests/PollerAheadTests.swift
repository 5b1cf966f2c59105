import Orders
@testable import Pipeline
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

  private static func poller(_ source: some OrderSource, _ broker: MemoryBroker, _ clock: ManualClock) -> Poller {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    return Poller(
      source: source, ledger: MemoryPollLedger(), outbox: MemoryOutbox(broker), plan: plan, clock: pipelineClock(clock),
      logger: silent)
  }

  @Test("the next page's list is asked for while a page's details are fetched; details are fetched one round at a time")
  func lists() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let source = HeldSource(MemoryOrderSource(now: noon), size: 10)
    for id in 1...25 {
      source.inner.put(id: Int64(id), number: "SO\(id)", updated: noon.advanced(bySeconds: -600 - Int64(id)))
    }
    try await Self.poller(source, broker, clock).once()
    #expect(broker.count(in: .orders) == 25)
    let (pages, mostActive) = source.log.withLock { ($0.pages, $0.mostActive) }
    #expect(pages.map { Set($0) } == [Set(21...25), Set(11...20), Set(1...10)])
    #expect(mostActive == 1)
  }

  /// Tells which details are asked for together; fails at a page of the list.
  private final class TurningSource: OrderSource {
    let inner: MemoryOrderSource
    let failing: Int?
    let rounds = Mutex<[[Int64]]>([])

    init(_ inner: MemoryOrderSource, failing: Int? = nil) {
      self.inner = inner
      self.failing = failing
    }

    func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
      if case .updated = query, size > 1, index == failing { throw .transient("away") }
      return try await inner.orders(query, page: index, size: size)
    }

    func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] {
      rounds.withLock { $0.append(ids.map(\.rawValue)) }
      return await inner.details(of: ids)
    }

    func customers(
      updatedIn window: TimeWindow?, page index: Int, size: Int
    ) async throws(SourceFailure) -> CustomerPage {
      try await inner.customers(updatedIn: window, page: index, size: size)
    }

    func now() async throws(SourceFailure) -> BeijingTime { try await inner.now() }
  }

  private static func filled(_ orders: Int, padding: Int = 0) -> MemoryOrderSource {
    let source = MemoryOrderSource(now: noon)
    for id in 1...orders {
      source.put(
        id: Int64(id), number: "SO\(id)" + String(repeating: "x", count: padding),
        updated: noon.advanced(bySeconds: -600 - Int64(id)))
    }
    return source
  }

  @Test("once it is known what orders weigh, pages are fetched together, up to 500 orders")
  func rounds() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let source = TurningSource(Self.filled(1_204))
    try await Self.poller(source, broker, clock).once()
    #expect(broker.count(in: .orders) == 1_204)
    let sizes = source.rounds.withLock { $0.map(\.count) }
    // The second round may be listed before anything of the first has come.
    #expect(sizes.first == 4)
    #expect(sizes.max() == RoundSize.mostOrders)
    // Twice as many pages each time: 1, 1 or 2, … 32, then 50.
    #expect(sizes.count <= 9)
  }

  @Test("heavy orders are fetched page by page")
  func heavy() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let source = TurningSource(Self.filled(45, padding: 120_000))
    try await Self.poller(source, broker, clock).once()
    #expect(broker.count(in: .orders) == 45)
    #expect(source.rounds.withLock { $0.map(\.count) } == [5, 10, 10, 10, 10])
  }

  @Test("where a page of a round cannot be listed, the pages before it are published all the same")
  func fails() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let source = TurningSource(Self.filled(100), failing: 3)
    await #expect(throws: PollInterruption.source(.transient("away"))) {
      try await Self.poller(source, broker, clock).once()
    }
    #expect(broker.count(in: .orders) == 70)
  }

  @Test("an order that two pages of a round show, because another one left, is fetched once")
  func turning() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let inner = Self.filled(100)
    let source = TurningSource(inner)
    // Between the pages of the third round: the last order of page 5 moves up to page 4.
    inner.beforeEach { question in
      if question == .orders(page: 5) { inner.remove(OrderID(rawValue: 1)) }
    }
    try await Self.poller(source, broker, clock).once()
    let asked = source.rounds.withLock { $0.flatMap { $0 } }
    #expect(asked.count == Set(asked).count)
    #expect(broker.count(in: .orders) == asked.count)
    #expect(Set(2...100).isSubset(of: asked))
  }

  @Test("an order that is deleted while the slice is read, and was its only one, is not taken for denied")
  func deletedMeanwhile() async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock)
    let inner = Self.filled(1)
    // Too new for this cycle; it shows that `order/info` answers.
    inner.put(id: 2, number: "SO2", updated: noon.advanced(bySeconds: -1))
    inner.beforeEach { question in
      if question == .details(OrderID(rawValue: 1)) { inner.remove(OrderID(rawValue: 1)) }
    }
    try await Self.poller(inner, broker, clock).once()
    #expect(broker.count(in: .orders) == 0)
    #expect(broker.parked(by: .transform).isEmpty)
  }
}
