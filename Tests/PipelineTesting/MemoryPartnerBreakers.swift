public import Pipeline
import Synchronization

/// Which partners are away, in memory; processes of a test share one.
public final class MemoryPartnerBreakers: PartnerBreakers {
  private struct Row {
    var reason: Reason?
    var holder: Int64 = 0
    var until: Int64 = 0
  }

  private struct State {
    var rows: [Partner: Row] = [:]
    var failure: LedgerFailure?
  }

  private let now: @Sendable () -> Int64
  private let state = Mutex(State())

  /// Breakers that are all closed.
  /// - Parameter now: microseconds since some start.
  public init(now: @escaping @Sendable () -> Int64) { self.now = now }

  /// From now on every call fails so; nil: none.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// Why nobody goes to this partner, as the port says.
  public func standing(of partner: Partner) async throws(LedgerFailure) -> Reason? {
    try change(partner) { row, _ in row.reason }
  }

  /// Stops all processes, as the port says.
  public func open(_ partner: Partner, _ reason: Reason) async throws(LedgerFailure) {
    try change(partner) { row, _ in row.reason = reason }
  }

  /// Asks to be the one that tries, as the port says.
  public func probe(
    _ partner: Partner, as holder: Int64, seconds: Int64
  ) async throws(LedgerFailure) -> ProbeAnswer {
    try change(partner) { row, now in
      guard row.reason != nil else { return .closed }
      let isSetBack = row.until > now + seconds * 1_000_000
      guard row.until <= now || row.holder == holder || isSetBack else { return .taken }
      row.holder = holder
      row.until = now + seconds * 1_000_000
      return .granted
    }
  }

  /// Lets all go on, as the port says.
  public func close(_ partner: Partner) async throws(LedgerFailure) {
    try change(partner) { row, _ in
      row.reason = nil
      row.until = 0
    }
  }

  private func change<Result: Sendable>(
    _ partner: Partner, _ body: (inout Row, Int64) -> Result
  ) throws(LedgerFailure) -> Result {
    try state.withLock { state throws(LedgerFailure) in
      if let failure = state.failure { throw failure }
      return body(&state.rows[partner, default: Row()], now())
    }
  }
}
