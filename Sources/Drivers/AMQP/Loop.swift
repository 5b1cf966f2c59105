#if canImport(Glibc)
  import Glibc
#endif
import DriverThread
import Synchronization

/// What the connection object and its thread share.
final class Shared: Sendable {
  let options: AMQPOptions
  let mailbox = Mailbox()
  let inbox = DeliveryInbox()
  let isBlocked = Atomic<Bool>(false)
  /// Deliveries that are not settled.
  let outstanding = Atomic<Int>(0)
  /// Upper 16 bits of this connection's delivery tags, so that another connection's tags are told apart.
  let mark: UInt64

  private static let nextMark = Atomic<UInt64>(1)

  init(_ options: AMQPOptions) {
    self.options = options
    mark = (Self.nextMark.wrappingAdd(1, ordering: .relaxed).oldValue & 0xFFFF) << 48
  }
}

/// The life of one connection on its thread: turns of taking mail, sending, reading, and waiting in poll.
final class Loop {
  /// Bytes of bodies sent on one word of poll that the socket takes more.
  static let sendChunk = 65_536
  /// Frames read in one turn at most, so that mail is not kept waiting.
  static let readChunk = 1_024
  /// How long a graceful end may take.
  static let closeLimit = Duration.seconds(5)

  let shared: Shared
  let wire: Wire
  var publisher = Publisher()
  var acks = AckLedger()
  /// Deliveries read in this turn.
  var arrived = Fifo<AMQPDelivery>()

  var calls = Fifo<Call>()
  var running: Call?
  var consumer: (queue: String, tag: String)?
  var confirms = Confirms.off
  var closers: [CheckedContinuation<Void, Never>] = []
  /// When a graceful end that is under way is cut short.
  var closeBy: ContinuousClock.Instant?
  var closing = Closing.no

  /// The socket and the wake-up, for poll.
  private var polled = [pollfd(), pollfd()]
  private var isReadable = true
  private var isWritable = false
  private var nextService = ContinuousClock.now
  private let serviceInterval: Duration

  enum Confirms {
    case off, asked, on
  }

  enum Closing {
    case no, asked, done
  }

  var isBlocked: Bool { shared.isBlocked.load(ordering: .relaxed) }

  private init(_ shared: Shared, _ wire: Wire) {
    self.shared = shared
    self.wire = wire
    // Heartbeats are sent and missed ones noticed only while we read, so read at least that often.
    serviceInterval = .milliseconds(max(1, wire.heartbeatSeconds) * 250)
  }

  /// Opens the connection, tells `ready` how that went (the agreed frame size), and stays until its end.
  static func run(_ shared: Shared, _ ready: CheckedContinuation<Result<Int, AMQPFailure>, Never>) {
    defer { shared.mailbox.leave() }
    do {
      let wire = try Wire(shared.options, mark: shared.mark)
      shared.mailbox.guardSocket(wire.descriptor)
      ready.resume(returning: .success(wire.frameMax))
      Loop(shared, wire).live()
    } catch {
      _ = shared.mailbox.end(error)
      ready.resume(returning: .failure(error))
    }
  }

  private func live() {
    var end: AMQPFailure?
    while end == nil {
      do throws(AMQPFailure) {
        end = try turn()
        if end == nil { sleep() }
      } catch {
        end = shared.mailbox.wasCut ? .connectionLost("the broker took no more bytes") : error
      }
    }
    finish(end ?? .closed)
  }

  /// One turn. Returns the reason when the connection has ended as it should.
  private func turn() throws(AMQPFailure) -> AMQPFailure? {
    let mail = shared.mailbox.take(
      stall: .seconds(shared.options.stallTimeoutSeconds), publishDeadline: publisher.nextDeadline,
      unsent: publisher.unsent)
    if mail.isAbandoned { return .closed }
    try absorb(mail)
    // Before calls, so that the answer to a call tells that the broker has what was acknowledged before it. After channel.close
    // nothing more may be said on the channel.
    if closing == .no {
      try acks.flush { tag, multiple throws(AMQPFailure) in try wire.acknowledge(tag, multiple: multiple) }
    }
    try sendCalls()
    try sendMessages()
    try read()
    try wire.flush()
    shared.outstanding.store(acks.outstanding, ordering: .relaxed)
    let now = ContinuousClock.now
    publisher.expire(now, blocked: isBlocked)
    try expireCalls(now)
    return try closeProgress(now)
  }

