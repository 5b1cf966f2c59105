internal import Pipeline
internal import Synchronization

/// So many requests a second, with a burst, and pauses that stop everybody: a token bucket of its own, or this process's
/// face of the one that the installation shares.
///
/// A shared one (`RateLedger`) is leased from, for at most a quarter of a second ahead. While it cannot be asked, this
/// process goes on for 10 s at half of what it was given last, then stops: nobody knows what the others do.
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

    // With a shared bucket:

    /// Leased and not used yet, until then.
    var leased = 0
    var leasedUntil: Duration = .zero
    /// The vendor has answered since the last lease, and whether that is news to the others.
    var hasAnswered = false
    var hasStreak = false
    /// What was granted since `spanStart`, and in the span before it: what this process may well go on with.
    var spanStart: Duration?
    var inSpan = 0
    var inSpanBefore: Int?
    /// Since when nobody can be asked, how fast it goes on meanwhile, and when to ask again.
    var lostAt: Duration?
    var lostRate = 0.0
    var askAgainAt: Duration = .zero
  }

  private enum Step {
    case granted(Int)
    case reserved(Int, wait: Duration)
    case pause(Duration)
    /// The shared bucket must be asked.
    case ask(RateAsk)
    /// It cannot be asked: nothing goes.
    case lost
  }

  private let rate: Double
  private let burst: Double
  private let patience: Duration
  private let time: Timekeeper
  private let jitter: @Sendable () -> Double
  private let state: Mutex<State>
  private let shared: (any RateLedger)?
  private let bucket: String
  private let meter: WaitMeter?

  /// - Parameters:
  ///   - shared: the installation's bucket; nil: one of its own.
  ///   - bucket: its name there.
  ///   - meter: times what callers wait for their tokens.
  ///   - jitter: 0...1, spreads pauses that the vendor gave no figure for.
  init(
    perSecond rate: Double, burst: Int, patience: Duration, time: Timekeeper, shared: (any RateLedger)? = nil,
    bucket: String = "okki", meter: WaitMeter? = nil,
    jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
  ) {
    self.rate = rate
    // With a fifth of a second beside the quarter that a lease is good for, no 10 seconds see 5 % too much.
    self.burst = shared == nil ? Double(burst) : min(Double(burst), max(1, rate / 5))
    self.patience = patience
    self.time = time
    self.jitter = jitter
    self.shared = shared
    self.bucket = bucket
    self.meter = meter
    state = Mutex(State(tokens: Double(burst), at: time.now()))
  }

  /// Requests that this process may send at once now.
  var free: Int {
    let now = time.now()
    return state.withLock { state in
      if state.pausedUntil > now { return 0 }
      if shared != nil, state.lostAt == nil { return now < state.leasedUntil ? state.leased : 0 }
      refill(&state, now, state.lostAt == nil ? rate : state.lostRate)
      return max(0, Int(state.tokens))
    }
  }

  /// Takes tokens, waiting for the first.
  /// - Returns: at least one, at most `most`.
  /// - Throws: `.throttled` when a pause is in force that is longer than the patience; `.transient` when the task was
  ///   cancelled. Nothing was taken then.
  func take(upTo most: Int) async throws(SourceFailure) -> Int {
    guard let meter else { return try await granted(most) }
    let asked = time.now()
    let count = try await granted(most)
    meter.observe(time.now() - asked)
    return count
  }

  private func granted(_ most: Int) async throws(SourceFailure) -> Int {
    while true {
      switch step(most) {
      case .granted(let count): return count
      case .pause(let wait):
        try checkPatience(wait)
        try await sleep(wait)
      case .ask(let ask): try await lease(ask)
      case .lost: throw .throttled(afterSeconds: 1)
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

  /// The vendor says that we ask too often: stops every process, or this one alone where the others cannot be told.
  /// - Parameter told: the vendor's figure. 0, as a date that is over comes to, is none: asking on at once is what it
  ///   does not want.
  func throttled(seconds told: Int?) async {
    let seconds = told.flatMap { $0 > 0 ? $0 : nil }
    guard let shared else { return pause(seconds: seconds) }
    // At once for those who wait here; then for all.
    if let seconds { pause(seconds: seconds) }
    do throws(LedgerFailure) {
      let micros = try await shared.pause(bucket, seconds: seconds, jitterPermille: Int(jitter() * 1000))
      hold(micros)
    } catch {
      if seconds == nil { pause(seconds: nil) }
    }
  }

  /// Stops everybody in this process: for so many seconds, or (nil) for a time that doubles with each pause in a row, 0.2 s to 30 s,
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
      refill(&state, now, rate)
      state.tokens = min(state.tokens, 0)
      state.at = state.pausedUntil
      state.leased = 0
    }
  }

  /// Notes that the vendor answered.
  func relax() {
    state.withLock { state in
      state.streak = 0
      state.hasAnswered = true
    }
  }

  private func step(_ most: Int) -> Step {
    let now = time.now()
    return state.withLock { state in
      if state.pausedUntil > now { return .pause(state.pausedUntil - now) }
      var rate = rate
      if shared != nil {
        if state.leased > 0, now < state.leasedUntil {
          let count = min(most, state.leased)
          state.leased -= count
          return .granted(count)
        }
        guard let lostAt = state.lostAt, now < state.askAgainAt else { return .ask(ask(most, &state)) }
        guard now - lostAt < Self.goesOnAlone, state.lostRate > 0 else { return .lost }
        rate = state.lostRate
      }
      refill(&state, now, rate)
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

  private func refill(_ state: inout State, _ now: Duration, _ rate: Double) {
    guard now > state.at else { return }
    state.tokens = min(state.lostAt == nil ? burst : 1, state.tokens + (now - state.at).inSeconds * rate)
    state.at = now
  }

  private static let goesOnAlone = Duration.seconds(10)
  private static let span = Duration.seconds(5)

  private func ask(_ most: Int, _ state: inout State) -> RateAsk {
    // At high rates a tenth of a second at once, so that the database is asked ten times a second, not for each chunk.
    let wanted = max(most, Int(rate / 10))
    let ask = RateAsk(
      bucket: bucket, microsPerSecond: max(1, Int64(rate * 1e6)), burst: Int(burst), most: wanted,
      hasAnswered: state.hasAnswered && state.hasStreak)
    state.hasAnswered = false
    return ask
  }

  /// Asks the shared bucket; waits when it has nothing.
  private func lease(_ ask: RateAsk) async throws(SourceFailure) {
    guard let shared else { return }
    let asked = time.now()
    let lease: RateLease
    do throws(LedgerFailure) { lease = try await shared.lease(ask) } catch { return lose() }
    let answered = time.now()
    state.withLock { state in
      state.lostAt = nil
      state.hasStreak = lease.hasStreak
      guard lease.granted > 0 else { return }
      // From the question on: an answer that was long on its way is not good for longer. Two callers may have asked at once:
      // what the other one was given is still good, and all of it for as long as the older lease.
      count(lease.granted, asked, &state)
      let until = asked + RateLease.validity
      // One that is over already takes nothing from the other.
      guard answered < until else { return }
      let left = answered < state.leasedUntil ? state.leased : 0
      state.leasedUntil = left > 0 ? min(until, state.leasedUntil) : until
      state.leased = lease.granted + left
    }
    if lease.isPause { return hold(lease.waitMicros) }
    if lease.granted == 0 { try await sleep(.microseconds(lease.waitMicros)) }
  }

  private func hold(_ micros: Int64) {
    let until = time.now() + .microseconds(micros)
    state.withLock { state in
      state.pausedUntil = max(state.pausedUntil, until)
      state.leased = 0
    }
  }

  /// Notes a grant, in spans of 5 s.
  private func count(_ granted: Int, _ now: Duration, _ state: inout State) {
    let passed = state.spanStart.map { now - $0 }
    if passed.map({ $0 >= Self.span }) ?? true {
      state.inSpanBefore = passed.map { $0 < Self.span * 2 ? state.inSpan : 0 }
      state.spanStart = now
      state.inSpan = 0
    }
    state.inSpan += granted
  }

  /// The shared bucket cannot be asked: half of what this process was given lately goes on, one after the other.
  private func lose() {
    let now = time.now()
    state.withLock { state in
      state.askAgainAt = now + .seconds(1)
      guard state.lostAt == nil else { return }
      state.lostAt = now
      state.lostRate = 0
      if let start = state.spanStart, now - start < Self.span * 2 {
        let before = state.inSpanBefore.map { (Double($0), Self.span.inSeconds) } ?? (0, 0)
        let seconds = max((now - start).inSeconds, 1) + before.1
        state.lostRate = min((Double(state.inSpan) + before.0) / seconds, rate) / 2
      }
      state.leased = 0
      state.tokens = 0
      state.at = now
    }
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
