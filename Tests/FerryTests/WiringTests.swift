import Logging
import Pipeline
import Queue
import Telemetry
import Testing

@testable import ferry

@Suite("The wiring")
struct WiringTests {
  @Test("the workers' delays and attempts are those of the settings, and each delay is a queue of the topology")
  func policy() throws {
    let changes = ["FERRY_RETRY_SECONDS": "7,30", "FERRY_MAX_ATTEMPTS": "3"]
    let environment = SettingsTests.complete.merging(changes) { _, new in new }
    let wiring = Wiring(
      settings: try Settings(environment: environment, roles: Role.all), logger: Logger(label: "test"),
      registry: MetricsRegistry())
    #expect(wiring.policy.ladder == [7, 30])
    #expect(wiring.policy.maxAttempts == 3)
    #expect(wiring.policy.ladder == (try wiring.topology().ladder))
  }
}
