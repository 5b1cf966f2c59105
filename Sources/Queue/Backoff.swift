/// Pauses between attempts: half a second, doubling to 10 s, each shortened by chance ("full jitter") so that workers
/// that lost the broker together do not come back together.
struct Backoff: Sendable {
  private static let first = 0.5
  private static let longest = 10.0
  /// Between attempts that a person must mend something for: 15 to 30 s.
  private static let longestMisconfigured = 30.0
  private var failures = 0
  private var isMisconfigured = false

  /// An attempt failed, or a connection ended.
  /// - Parameter misconfigured: the broker refused what was asked for. Coming back soon changes nothing and costs it
  ///   a connection each time, so the pause is long at once.
  mutating func failed(misconfigured: Bool) {
    failures = min(failures + 1, 32)
    isMisconfigured = misconfigured
  }

  /// A connection has proved its worth.
  mutating func worked() {
    failures = 0
    isMisconfigured = false
  }

  /// Seconds to wait before the next attempt.
  /// - Parameter chance: 0..<1.
  func pause(chance: Double) -> Double {
    if failures == 0 { return 0 }
    if isMisconfigured { return Self.longestMisconfigured / 2 * (1 + chance) }
    var bound = Self.first
    for _ in 1..<failures where bound < Self.longest { bound *= 2 }
    return min(bound, Self.longest) * chance
  }
}
