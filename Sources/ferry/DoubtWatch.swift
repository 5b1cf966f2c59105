import Pipeline
import Synchronization

/// Knows how long the oldest bill in doubt is so, for `/metrics`.
final class DoubtWatch: Sendable {
  private static let pause = Duration.seconds(15)

  private let ask: @Sendable () async throws(LedgerFailure) -> Int64
  private let clock: PipelineClock
  private let last = Mutex<Int64>(0)

  /// A watch that has not looked yet.
  /// - Parameter ask: asks the ledger, in seconds.
  init(clock: PipelineClock, ask: @escaping @Sendable () async throws(LedgerFailure) -> Int64) {
    self.clock = clock
    self.ask = ask
  }

  /// By the last look that was answered, in seconds; 0 when none is in doubt.
  var seconds: Double { Double(last.withLock { $0 }) }

  /// Looks every 15 s until the task is cancelled. A ledger that is away is told of elsewhere.
  func watch() async {
    while !Task.isCancelled {
      do throws(LedgerFailure) {
        let seconds = try await ask()
        last.withLock { $0 = seconds }
      } catch {}
      if !Task.isCancelled { await clock.sleep(Self.pause) }
    }
  }
}
