import Dispatch
import Synchronization

/// A value that tests wait on: every change looks whether someone waited for it.
final class Probe<Value: Sendable>: Sendable {
  private struct Waiter: Sendable {
    let isMet: @Sendable (Value) -> Bool
    let wake: @Sendable () -> Void
  }

  private struct State: Sendable {
    var value: Value
    var waiters: [Waiter] = []
  }

  private let state: Mutex<State>

  init(_ value: Value) {
    state = Mutex(State(value: value))
  }

  var value: Value { state.withLock { $0.value } }

  func change(_ body: @Sendable (inout Value) -> Void) {
    let met = state.withLock { state in
      body(&state.value)
      let value = state.value
      let met = state.waiters.filter { $0.isMet(value) }
      state.waiters.removeAll { $0.isMet(value) }
      return met
    }
    for waiter in met { waiter.wake() }
  }

  /// Returns when the condition holds, however long that takes; the suites' time limits bound it.
  func until(_ isMet: @escaping @Sendable (Value) -> Bool) async {
    await withCheckedContinuation { continuation in
      wake(when: isMet) { continuation.resume() }
    }
  }

  /// The same for a thread of our own, which cannot await.
  func block(until isMet: @escaping @Sendable (Value) -> Bool) {
    let semaphore = DispatchSemaphore(value: 0)
    wake(when: isMet) { semaphore.signal() }
    semaphore.wait()
  }

  private func wake(when isMet: @escaping @Sendable (Value) -> Bool, _ wake: @escaping @Sendable () -> Void) {
    let now = state.withLock { state in
      if isMet(state.value) { return true }
      state.waiters.append(Waiter(isMet: isMet, wake: wake))
      return false
    }
    if now { wake() }
  }
}
