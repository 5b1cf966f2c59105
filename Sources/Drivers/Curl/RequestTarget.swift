internal import CCurl

/// Whom a URL asks, and for what.
struct RequestTarget {
  /// Scheme, host and port, as libcurl is asked to connect to and as connections are told apart: `http://host:80/`.
  let origin: String
  let isTLS: Bool
  /// The value of `Host`.
  let hostField: String
  /// What the URL's user part asks `Authorization` to be.
  var authorization: String?
  /// Path and query where they are not what stands in the URL behind scheme and authority.
  var path: String?
  /// Scheme and authority as they stand in the URL; empty where the URL had to be put in order.
  var prefix: [UInt8] = []

  /// Takes a URL apart.
  /// - Parameter url: printable ASCII with scheme `http` or `https`.
  /// - Returns: nil when it is no such URL.
  static func of(_ url: String) -> RequestTarget? { common(url) ?? odd(url) }

  /// The common case: a name or an IPv4 address, maybe a port, and a path that stays as it is.
  private static func common(_ url: String) -> RequestTarget? {
    let bytes = Array(url.utf8)
    let isTLS = !isPlainHTTP(url)
    let start = isTLS ? 8 : 7
    guard bytes.count > start else { return nil }
    var end = start
    while end < bytes.count, bytes[end] != 47, bytes[end] != 63, bytes[end] != 35 { end += 1 }
    let authority = bytes[start..<end]
    let hostEnd = authority.firstIndex(of: 58) ?? end
    guard hostEnd > start, authority[..<hostEnd].allSatisfy(isOfName), isPlainPath(bytes.span, from: end) else {
      return nil
    }
    let standard = isTLS ? 443 : 80
    var port = standard
    if hostEnd < end {
      let digits = authority[(hostEnd + 1)...]
      guard 1...5 ~= digits.count, digits.allSatisfy(isDigit) else { return nil }
      port = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
      guard 1...65_535 ~= port else { return nil }
    }
    let host = String(decoding: authority[..<hostEnd], as: UTF8.self)
    return RequestTarget(
      origin: "\(isTLS ? "https" : "http")://\(host.lowercased()):\(port)/", isTLS: isTLS,
      hostField: port == standard ? host : "\(host):\(port)", prefix: Array(bytes[..<end]))
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    isDigit(byte) || 97...122 ~= lowercased(byte) || byte == 45 || byte == 46 || byte == 95
  }

  /// Whether path and query are sent as they are: without a fragment, and no segment begins with a dot, which may lead
  /// upwards.
  static func isPlainPath(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    for place in start..<bytes.count {
      if bytes[place] == 35 || bytes[place] == 46 && place > start && bytes[place - 1] == 47 { return false }
    }
    return true
  }

  /// All others, as libcurl reads them.
  private static func odd(_ url: String) -> RequestTarget? {
    // SAFETY: the handle is used here alone and freed at the end; the text is a C string for the length of the call.
    guard let handle = unsafe curl_url() else { return nil }
    defer { unsafe curl_url_cleanup(handle) }
    guard unsafe curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK else { return nil }
    func part(_ what: CURLUPart, _ flags: Int32 = 0) -> String? {
      var text: UnsafeMutablePointer<CChar>?
      // SAFETY: libcurl gives a NUL-terminated string, which is copied and freed.
      guard unsafe curl_url_get(handle, what, &text, UInt32(flags)) == CURLUE_OK, let text = unsafe text else {
        return nil
      }
      defer { unsafe curl_free(text) }
      return unsafe String(cString: text)
    }
    guard let host = part(CURLUPART_HOST), let port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT) else { return nil }
    let isTLS = !isPlainHTTP(url)
    // An address's zone is for connecting alone.
    let zone = part(CURLUPART_ZONEID).map { "%25\($0)]" } ?? "]"
    let name = host.lowercased()
    let place = host.hasSuffix("]") ? name.dropLast() + zone : name
    var target = RequestTarget(
      origin: "\(isTLS ? "https" : "http")://\(place):\(port)/", isTLS: isTLS,
      hostField: port == (isTLS ? "443" : "80") ? host : "\(host):\(port)")
    target.path = (part(CURLUPART_PATH) ?? "/") + (part(CURLUPART_QUERY).map { "?\($0)" } ?? "")
    if let user = part(CURLUPART_USER, CURLU_URLDECODE) {
      let pair = "\(user):\(part(CURLUPART_PASSWORD, CURLU_URLDECODE) ?? "")"
      target.authorization = "Basic \(base64(Array(pair.utf8)))"
    }
    // What libcurl decodes of a host's percent signs must not end up between header lines.
    guard target.origin.utf8.allSatisfy({ 33...126 ~= $0 }), isHeaderValue(target.hostField) else { return nil }
    return target
  }
}

