import Logging
import Pipeline
import PipelineTesting
import Queue
import ServiceLifecycle
import Synchronization
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("Readiness", .timeLimit(.minutes(1)))
struct ReadinessTests {
  private struct Idle: Service {
    func run() async {}
  }

  private func pipelineClock(_ clock: ManualClock) -> PipelineClock {
    PipelineClock(
      now: { ContinuousClock.now }, epochMilliseconds: { 1 },
      sleep: { try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
  }

  @Test("a role is ready when the broker is there and nobody was away; else each part that is away is named")
  func parts() {
    let away = Mutex<Set<Absence>>([])
    let broker = Mutex([QueueStanding.ready, .ready])
    let registry = MetricsRegistry()
    let role = RoleService(
      name: "load", service: Idle(), partners: [.k3, .postgresql, .rabbitmq], registry: registry, prepare: {},
      broker: { broker.withLock { $0 } }, away: { away.withLock { $0 } })
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
    broker.withLock { $0 = [.notConnected, .notConnected] }
    #expect(
      role.notReady() == ["load: RabbitMQ is not connected", "load: OKKI is away", "load: PostgreSQL is away"])
  }

  @Test("a broker that holds publishers back, and a queue that is missing, are told as what they are")
  func broker() {
    let broker = Mutex([QueueStanding.ready])
    let registry = MetricsRegistry()
    let role = RoleService(
      name: "poll", service: Idle(), partners: [.rabbitmq], registry: registry, prepare: {},
      broker: { broker.withLock { $0 } }, away: { [Absence(.rabbitmq)] })
    #expect(role.notReady() == ["poll: RabbitMQ is away or takes no messages"])
    broker.withLock { $0 = [.blocked] }
    #expect(role.notReady() == ["poll: RabbitMQ holds publishers back (memory or disk alarm)"])
    broker.withLock { $0 = [.missing("404 no queue: run `ferry migrate`"), .ready] }
    #expect(role.notReady() == ["poll: 404 no queue: run `ferry migrate`"])
  }

  @Test(
    "the gauge of the broker is up while a connection to it cannot be used",
    arguments: [QueueStanding.blocked, .missing("x"), .notConnected])
  func gauge(standing: QueueStanding) {
    let broker = Mutex([QueueStanding.ready, .ready])
    let registry = MetricsRegistry()
    let role = RoleService(
      name: "load", service: Idle(), partners: [.rabbitmq], registry: registry, prepare: {},
      broker: { broker.withLock { $0 } }, away: { [] })
    #expect(role.notReady().isEmpty)
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="rabbitmq",stage="load"} 0"#))
    broker.withLock { $0 = [.ready, standing] }
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="rabbitmq",stage="load"} 1"#))
  }

  @Test("a ledger that cannot be used is looked at again until it can; each change is logged once")
  func ledger() async throws {
    let clock = ManualClock()
    let lines = Probe<String>()
    let answers = Mutex<[LedgerFailure?]>([
      .unavailable("away"), .unavailable("away"), .broken("the tables are missing: run `ferry migrate`"), nil,
    ])
    let watch = LedgerWatch(
      clock: pipelineClock(clock), logger: recording(lines)
    ) { () async throws(LedgerFailure) in
      if let failure = answers.withLock({ $0.removeFirst() }) { throw failure }
    }
    #expect(watch.absence == nil)
    await watch.look()
    #expect(watch.absence == Absence(.postgresql))
    let looking = Task { await watch.lookUntilUsable() }
    for expected in [Absence(.postgresql), Absence(.setup)] {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(5))
      try await clock.sleepers(atLeast: 1)
      #expect(watch.absence == expected)
    }
    clock.advance(by: .seconds(5))
    try await ended(looking)
    #expect(watch.absence == nil)
    #expect(
      lines.events == [
        "error The ledger cannot be used yet failure=PostgreSQL is away: away",
        "error The ledger cannot be used yet failure=The ledger cannot be used: the tables are missing: run `ferry "
          + "migrate`.", "info The ledger can be used now",
      ])
  }

  @Test("who looks for the ledger stops when its task is cancelled")
  func cancelled() async throws {
    let clock = ManualClock()
    let looks = Probe<Void>()
    let watch = LedgerWatch(
      clock: pipelineClock(clock), logger: silent
    ) { () async throws(LedgerFailure) in
      looks.report(())
      throw .unavailable("away")
    }
    await watch.look()
    let looking = Task { await watch.lookUntilUsable() }
    try await clock.sleepers(atLeast: 1)
    looking.cancel()
    try await ended(looking)
    #expect(looks.events.count == 1)
  }

  @Test("a worker that could not use the ledger when it started is not ready, before the first order comes")
  func worker() async throws {
    let changes = [
      "FERRY_POSTGRES_URL": "postgresql://u:p@127.0.0.1:1/ferry", "FERRY_RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/",
    ]
    var environment = SettingsTests.complete.merging(changes) { _, new in new }
    // A loader needs no strategies.
    environment["FERRY_STRATEGIES"] = nil
    let registry = MetricsRegistry()
    let clock = ManualClock()
    let wiring = Wiring(
      settings: try Settings(environment: environment, roles: [.load]), logger: silent, registry: registry,
      clock: pipelineClock(clock))
    let role = try wiring.roleService(.load)
    await role.prepare()
    #expect(role.notReady() == ["load: RabbitMQ is not connected", "load: PostgreSQL is away"])
    #expect(registry.prometheusText().contains(#"ferry_paused{partner="postgresql",stage="load"} 1"#))
    // Beside the worker it waits for its next look; nothing else here waits on this clock.
    let upkeep = Task { await role.upkeep() }
    try await clock.sleepers(atLeast: 1)
    upkeep.cancel()
    try await ended(upkeep)
    await wiring.close()
  }
}
