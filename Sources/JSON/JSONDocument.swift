/// A JSON text and where its values stand in it.
///
/// The text is kept as it came: numbers are read from their digits, never through a binary float, keys keep their order,
/// and any value can be handed on byte for byte (`JSONValue.rawBytes`). Parsing is strict RFC 8259 with limits.
public final class JSONDocument: Sendable {
  let bytes: [UInt8]
  /// Never written again; in memory of their own, so that reading one counts no reference.
  nonisolated(unsafe) let nodes: UnsafeMutableBufferPointer<JSONNode>

  /// Scans a text.
  /// - Throws: `JSONError` with kind and byte offset; a document is either wholly good or refused.
  public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    self.bytes = bytes
    let scanned = bytes.withUnsafeBufferPointer { buffer -> Result<UnsafeMutableBufferPointer<JSONNode>, JSONError> in
      do throws(JSONError) { return .success(try JSONScanner.scan(buffer, limits: limits)) } catch {
        return .failure(error)
      }
    }
    self.nodes = try scanned.get()
  }

  deinit { nodes.deallocate() }

  /// The outermost value.
  public var root: JSONValue { JSONValue(document: self, index: 0) }

  /// Size of the text in bytes.
  public var byteCount: Int { bytes.count }

  @inline(__always)
  func withBytes<Result>(from start: UInt32, to end: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[Int(start)..<Int(end)])) }
  }
}

/// One value of a document: a view, cheap to copy, that keeps its document alive.
public struct JSONValue: Sendable {
  /// The seven of RFC 8259, with `true` and `false` as one.
  public enum Kind: String, Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case bool
    /// a number, kept as its text
    case number
    /// a string
    case string
    /// an array
    case array
    /// an object
    case object
  }

  let document: JSONDocument
  let index: Int

  private var node: JSONNode { document.nodes[index] }

  /// What it is.
  public var kind: Kind { node.kind }
  /// Whether it is `null`.
  public var isNull: Bool { node.kind == .null }

  /// Elements of an array or members of an object; 0 for anything else.
  public var count: Int { Int(node.count) }

  /// The bytes of the value exactly as they stand in the document, without surrounding space.
  public var rawBytes: ArraySlice<UInt8> { document.bytes[Int(node.start)..<Int(node.end)] }

  /// The content of a string, unescaped; nil for any other kind.
  public var string: String? {
    let node = node
    guard node.kind == .string else { return nil }
    return document.withBytes(from: node.start + 1, to: node.end - 1) {
      node.isEscaped ? unescaped($0) : String(decoding: $0, as: UTF8.self)
    }
  }

  /// The digits of a number exactly as sent (`1.50` stays `1.50`); nil for any other kind.
  public var numberText: String? {
    let node = node
    guard node.kind == .number else { return nil }
    return document.withBytes(from: node.start, to: node.end) { String(decoding: $0, as: UTF8.self) }
  }

  /// A string's content or a number's text: vendors send ids as either (vendor-apis.md B.11).
  public var text: String? { node.kind == .number ? numberText : string }

  /// `true` or `false`; nil for any other kind.
  public var bool: Bool? { node.kind == .bool ? document.bytes[Int(node.start)] == UInt8(ascii: "t") : nil }

  /// An integer number in Int64's range; nil for fractions, exponents, strings and anything larger.
  public var int64: Int64? {
    let node = node
    guard node.kind == .number else { return nil }
    return document.withBytes(from: node.start, to: node.end) { exactInt64($0) }
  }

  /// The number's exact value; nil for other kinds and for more than 38 digits.
  public var decimal: ExactDecimal? {
    let node = node
    guard node.kind == .number else { return nil }
    return document.withBytes(from: node.start, to: node.end) { ExactDecimal(utf8: $0) }
  }

  /// The value of a member; nil when this is no object or has no such key. Of a repeated key the last one counts.
  public subscript(_ key: String) -> JSONValue? {
    let node = node
    guard node.kind == .object else { return nil }
    var key = key
    let found = key.withUTF8 { document.member($0, of: index) }
    return found < 0 ? nil : JSONValue(document: document, index: found)
  }

  /// The element at a position from 0; nil when this is no array or is shorter.
  public subscript(_ position: Int) -> JSONValue? {
    guard node.kind == .array, position >= 0, position < count else { return nil }
    var at = index + 1
    for _ in 0..<position { at = Int(document.nodes[at].next) }
    return JSONValue(document: document, index: at)
  }

  /// The elements of an array in order; empty for any other kind.
  public var elements: JSONElements { JSONElements(self) }

  /// The members of an object in the order of the text, repeated keys included; empty for any other kind.
  public var members: JSONMembers { JSONMembers(self) }
}

/// The elements of an array.
public struct JSONElements: Sequence, IteratorProtocol, Sendable {
  private let document: JSONDocument
  private var at: Int
  private let end: Int

  init(_ value: JSONValue) {
    document = value.document
    at = value.index + 1
    end = value.kind == .array ? Int(value.document.nodes[value.index].next) : at
  }

  /// The next element.
  public mutating func next() -> JSONValue? {
    guard at < end else { return nil }
    defer { at = Int(document.nodes[at].next) }
    return JSONValue(document: document, index: at)
  }
}

/// The members of an object.
public struct JSONMembers: Sequence, IteratorProtocol, Sendable {
  private let document: JSONDocument
  private var at: Int
  private let end: Int

  init(_ value: JSONValue) {
    document = value.document
    at = value.index + 1
    end = value.kind == .object ? Int(value.document.nodes[value.index].next) : at
  }

  /// The next member.
  public mutating func next() -> (key: String, value: JSONValue)? {
    guard at < end, let key = JSONValue(document: document, index: at).string else { return nil }
    defer { at = Int(document.nodes[at + 1].next) }
    return (key, JSONValue(document: document, index: at + 1))
  }
}

private func exactInt64(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
  let isNegative = text.first == UInt8(ascii: "-")
  var value: Int64 = 0
  for byte in text.dropFirst(isNegative ? 1 : 0) {
    let digit = Int64(byte) - 0x30
    guard (0...9).contains(digit) else { return nil }
    let (scaled, tooLarge) = value.multipliedReportingOverflow(by: 10)
    // Counted downwards, since Int64.min has no positive counterpart.
    let (next, tooLargeToo) = scaled.subtractingReportingOverflow(digit)
    if tooLarge || tooLargeToo { return nil }
    value = next
  }
  if isNegative { return value }
  return value == .min ? nil : -value
}
