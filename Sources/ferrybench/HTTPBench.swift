import Curl
import Foundation
import JSON
import K3
import OKKI
import Orders
import Pipeline

/// What a request to either vendor costs this process, against `vendorsim lean okki` at `FERRY_OKKI_URL` and `vendorsim lean k3`
/// at `FERRY_K3_URL`. Processor time, so the stand-ins' share does not count.
struct HTTPBench {
  private let okki: String
  private let k3: String
  private let measure: Measure
  private let requests: Int

  static func run(_ measure: Measure, requests: Int) async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let okki = environment["FERRY_OKKI_URL"], let k3 = environment["FERRY_K3_URL"] else {
      throw BenchProblem("FERRY_OKKI_URL or FERRY_K3_URL is missing")
    }
    try await HTTPBench(okki: okki, k3: k3, measure: measure, requests: requests).run()
  }

  private func run() async throws {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    options.maxConnections = 32
    let asking = try CurlClient(options)
    try await row("GET of an order, 32 at a time", perCall: 32) { call in
      await asking.perform(
        (0..<32).map {
          HTTPRequest(
            .get, "\(okki)/v1/invoices/order/info?order_id=\(Self.order(call * 32 + $0))",
            headers: [HTTPHeader("Authorization", "Bearer lean"), HTTPHeader("Accept", "application/json")])
        }
      ).allSatisfy(Self.isGood)
    }
    await asking.shutdown()
    options.maxConnections = 16
    options.joinsHeadersAndBody = true
    let posting = try CurlClient(options)
    let body = SampleOrders.answer(number: 1, lines: 5)
    try await row("POST of 2 KB, 16 at a time", perCall: 32) { _ in
      await posting.perform(
        (0..<32).map { _ in
          HTTPRequest(
            .post, "\(k3)/K3API/SO/GetList?Token=AB12", headers: [HTTPHeader("Content-Type", "application/json")],
            body: body)
        }
      ).allSatisfy(Self.isGood)
    }
    await posting.shutdown()
    try await rooms()
  }

  private func rooms() async throws {
    var asked = OKKIOptions(url: okki, clientID: "bench", clientSecret: "bench", ratePerSecond: 1_000_000)
    asked.burst = 100_000
    asked.concurrency = 32
    asked.allowsPlainHTTP = true
    let source = try OKKIOrderSource(asked)
    try await row("OKKI: details of 100 orders", perCall: 100) { call in
      await source.details(of: (0..<100).map { Self.order(call * 100 + $0) }).allSatisfy {
        if case .success = $0 { true } else { false }
      }
    }
    await source.close()
    var saved = K3Options(url: k3, authorityCode: "bench")
    saved.concurrency = 16
    saved.allowsPlainHTTP = true
    let destination = try K3BillDestination(saved)
    let run = UInt32.random(in: 0...UInt32.max)
    let lines = String(decoding: SampleOrders.answer(number: 1, lines: 5), as: UTF8.self)
    try await row("K/3: Save of 32 bills", perCall: 32) { call in
      let bills = (0..<32).map { place in
        let number = "B\(run)-\(call)-\(place)"
        let body = #"{"Data":{"Page1":[{"FBillNo":"\#(number)"}],"Page2":[\#(lines)]}}"#
        return KeyedBill(
          Orders.Bill(object: "SO", number: number, body: Array(body.utf8)), key: number, notAfter: .now + .seconds(60))
      }
      return await destination.save(bills).allSatisfy { if case .written = $0 { true } else { false } }
    }
    await destination.close()
  }

  /// Prints the middle round's processor time of a request. Two calls are under way at a time, as in the workers.
  private func row(_ name: String, perCall: Int, _ call: @escaping @Sendable (Int) async -> Bool) async throws {
    guard measure.only.isEmpty || name.contains(measure.only) else { return }
    var spent: [Double] = []
    var next = 0
    for round in 0...measure.rounds {
      let calls = max(2, (round == 0 ? requests / 10 : requests) / perCall)
      let before = measure.processorSeconds()
      let start = ContinuousClock.now
      let isGood = await withTaskGroup(of: Bool.self) { group in
        var isGood = true
        for number in next..<next + calls {
          if number >= next + 2 { isGood = await group.next() != false && isGood }
          group.addTask { await call(number) }
        }
        for await one in group { isGood = isGood && one }
        return isGood
      }
      guard isGood else { throw BenchProblem("\(name): a request failed") }
      next += calls
      guard round > 0 else { continue }
      let took = ContinuousClock.now - start
      spent.append((measure.processorSeconds() - before) / Double(calls * perCall) * 1e6)
      if round == measure.rounds {
        let perSecond =
          Double(calls * perCall) / (Double(took.components.attoseconds) / 1e18 + Double(took.components.seconds))
        print(
          measure.line(name)
            + String(format: " %6.1f µs of processor  %8.0f/s", spent.sorted()[spent.count / 2], perSecond))
      }
    }
  }

  private static func order(_ number: Int) -> OrderID { OrderID(rawValue: Int64(5_203_556_502 + number % 10_000 * 7)) }

  private static func isGood(_ outcome: HTTPOutcome) -> Bool {
    if case .response(let response) = outcome { response.status == 200 } else { false }
  }
}
