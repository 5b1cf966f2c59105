import AMQP
import JSON

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

  /// Applies policies, exchange, queues and bindings, then verifies them. Repeatable.
  /// - Returns: what still differs, as sentences; empty when all is well.
  /// - Throws: when the broker cannot be reached or refuses.
  public func apply() async throws(QueueFailure) -> [String] {
    let major = try await management.brokerMajor()
    // Policies first, so that no queue ever lives without its own.
    for queue in topology.queues {
      try await management.putPolicy(
        queue.name, pattern: Topology.pattern(for: queue.name), priority: Self.priority,
        definition: topology.policy(of: queue, brokerMajor: major))
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
    var differences = try await verify()
    for _ in 0..<40 where !differences.isEmpty {
      do { try await pacing.sleep(.milliseconds(250)) } catch { break }
      differences = try await verify()
    }
    return differences
  }

  /// Compares the broker with the topology.
  /// - Returns: the differences, as sentences; empty when all is well.
  /// - Throws: when the management cannot be asked.
  public func verify() async throws(QueueFailure) -> [String] {
    let major = try await management.brokerMajor()
    var differences: [String] = []
    if let exchange = try await management.resource("exchanges", topology.exchange) {
      differences += TopologyCheck.exchange(topology.exchange, exchange.root)
      let bindings = try await management.resource("exchanges", topology.exchange, "/bindings/source")
      differences += TopologyCheck.bindings(topology, bindings?.root)
    } else {
      differences.append("the exchange \(topology.exchange) is missing")
    }
    for queue in topology.queues {
      guard let found = try await management.resource("queues", queue.name) else {
        differences.append("the queue \(queue.name) is missing")
        continue
      }
      differences += TopologyCheck.queue(
        queue.name, found.root, policy: topology.policy(of: queue, brokerMajor: major))
    }
    return differences
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
      throw QueueFailure(error.description)
    }
  }
}
