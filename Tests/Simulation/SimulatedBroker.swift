import Orders
import Pipeline

/// RabbitMQ as the protocol sees it: durable queues, confirms, sessions whose unacknowledged messages come again, delay
/// queues, a delivery limit.
final class SimulatedBroker: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.

  struct Message {
    let id: UInt64
    let envelope: Envelope
    /// It was published together with others, so that it may have come in one message with them.
    var isPiece = false
    var deliveries = 0
  }

  struct DeadLetter {
    let stage: StageName
    let envelope: Envelope
    let reason: ReasonCode?
  }

  /// A consumer's connection.
  final class Session: @unchecked Sendable {
    // Unchecked: only the main thread ever touches it.
    let number: UInt64
    let stage: StageName
    var isOpen = true
    var lent: [UInt64: Message] = [:]
    /// Pieces of bundles that were acknowledged last: where a neighbour is not, they come again with it.
    var acknowledged: [Message] = []
    var wake: (() -> Void)?

    init(_ number: UInt64, _ stage: StageName) {
      self.number = number
      self.stage = stage
    }
  }

  static let deliveryLimit = 10
  static let prefetch = 16
  static let mostPieces = 16

  let server: Server
  private let world: World
  private let ladder: [Int]
  private var ready: [QueueName: [Message]] = [:]
  private var sessions: [Session] = []
  private(set) var dead: [DeadLetter] = []
  private var delays: [UInt64: Envelope] = [:]
  private var serial: UInt64 = 0
  /// Every revision that ever was safe in `orders` or dead.
  private(set) var published: [OrderID: [(updateTime: BeijingTime, revision: Int64, isRead: Bool)]] = [:]
  /// When an order was published last, as a content, as one that cannot be read, or as deleted.
  private(set) var lastPublished: [OrderID: Int64] = [:]
  /// What was published of each order.
  private(set) var editions: [OrderID: Set<[Int]>] = [:]
  /// The newest deletion that was published of each order.
  private(set) var removals: [OrderID: Int64] = [:]
  /// The newest revision that a version was published as.
  private(set) var revisions: [OrderID: [Int: Int64]] = [:]
  /// The oldest one.
  private(set) var firstRevisions: [OrderID: [Int: Int64]] = [:]
  /// How often a message was handed to a worker, by order.
  private(set) var handed: [OrderID: Int] = [:]
  /// Told of everything that is confirmed.
  var onPublish: (Envelope) -> Void = { _ in }
  /// Told of every message that has left its queue for good, after what came of it.
  var onGone: (Envelope) -> Void = { _ in }
  init(_ world: World, ladder: [Int]) {
    self.world = world
    self.ladder = ladder
    server = Server("RabbitMQ", world)
  }

  /// Messages in delay queues.
  var delayed: Int { delays.count }

  /// Whether a message of the order is anywhere that is this revision or a newer one.
  func holds(_ order: OrderID, from revision: Int64) -> Bool {
    func isMeant(_ envelope: Envelope) -> Bool { envelope.orderID == order && envelope.revision >= revision }
    return ready.values.contains { $0.contains { isMeant($0.envelope) } }
      || sessions.contains { $0.lent.values.contains { isMeant($0.envelope) } }
      || delays.values.contains(where: isMeant) || dead.contains { isMeant($0.envelope) }
  }

  /// Nothing is waiting, lent or delayed.
  var isEmpty: Bool {
    delayed == 0 && ready.values.allSatisfy(\.isEmpty) && sessions.allSatisfy { $0.lent.isEmpty }
  }

  func publish(_ parcels: [Parcel]) {
    let isBundle = parcels.count > 1
    for parcel in parcels {
      guard case .envelope(let envelope) = parcel.content else { continue }
      serial += 1
      let message = Message(id: serial, envelope: envelope)
      onPublish(envelope)
      switch parcel.destination {
      case .queue(let queue):
        if queue == .orders { note(envelope) }
        if envelope.content == .removal {
          removals[envelope.orderID] = envelope.revision
          lastPublished[envelope.orderID] = world.now
        }
        if case .removal = envelope.content { world.tell("the removal of order \(envelope.orderID) is told") }
        append(Message(id: message.id, envelope: envelope, isPiece: isBundle), to: queue)
      case .retry(let stage, let seconds):
        let rung = ladder.last { $0 <= seconds } ?? ladder[0]
        delays[message.id] = envelope
        world.tell(
          "order \(envelope.orderID) r\(envelope.revision) waits \(rung) s: \(envelope.lastReason?.code.rawValue ?? "")"
        )
        world.after(Int64(rung) * 1_000) { self.due(message, stage.queue) }
      case .dead(let stage):
        note(envelope)
        bury(envelope, at: stage, parcel.burial?.reason.code)
      }
    }
  }

  private func note(_ envelope: Envelope) {
    lastPublished[envelope.orderID] = world.now
    published[envelope.orderID, default: []].append(
      (envelope.updateTime, envelope.revision, envelope.content != .order([])))
    if let edition = History.edition(envelope), let version = edition.last {
      editions[envelope.orderID, default: []].insert(edition)
      let first = firstRevisions[envelope.orderID]?[version] ?? .max
      firstRevisions[envelope.orderID, default: [:]][version] = min(first, envelope.revision)
      let known = revisions[envelope.orderID]?[version] ?? 0
      revisions[envelope.orderID, default: [:]][version] = max(known, envelope.revision)
    }
  }

  private func due(_ message: Message, _ queue: QueueName) {
    // A broker that is down lets nothing out.
    guard server.isUp else { return world.after(1_000) { self.due(message, queue) } }
    delays[message.id] = nil
    append(message, to: queue)
  }

  private func bury(_ envelope: Envelope, at stage: StageName, _ reason: ReasonCode?) {
    world.tell("order \(envelope.orderID) r\(envelope.revision) is parked: \(reason?.rawValue ?? "delivery limit")")
    dead.append(DeadLetter(stage: stage, envelope: envelope, reason: reason))
  }

  private func append(_ message: Message, to queue: QueueName) {
    ready[queue, default: []].append(message)
    wakeOne(of: queue)
  }

  private func wakeOne(of queue: QueueName) {
    let waiting = sessions.filter { $0.isOpen && $0.stage.queue == queue && $0.wake != nil }
    guard !waiting.isEmpty else { return }
    let session = world.random.pick(waiting)
    let wake = session.wake
    session.wake = nil
    wake?()
  }

  // MARK: Sessions

  func connect(_ stage: StageName) -> Session {
    serial += 1
    let session = Session(serial, stage)
    sessions.append(session)
    return session
  }

  /// Messages for a session, as far as its prefetch goes.
  func take(_ session: Session, max: Int) -> [Delivery] {
    guard session.isOpen else { return [] }
    let queue = session.stage.queue
    let count = min(max, Self.prefetch - session.lent.count, ready[queue]?.count ?? 0)
    guard count > 0 else { return [] }
    let taken = Array((ready[queue] ?? []).prefix(count))
    ready[queue]?.removeFirst(count)
    if !(ready[queue] ?? []).isEmpty { wakeOne(of: queue) }
    return taken.map { message in
      session.lent[message.id] = message
      handed[message.envelope.orderID, default: 0] += 1
      return Delivery(
        receipt: Delivery.Receipt(session: session.number, tag: message.id), envelope: .success(message.envelope),
        body: [])
    }
  }

  func acknowledge(_ receipts: [Delivery.Receipt], on session: Session) {
    guard session.isOpen, server.isUp else { return }
    let gone = receipts.filter { $0.session == session.number }.compactMap { session.lent.removeValue(forKey: $0.tag) }
    for message in gone { onGone(message.envelope) }
    session.acknowledged = (session.acknowledged + gone.filter(\.isPiece)).suffix(Self.mostPieces)
    if let wake = session.wake {
      session.wake = nil
      wake()
    }
  }

  /// A connection ends; what it had comes again, at the head, in order.
  func close(_ session: Session) {
    guard session.isOpen else { return }
    session.isOpen = false
    sessions.removeAll { $0 === session }
    let queue = session.stage.queue
    // Of those that a bundle held together, by chance: which ones are in one is the outbox's affair.
    let again = session.acknowledged.filter { _ in world.random.happens(300) }
    session.acknowledged = []
    for piece in again { world.tell("order \(piece.envelope.orderID), acknowledged, comes again with its bundle") }
    for var message in (session.lent.values + again).sorted(by: { $0.id > $1.id }) {
      message.deliveries += 1
      if message.deliveries > Self.deliveryLimit {
        bury(message.envelope, at: session.stage, nil)
      } else {
        ready[queue, default: []].insert(message, at: 0)
      }
    }
    session.lent = [:]
    session.wake?()
    session.wake = nil
    wakeOne(of: queue)
  }

  /// Down for so long: all connections are lost, what was confirmed stays.
  func restart(for milliseconds: Int64) {
    server.goDown(for: milliseconds)
    for session in sessions { close(session) }
  }
}

