import Dispatch
import Synchronization

/// A value that tests wait on: every change looks whether someone waited for it.
final class Probe<Value: Sendable>: Sendable {
  private struct Waiter: Sendable {
    let id: Int
    let isMet: @Sendable (Value) -> Bool
    let wake: @Sendable (_ isMet: Bool) -> Void
  }

  /// What a test waited for did not come before its time limit.
  struct WaitedInVain: Error { let last: Value }

  private struct State: Sendable {
    var value: Value
    var waiters: [Waiter] = []
    var serial = 0
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
    for waiter in met { waiter.wake(true) }
  }

  /// Returns when the condition holds.
  /// - Throws: `WaitedInVain` when the task is cancelled, as a suite's time limit does.
  func until(_ isMet: @escaping @Sendable (Value) -> Bool) async throws {
    let id = state.withLock { state in
      state.serial += 1
      return state.serial
    }
    let isSo = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        wake(id, when: isMet, unless: { Task.isCancelled }) { continuation.resume(returning: $0) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
      }
      waiter?.wake(false)
    }
    if !isSo { throw WaitedInVain(last: value) }
  }

  /// The same for a thread of our own, which cannot await, and for which nobody waits.
  func block(until isMet: @escaping @Sendable (Value) -> Bool) {
    let semaphore = DispatchSemaphore(value: 0)
    wake(0, when: isMet, unless: { false }) { _ in semaphore.signal() }
    semaphore.wait()
  }

  private func wake(
    _ id: Int, when isMet: @escaping @Sendable (Value) -> Bool, unless isOver: () -> Bool,
    _ wake: @escaping @Sendable (_ isMet: Bool) -> Void
  ) {
    let now: Bool? = state.withLock { state in
      if isMet(state.value) { return true }
      if isOver() { return false }
      state.waiters.append(Waiter(id: id, isMet: isMet, wake: wake))
      return nil
    }
    if let now { wake(now) }
  }
}
