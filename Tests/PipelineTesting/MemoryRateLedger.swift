public import Pipeline
import Synchronization

/// The installation's rate limit in memory; processes of a test share one.
public final class MemoryRateLedger: RateLedger {
  private struct Bucket {
    var tokens: Int64
    var at: Int64
    var notBefore: Int64 = 0
    var streak = 0

    /// Forgets what was written before the clock was set back.
    mutating func mend(_ now: Int64) {
      guard notBefore > now + 3_601_000_000 || at > max(notBefore, now) + 60_000_000 else { return }
      notBefore = 0
      at = now
    }
  }

  private struct State {
    var buckets: [String: Bucket] = [:]
    var failure: LedgerFailure?
    var asked = 0
  }

  private let now: @Sendable () -> Int64
  private let state = Mutex(State())

  /// A rate limit without buckets.
  /// - Parameter now: microseconds since some start.
  public init(now: @escaping @Sendable () -> Int64) { self.now = now }

  /// From now on every call fails so; nil: none.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// Calls so far, failed ones too.
  public var asked: Int { state.withLock { $0.asked } }

  /// Takes what there is, as the port says.
  public func lease(_ ask: RateAsk) async throws(LedgerFailure) -> RateLease {
    try state.withLock { state throws(LedgerFailure) in
      try Self.begin(&state)
      let now = now()
      let most = Int64(ask.burst) * 1_000_000
      var bucket = state.buckets[ask.bucket] ?? Bucket(tokens: most, at: now)
      bucket.mend(now)
      let gained = max(now - bucket.at, 0).multipliedFullWidth(by: ask.microsPerSecond)
      let (micros, _) = Int64(1_000_000).dividingFullWidth(gained)
      bucket.tokens = min(most, bucket.tokens + micros)
      bucket.at = max(bucket.at, now)
      let isPaused = bucket.notBefore > now
      if ask.hasAnswered, !isPaused { bucket.streak = 0 }
      let granted = isPaused ? 0 : min(Int64(ask.most), bucket.tokens / 1_000_000)
      bucket.tokens -= granted * 1_000_000
      state.buckets[ask.bucket] = bucket
      let wait = isPaused ? bucket.notBefore - now : granted > 0 ? 0 : ask.waitMicros(tokens: bucket.tokens)
      return RateLease(granted: Int(granted), waitMicros: wait, isPause: isPaused, hasStreak: bucket.streak > 0)
    }
  }

  /// Stops everybody, as the port says.
  public func pause(_ bucket: String, seconds: Int?, jitterPermille: Int) async throws(LedgerFailure) -> Int64 {
    try state.withLock { state throws(LedgerFailure) in
      try Self.begin(&state)
      let now = now()
      var row = state.buckets[bucket] ?? Bucket(tokens: 0, at: now)
      row.mend(now)
      if let seconds {
        row.notBefore = max(row.notBefore, now + Int64(seconds) * 1_000_000)
      } else if row.notBefore <= now {
        let full: Int64 = min(200_000 << row.streak, 30_000_000)
        let permille = Int64(500 + jitterPermille / 2)
        row.notBefore = now + full * permille / 1000
        row.streak = min(row.streak + 1, 8)
      }
      row.tokens = min(row.tokens, 0)
      row.at = max(row.at, row.notBefore)
      state.buckets[bucket] = row
      return max(row.notBefore - now, 0)
    }
  }

  private static func begin(_ state: inout State) throws(LedgerFailure) {
    state.asked += 1
    if let failure = state.failure { throw failure }
  }
}
