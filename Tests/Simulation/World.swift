import Orders
import Pipeline
import PipelineTesting

/// Everything outside of Ferry's processes: time, and what happens at what time.
final class World: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it (`Scheduler`).

  private struct Event {
    let at: Int64
    /// Events of one moment come in an order of chance.
    let order: UInt64
    let body: () -> Void
  }

  var random: SeededRandom
  /// Milliseconds since the history began.
  private(set) var now: Int64 = 0
  /// The same time for the doubles.
  let clock = ManualClock()
  private var events: [Event] = []
  /// What was found wrong first.
  private(set) var violation: String?
  /// What happened, where somebody wants to read it.
  private(set) var story: [String] = []
  let tells: Bool
  /// A fingerprint of all that happened: the same seed gives the same one.
  private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
  private(set) var eventCount = 0

  /// Second 0 of the history by everybody's clock.
  static let epoch: Int64 = 1_770_000_000
  private static let start = ContinuousClock.now

  init(seed: UInt64, tells: Bool) {
    random = SeededRandom(seed: seed)
    self.tells = tells
  }

  /// The present by the monotonic clock of every process.
  var instant: ContinuousClock.Instant { Self.start.advanced(by: .milliseconds(now)) }

  /// Whole seconds since 1970 by the vendors' clocks.
  var seconds: Int64 { Self.epoch + now / 1_000 }

  /// Does something later.
  func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
    push(Event(at: now + max(milliseconds, 0), order: random.next(), body: body))
  }

  /// Notes what happens.
  func tell(_ what: @autoclosure () -> String) {
    guard tells else { return }
    story.append("\(now / 1_000).\(String(1_000 + now % 1_000).dropFirst())  \(what())")
  }

  /// Adds to the fingerprint.
  func mark(_ value: Int) { trace = (trace ^ UInt64(bitPattern: Int64(value))) &* 0x100_0000_01B3 }

  /// The history is wrong; the first reason counts.
  func fail(_ why: String) {
    tell("WRONG: \(why)")
    if violation == nil { violation = why }
  }

  /// Runs until the condition holds, something is wrong, or the time is over.
  /// - Returns: whether the condition held.
  func run(until isOver: () -> Bool, limit: Int64) -> Bool {
    while true {
      Scheduler.shared.drain()
      if isOver() { return true }
      if violation != nil { return false }
      guard let next = events.first, next.at <= limit, let event = pop() else { return false }
      if event.at > now {
        clock.advance(by: .milliseconds(event.at - now))
        now = event.at
      }
      eventCount += 1
      mark(Int(now))
      event.body()
    }
  }

  // MARK: A heap of events

  private func push(_ event: Event) {
    events.append(event)
    var child = events.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard isBefore(child, parent) else { return }
      events.swapAt(child, parent)
      child = parent
    }
  }

  private func pop() -> Event? {
    guard !events.isEmpty else { return nil }
    events.swapAt(0, events.count - 1)
    let first = events.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < events.count && isBefore(child, least) {
        least = child
      }
      if least == parent { return first }
      events.swapAt(parent, least)
      parent = least
    }
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    (events[left].at, events[left].order) < (events[right].at, events[right].order)
  }
}
