import AMQP
import JSON
public import Pipeline

/// A queue's length, as far as the broker tells.
public struct QueueDepth: Sendable, Equatable {
  /// The queue, without the prefix.
  public let queue: String
  /// Messages ready for delivery; those that workers hold are not counted.
  public let messages: Int
  /// Consumers.
  public let consumers: Int
}

/// Applies the topology to a broker, and checks that it is in force.
public final class RabbitAdministration: Sendable {
  /// Above what sites usually give their own policies.
  private static let priority = 100

  private let topology: Topology
  private let management: ManagementAPI
  private let session: RabbitSession
  private let pacing: Pacing

  /// An administration; it connects when it is first used.
  /// - Parameter managementURL: `http(s)://user:password@host:port` of the broker's management; without a user the one
  ///   of the broker's address is taken.
  public init(
    _ settings: RabbitSettings, managementURL: String, topology: Topology, pacing: Pacing = .live
  ) throws(QueueFailure) {
    self.topology = topology
    self.pacing = pacing
    management = try ManagementAPI(managementURL, settings: settings)
    session = RabbitSession(settings.options(for: "administration"), pacing: pacing, onEvent: { _ in })
  }

  /// Whether the broker's AMQP address, login and virtual host can be used; the management API says nothing of them.
  /// - Returns: what a person must mend; nil when a connection stands.
  /// - Throws: when the broker cannot be reached for now.
  public func reach() async throws(QueueFailure) -> SetupProblem? {
    if await session.connected() != nil { return nil }
    switch session.lastError {
    // The broker looks at the virtual host at the end of the login.
    case .loginRefused(530, let why)?:
      return SetupProblem(
        SetupProblem.ended("RabbitMQ refuses the virtual host of FERRY_RABBITMQ_URL: \(why)"),
        remedy: session.lastError?.isOfRights == true ? QueueStanding.rightsRemedy : "Raise that limit, or wait.")
    case .loginRefused(_, let why)?:
      return SetupProblem(
        SetupProblem.ended("RabbitMQ refuses the login: \(why)"),
        remedy: "Correct user and password in FERRY_RABBITMQ_URL.")
    default: throw QueueFailure(session.lastFailure)
    }
  }

