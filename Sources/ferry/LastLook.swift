import Pipeline
import Synchronization

/// Asks for something at intervals, for `/metrics`, and knows the last answer for as long as it is worth something.
final class LastLook<Value: Sendable>: Sendable {
  /// Time between two looks.
  static var pause: Duration { .seconds(15) }
  /// An older answer is no answer: four looks in a row were in vain.
  static var validity: Duration { .seconds(60) }

  private let ask: @Sendable () async -> Value?
  private let clock: PipelineClock
  private let last = Mutex<(value: Value, at: ContinuousClock.Instant)?>(nil)

  /// Has not looked yet.
  /// - Parameter ask: nil for no answer; who is away is told of elsewhere.
  init(clock: PipelineClock, ask: @escaping @Sendable () async -> Value?) {
    self.clock = clock
    self.ask = ask
  }

  /// By the last look that was answered; nil while nothing is known.
  var value: Value? {
    last.withLock { last in
      guard let last, last.at.duration(to: clock.now()) <= Self.validity else { return nil }
      return last.value
    }
  }

  /// Looks once.
  func look() async {
    guard let value = await ask() else { return }
    // By its coming: before the question a connection may have had to be made, which can take longer than an answer is good for.
    let answered = clock.now()
    last.withLock { $0 = (value, answered) }
  }

  /// Looks every 15 s until the task is cancelled.
  func watch() async {
    while !Task.isCancelled {
      await look()
      if !Task.isCancelled { await clock.sleep(Self.pause) }
    }
  }

  /// Knows nothing any more.
  func forget() { last.withLock { $0 = nil } }
}