/// RFC 4648's base 64, with padding.
func base64(_ bytes: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let part = bytes[start..<min(start + 3, bytes.count)]
    let value = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
    for place in 0..<4 { text.append(place <= part.count ? digits[value >> (18 - 6 * place) & 63] : 61) }
  }
  return String(decoding: text, as: UTF8.self)
}

/// Writes what goes before a request's body. Most requests share with the one before whom they ask and their headers;
/// these are kept.
struct RequestHead {
  private let userAgent: String
  private var target: RequestTarget?
  private var headers: [HTTPHeader] = []
  /// `Host` and what follows, but for Content-Length.
  private var fields: [UInt8] = []

  init(userAgent: String) { self.userAgent = userAgent }

  /// Request line and header lines.
  /// - Parameter bytes: they are added to these.
  /// - Returns: whom to send them; nil when the URL cannot be read.
  mutating func write(_ request: HTTPRequest, to bytes: inout [UInt8]) -> (origin: String, isTLS: Bool)? {
    let url = request.url.utf8.span
    if let target, isOf(target, url), request.headers == headers {
      write(request, target, url, to: &bytes)
      return (target.origin, target.isTLS)
    }
    guard let target = RequestTarget.of(request.url) else { return nil }
    list(request.headers, target)
    write(request, target, url, to: &bytes)
    // What is not written as it stands must be taken apart each time.
    self.target = target.prefix.isEmpty ? nil : target
    headers = request.headers
    return (target.origin, target.isTLS)
  }

  private func isOf(_ target: RequestTarget, _ url: Span<UInt8>) -> Bool {
    let end = target.prefix.count
    guard url.count >= end else { return false }
    for place in 0..<end where url[place] != target.prefix[place] { return false }
    if url.count == end { return true }
    return (url[end] == 47 || url[end] == 63) && RequestTarget.isPlainPath(url, from: end)
  }

  private func write(_ request: HTTPRequest, _ target: RequestTarget, _ url: Span<UInt8>, to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + url.count + fields.count + 64)
    bytes.append(contentsOf: request.method.rawValue.utf8)
    bytes.append(32)
    if let path = target.path {
      bytes.append(contentsOf: path.utf8)
    } else {
      let rest = url.extracting(target.prefix.count..<url.count)
      if rest.isEmpty || rest[0] == 63 { bytes.append(47) }
      // SAFETY: the bytes are copied within the call.
      unsafe rest.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
    bytes.append(contentsOf: fields)
    if request.method == .post || request.method == .put || !request.body.isEmpty {
      bytes.append(contentsOf: "Content-Length: \(request.body.count)\r\n".utf8)
    }
    bytes.append(13)
    bytes.append(10)
  }

  private mutating func list(_ headers: [HTTPHeader], _ target: RequestTarget) {
    var text = " HTTP/1.1\r\n"
    let given = Set(headers.map { $0.name.lowercased() })
    func add(_ name: String, _ value: String) {
      if !given.contains(name.lowercased()) { text += "\(name): \(value)\r\n" }
    }
    add("Host", target.hostField)
    if let authorization = target.authorization { add("Authorization", authorization) }
    if !userAgent.isEmpty { add("User-Agent", userAgent) }
    add("Accept", "*/*")
    add("Accept-Encoding", "gzip")
    for header in headers {
      let isEmpty = header.value.utf8.allSatisfy { $0 == 32 || $0 == 9 }
      text += isEmpty ? "\(header.name):\r\n" : "\(header.name): \(header.value)\r\n"
    }
    fields = Array(text.utf8)
  }
}