/// The read side.
final class SimulatedInbox: Inbox, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let broker: SimulatedBroker
  private let stage: StageName
  private var session: SimulatedBroker.Session?
  private(set) var isStopped = false

  init(_ host: Host, _ broker: SimulatedBroker, _ stage: StageName) {
    self.host = host
    self.broker = broker
    self.stage = stage
    host.whenDead { [weak self] in
      // The broker sees the connection end a little later.
      guard let session = self?.session else { return }
      host.world.after(Int64(host.world.random.number(1...2_000))) { broker.close(session) }
    }
  }

  var isReady: Bool { session?.isOpen == true }

  func next(max: Int) async -> [Delivery] {
    while host.isAlive, !isStopped, !Task.isCancelled {
      guard let session, session.isOpen else {
        if case .answer(let session) = await host.call(
          broker.server, timeout: 5_000,
          { [broker, stage] in
            broker.connect(stage)
          })
        {
          if host.isAlive { self.session = session } else { broker.close(session) }
        } else {
          await host.pause(1_000)
        }
        continue
      }
      let batch = broker.take(session, max: max)
      if !batch.isEmpty {
        await host.pause(Int64(host.world.random.number(1...host.faults.latency)))
        // Killed meanwhile, the batch never came.
        return host.isAlive ? batch : []
      }
      await host.suspend(dying: ()) { done in session.wake = { done(()) } }
    }
    return []
  }

  func acknowledge(_ receipts: [Delivery.Receipt]) {
    guard host.isAlive, let session else { return }
    let (broker, world) = (broker, host.world)
    world.after(Int64(world.random.number(1...host.faults.latency))) { broker.acknowledge(receipts, on: session) }
  }

  func stop() async {
    isStopped = true
    let wake = session?.wake
    session?.wake = nil
    wake?()
  }

  func close() async {
    guard host.isAlive, let session else { return }
    await host.pause(Int64(host.faults.latency) + 1)
    broker.close(session)
  }
}

/// The write side.
final class SimulatedOutbox: Outbox, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let broker: SimulatedBroker

  init(_ host: Host, _ broker: SimulatedBroker) {
    self.host = host
    self.broker = broker
  }

  var isReady: Bool { broker.server.isUp }

  func publish(_ parcels: [Parcel]) async -> [PublishResult] {
    // A connection that breaks in the middle has let some of them through.
    let cut = parcels.count > 1 && host.world.random.happens(200) ? host.world.random.number(1...parcels.count - 1) : 0
    var results: [PublishResult] = []
    for part in [parcels[..<cut], parcels[cut...]] where !part.isEmpty {
      let reply = await host.call(broker.server, timeout: 10_000) { [broker] in broker.publish(Array(part)) }
      let result: PublishResult =
        switch reply {
        case .answer: .confirmed
        case .notSent: .refused("not connected")
        case .lost: .unknown("no confirm")
        }
      results += part.map { _ in result }
    }
    return results
  }

  func close() async {}
}
