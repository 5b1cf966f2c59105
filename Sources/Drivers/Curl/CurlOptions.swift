#if canImport(Glibc)
  import Glibc
#endif

/// How a `CurlClient` works.
public struct CurlOptions: Sendable {
  /// Requests in flight at once, and connections kept open; 1 ... 1024.
  public var maxConnections = 16
  /// Bound for name resolution, TCP connect and TLS handshake together.
  public var connectTimeoutMilliseconds = 5_000
  /// The largest body accepted, counted after decompression.
  public var maxResponseBytes = 16 << 20
  /// A connection idle for longer is not used again. Keep it below the server's own keep-alive time.
  public var idleConnectionSeconds = 20
  /// A connection older than this is not used for another request.
  public var maxConnectionLifetimeSeconds = 300
  /// A PEM bundle of the trusted authorities; nil: the system's.
  public var certificateAuthorityFile: String?
  /// Whether `http://` URLs are accepted.
  public var allowsPlainHTTP = false
  /// The `User-Agent` sent.
  public var userAgent = "ferry"
  /// A request during which no byte moves for this long ends with `.timeout`, also while the server is still
  /// working on its answer; 0 switches it off.
  public var lowSpeedSeconds = 20
  /// Whether a request's headers wait for its body, so that both leave in one segment where they fit. It asks for what
  /// is always done: both are one system call, or one TLS record. Kept for those who set it.
  public var joinsHeadersAndBody = false
  /// How many requests may be in flight from now on, asked after each that has ended, before its caller hears of it;
  /// what it says is taken as 1 ... `maxConnections`. More in flight than that end as they will. Called on the client's
  /// thread, so it must be quick. Nil: always `maxConnections`.
  public var steer: (@Sendable (HTTPTransfer) -> Int)?
  /// Told of each request that was handed to the network and has ended: its tag, and how long it took from leaving the queue,
  /// connecting included. Called on the client's thread before its caller hears of it, so it must be quick.
  public var onEnd: (@Sendable (_ tag: Int, _ took: Duration) -> Void)?
  /// Told of each connection with TLS that was made when the server's certificate ends, in seconds since 1970 UTC. Called on the
  /// client's thread, so it must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?

  /// The defaults.
  public init() {}

  func check() throws(HTTPFailure) {
    func refuse(_ what: String) -> HTTPFailure { HTTPFailure(kind: .invalid, description: what) }
    guard 1...1024 ~= maxConnections else { throw refuse("maxConnections must be 1 to 1024") }
    guard 1...3_600_000 ~= connectTimeoutMilliseconds else {
      throw refuse("connectTimeoutMilliseconds must be 1 to 3600000")
    }
    guard 0...(1 << 30) ~= maxResponseBytes else { throw refuse("maxResponseBytes must be 0 to 1 GiB") }
    guard 1...86_400 ~= idleConnectionSeconds, 1...86_400 ~= maxConnectionLifetimeSeconds else {
      throw refuse("idleConnectionSeconds and maxConnectionLifetimeSeconds must be 1 to 86400")
    }
    guard 0...3_600 ~= lowSpeedSeconds else { throw refuse("lowSpeedSeconds must be 0 to 3600") }
    guard isHeaderValue(userAgent) else { throw refuse("userAgent holds a control character") }
    // SAFETY: the path is a C string for the length of the call.
    if let file = certificateAuthorityFile, unsafe access(file, R_OK) != 0 {
      throw refuse("certificateAuthorityFile cannot be read")
    }
  }
}
