import AMQP
public import Pipeline
import Synchronization

/// The write side of all queues on RabbitMQ, over a connection that only publishes.
public final class RabbitOutbox: Outbox {
  private let coding: EnvelopeCoding
  private let bundles: BundleCoding
  private let names = BundleNames()
  private let session: RabbitSession
  private let pacing: Pacing
  private let timeoutSeconds: Int
  private let meter: PublishMeter?
  /// Larger bodies are not sent.
  private let mostBytes: Int
  /// The broker's limit of a message, once it has refused one. Bundles keep below it, each of which would cost a connection;
  /// what is larger by itself is sent all the same, since the limit may have been raised.
  private let learned = Mutex<Int?>(nil)

  /// An outbox; it connects when it is first used.
  /// - Parameters:
  ///   - meter: counts and times what is published.
  ///   - onEvent: told of connections made and lost; must not block.
  public convenience init(
    _ settings: RabbitSettings, topology: Topology, pacing: Pacing = .live, meter: PublishMeter? = nil,
    onEvent: @escaping @Sendable (QueueEvent) -> Void = { _ in }
  ) {
    self.init(
      settings, topology: topology, pacing: pacing, mostBytes: nil, frameMax: nil, meter: meter, onEvent: onEvent)
  }

  /// - Parameters:
  ///   - mostBytes: larger bodies are not sent; nil for the driver's own bound.
  ///   - frameMax: bytes of a frame, unless the broker wants smaller ones; nil for the driver's own bound.
  init(
    _ settings: RabbitSettings, topology: Topology, pacing: Pacing, mostBytes: Int?, frameMax: Int? = nil,
    meter: PublishMeter? = nil, onEvent: @escaping @Sendable (QueueEvent) -> Void = { _ in }
  ) {
    coding = EnvelopeCoding(topology: topology)
    bundles = BundleCoding(topology: topology)
    self.pacing = pacing
    self.meter = meter
    timeoutSeconds = min(max(settings.publishTimeoutSeconds, 1), 600)
    var options = settings.options(for: "outbox")
    if let mostBytes { options.maxMessageBytes = mostBytes }
    if let frameMax { options.frameMax = frameMax }
    self.mostBytes = options.maxMessageBytes
    session = RabbitSession(options, pacing: pacing, onEvent: onEvent) { connection throws(AMQPFailure) in
      try await Self.tryOut(connection, exchange: topology.exchange)
    }
  }

  /// Sees that the exchange is there and may be written to, by an empty message under a key that no queue is bound to: who may
  /// not publish learns it before the first order comes.
  private static func tryOut(_ connection: AMQPConnection, exchange: String) async throws(AMQPFailure) {
    let message = AMQPMessage(exchange: exchange, routingKey: nowhere, body: [])
    // Returned as unroutable, or not answered in time, as by a broker that holds publishers back: nothing was denied.
    _ = await connection.publish([message], timeoutSeconds: trySeconds)
    if let failure = connection.failure { throw failure }
  }

  private static let nowhere = "ferry-may-publish"
  private static let trySeconds = 5

  /// Whether it is connected and may publish. A connection that broke while idle is noticed within two heartbeats.
  public var isReady: Bool { standing == .ready }

  /// The same, with what keeps it from publishing. The broker tells that it holds a connection back when that publishes.
  public var standing: QueueStanding { session.isRetired ? .notConnected : session.standing }

  /// Connects if it is not connected: one attempt, after the pause that is due.
  /// - Returns: `isReady`.
  @discardableResult
  public func connect() async -> Bool {
    _ = await session.connected()
    return isReady
  }

  /// Keeps the connection up while nothing is published, until the outbox is closed or the task cancelled: looks each
  /// second, and connects with the pauses that are due.
  public func stayConnected() async { await session.stayConnected() }

  /// Publishes a batch, as the port says. Without a connection it waits for the pause that is due (at most 30 s) and
  /// makes one attempt to connect.
  public func publish(_ parcels: [Parcel]) async -> [PublishResult] {
    let limit = learned.withLock { $0 }
    var ranges = BundleCoding.cut(parcels, limit: limit)
    var messages = messages(for: parcels, cut: ranges)
    if let limit, zip(ranges, messages).contains(where: { $0.count > 1 && $1.body.count > limit }) {
      ranges = zip(ranges, messages).flatMap { range, message in
        message.body.count > limit ? range.map { $0..<$0 + 1 } : [range]
      }
      messages = self.messages(for: parcels, cut: ranges)
    }
    let answers = await publish(messages)
    if ranges.count == parcels.count { return answers }
    var results: [PublishResult] = []
    results.reserveCapacity(parcels.count)
    for (range, answer) in zip(ranges, answers) {
      if range.count > 1, case .tooLarge = answer {
        // It may be the bundle that is too large, and none of what is in it.
        results += await publish(self.messages(for: parcels, cut: range.map { $0..<$0 + 1 }))
      } else {
        for _ in range { results.append(answer) }
      }
    }
    return results
  }

