import Console
import Logging
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("The admin port", .timeLimit(.minutes(1)))
struct AdminPortTests {
  @Test("a port that is taken is told with the setting that changes it, and is a matter of configuration")
  func taken() async throws {
    let other = LoopbackServer { _, _, _ in }
    defer { other.stop() }
    let server = AdminServer(
      host: "127.0.0.1", port: other.port, probe: HealthProbe(isAlive: { true }, notReady: { [] }),
      registry: MetricsRegistry(), logger: Logger(label: "test"))
    let error = try await #require(throws: PortTaken.self) { try await server.run() }
    #expect(error.port == other.port)
    #expect(Startup.sentence(of: error).contains("FERRY_ADMIN_PORT"))
    #expect(Startup.exit(for: [error]) == Startup.configurationExit)
  }

  @Test(
    "a host that is not this machine's, or nobody knows, is told with its setting, and is a matter of configuration",
    // Addresses and names that RFC 5737 and RFC 6761 keep free.
    arguments: [("192.0.2.1", "no address of this machine"), ("ferry.invalid", "no host of this name is known")])
  func host(host: String, word: String) async throws {
    let server = AdminServer(
      host: host, port: 0, probe: HealthProbe(isAlive: { true }, notReady: { [] }), registry: MetricsRegistry(),
      logger: Logger(label: "test"))
    let error = try await #require(throws: HostUnusable.self) { try await server.run() }
    let sentence = Startup.sentence(of: error)
    #expect(sentence.contains("FERRY_ADMIN_HOST") && sentence.contains(host) && sentence.contains(word), "\(sentence)")
    #expect(Startup.exit(for: [error]) == Startup.configurationExit)
  }
}
