import Curl
import Orders
import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import OKKI

@Suite("OKKI's order source, against its double and the simulator", .timeLimit(.minutes(2)))
struct ContractTests {
  @Test("the double keeps the contract")
  func double() async throws {
    let now = BeijingTime(epochSeconds: 1_705_300_000)
    let source = MemoryOrderSource(now: now)
    for number in 1...30 as ClosedRange<Int64> {
      source.put(id: number, number: "SO\(number)", updated: now.advanced(bySeconds: -(number / 2) * 60))
      let record = CollectionRecord(id: "\(number)", content: Array(#"{"company_id":\#(number)}"#.utf8))
      source.putCustomer(record, updated: now)
    }
    let window = try #require(TimeWindow(from: now.advanced(bySeconds: -3600), to: now))
    let removed = OrderID(rawValue: 7)
    source.remove(removed, at: now.advanced(bySeconds: -60))
    try await OrderSourceContract(source, window: window, missing: OrderID(rawValue: 99), removed: removed).check()
  }

  private func withSimulator(
    faults: FaultProfile, orders: Int = 300, test: (OKKIOrderSource, TimeWindow) async throws -> Void
  ) async throws {
    var plan = OKKIPlan()
    plan.orders = orders
    plan.faults = faults
    let simulator = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let source = try OKKIOrderSource(options("http://127.0.0.1:\(simulator.port)"))
    let now = try await source.now()
    try await test(source, try #require(TimeWindow(from: now.advanced(bySeconds: -7200), to: now)))
    await source.close()
    await simulator.stop()
  }

  @Test("the adapter keeps the contract over HTTP")
  func adapter() async throws {
    try await withSimulator(faults: .off) { source, window in
      let removed = try await source.orders(updatedIn: window, page: 1, size: 1).headlines[0].id
      try await remove(removed, source)
      try await OrderSourceContract(source, window: window, missing: OrderID(rawValue: 1), removed: removed).check()
      #expect(await source.check() == [])
      #expect(try await source.statuses().contains(OrderStatus(code: "1101043690", name: "内贸-退货")))
    }
  }

  /// A user deletes an order while it is asked for.
  private func remove(_ id: OrderID, _ source: OKKIOrderSource) async throws {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    let faults = Array(#"{"deleted_between":{"next":1}}"#.utf8)
    let outcome = await client.perform(
      HTTPRequest(.post, "\(source.client.options.base)/_sim/faults", body: faults, timeoutMilliseconds: 5_000))
    await client.shutdown(graceMilliseconds: 1_000)
    guard case .response(let response) = outcome, response.status == 200 else {
      Issue.record("the simulator did not take the fault: \(outcome)")
      return
    }
    guard case .failure(.absent)? = await source.details(of: [id]).first else {
      Issue.record("the order was not deleted")
      return
    }
  }

  @Test("in mild weather every order is read, because failures of the moment are asked again")
  func mild() async throws {
    try await withSimulator(faults: .mild, orders: 1_000) { source, window in
      var seen: Set<OrderID> = []
      for index in stride(from: 10, through: 1, by: -1) {
        let page = try await source.orders(updatedIn: window, page: index, size: 100)
        for result in await source.details(of: page.headlines.map(\.id)) { seen.insert(try result.get().id) }
      }
      #expect(seen.count == 1_000)
    }
  }

  @Test("wrong credentials, a wrong place and a wrong clock are told with a remedy")
  func check() async throws {
    var plan = OKKIPlan()
    plan.now = 1_705_300_000
    let simulator = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let url = "http://127.0.0.1:\(simulator.port)"
    let good = try OKKIOrderSource(options(url))
    let skewed = await good.check()
    #expect(skewed.count == 1 && skewed[0].sentence.contains("behind this machine's"))
    let wrong = try OKKIOrderSource(options(url) { $0.clientSecret = "wrong" })
    let refused = await wrong.check()
    #expect(refused.count == 1 && refused[0].sentence.contains("invalid_client"))
    let narrow = try OKKIOrderSource(options(url) { $0.scope = "product" })
    #expect(await narrow.check().map { $0.remedy.contains("scope") } == [true, true])
    let plain = try OKKIOrderSource(options(url) { $0.allowsPlainHTTP = false })
    let forbidden = await plain.check()
    #expect(forbidden.count == 1 && forbidden[0].sentence.contains("cannot be reached"))
    await simulator.stop()
    // Its port is anybody's now, and somebody's server may let a request wait: this one keeps its own.
    let nobody = ScriptedServer { _ in .drop }
    nobody.refuse()
    let gone = try OKKIOrderSource(options(nobody.url))
    let away = await gone.check()
    #expect(away.count == 1 && away[0].sentence.contains("cannot be reached"))
    for source in [good, wrong, narrow, plain, gone] { await source.close() }
    nobody.stop()
  }
}
