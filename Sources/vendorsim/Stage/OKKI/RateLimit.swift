/// A token bucket and a cap per minute.
struct RateLimit {
  private var tokens = 0.0
  private var lastMilliseconds: Int?
  private var minute = -1
  private var inMinute = 0

  mutating func allows(_ settings: OKKISettings, nowMilliseconds: Int) -> Bool {
    let burst = Double(settings.rateBurst)
    if let last = lastMilliseconds {
      tokens = min(burst, tokens + Double(max(0, nowMilliseconds - last)) / 1_000 * Double(settings.ratePerSecond))
    } else {
      tokens = burst
    }
    lastMilliseconds = nowMilliseconds
    if nowMilliseconds / 60_000 != minute {
      minute = nowMilliseconds / 60_000
      inMinute = 0
    }
    guard tokens >= 1, inMinute < settings.ratePerMinute else { return false }
    tokens -= 1
    inMinute += 1
    return true
  }
}
