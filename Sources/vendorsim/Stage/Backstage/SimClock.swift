import Glibc

/// The server's clock: the real one, shifted, or standing still.
final class SimClock {
  private var shiftMilliseconds = 0
  private var frozenAt: Int?
  private var cached = (seconds: -1, text: "")

  init(startingAt seconds: Int? = nil) {
    if let seconds { shiftMilliseconds = seconds * 1_000 - Self.real() }
  }

  var milliseconds: Int { (frozenAt ?? Self.real()) + shiftMilliseconds }
  var seconds: Int { milliseconds / 1_000 }

  /// Now as a Beijing time text; built once a second.
  var text: String {
    let now = seconds
    if cached.seconds != now { cached = (now, BeijingTime.text(now)) }
    return cached.text
  }

  var isFrozen: Bool { frozenAt != nil }

  func advance(seconds: Int) { shiftMilliseconds += seconds * 1_000 }

  func set(seconds: Int) { shiftMilliseconds += seconds * 1_000 - milliseconds }

  func freeze(_ still: Bool) {
    guard still != isFrozen else { return }
    let now = milliseconds
    frozenAt = still ? Self.real() : nil
    shiftMilliseconds += now - milliseconds
  }

  /// Back to the real time.
  func release() {
    frozenAt = nil
    shiftMilliseconds = 0
  }

  private static func real() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
  }
}
