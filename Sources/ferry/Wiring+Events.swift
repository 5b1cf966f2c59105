import CoreMetrics
import Logging
import Pipeline
import Queue
import Synchronization

extension Wiring {
  /// What is done about the events of a connection.
  func events(_ what: String) -> @Sendable (QueueEvent) -> Void {
    // Each attempt of an outage fails alike: told once, and again when it fails otherwise.
    let told = Told()
    let reconnects = Counter(
      label: "ferry_reconnects_total", dimensions: [("partner", Partner.rabbitmq.rawValue)], factory: registry)
    return { [logger, registry] event in
      switch event {
      case .connected(let number):
        told.forget()
        if number > 1 { reconnects.increment() }
        logger.info("Connected to the broker", metadata: ["connection": "\(what)"])
      case .lost(let why), .failed(let why):
        logger.log(
          level: told.isNew(why) ? .warning : .debug, "The broker cannot be used",
          metadata: ["connection": "\(what)", "failure": "\(why)"])
      case .pausing: break
      case .blocked(let why):
        logger.warning(
          "The broker holds publishers back", metadata: ["connection": "\(what)", "reason": "\(why)"])
      case .unblocked: logger.info("The broker takes messages again", metadata: ["connection": "\(what)"])
      case .oversized(let stage, let queue):
        PipelineMetrics(factory: registry).countRefused(.undecodable, at: stage)
        logger.error(
          "A message is too large to be read and goes to the dead queue",
          metadata: ["stage": "\(stage.rawValue)", "queue": "\(queue)", "reason": "\(ReasonCode.undecodable.rawValue)"])
      }
    }
  }
}

/// What has been told last, so that the same is not told again and again.
final class Told: Sendable {
  private let last = Mutex<String?>(nil)

  /// Whether it was not what has been told last.
  func isNew(_ sentence: String) -> Bool {
    last.withLock { last in
      defer { last = sentence }
      return last != sentence
    }
  }

  /// The next sentence is new again.
  func forget() { last.withLock { $0 = nil } }
}
