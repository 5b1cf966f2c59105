import Orders
import PipelineTesting
import Testing

@testable import Pipeline

@Suite("The poller and pages that one row makes unreadable", .timeLimit(.minutes(1)))
struct PollerUnframedTests {
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

  private func poller(_ shape: (inout PollPlan) -> Void = { _ in }) -> Poller {
    var plan = lastHour(pageSize: 6)
    shape(&plan)
    return Poller(
      source: source, ledger: ledger, outbox: outbox, plan: plan, clock: pipelineClock(clock),
      logger: recording(lines), sweeps: ledger)
  }

  private func put(_ ids: ClosedRange<Int64>) {
    for id in ids { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 + id)) }
  }

  private func order(_ id: Int64) -> OrderID { OrderID(rawValue: id) }

  /// A row is looked at in five cycles before it is given up; the others do not wait for that.
  private func patience(_ poller: Poller, published: Int) async throws {
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
      #expect(parked.isEmpty)
      #expect(broker.count(in: .orders) == published)
      #expect(try await ledger.watermark(of: .orders) == nil)
    }
  }

  private var parked: [String] { broker.parked(by: .transform).map { spoiltRow($0.body) } }
  private var end: BeijingTime { noon.advanced(bySeconds: -5) }

  @Test(
    "all other rows are published at once, that row is parked once after five cycles and passed; mended, it is an order",
    arguments: [(2, 10_000), (3, 10_000), (4, 10_000), (6, 4), (100, 10_000), (500, 3)],
    [[Int64(4)], [10], [1, 9, 10]])
  func passed(sizes: (page: Int, slice: Int), bad: [Int64]) async throws {
    put(1...10)
    for id in bad { source.breakPages(of: order(id), .unframed) }
    let poller = poller { ($0.pageSize, $0.sliceSize) = sizes }
    if sizes.slice > 10 {
      try await patience(poller, published: 10 - bad.count)
      try await poller.once()
    } else {
      // Each slice has its own patience.
      for _ in 1...20 where try await ledger.watermark(of: .orders) != end { _ = try? await poller.once() }
    }
    #expect(broker.count(in: .orders) == 10 - bad.count)
    #expect(parked.sorted() == bad.map { "row of \($0)" }.sorted())
    #expect(broker.parked(by: .transform).first?.burial?.reason.code == .orderMalformed)
    #expect(try await ledger.watermark(of: .orders) == end)
    // Seen again within the overlap it is known already, and holds up nothing.
    source.setNow(noon.advanced(bySeconds: -500))
    try await poller.once()
    #expect(parked.count == bad.count)
    #expect(!lines.events.contains { line in bad.contains { line.contains("row of \($0)") } })
    for id in bad { source.breakPages(of: order(id), nil) }
    source.setNow(noon.advanced(bySeconds: -450))
    try await poller.once()
    #expect(broker.count(in: .orders) == 10)
  }

  @Test("of one that is too large the letter says where it is, the same in whatever window it is seen")
  func tooLarge() async throws {
    put(1...10)
    source.put(id: 11, number: "SO11", updated: noon.advanced(bySeconds: -593))
    source.breakPages(of: order(7), .tooLarge)
    let poller = poller()
    try await patience(poller, published: 10)
    try await poller.once()
    let second = noon.advanced(bySeconds: -593)
    let letter =
      "OKKI's list of orders by their change, from \(second) to \(second), page 2 of size 1 cannot be taken: "
      + "the answer is larger than allowed"
    #expect(parked == [letter])
    #expect(try await ledger.watermark(of: .orders) == end)
    source.setNow(noon.advanced(bySeconds: -480))
    put(12...14)
    try await poller.once()
    #expect(broker.count(in: .orders) == 13)
    #expect(parked == [letter])
  }

  @Test("one that is alone in its window, or the newest of all, is passed where another order can be read")
  func alone() async throws {
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -90_000))
    put(2...2)
    source.breakPages(of: order(2), .unframed)
    let poller = poller()
    try await patience(poller, published: 0)
    try await poller.once()
    #expect(parked == ["row of 2"])
    #expect(try await ledger.watermark(of: .orders) == end)
  }

  @Test("where no row can be read nothing is parked and nothing passed, and few questions are asked")
  func nothing() async throws {
    put(1...40)
    for id in Int64(1)...40 { source.breakPages(of: order(id), .unframed) }
    let poller = poller { $0.pageSize = 40 }
    for _ in 1...6 {
      await #expect(throws: PollInterruption.source(.unframed("the answer is no JSON", rows: nil))) {
        try await poller.once()
      }
    }
    #expect(parked.isEmpty)
    #expect(try await ledger.watermark(of: .orders) == nil)
    #expect(source.asked.count < 6 * 80)
  }

  @Test("whatever else fails is no matter of one row: no smaller page is asked for")
  func others() async throws {
    put(1...12)
    let failures: [SourceFailure] = [
      .transient("timeout"), .throttled(afterSeconds: 1), .unauthorized("no scope"), .malformed("no list"),
    ]
    for failure in failures {
      source.fail(.orders(page: 2), with: failure)
      let before = source.asked.count
      await #expect(throws: PollInterruption.source(failure)) { try await poller().once() }
      let asked = source.asked.dropFirst(before).filter { if case .orders = $0 { true } else { false } }
      #expect(asked == [.orders(page: 1), .orders(page: 2)])
    }
  }

  @Test("pieces of one page that do not show all of it are read again, though the count stood still")
  func drift() async throws {
    put(1...6)
    source.breakPages(of: order(5), .unframed)
    let count = Probe<Void>()
    source.beforeEach { [source] question in
      guard case .orders(let page) = question else { return }
      count.report(())
      // The count, the page, one more count, the last piece; then one of its orders and one not shown yet change places.
      guard count.events.count == 5, page == 1 else { return }
      source.put(id: 4, number: "SO4", updated: noon.advanced(bySeconds: -599))
      source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -596))
    }
    let poller = poller { $0.pageSize = 6 }
    await #expect(throws: PollInterruption.self) { try await poller.once() }
    #expect(count.events.count > 5)
    let envelopes = await MemoryInbox(broker, stage: .transform).next(max: 100).compactMap { try? $0.envelope.get() }
    #expect(Set(envelopes.map(\.orderID.rawValue)) == [1, 2, 3, 4, 6])
  }

  @Test("of the list of deleted orders it is parked as well, and the other deletions are told")
  func removed() async throws {
    put(1...8)
    for id in Int64(5)...8 { source.remove(order(id), at: noon.advanced(bySeconds: -100 + id)) }
    source.breakPages(of: order(7), .unframed)
    let poller = poller()
    for _ in 1..<5 {
      try await poller.once()
      #expect(broker.count(in: .bills) == 3)
      #expect(parked.isEmpty)
      #expect(try await ledger.watermark(of: .removed) == nil)
    }
    try await poller.once()
    #expect(parked == ["row of 7"])
    #expect(try await ledger.watermark(of: .removed) == end)
    source.breakPages(of: order(7), nil)
    source.setNow(noon.advanced(bySeconds: 10))
    try await poller.once()
    #expect(broker.count(in: .bills) == 4)
  }

  @Test("mended without a change, and when no overlap shows it any more, it is carried by a reconciliation")
  func reconciled() async throws {
    put(1...8)
    source.breakPages(of: order(2), .unframed)
    let poller = poller { $0.reconcileSeconds = 3600 }
    try await patience(poller, published: 7)
    try await poller.once()
    // It reads that row in its list as well, and knows it already.
    #expect(try await ledger.lead())
    while try await poller.sweep() {}
    clock.advance(by: .seconds(3600))
    source.setNow(noon.advanced(bySeconds: 3600))
    try await poller.once()
    #expect(try await ledger.lead())
    while try await poller.sweep() {}
    #expect(try await ledger.sweeps().first { $0.kind == .reconcile }?.findings.failed == 1)
    #expect(broker.count(in: .orders) == 7)
    #expect(parked == ["row of 2"])
    source.breakPages(of: order(2), nil)
    clock.advance(by: .seconds(3600))
    source.setNow(noon.advanced(bySeconds: 7200))
    try await poller.once()
    #expect(broker.count(in: .orders) == 7)
    #expect(try await ledger.lead())
    while try await poller.sweep() {}
    #expect(broker.count(in: .orders) == 8)
  }

  @Test("a backfill counts it as read and as failed, and one that comes later carries it")
  func sweeps() async throws {
    put(1...12)
    source.breakPages(of: order(2), .unframed)
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
    let findings = try #require(try await ledger.sweeps().first { $0.kind == .backfill }).findings
    #expect(findings.read == 12)
    #expect(findings.failed == 1)
    #expect(parked == ["row of 2"])
    #expect(broker.count(in: .orders) == 11)
    source.breakPages(of: order(2), nil)
    _ = try await ledger.startBackfill(window, .update)
    while try await poller.sweep() {}
    #expect(broker.count(in: .orders) == 12)
  }

  @Test(
    "a customer with whom no page can be read is told and counted, once, and the others are stored",
    arguments: [MemoryOrderSource.PageFault.unframed, .tooLarge], [["1"], ["2"], ["3"], ["1", "3"]])
  func customers(fault: MemoryOrderSource.PageFault, bad: [String]) async throws {
    for id in 1...3 {
      source.putCustomer(
        CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id)}"#.utf8)),
        updated: noon.advanced(bySeconds: -60))
    }
    for id in bad { source.breakPages(ofCustomer: id, fault) }
    let poller = poller()
    try await poller.once()
    source.setNow(noon.advanced(bySeconds: 30))
    try await poller.once()
    let keys = (1...3).map { id in
      LookupKey(
        collection: Poller.customersCollection, conditions: [LookupKey.Condition(field: "company_id", value: "\(id)")])
    }
    let stored = try await ledger.collections.find(keys).map { $0.record != nil }
    #expect(stored == (1...3).map { !bad.contains("\($0)") })
    #expect(try await ledger.watermark(of: .customers) == noon.advanced(bySeconds: 25))
    let told = "warning A row of OKKI's list of customers cannot be read; the others can"
    #expect(lines.events == bad.map { _ in told })
    #expect(parked.isEmpty)
  }

  @Test("each customer of whom nothing is known counts in a pass, and a second pass adds none")
  func largeCustomers() async throws {
    var scan: Set<Int64> = []
    for _ in 1...2 {
      var pass: Set<Int64> = []
      for _ in 1...2 {
        let page = CustomerPage(
          total: 4, records: [], now: noon, unreadable: [Poller.largeCustomer, Poller.largeCustomer])
        try await poller().store(page, &pass)
      }
      #expect(pass.count == 4)
      scan.formUnion(pass)
    }
    #expect(scan.count == 4)
  }

  @Test("a row that two pieces show counts once, and each of several that are alike on one by itself")
  func twice() {
    func page(_ rows: [[UInt8]]) -> OrderPage { OrderPage(total: 9, headlines: [], now: noon, unreadable: rows) }
    #expect(page([]).holding([page([[1], [1], [2]]), page([[1]]), page([[2], [3]])]).unreadable.count == 4)
    func customers(_ rows: [[UInt8]]) -> CustomerPage {
      CustomerPage(total: 9, records: [], now: noon, unreadable: rows)
    }
    let large = Poller.largeCustomer
    #expect(customers([]).holding([customers([[1], large]), customers([large, [1]])]).unreadable.count == 3)
  }

  @Test("the number of orders is known whatever row is asked for first")
  func count() async throws {
    put(1...3)
    for id in Int64(1)...3 { source.breakPages(of: order(id), .tooLarge) }
    let window = try #require(TimeWindow(from: noon.advanced(bySeconds: -3600), to: noon))
    #expect(try await source.count(of: .updated(window)) == 3)
    source.fail(.orders(page: 2), with: .transient("timeout"))
    await #expect(throws: SourceFailure.transient("timeout")) { try await source.count(of: .updated(window)) }
  }
}
