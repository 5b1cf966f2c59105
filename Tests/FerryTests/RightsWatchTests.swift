import Pipeline
import PipelineTesting
import Queue
import ServiceLifecycle
import Synchronization
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("Rights in the virtual host", .timeLimit(.minutes(1)))
struct RightsWatchTests {
  private struct Idle: Service {
    func run() async {}
  }

  private static let denied = QueueStanding.refused(
    "RabbitMQ refuses us: ACCESS_REFUSED - access to queue 'bills' in vhost 'closed' refused for user 'ferry'")

  private let clock = ManualClock()
  private let told = Probe<String>()
  private let ends = Probe<Int32>()

  /// A role whose broker stands as the boxes say, one for each look.
  private func role(_ standings: [QueueStanding]) -> RoleService {
    let next = Mutex(standings[...])
    return RoleService(
      name: "load", service: Idle(), partners: [], registry: MetricsRegistry(), prepare: {},
      broker: { [next.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? .ready }] }, away: { [] }
    ).needingRights(
      clock: PipelineClock(
        now: { ContinuousClock.now }, epochMilliseconds: { 1 },
        sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }),
      tell: { [told] in told.report($0) }, end: { [ends] in ends.report($0) })
  }

  @Test("a role that is denied its queue before it could ever work says what to give whom, and ends with 78")
  func denied() async throws {
    let role = role([.notConnected, Self.denied])
    let watching = Task { await role.upkeep() }
    try await clock.sleepers(atLeast: 1)
    #expect(ends.events == [])
    clock.advance(by: .seconds(1))
    try await ended(watching)
    #expect(ends.events == [78])
    #expect(told.events.count == 1)
    #expect(told.events.first?.contains("access to queue 'bills' in vhost 'closed'") == true)
    #expect(told.events.first?.contains("rabbitmqctl set_permissions") == true)
  }

  @Test("one that could work once is not ended when rights are taken away later")
  func later() async throws {
    let role = role([.ready, Self.denied])
    try await ended(Task { await role.upkeep() })
    #expect(ends.events == [])
  }

  @Test(
    "a login that is refused, a queue that is missing and a broker that is away may pass: they are waited for",
    arguments: [
      QueueStanding.notConnected, .blocked, .missing("404 no queue: run `ferry migrate`"),
      .refused("RabbitMQ refuses us: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN"),
    ])
  func waits(standing: QueueStanding) async throws {
    let role = role([standing])
    let watching = Task { await role.upkeep() }
    for _ in 0..<3 {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(1))
    }
    try await clock.sleepers(atLeast: 1)
    watching.cancel()
    try await ended(watching)
    #expect(ends.events == [])
  }
}
