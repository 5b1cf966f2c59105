/// A value in a message's headers or in the arguments of a declare.
public enum AMQPValue: Sendable, Hashable {
  /// Text.
  case string(String)
  /// A whole number; sent with 64 bits, which is what RabbitMQ takes for every argument.
  case int(Int64)
  /// True or false.
  case bool(Bool)
  /// A binary floating point number.
  case double(Double)
  /// Seconds since 1970.
  case timestamp(UInt64)
  /// Bytes, and text that arrives and is not UTF-8.
  case bytes([UInt8])
  /// Named values, in order.
  case table([AMQPHeader])
  /// Values, in order.
  case array([AMQPValue])
  /// Nothing.
  case null
}

/// A named value.
public struct AMQPHeader: Sendable, Hashable {
  /// At most 128 bytes.
  public var name: String
  /// Tables and arrays nest at most 16 deep; deeper ones are refused when sent and read as null.
  public var value: AMQPValue

  /// A header.
  public init(_ name: String, _ value: AMQPValue) {
    self.name = name
    self.value = value
  }
}

/// What a message carries beside its body. Texts are at most 255 bytes each.
public struct AMQPProperties: Sendable, Hashable {
  /// MIME type of the body.
  public var contentType: String?
  /// The application's own id of the message.
  public var messageID: String?
  /// The application's id of what the message belongs to.
  public var correlationID: String?
  /// The application's name for this kind of message.
  public var type: String?
  /// The program that made the message.
  public var appID: String?
  /// Seconds since 1970.
  public var timestamp: UInt64?
  /// Life time in the queue, decimal milliseconds.
  public var expiration: String?
  /// 0 to 255.
  public var priority: UInt8?
  /// Whether the message is to survive a broker's restart (delivery mode 2).
  public var persistent: Bool
  /// All headers together with the other properties fit into one frame.
  public var headers: [AMQPHeader]

  /// Properties; what is not given is not sent.
  public init(
    contentType: String? = nil, messageID: String? = nil, correlationID: String? = nil, type: String? = nil,
    appID: String? = nil, timestamp: UInt64? = nil, expiration: String? = nil, priority: UInt8? = nil,
    persistent: Bool = true, headers: [AMQPHeader] = []
  ) {
    self.contentType = contentType
    self.messageID = messageID
    self.correlationID = correlationID
    self.type = type
    self.appID = appID
    self.timestamp = timestamp
    self.expiration = expiration
    self.priority = priority
    self.persistent = persistent
    self.headers = headers
  }

  /// The value of the first header with this name.
  public subscript(header name: String) -> AMQPValue? {
    headers.first { $0.name == name }?.value
  }
}

/// A message to publish.
public struct AMQPMessage: Sendable {
  /// Name of the exchange; empty for the default one, which routes by queue name.
  public var exchange: String
  /// At most 255 bytes.
  public var routingKey: String
  /// What goes with the body.
  public var properties: AMQPProperties
  /// The content; at most ``AMQPOptions/maxMessageBytes``.
  public var body: [UInt8]
  /// Whether a message that no queue takes comes back. Without it such a message is confirmed and gone.
  public var mandatory: Bool

  /// A message.
  public init(
    exchange: String, routingKey: String, properties: AMQPProperties = AMQPProperties(), body: [UInt8],
    mandatory: Bool = true
  ) {
    self.exchange = exchange
    self.routingKey = routingKey
    self.properties = properties
    self.body = body
    self.mandatory = mandatory
  }
}

/// What became of one published message.
public enum AMQPPublishResult: Sendable, Equatable {
  /// The broker has it, in every queue it belongs to.
  case confirmed
  /// No queue took it (mandatory). The broker does not have it.
  case returned(code: Int, text: String)
  /// The broker said no (basic.nack): a full queue, or trouble of its own. It may have it in some queues.
  case refused
  /// Sent, but no confirm came: the connection was lost or the time was up. The broker may or may not have it.
  case unknown(String)
  /// Never sent. The broker does not have it.
  case notSent(String)
  /// Never sent, and never can be over such a connection: its properties do not fit into a frame, or a text of it is too long.
  case unsendable(String)
}

/// A message from a queue, to be acknowledged or rejected by its tag.
public struct AMQPDelivery: Sendable {
  /// Names this delivery on its own connection; another connection ignores it.
  public let tag: UInt64
  /// Whether the broker may have delivered it before.
  public let redelivered: Bool
  /// Where it was published to.
  public let exchange: String
  /// What it was published with.
  public let routingKey: String
  /// What goes with the body.
  public let properties: AMQPProperties
  /// The content; empty when ``isTruncated``.
  public let body: [UInt8]
  /// The body was larger than ``AMQPOptions/maxMessageBytes`` and was not kept. The broker still has it all.
  public let isTruncated: Bool

  /// A delivery, as tests may need one.
  public init(
    tag: UInt64, redelivered: Bool, exchange: String, routingKey: String, properties: AMQPProperties, body: [UInt8],
    isTruncated: Bool = false
  ) {
    self.tag = tag
    self.redelivered = redelivered
    self.exchange = exchange
    self.routingKey = routingKey
    self.properties = properties
    self.body = body
    self.isTruncated = isTruncated
  }
}

/// What a broker tells about a queue it declared.
///
/// The number of messages is a hint: after a restart the broker has answered 0 for a full queue.
public struct AMQPQueueState: Sendable, Equatable {
  /// Messages ready for delivery.
  public let messages: Int
  /// Consumers attached.
  public let consumers: Int

  /// A state, as tests may need one.
  public init(messages: Int, consumers: Int) {
    self.messages = messages
    self.consumers = consumers
  }
}
