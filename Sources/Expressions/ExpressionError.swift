/// Why a text is no expression.
public struct ExpressionSyntaxError: Error, Sendable, Equatable {
  /// What is wrong, for a person.
  public let sentence: String
  /// Where in the text, in bytes of UTF-8.
  public let offset: Int

  /// An error at a place.
  public init(sentence: String, offset: Int) {
    self.sentence = sentence
    self.offset = offset
  }
}

/// Why an expression has no value. Says which fields it read, never what stood in them.
public enum EvaluationError: Error, Sendable, Equatable {
  /// A number is needed, and there is nothing.
  case nothing(String)
  /// A number is needed, and there is an empty text.
  case empty(String)
  /// Something else is needed than there is.
  case unfit(String, wanted: String, kind: String)
  /// A division by zero.
  case divisionByZero(String)
  /// The result needs more than 38 digits.
  case overflow(String)
  /// The expression takes too many steps or builds too long a text.
  case limit(String)
  /// Something that no value makes right, such as an unusable pattern.
  case invalid(String)
  /// The host could not give an operand's value; it knows the details under the operand's number.
  case operand(Int, String)

  /// The error for a person.
  public var sentence: String {
    switch self {
    case .nothing(let what): "a number is needed and there is nothing: \(what)"
    case .empty(let what): "a number is needed and there is an empty text: \(what)"
    case .unfit(let what, let wanted, let kind): "\(wanted) is needed and there is \(kind): \(what)"
    case .divisionByZero(let what): "a division by zero: \(what)"
    case .overflow(let what): "the result needs more than 38 digits: \(what)"
    case .limit(let what), .invalid(let what): what
    case .operand(_, let what): what
    }
  }
}
