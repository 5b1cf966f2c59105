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

  @Test("startupz is a no until the role was ready once, whoever has seen it, and a yes from then on")
  func startup() {
    for seenBy in ["/startupz", "/readyz", "/metrics"] {
      let health = Health()
      health.missing.withLock { $0 = ["load: RabbitMQ is not connected"] }
      let pages = AdminPages(probe: health.probe, registry: MetricsRegistry())
      #expect(pages.page(.GET, "/startupz").status == .serviceUnavailable)
      #expect(pages.page(.GET, "/startupz").text == "load: RabbitMQ is not connected\n")
      health.missing.withLock { $0 = [] }
      #expect(pages.page(.GET, seenBy).status == .ok)
      health.missing.withLock { $0 = ["load: K/3 is away"] }
      #expect(pages.page(.GET, "/readyz").status == .serviceUnavailable)
      #expect(pages.page(.HEAD, "/startupz?x=1") == AdminPages.Page(text: "started\n"))
    }
  }

  @Test("livez is healthz: who is away makes a role not ready, and not dead")
  func liveness() {
    let health = Health()
    health.missing.withLock { $0 = ["load: RabbitMQ is not connected"] }
    let pages = AdminPages(probe: health.probe, registry: MetricsRegistry())
    for page in ["/livez", "/healthz"] { #expect(pages.page(.GET, page) == AdminPages.Page(text: "ok\n")) }
    health.isAlive.withLock { $0 = false }
    for page in ["/livez", "/healthz"] { #expect(pages.page(.GET, page).status == .internalServerError) }
    #expect(pages.page(.POST, "/livez").status == .methodNotAllowed)
  }

  @Test("requests on one connection are answered in their order, with and without a body, until one asks for the end")
  func keepAlive() async throws {
    try await withServer(Health()) { port in
      let asked =
        "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        + "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        + "GET /else HTTP/1.1\r\nHost: a\r\n\r\n"
        + "GET /readyz?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      let answer = await talk(port, asked)
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
      let answer = await talk(port, "\u{1}\u{2}nonsense\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 400 "))
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
      let questions = String(repeating: "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", count: 100).utf8
      // More than the system keeps for the two of them. A server that neither answers nor ends blocks the sender, until the
      // test's time is over.
      let asked = await onThread(until: { shutdown(socket, Int32(SHUT_RDWR)) }) {
        var asked = 0
        while asked < 10_000, sendAll(socket, questions) { asked += 1 }
        return asked
      }
      try Task.checkCancellation()
      #expect(asked < 10_000)
      let alive = try HealthQuestion.alive.ask(host: "127.0.0.1", port: port)
      #expect(alive.isGood)
    }
  }

  @Test("who closes its own side after asking gets every answer whole, and then the end")
  func halfClosed() async throws {
    let registry = MetricsRegistry()
    // More than the system takes of an answer at once.
    let name = String(repeating: "x", count: 10_000)
    for number in 0..<1_000 { registry.observe("ferry_paused", labels: [("stage", "\(number)\(name)")]) { 1 } }
    try await withServer(Health(), registry) { port in
      let asked = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
      let socket = try #require(connectToLoopback(port: port))
      defer { close(socket) }
      let answer = await onThread(until: { shutdown(socket, Int32(SHUT_RDWR)) }) {
        guard sendAll(socket, asked.utf8), shutdown(socket, Int32(SHUT_WR)) == 0 else { return [UInt8]() }
        return receiveAll(socket)
      }
      try Task.checkCancellation()
      let text = Array(registry.prometheusText().utf8)
      #expect(text.count > 10_000_000)
      let isWhole = answer.starts(with: "HTTP/1.1 200 OK".utf8) && Array(answer.suffix(text.count)) == text
      #expect(isWhole, "\(answer.count) bytes")
    }
  }

  @Test("who closes its own side before its request is whole is let go")
  func halfAsked() async throws {
    try await withServer(Health()) { port in
      for asked in ["", "GET /met", "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"] {
        let socket = try #require(connectToLoopback(port: port))
        defer { close(socket) }
        let isEnded = await onThread(until: { shutdown(socket, Int32(SHUT_RDWR)) }) {
          guard sendAll(socket, asked.utf8), shutdown(socket, Int32(SHUT_WR)) == 0 else { return false }
          _ = receiveAll(socket)
          return true
        }
        // It ends by the server, not by the test's time limit.
        try Task.checkCancellation()
        #expect(isEnded, "\(asked)")
      }
    }
  }

  /// Sends, and reads until the server closes.
  private func talk(_ port: Int, _ text: String) async -> String {
    guard let socket = connectToLoopback(port: port) else { return "no connection" }
    defer { close(socket) }
    return await onThread(until: { shutdown(socket, Int32(SHUT_RDWR)) }) {
      sendAll(socket, text.utf8) ? String(decoding: receiveAll(socket), as: UTF8.self) : "not sent"
    }
  }
}
