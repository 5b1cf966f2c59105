/// Why a text is no broker address. Never holds any part of the address, which may contain a password.
public struct AMQPAddressError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence for a person.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Where the broker is and who we are there: `amqp://user:password@host:port/virtualhost`, or `amqps://` for TLS.
public struct AMQPAddress: Sendable, Equatable, CustomStringConvertible {
  /// Name or IP address, without the brackets of an IPv6 address.
  public let host: String
  /// 1 to 65535; 5672 when the text had none, 5671 with TLS.
  public let port: Int
  /// "/" when the text had none.
  public let virtualHost: String
  /// "guest" when the text had none, as every AMQP client has it.
  public let user: String
  /// "guest" when the text had none.
  public let password: String
  /// True for `amqps://`.
  public let usesTLS: Bool

  /// The address without its password, fit for logs.
  public var description: String {
    let place = host.contains(":") ? "[\(host)]" : host
    return "\(usesTLS ? "amqps" : "amqp")://\(user):***@\(place):\(port) virtual host \(virtualHost)"
  }

  /// Reads an address.
  /// - Parameter url: user, password and virtual host may be percent-encoded; parameters (`?`) are refused because
  ///   they would be ignored.
  /// - Throws: what is wrong with the text, without quoting it.
  public init(_ url: String) throws(AMQPAddressError) {
    let rest: Substring
    if url.hasPrefix("amqp://") {
      (usesTLS, rest) = (false, url.dropFirst(7))
    } else if url.hasPrefix("amqps://") {
      (usesTLS, rest) = (true, url.dropFirst(8))
    } else {
      throw AMQPAddressError("a broker address begins with amqp:// or amqps://")
    }
    if rest.contains("?") || rest.contains("#") {
      throw AMQPAddressError("a broker address has no parameters (? or #); percent-encode these characters")
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let path = rest[slash...].dropFirst()
    if path.contains("/") { throw AMQPAddressError("a / inside the virtual host is written %2F") }
    virtualHost = path.isEmpty ? "/" : try Self.decoded(path, "virtual host")

    let authority = rest[..<slash]
    let at = authority.lastIndex(of: "@")
    (user, password) = try Self.credentials(at.map { authority[..<$0] })
    (host, port) = try Self.place(
      at.map { authority[authority.index(after: $0)...] } ?? authority, defaultPort: usesTLS ? 5671 : 5672)
  }

  private static func credentials(_ text: Substring?) throws(AMQPAddressError) -> (String, String) {
    guard let text, !text.isEmpty else { return ("guest", "guest") }
    guard let colon = text.firstIndex(of: ":") else { return (try decoded(text, "user"), "guest") }
    return (try decoded(text[..<colon], "user"), try decoded(text[text.index(after: colon)...], "password"))
  }

  private static func place(_ text: Substring, defaultPort: Int) throws(AMQPAddressError) -> (String, Int) {
    let host: Substring
    let portText: Substring?
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { throw AMQPAddressError("the IPv6 address has no closing ]") }
      host = text[text.index(after: text.startIndex)..<end]
      let after = text[text.index(after: end)...]
      guard after.isEmpty || after.hasPrefix(":") else { throw AMQPAddressError("there is text behind the ]") }
      portText = after.isEmpty ? nil : after.dropFirst()
    } else {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count <= 2 else { throw AMQPAddressError("an IPv6 address stands in brackets: [::1]") }
      host = parts.first ?? ""
      portText = parts.count == 2 ? parts[1] : nil
    }
    let name = try decoded(host, "host")
    if name.isEmpty { throw AMQPAddressError("the broker address names no host") }
    guard let portText else { return (name, defaultPort) }
    guard portText.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(portText), (1...65535).contains(port)
    else { throw AMQPAddressError("the port is a number from 1 to 65535") }
    return (name, port)
  }

  private static func decoded(_ text: Substring, _ part: String) throws(AMQPAddressError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
        throw AMQPAddressError("the \(part) has a % that is not followed by two hexadecimal digits")
      }
      bytes.append(high << 4 | low)
    }
    // These texts go to C as NUL-terminated strings; a control character in them is always a mistake.
    if bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw AMQPAddressError("the \(part) contains a control character")
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw AMQPAddressError("the \(part) is not UTF-8")
    }
    return decoded
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }
}
