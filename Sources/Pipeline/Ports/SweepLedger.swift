public import Orders

/// A pass over a window of orders beside the live streams. It moves no watermark, and goes on where it was.
public struct Sweep: Sendable, Equatable {
  /// What it is for.
  public enum Kind: String, Sendable, CaseIterable {
    /// Reads all orders of the last days and publishes those that differ.
    case reconcile
    /// Publishes orders of a window that were never published, as somebody asked for.
    case backfill
  }

  /// By which of its times an order belongs to the window.
  public enum Basis: String, Sendable, CaseIterable {
    /// When it was entered.
    case create
    /// When it was changed last.
    case update
  }

  /// How it stands.
  public enum State: String, Sendable, CaseIterable {
    /// The poller works on it.
    case running
    /// It waits until somebody resumes it.
    case paused
    /// All of its window is read.
    case done
    /// It was ended early.
    case cancelled
  }

  /// Its number, from 1.
  public let id: Int64
  /// What it is for.
  public let kind: Kind
  /// By which time.
  public let basis: Basis
  /// All of it.
  public let window: TimeWindow
  /// Everything before this second is read and confirmed; one second after the window's end when all is.
  public var next: BeijingTime
  /// How it stands.
  public var state: State
  /// What it has found so far.
  public var findings: SweepFindings

  /// What of the window is still to be read; nil when nothing is.
  public var rest: TimeWindow? { TimeWindow(from: next, to: window.to) }

  /// A sweep.
  public init(
    id: Int64, kind: Kind, basis: Basis, window: TimeWindow, next: BeijingTime, state: State, findings: SweepFindings
  ) {
    self.id = id
    self.kind = kind
    self.basis = basis
    self.window = window
    self.next = next
    self.state = state
    self.findings = findings
  }

  /// The list to ask for a part of the window.
  public func query(_ window: TimeWindow) -> OrderQuery { basis == .create ? .created(window) : .updated(window) }
}

/// What a sweep, or a slice of it, has found. Counts of orders, 0 or more.
public struct SweepFindings: Sendable, Equatable {
  /// Orders that the list showed.
  public var read = 0
  /// Published, and not known before with their `update_time`.
  public var missed = 0
  /// Published since their content had changed without their `update_time`.
  public var changed = 0
  /// Orders that OKKI denied or whose details cannot be read.
  public var failed = 0

  /// Nothing.
  public init() {}

  /// The sum of two.
  public static func + (left: SweepFindings, right: SweepFindings) -> SweepFindings {
    var sum = left
    sum.read += right.read
    sum.missed += right.missed
    sum.changed += right.changed
    sum.failed += right.failed
    return sum
  }
}

/// What became of somebody's wish to change a sweep's state.
public enum SweepChange: Sendable, Equatable {
  /// It stands so now.
  case changed(Sweep)
  /// It stands so that this cannot be.
  case refused(Sweep)
  /// There is none of this number.
  case unknown
}

/// Where sweeps stand.
///
/// As with `PollLedger`, of pollers only the one that was elected last begins reconciliations and moves sweeps on. What
/// somebody at a terminal begins, pauses, resumes and cancels is done whoever polls.
public protocol SweepLedger: Sendable {
  /// Begins a reconciliation of the window by creation, unless one is running or paused, or the last one's window ended
  /// less than `everySeconds` before this one's.
  ///
  /// The first call of all begins none, for the live stream has just read everything: it notes a reconciliation of the
  /// window's last second, done with nothing read, from which the next one's time counts.
  func startReconcile(_ window: TimeWindow, everySeconds: Int) async throws(LedgerFailure)
  /// Sweeps that are running, by their numbers.
  func runningSweeps() async throws(LedgerFailure) -> [Sweep]
  /// Everything of the sweep up to this second is read and confirmed; at its window's end it is done. One that was paused
  /// meanwhile moves too, and stays paused.
  /// - Returns: false when the sweep stands elsewhere by now or was cancelled, or another poller was elected.
  func advance(_ sweep: Sweep, past second: BeijingTime, _ findings: SweepFindings) async throws(LedgerFailure) -> Bool

  /// Begins a backfill.
  func startBackfill(_ window: TimeWindow, _ basis: Sweep.Basis) async throws(LedgerFailure) -> Sweep
  /// Begins a backfill, by update, of everything in the window, as if none of it had been published: what is as it was gets
  /// the number again that it had. Deletions that were told since the window's first second are told again too: the
  /// watermark of `removed` goes back to it. So is what was parked, but for what somebody has put an end to: where all letters of
  /// the number are discarded, and no other bill of it can be what was lost.
  func startRepublishing(_ window: TimeWindow) async throws(LedgerFailure) -> Sweep
  /// The last 1,000 sweeps, the newest first.
  func sweeps() async throws(LedgerFailure) -> [Sweep]
  /// Pauses a running sweep, resumes a paused one, or cancels one that is either.
  /// - Parameter state: `paused`, `running` or `cancelled`; `done` is refused.
  func change(_ id: Int64, to state: Sweep.State) async throws(LedgerFailure) -> SweepChange
}

extension Sweep.State {
  /// From which states somebody may bring a sweep to this one.
  public var origins: [Sweep.State] {
    switch self {
    case .running: [.paused]
    case .paused: [.running]
    case .cancelled: [.running, .paused]
    case .done: []
    }
  }
}
