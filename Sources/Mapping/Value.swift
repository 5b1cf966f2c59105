import JSON
import Orders

/// A value on its way from the order to the bill.
enum Value: Sendable {
  /// Nothing: a missing field, `null`, a lookup without a match.
  case nothing
  case bool(Bool)
  /// Keeps the scale it was written with.
  case number(ExactDecimal)
  case text(String)
  /// An array or object of the source.
  case structure(JSONValue)

  init(_ value: JSONValue, path: Path) throws(ValueError) {
    switch value.kind {
    case .null: self = .nothing
    case .bool: self = .bool(value.bool ?? false)
    case .number:
      guard let number = value.decimal else { throw .tooManyDigits(path.text) }
      self = .number(number)
    case .string: self = .text(value.string ?? "")
    case .array, .object: self = .structure(value)
    }
  }

  /// Nothing, an empty text, or an empty array, which is how OKKI writes an empty object (vendor-apis.md B.11).
  var isEmpty: Bool {
    switch self {
    case .nothing: true
    case .text(let text): text.isEmpty
    case .structure(let value): value.count == 0
    case .bool, .number: false
    }
  }

  /// The text that stands for the value inside other text; empty for nothing and for structures.
  var text: String {
    switch self {
    case .nothing, .structure: ""
    case .bool(let value): value ? "true" : "false"
    case .number(let number): number.description
    case .text(let text): text
    }
  }

  /// What it is, for messages that must not carry the value itself.
  var kind: String {
    switch self {
    case .nothing: "nothing"
    case .bool: "a boolean"
    case .number: "a number"
    case .text(let text): text.isEmpty ? "an empty text" : "a text"
    case .structure(let value): value.kind == .array ? "a list" : "an object"
    }
  }
}

/// Why a form has no value; the mapper adds where.
enum ValueError: Error, Equatable {
  case tooManyDigits(String)
  case notANumber(String, kind: String)
  case empty(String)
  case divisionByZero(String)
  case overflow
  case notADate(String, kind: String)

  /// A sentence without values.
  var sentence: String {
    switch self {
    case .tooManyDigits(let path): "\(path) has more than 38 digits"
    case .notANumber(let path, let kind): "\(path) should be a number but is \(kind)"
    case .empty(let path): "\(path) is empty"
    case .divisionByZero(let path): "\(path) is 0 and is divided by"
    case .overflow: "the result has more than 38 digits"
    case .notADate(let path, let kind): "\(path) should be a date but is \(kind)"
    }
  }

  var code: MappingFailure.Code {
    switch self {
    case .divisionByZero: .divisionByZero
    case .empty: .fieldMissing
    case .tooManyDigits, .notANumber, .overflow, .notADate: .valueInvalid
    }
  }
}
