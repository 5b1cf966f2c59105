import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("Poller: orders that are to be read anew", .timeLimit(.minutes(1)))
struct PollerRefetchTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let source = MemoryOrderSource(now: noon)
  private let books = MemoryPollLedger.Books()
  private let ledger: MemoryPollLedger
  private let archive: MemoryDeadLetters
  private let lines = Probe<String>()

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
    ledger = MemoryPollLedger(books)
    archive = MemoryDeadLetters(asking: books)
  }

  private func poller() -> Poller {
    Poller(
      source: source, ledger: ledger, outbox: outbox,
      plan: PollPlan(since: noon.advanced(bySeconds: -86_400)), clock: pipelineClock(clock), logger: recording(lines))
  }

  private func put(_ id: Int64, _ number: String = "SO") {
    source.put(id: id, number: number, updated: noon.advanced(bySeconds: -43_200 - id))
  }

  /// Parks a letter of each order, and asks for the orders.
  private func ask(_ orders: ClosedRange<Int64>) async throws {
    _ = try await archive.file(orders.map { deadLetter($0) })
    let letters = try await archive.letters(LetterFilter(), after: 0, limit: 1_000, withBodies: false)
    let theirs = letters.filter { orders.contains($0.letter.orderID?.rawValue ?? 0) }
    _ = try await archive.refetch(theirs.map(\.id), by: "ann")
  }

  /// What is asked for now.
  private func asked() async throws -> [Int64] {
    _ = try await ledger.lead()
    let refetches = try #require(try await ledger.refetches(limit: 1_000))
    await ledger.resign()
    return refetches.map(\.order.rawValue).sorted()
  }

  /// What waits for the transformers: order, revision, number.
  private func queued() async throws -> [String] {
    guard broker.count(in: .orders) > 0 else { return [] }
    let inbox = MemoryInbox(broker, stage: .transform)
    let deliveries = await inbox.next(max: 10_000)
    inbox.acknowledge(deliveries.map(\.receipt))
    return try deliveries.map { delivery in
      let envelope = try delivery.envelope.get()
      return "\(envelope.orderID)/\(envelope.revision) \(envelope.orderNumber)"
    }.sorted()
  }

  /// Orders 1 to `count` are published, and the watermark is far past them.
  private func published(_ count: Int64) async throws {
    for id in 1...count { put(id) }
    try await poller().once()
    _ = try await queued()
  }

  @Test("an order that changed without its time, or not at all, is published once more under a new number")
  func mended() async throws {
    try await published(3)
    put(2, "mended")
    try await poller().once()
    #expect(try await queued().isEmpty)
    try await ask(2...3)
    try await poller().once()
    #expect(try await queued() == ["2/2 mended", "3/2 SO"])
    #expect(try await asked().isEmpty)
    try await poller().once()
    #expect(try await queued().isEmpty)
  }

  @Test("what the broker does not confirm stays asked for, and comes under the same number")
  func unconfirmed() async throws {
    try await published(1)
    try await ask(1...1)
    outbox.fail { _ in .unknown("gone") }
    await #expect(throws: PollInterruption.broker("gone")) { try await poller().once() }
    #expect(try await asked() == [1])
    outbox.fail(nil)
    try await poller().once()
    // What is unknown may have arrived; a later stage knows the number.
    #expect(try await Set(queued()) == ["1/2 SO"])
    #expect(try await asked().isEmpty)
  }

  @Test("an order that OKKI does not show any more, or shows unreadably, is parked under its number")
  func gone() async throws {
    try await published(3)
    try await ask(1...2)
    source.remove(OrderID(rawValue: 1))
    source.fail(.details(OrderID(rawValue: 2)), with: .malformed("nested too deep"))
    try await poller().once()
    let parked = broker.parked(by: .transform)
    #expect(parked.map { $0.envelope?.orderID.rawValue } == [1, 2])
    #expect(parked.map { $0.envelope?.revision } == [2, 2])
    #expect(parked.map(\.burial?.reason.code) == [.orderMalformed, .orderMalformed])
    #expect(
      parked.first?.burial?.reason.sentence.contains("it was to be read anew, and order/info denies it") == true)
    #expect(try await asked().isEmpty)
  }

  @Test("while no order is shown none that is asked for is parked, and all stay asked for", arguments: [true, false])
  func outage(denied: Bool) async throws {
    try await published(3)
    try await ask(1...2)
    for id: Int64 in 1...3 {
      source.fail(.details(OrderID(rawValue: id)), with: denied ? .absent : .malformed("no JSON"))
    }
    try await poller().once()
    #expect(broker.parked(by: .transform).isEmpty)
    #expect(try await asked() == [1, 2])
    #expect(lines.events.contains { $0.contains("Orders that are to be read anew could not be") })
    try await poller().once()
    #expect(try await queued() == ["1/2 SO", "2/2 SO"])
    #expect(try await asked().isEmpty)
  }

  @Test("an order that is not answered for is asked for again, parked after five cycles while others are answered")
  func unanswered() async throws {
    try await published(2)
    for _ in 1...5 { source.fail(.details(OrderID(rawValue: 2)), with: .transient("500")) }
    let poller = poller()
    try await ask(2...2)
    for turn in 1...5 {
      try await ask(1...1)
      try await poller.once()
      #expect(try await queued() == ["1/\(turn + 1) SO"])
      #expect(try await asked() == (turn < 5 ? [2] : []))
    }
    #expect(broker.parked(by: .transform).map { $0.envelope?.orderID.rawValue } == [2])
    #expect(lines.events.contains { $0.contains("Orders that are to be read anew could not be") })
  }

  @Test("while OKKI refuses, what was asked for stays; what was answered before is published and ended")
  func refused() async throws {
    try await published(2)
    try await ask(1...2)
    source.fail(.details(OrderID(rawValue: 2)), with: .throttled(afterSeconds: 7))
    await #expect(throws: PollInterruption.source(.throttled(afterSeconds: 7))) { try await poller().once() }
    #expect(try await queued() == ["1/2 SO"])
    #expect(try await asked() == [2])
  }

  @Test("a cycle takes a hundred")
  func bounded() async throws {
    try await published(150)
    try await ask(1...150)
    try await poller().once()
    #expect(try await queued().count == 100)
    try await poller().once()
    #expect(try await queued().count == 50)
    #expect(try await asked().isEmpty)
  }

  @Test("a poller that was overtaken reads nothing anew")
  func overtaken() async throws {
    try await published(1)
    try await ask(1...1)
    source.beforeEach { [books] question in if question == .removed(page: 1) { books.electAnother() } }
    await #expect(throws: PollInterruption.overtaken) { try await poller().once() }
    #expect(try await queued().isEmpty)
  }
}
