import Synchronization

/// What an elected poller gets done, for whoever watches that it works.
///
/// While it works, what counts is answers and confirms, good or bad: its lease is renewed beside the work, however stuck that
/// is. While it rests the renewals count.
public final class PollProgress: Sendable {
  private struct State {
    var leads = false
    var isAtWork = false
    var count = 0
    var last: ContinuousClock.Instant?
  }

  private let clock: PipelineClock
  private let state = Mutex(State())

  /// The progress of a poller that has just begun, and does not lead.
  public init(_ clock: PipelineClock) { self.clock = clock }

  /// An answer came, whatever it was.
  public func mark() { note { _ in true } }

  /// The lease was renewed, or not.
  func asked(leads: Bool) {
    note { state in
      let isNew = state.leads != leads
      state.leads = leads
      return isNew || !state.isAtWork
    }
  }

  /// Whether it leads, by the last answer to its question.
  var leads: Bool { state.withLock { $0.leads } }

  /// It does not lead any more.
  func stepDown() { state.withLock { $0.leads = false } }

  /// A cycle or a sweep begins, or is over.
  func work(_ begins: Bool) {
    note { state in
      state.isAtWork = begins
      return true
    }
  }

  private func note(_ change: (inout State) -> Bool) {
    let now = clock.now()
    state.withLock { state in
      guard change(&state) else { return }
      state.count += 1
      state.last = now
    }
  }

  /// What the poller is at. Only one that leads can be stuck.
  public var activity: WorkerActivity {
    state.withLock { WorkerActivity(isHeldBack: !$0.leads, taken: $0.count, oldestBatch: $0.leads ? $0.last : nil) }
  }
}
