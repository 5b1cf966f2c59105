import DriverThread
import Synchronization

/// One connection to a RabbitMQ broker: one socket, one channel, one thread.
///
/// The thread does all reading and writing, so callers never block and a batch costs one suspension, however many
/// messages it has. Use separate connections for publishing and consuming: under a memory or disk alarm the broker
/// stops reading from a connection that publishes, and its acknowledgements with it.
public final class AMQPConnection: Sendable {
  /// Most deliveries that may be unacknowledged at a time.
  public static let maxPrefetch = 65_535

  private let shared: Shared
  private let frameMax: Int

  private init(_ shared: Shared, frameMax: Int) {
    self.shared = shared
    self.frameMax = frameMax
  }

  deinit {
    _ = shared.mailbox.post { $0.isAbandoned = true }
  }

  /// Connects, logs in and opens the channel. The options bound how long that takes; a name server's answer comes on
  /// top. It does not end early when the task is cancelled.
  /// - Throws: `unreachable`, `loginRefused`, or `invalid` for options out of range.
  public static func open(_ options: AMQPOptions) async throws(AMQPFailure) -> AMQPConnection {
    try options.validate()
    let shared = Shared(options)
    let frameMax: Result<Int, AMQPFailure> = await withCheckedContinuation { continuation in
      let thread = DriverThread(name: "amqp \(options.connectionName)") { Loop.run(shared, continuation) }
      Watchdog.shared.adopt(thread, shared.mailbox)
    }
    return AMQPConnection(shared, frameMax: try frameMax.get())
  }

  /// Whether the broker holds this connection back now (connection.blocked). It says so on the first publish that
  /// it does not want.
  public var isBlocked: Bool { shared.isBlocked.load(ordering: .relaxed) }

  /// Deliveries that are neither acknowledged nor rejected, as of the thread's last turn.
  public var outstanding: Int { shared.outstanding.load(ordering: .relaxed) }

  /// Why the connection is over; nil while it is not.
  public var failure: AMQPFailure? { shared.mailbox.ended }

  // MARK: Topology

  /// Declares an exchange, or with `passive` only asks whether it is there (404 closes the connection if not).
  /// - Throws: any failure but `consumerCancelled`; 406 when it is there with other properties.
  public func declareExchange(
    name: String, type: String, durable: Bool = true, autoDelete: Bool = false, arguments: [AMQPHeader] = [],
    passive: Bool = false
  ) async throws(AMQPFailure) {
    try check(names: [name, type], arguments)
    _ = try await ask(
      .declareExchange(
        name: name, type: type, durable: durable, autoDelete: autoDelete, arguments: arguments, passive: passive))
  }

  /// Deletes an exchange; one that is not there is no mistake.
  /// - Throws: any failure but `consumerCancelled`.
  public func deleteExchange(_ name: String) async throws(AMQPFailure) {
    try check(names: [name])
    _ = try await ask(.deleteExchange(name: name))
  }

  /// Declares a queue, or with `passive` only asks for its state (404 closes the connection if it is not there).
  /// - Throws: any failure but `consumerCancelled`; 406 when it is there with other properties.
  @discardableResult
  public func declareQueue(
    name: String, durable: Bool = true, exclusive: Bool = false, autoDelete: Bool = false,
    arguments: [AMQPHeader] = [], passive: Bool = false
  ) async throws(AMQPFailure) -> AMQPQueueState {
    try check(names: [name], arguments)
    let answer = try await ask(
      .declareQueue(
        name: name, durable: durable, exclusive: exclusive, autoDelete: autoDelete, arguments: arguments,
        passive: passive))
    guard case .queueDeclared(let state) = answer else { throw Self.strange(answer) }
    return state
  }

  /// Binds a queue to an exchange; a binding that is there already stays.
  /// - Throws: any failure but `consumerCancelled`.
  public func bindQueue(
    name: String, exchange: String, routingKey: String, arguments: [AMQPHeader] = []
  ) async throws(AMQPFailure) {
    try check(names: [name, exchange, routingKey], arguments)
    _ = try await ask(.bindQueue(name: name, exchange: exchange, routingKey: routingKey, arguments: arguments))
  }

  /// Deletes a queue with all that is in it; one that is not there is no mistake.
  /// - Returns: how many messages were ready in it.
  /// - Throws: any failure but `consumerCancelled`.
  @discardableResult
  public func deleteQueue(_ name: String) async throws(AMQPFailure) -> Int {
    try check(names: [name])
    let answer = try await ask(.deleteQueue(name: name))
    guard case .queueDeleted(let count) = answer else { throw Self.strange(answer) }
    return count
  }

  /// Removes all messages of a queue that are ready (not those delivered and unacknowledged).
  /// - Returns: how many those were.
  /// - Throws: any failure but `consumerCancelled`.
  @discardableResult
  public func purgeQueue(_ name: String) async throws(AMQPFailure) -> Int {
    try check(names: [name])
    let answer = try await ask(.purgeQueue(name: name))
    guard case .queuePurged(let count) = answer else { throw Self.strange(answer) }
    return count
  }

  // MARK: Publishing

  /// Publishes messages and waits until the fate of each is known, or the time is up.
  ///
  /// Calls may overlap: their messages are sent in the order of the calls, at most 256 unconfirmed at a time. While
  /// the broker holds the connection back nothing more is sent.
  /// - Parameter timeoutSeconds: at least 1. A call returns at most about a second later than this.
  /// - Returns: one result for each message, in order. Cancelling the task changes nothing.
  public func publish(_ batch: [AMQPMessage], timeoutSeconds: Int) async -> [AMQPPublishResult] {
    if batch.isEmpty { return [] }
    let results = batch.map { problem(with: $0).map { AMQPPublishResult.unsendable($0) } }
    let deadline = ContinuousClock.now + .seconds(min(max(1, timeoutSeconds), 86_400))
    return await withCheckedContinuation { continuation in
      shared.mailbox.post(
        PublishRequest(messages: batch, results: results, deadline: deadline, continuation: continuation))
    }
  }

