import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@testable import OKKI

/// What is told of the requests to OKKI: each counted once by how it ended, and timed once where it was sent.
@Suite("Metrics of the requests to OKKI", .timeLimit(.minutes(1)))
struct RequestMetricsTests {
  private let registry = MetricsRegistry(dividing: [
    "ferry_request_seconds": [60], "ferry_rate_wait_seconds": [0.05, 0.1, 1],
  ])

  private func asking(_ options: inout OKKIOptions) {
    options.metrics = PartnerMetrics(.okki, factory: registry)
    options.retries = 0
  }

  @Test("all series are there before the first request, each call with each ending that it may have, and no other")
  func begun() async throws {
    try await withOKKI(change: asking) { _, _ in
      .drop
    } test: { _, _ in
      let lines = registry.prometheusText().split(separator: "\n").filter { $0.hasPrefix("ferry_requests_total{") }
      #expect(lines.count == 5 * 7 && lines.allSatisfy { $0.hasSuffix(" 0") && $0.contains(#"partner="okki""#) })
      for call in ["token", "list", "info", "customers", "other"] {
        #expect(lines.count { $0.contains(#"{call="\#(call)","#) } == 7)
        #expect(registry.prometheusText().contains(#"ferry_request_seconds_count{call="\#(call)",partner="okki"} 0"#))
      }
      #expect(!lines.contains { $0.contains("rejected") || $0.contains("uncertain") })
    }
  }

  static let endings: [(ScriptedServer.Answer, String)] = [
    (.status(429), "throttled"), (.status(503), "throttled"), (.ok(envelope("null", code: "429")), "throttled"),
    (.status(500), "outage"), (.status(502, "<html>"), "outage"), (.drop, "outage"), (.ok("<html>"), "outage"),
    (.status(403), "unauthorized"), (.ok(envelope("null", code: "404")), "absent"),
    (.ok(#"{"code":200,"data":{"order_id":1 x"#), "malformed"),
  ]

  @Test("one request by each ending, beside others that went well", arguments: endings)
  func ended(answer: ScriptedServer.Answer, ending: String) async throws {
    try await withOKKI(change: asking) { request, _ in
      request.parameter("order_id") == "2" ? answer : .ok(details(request))
    } test: { source, server in
      let results = await source.details(of: ids(1...5))
      #expect(results.map { $0.failure == nil } == [true, false, true, true, true])
      #expect(
        registry.told("ferry_requests_total") == [
          "info ok okki": "4", "info \(ending) okki": "1", "token ok okki": "1",
        ])
      #expect(registry.told("ferry_request_seconds_count") == ["info okki": "5", "token okki": "1"])
      #expect(server.count(infoPath) >= 5)
    }
  }

  @Test("a token that is refused counts as such for each request that it was sent with, and they count again")
  func refusedToken() async throws {
    try await withOKKI(change: asking) { request, _ in
      request.headers["authorization"] == "Bearer T1" ? .status(401) : .ok(details(request))
    } test: { source, _ in
      #expect(await source.details(of: ids(1...3)).allSatisfy { $0.failure == nil })
      #expect(
        registry.told("ferry_requests_total") == [
          "info unauthorized okki": "3", "info ok okki": "3", "token ok okki": "2",
        ])
      #expect(registry.told("ferry_request_seconds_count") == ["info okki": "6", "token okki": "2"])
    }
  }

  @Test("what is asked again counts again; lists, customers and OKKI's clock each as what they are")
  func calls() async throws {
    let list = envelope(#"{"list":[],"count":0,"totalItem":0}"#)
    let change: (inout OKKIOptions) -> Void = { options in
      asking(&options)
      options.retries = 2
    }
    try await withOKKI(change: change) { _, number in
      number <= 2 ? .status(500) : .ok(list)
    } test: { source, _ in
      _ = try await source.orders(.updated(window), page: 1, size: 10)
      _ = try await source.now()
      _ = try await source.orders(.removed(window), page: 1, size: 10)
      _ = try await source.customers(updatedIn: window, page: 1, size: 10)
      #expect(
        registry.told("ferry_requests_total") == [
          "list outage okki": "2", "list ok okki": "3", "customers ok okki": "1", "token ok okki": "1",
        ])
    }
  }

