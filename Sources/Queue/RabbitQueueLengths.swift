import AMQP

/// How many messages are ready in each queue, over a connection of its own: the channel ends over a question for a queue that is
/// not there, and the connection with it, and none that carries orders may end so.
public final class RabbitQueueLengths: Sendable {
  private let topology: Topology
  private let session: RabbitSession

  /// Connects when it is first asked.
  public init(_ settings: RabbitSettings, topology: Topology, pacing: Pacing = .live) {
    self.topology = topology
    session = RabbitSession(settings.options(for: "lengths"), pacing: pacing, onEvent: { _ in })
  }

  /// Names of all queues without the prefix, as `ready` tells them.
  public var names: [String] { topology.queues.map(\.routingKey) }

  /// Messages that are ready, by the names of queues without the prefix. Asks for one after the other. A queue that is not there is
  /// left out, and the others are asked for over another connection. It ends with the first that the broker does not answer for:
  /// what is not told is not known. Without a connection it waits for the pause that is due, at most 30 s, and makes one attempt to
  /// connect.
  public func ready() async -> [String: Int] {
    var found: [String: Int] = [:]
    for queue in topology.queues {
      guard let live = await session.connected() else { return found }
      do throws(AMQPFailure) {
        found[queue.routingKey] = try await live.connection.declareQueue(name: queue.name, passive: true).messages
      } catch {
        await session.drop(live, error)
        guard error.isOfMissing else { return found }
      }
      // That it is not there is an answer, too: the next connection is not waited for.
      session.worked()
    }
    return found
  }

  /// Ends the connection, while nobody needs it; the next question makes another.
  public func rest() async {
    guard let live = session.live else { return }
    await session.drop(live, .closed)
  }

  /// Ends the connection for good.
  public func close() async { await session.close() }
}
