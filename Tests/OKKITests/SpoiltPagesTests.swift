import Curl
import Orders
import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import OKKI

/// A poller over real HTTP while single rows make OKKI's pages unreadable, or larger than is taken.
@Suite("Pages that one row spoils", .serialized, .timeLimit(.minutes(2)))
struct SpoiltPagesTests {
  /// A simulated OKKI, its books, and how its switches are set.
  private struct Desk {
    let base: String
    let client: CurlClient
    let source: OKKIOrderSource

    func tell(_ name: String, _ body: String) async throws {
      let outcome = await client.perform(
        HTTPRequest(.post, "\(base)/_sim/\(name)", body: Array(body.utf8), timeoutMilliseconds: 10_000))
      guard case .response(let response) = outcome, response.status == 200 else {
        throw SourceFailure.malformed("the simulator answered \(outcome)")
      }
    }
  }

  private func withDesk(_ test: (Desk) async throws -> Void) async throws {
    var plan = OKKIPlan()
    (plan.seed, plan.orders, plan.companies, plan.now) = (7, 40, 6, 1_705_284_000)
    let simulator = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let base = "http://127.0.0.1:\(simulator.port)"
    var curl = CurlOptions()
    curl.allowsPlainHTTP = true
    let client = try CurlClient(curl)
    let source = try OKKIOrderSource(options(base))
    let result: Result<Void, any Error>
    do { result = .success(try await test(Desk(base: base, client: client, source: source))) } catch {
      result = .failure(error)
    }
    await source.close()
    await client.shutdown(graceMilliseconds: 1_000)
    await simulator.stop()
    try result.get()
  }

  @Test(
    "hold up no other row, and that one is parked and passed after five cycles; mended, it is an order",
    arguments: ["strayQuoteEvery", "hugeRowEvery"])
  func poller(fault: String) async throws {
    try await withDesk { desk in
      try await desk.tell("clock", #"{"frozen":true}"#)
      let start = try await desk.source.now()
      let all = try #require(TimeWindow(from: start.advanced(bySeconds: -86_400), to: start))
      let orders = try await desk.source.orders(.updated(all), page: 1, size: 100).headlines
      let bad = try #require(orders.dropFirst(17).first)
      try #require(orders.count == 40)
      let (lines, clock, ledger) = (Probe<String>(), ManualClock(), MemoryPollLedger())
      let broker = MemoryBroker(clock: clock)
      var plan = PollPlan(since: all.from)
      plan.pageSize = 20
      let begun = ContinuousClock.now
      let poller = Poller(
        source: desk.source, ledger: ledger, outbox: MemoryOutbox(broker), plan: plan,
        clock: PipelineClock(now: { begun }, epochMilliseconds: { 1 }, sleep: { try? await clock.sleep(for: $0) }),
        logger: recording(lines))
      func parked() -> [String] {
        broker.parked(by: .transform).map { String(decoding: $0.body, as: UTF8.self) }
      }

      try await desk.tell("settings", #"{"\#(fault)":\#(bad.id)}"#)
      for _ in 1..<5 {
        await #expect(throws: PollInterruption.self) { try await poller.once() }
        #expect(broker.count(in: .orders) == 39)
        #expect(parked().isEmpty)
      }
      try await poller.once()
      let letters = parked()
      #expect(letters.count == 1)
      let second = "from \(bad.updateTime) to \(bad.updateTime), page "
      #expect(letters[0].contains(fault == "hugeRowEvery" ? second : #""note":"3" pipe"}"#), "\(letters)")
      #expect(letters[0].hasPrefix(fault == "hugeRowEvery" ? "OKKI's list of orders by their change" : "{"))
      #expect(try await ledger.watermark(of: .orders) == start.advanced(bySeconds: -5))
      #expect(!lines.events.contains { $0.contains("pipe") || $0.contains("\(bad.id)") })

      // Mended and changed, it is an order like others.
      try await desk.tell("settings", #"{"\#(fault)":0}"#)
      try await desk.tell("orders", #"{"touch":\#(bad.id)}"#)
      try await desk.tell("clock", #"{"advance_seconds":60}"#)
      try await poller.once()
      #expect(broker.count(in: .orders) == 40)
      #expect(parked() == letters)
    }
  }

  @Test("are no fault of the setup", arguments: ["strayQuoteEvery", "hugeRowEvery"])
  func check(fault: String) async throws {
    try await withDesk { desk in
      let newest = try #require(try await desk.source.customers(updatedIn: nil, page: 1, size: 1).records.first)
      try await desk.tell("settings", #"{"\#(fault)":\#(newest.id)}"#)
      let problems = await desk.source.check()
      // The simulator's clock is of another year.
      #expect(problems.count == 1 && problems[0].sentence.contains("clock"), "\(problems)")
    }
  }

  @Test("are one where no customer can be read")
  func noCustomer() async throws {
    try await withDesk { desk in
      try await desk.tell("settings", #"{"strayQuoteEvery":1}"#)
      let problems = await desk.source.check()
      #expect(problems.count == 2 && problems.last?.sentence.contains("cannot be read") == true, "\(problems)")
    }
  }

  @Test(
    "the customers' list is stored but for the bad one, who is told once",
    arguments: ["strayQuoteEvery", "hugeRowEvery"])
  func customers(fault: String) async throws {
    try await withDesk { desk in
      let customers = try await desk.source.customers(updatedIn: nil, page: 1, size: 100).records
      try #require(customers.count > 3)
      try await desk.tell("settings", #"{"\#(fault)":\#(customers[2].id)}"#)
      let (lines, clock, ledger) = (Probe<String>(), ManualClock(), MemoryPollLedger())
      let begun = ContinuousClock.now
      let poller = Poller(
        source: desk.source, ledger: ledger, outbox: MemoryOutbox(MemoryBroker(clock: clock)),
        plan: PollPlan(since: try await desk.source.now()),
        clock: PipelineClock(now: { begun }, epochMilliseconds: { 1 }, sleep: { try? await clock.sleep(for: $0) }),
        logger: recording(lines))
      try await poller.once()
      try await poller.once()
      let keys = customers.map { customer in
        LookupKey(
          collection: Poller.customersCollection,
          conditions: [LookupKey.Condition(field: "company_id", value: customer.id)])
      }
      let stored = try await ledger.collections.find(keys).map { $0.record != nil }
      #expect(stored == customers.indices.map { $0 != 2 })
      #expect(try await ledger.watermark(of: .customers) != nil)
      #expect(lines.events.count { $0.contains("list of customers cannot be read; the others can") } == 1)
    }
  }
}
