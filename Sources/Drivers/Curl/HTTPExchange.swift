/// One request that has left the queue, and what has come of it so far. Lives on the driver thread only.
final class HTTPExchange {
  let request: HTTPRequest
  let batch: CurlBatch
  let index: Int
  let origin: String
  let isTLS: Bool
  /// What goes before the body.
  let head: [UInt8]
  let started: ContinuousClock.Instant
  /// When the request is given up.
  let deadline: ContinuousClock.Instant
  /// Where it stands among the engine's running exchanges.
  var place = 0
  /// The connection, and what is making one: at most one of both.
  var line: HTTPLine?
  var dial: CurlDial?
  /// Whether the line carried a request before.
  var isOnUsedLine = false
  /// Bytes of head and body that the connection has taken.
  var sent = 0
  /// Nothing more can be sent.
  var isCutOff = false
  /// Until then nothing of the request is on the wire.
  var mayHaveBeenSent = false
  /// When a byte last went either way.
  var lastMove: ContinuousClock.Instant
  var answer: AnswerReader
  private let maxBytes: Int

  init(
    _ request: HTTPRequest, _ batch: CurlBatch, _ index: Int, head: [UInt8], origin: String, isTLS: Bool, maxBytes: Int,
    _ now: ContinuousClock.Instant
  ) {
    self.request = request
    self.batch = batch
    self.index = index
    self.head = head
    self.origin = origin
    self.isTLS = isTLS
    started = now
    lastMove = now
    deadline = now + .milliseconds(request.timeoutMilliseconds)
    self.maxBytes = maxBytes
    answer = AnswerReader(maxBytes: maxBytes)
  }

  /// What was sent and received does not count any more, save that it may have been sent.
  func beginAnew() {
    sent = 0
    isCutOff = false
    answer = AnswerReader(maxBytes: maxBytes)
  }

  var isSent: Bool { sent == head.count + request.body.count }
}
