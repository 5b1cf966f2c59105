import Foundation
import JSON
import PipelineTesting
import Testing

/// The whole way on real processes: simulated vendors, real RabbitMQ, real PostgreSQL, the real program.
@Suite("The whole way", .serialized, .timeLimit(.minutes(10)))
struct WholeWayTests {
  @Test("orders arrive exactly once through mild faults, the unmappable ones are parked by reason, and all end cleanly")
  func wholeWay() async throws {
    let stage = try await Stage.set(orders: 300, faults: "mild", unmappable: 5)
    defer { stage.kill() }
    for _ in 1...2 {
      let migrate = try stage.ferry(["migrate"])
      #expect(await migrate.exit() == 0, "\(migrate.output)")
    }
    let check = try stage.ferry(["check"])
    #expect(await check.exit() == 0, "\(check.output)")
    // Returns are off, and the simulated site has a status for them.
    #expect(check.output.contains("«内贸-退货» would become sales orders by sales-order"), "\(check.output)")

    let roles = try ["transform", "transform", "load", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    var arguments = ["verdict", "--okki", stage.okkiURL, "--k3", stage.k3URL, "--wait", "240"]
    for role in roles { arguments += ["--worker", try await stage.adminURL(of: role)] }
    let verdict = try Program("vendorsim", arguments)
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    #expect(verdict.output.contains("VERDICT: holds"))
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
    for role in roles {
      #expect(!role.output.contains("ferry-demo-secret"))
      #expect(!role.output.contains("0123456789abcdef0123456789abcdef"))
    }
    #expect(await stage.okki.stop() == 0)
    #expect(await stage.k3.stop() == 0)
  }

  @Test("a loader that is killed in the middle leaves nothing lost and nothing twice")
  func killedLoader() async throws {
    // Eight Saves under way at a time and 200 ms for each: 300 orders take seconds, and the kill comes between.
    var stage = try await Stage.set(orders: 300, faults: "off", unmappable: 0, k3Milliseconds: 200)
    stage.settings["FERRY_LEASE_SECONDS"] = "30"
    stage.settings["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "5"
    defer { stage.kill() }
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
    // The first Saves have arrived: the loader has claims, Saves under way and nothing acknowledged for some of them.
    let some = try Program(
      "vendorsim",
      [
        "verdict", "--okki", stage.okkiURL, "--k3", stage.k3URL, "--without-workers", "--wait-bills", "20", "--wait",
        "120",
      ])
    #expect(await some.exit() == 0)
    doomed.kill()
    _ = await doomed.exit()
    let between = try Program(
      "vendorsim", ["verdict", "--okki", stage.okkiURL, "--k3", stage.k3URL, "--without-workers"])
    #expect(await between.exit() == 1, "the loader had finished before it was killed: \(between.output)")
    let loader = try stage.ferry(["load"])
    defer { loader.kill() }
    let verdict = try Program(
      "vendorsim",
      ["verdict", "--okki", stage.okkiURL, "--k3", stage.k3URL, "--without-workers", "--wait", "120"])
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    #expect(await loader.stop() == 0)
    #expect(await transform.stop() == 0)
  }

  /// A copy of the shipped strategies in which returns are on.
  private func strategies(returned status: Int64) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(TestServers.freshWord())")
    try FileManager.default.copyItem(at: Stage.checkout.appendingPathComponent("deploy/strategies"), to: folder)
    let source = folder.appendingPathComponent("sales-return/source.json")
    let text = try String(contentsOf: source, encoding: .utf8)
    try text.replacing(#""value": null"#, with: #""value": \#(status)"#).write(
      to: source, atomically: true, encoding: .utf8)
    return folder
  }

  @Test(
    "orders in the status of returns become return notices, once each, and none becomes a sales order that was none before"
  )
  func returns() async throws {
    var stage = try await Stage.set(orders: 12, faults: "off", unmappable: 0)
    defer { stage.kill() }
    let folder = try strategies(returned: 1_101_043_690)
    defer { try? FileManager.default.removeItem(at: folder) }
    stage.settings["FERRY_STRATEGIES"] = folder.path
    let book = try await stage.ask(stage.okkiURL + "/_sim/orders")
    for position in 0..<3 {
      let id = try #require(book["orders"]?[position]?["id"]?.int64)
      _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"return":\#(id)}"#)
    }
    // The answers to the Saves of two of them get lost: K/3 is asked for the notices before anything is repeated.
    _ = try await stage.ask(stage.k3URL + "/_sim/faults", #"{"save_then_drop":{"next":2,"match":"-R"}}"#)

    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let check = try stage.ferry(["check"])
    #expect(await check.exit() == 0, "\(check.output)")
    #expect(check.output.contains("ok       strategies: sales-order, sales-return, sales-return-red (off)"))
    #expect(!check.output.contains("would become sales orders"), "\(check.output)")
    let roles = try ["transform", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    var verdict = ["--returns", "Goods_Return_Notice", "--wait", "120"]
    for role in roles { verdict += ["--worker", try await stage.adminURL(of: role)] }
    let first = try stage.verdict(verdict)
    #expect(await first.exit() == 0, "\(first.output)")
    // Written before its goods came back: the return follows, and the sales order stays.
    let late = try #require(book["orders"]?[5]?["id"]?.int64)
    _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"return":\#(late)}"#)
    let second = try stage.verdict(verdict)
    #expect(await second.exit() == 0, "\(second.output)")
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == 9)
    #expect(stats["others"]?["Goods_Return_Notice"]?.int64 == 4)
    #expect(stats["others"]?["Sales_Delivery"] == nil)
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }

  @Test("wrong settings stop every role with all problems and exit 78")
  func wrongSettings() async throws {
    let program = try Program(
      "ferry", ["run"], environment: ["FERRY_K3_CONCURRENCY": "many", "FERRY_OKKI_ULR": "http://x"])
    #expect(await program.exit() == 78)
    #expect(program.output.contains("FERRY_OKKI_ULR is unknown"))
    #expect(program.output.contains("FERRY_K3_CONCURRENCY"))
    #expect(program.output.contains("FERRY_POSTGRES_URL is missing"))
  }

  @Test("a wrong setting does not hide what is wrong elsewhere: check looks at all that it can and exits 78")
  func checkWithWrongSettings() async throws {
    let word = TestServers.freshWord()
    let strategies = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(word)")
    try FileManager.default.createDirectory(at: strategies, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: strategies) }
    let check = try Program(
      "ferry", ["check"],
      environment: [
        "FERRY_K3_CONCURRENCY": "many", "FERRY_OKKI_CLIENT_ID": "id", "FERRY_OKKI_CLIENT_SECRET": "secret",
        "FERRY_K3_URL": "http://127.0.0.1:1", "FERRY_K3_AUTHORITY_CODE": "code",
        "FERRY_RABBITMQ_URL": try TestServers.rabbit(), "FERRY_POLL_SINCE": "2026-01-01 00:00:00",
        "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(), "FERRY_QUEUE_PREFIX": "e2e-\(word).",
        "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": "e2e_\(word)",
        "FERRY_STRATEGIES": strategies.path,
      ])
    #expect(await check.exit() == 78)
    let told = check.output
    for part in [
      "PROBLEM  settings: FERRY_OKKI_URL is missing", "PROBLEM  settings: FERRY_K3_CONCURRENCY «many»",
      "skipped  OKKI: it cannot be looked at without FERRY_OKKI_URL", "PROBLEM  K/3 WISE: K/3 cannot be reached",
      "PROBLEM  strategies: ", "PROBLEM  PostgreSQL: ", "PROBLEM  RabbitMQ: ", "e2e-\(word).orders is missing",
    ] {
      #expect(told.contains(part), "\(part) is not in:\n\(told)")
    }
  }
}
