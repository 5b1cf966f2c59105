import JSON

/// A word of an expression.
enum Token: Sendable, Equatable {
  case number(ExactDecimal)
  /// Between quotes.
  case text([TextPart])
  case operand(Int)
  /// A name, as written and in capitals.
  case name(String, upper: String)
  case symbol(Symbol)
  case end

  enum Symbol: String, Sendable {
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case modulo = "%"
    case open = "("
    case close = ")"
    case comma = ","
    case equal = "="
    case safeEqual = "<=>"
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case and = "&&"
    case or = "||"
    case not = "!"
  }
}

/// A part of a text in quotes.
enum TextPart: Sendable, Equatable {
  case text(String)
  case operand(Int)
}

/// A word and where it stands, in bytes.
struct PlacedToken: Sendable {
  let token: Token
  let start: Int
  let end: Int
}
