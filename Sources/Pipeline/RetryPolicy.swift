/// How often and after which delays a stage tries again.
public struct RetryPolicy: Sendable {
  /// What the worker does with a message.
  public enum Decision: Sendable, Equatable {
    /// To the next queue; at least one message.
    case forward([Envelope])
    /// Acknowledged, nothing published.
    case finish
    /// To the delay queue with at least so many seconds.
    case delay(Envelope, seconds: Int)
    /// To the dead queue.
    case bury(Envelope, Outcome.Burial)
  }

  /// Delays by attempt, in seconds; the last one serves all further attempts.
  public let ladder: [Int]
  /// After so many attempts a message is parked, 1 or more.
  public let maxAttempts: Int

  /// A policy.
  /// - Parameter ladder: rising delays in seconds, at least one.
  public init(ladder: [Int], maxAttempts: Int) {
    self.ladder = ladder
    self.maxAttempts = maxAttempts
  }

  /// What becomes of a message by its outcome. A retry becomes a burial when its attempts have run out.
  public func resolve(_ outcome: Outcome, of envelope: Envelope) -> Decision {
    switch outcome {
    case .forward(let next) where next.isEmpty:
      .bury(envelope, Outcome.Burial(Reason(.configuration, "a stage made nothing of the message")))
    case .forward(let next): .forward(next)
    case .done: .finish
    case .later(let reason, let seconds): .delay(envelope.again(reason, counted: false), seconds: seconds)
    case .outage(let reason): .delay(envelope.again(reason, counted: false), seconds: delay(of: 1))
    case .retry(let reason):
      if envelope.attempt < maxAttempts {
        .delay(envelope.again(reason, counted: true), seconds: delay(of: envelope.attempt))
      } else {
        .bury(
          envelope.again(reason, counted: false),
          Outcome.Burial(Reason(reason.code, "\(reason.sentence) (given up after \(envelope.attempt) attempts)")))
      }
    case .dead(let burial): .bury(envelope.again(burial.reason, counted: false), burial)
    }
  }

  private func delay(of attempt: Int) -> Int {
    guard let last = ladder.last else { return 10 }
    return attempt <= ladder.count ? ladder[max(attempt, 1) - 1] : last
  }
}
