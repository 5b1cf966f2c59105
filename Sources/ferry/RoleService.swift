import Pipeline
import Queue
import ServiceLifecycle
import Telemetry

/// A role as a service.
struct RoleService: Sendable {
  let name: String
  let service: any Service
  /// Makes the connections that would else wait for the first work.
  let prepare: @Sendable () async -> Void
  /// What must hold before any role of the process starts.
  private(set) var requirement: @Sendable () async throws -> Void = {}
  /// Goes on beside the service, until that ends.
  private(set) var upkeep: @Sendable () async -> Void
  /// How its connections to the broker stand.
  let broker: @Sendable () -> [QueueStanding]
  /// Why the role cannot do its work, one sentence each; empty when it can.
  let notReady: @Sendable () -> [String]
  /// False when the process should be started anew.
  private(set) var isAlive: @Sendable () -> Bool = { true }

  /// A role.
  /// - Parameters:
  ///   - partners: those that can be away.
  ///   - broker: how the role's connections to the broker stand.
  ///   - away: who was away when the role last dealt with them. Nobody is asked for it.
  init(
    name: String, service: any Service, partners: [Partner], registry: MetricsRegistry,
    prepare: @escaping @Sendable () async -> Void, upkeep: @escaping @Sendable () async -> Void = {},
    broker: @escaping @Sendable () -> [QueueStanding], away: @escaping @Sendable () -> Set<Absence>
  ) {
    self.name = name
    self.service = service
    self.prepare = prepare
    self.upkeep = upkeep
    self.broker = broker
    notReady = { Self.sentences(name, broker: broker(), away: away()) }
    for partner in partners {
      registry.observe("ferry_paused", labels: [("stage", name), ("partner", partner.rawValue)]) {
        let isHeldUp = partner == .rabbitmq && broker().contains { $0 != .ready }
        return isHeldUp || away().contains { $0.partner == partner } ? 1 : 0
      }
    }
  }

  /// The same role under a watch.
  func watched(by watch: VitalityWatch) -> RoleService {
    var role = beside { await watch.watch() }
    role.isAlive = { watch.isAlive }
    return role
  }

  /// The same role, which does not start when this throws.
  func requiring(_ requirement: @escaping @Sendable () async throws -> Void) -> RoleService {
    var role = self
    role.requirement = requirement
    return role
  }

  /// The same role, with more that goes on beside it.
  func beside(_ more: @escaping @Sendable () async -> Void) -> RoleService {
    var role = self
    role.upkeep = { [upkeep] in
      async let telling: Void = more()
      await upkeep()
      await telling
    }
    return role
  }

  static func sentences(_ name: String, broker: [QueueStanding], away: Set<Absence>) -> [String] {
    let connections = Set(broker.compactMap(\.sentence)).sorted()
    // How a connection stands says more than that nothing could be published over it.
    let others = connections.isEmpty ? away : away.filter { $0.partner != .rabbitmq }
    return (connections + others.map(\.sentence).sorted()).map { "\(name): \($0)" }
  }
}
