/// One header field of a request.
public struct HTTPHeader: Sendable, Hashable {
  /// The field's name, an HTTP token.
  public var name: String
  /// The field's value; may be empty, never holds CR, LF or NUL.
  public var value: String

  /// Makes a header; it is checked when the request is performed.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// One HTTP request.
public struct HTTPRequest: Sendable {
  /// The methods that are needed here.
  public enum Method: String, Sendable {
    /// GET, without a body.
    case get = "GET"
    /// POST, with or without a body.
    case post = "POST"
    /// PUT, with or without a body.
    case put = "PUT"
    /// DELETE, with or without a body.
    case delete = "DELETE"
  }

  /// The method.
  public var method: Method
  /// An absolute URL, ASCII, percent-encoded where needed (`percentEncoded(query:)`).
  public var url: String
  /// Header fields beside the ones the client sets itself (Host, User-Agent, Accept-Encoding, Content-Length).
  public var headers: [HTTPHeader]
  /// The body, sent as it is.
  public var body: [UInt8]
  /// Bound for the whole request, connecting included, from the moment it leaves the queue; 1 ... 3,600,000.
  public var timeoutMilliseconds: Int
  /// When the request has not left the queue by then, it ends as `.notSent` with kind `.expired`. Nil: it waits.
  public var notAfter: ContinuousClock.Instant?
  /// True: the request may reach the server more than once (it is repeated once when a used connection turns
  /// out dead before a byte of an answer). False: it is sent at most once, whatever happens.
  public var repeatable: Bool
  /// What the caller knows it by in `CurlOptions.onEnd`; not sent.
  public var tag: Int

  /// Makes a request; it is checked when it is performed.
  /// - Parameter repeatable: nil means: true for GET, false for everything else.
  public init(
    _ method: Method, _ url: String, headers: [HTTPHeader] = [], body: [UInt8] = [],
    timeoutMilliseconds: Int = 30_000, notAfter: ContinuousClock.Instant? = nil, repeatable: Bool? = nil, tag: Int = 0
  ) {
    self.tag = tag
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeoutMilliseconds = timeoutMilliseconds
    self.notAfter = notAfter
    self.repeatable = repeatable ?? (method == .get)
  }
}

/// A complete answer of a server, whatever its status.
public struct HTTPResponse: Sendable {
  /// The status code, 100 ... 999.
  public var status: Int
  /// The whole body, decompressed.
  public var body: [UInt8]
  /// What `Retry-After` asks for, as seconds from now, clamped to 0 ... 3600; nil when absent or unreadable.
  public var retryAfterSeconds: Int?

  /// Makes a response, for doubles in tests.
  public init(status: Int, body: [UInt8] = [], retryAfterSeconds: Int? = nil) {
    self.status = status
    self.body = body
    self.retryAfterSeconds = retryAfterSeconds
  }
}

/// How a request ended.
public enum HTTPOutcome: Sendable {
  /// The server answered completely.
  case response(HTTPResponse)
  /// Provably nothing of the request reached the server.
  case notSent(HTTPFailure)
  /// The request, or a part of it, may have reached the server, and there is no complete answer.
  case uncertain(HTTPFailure)
}

/// A request that was handed to the network and has ended, for whoever steers the client.
public struct HTTPTransfer: Sendable {
  /// What was asked.
  public var request: HTTPRequest
  /// How it ended.
  public var outcome: HTTPOutcome
  /// When it left the queue.
  public var started: ContinuousClock.Instant
  /// From then to its end, connecting included.
  public var took: Duration

  /// Makes one, for tests.
  public init(request: HTTPRequest, outcome: HTTPOutcome, started: ContinuousClock.Instant, took: Duration) {
    self.request = request
    self.outcome = outcome
    self.started = started
    self.took = took
  }
}

/// Why there is no complete answer.
public struct HTTPFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Kind: String, Sendable {
    /// No connection could be made.
    case connect
    /// The host's name could not be resolved.
    case resolve
    /// TLS could not be set up or the certificate is not trusted.
    case tls
    /// A time limit passed.
    case timeout
    /// The connection ended or broke before a complete, valid answer.
    case dropped
    /// The answer is larger than allowed.
    case tooLarge
    /// The request is not acceptable.
    case invalid
    /// The caller's task was cancelled.
    case cancelled
    /// `notAfter` passed in the queue.
    case expired
    /// The client is shut down.
    case shutdown
  }

  /// The kind.
  public var kind: Kind
  /// libcurl's CURLcode where no connection could be made; 0: that was not the matter.
  public var curlCode: Int
  /// Method, scheme, host, path and cause. Never the user part, the query, a header or a body.
  public var description: String

  /// Makes a failure, for doubles in tests.
  public init(kind: Kind, curlCode: Int = 0, description: String) {
    self.kind = kind
    self.curlCode = curlCode
    self.description = description
  }
}
