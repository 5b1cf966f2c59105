import Synchronization

/// Questions, answers and events.
extension Loop {
  var callDeadline: ContinuousClock.Instant { .now + .seconds(shared.options.rpcTimeoutSeconds) }

  /// Sends the next question if none is open. While the broker holds the connection back it reads nothing, so the
  /// questions wait.
  func sendCalls() throws(AMQPFailure) {
    while running == nil, !isBlocked, let call = calls.popFirst() {
      if case .cancelConsumer = call.request, consumer == nil {
        call.continuation?.resume(returning: .success(.consumerCancelled))
        continue
      }
      if case .consume(let queue, _) = call.request {
        if consumer != nil {
          call.continuation?.resume(returning: .failure(.invalid("one connection has one consumer")))
          continue
        }
        consumer = (queue, "")
      }
      do {
        try wire.send(call.request, consumerTag: consumer?.tag ?? "")
        running = call
      } catch .invalid(let reason) {
        if case .consume = call.request { consumer = nil }
        call.continuation?.resume(returning: .failure(.invalid("\(call.request.name): \(reason)")))
      } catch {
        running = call
        throw error
      }
    }
  }

  /// A question that waited in vain is answered; one that was sent in vain ends the connection, because its late
  /// answer would be taken for the answer to the next.
  func expireCalls(_ now: ContinuousClock.Instant) throws(AMQPFailure) {
    if let running, running.deadline <= now { throw .timedOut(running.request.name) }
    while let call = calls.first, call.deadline <= now {
      _ = calls.popFirst()
      call.continuation?.resume(returning: .failure(isBlocked ? .blocked : .timedOut(call.request.name)))
      if case .selectConfirms = call.request { confirms = .off }
    }
  }

  func handle(_ event: WireEvent) throws(AMQPFailure) {
    switch event {
    case .delivery(let delivery):
      acks.delivered(delivery.tag & Self.tagMask)
      arrived.append(delivery)
    case .settled(let tag, let multiple, let refused):
      guard publisher.settle(tag: tag, multiple: multiple, refused: refused) else {
        throw .connectionLost("the broker confirmed a message that was never sent")
      }
    case .returned(let code, let text, let message):
      guard publisher.returned(code: code, text: text, message) else {
        throw .connectionLost("the broker returned a message that was never sent")
      }
    case .answer(let answer): try take(answer)
    case .consumerCancelled(let tag):
      guard let consumer, consumer.tag == tag else { return }
      handOver()
      shared.inbox.cancel(queue: consumer.queue)
      self.consumer = nil
    case .blocked(let reason):
      if !shared.isBlocked.exchange(true, ordering: .relaxed) { shared.options.onBlocked(reason) }
    case .unblocked:
      if shared.isBlocked.exchange(false, ordering: .relaxed) { shared.options.onBlocked(nil) }
    case .channelClosed(let code, let text):
      wire.confirmClose(ofConnection: false)
      throw .channelClosed(code: code, text: text)
    case .connectionClosed(let code, let text):
      wire.confirmClose(ofConnection: true)
      throw .connectionClosed(code: code, text: text)
    }
  }

  /// Where the graceful end stands: first the open confirms and answers, then the channel (whose close is answered
  /// only after the broker has taken in all acks), then the connection.
  /// - Returns: the reason when the end is reached.
  func closeProgress(_ now: ContinuousClock.Instant) throws(AMQPFailure) -> AMQPFailure? {
    guard let closeBy else { return nil }
    if closing == .done || closeBy <= now { return .closed }
    if closing == .no, publisher.unconfirmed == 0, running == nil, calls.isEmpty, !isBlocked {
      closing = .asked
      // closeBy comes first, so that an unanswered close ends as a close and not as a timeout.
      let deadline = closeBy + .seconds(60)
      calls.append(Call(request: .closeChannel, deadline: deadline, continuation: nil))
      calls.append(Call(request: .closeConnection, deadline: deadline, continuation: nil))
      try sendCalls()
    }
    return nil
  }

  private func take(_ answer: Answer) throws(AMQPFailure) {
    guard let call = running, call.request.isAnswered(by: answer) else {
      throw .connectionLost("the broker answered a question that was not asked")
    }
    running = nil
    switch (call.request, answer) {
    case (.selectConfirms, _): confirms = .on
    case (.closeConnection, _): closing = .done
    case (.consume(let queue, _), .consuming(let tag)):
      consumer = (queue, tag)
      shared.inbox.begin()
    case (.cancelConsumer, _):
      consumer = nil
      handOver()
      shared.inbox.drain()
    case (.get, .message(let delivery?)):
      acks.delivered(delivery.tag & Self.tagMask)
    default: break
    }
    call.continuation?.resume(returning: .success(answer))
    try sendCalls()
  }

  /// What was read before an event that ends the consumer must be in the inbox before the end is.
  private func handOver() {
    shared.inbox.deliver(&arrived)
  }
}
