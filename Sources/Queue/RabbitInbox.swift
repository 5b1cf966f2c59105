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
  private let seclusion = Mutex(Seclusion())
  private let prefetch: Int
  private let gather: Duration
  private let pacing: Pacing
  private let meter: InboxMeter?
  private let session: RabbitSession
  private let onEvent: @Sendable (QueueEvent) -> Void

  /// An inbox; it connects when `next` is first called.
  /// - Parameters:
  ///   - prefetch: envelopes lent to this worker at a time, 1...32,000; with their size it bounds the worker's memory. The
  ///     broker counts messages, so it is told as many as hold so many where all are full bundles, at least 8: single messages, as after an outage, come one by one.
  ///   - mostLent: never more envelopes than these, also where all messages are full bundles.
  ///   - gather: while something lent is not acknowledged yet, fewer than 8 messages wait this long for more to come,
  ///     where the broker may send more: what comes one by one then costs the broker and PostgreSQL less. Zero: no wait.
  ///   - meter: counts what is acknowledged.
  ///   - onEvent: told of connections made and lost; must not block.
  public init(
    _ settings: RabbitSettings, topology: Topology, stage: StageName, prefetch: Int, mostLent: Int = .max,
    gather: Duration = .zero, pacing: Pacing = .live, meter: InboxMeter? = nil,
    onEvent: @escaping @Sendable (QueueEvent) -> Void = { _ in }
  ) {
    self.stage = stage
    coding = EnvelopeCoding(topology: topology)
    bundles = BundleCoding(topology: topology)
    self.onEvent = onEvent
    let name = topology.name(of: stage.queue)
    queueName = name
    let mostPieces = BundleCoding.mostPieces(stage.queue)
    let few = min(prefetch, 8, max(mostLent / mostPieces, 1))
    let prefetch = min(max(min(prefetch, mostLent) / mostPieces, few), 2_000)
    pieces = Mutex(LentPieces(remembering: 2 * prefetch))
    self.prefetch = prefetch
    self.gather = gather
    self.meter = meter
    self.pacing = pacing
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

  /// How many messages the broker has lent to this worker that are not acknowledged yet, also those that nobody has taken out of
  /// the inbox. What the broker counts as unacknowledged may be a moment older.
  public var lentMessages: Int { session.live?.connection.outstanding ?? 0 }

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
        let lent = try await live.connection.deliveries(max: Swift.max(max, 1), gathering: gathering(live))
        // Whatever came together with the stop goes back when the connection closes.
        if session.isRetired { continue }
        if lent.isEmpty {
          guard let alone = try await suspect(live) else { continue }
          return [alone]
        }
        session.worked()
        let deliveries = unpacked(try await secluded(lent, live), live, max: max)
        if !deliveries.isEmpty { return deliveries }
      } catch {
        await session.drop(live, error)
      }
    }
    return []
  }

  private func gathering(_ live: RabbitSession.Live) -> AMQPGathering {
    let lent = seclusion.withLock { $0.lent(by: live.number) }
    // Who has nothing to do waits for nobody, and nobody for what the broker may not send.
    guard gather > .zero, lent > 0 else { return .none }
    return AMQPGathering(enough: max(min(Self.enough, prefetch - lent), 1), atMost: gather)
  }

  /// Twice the full bundles of a transformer's batch: who has those needs no more.
  private static let enough = 8

  /// After a stop: what is left of a bundle of which something was handed out. Given back, all of it would come again.
  private func restOfTheBegun(max: Int) -> [Delivery] {
    guard let live = session.live else { return [] }
    return pieces.withLock { $0.take(Swift.max(max, 1), of: live.number, onlyBegun: true) }
  }

  /// Takes out messages that may be what ends their workers, and has the broker send no more while there are such. A bundle
  /// is none: what is in it is to be published each by itself.
  private func secluded(
    _ lent: [AMQPDelivery], _ live: RabbitSession.Live
  ) async throws(AMQPFailure) -> [AMQPDelivery] {
    var rest = lent
    var suspects: [Delivery] = []
    let isSuspect = { (message: AMQPDelivery) in
      !message.isTruncated && Returns.count(message.properties) > Delivery.mostReturns
        && (!BundleCoding.isBundle(message.properties) || !self.isReadable(message))
    }
    if lent.contains(where: isSuspect) {
      rest = lent.filter { !isSuspect($0) }
      suspects = lent.filter(isSuspect).compactMap { delivery(of: $0, live) }
    }
    let isFirst = seclusion.withLock { seclusion in
      // What is truncated is refused at once.
      seclusion.lend(lent.count { !$0.isTruncated }, by: live.number)
      let wasOn = seclusion.isOn
      seclusion.keep(suspects)
      return seclusion.isOn && !wasOn
    }
    if isFirst { await live.connection.cancelConsumer() }
    return rest
  }

  private func isReadable(_ bundle: AMQPDelivery) -> Bool {
    if case .success = bundles.pieces(of: bundle, in: stage.queue) { true } else { false }
  }

  /// The next message that is worked alone, once everything else is acknowledged, or has not been for a minute: what waits for
  /// a confirm then, as under an alarm of the broker, must not keep the worker from what would help to end it. Nil: there is
  /// none any more, and the broker sends again; or the connection is over.
  private func suspect(_ live: RabbitSession.Live) async throws(AMQPFailure) -> Delivery? {
    guard seclusion.withLock({ $0.isOn(of: live.number) }) else { return nil }
    var looks = 0
    while !seclusion.withLock({ $0.isAlone }), looks < Self.mostLooks {
      looks += 1
      if Task.isCancelled || session.isRetired { return nil }
      if let failure = live.connection.failure { throw failure }
      try? await pacing.sleep(Self.look)
    }
    // Acknowledged is what the broker has: this worker may die over the next one at once, and what is under way to the
    // broker then would come back with it, time after time. Its answer comes after all that was sent before.
    try await live.connection.declareQueue(name: queueName, passive: true)
    if Task.isCancelled || session.isRetired { return nil }
    if let next = seclusion.withLock({ $0.next() }) { return next }
    seclusion.withLock { $0.end() }
    try await live.connection.consume(queue: queueName, prefetch: prefetch)
    return nil
  }

  /// How often it is looked whether all else is acknowledged.
  private static let look = Duration.milliseconds(20)
  private static let mostLooks = 3_000

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
    if !done.isEmpty {
      tell(done, over: live)
    }
    return deliveries
  }

  private func delivery(
    of piece: BundleCoding.Piece, at place: Int, _ message: AMQPDelivery, _ live: RabbitSession.Live
  ) -> Delivery {
    var delivery = Delivery(
      receipt: Delivery.Receipt(session: live.number, tag: message.tag, piece: UInt8(place)), envelope: piece.envelope,
      body: piece.body)
    delivery.returns = Returns.count(message.properties)
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
    delivery.returns = Returns.count(lent.properties)
    if case .failure = delivery.envelope { delivery.properties = DeadLetterCoding.json(lent.properties) }
    return delivery
  }

  /// Settles deliveries. Those of an earlier connection come again, but for pieces of bundles: what is settled of a bundle is
  /// remembered until it comes again, and is not handed out then.
  public func acknowledge(_ receipts: [Delivery.Receipt]) {
    let live = session.live
    let done = pieces.withLock { $0.settle(receipts, over: live?.number) }
    guard let live, !done.isEmpty else { return }
    // In this order: what the seclusion counts as acknowledged stands before whatever the broker is asked afterwards.
    tell(done, over: live)
  }

  private func tell(_ done: [UInt64], over live: RabbitSession.Live) {
    live.connection.acknowledge(done)
    seclusion.withLock { $0.settle(done.count, of: live.number) }
    meter?.acknowledged(done.count)
  }

  /// Takes no more than the rest of a bundle that was begun. Acknowledgements still go out.
  public func stop() async {
    session.retire()
    await session.live?.connection.cancelConsumer()
  }

  /// Sends what is acknowledged and gives everything else back.
  public func close() async { await session.close() }
}
