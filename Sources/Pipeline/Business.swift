/// How long something was under way, whatever ran side by side counted once.
struct Business {
  private var underWay = 0
  private var since: ContinuousClock.Instant?
  private var done = Duration.zero

  /// One more is under way.
  mutating func begin(at now: ContinuousClock.Instant) {
    underWay += 1
    if since == nil { since = now }
  }

  /// One less.
  mutating func end(at now: ContinuousClock.Instant) {
    underWay -= 1
    guard underWay == 0, let begun = since else { return }
    done += max(begun.duration(to: now), .zero)
    since = nil
  }

  /// What has come together, with what is under way.
  func total(at now: ContinuousClock.Instant) -> Duration {
    done + (since.map { max($0.duration(to: now), .zero) } ?? .zero)
  }
}
