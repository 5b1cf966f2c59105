internal import Pipeline
internal import Synchronization

/// A token bucket: so many requests a second, with a burst, and pauses that stop everybody.
///
/// Callers take tokens for a whole batch at once. A caller that finds the bucket empty reserves its next tokens and
/// sleeps once until they are due, so waiting costs one wake-up per grant and grants come in the order of asking.
final class RateLimit: Sendable {
  private struct State {
    /// Tokens in the bucket; below 0: reserved ahead.
    var tokens: Double
    /// When `tokens` was right.
    var at: Duration
    /// Nobody may go on before this.
    var pausedUntil: Duration = .zero
    /// Pauses in a row without the vendor's own figure, since the last success.
    var streak = 0
  }

  private enum Step {
    case granted(Int)
    case reserved(Int, wait: Duration)
    case pause(Duration)
  }

  private let rate: Double
  private let burst: Double
  private let patience: Duration
  private let time: Timekeeper
  private let jitter: @Sendable () -> Double
  private let state: Mutex<State>

  /// - Parameters:
  ///   - jitter: 0...1, spreads pauses that the vendor gave no figure for.
  init(
    perSecond rate: Double, burst: Int, patience: Duration, time: Timekeeper,
    jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
  ) {
    self.rate = rate
    self.burst = Double(burst)
    self.patience = patience
    self.time = time
    self.jitter = jitter
    state = Mutex(State(tokens: Double(burst), at: time.now()))
  }

  /// Takes tokens, waiting for the first.
  /// - Returns: at least one, at most `most`.
  /// - Throws: `.throttled` when a pause is in force that is longer than the patience; `.transient` when the task was
  ///   cancelled. Nothing was taken then.
  func take(upTo most: Int) async throws(SourceFailure) -> Int {
    while true {
      switch step(most) {
      case .granted(let count): return count
      case .pause(let wait):
        try checkPatience(wait)
        try await sleep(wait)
      case .reserved(let count, let wait):
        do throws(SourceFailure) {
          try await sleep(wait)
          // A pause may have begun meanwhile.
          while let rest = pauseLeft() {
            try checkPatience(rest)
            try await sleep(rest)
          }
        } catch {
          state.withLock { $0.tokens += Double(count) }
          throw error
        }
        return count
      }
    }
  }

  /// Stops everybody: for so many seconds, or (nil) for a time that doubles with each pause in a row, 0.2 s to 30 s,
  /// spread by half its length.
  func pause(seconds: Int?) {
    let now = time.now()
    state.withLock { state in
      if let seconds {
        state.pausedUntil = max(state.pausedUntil, now + .seconds(seconds))
      } else {
        // Requests that were under way when the pause began tell nothing new.
        guard state.pausedUntil <= now else { return }
        let full = min(0.2 * Double(1 << min(state.streak, 8)), 30)
        state.streak += 1
        state.pausedUntil = now + .seconds(full * (0.5 + 0.5 * jitter()))
      }
      // The vendor's own bucket is empty: begin with an empty one.
      refill(&state, now)
      state.tokens = min(state.tokens, 0)
      state.at = state.pausedUntil
    }
  }

  /// Notes that the vendor answered.
  func relax() { state.withLock { $0.streak = 0 } }

  private func step(_ most: Int) -> Step {
    let now = time.now()
    return state.withLock { state in
      if state.pausedUntil > now { return .pause(state.pausedUntil - now) }
      refill(&state, now)
      if state.tokens >= 1 {
        let count = min(most, Int(state.tokens))
        state.tokens -= Double(count)
        return .granted(count)
      }
      // At high rates a grant is worth 10 ms of tokens, so that nobody wakes up for a single one.
      let count = min(most, max(1, Int(rate * 0.01)))
      state.tokens -= Double(count)
      return .reserved(count, wait: .seconds(-state.tokens / rate))
    }
  }

  private func refill(_ state: inout State, _ now: Duration) {
    guard now > state.at else { return }
    state.tokens = min(burst, state.tokens + (now - state.at).inSeconds * rate)
    state.at = now
  }

  private func pauseLeft() -> Duration? {
    let now = time.now()
    return state.withLock { $0.pausedUntil > now ? $0.pausedUntil - now : nil }
  }

  private func checkPatience(_ wait: Duration) throws(SourceFailure) {
    guard wait > patience else { return }
    throw .throttled(afterSeconds: Int(wait.inSeconds.rounded(.up)))
  }

  private func sleep(_ wait: Duration) async throws(SourceFailure) {
    do { try await time.sleep(wait) } catch { throw .transient("the call to OKKI was cancelled") }
  }
}
