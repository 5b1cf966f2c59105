import Orders
import PipelineTesting
import Testing

@testable import Pipeline

/// Rows that read the same whatever order they are of.
@Suite("The poller and rows that show nothing of their order", .timeLimit(.minutes(1)))
struct PollerBareRowsTests {
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

  private func order(_ id: Int64) -> OrderID { OrderID(rawValue: id) }

  private var letters: [String] { broker.parked(by: .transform).map { String(decoding: $0.body, as: UTF8.self) } }

  /// Five cycles, of which the last one parks.
  private func park(_ poller: Poller) async throws {
    for _ in 1..<5 {
      await #expect(throws: PollInterruption.self) { try await poller.once() }
    }
    try await poller.once()
  }

  private func place(_ second: Int64, _ page: Int, _ text: String) -> String {
    let time = noon.advanced(bySeconds: second)
    return "OKKI's list of orders by their change, from \(time) to \(time), page \(page) of size 1 cannot be taken: "
      + "its row does not tell its order: \(text)"
  }

  @Test(
    "two of them a day apart are two letters, each with its place, and each is told once",
    arguments: [
      "null", "{}", "[]", "", #"{"order_id":52"#,
      #"{"order_id":null,"order_no":null,"update_time":null,"amount":null}"#,
    ])
  func twice(text: String) async throws {
    for id in Int64(1)...10 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600 + id)) }
    source.spoil(order(4), reading: text)
    let poller = poller()
    try await park(poller)
    #expect(letters == [place(-596, 1, text)])
    #expect(broker.count(in: .orders) == 9)
    source.setNow(noon.advanced(bySeconds: -500))
    try await poller.once()
    #expect(letters.count == 1)

    let next: Int64 = 86_400
    for id in Int64(21)...25 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: next)) }
    source.spoil(order(23), reading: text)
    source.setNow(noon.advanced(bySeconds: next + 60))
    try await park(poller)
    #expect(letters == [place(-596, 1, text), place(next, 3, text)])
    #expect(broker.count(in: .orders) == 13)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: next + 55))
    #expect(!lines.events.contains { $0.contains("52") || $0.contains("null") })
  }

  @Test("several of one page are as many letters, and hold up no other row", arguments: [1, 3, 6, 100])
  func several(pageSize: Int) async throws {
    for id in Int64(1)...7 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -600)) }
    for id in Int64(3)...4 { source.spoil(order(id), reading: "null") }
    try await park(poller(pageSize: pageSize))
    #expect(letters.sorted() == [place(-600, 4, "null"), place(-600, 5, "null")])
    #expect(broker.count(in: .orders) == 5)
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
  }

  @Test("a row that bears the number of an order is known by its text")
  func number() {
    let filling = #","name":"some forty bytes of a row that cannot be read"}"#
    for text in [#"{"order_id":52"#, #"{ "order_id" : "52""#, #"{"x":1,"order_id":52"#] {
      #expect(!Poller.isBare(Array((text + filling).utf8)), "\(text)")
      #expect(Poller.isBare(Array((text + "}").utf8)), "\(text)")
    }
    for text in [#"{"id":52"#, #"{"order_id":null"#, #"{"order_id":"""#, #"{"order_id":0"#, #"{"order_id""#] {
      #expect(Poller.isBare(Array((text + filling).utf8)), "\(text)")
    }
  }

  @Test("customers that read alike count each, on whatever pages they stand")
  func customers() async throws {
    var shown: Set<Int64> = []
    for _ in 1...2 {
      let page = CustomerPage(total: 3, records: [], now: noon, unreadable: [Array("null".utf8)])
      try await poller().store(page, &shown)
    }
    #expect(shown.count == 2)
  }
}
