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

  /// Ends when its task is cancelled.
  private struct Waiting: Service {
    let clock: ManualClock
    func run() async { try? await clock.sleep(until: clock.now.advanced(by: .seconds(1_000_000)), tolerance: nil) }
  }

  private static let denied = QueueStanding.denied(
    "RabbitMQ refuses us: ACCESS_REFUSED - access to queue 'bills' in vhost 'closed' refused for user 'ferry'")

  private let clock = ManualClock()
  private let told = Probe<String>()
  private let ends = Probe<Int32>()

  /// A role whose broker stands as the last of these says.
  private func role(_ name: String, _ standings: Probe<[QueueStanding]>, service: any Service = Idle()) -> RoleService {
    RoleService(
      name: name, service: service, partners: [], registry: MetricsRegistry(), prepare: {},
      broker: { standings.events.last ?? [] }, away: { [] })
  }

  private func watch(_ roles: [RoleService]) -> RightsWatch {
    let start = ContinuousClock.now
    return RightsWatch(
      over: roles,
      clock: PipelineClock(
        now: { [clock] in start + clock.now.offset }, epochMilliseconds: { 1 },
        sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }),
      tell: { [told] in told.report($0) }, end: { [ends] in ends.report($0) })
  }

  /// Lets the watch look so many times, a second each.
  private func pass(_ seconds: Int, sleepers: Int = 1) async throws {
    for _ in 0..<seconds {
      try await clock.sleepers(atLeast: sleepers)
      clock.advance(by: .seconds(1))
    }
  }

  private func standing(_ first: QueueStanding...) -> Probe<[QueueStanding]> {
    let probe = Probe<[QueueStanding]>()
    probe.report(first)
    return probe
  }

  @Test("a role that hears nothing but denials for a minute says what to give whom, and ends with 78")
  func denied() async throws {
    let standings = standing(.notConnected, .notConnected)
    let watching = Task { await watch([role("load", standings)]).watch() }
    try await pass(100)
    try await clock.sleepers(atLeast: 1)
    // One connection of two is enough.
    standings.report([Self.denied, .ready])
    try await pass(60)
    try await clock.sleepers(atLeast: 1)
    #expect(ends.events == [])
    try await pass(1)
    try await ended(watching)
    #expect(ends.events == [78])
    #expect(told.events.count == 1)
    #expect(told.events.first?.hasPrefix("load: RabbitMQ refuses us: ACCESS_REFUSED") == true)
    #expect(told.events.first?.contains("access to queue 'bills' in vhost 'closed'") == true)
    #expect(told.events.first?.contains("rabbitmqctl set_permissions") == true)
    #expect(told.events.first?.contains("\n") == false)
  }

  @Test("a denial that passes, or that a broker's absence comes between, is not yet one that lasts")
  func passes() async throws {
    let standings = standing(Self.denied)
    let watching = Task { await watch([role("load", standings)]).watch() }
    try await pass(59)
    try await clock.sleepers(atLeast: 1)
    standings.report([.notConnected])
    try await pass(1)
    try await clock.sleepers(atLeast: 1)
    standings.report([Self.denied])
    try await pass(60)
    try await clock.sleepers(atLeast: 1)
    #expect(ends.events == [])
    standings.report([.ready])
    clock.advance(by: .seconds(1))
    try await ended(watching)
    #expect(ends.events == [] && told.events == [])
  }

  @Test("one that could work once is not ended when rights are taken away later")
  func later() async throws {
    let standings = standing(.ready, .ready)
    await watch([role("load", standings)]).watch()
    standings.report([Self.denied, .ready])
    #expect(ends.events == [])
  }

  @Test(
    "a login that is refused, a queue that is missing and a broker that is away may pass: they are waited for",
    arguments: [
      QueueStanding.notConnected, .blocked, .missing("404 no queue: run `ferry migrate`"),
      .refused("RabbitMQ refuses us: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN"),
    ])
  func waits(standing: QueueStanding) async throws {
    let watching = Task { await watch([role("load", self.standing(standing))]).watch() }
    try await pass(200)
    try await clock.sleepers(atLeast: 1)
    watching.cancel()
    try await ended(watching)
    #expect(ends.events == [] && told.events == [])
  }

  @Test("beside a role that works nothing is ended: it is told once, and the others go on")
  func beside() async throws {
    let (loads, transforms) = (standing(.ready, .ready), standing(Self.denied, .ready))
    let watching = Task { await watch([role("load", loads), role("transform", transforms)]).watch() }
    try await pass(200)
    try await clock.sleepers(atLeast: 1)
    // What worked once counts, whatever comes after.
    loads.report([Self.denied, Self.denied])
    try await pass(200)
    try await clock.sleepers(atLeast: 1)
    #expect(ends.events == [])
    #expect(told.events.count == 1)
    #expect(told.events.first?.hasPrefix("transform: ") == true)
    #expect(told.events.first?.hasSuffix("The other roles of this process go on.") == true)
    transforms.report([.ready, .ready])
    clock.advance(by: .seconds(1))
    try await ended(watching)
  }

  @Test("of roles in one process of which none could work, one that is denied ends all")
  func together() async throws {
    let roles = [role("load", standing(.missing("x"), .ready)), role("transform", standing(.ready, Self.denied))]
    let watching = Task { await watch(roles).watch() }
    try await pass(60)
    try await ended(watching)
    #expect(ends.events == [78])
    #expect(told.events.count == 1 && told.events.first?.hasPrefix("transform: ") == true)
  }

  @Test("roles that run together are watched")
  func running() async throws {
    let roles = [role("poll", standing(Self.denied), service: Waiting(clock: clock))]
    let running = Task { try await RolesTogether(roles: roles, rights: watch(roles)).run() }
    // The role and the watch.
    try await pass(60, sleepers: 2)
    #expect(try await ends.wait { !$0.isEmpty } == [78])
    running.cancel()
    _ = try? await ended(running)
  }
}
