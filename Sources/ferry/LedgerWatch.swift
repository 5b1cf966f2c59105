import Logging
import Pipeline
import Synchronization

/// Looks whether the ledger can be used before the first order needs it, and again until it can.
///
/// What the worker meets later it tells by itself.
final class LedgerWatch: Sendable {
  private static let pause = Duration.seconds(5)

  private let check: @Sendable () async throws(LedgerFailure) -> Void
  private let clock: PipelineClock
  private let logger: Logger
  private let failure = Mutex<LedgerFailure?>(nil)

  /// A watch that has not looked yet.
  init(
    clock: PipelineClock, logger: Logger, check: @escaping @Sendable () async throws(LedgerFailure) -> Void
  ) {
    self.clock = clock
    self.logger = logger
    self.check = check
  }

  /// Who is away by the last look; nil when the ledger could be used, and before the first look.
  var absence: Absence? { failure.withLock { $0?.absence } }

  /// Looks once. What is new is logged.
  func look() async {
    let found: LedgerFailure?
    do throws(LedgerFailure) {
      try await check()
      found = nil
    } catch {
      found = error
    }
    let before = failure.withLock { failure in
      defer { failure = found }
      return failure
    }
    if found == before { return }
    if let found {
      logger.error("The ledger cannot be used yet", metadata: ["failure": "\(Startup.sentence(of: found))"])
    } else {
      logger.info("The ledger can be used now")
    }
  }

  /// Looks every few seconds until the ledger can be used or the task is cancelled.
  func lookUntilUsable() async {
    while absence != nil, !Task.isCancelled {
      await clock.sleep(Self.pause)
      if !Task.isCancelled { await look() }
    }
  }
}
