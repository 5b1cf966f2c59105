import Foundation
import JSON
import PipelineTesting
import Testing

/// One order, several bills, on real processes.
@Suite("Orders that are cut", .serialized, .timeLimit(.minutes(10)))
struct SplitOrderTests {
  /// The shipped strategy for sales orders, with at most two lines a bill.
  private func strategies() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(TestServers.freshWord())")
    let strategy = folder.appendingPathComponent("sales-order")
    try FileManager.default.createDirectory(at: strategy, withIntermediateDirectories: true)
    let shipped = Stage.checkout.appendingPathComponent("deploy/strategies/sales-order")
    func change(_ file: String, _ change: (String) -> String) throws {
      let text = try String(contentsOf: shipped.appendingPathComponent(file), encoding: .utf8)
      let changed = change(text)
      try #require(changed != text)
      try changed.write(to: strategy.appendingPathComponent(file), atomically: true, encoding: .utf8)
    }
    try change("source.json") { text in
      text.replacing(
        #""idCheck": true,"#,
        with: #""idCheck": true, "operation": {"method": "splitArray", "arrayKey": "product_list"},"#)
    }
    try change("target.json") { text in
      let head = ["order_no", "account_date", "currency", "exchange_rate", "amount_rmb", "new_customerid"]
      let group =
        #""groupCalculate": {"headerGroup": [\#(head.map { "\"\($0)\"" }.joined(separator: ","))], "#
        + #""bodyName": "rows", "bodyMaxLine": 2},"#
      return text.replacing(#/product_list\.(product_list_)?/#, with: "rows.product_list.")
        .replacing(#""value": "product_list""#, with: #""value": "rows""#)
        .replacing("{{shipment_deadline|date}}", with: "{{rows.shipment_deadline|date}}")
        .replacing(#""effect": "EXECUTE","#, with: #""effect": "EXECUTE", \#(group)"#)
    }
    return folder
  }

  @Test(
    "a cut order's bills arrive once each and add up, through lost answers and a loader that is killed; then they stay")
  func whole() async throws {
    var stage = try await Stage.set(orders: 120, faults: "mild", unmappable: 5, k3Milliseconds: 200)
    defer { stage.kill() }
    let folder = try strategies()
    defer { try? FileManager.default.removeItem(at: folder) }
    stage.settings["FERRY_STRATEGIES"] = folder.path
    stage.settings["FERRY_LEASE_SECONDS"] = "30"
    stage.settings["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "5"
    // Every ninth bill is stored and its answer lost.
    _ = try await stage.ask(stage.k3URL + "/_sim/faults", #"{"save_then_drop":{"every":9}}"#)

    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let poll = try stage.ferry(["poll", "--once"])
    #expect(await poll.exit() == 0, "\(poll.output)")
    let transform = try stage.ferry(["transform"])
    let doomed = try stage.ferry(["load"])
    defer {
      transform.kill()
      doomed.kill()
    }
    let some = try stage.verdict(["--parts", "--without-workers", "--wait-bills", "40", "--wait", "120"])
    #expect(await some.exit() == 0, "\(some.output)")
    doomed.kill()
    _ = await doomed.exit()
    let between = try stage.verdict(["--parts", "--without-workers"])
    #expect(await between.exit() == 1, "the loader had finished before it was killed: \(between.output)")

    let loaders = try ["load", "load"].map { try stage.ferry([$0]) }
    defer { for loader in loaders { loader.kill() } }
    var workers: [String] = []
    for role in loaders + [transform] { workers += ["--worker", try await stage.adminURL(of: role)] }
    let verdict = try stage.verdict(["--parts", "--wait", "240"] + workers)
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    // 114 orders that can be mapped, five lines each, two a bill.
    #expect(stats["bills"]?.int64 == 342)
    #expect((stats["faults"]?["save_then_drop"]?.int64 ?? 0) > 0)

    let book = try await stage.ask(stage.okkiURL + "/_sim/orders")
    let fit = book["orders"].map { $0.elements.filter { $0["fate"]?.string == "load" } } ?? []
    try await expectShown(try #require(fit.last), stage)

    // Changed after they were written, with fewer lines: what is in K/3 stays whole, and the rest is held.
    for order in fit.prefix(3) {
      let id = try #require(order["id"]?.int64)
      _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"touch":\#(id)}"#)
    }
    let again = try stage.ferry(["poll"])
    defer { again.kill() }
    let held = try stage.verdict(["--parts", "--json", "--wait", "120"] + workers)
    #expect(await held.exit() == 0, "\(held.output)")
    #expect(held.output.contains(#""outdated":3"#), "\(held.output)")
    for role in loaders + [transform, again] { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }

  /// `ferry order show` tells of all bills, by the order's id as by a bill's number; of an order that nobody knows it says so.
  private func expectShown(_ order: JSONValue, _ stage: Stage) async throws {
    let id = try #require(order["id"]?.int64)
    let number = try #require(order["number"]?.string)
    let shown = try stage.ferry(["order", "show", "\(id)"])
    #expect(await shown.exit() == 0)
    #expect(shown.output.hasPrefix("order \(id): newest revision seen 1, of "), "\(shown.output)")
    for (part, suffix) in [(1, ""), (2, "-2"), (3, "-3")] {
      #expect(shown.output.contains("SO, bill \(part) of 3: written as \(number)\(suffix), id "), "\(shown.output)")
    }
    #expect(shown.output.contains("SO under the key \(number)-2 in FBillNo\n"), "\(shown.output)")
    let listed = try stage.ferry(["order", "show", "--json", "\(number)-2"])
    #expect(await listed.exit() == 0)
    let json = try JSONDocument(Array(listed.output.utf8)).root
    #expect(json["order_id"]?.string == "\(id)")
    #expect(json["bills"]?.elements.map { $0["bill_number"]?.string } == [number, number + "-2", number + "-3"])
    #expect(json["bills"]?.elements.allSatisfy { $0["key_field"]?.string == "FBillNo" } == true)
    #expect(json["bills"]?.elements.allSatisfy { $0["state"]?.string == "written" } == true)
    let unknown = try stage.ferry(["order", "show", "5"])
    #expect(await unknown.exit() == 1)
    #expect(unknown.output.hasPrefix("The ledger knows no such order"))
  }
}
