import JSON
import Testing

/// A random source that gives the same numbers for the same seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// A text that must be refused, and how.
struct Refused: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let error: JSONError

  init(_ name: String, _ text: String, _ kind: JSONError.Kind, at offset: Int) {
    self.init(name, bytes: Array(text.utf8), kind, at: offset)
  }

  init(_ name: String, bytes: [UInt8], _ kind: JSONError.Kind, at offset: Int) {
    self.name = name
    self.bytes = bytes
    error = JSONError(kind: kind, offset: offset)
  }

  var testDescription: String { name }
}

/// A text that must be read, and as what (`shape`).
struct Accepted: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let shape: String

  init(_ name: String, _ text: String, _ shape: String) {
    self.name = name
    bytes = Array(text.utf8)
    self.shape = shape
  }

  var testDescription: String { name }
}

func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws -> JSONValue {
  try JSONDocument(Array(text.utf8), limits: limits).root
}

/// What reading `bytes` is refused with; nil when it is taken.
func refusal(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) -> JSONError? {
  do throws(JSONError) {
    _ = try JSONDocument(bytes, limits: limits)
    return nil
  } catch {
    return error
  }
}

/// A value in a notation of the tests' own: `#1.50`, `'text'`, `[…]`, `{key:…}`, `true`, `null`.
func shape(_ value: JSONValue) -> String {
  switch value.kind {
  case .null: "null"
  case .bool: value.bool == true ? "true" : "false"
  case .number: "#" + (value.numberText ?? "?")
  case .string: "'" + (value.string ?? "?") + "'"
  case .array: "[" + value.elements.map(shape).joined(separator: " ") + "]"
  case .object: "{" + value.members.map { "\($0.key):\(shape($0.value))" }.joined(separator: " ") + "}"
  }
}
