internal import CCurl

#if canImport(Glibc)
  import Glibc
#endif

/// Percent-encodes a value for a query string: every byte but RFC 3986's unreserved ones becomes `%XX`.
public func percentEncoded(query value: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var bytes: [UInt8] = []
  bytes.reserveCapacity(value.utf8.count)
  for byte in value.utf8 {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      bytes.append(byte)
    default:
      bytes.append(UInt8(ascii: "%"))
      bytes.append(digits[Int(byte >> 4)])
      bytes.append(digits[Int(byte & 15)])
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// Whether the text is an HTTP token (RFC 9110), as a header's name must be.
func isToken(_ text: String) -> Bool {
  !text.isEmpty
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
    }
}

/// Whether the text may stand as a header's value: no control character but the tab.
func isHeaderValue(_ text: String) -> Bool {
  text.utf8.allSatisfy { $0 == 9 || ($0 >= 32 && $0 != 127) }
}

/// Headers the client writes itself; a second one would let two readers disagree about where the request ends.
private let ownHeaders: Set<String> = [
  "content-length", "transfer-encoding", "expect", "connection", "accept-encoding",
]

/// Why a request cannot be performed, or nil.
/// - Parameter soundHeaders: headers that were in order lately; they are not read again, for most requests have the same.
func defect(of request: HTTPRequest, allowsPlainHTTP: Bool, soundHeaders: inout [HTTPHeader]) -> String? {
  let url = request.url
  guard url.utf8.count <= 16_384 else { return "the URL is longer than 16 KiB" }
  guard url.utf8.allSatisfy({ 33...126 ~= $0 }) else { return "the URL holds a space, a control or a non-ASCII byte" }
  if isPlainHTTP(url) {
    guard allowsPlainHTTP else { return "http:// is not allowed here" }
  } else if !hasScheme(url, "https://") {
    return "the URL's scheme is not https"
  }
  guard 1...3_600_000 ~= request.timeoutMilliseconds else { return "timeoutMilliseconds must be 1 to 3600000" }
  if request.method == .get, !request.body.isEmpty { return "a GET has no body" }
  if request.headers == soundHeaders { return nil }
  for header in request.headers {
    guard isToken(header.name) else { return "a header's name is not a token" }
    guard isHeaderValue(header.value) else { return "a header's value holds a control character" }
    guard !ownHeaders.contains(header.name.lowercased()) else { return "a header is the client's own" }
  }
  soundHeaders = request.headers
  return nil
}

/// Whether the URL's scheme is `http`.
func isPlainHTTP(_ url: String) -> Bool { hasScheme(url, "http://") }

private func hasScheme(_ url: String, _ scheme: String) -> Bool {
  url.utf8.count > scheme.utf8.count
    && zip(url.utf8, scheme.utf8).allSatisfy { have, want in have == want || have | 0x20 == want && want >= 97 }
}

/// Scheme, host and path of a URL, for messages: the user part, the query and the fragment are left out.
func shownURL(_ url: String) -> String {
  guard let mark = url.range(ofASCII: "://") else { return "a URL without a scheme" }
  let rest = url[mark...].prefix { $0 != "?" && $0 != "#" }
  // Up to the last @, even one in the path: a password that was not percent-encoded may hold anything.
  let place = rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest
  let shown = "\(url[..<mark])\(place)".unicodeScalars.prefix(200).map { 33...126 ~= $0.value ? $0 : "?" }
  return String(String.UnicodeScalarView(shown))
}

extension String {
  /// The index behind the first occurrence of an ASCII text.
  fileprivate func range(ofASCII text: String) -> Index? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) { return self.index(index, offsetBy: text.count) }
      index = self.index(after: index)
    }
    return nil
  }
}

/// What a `Retry-After` value asks for, clamped to 0 ... 3600 seconds; nil when it is neither digits nor a date.
/// - Parameter date: reads an HTTP date as seconds from now; nil when it is none.
func retryAfterSeconds(_ value: String, date: (String) -> Int?) -> Int? {
  let text = value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
  guard let first = text.first, first.isASCII else { return nil }
  if text.allSatisfy({ $0.isASCII && $0.isNumber }) {
    // More digits than Int holds is still only "long".
    return min(Int(String(text)) ?? 3_600, 3_600)
  }
  // Every form of an HTTP date starts with the weekday; libcurl's reader would take much else for a date too.
  guard first.isLetter else { return nil }
  return date(String(text)).map { max(0, min($0, 3_600)) }
}

/// Reads an HTTP date as seconds from another one, and only without that from this machine's clock: the two may differ by
/// hours. Nil when it is none.
func secondsUntil(_ date: String, from other: String?) -> Int? {
  // SAFETY: it takes nothing but the text.
  let then = unsafe curl_getdate(date, nil)
  if then < 0 { return nil }
  // SAFETY: as above.
  let now = other.map { unsafe curl_getdate($0, nil) } ?? -1
  return then - (now < 0 ? time(nil) : now)
}
