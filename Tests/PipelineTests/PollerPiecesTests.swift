import Orders
import PipelineTesting
import Testing

@testable import Pipeline

@Suite("The poller and the pieces of a page", .timeLimit(.minutes(1)))
struct PollerPiecesTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()
  private let lines = Probe<String>()

  init() { broker = MemoryBroker(clock: clock) }

  private func poller(pageSize: Int = 6) -> Poller {
    Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: lastHour(pageSize: pageSize),
      clock: pipelineClock(clock), logger: recording(lines))
  }

  private func put(_ ids: ClosedRange<Int64>) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -3600 + id)) }
  }

  private func order(_ id: Int64) -> OrderID { OrderID(rawValue: id) }

  private var window: TimeWindow {
    get throws { try #require(TimeWindow(from: noon.advanced(bySeconds: -3600), to: noon)) }
  }

  @Test("they are read from the last to the first, and the page's clock is that of an answer before them")
  func sequence() async throws {
    put(1...6)
    source.breakPages(of: order(2), .unframed)
    let count = Probe<Void>()
    source.beforeEach { [source] _ in
      count.report(())
      source.setNow(noon.advanced(bySeconds: Int64(count.events.count)))
    }
    let page = try await poller().page(1, of: .updated(try window), size: 6)
    // The page, one that tells the count, the half with the bad row, its rows, amid them the control, the other half.
    #expect(source.asked == [1, 1, 2, 6, 5, 1, 4, 1].map { .orders(page: $0) })
    #expect(page.now == noon.advanced(bySeconds: 2))
    #expect(page.headlines.map(\.id.rawValue) == [6, 5, 4, 3, 1])
    #expect(page.isOfPieces)
  }

  @Test("of an order that two of them show, the one that was read last counts")
  func twice() {
    func page(_ orders: [(Int64, Int64)]) -> OrderPage {
      let headlines = orders.map { OrderHeadline(id: order($0.0), updateTime: noon.advanced(bySeconds: $0.1)) }
      return OrderPage(total: 9, headlines: headlines, now: noon)
    }
    let joined = page([]).holding([page([(3, 9), (2, 8)]), page([(2, 2), (1, 1)])])
    #expect(joined.headlines.map(\.id.rawValue) == [3, 2, 1])
    #expect(joined.headlines[1].updateTime == noon.advanced(bySeconds: 8))
  }

  @Test("the place of a row takes few questions, though those before it are as bad")
  func placed() async throws {
    for id in Int64(1)...20 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -1)) }
    for id in Int64(16)...20 { source.breakPages(of: order(id), .tooLarge) }
    let page = try await poller().page(3, of: .updated(try window), size: 1)
    #expect(page.unreadable.map { String(decoding: $0, as: UTF8.self).contains("page 3 of size 1") } == [true])
    #expect(source.asked.count < 40, "\(source.asked.count)")
  }

  @Test("where another order is looked for, rows tell no places")
  func noPlaces() async throws {
    put(1...4)
    source.breakPages(of: order(2), .tooLarge)
    let others = await poller().newest(.updated(try window), besides: [])
    #expect(others.map(\.id.rawValue) == [4, 3, 1])
    #expect(source.asked.count < 10, "\(source.asked.count)")
  }

  private var parked: Int { broker.parked(by: .transform).count }

  @Test(
    "many bad rows in succession are passed where others can be read, however old those are",
    arguments: [10...29, 21...40, 1...20, 9...40] as [ClosedRange<Int64>], [40, 6])
  func many(bad: ClosedRange<Int64>, pageSize: Int) async throws {
    put(1...40)
    for id in bad { source.breakPages(of: order(id), .unframed) }
    let poller = poller(pageSize: pageSize)
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
      #expect(broker.count(in: .orders) == 40 - bad.count)
    }
    try await poller.once()
    #expect(parked == bad.count)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("where only older orders than the window has can be read, its rows are passed")
  func older() async throws {
    for id in Int64(1)...60 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -90_000)) }
    put(61...84)
    for id in Int64(61)...84 { source.breakPages(of: order(id), .unframed) }
    let poller = poller(pageSize: 40)
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
    }
    try await poller.once()
    #expect(parked == 24)
  }

  @Test("where no row of the list can be read, no place is searched for")
  func garbage() async throws {
    put(1...40)
    for id in Int64(1)...40 { source.breakPages(of: order(id), .tooLarge) }
    await #expect(throws: PollInterruption.source(.unframed("the answer is larger than allowed", rows: nil))) {
      try await poller(pageSize: 40).once()
    }
    #expect(source.asked.count < 40, "\(source.asked.count)")
  }

  @Test("more than 100 on a page are not passed; it is told which they are, and the page is taken apart once a cycle")
  func tooMany() async throws {
    put(1...600)
    for id in Int64(450)...550 { source.breakPages(of: order(id), .unframed) }
    let poller = poller(pageSize: 200)
    let (from, to) = (noon.advanced(bySeconds: -3600 + 450), noon.advanced(bySeconds: -3600 + 550))
    let why = "more than 100 rows of a page cannot be read, from \(from) to \(to): the answer is no JSON"
    for _ in 1...6 {
      let before = source.asked.count
      await #expect(throws: PollInterruption.source(.unframed(why, rows: nil))) { try await poller.once() }
      let rows = source.asked.dropFirst(before).count { $0 == .orders(page: 600 - 500 + 1) }
      #expect(rows == 1)
    }
    #expect(parked == 0)
    #expect(broker.count(in: .orders) == 400)
    #expect(try await ledger.watermark(of: .orders) == nil)
  }

  @Test("many bad customers in succession are told, and the others are stored")
  func customers() async throws {
    for id in 1...40 {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -60))
    }
    for id in 1...20 { source.breakPages(ofCustomer: "\(id)", .unframed) }
    try await poller().once()
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: -5))
    #expect(lines.events.count { $0.contains("list of customers cannot be read; the others can") } == 20)
  }
}
