/// Bounds that a document must keep, so that no sender can exhaust a worker.
public struct JSONLimits: Sendable {
  /// Deepest nesting of arrays and objects; a scalar at the top is depth 0.
  public var maxDepth = 64
  /// Longest document, in bytes. The scanner itself cannot address more than 4 GiB.
  public var maxBytes = 16 << 20
  /// Longest string or key, in bytes as they stand in the text.
  public var maxStringBytes = 1 << 20
  /// Most values (scalars, arrays, objects and keys together).
  public var maxValues = 1_000_000

  /// The defaults above.
  public init() {}
}

/// Why a text is not a JSON document that Ferry takes.
///
/// Carries a place and a kind, never text of the document: it may go to a log.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong.
  public enum Kind: String, Sendable {
    /// The text ends inside a value, or is empty.
    case unexpectedEnd = "the text ends too early"
    /// A byte that cannot stand here.
    case unexpectedByte = "a byte that cannot stand here"
    /// Something follows the document.
    case trailingText = "text after the document"
    /// Not a number by JSON's grammar (leading zero, `+1`, `.5`, `1.`, `NaN`).
    case badNumber = "not a number by JSON's grammar"
    /// An unknown escape, or a `\u` without four hexadecimal digits.
    case badEscape = "an unknown escape"
    /// Half of a UTF-16 surrogate pair.
    case loneSurrogate = "half of a surrogate pair"
    /// A byte below 0x20 inside a string.
    case controlCharacter = "a control character inside a string"
    /// Not UTF-8.
    case badUTF8 = "not UTF-8"
    /// Deeper than `maxDepth`.
    case tooDeep = "nested too deep"
    /// Longer than `maxBytes`.
    case tooLarge = "too large"
    /// A string longer than `maxStringBytes`.
    case stringTooLong = "a string is too long"
    /// More values than `maxValues`.
    case tooManyValues = "too many values"
  }

  /// What is wrong.
  public let kind: Kind
  /// Byte offset at which it was noticed.
  public let offset: Int

  /// An error of this kind at this byte.
  public init(kind: Kind, offset: Int) {
    self.kind = kind
    self.offset = offset
  }

  /// A sentence without any text of the document.
  public var description: String { "not acceptable JSON: \(kind.rawValue) (byte \(offset))" }
}
