import Orders
import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import OKKI

@Suite("OKKI's order source, against its double and the simulator")
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
    try await OrderSourceContract(source, window: window, missing: OrderID(rawValue: 99)).check()
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
      try await OrderSourceContract(source, window: window, missing: OrderID(rawValue: 1)).check()
      #expect(await source.check() == [])
      #expect(try await source.statuses().contains(OrderStatus(code: "1101043690", name: "内贸-退货")))
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
    let away = await good.check()
    #expect(away.count == 1 && away[0].sentence.contains("cannot be reached"))
    for source in [good, wrong, narrow, plain] { await source.close() }
  }
}
