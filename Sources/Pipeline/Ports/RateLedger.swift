/// What a process wants of a rate that the whole installation shares.
public struct RateAsk: Sendable, Equatable {
  /// Whose limit it is; one per vendor and login.
  public var bucket: String
  /// Millionths of a request per second, above 0, at most 10¹².
  public var microsPerSecond: Int64
  /// Requests that may go at once after a pause, 1...100,000.
  public var burst: Int
  /// Requests wanted now, 1 or more.
  public var most: Int
  /// The vendor has answered well since it last said that we ask too often.
  public var hasAnswered: Bool

  /// An ask.
  public init(bucket: String, microsPerSecond: Int64, burst: Int, most: Int, hasAnswered: Bool = false) {
    self.bucket = bucket
    self.microsPerSecond = microsPerSecond
    self.burst = burst
    self.most = most
    self.hasAnswered = hasAnswered
  }
}

/// What a process may do by a shared rate.
public struct RateLease: Sendable, Equatable {
  /// Requests that may be sent now, and within `validity`; 0: none yet.
  public var granted: Int
  /// With nothing granted: microseconds after which asking again is worth it. Not how long: others may be quicker.
  public var waitMicros: Int64
  /// Nothing is granted because the vendor wants nobody to ask; `waitMicros` is the rest of that pause.
  public var isPause: Bool
  /// The vendor has said without a figure of its own that we ask too often, and nobody has told of a good answer since.
  public var hasStreak: Bool

  /// What was granted and is not used by then is void.
  public static let validity = Duration.milliseconds(250)

  /// A lease.
  public init(granted: Int, waitMicros: Int64, isPause: Bool, hasStreak: Bool) {
    self.granted = granted
    self.waitMicros = waitMicros
    self.isPause = isPause
    self.hasStreak = hasStreak
  }
}

/// The one rate limit of an installation: a token bucket that all processes lease from.
public protocol RateLedger: Sendable {
  /// Takes what there is, up to what is asked for; never more than rate and burst allow, whoever else asks.
  func lease(_ ask: RateAsk) async throws(LedgerFailure) -> RateLease

  /// Stops all processes: nothing is granted before the pause is over, and then there is no burst.
  /// - Parameters:
  ///   - seconds: the vendor's own figure, 0...3600. Nil: it gave none; the pause is then 0.2 s and doubles with each in
  ///     a row to 30 s, and while one is in force another one changes nothing.
  ///   - jitterPermille: 0...1000; a pause without a figure is made shorter by up to half of itself, at 0.
  /// - Returns: microseconds that the pause still lasts.
  func pause(_ bucket: String, seconds: Int?, jitterPermille: Int) async throws(LedgerFailure) -> Int64
}

extension RateAsk {
  /// When so much is there that a grant is worth waking up for: 10 ms of the rate, at least one request.
  /// - Parameter tokens: what the bucket holds, in millionths.
  public func waitMicros(tokens: Int64) -> Int64 {
    let worth = max(1_000_000, min(Int64(most) * 1_000_000, microsPerSecond / 100, Int64(burst) * 1_000_000))
    return (max(worth - tokens, 0) * 1_000_000 + microsPerSecond - 1) / microsPerSecond
  }
}
