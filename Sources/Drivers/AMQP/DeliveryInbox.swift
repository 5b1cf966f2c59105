import Synchronization

/// For how long a reader waits for more than the first delivery.
public struct AMQPGathering: Sendable {
  /// So many end the wait, at least 1.
  public let enough: Int
  /// The wait ends when the oldest delivery has waited this long.
  public let atMost: Duration

  /// A wait.
  public init(enough: Int, atMost: Duration) {
    self.enough = enough
    self.atMost = atMost
  }

  /// None: what is there is taken.
  public static let none = AMQPGathering(enough: 1, atMost: .zero)
}

/// What comes out of the connection's thread: deliveries, waiting for whoever asks for them.
final class DeliveryInbox: Sendable {
  typealias Outcome = Result<[AMQPDelivery], AMQPFailure>

  private enum Phase {
    case idle, consuming
    /// The consumer was cancelled on request.
    case drained
    /// The broker ended the consumer.
    case cancelled(queue: String)
    case failed(AMQPFailure)
  }

  private struct Waiter {
    let id: UInt64
    let max: Int
    let gathering: AMQPGathering
    let continuation: CheckedContinuation<Outcome, Never>
  }

  private struct State {
    var phase = Phase.idle
    /// Bounded by the prefetch: the broker sends no more until some are acknowledged.
    var arrived = Fifo<AMQPDelivery>()
    /// Since when something has been there; of what is left by a reader that took less, as well.
    var since = ContinuousClock.now
    var waiters: [Waiter] = []
    var nextID: UInt64 = 0
  }

  private let state = Mutex(State())

  // MARK: For the reader

  /// - Parameter onWait: called when the thread must hear of `due`, since something is there already and is waited with.
  func next(
    max: Int, _ gathering: AMQPGathering, onWait: () -> Void
  ) async throws(AMQPFailure) -> [AMQPDelivery] {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let outcome: Outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let now = ContinuousClock.now
        let (ready, isDueLater): (Outcome?, Bool) = state.withLock { state in
          // The flag is set before the handler runs, so a handler that found no waiter is seen here.
          if Task.isCancelled { return (.success([]), false) }
          if let ready = Self.ready(&state, max: max, gathering, now) { return (ready, false) }
          state.waiters.append(Waiter(id: id, max: max, gathering: gathering, continuation: continuation))
          return (nil, !state.arrived.isEmpty)
        }
        if let ready { continuation.resume(returning: ready) }
        if isDueLater { onWait() }
      }
    } onCancel: {
      let waiter: Waiter? = state.withLock { state in
        state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
      }
      waiter?.continuation.resume(returning: .success([]))
    }
    return try outcome.get()
  }

  // MARK: For the connection's thread

  func begin() {
    state.withLock { $0.phase = .consuming }
  }

  /// Takes in what arrived, and leaves the reader's list empty.
  func deliver(_ deliveries: inout Fifo<AMQPDelivery>) {
    if deliveries.isEmpty { return }
    let now = ContinuousClock.now
    change(now) { state in
      if state.arrived.isEmpty {
        state.since = now
        swap(&state.arrived, &deliveries)
      } else {
        while let delivery = deliveries.popFirst() { state.arrived.append(delivery) }
      }
    }
  }

  /// When the first reader is answered with whatever is there then; nil: nobody waits, or nothing is there.
  var due: ContinuousClock.Instant? {
    state.withLock { state in
      guard let waiter = state.waiters.first, !state.arrived.isEmpty else { return nil }
      return state.since + waiter.gathering.atMost
    }
  }

  /// Answers readers that are due.
  func answerDue(_ now: ContinuousClock.Instant) { change(now) { _ in } }

  /// The consumer was cancelled on request; what is here stays.
  func drain() {
    change { state in
      if case .consuming = state.phase { state.phase = .drained }
    }
  }

  /// The broker ended the consumer; what is here stays.
  func cancel(queue: String) {
    change { $0.phase = .cancelled(queue: queue) }
  }

  /// The connection is over. What is here will be delivered again to someone, so it is dropped.
  func fail(_ failure: AMQPFailure) {
    change { state in
      state.phase = .failed(failure)
      state.arrived = Fifo()
    }
  }

  /// Changes the state and answers every waiter that can be answered then.
  private func change(_ now: ContinuousClock.Instant = .now, _ body: (inout State) -> Void) {
    let answers: [(Waiter, Outcome)] = state.withLock { state in
      body(&state)
      var answers: [(Waiter, Outcome)] = []
      while let waiter = state.waiters.first, let ready = Self.ready(&state, max: waiter.max, waiter.gathering, now) {
        state.waiters.removeFirst()
        answers.append((waiter, ready))
      }
      return answers
    }
    for (waiter, outcome) in answers { waiter.continuation.resume(returning: outcome) }
  }

  /// What a reader gets now; nil when it must wait.
  private static func ready(
    _ state: inout State, max: Int, _ gathering: AMQPGathering, _ now: ContinuousClock.Instant
  ) -> Outcome? {
    if case .failed(let failure) = state.phase { return .failure(failure) }
    if !state.arrived.isEmpty {
      // When the broker sends no more there is nothing to wait for.
      if case .consuming = state.phase, state.arrived.count < min(max, gathering.enough),
        now < state.since + gathering.atMost
      {
        return nil
      }
      return .success(take(&state, max: max))
    }
    return switch state.phase {
    case .idle: .failure(.invalid("nothing is consumed on this connection"))
    case .consuming: nil
    case .drained: .success([])
    case .cancelled(let queue): .failure(.consumerCancelled(queue: queue))
    case .failed(let failure): .failure(failure)
    }
  }

  private static func take(_ state: inout State, max: Int) -> [AMQPDelivery] {
    let count = min(max, state.arrived.count)
    var taken: [AMQPDelivery] = []
    taken.reserveCapacity(count)
    while taken.count < count, let delivery = state.arrived.popFirst() { taken.append(delivery) }
    return taken
  }
}
