import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@testable import K3

/// What is told of the requests to K/3: each counted once by how it ended, and timed once where it was sent.
@Suite("Metrics of the requests to K/3", .timeLimit(.minutes(1)))
struct RequestMetricsTests {
  private let registry = MetricsRegistry(dividing: ["ferry_request_seconds": [60]])

  private func asking(_ options: inout K3Options) { options.metrics = PartnerMetrics(.k3, factory: registry) }

  private static let good = #"{"StatusCode":200,"Message":"Successful","Data":{"BillNo":"SO-1","BillInterID":1456}}"#

  @Test("all series are there before the first request, each call with each ending that it may have, and no other")
  func begun() async throws {
    try await withK3(change: asking) { _ in
      .drop
    } test: { _, _ in
      let lines = registry.prometheusText().split(separator: "\n").filter { $0.hasPrefix("ferry_requests_total{") }
      #expect(lines.count == 7 * 7 && lines.allSatisfy { $0.hasSuffix(" 0") && $0.contains(#"partner="k3""#) })
      for call in ["token", "save", "update", "delete", "look_up", "detail", "other"] {
        #expect(lines.count { $0.contains(#"{call="\#(call)","#) } == 7)
        #expect(registry.prometheusText().contains(#"ferry_request_seconds_count{call="\#(call)",partner="k3"} 0"#))
      }
      #expect(!lines.contains { $0.contains("absent") || $0.contains("malformed") })
    }
  }

  static let saves: [(ScriptedServer.Answer, String)] = [
    (.ok(good), "ok"), (.ok(#"{"StatusCode":400,"Message":"单据编号已存在","Data":null}"#), "rejected"),
    (.ok(#"{"StatusCode":400,"Message":"no such customer","Data":null}"#), "rejected"),
    (.ok(#"{"StatusCode":200,"Message":"","Data":[{"FStatus":"false","FMessage":"no"}]}"#), "rejected"),
    (.ok(#"{"StatusCode":200,"Message":"","Data":{"Data":[{"FStatus":true},{"FStatus":false}]}}"#), "rejected"),
    (.status(500), "uncertain"), (.status(502, "<html>"), "uncertain"), (.drop, "uncertain"), (.ok("{"), "uncertain"),
    (.status(429), "uncertain"),
  ]

  @Test("a Save counts once, by what is known of it", arguments: saves)
  func save(answer: ScriptedServer.Answer, ending: String) async throws {
    try await withK3(change: asking) { request in
      request.path == savePath ? answer : .ok(#"{"StatusCode":200,"Data":{"ROWCOUNT":0}}"#)
    } test: { destination, _ in
      _ = await destination.save([bill("SO-1")])
      #expect(registry.told("ferry_requests_total", "save") == ["save \(ending) k3": "1"])
      #expect(registry.told("ferry_requests_total", "token") == ["token ok k3": "1"])
      #expect(registry.told("ferry_request_seconds_count", "save") == ["save k3": "1"])
    }
  }

  @Test("what a read is answered by is never uncertain: it changes nothing")
  func reads() async throws {
    try await withK3(change: asking) { request in
      request.path == listPath ? .status(500) : .drop
    } test: { destination, _ in
      _ = await destination.lookUp([bill("SO-1")])
      let told = registry.told("ferry_requests_total", "look_up")
      #expect(Set(told.keys) == ["look_up outage k3"], "\(told)")
    }
  }

  @Test("bills of one batch count each by itself, and updates, deletions, lists and details as what they are")
  func calls() async throws {
    let list = #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"PAGESIZE":10,"PAGEINDEX":1,"DATA":[{"FBillNo":"SO-1"}]}}"#
    try await withK3(change: asking) { request in
      if request.path == listPath { return .ok(list) }
      if request.path == detailPath { return .ok(#"{"StatusCode":400,"Message":"refused"}"#) }
      return .ok(request.body.contains("SO-3") ? #"{"StatusCode":400,"Message":"refused"}"# : Self.good)
    } test: { destination, server in
      _ = await destination.save((1...5).map { bill("SO-\($0)") })
      _ = await destination.update([bill("SO-1"), bill("SO-3")])
      _ = await destination.lookUp([bill("SO-1")])
      let counts = registry.told("ferry_requests_total")
      #expect(counts["save ok k3"] == "4" && counts["save rejected k3"] == "1")
      #expect(counts["update ok k3"] == "1" && counts["update rejected k3"] == "1")
      // As many as K/3 was asked, whatever is asked again to make sure.
      #expect(counts["look_up ok k3"] == "\(server.count(listPath))")
      #expect(counts["detail rejected k3"] == "\(server.count(detailPath))" && server.count(detailPath) > 0)
      #expect(counts.count == 7 && counts["token ok k3"] == "1", "\(counts)")
      let times = registry.told("ferry_request_seconds_count")
      #expect(times["save k3"] == "5" && times["update k3"] == "2")
    }
  }

  @Test("a token that K/3 refuses counts for each Save that it was sent with, and they count again")
  func refusedToken() async throws {
    let old = String(repeating: "A1", count: 40)
    try await withK3(change: asking) { request in
      .ok(request.query.contains(old) ? #"{"StatusCode":201,"Message":"Token无效或已过期"}"# : Self.good)
    } test: { destination, server in
      #expect(await destination.save([bill("SO-1"), bill("SO-1")]).allSatisfy { $0.written != nil })
      #expect(
        registry.told("ferry_requests_total") == ["save unauthorized k3": "2", "save ok k3": "2", "token ok k3": "2"])
      #expect(server.count(savePath) == 4)
    }
  }

  @Test("a Save that waited too long is not sent, counts as that, and is not timed")
  func unsent() async throws {
    try await withK3(change: asking) { _ in
      .ok(Self.good)
    } test: { destination, server in
      let late = KeyedBill(
        Bill(object: "SO", number: "SO-1", body: Array(body("SO-1").utf8)), key: "SO-1", notAfter: .now - .seconds(1))
      _ = await destination.save([late])
      #expect(registry.told("ferry_requests_total") == ["save unsent k3": "1", "token ok k3": "1"])
      #expect(registry.told("ferry_request_seconds_count") == ["token k3": "1"])
      #expect(server.count(savePath) == 0)
    }
  }
}
