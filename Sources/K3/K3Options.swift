internal import Curl
public import Pipeline

/// How K/3 WISE is reached, as whom, and how its refusals are understood.
public struct K3Options: Sendable, CustomStringConvertible, CustomReflectable {
  /// Scheme, host and port of the site's IIS; `/K3API` at its end is taken off.
  public var url: String
  /// 授权码 of the site's EBDI 企业联盟平台; selects account set and user (vendor-apis.md A.3).
  public var authorityCode: String
  /// Most requests under way at a time, 1...256. Public hints suggest few (A.13).
  public var concurrency = 2
  /// Fewest requests under way at a time that a K/3 with too much to do brings it down to, 1...`concurrency`.
  public var concurrencyFloor = 1
  /// Bound for one Save once it is sent, in milliseconds. Must be below the ledger's lease.
  public var saveTimeoutMilliseconds = 60_000
  /// Bound for one reading request once it is sent, in milliseconds.
  public var readTimeoutMilliseconds = 15_000
  /// A token is not used during its last so many seconds; at most half its life.
  public var tokenMarginSeconds: Int64 = 100
  /// The installation's tokens; nil: this process gets one for itself.
  public var tokenStore: (any TokenStore)?
  /// Where requests are counted and timed; nil: nowhere.
  public var metrics: PartnerMetrics?
  /// How refusals are told apart.
  public var messages = K3Messages()
  /// The largest answer taken, in bytes.
  public var maxAnswerBytes = 4 << 20
  /// PEM bundle of the trusted authorities; nil: the system's.
  public var certificateAuthorityFile: String?
  /// Told of each connection with TLS when the server's certificate ends, in seconds since 1970 UTC. Must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?
  /// Whether a `http://` URL is taken. K/3's own IIS has no TLS by default (A.1).
  public var allowsPlainHTTP = false

  /// Options with the defaults above.
  public init(url: String, authorityCode: String) {
    self.url = url
    self.authorityCode = authorityCode
  }

  /// Never shows the authority code.
  public var description: String { "K/3 at \(url)" }
  /// Never shows the authority code.
  public var customMirror: Mirror { Mirror(self, children: ["url": url, "concurrency": concurrency]) }

  func check() throws(SetupProblem) {
    func refuse(_ name: String, _ range: String) -> SetupProblem {
      SetupProblem("K/3's \(name) is out of range.", remedy: "Give \(range).")
    }
    guard !authorityCode.isEmpty else {
      throw SetupProblem("K/3's authority code is empty.", remedy: "Copy it from EBDI 企业联盟平台.")
    }
    guard 1...256 ~= concurrency else { throw refuse("concurrency", "1 to 256") }
    guard 1...concurrency ~= concurrencyFloor else { throw refuse("least concurrency", "1 to the concurrency") }
    guard 1...3_600_000 ~= saveTimeoutMilliseconds, 1...3_600_000 ~= readTimeoutMilliseconds else {
      throw refuse("timeout", "1 to 3600000 milliseconds")
    }
    guard 0...86_400 ~= tokenMarginSeconds else { throw refuse("token margin", "0 to 86400 seconds") }
    guard 1024...(64 << 20) ~= maxAnswerBytes else { throw refuse("answer limit", "1 KiB to 64 MiB") }
  }

  /// The URL up to and with `/K3API`.
  var base: String {
    var text = Substring(url)
    while text.last == "/" { text = text.dropLast() }
    if text.lowercased().hasSuffix("/k3api") { text = text.dropLast(6) }
    return text + "/K3API"
  }

  var curl: CurlOptions {
    var curl = CurlOptions()
    curl.maxConnections = concurrency
    curl.maxResponseBytes = maxAnswerBytes
    curl.certificateAuthorityFile = certificateAuthorityFile
    curl.onCertificate = onCertificate
    curl.allowsPlainHTTP = allowsPlainHTTP
    // K/3 may think longer about a Save than a quiet line would be given; the Save's own timeout decides.
    curl.lowSpeedSeconds = 0
    curl.joinsHeadersAndBody = true
    return curl
  }
}
