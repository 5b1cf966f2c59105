import Foundation
import Logging
import NIOHTTP1
import Synchronization
import Telemetry
import TestSockets
import Testing

@testable import Console

/// Tells the port that the server logs.
private struct PortLog: LogHandler {
  let port: AsyncStream<Int>.Continuation
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    if case .string(let text)? = event.metadata?["port"], let number = Int(text) { port.yield(number) }
  }
}

@Suite("The admin server", .timeLimit(.minutes(1)))
struct AdminServerTests {
  private final class Health: Sendable {
    let isAlive = Mutex(true)
    let missing = Mutex<[String]>([])

    var probe: HealthProbe {
      HealthProbe(isAlive: { self.isAlive.withLock { $0 } }, notReady: { self.missing.withLock { $0 } })
    }
  }

  /// Runs a server and tells its port.
  private func withServer(
    _ health: Health, _ registry: MetricsRegistry = MetricsRegistry(), _ body: @Sendable (Int) async throws -> Void
  ) async throws {
    let (ports, port) = AsyncStream<Int>.makeStream()
    let server = AdminServer(
      host: "127.0.0.1", port: 0, probe: health.probe, registry: registry,
      logger: Logger(label: "test") { _ in PortLog(port: port) })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      for await number in ports {
        try await body(number)
        break
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  @Test("healthz and readyz say what the probe says, with a line for each reason")
  func health() async throws {
    let health = Health()
    try await withServer(health) { port in
      var alive = try HealthQuestion.alive.ask(host: "127.0.0.1", port: port)
      var ready = try HealthQuestion.ready.ask(host: "127.0.0.1", port: port)
      #expect(alive == HealthAnswer(isGood: true, text: "ok"))
      #expect(ready == HealthAnswer(isGood: true, text: "ready"))
      health.isAlive.withLock { $0 = false }
      health.missing.withLock { $0 = ["load: K/3 is away", "load: PostgreSQL is away"] }
      alive = try HealthQuestion.alive.ask(host: "127.0.0.1", port: port)
      ready = try HealthQuestion.ready.ask(host: "127.0.0.1", port: port)
      #expect(alive == HealthAnswer(isGood: false, text: "stuck"))
      #expect(ready == HealthAnswer(isGood: false, text: "load: K/3 is away\nload: PostgreSQL is away"))
    }
  }

  @Test("requests on one connection are answered in their order, with and without a body, until one asks for the end")
  func keepAlive() async throws {
    try await withServer(Health()) { port in
      let asked =
        "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        + "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        + "GET /else HTTP/1.1\r\nHost: a\r\n\r\n"
        + "GET /readyz?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      let answer = talk(port, asked)
      let lines = answer.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("HTTP/1.1 ") }
      let statuses = lines.map { $0.dropFirst(9).prefix(3) }
      #expect(statuses == ["405", "200", "404", "200"], "\(answer)")
      #expect(answer.contains("Allow: GET, HEAD\r\n"))
      #expect(answer.contains("version=0.0.4"))
      #expect(answer.hasSuffix("Connection: close\r\n\r\nready\n"))
    }
  }

  @Test("metrics are the registry's text")
  func metrics() {
    let registry = MetricsRegistry()
    registry.observe("ferry_paused", labels: [("stage", "load")]) { 1 }
    let page = AdminPages(probe: Health().probe, registry: registry).page(.GET, "/metrics")
    #expect(page.status == .ok && page.type == "text/plain; version=0.0.4; charset=utf-8")
    #expect(page.text.contains("ferry_paused{stage=\"load\"} 1"), "\(page.text)")
  }

  @Test("what is no HTTP is refused, and the next one served")
  func garbage() async throws {
    try await withServer(Health()) { port in
      #expect(talk(port, "\u{1}\u{2}nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
      let alive = try HealthQuestion.alive.ask(host: "127.0.0.1", port: port)
      #expect(alive.isGood)
    }
  }

  @Test("who asks on and on and reads nothing is let go before answers pile up")
  func greedy() async throws {
    let registry = MetricsRegistry()
    for number in 0..<50 { registry.observe("ferry_paused", labels: [("stage", "\(number)")]) { 1 } }
    try await withServer(Health(), registry) { port in
      let socket = try #require(connectToLoopback(port: port))
      defer { close(socket) }
      let question = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".utf8
      // More than the system keeps for the two of them.
      var asked = 0
      while asked < 1_000_000, sendAll(socket, question) { asked += 1 }
      #expect(asked < 1_000_000)
      let alive = try HealthQuestion.alive.ask(host: "127.0.0.1", port: port)
      #expect(alive.isGood)
    }
  }

  /// Sends, and reads until the server closes.
  private func talk(_ port: Int, _ text: String) -> String {
    guard let socket = connectToLoopback(port: port) else { return "no connection" }
    defer { close(socket) }
    guard sendAll(socket, text.utf8) else { return "not sent" }
    var all: [UInt8] = []
    while true {
      let some = receiveSome(socket)
      if some.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += some
    }
  }
}
