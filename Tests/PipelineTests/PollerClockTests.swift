import Orders
import Pipeline
import PipelineTesting
import Telemetry
import TelemetryTesting
import Testing

@Suite("The poller and OKKI's clock", .timeLimit(.minutes(1)))
struct PollerClockTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let source = MemoryOrderSource(now: noon)
  private let ledger: MemoryPollLedger
  private let registry = MetricsRegistry()

  init() {
    broker = MemoryBroker(clock: clock)
    ledger = MemoryPollLedger(MemoryPollLedger.Books(clock: clock))
  }

  private func cycle(_ log: Probe<String> = Probe(), _ shape: (inout PollPlan) -> Void = { _ in }) async throws {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    shape(&plan)
    try await Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan, clock: pipelineClock(clock),
      logger: recording(log), metrics: PipelineMetrics(factory: registry),
      // It stands still: questions that take seconds would else race with the renewals.
      leaseClock: pipelineClock(ManualClock())
    ).once()
  }

  /// So much time goes by, and OKKI's clock shows so many seconds after noon.
  private func pass(_ seconds: Int, showing: Int64) {
    clock.advance(by: .seconds(seconds))
    source.setNow(noon.advanced(bySeconds: showing))
  }

  private func put(_ id: Int64, at seconds: Int64) {
    source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: seconds))
  }

  private func customer(_ id: Int) async throws -> Bool {
    let condition = LookupKey.Condition(field: "company_id", value: "\(id)")
    let key = LookupKey(collection: Poller.customersCollection, conditions: [condition])
    return try await ledger.collections.find([key]).first?.record != nil
  }

  @Test(
    "a clock that told ten minutes too many hides nothing, when it is right again and when nobody asked until it had come that far",
    arguments: [60, 300, 580, 900])
  func ahead(later: Int) async throws {
    pass(0, showing: 600)
    try await cycle()
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 595))
    put(1, at: 10)
    put(2, at: 20)
    source.remove(OrderID(rawValue: 2), at: noon.advanced(bySeconds: 30))
    put(3, at: -3_000)
    source.putCustomer(
      CollectionRecord(id: "1", content: Array(#"{"company_id":1}"#.utf8)), updated: noon.advanced(bySeconds: 10))
    pass(later, showing: Int64(later))
    let log = Probe<String>()
    try await cycle(log)
    #expect(broker.count(in: .orders) == 1)
    #expect(broker.count(in: .bills) == 1)
    #expect(try await customer(1))
    for stream in PollStream.allCases {
      #expect(try await ledger.watermark(of: stream) == noon.advanced(bySeconds: Int64(later) - 5))
    }
    #expect(log.events.count { $0.contains("clock went back") } == PollStream.allCases.count)
    pass(60, showing: Int64(later) + 60)
    let quiet = Probe<String>()
    try await cycle(quiet)
    #expect(!quiet.events.contains { $0.contains("clock went back") })
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("an order that changes twice in the second in which a clock that is ahead showed it is read again")
  func sameSecond() async throws {
    func put(_ text: String) {
      let content = #"{"order_id":1,"name":"\#(text)"}"#
      source.put(SourceOrder(id: OrderID(rawValue: 1), number: "SO1", updateTime: noon, content: Array(content.utf8)))
    }
    pass(0, showing: 600)
    put("first")
    try await cycle()
    put("second")
    pass(60, showing: 60)
    try await cycle()
    let inbox = MemoryInbox(broker, stage: .transform)
    #expect(await inbox.next(max: 10).map { try? $0.envelope.get().revision } == [1, 2])
  }

  @Test("the watermark goes back only with what was read: until then it is found to lie ahead again, and told once")
  func interrupted() async throws {
    pass(0, showing: 600)
    try await cycle()
    put(1, at: 10)
    source.fail(.details(OrderID(rawValue: 1)), with: .transient("500"))
    pass(60, showing: 60)
    await #expect(throws: PollInterruption.source(.transient("500"))) { try await cycle() }
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 595))
    pass(700, showing: 760)
    try await cycle()
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("of several slices that are read again none moves the watermark before the last one")
  func severalSlices() async throws {
    pass(0, showing: 600)
    try await cycle()
    put(1, at: 10)
    put(2, at: 300)
    source.fail(.details(OrderID(rawValue: 2)), with: .transient("500"))
    pass(400, showing: 400)
    await #expect(throws: PollInterruption.source(.transient("500"))) { try await cycle { $0.sliceSize = 1 } }
    #expect(broker.count(in: .orders) == 1)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 595))
    try await cycle { $0.sliceSize = 1 }
    #expect(broker.count(in: .orders) == 2)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 395))
  }

  @Test("a ledger's clock that leaps on has no more than a week read again")
  func leap() async throws {
    try await cycle { $0.since = noon.advanced(bySeconds: -100 * 86_400) }
    put(1, at: -8 * 86_400)
    put(2, at: -6 * 86_400)
    pass(90 * 86_400, showing: 60)
    try await cycle { $0.since = noon.advanced(bySeconds: -100 * 86_400) }
    let inbox = MemoryInbox(broker, stage: .transform)
    #expect(await inbox.next(max: 10).map { try? $0.envelope.get().orderID.rawValue } == [2])
  }

  @Test("whole seconds alone are no clock that went back, also without a lag")
  func rounding() async throws {
    try await cycle { $0.lagSeconds = 0 }
    pass(61, showing: 60)
    let log = Probe<String>()
    try await cycle(log) { $0.lagSeconds = 0 }
    #expect(!log.events.contains { $0.contains("went back") })
  }

  @Test("clocks that differ by no more than the lag, and a ledger's clock that was set back, take nothing back")
  func together() async throws {
    try await cycle()
    pass(10, showing: 5)
    let log = Probe<String>()
    try await cycle(log)
    pass(0, showing: 60)
    try await cycle(log)
    #expect(!log.events.contains { $0.contains("clock went back") })
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 55))
  }

  @Test("a clock that is behind by one second more than the lag has gone back, and is counted for each list")
  func beyond() async throws {
    try await cycle()
    let log = Probe<String>()
    pass(10, showing: 4)
    try await cycle(log)
    #expect(log.events.count { $0.contains("clock went back") } == PollStream.allCases.count)
    let counted = "ferry_okki_clock_back_total \(PollStream.allCases.count)"
    #expect(registry.has(counted))
  }

  @Test("the time that a cycle has taken so far is no clock that went back")
  func slow() async throws {
    try await cycle()
    pass(60, showing: 60)
    // While the customers are read, before the orders.
    source.beforeEach { [clock] in if $0 == .customers { clock.advance(by: .seconds(8)) } }
    let log = Probe<String>()
    try await cycle(log)
    #expect(!log.events.contains { $0.contains("clock went back") })
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 55))
  }

  @Test("nothing before the beginning is read, however long ago the ledger says the watermark was moved")
  func bounded() async throws {
    try await cycle()
    put(1, at: -4_000)
    pass(1_000_000, showing: 60)
    try await cycle()
    #expect(broker.count(in: .orders) == 0)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: 55))
  }
}
