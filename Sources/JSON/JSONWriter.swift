/// Writes compact JSON text.
///
/// The caller is responsible for calling begin/end in pairs and `key` before each member's value; the writer puts the
/// commas. Numbers are written from their text, so what was read as `1.50` leaves as `1.50`.
public struct JSONWriter: Sendable {
  /// The text so far, UTF-8.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// An empty text.
  /// - Parameter capacity: bytes to set aside at once.
  public init(reserving capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// Begins a new text in the memory of the last one.
  public mutating func reset() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  /// `{`
  public mutating func beginObject() { open(UInt8(ascii: "{")) }
  /// `}`
  public mutating func endObject() { close(UInt8(ascii: "}")) }
  /// `[`
  public mutating func beginArray() { open(UInt8(ascii: "[")) }
  /// `]`
  public mutating func endArray() { close(UInt8(ascii: "]")) }

  /// A member's key; its value must follow.
  public mutating func key(_ key: String) {
    quoted(key, then: UInt8(ascii: ":"))
    needsComma = false
  }

  /// The same of a key that is known to need no escapes.
  mutating func plainKey(_ key: String) {
    var key = key
    key.withUTF8 { quotedPlain($0, then: UInt8(ascii: ":")) }
    needsComma = false
  }

  /// A string.
  public mutating func string(_ value: String) {
    quoted(value, then: nil)
    needsComma = true
  }

  /// A number, in plain notation.
  public mutating func number(_ value: ExactDecimal) {
    comma()
    value.withText { bytes.append(contentsOf: $0) }
  }

  /// A string of a number's plain notation.
  public mutating func digits(_ value: ExactDecimal) {
    value.withText { quotedPlain($0, then: nil) }
    needsComma = true
  }

  /// A number whose text is known to be JSON's grammar.
  public mutating func number(text: String) {
    comma()
    bytes.append(contentsOf: text.utf8)
  }

  /// An integer.
  public mutating func integer(_ value: Int64) {
    comma()
    bytes.append(contentsOf: String(value).utf8)
  }

  /// `true` or `false`.
  public mutating func bool(_ value: Bool) {
    comma()
    bytes.append(contentsOf: value ? "true".utf8 : "false".utf8)
  }

  /// `null`.
  public mutating func null() {
    comma()
    bytes.append(contentsOf: "null".utf8)
  }

  /// A value that is JSON already.
  public mutating func raw(_ value: some Collection<UInt8>) {
    comma()
    bytes.append(contentsOf: value)
  }

  private mutating func comma() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func open(_ bracket: UInt8) {
    comma()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  /// The comma where one is due, the string in quotes, and a byte after it.
  private mutating func quoted(_ value: String, then last: UInt8?) {
    var value = value
    value.withUTF8 { quoted($0, then: last) }
  }

  private mutating func quoted(_ utf8: UnsafeBufferPointer<UInt8>, then last: UInt8?) {
    guard isPlain(utf8) else {
      comma()
      bytes.append(UInt8(ascii: "\""))
      for byte in utf8 { escaped(byte) }
      bytes.append(UInt8(ascii: "\""))
      if let last { bytes.append(last) }
      return
    }
    quotedPlain(utf8, then: last)
  }

  /// The same of what needs no escapes: in one go, since this is most of what a document is made of.
  private mutating func quotedPlain(_ utf8: UnsafeBufferPointer<UInt8>, then last: UInt8?) {
    let needsComma = needsComma
    bytes.append(addingCapacity: utf8.count + 4) { span in
      span.withUnsafeMutableBufferPointer { buffer, count in
        guard var free = buffer.baseAddress.map({ $0 + count }) else { return }
        let start = free
        if needsComma {
          free.initialize(to: UInt8(ascii: ","))
          free += 1
        }
        free.initialize(to: UInt8(ascii: "\""))
        free += 1
        if let base = utf8.baseAddress {
          free.initialize(from: base, count: utf8.count)
          free += utf8.count
        }
        free.initialize(to: UInt8(ascii: "\""))
        free += 1
        if let last {
          free.initialize(to: last)
          free += 1
        }
        count += free - start
      }
    }
  }

  private mutating func escaped(_ byte: UInt8) {
    switch byte {
    case 0x22, 0x5C: bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
    case 0x0A: bytes.append(contentsOf: "\\n".utf8)
    case 0x0D: bytes.append(contentsOf: "\\r".utf8)
    case 0x09: bytes.append(contentsOf: "\\t".utf8)
    case 0..<0x20:
      let digits = Array("0123456789abcdef".utf8)
      bytes.append(contentsOf: "\\u00".utf8)
      bytes.append(digits[Int(byte >> 4)])
      bytes.append(digits[Int(byte & 15)])
    default: bytes.append(byte)
    }
  }
}

/// A JSON value that was made rather than read.
public enum JSONTree: Sendable, Equatable {
  /// `null`
  case null
  /// `true` or `false`
  case bool(Bool)
  /// a number by its value
  case number(ExactDecimal)
  /// a string
  case string(String)
  /// a string of a number's plain notation, which is written as `string` would be and need not be made a text before
  case digits(ExactDecimal)
  /// an array
  case array([JSONTree])
  /// an object, keys in writing order
  case object([JSONMember])

  /// Copies a value out of its document.
  public init(_ value: JSONValue) {
    switch value.kind {
    case .null: self = .null
    case .bool: self = .bool(value.bool ?? false)
    // A number that no ExactDecimal holds keeps its digits as text.
    case .number: self = value.decimal.map(JSONTree.number) ?? .string(value.numberText ?? "")
    case .string: self = .string(value.string ?? "")
    case .array: self = .array(value.elements.map(JSONTree.init))
    case .object: self = .object(value.members.map { JSONMember($0.key, JSONTree($0.value)) })
    }
  }

  /// The text of a string, however it is kept; nil for anything else.
  public var text: String? {
    switch self {
    case .string(let text): text
    case .digits(let number): number.description
    default: nil
    }
  }

  /// The same with all strings kept as texts, for whoever looks for them.
  public var plain: JSONTree {
    switch self {
    case .digits(let number): .string(number.description)
    case .array(let elements): .array(elements.map(\.plain))
    case .object(let members): .object(members.map { JSONMember($0.key, $0.value.plain) })
    case .null, .bool, .number, .string: self
    }
  }

  /// Writes the value.
  public func write(to writer: inout JSONWriter) {
    switch self {
    case .null: writer.null()
    case .bool(let value): writer.bool(value)
    case .number(let value): writer.number(value)
    case .string(let value): writer.string(value)
    case .digits(let value): writer.digits(value)
    case .array(let elements):
      writer.beginArray()
      for element in elements { element.write(to: &writer) }
      writer.endArray()
    case .object(let members):
      writer.beginObject()
      for member in members {
        if member.isPlain { writer.plainKey(member.key) } else { writer.key(member.key) }
        member.value.write(to: &writer)
      }
      writer.endObject()
    }
  }
}

/// One member of an object.
public struct JSONMember: Sendable, Equatable {
  /// Its key.
  public var key: String
  /// Its value.
  public var value: JSONTree
  /// Whether the key is known to need no escapes.
  fileprivate let isPlain: Bool

  /// A member.
  public init(_ key: String, _ value: JSONTree) {
    self.key = key
    self.value = value
    isPlain = false
  }

  /// A member whose key has been looked at before.
  /// - Parameter isPlain: what `isPlainKey` said of it.
  package init(_ key: String, _ value: JSONTree, isPlain: Bool) {
    self.key = key
    self.value = value
    self.isPlain = isPlain
  }

  /// Whether a key needs no escapes.
  package static func isPlainKey(_ key: String) -> Bool {
    var key = key
    return key.withUTF8 { JSON.isPlain($0) }
  }

  /// The same key and value, whatever is known of the key.
  public static func == (left: JSONMember, right: JSONMember) -> Bool {
    left.key == right.key && left.value == right.value
  }
}
