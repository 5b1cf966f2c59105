import AMQP
import Synchronization

/// One connection that is made anew whenever it was lost, with pauses between failed attempts.
final class RabbitSession: Sendable {
  /// A connection, and which one it is, from 1.
  struct Live: Sendable {
    let number: UInt64
    let connection: AMQPConnection
  }

  private struct State {
    var live: Live?
    var connections: UInt64 = 0
    var backoff = Backoff()
    var attempt: Task<Void, Never>?
    var waiters: [Once<Live?>] = []
    var isRetired = false
    var lastFailure = "no attempt was made yet"
    var lastError: AMQPFailure?
  }

  private let options: AMQPOptions
  private let pacing: Pacing
  private let prepare: @Sendable (AMQPConnection) async throws(AMQPFailure) -> Void
  private let onEvent: @Sendable (QueueEvent) -> Void
  private let state = Mutex(State())

  /// A session that is not connected yet.
  /// - Parameter prepare: makes a new connection ready, such as by starting its consumer.
  init(
    _ options: AMQPOptions, pacing: Pacing, onEvent: @escaping @Sendable (QueueEvent) -> Void,
    prepare: @escaping @Sendable (AMQPConnection) async throws(AMQPFailure) -> Void = { _ throws(AMQPFailure) in }
  ) {
    var options = options
    options.onBlocked = { onEvent($0.map(QueueEvent.blocked) ?? .unblocked) }
    self.options = options
    self.pacing = pacing
    self.onEvent = onEvent
    self.prepare = prepare
  }

  /// The connection, if there is one that is not known to be over.
  var live: Live? {
    guard let live = state.withLock({ $0.live }), live.connection.failure == nil else { return nil }
    return live
  }

  /// Why there is no connection.
  var lastFailure: String { state.withLock { $0.lastFailure } }

  /// The same, to be told apart.
  var lastError: AMQPFailure? { state.withLock { $0.lastError } }

  /// How it stands: what the connection shows, without one what the last attempt failed of.
  var standing: QueueStanding {
    let (live, lastError) = state.withLock { ($0.live, $0.lastError) }
    guard let connection = live?.connection else { return QueueStanding(lastError) }
    if let failure = connection.failure { return QueueStanding(failure) }
    return connection.isBlocked ? .blocked : .ready
  }

  /// Whether it will never connect again.
  var isRetired: Bool { state.withLock { $0.isRetired } }

  /// The connection, or a new one: waits for the pause that is due, then makes one attempt. Callers share attempts.
  /// - Returns: nil when the attempt failed, the session was retired, or the task was cancelled.
  func connected() async -> Live? {
    if let known = state.withLock({ $0.live }) {
      guard let failure = known.connection.failure else { return known }
      await drop(known, failure)
    }
    if Task.isCancelled { return nil }
    let once = Once<Live?>()
    state.withLock { state in
      if state.isRetired { return once.resume(nil) }
      if let live = state.live { return once.resume(live) }
      state.waiters.append(once)
      if state.attempt == nil { state.attempt = Task { await self.attempt() } }
    }
    return await withTaskCancellationHandler {
      await once.value
    } onCancel: {
      once.resume(nil)
    }
  }

  /// Keeps the connection up until the session is retired or the task cancelled: looks each second.
  ///
  /// A connection that has stood for 10 s has proved its worth, whether or not it carried anything: the pause after its
  /// loss is a first one.
  func stayConnected() async {
    var number: UInt64 = 0
    var seconds = 0
    while !Task.isCancelled, !isRetired {
      guard let live = await connected() else { continue }
      seconds = live.number == number ? seconds + 1 : 0
      number = live.number
      if seconds == Self.provenSeconds { worked() }
      try? await pacing.sleep(.seconds(1))
    }
  }

  private static let provenSeconds = 10

  private func attempt() async {
    let pause = state.withLock { $0.backoff.pause(chance: pacing.random()) }
    if pause > 0 {
      onEvent(.pausing(milliseconds: Int(pause * 1_000)))
      try? await pacing.sleep(.milliseconds(Int(pause * 1_000)))
    }
    guard !isRetired else { return }
    var opened: AMQPConnection?
    do throws(AMQPFailure) {
      let connection = try await AMQPConnection.open(options)
      opened = connection
      try await prepare(connection)
      await succeed(connection)
    } catch {
      await opened?.close()
      let text = error.sentence
      onEvent(.failed(text))
      finish(nil) { state in
        state.backoff.failed(error.cause)
        state.lastFailure = text
        state.lastError = error
      }
    }
  }

