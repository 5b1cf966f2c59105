import AMQP
public import Pipeline
import Synchronization

/// The dead queues on RabbitMQ, for tools: they are consumed, never looked at by get and requeue, which brings a message
/// nearer to a delivery limit with each look.
public final class RabbitDeadQueues: DeadQueues {
  /// Larger bodies stay on the broker.
  static let mostBytes = 128 << 20
  /// A queue that gives nothing for so long is taken for empty, whatever its count said.
  private static let patience = Duration.seconds(2)

  private struct Drain {
    let connection: AMQPConnection
    var left: Int
  }

  private let coding: DeadLetterCoding
  private let options: AMQPOptions
  private let outbox: RabbitOutbox
  private let pacing: Pacing
  private let drains = Mutex<[StageName: Drain]>([:])

  /// Dead queues; they are connected to when they are first asked.
  public init(_ settings: RabbitSettings, topology: Topology, pacing: Pacing = .live) {
    coding = DeadLetterCoding(topology: topology)
    var options = settings.options(for: "dead letters")
    options.maxMessageBytes = Self.mostBytes
    self.options = options
    self.pacing = pacing
    outbox = RabbitOutbox(settings, topology: topology, pacing: pacing)
  }

  /// Takes messages, as the port says.
  public func take(_ stage: StageName, max: Int) async throws(BrokerFailure) -> [TakenLetter] {
    do throws(AMQPFailure) {
      guard let drain = try await drain(of: stage), drain.left > 0 else { return [] }
      let lent = try await deliveries(of: drain.connection, max: min(max, drain.left))
      drains.withLock { $0[stage]?.left = lent.isEmpty ? 0 : drain.left - lent.count }
      // What is larger than anybody can take stays where it is.
      return lent.filter { !$0.isTruncated }.map { TakenLetter(coding.letter($0, of: stage), tag: $0.tag) }
    } catch { throw BrokerFailure(error.sentence) }
  }

  /// Nil when nothing lies there. The count is the broker's; just after a restart it may say 0 of a full queue, and the next
  /// call of the command finds the rest.
  private func drain(of stage: StageName) async throws(AMQPFailure) -> Drain? {
    if let drain = drains.withLock({ $0[stage] }) { return drain }
    let connection = try await AMQPConnection.open(options)
    do throws(AMQPFailure) {
      let queue = coding.topology.deadQueue(of: stage)
      let count = try await connection.declareQueue(name: queue, passive: true).messages
      let drain = Drain(connection: connection, left: count)
      if count > 0 { try await connection.consume(queue: queue, prefetch: 100) }
      drains.withLock { $0[stage] = drain }
      return drain
    } catch {
      await connection.close()
      throw error
    }
  }

  private func deliveries(of connection: AMQPConnection, max: Int) async throws(AMQPFailure) -> [AMQPDelivery] {
    let waiting = Task { () async -> Result<[AMQPDelivery], AMQPFailure> in
      do throws(AMQPFailure) {
        return .success(try await connection.deliveries(max: max))
      } catch { return .failure(error) }
    }
    let patience = Task { [pacing] in
      try await pacing.sleep(Self.patience)
      // Nothing is lost by it: a delivery that comes now stays with the connection.
      waiting.cancel()
    }
    defer { patience.cancel() }
    return try await waiting.value.get()
  }

  /// Removes taken messages, as the port says.
  public func acknowledge(_ taken: [TakenLetter]) {
    for (stage, of) in Dictionary(grouping: taken, by: \.letter.stage) {
      drains.withLock { $0[stage]?.connection }?.acknowledge(of.map(\.tag))
    }
  }

  /// Publishes letters anew, as the port says.
  public func publishAgain(_ letters: [DeadLetter]) async -> [PublishResult] {
    let now = pacing.now()
    return await outbox.publish(letters.map { coding.message(again: $0, now: now) })
  }

  /// Closes all connections, as the port says.
  public func close() async {
    let all = drains.withLock { drains in
      defer { drains = [:] }
      return drains.values.map(\.connection)
    }
    for connection in all { await connection.close() }
    await outbox.close()
  }
}
