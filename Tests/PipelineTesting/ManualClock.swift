import Synchronization

/// A clock that a test moves. Nothing waits for real time.
public final class ManualClock: Clock, Sendable {
  /// A moment, by its distance to the clock's start.
  public struct Instant: InstantProtocol {
    /// Since the clock was made.
    public let offset: Duration

    /// A moment.
    public init(offset: Duration) { self.offset = offset }

    /// The moment so much later.
    public func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    /// How much later the other one is.
    public func duration(to other: Instant) -> Duration { other.offset - offset }
    /// Ordered in time.
    public static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  private struct State {
    var now = Instant(offset: .zero)
    var serial = 0
    var sleepers: [Int: (deadline: Instant, wake: CheckedContinuation<Void, any Error>)] = [:]
    var watchers: [Int: (count: Int, wake: CheckedContinuation<Void, any Error>)] = [:]
  }

  private let state = Mutex(State())

  /// A clock at its start.
  public init() {}

  /// Where it stands.
  public var now: Instant { state.withLock(\.now) }
  /// The smallest step.
  public var minimumResolution: Duration { .nanoseconds(1) }
  /// Seconds since its start, rounded down.
  public var seconds: Int64 { now.offset.components.seconds }

  /// Waits until the clock is moved to the deadline.
  /// - Throws: `CancellationError` when the task is cancelled.
  public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    let id = state.withLock { state in
      state.serial += 1
      return state.serial
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
        let watchers: [CheckedContinuation<Void, any Error>] = state.withLock { state in
          if deadline <= state.now {
            wake.resume()
            return []
          }
          if Task.isCancelled {
            wake.resume(throwing: CancellationError())
            return []
          }
          state.sleepers[id] = (deadline, wake)
          return Self.satisfied(&state)
        }
        for watcher in watchers { watcher.resume() }
      }
    } onCancel: {
      let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
      sleeper?.wake.resume(throwing: CancellationError())
    }
  }

  /// Moves the clock, and wakes whom it passes.
  public func advance(by duration: Duration) {
    let woken = state.withLock { state in
      state.now = state.now.advanced(by: duration)
      let due = state.sleepers.filter { $0.value.deadline <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.wake)
    }
    for wake in woken { wake.resume() }
  }

  /// Waits until at least so many tasks sleep on this clock.
  /// - Throws: `WaitedInVain` when the task is cancelled, as a suite's time limit does.
  public func sleepers(atLeast count: Int) async throws {
    let id = state.withLock { state in
      state.serial += 1
      return state.serial
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
        let ready: Result<Void, any Error>? = state.withLock { state in
          if state.sleepers.count >= count { return .success(()) }
          if Task.isCancelled { return .failure(WaitedInVain(state.sleepers.count, "sleepers")) }
          state.watchers[id] = (count, wake)
          return nil
        }
        if let ready { wake.resume(with: ready) }
      }
    } onCancel: {
      let (watcher, count) = state.withLock { ($0.watchers.removeValue(forKey: id), $0.sleepers.count) }
      watcher?.wake.resume(throwing: WaitedInVain(count, "sleepers"))
    }
  }

  private static func satisfied(_ state: inout State) -> [CheckedContinuation<Void, any Error>] {
    let count = state.sleepers.count
    let ready = state.watchers.filter { $0.value.count <= count }
    for id in ready.keys { state.watchers[id] = nil }
    return ready.values.map(\.wake)
  }
}
