public import Pipeline
import Synchronization

/// The installation's tokens in memory; processes of a test share one.
public final class MemoryTokenStore: TokenStore {
  private struct Row {
    var token: (generation: Int64, text: String, until: Int64)?
    var permit: Int64 = 0
    var permitUntil: Int64 = 0
  }

  private struct State {
    var rows: [String: Row] = [:]
    var failure: LedgerFailure?
  }

  private let now: @Sendable () -> Int64
  private let state = Mutex(State())

  /// A store without tokens.
  /// - Parameter now: microseconds since some start.
  public init(now: @escaping @Sendable () -> Int64) { self.now = now }

  /// From now on every call fails so; nil: none.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// A token, as the port says.
  public func token(_ name: String, insteadOf refused: Int64?) async throws(LedgerFailure) -> TokenAnswer {
    try change(name) { row, now in
      if let token = row.token, token.generation > refused ?? 0, token.until > now {
        let seconds = max((token.until - now) / 1_000_000, 1)
        return .token(StoredToken(generation: token.generation, text: token.text, seconds: seconds))
      }
      guard row.permitUntil <= now || row.permitUntil > now + 20_000_000 else { return .wait(milliseconds: 100) }
      row.permit += 1
      row.permitUntil = now + 20_000_000
      return .fetch(permit: row.permit)
    }
  }

  /// Keeps a token, as the port says.
  public func keep(
    _ name: String, _ text: String, seconds: Int64, permit: Int64
  ) async throws(LedgerFailure) -> Int64? {
    try change(name) { row, now in
      guard row.permit == permit else { return nil }
      row.token = (permit, text, now + seconds * 1_000_000)
      row.permitUntil = 0
      return permit
    }
  }

  /// Gives a permit back, as the port says.
  public func giveUp(_ name: String, permit: Int64) async throws(LedgerFailure) {
    try change(name) { row, _ in
      if row.permit == permit { row.permitUntil = 0 }
    }
  }

  private func change<Result: Sendable>(
    _ name: String, _ body: (inout Row, Int64) -> Result
  ) throws(LedgerFailure) -> Result {
    try state.withLock { state throws(LedgerFailure) in
      if let failure = state.failure { throw failure }
      return body(&state.rows[name, default: Row()], now())
    }
  }
}
