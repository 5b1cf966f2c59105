#if canImport(Glibc)
  import Glibc
#endif
import DriverThread
import Synchronization

/// A question to the broker, and who waits for the answer.
struct Call: Sendable {
  let request: Request
  let deadline: ContinuousClock.Instant
  /// Nil for a step that is part of another call.
  let continuation: CheckedContinuation<Result<Answer, AMQPFailure>, Never>?
}

/// Everything that other threads left for the connection's thread.
struct Mail: Sendable {
  var publishes: [PublishRequest] = []
  var calls: [Call] = []
  var acknowledged: [UInt64] = []
  var rejected: [(tag: UInt64, requeue: Bool)] = []
  var closers: [CheckedContinuation<Void, Never>] = []
  /// The connection object is gone: end without ceremony.
  var isAbandoned = false
}

/// What goes into the connection's thread: mail, and the alarm clock for a thread that is stuck in a write.
final class Mailbox: Sendable {
  /// Most messages that may wait to be sent, here and with the thread together.
  static let limit = 65_536

  private struct State {
    var mail = Mail()
    var isEmpty = true
    var waitingMessages = 0
    /// The thread waits in poll and must be woken.
    var isAsleep = false
    var ended: AMQPFailure?
    /// A second descriptor of the socket, -1 when there is none: shutting it down frees a stuck thread, and as ours
    /// it cannot have been closed and given to someone else meanwhile.
    var socket: Int32 = -1
    /// When the thread, which is at work now, is to be taken for stuck; and the earliest this may be moved to.
    var stuckAt: ContinuousClock.Instant?
    var stuckNoSooner: ContinuousClock.Instant?
    var wasCut = false
    var isOver = false
  }

  private let state = Mutex(State())
  /// Readable when there is mail for a sleeping thread.
  let wakeup: WakeEvent

  init() {
    wakeup = WakeEvent()
  }

  // MARK: From other threads

  /// Leaves mail. Returns why not when the connection is over.
  func post(_ change: (inout Mail) -> Void) -> AMQPFailure? {
    let (failure, wake): (AMQPFailure?, Bool) = state.withLock { state in
      if let ended = state.ended { return (ended, false) }
      change(&state.mail)
      return (nil, Self.noteMail(&state))
    }
    if wake { wakeup.signal() }
    return failure
  }

  /// Leaves a batch. When that cannot be, the batch is answered at once.
  func post(_ request: PublishRequest) {
    let (refusal, wake): (String?, Bool) = state.withLock { state in
      if let ended = state.ended { return (ended.description, false) }
      guard state.waitingMessages + request.messages.count <= Self.limit else {
        return ("too many messages wait to be published", false)
      }
      state.waitingMessages += request.messages.count
      state.mail.publishes.append(request)
      if let stuckAt = state.stuckAt, let floor = state.stuckNoSooner, request.deadline < stuckAt {
        state.stuckAt = max(floor, request.deadline)
      }
      return (nil, Self.noteMail(&state))
    }
    if wake { wakeup.signal() }
    if let refusal { request.refuse(refusal) }
  }

  /// Has the thread look once more for how long it may sleep, also where it is just about to.
  func nudge() { _ = post { _ in } }

  /// Why the connection is over, if it is.
  var ended: AMQPFailure? { state.withLock { $0.ended } }

  /// Whether the thread has left; it can be joined without waiting.
  var isOver: Bool { state.withLock { $0.isOver } }

  /// Shuts the socket down when the thread has been at work for too long: it can only be stuck in a write.
  func cutIfStuck(_ now: ContinuousClock.Instant) {
    state.withLock { state in
      guard let stuckAt = state.stuckAt, stuckAt <= now, state.socket >= 0, !state.wasCut else { return }
      state.wasCut = true
      shutdown(state.socket, Int32(SHUT_RDWR))
    }
  }

  private static func noteMail(_ state: inout State) -> Bool {
    state.isEmpty = false
    defer { state.isAsleep = false }
    return state.isAsleep
  }

  // MARK: From the connection's own thread

  /// Takes a descriptor of the socket into care.
  func guardSocket(_ descriptor: Int32) {
    let copy = dup(descriptor)
    state.withLock { $0.socket = copy }
  }

  /// Takes the mail and starts the alarm clock of this turn.
  /// - Parameter unsent: messages that the thread took earlier and has not sent yet.
  func take(stall: Duration, publishDeadline: ContinuousClock.Instant?, unsent: Int) -> Mail {
    let now = ContinuousClock.now
    return state.withLock { state in
      let floor = now + .seconds(1)
      var limit = now + stall
      if let publishDeadline { limit = min(limit, publishDeadline) }
      var waiting = unsent
      for request in state.mail.publishes {
        limit = min(limit, request.deadline)
        waiting += request.messages.count
      }
      state.stuckNoSooner = floor
      state.stuckAt = max(floor, limit)
      state.waitingMessages = waiting
      if state.isEmpty { return Mail() }
      state.isEmpty = true
      let mail = state.mail
      state.mail = Mail()
      return mail
    }
  }

  /// Stops the alarm clock. Returns whether the thread may sleep; false when there is mail.
  func rest() -> Bool {
    state.withLock { state in
      state.stuckAt = nil
      state.isAsleep = state.isEmpty
      return state.isEmpty
    }
  }

  func wake() {
    state.withLock { $0.isAsleep = false }
  }

  /// Whether the socket was shut down because the thread was stuck.
  var wasCut: Bool { state.withLock { $0.wasCut } }

  /// Takes no more mail from here on, and returns what is left.
  func end(_ failure: AMQPFailure) -> Mail {
    let (mail, socket) = state.withLock { state in
      state.ended = failure
      state.stuckAt = nil
      defer {
        state.mail = Mail()
        state.isEmpty = true
        state.socket = -1
      }
      return (state.mail, state.socket)
    }
    if socket >= 0 { Glibc.close(socket) }
    return mail
  }

  /// The thread's last word.
  func leave() {
    state.withLock { $0.isOver = true }
  }
}
