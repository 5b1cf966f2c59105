/// How a connection behaves. Values out of range are refused by ``AMQPConnection/open(_:)``.
public struct AMQPOptions: Sendable {
  /// Where the broker is.
  public var address: AMQPAddress
  /// Shown in the broker's own list of connections; at most 200 bytes.
  public var connectionName: String
  /// Seconds between heartbeats, 1 to 3600. A peer silent for twice as long is taken for lost.
  public var heartbeatSeconds = 30
  /// Seconds for TCP, TLS and login each, 1 to 600.
  public var connectTimeoutSeconds = 10
  /// Seconds for the answer to a declare, bind, consume and the like, 1 to 600.
  public var rpcTimeoutSeconds = 20
  /// Seconds a single write may make no end before the socket is shut down, 1 to 600.
  public var stallTimeoutSeconds = 30
  /// Largest frame to offer, 4,096 to 1,048,576 bytes; properties with all headers must fit into one frame.
  public var frameMax = 131_072
  /// Largest body to send or to take in, in bytes, 1 to 512 MiB. A larger body that arrives is dropped and its
  /// delivery marked ``AMQPDelivery/isTruncated``.
  public var maxMessageBytes = 16 << 20
  /// PEM bundle to verify the broker with when the address is `amqps://`; nil takes the system's.
  public var certificateAuthorityFile: String?
  /// Told why when the broker begins to hold the connection back, and nil when it lets go; not told when the connection
  /// ends meanwhile. Called on the connection's thread, so it must not block.
  public var onBlocked: @Sendable (String?) -> Void = { _ in }
  /// Told of a connection with TLS when the broker's certificate ends, in seconds since 1970 UTC. Called on the connection's
  /// thread, so it must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?

  /// Options with all defaults.
  public init(address: AMQPAddress, connectionName: String) {
    self.address = address
    self.connectionName = connectionName
  }

  func validate() throws(AMQPFailure) {
    func check(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(AMQPFailure) {
      if !range.contains(value) {
        throw .invalid("\(name) is \(value), not from \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check(heartbeatSeconds, 1...3600, "heartbeatSeconds")
    try check(connectTimeoutSeconds, 1...600, "connectTimeoutSeconds")
    try check(rpcTimeoutSeconds, 1...600, "rpcTimeoutSeconds")
    try check(stallTimeoutSeconds, 1...600, "stallTimeoutSeconds")
    try check(frameMax, 4_096...1_048_576, "frameMax")
    try check(maxMessageBytes, 1...(512 << 20), "maxMessageBytes")
    try check(connectionName.utf8.count, 0...200, "the length of connectionName")
  }
}

/// Why a connection could not do what was asked.
///
/// After `channelClosed`, `connectionClosed`, `connectionLost`, `timedOut` (of an answer) and `closed` the connection
/// is over: open another. Texts come from the broker or the operating system and hold no message content.
public enum AMQPFailure: Error, Sendable, Equatable {
  /// No connection came about: name, TCP, TLS.
  case unreachable(String)
  /// The broker refused user or password (403), or the virtual host (530).
  case loginRefused(code: Int, text: String)
  /// The broker closed the channel: 404 no such thing, 406 other arguments, 403 not allowed. A mistake in the topology.
  case channelClosed(code: Int, text: String)
  /// The broker closed the connection: 320 it shuts down, 501 to 505 a protocol error, and so on.
  case connectionClosed(code: Int, text: String)
  /// The connection broke or went silent.
  case connectionLost(String)
  /// The broker did not answer in time.
  case timedOut(String)
  /// The broker holds this connection back (memory or disk alarm), and did so for the whole timeout. Nothing was sent.
  case blocked
  /// The broker ended the consumer: its queue was deleted or moved. The connection lives on.
  case consumerCancelled(queue: String)
  /// ``AMQPConnection/close()`` was called.
  case closed
  /// The call makes no sense; nothing was sent.
  case invalid(String)
}

extension AMQPFailure: CustomStringConvertible {
  /// One sentence for a person.
  public var description: String {
    switch self {
    case .unreachable(let text): "the broker cannot be reached: \(text)"
    case .loginRefused(let code, let text): "the broker refused the login: \(code) \(text)"
    case .channelClosed(let code, let text): "the broker closed the channel: \(code) \(text)"
    case .connectionClosed(let code, let text): "the broker closed the connection: \(code) \(text)"
    case .connectionLost(let text): "the connection to the broker is lost: \(text)"
    case .timedOut(let text): "the broker did not answer in time: \(text)"
    case .blocked: "the broker holds the connection back"
    case .consumerCancelled(let queue): "the broker ended the consumer of queue \(queue)"
    case .closed: "the connection is closed"
    case .invalid(let text): text
    }
  }
}
