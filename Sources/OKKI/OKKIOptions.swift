internal import Curl
public import Pipeline

/// How OKKI is reached, as whom, and how fast.
public struct OKKIOptions: Sendable, CustomStringConvertible, CustomReflectable {
  /// Scheme, host and port, without `/v1`; there is no test server, every write is live (vendor-apis.md B.1).
  public var url: String
  /// 企业管理 → 外部对接 → API对接.
  public var clientID: String
  /// Secret that belongs to `clientID`.
  public var clientSecret: String
  /// Rights asked for with the token, separated by spaces.
  public var scope = "invoices company"
  /// Requests a second over the whole installation, above 0, at most 1,000,000. The vendor publishes no limit
  /// (vendor-apis.md B.4).
  public var ratePerSecond: Double
  /// Requests that may go at once after a pause, 1...`mostBurst`.
  public var burst = 10
  /// Most of them.
  public static let mostBurst = 100_000
  /// The installation's rate limit, which all processes lease from; nil: this process limits itself alone. With it at most
  /// a fifth of a second's requests go at once.
  public var rateLedger: (any RateLedger)?
  /// The installation's tokens; nil: this process gets one for itself.
  public var tokenStore: (any TokenStore)?
  /// Where requests are counted and timed; nil: nowhere.
  public var metrics: PartnerMetrics?
  /// Requests under way at a time, 1...256.
  public var concurrency = 8
  /// Bound for one request once it is sent, in milliseconds. The vendor allows 60 seconds.
  public var timeoutMilliseconds = 30_000
  /// How often a request that failed for the moment is sent again before its caller hears of it, 0...10: at once, then
  /// after 0.2, 0.4, 0.8 … 5 seconds.
  public var retries = 4
  /// Told when a request has ended, whatever came of it: of a call that takes many, it shows that it gets on. Must not block.
  public var onProgress: @Sendable () -> Void = {}
  /// The longest pause that is waited out inside a call, in seconds. When the vendor asks for a longer one, the call
  /// ends with `.throttled`.
  public var patienceSeconds = 30
  /// The largest answer taken, in bytes.
  public var maxAnswerBytes = 8 << 20
  /// The largest single order taken, in bytes.
  public var maxOrderBytes = 1 << 20
  /// PEM bundle of the trusted authorities; nil: the system's.
  public var certificateAuthorityFile: String?
  /// Told of each connection with TLS when the server's certificate ends, in seconds since 1970 UTC. Must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?
  /// Whether a `http://` URL is taken. Credentials and orders are then readable on the wire.
  public var allowsPlainHTTP = false

  /// Options with the defaults above.
  public init(url: String, clientID: String, clientSecret: String, ratePerSecond: Double) {
    self.url = url
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.ratePerSecond = ratePerSecond
  }

  /// Never shows the secret.
  public var description: String { "OKKI at \(url), client \(clientID)" }
  /// Never shows the secret.
  public var customMirror: Mirror { Mirror(self, children: ["url": url, "clientID": clientID]) }

  func check() throws(SetupProblem) {
    func refuse(_ name: String, _ range: String) -> SetupProblem {
      SetupProblem("OKKI's \(name) is out of range.", remedy: "Give \(range).")
    }
    guard !clientID.isEmpty, !clientSecret.isEmpty else {
      throw SetupProblem("OKKI's client id or secret is empty.", remedy: "Copy both from 企业管理 → 外部对接 → API对接.")
    }
    guard ratePerSecond > 0, ratePerSecond <= 1_000_000 else {
      throw refuse("rate", "more than 0, at most 1000000 a second")
    }
    guard 1...Self.mostBurst ~= burst else { throw refuse("burst", "1 to \(Self.mostBurst)") }
    guard 1...256 ~= concurrency else { throw refuse("concurrency", "1 to 256") }
    guard 0...10 ~= retries else { throw refuse("number of retries", "0 to 10") }
    guard 0...3600 ~= patienceSeconds else { throw refuse("patience", "0 to 3600 seconds") }
    guard 1...600_000 ~= timeoutMilliseconds else { throw refuse("timeout", "1 to 600000 milliseconds") }
    guard 1...(256 << 20) ~= maxAnswerBytes, 1...maxAnswerBytes ~= maxOrderBytes else {
      throw refuse("answer limit", "at most 256 MiB, and not less than the limit of one order")
    }
  }

  /// The URL without slashes at its end.
  var base: String {
    var text = Substring(url)
    while text.last == "/" { text = text.dropLast() }
    return String(text)
  }

  var curl: CurlOptions {
    var curl = CurlOptions()
    curl.maxConnections = concurrency
    curl.maxResponseBytes = maxAnswerBytes
    curl.certificateAuthorityFile = certificateAuthorityFile
    curl.onCertificate = onCertificate
    curl.allowsPlainHTTP = allowsPlainHTTP
    return curl
  }
}