  // MARK: Consuming

  /// Starts the connection's one consumer. Acknowledgement is manual.
  /// - Parameter prefetch: how many deliveries may be unacknowledged, 1 to 65,535. With the size of the messages it
  ///   bounds this side's memory. Quorum queues take at most 2,000.
  /// - Throws: any failure but `consumerCancelled`.
  public func consume(queue: String, prefetch: Int, exclusive: Bool = false) async throws(AMQPFailure) {
    try check(names: [queue])
    guard (1...Self.maxPrefetch).contains(prefetch) else {
      throw .invalid("prefetch is \(prefetch), not from 1 to \(Self.maxPrefetch)")
    }
    _ = try await ask(.limitPrefetch(prefetch))
    _ = try await ask(.consume(queue: queue, exclusive: exclusive))
  }

  /// Waits for deliveries and takes them.
  /// - Parameters:
  ///   - max: at least 1.
  ///   - gathering: how long to wait for more when few are there.
  /// - Returns: one to `max` deliveries; none when the task is cancelled (nothing is lost then), or when the consumer
  ///   was cancelled on request and all that had arrived was taken.
  /// - Throws: `consumerCancelled` when the broker ended the consumer and all was taken, `invalid` when nothing is
  ///   consumed, or why the connection is over.
  public func deliveries(
    max: Int, gathering: AMQPGathering = .none
  ) async throws(AMQPFailure) -> [AMQPDelivery] {
    if max < 1 { throw .invalid("at least one delivery must be asked for") }
    return try await shared.inbox.next(max: max, gathering) { shared.mailbox.nudge() }
  }

  /// Tells the broker that these deliveries are done. Never waits; the thread says it with as few words as possible.
  ///
  /// A tag counts once; an unknown one, and one of another connection, is ignored. When the connection is over the
  /// broker delivers the messages again whatever is said here.
  public func acknowledge(_ tags: [UInt64]) {
    if tags.isEmpty { return }
    _ = shared.mailbox.post { $0.acknowledged.append(contentsOf: tags) }
  }

  /// Gives deliveries back to the queue (`requeue`), or refuses them: then the queue dead-letters or drops them.
  /// Never waits. Tags as in ``acknowledge(_:)``.
  public func reject(_ tags: [UInt64], requeue: Bool) {
    if tags.isEmpty { return }
    _ = shared.mailbox.post { $0.rejected.append(contentsOf: tags.lazy.map { ($0, requeue) }) }
  }

  /// Ends the consumer: the broker sends no more. What has arrived can still be taken and acknowledged.
  public func cancelConsumer() async {
    // A failure means that the connection is over, and the consumer with it.
    _ = try? await ask(.cancelConsumer)
  }

  /// Takes one message, for tools: each costs a round trip. To be acknowledged as a delivery.
  /// - Returns: nil when the queue is empty.
  /// - Throws: any failure but `consumerCancelled`.
  public func get(queue: String) async throws(AMQPFailure) -> AMQPDelivery? {
    try check(names: [queue])
    let answer = try await ask(.get(queue: queue))
    guard case .message(let delivery) = answer else { throw Self.strange(answer) }
    return delivery
  }

  // MARK: The end

  /// Ends the connection: waits for the confirms of what was sent, sends the acknowledgements, takes leave of the
  /// broker, all that for at most 5 seconds (longer only when the thread is stuck in a write). May be called again.
  public func close() async {
    await withCheckedContinuation { continuation in
      if shared.mailbox.post({ $0.closers.append(continuation) }) != nil { continuation.resume() }
    }
  }

  private func ask(_ request: Request) async throws(AMQPFailure) -> Answer {
    let deadline = ContinuousClock.now + .seconds(shared.options.rpcTimeoutSeconds)
    let result: Result<Answer, AMQPFailure> = await withCheckedContinuation { continuation in
      let call = Call(request: request, deadline: deadline, continuation: continuation)
      if let ended = shared.mailbox.post({ $0.calls.append(call) }) {
        continuation.resume(returning: .failure(ended))
      }
    }
    return try result.get()
  }

  private static func strange(_ answer: Answer) -> AMQPFailure {
    .connectionLost("an answer of another kind: \(answer)")
  }

  private func check(names: [String], _ arguments: [AMQPHeader] = []) throws(AMQPFailure) {
    if names.contains(where: { $0.utf8.count > 255 }) { throw .invalid("a name is longer than 255 bytes") }
    do {
      if try FrameSize.table(arguments) > frameMax - 1_024 { throw AMQPFailure.invalid("the arguments are too large") }
    } catch let problem as FrameSize.Problem {
      throw .invalid(problem.text)
    } catch let failure as AMQPFailure {
      throw failure
    } catch {
      throw .invalid("the arguments cannot be sent")
    }
  }

  /// Why a message cannot be sent; nil when it can.
  private func problem(with message: AMQPMessage) -> String? {
    let limit = shared.options.maxMessageBytes
    if message.body.count > limit { return "the body has \(message.body.count) bytes, more than \(limit)" }
    if message.exchange.utf8.count > 255 || message.routingKey.utf8.count > 255 {
      return "the exchange's name or the routing key is longer than 255 bytes"
    }
    do throws(FrameSize.Problem) {
      let size = try FrameSize.header(message.properties)
      return size > frameMax ? "the properties take \(size) bytes, more than a frame of \(frameMax)" : nil
    } catch {
      return error.text
    }
  }
}
