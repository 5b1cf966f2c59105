import Curl
import Foundation
import JSON
import PipelineTesting
import Testing

/// The whole way on real processes: simulated vendors, real RabbitMQ, real PostgreSQL, the real program.
@Suite("The whole way", .serialized)
struct WholeWayTests {
  /// The two simulators and the settings that lead to them.
  private struct Stage {
    let okki: Program
    let k3: Program
    let okkiURL: String
    let k3URL: String
    var settings: [String: String]
  }

  private static var checkout: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  private func stage(orders: Int, faults: String, unmappable: Int, k3Milliseconds: Int = 0) async throws -> Stage {
    let okki = try Program(
      "vendorsim",
      [
        "okki", "--port", "0", "--orders", "\(orders)", "--faults", faults, "--unmappable", "\(unmappable)",
        "--companies", "50",
      ])
    let k3 = try Program(
      "vendorsim",
      ["k3", "--port", "0", "--faults", faults, "--orders", "\(orders)", "--latency-ms", "\(k3Milliseconds)"])
    let okkiURL = try await url(of: okki)
    let k3URL = try await url(of: k3)
    let word = TestServers.freshWord()
    let settings = [
      "FERRY_OKKI_URL": okkiURL, "FERRY_OKKI_CLIENT_ID": "ferry-demo", "FERRY_OKKI_CLIENT_SECRET": "ferry-demo-secret",
      "FERRY_OKKI_RATE_PER_SECOND": "100000", "FERRY_K3_URL": k3URL,
      "FERRY_K3_AUTHORITY_CODE": String(repeating: "0123456789abcdef", count: 3), "FERRY_K3_CONCURRENCY": "8",
      "FERRY_K3_VISIBLE_SECONDS": "1", "FERRY_RABBITMQ_URL": try TestServers.rabbit(),
      "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(), "FERRY_QUEUE_PREFIX": "e2e-\(word).",
      "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": "e2e_\(word)",
      "FERRY_STRATEGIES": Self.checkout.appendingPathComponent("deploy/strategies").path,
      "FERRY_RETRY_SECONDS": "1,5,15", "FERRY_POLL_SINCE": "2020-01-01 00:00:00", "FERRY_POLL_INTERVAL_SECONDS": "1",
      "FERRY_ADMIN_PORT": "0", "FERRY_LOG_FORMAT": "json",
    ]
    return Stage(okki: okki, k3: k3, okkiURL: okkiURL, k3URL: k3URL, settings: settings)
  }

  /// The address that a simulator prints when it listens.
  private func url(of simulator: Program) async throws -> String {
    let listens = await simulator.printed("http://127.0.0.1:")
    try #require(listens, "the simulator did not start: \(simulator.output)")
    let rest = try #require(simulator.output.range(of: "http://127.0.0.1:")).upperBound
    let port = simulator.output[rest...].prefix { $0.isNumber }
    return "http://127.0.0.1:\(port)"
  }

  /// The admin address that a role logs.
  private func adminURL(of role: Program) async throws -> String {
    let isServed = await role.printed("Health and metrics are served")
    try #require(isServed, "the role did not start: \(role.output)")
    let line = try #require(role.output.split(separator: "\n").first { $0.contains("Health and metrics are served") })
    let marker = try #require(line.range(of: "\"port\":\"")).upperBound
    return "http://127.0.0.1:\(line[marker...].prefix { $0.isNumber })"
  }

  private func ferry(_ arguments: [String], _ stage: Stage) throws -> Program {
    try Program("ferry", arguments, environment: stage.settings)
  }

