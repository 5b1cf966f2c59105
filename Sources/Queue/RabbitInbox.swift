import AMQP
public import Pipeline
import Synchronization

/// A stage's queue on RabbitMQ, over a connection that only consumes: a broker that holds publishers back still takes
/// acknowledgements on it.
public final class RabbitInbox: Inbox {
  private let stage: StageName
  private let queueName: String
  private let coding: EnvelopeCoding
  private let bundles: BundleCoding
  private let pieces: Mutex<LentPieces>
  private let session: RabbitSession
  private let onEvent: @Sendable (QueueEvent) -> Void

  /// An inbox; it connects when `next` is first called.
  /// - Parameters:
  ///   - prefetch: envelopes lent to this worker at a time, 1...32,000; with their size it bounds the worker's memory. The
  ///     broker counts messages, so it is told as many as hold so many where all are full bundles, at least 8: single messages, as after an outage, come one by one.
  ///   - onEvent: told of connections made and lost; must not block.
  public init(
    _ settings: RabbitSettings, topology: Topology, stage: StageName, prefetch: Int, pacing: Pacing = .live,
    onEvent: @escaping @Sendable (QueueEvent) -> Void = { _ in }
  ) {
    self.stage = stage
    coding = EnvelopeCoding(topology: topology)
    bundles = BundleCoding(topology: topology)
    self.onEvent = onEvent
    let name = topology.name(of: stage.queue)
    queueName = name
    let prefetch = min(max(prefetch / BundleCoding.mostPieces(stage.queue), min(prefetch, 8)), 2_000)
    pieces = Mutex(LentPieces(remembering: 2 * prefetch))
    session = RabbitSession(settings.options(for: "\(stage.rawValue) inbox"), pacing: pacing, onEvent: onEvent) {
      connection throws(AMQPFailure) in
      try await connection.consume(queue: name, prefetch: prefetch)
    }
  }

  /// Whether it is connected and consuming.
  public var isReady: Bool { standing == .ready }

  /// Whether it takes no more.
  public var isStopped: Bool { session.isRetired }

  /// The same, with what keeps it from consuming.
  public var standing: QueueStanding { session.isRetired ? .notConnected : session.standing }

  /// How many messages are ready in the queue, by the broker's word; nil when it cannot be asked.
  public func ready() async -> Int? {
    guard let live = session.live else { return nil }
    // A question without an answer ends the connection, and `next` makes another.
    return try? await live.connection.declareQueue(name: queueName, passive: true).messages
  }

  /// Waits for messages, as the port says; over broken connections and outages for as long as they last.
  public func next(max: Int) async -> [Delivery] {
    while !Task.isCancelled {
      if session.isRetired { return restOfTheBegun(max: max) }
      guard let live = await session.connected() else { continue }
      let waiting = pieces.withLock { $0.take(Swift.max(max, 1), of: live.number) }
      if !waiting.isEmpty { return waiting }
      do throws(AMQPFailure) {
        let lent = try await live.connection.deliveries(max: Swift.max(max, 1))
        // Whatever came together with the stop goes back when the connection closes.
        if session.isRetired || lent.isEmpty { continue }
        session.worked()
        let deliveries = unpacked(lent, live, max: max)
        if !deliveries.isEmpty { return deliveries }
      } catch {
        await session.drop(live, error)
      }
    }
    return []
  }

  /// After a stop: what is left of a bundle of which something was handed out. Given back, all of it would come again.
  private func restOfTheBegun(max: Int) -> [Delivery] {
    guard let live = session.live else { return [] }
    return pieces.withLock { $0.take(Swift.max(max, 1), of: live.number, onlyBegun: true) }
  }

  /// The envelopes of messages, as many as are asked for; the others wait for the next call.
  private func unpacked(_ lent: [AMQPDelivery], _ live: RabbitSession.Live, max: Int) -> [Delivery] {
    if !lent.contains(where: { BundleCoding.isBundle($0.properties) }) {
      return lent.compactMap { delivery(of: $0, live) }
    }
    let unpacked: [(pieces: [Delivery], single: Delivery?)] = lent.map { message in
      guard BundleCoding.isBundle(message.properties), !message.isTruncated,
        case .success(let pieces) = bundles.pieces(of: message, in: stage.queue)
      else { return ([], delivery(of: message, live)) }
      return (pieces.enumerated().map { delivery(of: $1, at: $0, message, live) }, nil)
    }
    let (deliveries, done) = pieces.withLock { pieces in
      var done: [UInt64] = []
      for (message, (bundle, single)) in zip(lent, unpacked) {
        if let single {
          pieces.add(single)
        } else if !bundle.isEmpty {
          let isOpen = pieces.lend(bundle, name: BundleCoding.name(message.properties), isAgain: message.redelivered)
          if !isOpen { done.append(message.tag) }
        }
      }
      return (pieces.take(Swift.max(max, 1), of: live.number), done)
    }
    if !done.isEmpty { live.connection.acknowledge(done) }
    return deliveries
  }

  private func delivery(
    of piece: BundleCoding.Piece, at place: Int, _ message: AMQPDelivery, _ live: RabbitSession.Live
  ) -> Delivery {
    var delivery = Delivery(
      receipt: Delivery.Receipt(session: live.number, tag: message.tag, piece: UInt8(place)), envelope: piece.envelope,
      body: piece.body)
    if case .failure = piece.envelope {
      delivery.properties = DeadLetterCoding.json(piece.properties(in: message.properties))
    }
    return delivery
  }

  private func delivery(of lent: AMQPDelivery, _ live: RabbitSession.Live) -> Delivery? {
    if lent.isTruncated {
      // Only the broker has all of it. Refused, it goes to the dead queue by the queue's policy.
      live.connection.reject([lent.tag], requeue: false)
      onEvent(.oversized(stage, queue: queueName))
      return nil
    }
    var envelope = coding.envelope(of: lent, in: stage.queue)
    if BundleCoding.isBundle(lent.properties), case .failure(let reason) = bundles.pieces(of: lent, in: stage.queue) {
      envelope = .failure(reason)
    }
    var delivery = Delivery(
      receipt: Delivery.Receipt(session: live.number, tag: lent.tag), envelope: envelope, body: lent.body)
    if case .failure = delivery.envelope { delivery.properties = DeadLetterCoding.json(lent.properties) }
    return delivery
  }

  /// Settles deliveries. Those of an earlier connection come again, but for pieces of bundles: what is settled of a bundle is
  /// remembered until it comes again, and is not handed out then.
  public func acknowledge(_ receipts: [Delivery.Receipt]) {
    let live = session.live
    let done = pieces.withLock { $0.settle(receipts, over: live?.number) }
    if !done.isEmpty { live?.connection.acknowledge(done) }
  }

  /// Takes no more than the rest of a bundle that was begun. Acknowledgements still go out.
  public func stop() async {
    session.retire()
    await session.live?.connection.cancelConsumer()
  }

  /// Sends what is acknowledged and gives everything else back.
  public func close() async { await session.close() }
}