  /// Parcels as messages, each range of them as one; those of one parcel alone where none are given.
  func messages(for parcels: [Parcel], cut ranges: [Range<Int>]? = nil) -> [AMQPMessage] {
    let now = pacing.now()
    var messages: [AMQPMessage] = []
    let ranges = ranges ?? parcels.indices.map { $0..<$0 + 1 }
    messages.reserveCapacity(ranges.count)
    var shares = Self.spread(parcels.count { $0.isSpread }).makeIterator()
    for range in ranges {
      if range.count > 1 {
        messages.append(bundles.message(for: parcels[range], now: now, name: names.next()))
        continue
      }
      let parcel = parcels[range.lowerBound]
      let permille = parcel.isSpread ? shares.next() : nil
      messages.append(coding.message(for: parcel, now: now, permille: permille ?? 1_000))
    }
    return messages
  }

  /// The same with messages that are made already.
  func publish(_ messages: [AMQPMessage]) async -> [PublishResult] {
    var results: [PublishResult] = messages.map {
      let size = $0.body.count
      return size > mostBytes ? .tooLarge("the message has \(size) bytes, more than \(mostBytes)") : .refused("")
    }
    var pending = messages.indices.filter { messages[$0].body.count <= mostBytes }
    // Twice: a connection that has died since its last use shows it only now, and nothing was sent over it.
    var tries = 2
    while tries > 0, !pending.isEmpty {
      tries -= 1
      guard let live = await session.connected() else {
        let why = "the message was not sent: no connection to the broker: \(session.lastFailure)"
        for index in pending { results[index] = .refused(why) }
        break
      }
      let isWhole = pending.count == messages.count
      let answers = await publish(isWhole ? messages : pending.map { messages[$0] }, over: live)
      if answers.contains(.confirmed) { session.worked() }
      if isWhole, answers.allSatisfy({ $0 == .confirmed }) {
        return Array(repeating: .confirmed, count: messages.count)
      }
      let failure = live.connection.failure
      // The exchange is missing: the answers do not say what to do about it.
      let sentence = failure.flatMap { $0.isOfMissing ? $0.sentence : nil }
      for (index, answer) in zip(pending, answers) {
        results[index] = PublishResult(sentence.map(answer.saying) ?? answer)
      }
      guard let failure else { break }
      await session.drop(live, failure)
      if let limit = failure.messageLimit {
        learned.withLock { $0 = limit }
        // Over one message the broker closes the channel, and tells of no other what became of it. What is over the limit
        // will never be taken; the rest is sent again, by which nothing is lost.
        let open = zip(pending, answers).compactMap { $1 == .confirmed ? nil : $0 }
        for index in open where messages[index].body.count > limit { results[index] = .tooLarge(failure.sentence) }
        pending = open.filter { messages[$0].body.count <= limit }
        if pending.count < open.count { tries = 2 }
        continue
      }
      pending = zip(pending, answers).compactMap { index, answer in
        if case .notSent = answer { index } else { nil }
      }
    }
    return results
  }

  /// One round of confirms.
  private func publish(_ messages: [AMQPMessage], over live: RabbitSession.Live) async -> [AMQPPublishResult] {
    let begun = ContinuousClock.now
    meter?.begin(messages.count)
    let answers = await live.connection.publish(messages, timeoutSeconds: timeoutSeconds)
    let returned = answers.count { if case .returned = $0 { true } else { false } }
    meter?.end(messages.count, took: .now - begun, returned: returned)
    return answers
  }

  /// How much of their delays parcels wait, 850 to 1,000 permille, by chance and rising: a message that is due waits for the
  /// one before it in its queue, so in any other order the longest would hold all others.
  static func spread(_ count: Int) -> [Int] { (0..<count).map { _ in Int.random(in: 850...1_000) }.sorted() }

  /// Closes the connection; nothing can be published afterwards.
  public func close() async { await session.close() }
}

extension AMQPPublishResult {
  /// The same with another reason, where there is one.
  fileprivate func saying(_ reason: String) -> Self {
    switch self {
    case .unknown: .unknown(reason)
    case .notSent: .notSent(reason)
    case .confirmed, .refused, .returned, .unsendable: self
    }
  }
}

extension PublishResult {
  fileprivate init(_ result: AMQPPublishResult) {
    switch result {
    case .confirmed: self = .confirmed
    case .unknown(let text): self = .unknown(text)
    case .refused: self = .refused("the broker refused the message: its queue is full or in trouble")
    case .returned(let code, let text):
      self = .refused("no queue takes the message (\(code) \(text)): run `ferry migrate`")
    case .notSent(let text): self = .refused("the message was not sent: \(text)")
    case .unsendable(let text): self = .headersTooLarge("the message cannot be sent: \(text)")
    }
  }
}