  private func succeed(_ connection: AMQPConnection) async {
    let live: Live? = state.withLock { state in
      if state.isRetired { return nil }
      state.connections += 1
      let live = Live(number: state.connections, connection: connection)
      state.live = live
      return live
    }
    guard let live else { return await connection.close() }
    onEvent(.connected(Int(live.number)))
    finish(live) { _ in }
  }

  private func finish(_ live: Live?, _ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      state.attempt = nil
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(live) }
  }

  /// The connection has carried something: the next loss is a first one.
  func worked() { state.withLock { $0.backoff.worked() } }

  /// Gives up a connection.
  func drop(_ live: Live, _ failure: AMQPFailure) async {
    let isNews = state.withLock { state in
      guard state.live?.number == live.number else { return false }
      state.live = nil
      state.backoff.failed(failure.cause)
      state.lastFailure = failure.sentence
      state.lastError = failure
      return true
    }
    if isNews { onEvent(.lost(failure.sentence)) }
    await live.connection.close()
  }

  /// Makes no connection from now on and lets all waiters go; the one that is there stays.
  func retire() {
    let (waiters, attempt) = state.withLock { state in
      state.isRetired = true
      defer { state.waiters = [] }
      return (state.waiters, state.attempt)
    }
    attempt?.cancel()
    for waiter in waiters { waiter.resume(nil) }
  }

  /// Retires, and closes the connection.
  func close() async {
    retire()
    let live = state.withLock { state in
      defer { state.live = nil }
      return state.live
    }
    await live?.connection.close()
  }
}

extension AMQPFailure {
  /// For people. A queue or exchange that is not there is what a role finds that was started before `ferry migrate`.
  var sentence: String {
    isOfMissing ? "\(description): run `ferry migrate`" : description
  }

  /// Whether a queue or an exchange is not there.
  var isOfMissing: Bool {
    if case .channelClosed(404, _) = self { true } else { false }
  }

  /// Whether the user may not do what was asked for, or not enter the virtual host, or there is none.
  var isOfRights: Bool {
    switch self {
    case .channelClosed(403, _), .connectionClosed(403, _): true
    // RabbitMQ says the same of a user or a virtual host with as many connections as are allowed, which passes.
    case .loginRefused(530, let text): !text.contains("limit")
    default: false
    }
  }

  /// With a message larger than the broker takes: how many bytes it takes. RabbitMQ says so in words only: "message size 9 is
  /// larger than configured max size 8".
  var messageLimit: Int? {
    guard case .channelClosed(406, let text) = self, text.contains("message size ") else { return nil }
    let words = text.split(separator: " ")
    guard let place = words.lastIndex(of: "size"), words.indices.contains(place + 1), words.contains("larger") else {
      return nil
    }
    return Int(words[place + 1].prefix { $0.isASCII && $0.isNumber })
  }

  /// What the next pause goes by.
  var cause: Backoff.Cause {
    switch self {
    case _ where isOfMissing: .missing
    // That is one message's, and the next connection does not bring it again.
    case _ where messageLimit != nil: .loss
    // The consumer's timeout: whatever was held for too long, the next attempt consumes again.
    case .channelClosed(406, let text) where text.contains("acknowledgement"): .loss
    case .channelClosed, .loginRefused, .invalid: .refusal
    default: .loss
    }
  }
}

/// A value that arrives once; the first one counts.
final class Once<Value: Sendable>: Sendable {
  private enum State {
    case empty
    case waiting(CheckedContinuation<Value, Never>)
    case full(Value)
  }

  private let state = Mutex(State.empty)

  /// Waits for the value. One caller only.
  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let ready: Value? = state.withLock { state in
          if case .full(let value) = state { return value }
          state = .waiting(continuation)
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    }
  }

  /// Sets the value unless there is one.
  func resume(_ value: Value) {
    let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
      switch state {
      case .full: return nil
      case .empty:
        state = .full(value)
        return nil
      case .waiting(let continuation):
        state = .full(value)
        return continuation
      }
    }
    waiting?.resume(returning: value)
  }
}
