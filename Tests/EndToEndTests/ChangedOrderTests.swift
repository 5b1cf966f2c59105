import Foundation
import JSON
import PipelineTesting
import Testing

/// Orders that change after their bills were written, on real processes.
@Suite("Orders that change", .serialized, .timeLimit(.minutes(10)))
struct ChangedOrderTests {
  @Test("changed orders are changed in K/3, through lost answers, once each; an audited bill is held with K/3's words")
  func updates() async throws {
    var stage = try await Stage.set(orders: 30, faults: "off", unmappable: 0)
    defer { stage.kill() }
    stage.settings["FERRY_CHANGED_ORDERS"] = "update"
    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let roles = try ["transform", "load", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    var verdict = ["--json", "--wait", "120"]
    for role in roles { verdict += ["--worker", try await stage.adminURL(of: role)] }
    let first = try stage.verdict(verdict)
    #expect(await first.exit() == 0, "\(first.output)")

    let book = try await stage.ask(stage.okkiURL + "/_sim/orders")
    let orders = book["orders"].map { Array($0.elements) } ?? []
    let audited = try #require(orders.first?["number"]?.string)
    let created = try await stage.ask(stage.k3URL + "/K3API/Token/Create?authorityCode=" + Stage.authorityCode)
    let token = try #require(created["Data"]?["Token"]?.string)
    let check = #"{"Data":{"FBillNo":"\#(audited)","FChecker":"a","FCheckDirection":"2"}}"#
    _ = try await stage.ask(stage.k3URL + "/K3API/SO/CheckBill?Token=" + token, check)

    // The Updates of these are done, and nobody hears of it.
    let faults = #"{"save_then_drop":{"next":3},"save_then_500":{"next":2}}"#
    _ = try await stage.ask(stage.k3URL + "/_sim/faults", faults)
    for order in orders.prefix(10) {
      let id = try #require(order["id"]?.int64)
      _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"touch":\#(id)}"#)
    }
    let second = try stage.verdict(verdict)
    #expect(await second.exit() == 0, "\(second.output)")
    #expect(second.output.contains(#""outdated":1"#), "\(second.output)")
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == 30 && stats["saves"]?.int64 == 30)
    #expect(stats["faults"]?["save_then_drop"]?.int64 == 3)

    let shown = try stage.ferry(["order", "show", audited])
    #expect(await shown.exit() == 0)
    #expect(shown.output.contains("parked: changed_after_written"), "\(shown.output)")
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }
}
