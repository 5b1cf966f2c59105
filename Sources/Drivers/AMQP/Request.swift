/// A question to the broker that has exactly one answer.
enum Request: Sendable {
  case declareExchange(
    name: String, type: String, durable: Bool, autoDelete: Bool, arguments: [AMQPHeader], passive: Bool)
  case deleteExchange(name: String)
  case declareQueue(
    name: String, durable: Bool, exclusive: Bool, autoDelete: Bool, arguments: [AMQPHeader], passive: Bool)
  case bindQueue(name: String, exchange: String, routingKey: String, arguments: [AMQPHeader])
  case purgeQueue(name: String)
  case deleteQueue(name: String)
  case selectConfirms
  case limitPrefetch(Int)
  case consume(queue: String, exclusive: Bool)
  case cancelConsumer
  case get(queue: String)
  case closeChannel
  case closeConnection

  /// Names the question in a failure.
  var name: String {
    switch self {
    case .declareExchange: "exchange.declare"
    case .deleteExchange: "exchange.delete"
    case .declareQueue: "queue.declare"
    case .bindQueue: "queue.bind"
    case .purgeQueue: "queue.purge"
    case .deleteQueue: "queue.delete"
    case .selectConfirms: "confirm.select"
    case .limitPrefetch: "basic.qos"
    case .consume: "basic.consume"
    case .cancelConsumer: "basic.cancel"
    case .get: "basic.get"
    case .closeChannel: "channel.close"
    case .closeConnection: "connection.close"
    }
  }

  /// Whether this is an answer to the question.
  func isAnswered(by answer: Answer) -> Bool {
    switch (self, answer) {
    case (.declareExchange, .exchangeDeclared), (.deleteExchange, .exchangeDeleted), (.declareQueue, .queueDeclared),
      (.bindQueue, .queueBound), (.purgeQueue, .queuePurged), (.deleteQueue, .queueDeleted),
      (.selectConfirms, .confirmsSelected), (.limitPrefetch, .prefetchLimited), (.consume, .consuming),
      (.cancelConsumer, .consumerCancelled), (.get, .message), (.closeChannel, .channelClosed),
      (.closeConnection, .connectionClosed):
      true
    default: false
    }
  }
}

/// The broker's answer to a ``Request``.
enum Answer: Sendable {
  case exchangeDeclared, exchangeDeleted
  case queueDeclared(AMQPQueueState)
  case queueBound
  case queuePurged(Int)
  case queueDeleted(Int)
  case confirmsSelected, prefetchLimited
  case consuming(tag: String)
  case consumerCancelled
  case message(AMQPDelivery?)
  case channelClosed, connectionClosed
}

/// What one frame, or the last frame of a message, said.
enum WireEvent {
  case answer(Answer)
  /// A message for the consumer; its tag bears the connection's mark.
  case delivery(AMQPDelivery)
  case returned(code: Int, text: String, AMQPMessage)
  case settled(tag: UInt64, multiple: Bool, refused: Bool)
  case consumerCancelled(tag: String)
  case blocked(reason: String)
  case unblocked
  case channelClosed(code: Int, text: String)
  case connectionClosed(code: Int, text: String)
}

/// One step of reading.
enum WireStep {
  case event(WireEvent)
  /// A frame was read; more is needed, or it says nothing to us.
  case nothingYet
  /// There is nothing to read now.
  case idle
}