  @Test("orders arrive exactly once through mild faults, the unmappable ones are parked by reason, and all end cleanly")
  func wholeWay() async throws {
    let stage = try await stage(orders: 300, faults: "mild", unmappable: 5)
    defer {
      stage.okki.kill()
      stage.k3.kill()
    }
    for _ in 1...2 {
      let migrate = try ferry(["migrate"], stage)
      #expect(await migrate.exit() == 0, "\(migrate.output)")
    }
    let check = try ferry(["check"], stage)
    #expect(await check.exit() == 0, "\(check.output)")

    let roles = try ["transform", "transform", "load", "load", "poll"].map { try ferry([$0], stage) }
    defer { for role in roles { role.kill() } }
    var arguments = ["verdict", "--okki", stage.okkiURL, "--k3", stage.k3URL, "--wait", "240"]
    for role in roles { arguments += ["--worker", try await adminURL(of: role)] }
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
    var stage = try await stage(orders: 300, faults: "off", unmappable: 0, k3Milliseconds: 200)
    stage.settings["FERRY_LEASE_SECONDS"] = "30"
    stage.settings["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "5"
    defer {
      stage.okki.kill()
      stage.k3.kill()
    }
    let migrate = try ferry(["migrate"], stage)
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let poll = try ferry(["poll", "--once"], stage)
    #expect(await poll.exit() == 0, "\(poll.output)")
    let transform = try ferry(["transform"], stage)
    let doomed = try ferry(["load"], stage)
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
    let loader = try ferry(["load"], stage)
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
    try FileManager.default.copyItem(at: Self.checkout.appendingPathComponent("deploy/strategies"), to: folder)
    let source = folder.appendingPathComponent("sales-return/source.json")
    let text = try String(contentsOf: source, encoding: .utf8)
    try text.replacing(#""value": null"#, with: #""value": \#(status)"#).write(
      to: source, atomically: true, encoding: .utf8)
    return folder
  }

  @Test("orders in the status of returns become return notices, once each, and no sales orders")
  func returns() async throws {
    var stage = try await stage(orders: 12, faults: "off", unmappable: 0)
    defer {
      stage.okki.kill()
      stage.k3.kill()
    }
    let folder = try strategies(returned: 1_101_043_690)
    defer { try? FileManager.default.removeItem(at: folder) }
    stage.settings["FERRY_STRATEGIES"] = folder.path
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    func ask(_ url: String, _ body: String? = nil) async throws -> JSONValue {
      let request = HTTPRequest(body == nil ? .get : .post, url, body: Array((body ?? "").utf8))
      guard case .response(let answer) = await client.perform(request), answer.status == 200 else {
        throw POSIXError(.EIO)
      }
      return try JSONDocument(answer.body).root
    }
    let book = try await ask(stage.okkiURL + "/_sim/orders")
    for position in 0..<3 {
      let id = try #require(book["orders"]?[position]?["id"]?.int64)
      _ = try await ask(stage.okkiURL + "/_sim/orders", #"{"return":\#(id)}"#)
    }
    // The answers to the Saves of two of them get lost: K/3 is asked for the notices before anything is repeated.
    _ = try await ask(stage.k3URL + "/_sim/faults", #"{"save_then_drop":{"next":2,"match":"-R"}}"#)

    let migrate = try ferry(["migrate"], stage)
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let check = try ferry(["check"], stage)
    #expect(await check.exit() == 0, "\(check.output)")
    #expect(check.output.contains("ok       strategies: sales-order, sales-return, sales-return-red (off)"))
    let roles = try ["transform", "load", "poll"].map { try ferry([$0], stage) }
    defer { for role in roles { role.kill() } }
    let admins = [try await adminURL(of: roles[0]), try await adminURL(of: roles[1])]
    let loaded = "ferry_loaded_total 12\n"
    while true {
      guard case .response(let answer) = await client.perform(HTTPRequest(.get, admins[1] + "/metrics")) else {
        continue
      }
      if String(decoding: answer.body, as: UTF8.self).contains(loaded) { break }
    }
    let stats = try await ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == 9)
    #expect(stats["others"]?["Goods_Return_Notice"]?.int64 == 3)
    #expect(stats["others"]?["Sales_Delivery"] == nil)
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
    await client.shutdown()
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