  private func absorb(_ mail: Mail) throws(AMQPFailure) {
    for tag in mail.acknowledged where tag & ~Self.tagMask == shared.mark { acks.acknowledge(tag & Self.tagMask) }
    for (tag, requeue) in mail.rejected where tag & ~Self.tagMask == shared.mark {
      if acks.reject(tag & Self.tagMask) { try wire.reject(tag & Self.tagMask, requeue: requeue) }
    }
    if !mail.closers.isEmpty {
      closers += mail.closers
      if closeBy == nil { closeBy = .now + Self.closeLimit }
    }
    for request in mail.publishes { publisher.add(request) }
    if closeBy != nil { publisher.withdraw("the connection is being closed") }
    for call in mail.calls { calls.append(call) }
  }

  static let tagMask: UInt64 = (1 << 48) - 1

  // MARK: Sending

  private func sendMessages() throws(AMQPFailure) {
    guard publisher.wantsToSend, !isBlocked else { return }
    switch confirms {
    case .off:
      confirms = .asked
      calls.append(Call(request: .selectConfirms, deadline: callDeadline, continuation: nil))
      return try sendCalls()
    case .asked: return
    case .on: break
    }
    guard isWritable else { return }
    isWritable = false
    var room = Self.sendChunk
    while room > 0, let message = publisher.nextMessage() {
      // Marked first: once its first byte may have left, a message is never told to be unsent.
      publisher.markSent()
      try wire.publish(message)
      // 128 stands for the frames' heads and the properties.
      room -= message.body.count + 128
    }
    try wire.flush()
  }

  // MARK: Reading

  private func read() throws(AMQPFailure) {
    let now = ContinuousClock.now
    guard isReadable || wire.hasBuffered || now >= nextService else { return }
    isReadable = false
    nextService = now + serviceInterval
    defer { shared.inbox.deliver(&arrived) }
    reading: for _ in 0..<Self.readChunk {
      switch try wire.step() {
      case .idle: break reading
      case .nothingYet: break
      case .event(let event): try handle(event)
      }
      // With TLS a whole record may wait in the TLS library, unseen by poll, so there we read until nothing comes.
      if !wire.hasBuffered, !shared.options.address.usesTLS { break reading }
    }
  }

  // MARK: Waiting

  private func sleep() {
    let now = ContinuousClock.now
    let wantsToWrite = publisher.wantsToSend && confirms == .on && !isBlocked
    var limit = nextService
    if let deadline = publisher.nextDeadline { limit = min(limit, deadline) }
    if let deadline = running?.deadline { limit = min(limit, deadline) }
    if let deadline = calls.first?.deadline { limit = min(limit, deadline) }
    if let closeBy { limit = min(limit, closeBy) }
    let due = shared.inbox.due
    if let due { limit = min(limit, due) }
    // What waited for the broker to let go (connection.unblocked was read last) is for the next turn.
    let isFreed = !isBlocked && running == nil && (!calls.isEmpty || confirms == .off && publisher.wantsToSend)
    let mayRest = shared.mailbox.rest() && !wire.hasBuffered && !isFreed
    // Rounded up, or a deadline less than a millisecond away would be awaited in a busy loop.
    let wait = mayRest ? max(0, (limit - now) / .milliseconds(1)) : 0
    polled[0] = pollfd(
      fd: wire.descriptor, events: Int16(POLLIN) | (wantsToWrite ? Int16(POLLOUT) : 0), revents: 0)
    polled[1] = pollfd(fd: shared.mailbox.wakeup.descriptor, events: Int16(POLLIN), revents: 0)
    // SAFETY: the array holds two pollfd, and poll writes only their revents.
    _ = unsafe poll(&polled, 2, Int32(min(wait.rounded(.up), 60_000)))
    shared.mailbox.wake()
    if let due, case let now = ContinuousClock.now, due <= now { shared.inbox.answerDue(now) }
    isWritable = polled[0].revents & Int16(POLLOUT) != 0
    // An error or hang-up is found by reading.
    isReadable = polled[0].revents & ~Int16(POLLOUT) != 0
    if polled[1].revents != 0 { shared.mailbox.wakeup.drain() }
  }

  // MARK: The end

  private func finish(_ failure: AMQPFailure) {
    wire.close()
    let mail = shared.mailbox.end(failure)
    // Before any caller goes on: whoever asks for deliveries next must be told the same.
    shared.inbox.fail(failure)
    shared.isBlocked.store(false, ordering: .relaxed)
    publisher.fail(failure.description)
    for request in mail.publishes { request.refuse(failure.description) }
    running?.continuation?.resume(returning: .failure(failure))
    while let call = calls.popFirst() { call.continuation?.resume(returning: .failure(failure)) }
    for call in mail.calls { call.continuation?.resume(returning: .failure(failure)) }
    for closer in closers + mail.closers { closer.resume() }
    closers = []
  }
}
