import JSON

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

  init(_ value: JSONValue, name: String) throws(ValueError) {
    switch value.kind {
    case .null: self = .nothing
    case .bool: self = .bool(value.bool ?? false)
    case .number:
      guard let number = value.decimal else { throw .tooManyDigits(name) }
      self = .number(number)
    case .string: self = .text(value.string ?? "")
    case .array, .object: self = .structure(value)
    }
  }

  /// What an operand reads at a place of a document.
  init(_ document: JSONDocument, _ place: Int, _ operand: Operand) throws(ValueError) {
    switch document.kind(at: place) {
    case .number:
      guard let number = document.decimal(at: place) else { throw .tooManyDigits(operand.title) }
      self = .number(number)
    case .string: self = .text(document.string(at: place))
    default: self = try Value(document.value(at: place), name: operand.title)
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

  /// Empty, or a text of nothing but spaces: no number of a customer or material, however it is looked at.
  var isBlank: Bool {
    if case .text(let text) = self { return !isTight(text) && text.allSatisfy(\.isWhitespace) }
    return isEmpty
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

  /// The number it is, or that its text is; nil for anything else.
  var number: ExactDecimal? {
    switch self {
    case .number(let number): number
    case .text(let text): isTight(text) ? ExactDecimal(text) : ExactDecimal(trimmed(text))
    case .bool(let flag): flag ? .one : .zero
    case .nothing, .structure: nil
    }
  }

  /// What it is, for messages that must not carry the value itself.
  var kind: String {
    switch self {
    case .nothing: "nothing"
    case .bool: "a boolean"
    case .number: "a number"
    case .text(let text): text.isEmpty ? "an empty text" : "a text of \(text.count) characters"
    case .structure(let value): value.kind == .array ? "a list" : "an object"
    }
  }
}

/// Why a form has no value; the mapper adds where.
enum ValueError: Error, Equatable {
  /// Nothing where a value is needed: MySQL's NULL, which `IFNULL` and `COALESCE` step over.
  case nothing(String)
  /// An empty text where a number is needed.
  case empty(String)
  /// A field that is 0, of which a formula makes nothing.
  case zero(String)
  case tooManyDigits(String)
  case unfit(String, wanted: String, kind: String)
  case divisionByZero(String)
  case overflow(String)
  /// A time, page or chance that the caller did not give.
  case unknown(String)
  /// A lookup that nobody can answer; a whole sentence.
  case unanswered(String)
  /// An expression that no value makes right, or that takes too much; a whole sentence.
  case invalid(String)

  /// A sentence without values.
  var sentence: String {
    switch self {
    case .nothing(let source), .empty(let source): "\(source) is empty"
    case .zero(let source): "\(source) is 0, and the formula makes nothing of it"
    case .tooManyDigits(let source): "\(source) has more than 38 digits"
    case .unfit(let source, let wanted, let kind): "\(source) should be \(wanted) but is \(kind)"
    case .divisionByZero(let source): "\(source) is 0 and is divided by"
    case .overflow(let source): "the result of \(source) has more than 38 digits"
    case .unknown(let source): "\(source) is not known here"
    case .unanswered(let sentence), .invalid(let sentence): sentence
    }
  }

  /// What would mend it; nil: what mends its kind.
  var remedy: String? {
    switch self {
    case .unknown:
      "An order is mapped without it: only the request for a list has it. Let the strategy read a field of the order, or "
        + "CURRENT_TIME."
    case .unanswered:
      "See that the collection can be asked, and the question answered; as long as nobody knows what there is, no default "
        + "steps in."
    case .zero: Self.correction
    case .nothing(let source), .empty(let source), .unfit(let source, _, _), .divisionByZero(let source),
      .overflow(let source):
      source == Self.constant ? Self.formulaRemedy : nil
    case .invalid: "Change the formula in the strategy: let it do less, or something else."
    default: nil
    }
  }

  /// What formulas call what reads no field.
  private static let constant = "a constant"

  /// What mends a formula that no value makes right.
  static let formulaRemedy = "Correct the formula in the strategy: it has nothing to do with the order's values."

  /// What mends a value that is there and that a formula makes nothing of.
  static let correction = "Correct the value in OKKI, or say in the formula with IFNULL what holds then."

  var isUnanswered: Bool {
    if case .unanswered = self { return true }
    return false
  }

  /// The code; that of the field's rule, where it has one, for what is missing.
  func code(missing: MappingFailure.Code?) -> MappingFailure.Code {
    if case .nothing = self, let missing { return missing }
    return code
  }

  var code: MappingFailure.Code {
    switch self {
    case .divisionByZero: .divisionByZero
    case .nothing, .empty, .zero, .unknown: .fieldMissing
    case .unanswered: .lookupFailed
    case .tooManyDigits, .unfit, .overflow, .invalid: .valueInvalid
    }
  }
}
