import Curl
import Foundation
import JSON
import PipelineTesting
import Testing

/// The two simulators, and the settings that lead to them and to the test servers.
struct Stage {
  let okki: Program
  let k3: Program
  let okkiURL: String
  let k3URL: String
  var settings: [String: String]

  static var checkout: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  static func set(orders: Int, faults: String, unmappable: Int, k3Milliseconds: Int = 0) async throws -> Stage {
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
      "FERRY_K3_AUTHORITY_CODE": authorityCode, "FERRY_K3_CONCURRENCY": "8",
      "FERRY_K3_VISIBLE_SECONDS": "1", "FERRY_RABBITMQ_URL": try TestServers.rabbit(),
      "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(), "FERRY_QUEUE_PREFIX": "e2e-\(word).",
      "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": "e2e_\(word)",
      "FERRY_STRATEGIES": checkout.appendingPathComponent("deploy/strategies").path,
      "FERRY_RETRY_SECONDS": "1,5,15", "FERRY_MASTER_DATA_WAIT_SECONDS": "0", "FERRY_POLL_SINCE": "2020-01-01 00:00:00",
      "FERRY_POLL_INTERVAL_SECONDS": "1", "FERRY_RECONCILE_INTERVAL_SECONDS": "0",
      "FERRY_ADMIN_PORT": "0", "FERRY_LOG_FORMAT": "json",
    ]
    return Stage(okki: okki, k3: k3, okkiURL: okkiURL, k3URL: k3URL, settings: settings)
  }

  /// The authority code that a simulated K/3 expects.
  static let authorityCode = String(repeating: "0123456789abcdef", count: 3)

  /// The address that a simulator prints when it listens.
  static func url(of simulator: Program) async throws -> String {
    let listens = await simulator.printed("http://127.0.0.1:")
    try #require(listens, "the simulator did not start: \(simulator.output)")
    let rest = try #require(simulator.output.range(of: "http://127.0.0.1:")).upperBound
    let port = simulator.output[rest...].prefix { $0.isNumber }
    return "http://127.0.0.1:\(port)"
  }

  /// The admin address that a role logs.
  func adminURL(of role: Program) async throws -> String {
    let isServed = await role.printed("Health and metrics are served")
    try #require(isServed, "the role did not start: \(role.output)")
    let line = try #require(role.output.split(separator: "\n").first { $0.contains("Health and metrics are served") })
    let marker = try #require(line.range(of: "\"port\":\"")).upperBound
    return "http://127.0.0.1:\(line[marker...].prefix { $0.isNumber })"
  }

  func ferry(_ arguments: [String]) throws -> Program {
    try Program("ferry", arguments, environment: settings)
  }

  func verdict(_ arguments: [String]) throws -> Program {
    try Program("vendorsim", ["verdict", "--okki", okkiURL, "--k3", k3URL] + arguments)
  }

  func kill() {
    okki.kill()
    k3.kill()
  }

  /// What a simulator's admin surface answers to a GET, or to a POST where there is a body.
  func ask(_ url: String, _ body: String? = nil) async throws -> JSONValue {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    let outcome = await client.perform(
      HTTPRequest(body == nil ? .get : .post, url, body: Array((body ?? "").utf8)))
    await client.shutdown()
    guard case .response(let answer) = outcome, answer.status == 200 else { throw POSIXError(.EIO) }
    return try JSONDocument(answer.body).root
  }
}
