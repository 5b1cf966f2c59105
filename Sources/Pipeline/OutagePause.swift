import Synchronization

/// Holds a worker back while a partner is away: 1 s, doubling with each failed probe to 30 s.
///
/// What the installation knows (`PartnerBreakers`) comes in by `hear`, what this worker sees by `note`; the latter says what
/// the others must be told.
final class OutagePause: Sendable {
  private struct State {
    var reason: Reason?
    var wait = Duration.seconds(1)
    /// The wait that was told last.
    var told: Duration?
    /// The wait is over, and no message yet has told of the partner.
    var looksForWork = false
    /// The installation knows of it: its end is heard of too.
    var isShared = false

    mutating func grow() { wait = min(wait * 2, .seconds(30)) }
  }

  /// What a batch has changed.
  enum Change: Sendable, Equatable {
    /// The partner is away, or still is.
    case away(Reason)
    /// The partner that this reason tells of is back.
    case back(Reason)
  }

  private let state = Mutex(State())

  /// Why nothing goes on; nil when all is well, or nobody knows: the wait is over and there was nothing to try with.
  var reason: Reason? { state.withLock { $0.looksForWork ? nil : $0.reason } }

  /// Whether the wait is over and no batch since has told of the partner.
  var looksForWork: Bool { state.withLock { $0.looksForWork } }

  /// The wait is over: the next batch decides.
  func lookForWork() { state.withLock { $0.looksForWork = $0.reason != nil } }

  /// Whether a partner is away.
  var isOn: Bool { state.withLock { $0.reason != nil } }

  /// How long to wait before the next probe, and why; nil when all is well. `isNew`: it was not told before. The wait grows by
  /// probes that fail, and not while another process tries: should that die, the next one is not to wait for long.
  func next() -> (wait: Duration, reason: Reason, isNew: Bool)? {
    state.withLock { state in
      guard let reason = state.reason else { return nil }
      defer { state.told = state.wait }
      return (state.wait, reason, state.told != state.wait)
    }
  }

  /// The partner was asked, and is still away.
  func probeFailed() { state.withLock { $0.grow() } }

  /// A batch in which something is an outage, or in which nothing got a clear answer from K/3, starts or keeps the pause;
  /// one that got an answer ends it; one that says nothing of the partners changes nothing. K/3 does not lock out those whose
  /// bill it has just written.
  @discardableResult
  func note(_ outcomes: [Outcome]) -> Change? {
    var outage: Reason?
    var doubt: Reason?
    var isAnswered = false
    var isWritten = false
    var isLedgerBack = false
    for outcome in outcomes {
      switch outcome {
      case .outage(let reason): if outage == nil || reason.code != .k3Unauthorized { outage = reason }
      case .later(let reason, _) where reason.code == .inDoubt || reason.code == .k3Unavailable: doubt = reason
      // The ledger alone has answered.
      case .later, .done(.duplicate), .done(.stale), .done(.ignored), .done(.removed): isLedgerBack = true
      // Parked before anybody was asked.
      case .dead(let burial) where burial.reason.code == .undecodable: break
      case .done(.written), .done(.updated), .done(.cancelled):
        isAnswered = true
        isWritten = true
      case .forward, .done, .retry, .dead: isAnswered = true
      }
    }
    if isWritten, outage?.code == .k3Unauthorized { outage = nil }
    let reason = outage ?? (isAnswered ? nil : doubt)
    return state.withLock { state in
      if let reason {
        if state.reason?.partner != reason.partner { state.isShared = false }
        if state.looksForWork { state.grow() }
        state.reason = reason
        state.looksForWork = false
        return .away(reason)
      }
      guard let before = state.reason, isAnswered || isLedgerBack && before.partner != .k3 else { return nil }
      state = State()
      return .back(before)
    }
  }

  /// The installation has been told of the outage.
  func share() { state.withLock { $0.isShared = $0.reason != nil } }

  /// Takes what the installation knows of a partner: an outage that others saw stops this worker too, and one that it shares
  /// with them ends with theirs.
  func hear(_ reason: Reason?, of partner: Partner) {
    state.withLock { state in
      if let reason {
        // Another partner that is away comes first: without it nothing can be tried.
        guard state.reason == nil || state.reason?.partner == partner else { return }
        if state.reason == nil { state.reason = reason }
        state.isShared = true
      } else if state.isShared, state.reason?.partner == partner {
        state = State()
      }
    }
  }
}
