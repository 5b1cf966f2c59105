import JSON
import Testing

/// Where Ferry's reader and Foundation's disagree on purpose.
enum Difference: String, Hashable, Sendable {
  /// Ferry keeps the number's text and leaves its range to the reader.
  case beyondDouble = "a number beyond Double's range is a number"
  /// JSON does not have it; a sender that writes it is broken in other ways too.
  case trailingComma = "a comma before a closing bracket is refused"
  /// RFC 8259 forbids senders to add one; none of both vendors does.
  case byteOrderMark = "a byte order mark is refused"
  /// RFC 8259 knows UTF-8 alone between systems.
  case wideEncoding = "UTF-16 and UTF-32 are refused"
  /// 64 by default here, 512 there.
  case depth = "nesting beyond the limit is refused"

  struct Example: Sendable, CustomTestStringConvertible {
    let difference: Difference
    let bytes: [UInt8]

    var testDescription: String { difference.rawValue }
  }

  static let examples = [
    Example(difference: .beyondDouble, bytes: Array("[1e999]".utf8)),
    Example(difference: .beyondDouble, bytes: Array(#"{"a":-123456e456789}"#.utf8)),
    Example(difference: .trailingComma, bytes: Array("[1,2 , ]".utf8)),
    Example(difference: .trailingComma, bytes: Array(#"{"a":1,}"#.utf8)),
    Example(difference: .byteOrderMark, bytes: [0xEF, 0xBB, 0xBF, 0x5B, 0x5D]),
    Example(difference: .wideEncoding, bytes: [0x5B, 0x00, 0x5D, 0x00]),
    Example(difference: .wideEncoding, bytes: [0x00, 0x5B, 0x00, 0x31, 0x00, 0x5D]),
    Example(difference: .wideEncoding, bytes: [0x5B, 0, 0, 0, 0x5D, 0, 0, 0]),
    Example(
      difference: .depth, bytes: [UInt8](repeating: 0x5B, count: 65) + [UInt8](repeating: 0x5D, count: 65)),
  ]

  /// The difference that explains why only one of both took `bytes`; nil when there is none. `error` is Ferry's.
  init?(_ bytes: [UInt8], _ error: JSONError?) {
    guard let error else {
      guard let document = try? JSONDocument(bytes), Self.hasNumberBeyondDouble(document.root) else { return nil }
      self = .beyondDouble
      return
    }
    switch error.kind {
    case .tooDeep: self = .depth
    case .unexpectedByte where bytes.starts(with: [0xEF, 0xBB, 0xBF]): self = .byteOrderMark
    case .unexpectedByte where bytes.prefix(4).contains(0): self = .wideEncoding
    case .unexpectedByte where bytes[error.offset] == 0x5D || bytes[error.offset] == 0x7D:
      // What stands before the bracket must be a comma, space aside.
      let before = bytes[..<error.offset].last { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
      guard before == 0x2C else { return nil }
      self = .trailingComma
    default: return nil
    }
  }

  private static func hasNumberBeyondDouble(_ value: JSONValue) -> Bool {
    if let text = value.numberText { return Double(text)?.isFinite != true }
    return value.elements.contains(where: hasNumberBeyondDouble)
      || value.members.contains { hasNumberBeyondDouble($0.value) }
  }
}