  /// Applies policies, exchange, queues and bindings, then verifies them. Repeatable. Changes nothing while something is
  /// declared otherwise: the broker would refuse the first of them and tell of no other.
  /// - Returns: what still differs, each with its remedy; empty when all is well.
  /// - Throws: when the broker cannot be reached or refuses.
  public func apply() async throws(QueueFailure) -> [SetupProblem] {
    let present = try await look()
    let declarations = present.declarations(topology)
    if !declarations.isEmpty { return declarations.map(\.shown) }
    // Policies first, so that no queue ever lives without its own.
    for queue in topology.queues {
      try await management.putPolicy(
        queue.name, pattern: Topology.pattern(for: queue.name), priority: Self.priority,
        definition: topology.policy(of: queue, brokerMajor: present.brokerMajor))
    }
    try await onBroker { [topology] connection throws(AMQPFailure) in
      try await connection.declareExchange(name: topology.exchange, type: "direct", durable: true)
      for queue in topology.queues {
        try await connection.declareQueue(
          name: queue.name, durable: true, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
        try await connection.bindQueue(name: queue.name, exchange: topology.exchange, routingKey: queue.routingKey)
      }
    }
    // The management shows a new policy a moment after it was put.
    var problems = try await problems()
    for _ in 0..<40 where problems.contains(where: { !$0.needsPerson }) {
      do { try await pacing.sleep(.milliseconds(250)) } catch { break }
      problems = try await self.problems()
    }
    return problems.map(\.shown)
  }

  /// Asks the management API who is there.
  /// - Throws: when it cannot be asked.
  public func ask() async throws(QueueFailure) { _ = try await management.brokerMajor() }

  /// Compares the broker with the topology.
  /// - Returns: the differences, each with its remedy; empty when all is well.
  /// - Throws: when the management cannot be asked.
  public func verify() async throws(QueueFailure) -> [SetupProblem] { try await problems().map(\.shown) }

  private func problems() async throws(QueueFailure) -> [TopologyProblem] {
    let found = try await look()
    var problems = found.declarations(topology)
    if found.exchange == nil {
      problems.append(
        TopologyProblem(
          "The exchange \(topology.exchange) is missing",
          difference: ["- exchange \(topology.exchange): type = \"direct\", durable = true"]))
    } else {
      // What is missing or has to go is told for itself.
      let usable = found.queues.filter { TopologyCheck.declaration($0.key, $0.value.root) == nil }
      problems += TopologyCheck.bindings(topology, found.bindings?.root, of: Set(usable.keys))
    }
    for queue in topology.queues {
      guard let present = found.queues[queue.name] else {
        problems.append(
          TopologyProblem(
            "The queue \(queue.name) is missing",
            difference: ["- queue \(queue.name): type = \"quorum\", durable = true, policy = \"\(queue.name)\""]))
        continue
      }
      // Under a declaration that has to go the policy does not matter.
      if TopologyCheck.declaration(queue.name, present.root) != nil { continue }
      let wanted = topology.policy(of: queue, brokerMajor: found.brokerMajor)
      problems +=
        TopologyCheck.policy(
          queue.name, present.root, wanted: wanted, priority: Self.priority, priorities: found.priorities
        ).map { [$0] } ?? []
    }
    return problems
  }

  /// What is on the broker of all that the topology names.
  private struct Present {
    let brokerMajor: Int
    let exchange: JSONDocument?
    let bindings: JSONDocument?
    let queues: [String: JSONDocument]
    /// Of the virtual host's policies, by name; nil where nobody needs them or the user may not list them.
    let priorities: [String: Int64]?

    /// What was declared otherwise.
    func declarations(_ topology: Topology) -> [TopologyProblem] {
      let exchange = exchange.flatMap { TopologyCheck.exchange(topology.exchange, $0.root) }
      return [exchange].compactMap { $0 }
        + topology.queues.compactMap { queue in
          queues[queue.name].flatMap { TopologyCheck.declaration(queue.name, $0.root) }
        }
    }
  }

  private func look() async throws(QueueFailure) -> Present {
    let major = try await management.brokerMajor()
    let exchange = try await management.resource("exchanges", topology.exchange)
    let bindings =
      exchange == nil ? nil : try await management.resource("exchanges", topology.exchange, "/bindings/source")
    var queues: [String: JSONDocument] = [:]
    for queue in topology.queues { queues[queue.name] = try await management.resource("queues", queue.name) }
    let isForeign = queues.contains { name, queue in
      let policy = queue.root["policy"]?.string ?? ""
      return !policy.isEmpty && policy != name
    }
    // A user who may not list policies still gets everything else told.
    let priorities = isForeign ? try? await management.policyPriorities() : nil
    return Present(
      brokerMajor: major, exchange: exchange, bindings: bindings, queues: queues, priorities: priorities)
  }

  /// Lengths of all queues, in the topology's order. A hint: just after its restart a broker may tell 0 of a full queue.
  /// - Throws: when the broker cannot be reached, or a queue is missing.
  public func queueDepths() async throws(QueueFailure) -> [QueueDepth] {
    var depths: [QueueDepth] = []
    for queue in topology.queues {
      let state = try await onBroker { connection throws(AMQPFailure) in
        try await connection.declareQueue(name: queue.name, passive: true)
      }
      depths.append(QueueDepth(queue: queue.routingKey, messages: state.messages, consumers: state.consumers))
    }
    return depths
  }

  /// Removes all messages, also from delay queues of earlier ladders.
  /// - Returns: how many those were.
  /// - Throws: when a worker still takes messages, with the remedy; when the broker cannot be reached.
  public func empty() async throws(QueueFailure) -> Int {
    let bindings = try await management.resource("exchanges", topology.exchange, "/bindings/source")
    let retired = bindings?.root.elements.compactMap { binding -> String? in
      guard let queue = binding["destination"]?.string, let key = binding["routing_key"]?.string else { return nil }
      return topology.isRetiredRung(queue, key) ? queue : nil
    }
    let names = topology.queues.map(\.name)
    let all = names + (retired ?? []).filter { !names.contains($0) }
    try await refuseWhileConsumed()
    return try await onBroker { [pacing] connection throws(AMQPFailure) -> Int in
      var removed = 0
      // What a delay queue is just giving back is in none of them for a moment.
      for round in 0..<3 {
        if round > 0 { try? await pacing.sleep(.milliseconds(500)) }
        for name in all { removed += try await connection.purgeQueue(name) }
      }
      return removed
    }
  }

  /// Refuses while anybody takes messages.
  /// - Throws: when a worker does, with the remedy; when the broker cannot be reached.
  public func refuseWhileConsumed() async throws(QueueFailure) {
    let work = StageName.allCases.map { topology.name(of: $0.queue) }
    let isConsumed = try await onBroker { connection throws(AMQPFailure) -> Bool in
      for name in work {
        if try await connection.declareQueue(name: name, passive: true).consumers > 0 { return true }
      }
      return false
    }
    if isConsumed {
      throw QueueFailure(
        "a worker still takes messages from \(work.joined(separator: " or "))",
        remedy: "Stop all roles, then run it again.")
    }
  }

  /// Deletes queues with all that is in them, exchange and policies. For tests and for taking an installation down.
  public func remove() async throws(QueueFailure) {
    try await onBroker { [topology] connection throws(AMQPFailure) in
      for queue in topology.queues { try await connection.deleteQueue(queue.name) }
      try await connection.deleteExchange(topology.exchange)
    }
    for queue in topology.queues { try await management.deletePolicy(queue.name) }
  }

  /// Closes the connections.
  public func close() async {
    await session.close()
    await management.close()
  }

  private func onBroker<Value: Sendable>(
    _ work: @Sendable (AMQPConnection) async throws(AMQPFailure) -> Value
  ) async throws(QueueFailure) -> Value {
    guard let live = await session.connected() else { throw QueueFailure(session.lastFailure) }
    do throws(AMQPFailure) {
      let value = try await work(live.connection)
      session.worked()
      return value
    } catch {
      await session.drop(live, error)
      // A person waits for each call: no pause before the next one.
      session.worked()
      throw QueueFailure(error.sentence, remedy: error.isOfRights ? QueueStanding.rightsRemedy : nil)
    }
  }
}
