/// A batch as it is handed to the connection's thread.
struct PublishRequest: Sendable {
  let messages: [AMQPMessage]
  /// One place a message; those that cannot be sent have their result already.
  let results: [AMQPPublishResult?]
  let deadline: ContinuousClock.Instant
  let continuation: CheckedContinuation<[AMQPPublishResult], Never>

  /// Answers every message that has no result yet.
  func refuse(_ reason: String) {
    continuation.resume(returning: results.map { $0 ?? .notSent(reason) })
  }
}

/// A batch on its way. Belongs to the connection's thread.
final class PublishBatch {
  let messages: [AMQPMessage]
  let deadline: ContinuousClock.Instant
  private var results: [AMQPPublishResult?]
  private var missing: Int
  private var continuation: CheckedContinuation<[AMQPPublishResult], Never>?
  /// Index of the next message to send; all below are sent or were never sendable.
  private(set) var next = 0

  init(_ request: PublishRequest) {
    messages = request.messages
    deadline = request.deadline
    results = request.results
    missing = request.results.count { $0 == nil }
    continuation = request.continuation
    skipAnswered()
    finishIfComplete()
  }

  var isFinished: Bool { continuation == nil }
  var isSent: Bool { next >= messages.count }
  /// Messages not sent yet, with those among them that cannot be.
  var unsent: Int { max(0, messages.count - next) }

  /// Moves on behind the message just sent and returns its index.
  func advance() -> Int {
    let index = next
    next += 1
    skipAnswered()
    return index
  }

  /// The first answer counts; a later one (a confirm after the time was up) changes nothing.
  func settle(_ index: Int, _ result: AMQPPublishResult) {
    guard results[index] == nil else { return }
    results[index] = result
    missing -= 1
    finishIfComplete()
  }

  /// Answers all that is open: what was sent is unknown, what was not is not sent.
  func settleRest(unknown: String, notSent: String) {
    for index in results.indices where results[index] == nil {
      results[index] = index < next ? .unknown(unknown) : .notSent(notSent)
    }
    missing = 0
    next = messages.count
    finishIfComplete()
  }

  /// Answers what was not sent.
  func withdraw(_ reason: String) {
    for index in next..<results.count where results[index] == nil {
      results[index] = .notSent(reason)
      missing -= 1
    }
    next = messages.count
    finishIfComplete()
  }

  private func skipAnswered() {
    while next < results.count, results[next] != nil { next += 1 }
  }

  private func finishIfComplete() {
    guard missing == 0, let continuation else { return }
    self.continuation = nil
    continuation.resume(returning: results.map { $0 ?? .unknown("no result") })
  }
}
