/// Pauses between attempts: half a second, doubling to 10 s, each shortened by chance ("full jitter") so that workers
/// that lost the broker together do not come back together.
struct Backoff: Sendable {
  private static let first = 0.5
  private static let longest = 10.0
  /// Between attempts that a person must mend something for: 15 to 30 s.
  private static let longestMisconfigured = 30.0
  /// Between attempts while something is missing that may be there again in a moment: 2.5 to 5 s.
  private static let longestMissing = 5.0
  private var failures = 0
  private var cause = Cause.loss

  /// Why an attempt failed, or a connection ended.
  enum Cause: Sendable {
    /// The broker is away, or ended it.
    case loss
    /// A queue or an exchange is not there. Orders may wait for it, and it comes back by `ferry migrate`.
    case missing
    /// The broker refused what was asked for. Coming back soon changes nothing and costs it a connection each time, so
    /// the pause is long at once.
    case refusal
  }

  /// An attempt failed, or a connection ended.
  mutating func failed(_ cause: Cause) {
    failures = min(failures + 1, 32)
    self.cause = cause
  }

  /// A connection has proved its worth.
  mutating func worked() {
    failures = 0
    cause = .loss
  }

  /// Seconds to wait before the next attempt.
  /// - Parameter chance: 0..<1.
  func pause(chance: Double) -> Double {
    if failures == 0 { return 0 }
    switch cause {
    case .loss: break
    case .missing: return Self.longestMissing / 2 * (1 + chance)
    case .refusal: return Self.longestMisconfigured / 2 * (1 + chance)
    }
    var bound = Self.first
    for _ in 1..<failures where bound < Self.longest { bound *= 2 }
    return min(bound, Self.longest) * chance
  }
}
