import Foundation
import JSON
import PipelineTesting
import Testing

/// What real processes tell at `/metrics` after work that is known, in exact figures.
@Suite("Metrics of the whole way", .serialized, .timeLimit(.minutes(5)))
struct MetricsTests {
  /// A role's samples by their names and labels.
  private func samples(_ admin: String) async throws -> [String: String] {
    let page = try await ask(admin + "/metrics")
    try #require(page.status == 200)
    var samples: [String: String] = [:]
    for line in page.body.split(separator: "\n") where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " ") else { continue }
      samples[String(line[..<space])] = String(line[line.index(after: space)...])
    }
    return samples
  }

  /// Those that are not 0, of one metric, by their labels.
  private func told(_ samples: [String: String], _ name: String) -> [String: String] {
    var told: [String: String] = [:]
    for (sample, value) in samples where sample.hasPrefix(name + "{") && value != "0" {
      told[String(sample.dropFirst(name.count))] = value
    }
    return told
  }

  private static let leaders = ["ferry_queue_messages", "ferry_dead_letters_waiting", "ferry_open_doubts"]

  @Test(
    "counts are those of the simulators; figures of the whole installation are told by the poller that leads, and by the next one when it has gone"
  )
  func whole() async throws {
    let stage = try await Stage.set(orders: 60, faults: "off", unmappable: 10)
    defer { stage.kill() }
    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let book = try await stage.ask(stage.okkiURL + "/_sim/orders")
    let orders = book["orders"].map { Array($0.elements) } ?? []
    let fit = orders.count { $0["fate"]?.string == "load" }
    let unfit = orders.count - fit
    try #require(orders.count == 60 && fit > 0 && unfit > 0)

    let roles = try ["transform", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    var admins: [String] = []
    for role in roles { admins.append(try await stage.adminURL(of: role)) }
    let verdict = try stage.verdict(["--wait", "120"] + admins.flatMap { ["--worker", $0] })
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    // The broker may hear of the last acknowledgements a moment after K/3 has the bill.
    try await until { try await samples(admins[0])["ferry_lent_messages{stage=\"transform\"}"] == "0" }
    try await until { try await samples(admins[1])["ferry_lent_messages{stage=\"load\"}"] == "0" }

    let transform = try await samples(admins[0])
    #expect(transform["ferry_settled_total{stage=\"transform\"}"] == "60")
    #expect(transform["ferry_transformed_total"] == "\(fit)")
    #expect(transform[#"ferry_outcomes_total{outcome="forward",reason="",stage="transform"}"#] == "\(fit)")
    let parked = told(transform, "ferry_dead_letters_total")
    #expect(parked.values.reduce(0) { $0 + (Int($1) ?? 0) } == unfit, "\(parked)")
    for metric in ["ferry_in_flight", "ferry_unconfirmed", "ferry_returned_total", "ferry_broker_blocked"] {
      #expect(transform[metric + "{stage=\"transform\"}"] == "0", "\(metric)")
    }
    let messages = try #require(Int(transform["ferry_settled_messages_total{stage=\"transform\"}"] ?? ""))
    #expect(4...60 ~= messages)
    #expect(Double(transform["ferry_busy_seconds_total{stage=\"transform\"}"] ?? "").map { $0 > 0 } == true)
    #expect(!transform.keys.contains { sample in Self.leaders.contains { sample.hasPrefix($0) } })

    let load = try await samples(admins[1])
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == Int64(fit))
    #expect(load["ferry_loaded_total"] == "\(fit)" && load["ferry_settled_total{stage=\"load\"}"] == "\(fit)")
    #expect(load["ferry_delivery_seconds_count"] == "\(fit)")
    #expect(load[#"ferry_outcomes_total{outcome="written",reason="",stage="load"}"#] == "\(fit)")
    #expect(
      told(load, "ferry_requests_total") == [
        #"{call="save",class="ok",partner="k3"}"#: "\(fit)", #"{call="token",class="ok",partner="k3"}"#: "1",
      ])
    #expect(load[#"ferry_request_seconds_count{call="save",partner="k3"}"#] == "\(fit)")
    #expect(load["ferry_oldest_doubt_seconds"] == "0")
    #expect(told(load, "ferry_reconnects_total") == [:] && told(load, "ferry_dead_letters_total") == [:])
    #expect(!load.keys.contains { sample in Self.leaders.contains { sample.hasPrefix($0) } })

    let poll = try await samples(admins[2])
    #expect(poll["ferry_polled_total"] == "60" && poll["ferry_poll_failures_total"] == "0")
    #expect(poll["ferry_poll_leader"] == "1" && poll["ferry_poll_interval_seconds"] == "1")
    #expect(poll[#"ferry_requests_total{call="info",class="ok",partner="okki"}"#] == "60")
    #expect(poll[#"ferry_requests_total{call="token",class="ok",partner="okki"}"#] == "1")
    #expect(told(poll, "ferry_requests_total").keys.allSatisfy { $0.contains(#"class="ok""#) })
    #expect(poll[#"ferry_confirm_seconds_count{stage="poll"}"#] != "0")
    #expect(poll[#"ferry_unconfirmed{stage="poll"}"#] == "0")
    let waits = try #require(Int(poll[#"ferry_rate_wait_seconds_count{partner="okki"}"#] ?? ""))
    #expect(waits > 0)
    // Each cycle leases more than it uses, for a quarter of a second.
    try await until { try await samples(admins[2])[#"ferry_rate_tokens{partner="okki"}"#].flatMap { Int($0) } ?? 0 > 0 }

    try await leading(stage, Array(roles), admins[2], unfit)
  }

  /// What lies in the dead queue, then in the archive, by who leads; then by its successor alone.
  private func leading(_ stage: Stage, _ roles: [Program], _ first: String, _ unfit: Int) async throws {
    let dead = #"ferry_queue_messages{queue="orders.dead"}"#
    try await until { try await samples(first)[dead] == "\(unfit)" }
    var told = try await samples(first)
    #expect(self.told(told, "ferry_queue_messages") == [#"{queue="orders.dead"}"#: "\(unfit)"])
    #expect(told["ferry_open_doubts"] == "0" && self.told(told, "ferry_dead_letters_waiting") == [:])
    let list = try stage.ferry(["dead-letters", "list"])
    #expect(await list.exit() == 0)
    func waiting(_ samples: [String: String]) -> Int {
      self.told(samples, "ferry_dead_letters_waiting").values.reduce(0) { $0 + (Int($1) ?? 0) }
    }
    try await until {
      told = try await samples(first)
      return waiting(told) == unfit && told[dead] == "0"
    }
    #expect(Double(told[#"ferry_oldest_dead_letter_seconds{stage="transform"}"#] ?? "").map { $0 > 0 } == true)
    #expect(told[#"ferry_oldest_dead_letter_seconds{stage="load"}"#] == "0")

    let next = try stage.ferry(["poll"])
    defer { next.kill() }
    let second = try await stage.adminURL(of: next)
    try await until { await next.printed("Another process polls; this one stands by") }
    told = try await samples(second)
    #expect(told["ferry_poll_leader"] == "0" && told["ferry_poll_interval_seconds"] == "1")
    #expect(!told.keys.contains { sample in Self.leaders.contains { sample.hasPrefix($0) } }, "\(told)")
    #expect(await roles[2].stop() == 0)
    try await until { try await samples(second)["ferry_poll_leader"] == "1" }
    try await until { waiting(try await samples(second)) == unfit }
    for role in roles.prefix(2) + [next] { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }
}
