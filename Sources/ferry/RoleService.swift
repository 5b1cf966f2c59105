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

/// The `# HELP` lines of `/metrics`.
let metricHelp: [String: String] = [
  "ferry_polled_total": "Revisions of orders read from OKKI and published.",
  "ferry_poll_cycles_total": "Poll cycles that reached OKKI's now.",
  "ferry_poll_failures_total": "Poll cycles that ended early.",
  "ferry_page_drift_total": "Slices read again because pages moved while they were read.",
  "ferry_customer_drift_total":
    "Cycles in which OKKI's list of customers kept changing while it was read; orders were read all the same.",
  "ferry_poll_leader": "1 in the process that polls, 0 in those that stand by.",
  "ferry_unreadable_rows_total":
    "Rows of OKKI's lists of orders and customers that could not be read; those of orders are parked.",
  "ferry_customer_poll_failures_total": "Cycles in which customers could not be read from OKKI; orders were.",
  "ferry_okki_clock_back_total":
    "Times when OKKI's clock was found behind a watermark; what changed since that was moved is read again.",
  "ferry_watermark_epoch_seconds":
    "Every order up to this time has been published and confirmed; it goes back where OKKI's clock does.",
  "ferry_removals_polled_total": "Deletions of orders read from OKKI and published.",
  "ferry_refetched_total": "Orders read anew from OKKI because somebody asked for it.",
  "ferry_removed_poll_failures_total": "Cycles in which deleted orders could not be read from OKKI; orders were.",
  "ferry_removed_watermark_epoch_seconds":
    "Every deletion up to this time has been published and confirmed; it goes back where OKKI's clock does.",
  "ferry_reconcile_found_total":
    "Orders that only a reconciliation found: missed, or changed without their update_time.",
  "ferry_sweep_failures_total": "Reconciliations and backfills interrupted; they go on.",
  "ferry_transformed_total": "Orders mapped to bills.",
  "ferry_loaded_total": "Bills written to K/3, or found there after a doubt.",
  "ferry_oldest_doubt_seconds": "How long the bill that is in doubt for longest is so; 0 when none is.",
  "ferry_settled_total": "Orders or bills that were acknowledged, since what came of them is safe.",
  "ferry_outcomes_total": "Outcomes of messages by stage and reason.",
  "ferry_dead_letters_total": "Messages parked by stage and reason.",
  "ferry_concurrency_limit": "Requests to this partner that may be under way at a time in this process.",
  "ferry_paused": "1 while a role holds back because this partner is away, by what it last saw of it.",
]
