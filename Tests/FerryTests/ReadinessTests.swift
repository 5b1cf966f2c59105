import Pipeline
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

@testable import ferry

@Suite("Readiness")
struct ReadinessTests {
  private struct Idle: Service {
    func run() async {}
  }

  @Test("a role is ready when the broker is there and nobody was away; else each part that is away is named")
  func parts() {
    let away = Mutex<Set<Absence>>([])
    let isConnected = Mutex(true)
    let registry = MetricsRegistry()
    let role = RoleService(
      name: "load", service: Idle(), partners: [.k3, .postgresql], registry: registry, prepare: {},
      isConnected: { isConnected.withLock { $0 } }, away: { away.withLock { $0 } })
    #expect(role.notReady().isEmpty)
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="k3",stage="load"} 0"#))
    away.withLock { $0 = [Absence(.k3)] }
    #expect(role.notReady() == ["load: K/3 WISE is away"])
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="k3",stage="load"} 1"#))
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="postgresql",stage="load"} 0"#))
    away.withLock { $0 = [Absence(.k3, refusesUs: true)] }
    #expect(role.notReady() == ["load: K/3 WISE refuses our authority code or rights"])
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="k3",stage="load"} 1"#))
    away.withLock { $0 = [Absence(.postgresql), Absence(.okki)] }
    isConnected.withLock { $0 = false }
    #expect(
      role.notReady() == ["load: RabbitMQ is not connected", "load: OKKI is away", "load: PostgreSQL is away"])
  }
}
