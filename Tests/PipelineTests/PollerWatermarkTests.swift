import JSON
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("The poller's watermarks", .timeLimit(.minutes(1)))
struct PollerWatermarkTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let source = MemoryOrderSource(now: noon)
  private let ledger = MemoryPollLedger()

  init() { broker = MemoryBroker(clock: clock) }

  private func cycle(over ledger: (any PollLedger)? = nil, _ shape: (inout PollPlan) -> Void = { _ in }) async throws {
    var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
    plan.pageSize = 10
    shape(&plan)
    try await Poller(
      source: source, ledger: ledger ?? self.ledger, outbox: MemoryOutbox(broker), plan: plan,
      clock: pipelineClock(clock), logger: silent
    ).once()
  }

  private func put(_ id: Int64, secondsAgo: Int64) {
    source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -secondsAgo))
  }

  private func put(customer id: Int, secondsAgo: Int64) {
    source.putCustomer(
      CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id),"serial_id":"C\#(id)"}"#.utf8)),
      updated: noon.advanced(bySeconds: -secondsAgo))
  }

  private func customer(_ id: Int) async throws -> String? {
    let condition = LookupKey.Condition(field: "company_id", value: "\(id)")
    let key = LookupKey(collection: Poller.customersCollection, conditions: [condition])
    return try await ledger.collections.find([key]).first?.record?.root["serial_id"]?.string
  }

  @Test("what OKKI shows late, with a time before the watermark, is found within the overlap")
  func overlap() async throws {
    try await cycle()
    // 60 s before the watermarks, which stand at 5 s before noon.
    put(1, secondsAgo: 65)
    put(customer: 1, secondsAgo: 65)
    source.setNow(noon.advanced(bySeconds: 60))
    try await cycle()
    #expect(broker.count(in: .orders) == 1)
    #expect(try await customer(1) == "C1")
  }

  @Test("each stream has its watermark, at the end of the window")
  func both() async throws {
    try await cycle()
    for stream in PollStream.allCases {
      #expect(try await ledger.watermark(of: stream) == noon.advanced(bySeconds: -5))
    }
  }

  @Test("of a halved window the earlier half comes first: the watermark never passes an order that is missing")
  func earlierHalfFirst() async throws {
    for id in 1...60 { put(Int64(id), secondsAgo: 600 + Int64(id)) }
    source.fail(.details(OrderID(rawValue: 60)), with: .transient("500"))
    await #expect(throws: PollInterruption.source(.transient("500"))) { try await cycle { $0.sliceSize = 10 } }
    let watermark = try await ledger.watermark(of: .orders)
    #expect(watermark.map { $0 < noon.advanced(bySeconds: -660) } ?? true)
  }

  @Test("a slice within the overlap does not move the watermark backwards")
  func neverBack() async throws {
    try await cycle()
    put(1, secondsAgo: 100)
    put(2, secondsAgo: 20)
    source.setNow(noon.advanced(bySeconds: 60))
    source.fail(.details(OrderID(rawValue: 2)), with: .transient("500"))
    await #expect(throws: PollInterruption.source(.transient("500"))) { try await cycle { $0.sliceSize = 1 } }
    #expect(broker.count(in: .orders) == 1)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("a poller that was overtaken stops", arguments: PollStream.allCases)
  func overtaken(stream: PollStream) async throws {
    await #expect(throws: PollInterruption.overtaken) {
      try await cycle(over: AlteredPollLedger(ledger, overtaken: stream))
    }
  }

  @Test("an order read in the very second of its change is read again: it may have changed once more")
  func sameSecond() async throws {
    func put(_ text: String) {
      let content = #"{"order_id":1,"name":"\#(text)"}"#
      source.put(
        SourceOrder(id: OrderID(rawValue: 1), number: "SO1", updateTime: noon, content: Array(content.utf8)))
    }
    put("first")
    try await cycle { $0.lagSeconds = 0 }
    put("second")
    source.setNow(noon.advanced(bySeconds: 60))
    try await cycle { $0.lagSeconds = 0 }
    let inbox = MemoryInbox(broker, stage: .transform)
    #expect(await inbox.next(max: 10).map { try? $0.envelope.get().revision } == [1, 2])
  }

  @Test("a customer who comes while customers are read is not missed")
  func customerDrift() async throws {
    for id in [1] + Array(1_000..<1_600) { put(customer: id, secondsAgo: 600) }
    let source = self.source
    let questions = Probe<Int>()
    source.beforeEach { question in
      guard question == .customers else { return }
      questions.report(1)
      // A page of all and the window's first one, and before its second one somebody comes to it, and somebody after its end.
      guard questions.events.count == 3 else { return }
      for (id, secondsAgo) in [(2, 6), (3, 0)] as [(Int, Int64)] {
        source.putCustomer(
          CollectionRecord(id: "\(id)", content: Array(#"{"company_id":\#(id),"serial_id":"C\#(id)"}"#.utf8)),
          updated: noon.advanced(bySeconds: -secondsAgo))
      }
    }
    try await cycle()
    #expect(try await customer(2) == "C2")
    source.setNow(noon.advanced(bySeconds: 60))
    try await cycle()
    #expect(try await customer(3) == "C3")
  }
}