  @Test("a token that is not given counts, and nothing else was asked")
  func noToken() async throws {
    try await withOKKI(token: #"{"error":"invalid_client"}"#, change: asking) { _, _ in
      .drop
    } test: { source, _ in
      #expect(await source.details(of: ids(1...3)).allSatisfy { $0.failure != nil })
      #expect(registry.told("ferry_requests_total") == ["token unauthorized okki": "1"])
    }
  }

  @Test("requests of which nothing left count as that, and are not timed")
  func unsent() async throws {
    try await withOKKI(change: asking) { request, _ in
      .ok(details(request))
    } test: { source, server in
      #expect(await source.details(of: ids(1...1))[0].failure == nil)
      await source.close()
      #expect(await source.details(of: ids(2...4)).allSatisfy { $0.failure != nil })
      #expect(
        registry.told("ferry_requests_total") == ["info ok okki": "1", "info unsent okki": "3", "token ok okki": "1"])
      #expect(registry.told("ferry_request_seconds_count") == ["info okki": "1", "token okki": "1"])
      #expect(server.count(infoPath) == 1)
    }
  }

  @Test("the wait for the rate is observed once a grant: nothing while there are tokens, then what was slept")
  func rateWait() async throws {
    let time = VirtualTime()
    let limit = RateLimit(
      perSecond: 10, burst: 2, patience: .seconds(30), time: time.keeper,
      meter: PartnerMetrics(.okki, factory: registry).rateWait())
    #expect(registry.prometheusText().contains(#"ferry_rate_wait_seconds_count{partner="okki"} 0"#))
    #expect(try await limit.take(upTo: 5) == 2)
    #expect(try await limit.take(upTo: 5) == 1)
    #expect(try await limit.take(upTo: 1) == 1)
    limit.pause(seconds: 3)
    #expect(try await limit.take(upTo: 1) == 1)
    let text = registry.prometheusText()
    // 0, a tenth of a second twice, and a pause with the tenth after it.
    for (bound, count) in [("0.05", 1), ("0.1", 3), ("1", 3), ("+Inf", 4)] {
      #expect(text.contains(#"ferry_rate_wait_seconds_bucket{partner="okki",le="\#(bound)"} \#(count)"#), "\(text)")
    }
    let slept = time.sleeps.reduce(.zero, +) / .seconds(1)
    let sum = try #require(text.firstMatch(of: #/ferry_rate_wait_seconds_sum\{partner="okki"\} ([0-9.]+)/#))
    #expect(abs((Double(sum.output.1) ?? 0) - slept) < 1e-6 && slept > 3)
  }

  @Test("free requests are the bucket's, filled with time; none in a pause or while some are reserved")
  func freeRequests() async throws {
    let time = VirtualTime()
    let limit = RateLimit(perSecond: 10, burst: 5, patience: .seconds(30), time: time.keeper)
    #expect(limit.free == 5)
    #expect(try await limit.take(upTo: 4) == 4 && limit.free == 1)
    #expect(try await limit.take(upTo: 1) == 1 && limit.free == 0)
    // It sleeps a tenth of a second for one.
    #expect(try await limit.take(upTo: 1) == 1 && limit.free == 0)
    try await time.keeper.sleep(.milliseconds(300))
    #expect(limit.free == 3)
    limit.pause(seconds: 3)
    #expect(limit.free == 0)
  }

  @Test("a source's free requests are those of its limit, of which the token takes one")
  func freeRequestsOfSource() async throws {
    let change: (inout OKKIOptions) -> Void = { options in
      options.ratePerSecond = 10
      options.burst = 5
    }
    try await withOKKI(change: change) { request, _ in
      .ok(details(request))
    } test: { source, _ in
      #expect(source.freeRequests == 5)
      #expect(await source.details(of: ids(1...2)).allSatisfy { $0.failure == nil })
      #expect(source.freeRequests == 2)
    }
  }

  @Test("who gives up waiting is no grant")
  func refusedWait() async throws {
    let limit = RateLimit(
      perSecond: 10, burst: 2, patience: .seconds(1), time: VirtualTime().keeper,
      meter: PartnerMetrics(.okki, factory: registry).rateWait())
    limit.pause(seconds: 3)
    await #expect(throws: SourceFailure.self) { try await limit.take(upTo: 1) }
    #expect(registry.prometheusText().contains(#"ferry_rate_wait_seconds_count{partner="okki"} 0"#))
  }
}
