import Glibc
import Logging
import Pipeline
import Synchronization

/// Watches that a worker or an elected poller works, and ends the process when it does not, so that a supervisor starts it anew.
///
/// Nothing is lost by that end: what is not acknowledged goes back to the broker, and claims are looked up in K/3.
final class VitalityWatch: Sendable {
  /// The exit status of a process that has to be started anew (EX_SOFTWARE).
  static let exitStatus: Int32 = 70

  private let name: String
  private let clock: PipelineClock
  private let logger: Logger
  private let activity: @Sendable () -> WorkerActivity
  private let ready: @Sendable () async -> Int?
  private let end: @Sendable (Int32) -> Void
  private let vitality: Mutex<Vitality>
  private let interval: Duration
  private let trouble = Mutex<Vitality.Trouble?>(nil)

  /// A watch.
  /// - Parameters:
  ///   - patience: how long the worker may get nothing from a queue that has something.
  ///   - ready: messages ready in the worker's queue; asked for only while it is idle.
  ///   - end: ends the process.
  init(
    _ name: String, longestBatch: Duration, patience: Duration = Vitality.patience, clock: PipelineClock,
    logger: Logger,
    activity: @escaping @Sendable () -> WorkerActivity, ready: @escaping @Sendable () async -> Int?,
    end: @escaping @Sendable (Int32) -> Void = { exit($0) }
  ) {
    self.name = name
    self.clock = clock
    self.logger = logger
    self.activity = activity
    self.ready = ready
    self.end = end
    let fresh = Vitality(longestBatch: longestBatch, patience: patience)
    interval = fresh.interval
    vitality = Mutex(fresh)
  }

  /// False while the worker does not work and nothing holds it back.
  var isAlive: Bool { trouble.withLock { $0 == nil } }

  /// Looks every 15 s, or four times in its patience, until the task is cancelled. Trouble is told by the health first, and
  /// ends the process when the next look still finds it.
  func watch() async {
    while !Task.isCancelled {
      await clock.sleep(interval)
      if Task.isCancelled { return }
      await look()
    }
  }

  private func look() async {
    let seen = activity()
    let ready = vitality.withLock { $0.isIdle(seen) } ? await ready() : nil
    // What came while the broker was asked counts.
    let found = vitality.withLock { $0.note(activity(), ready: ready, at: clock.now()) }
    let before = trouble.withLock { trouble in
      defer { trouble = found }
      return trouble
    }
    guard let found else { return }
    let metadata: Logger.Metadata =
      switch found {
      case .notConsuming(let ready): ["stage": "\(name)", "ready": "\(ready)"]
      case .stuck: ["stage": "\(name)"]
      }
    let what: Logger.Message =
      switch found {
      case .notConsuming: "Up, but not consuming: messages are ready and none is delivered"
      case .stuck: "Up, but stuck: what was begun does not come to an end"
      }
    logger.critical(what, metadata: metadata)
    guard before != nil else { return }
    logger.critical("The process ends, to be started anew", metadata: ["status": "\(Self.exitStatus)"])
    end(Self.exitStatus)
  }
}
