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
}
