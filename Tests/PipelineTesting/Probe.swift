import Synchronization

/// Collects what happens elsewhere, and lets a test wait for it.
public final class Probe<Event: Sendable>: Sendable {
  private struct Waiter {
    let isMet: @Sendable ([Event]) -> Bool
    let wake: CheckedContinuation<[Event], any Error>
  }

  private struct State {
    var events: [Event] = []
    var serial = 0
    var waiters: [Int: Waiter] = [:]
  }

  private let state = Mutex(State())

  /// An empty probe.
  public init() {}

  /// All that was reported.
  public var events: [Event] { state.withLock(\.events) }

  /// Something happened.
  public func report(_ event: Event) {
    let (events, woken) = state.withLock { state in
      state.events.append(event)
      let events = state.events
      let met = state.waiters.filter { $0.value.isMet(events) }
      for id in met.keys { state.waiters[id] = nil }
      return (events, met.values.map(\.wake))
    }
    for wake in woken { wake.resume(returning: events) }
  }

  /// Waits until what was reported meets a condition.
  /// - Throws: `WaitedInVain` when the task is cancelled, as a suite's time limit does.
  @discardableResult
  public func wait(until isMet: @escaping @Sendable ([Event]) -> Bool) async throws -> [Event] {
    let id = state.withLock { state in
      state.serial += 1
      return state.serial
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<[Event], any Error>) in
        let ready: Result<[Event], any Error>? = state.withLock { state in
          if isMet(state.events) { return .success(state.events) }
          if Task.isCancelled { return .failure(WaitedInVain(state.events.count, "events")) }
          state.waiters[id] = Waiter(isMet: isMet, wake: wake)
          return nil
        }
        if let ready { wake.resume(with: ready) }
      }
    } onCancel: {
      let (waiter, count) = state.withLock { ($0.waiters.removeValue(forKey: id), $0.events.count) }
      waiter?.wake.resume(throwing: WaitedInVain(count, "events"))
    }
  }
}

/// What a test waited for did not come before its time limit.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ count: Int, _ what: String) { description = "what was waited for did not come; there were \(count) \(what)" }
}
