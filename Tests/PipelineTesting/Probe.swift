import Synchronization

/// Collects what happens elsewhere, and lets a test wait for it.
public final class Probe<Event: Sendable>: Sendable {
  private struct State {
    var events: [Event] = []
    var waiters: [(isMet: @Sendable ([Event]) -> Bool, wake: CheckedContinuation<[Event], Never>)] = []
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
      let met = state.waiters.filter { $0.isMet(events) }.map(\.wake)
      state.waiters.removeAll { $0.isMet(events) }
      return (events, met)
    }
    for wake in woken { wake.resume(returning: events) }
  }

  /// Waits until what was reported meets a condition.
  @discardableResult
  public func wait(until isMet: @escaping @Sendable ([Event]) -> Bool) async -> [Event] {
    await withCheckedContinuation { wake in
      let ready: [Event]? = state.withLock { state in
        if isMet(state.events) { return state.events }
        state.waiters.append((isMet, wake))
        return nil
      }
      if let ready { wake.resume(returning: ready) }
    }
  }
}
