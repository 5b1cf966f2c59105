import JSON

/// An expression, compiled once per strategy.
indirect enum Expression: Sendable {
  case number(ExactDecimal)
  case text(Template)
  case placeholder(Template.Placeholder)
  case negate(Expression)
  case binary(Operator, Expression, Expression)
  case call(Function, [Expression])

  enum Operator: Character, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
  }
}

/// Reads `_function` expressions: `+ - * / %`, parentheses, unary minus, the functions of `Function`.
struct Parser {
  private let tokens: [Token]
  private var at = 0
  private var depth = 0
  /// Deeper nesting is refused, so that no strategy can exhaust the stack.
  private static let maxDepth = 64

  static let prefix = "_function"

  static func parse(_ source: some StringProtocol) throws(Template.Malformed) -> Expression {
    var parser = Parser(tokens: try Lexer.tokens(of: source))
    let expression = try parser.sum()
    guard parser.at == parser.tokens.count else { throw parser.unexpected() }
    return expression
  }

  private init(tokens: [Token]) { self.tokens = tokens }

  private var current: Token? { at < tokens.count ? tokens[at] : nil }

  private mutating func take(_ symbol: Character) -> Bool {
    guard current == .symbol(symbol) else { return false }
    at += 1
    return true
  }

  private func unexpected() -> Template.Malformed {
    guard let current else { return Template.Malformed(sentence: "the expression ends too early") }
    let shown: String =
      switch current {
      case .number(let number): number.description
      case .text: "a text in quotes"
      case .placeholder(let placeholder): "{\(placeholder.path.text)}"
      case .name(let name): name
      case .symbol(let symbol): String(symbol)
      }
    return Template.Malformed(sentence: "«\(shown)» cannot stand there")
  }

  private mutating func sum() throws(Template.Malformed) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maxDepth else { throw Template.Malformed(sentence: "the expression is nested too deep") }
    var left = try product()
    while true {
      if take("+") {
        left = .binary(.add, left, try product())
      } else if take("-") {
        left = .binary(.subtract, left, try product())
      } else {
        return left
      }
    }
  }

  private mutating func product() throws(Template.Malformed) -> Expression {
    var left = try unary()
    while true {
      if take("*") {
        left = .binary(.multiply, left, try unary())
      } else if take("/") {
        left = .binary(.divide, left, try unary())
      } else if take("%") {
        left = .binary(.modulo, left, try unary())
      } else {
        return left
      }
    }
  }

  private mutating func unary() throws(Template.Malformed) -> Expression {
    var isNegative = false
    while true {
      if take("-") {
        isNegative.toggle()
      } else if !take("+") {
        break
      }
    }
    let operand = try operand()
    return isNegative ? .negate(operand) : operand
  }

  private mutating func operand() throws(Template.Malformed) -> Expression {
    guard let token = current else { throw unexpected() }
    switch token {
    case .number(let number):
      at += 1
      return .number(number)
    case .text(let template):
      at += 1
      return .text(template)
    case .placeholder(let placeholder):
      at += 1
      return .placeholder(placeholder)
    case .symbol("("):
      at += 1
      let inner = try sum()
      guard take(")") else { throw unexpected() }
      return inner
    case .name(let name):
      at += 1
      return try call(name)
    case .symbol: throw unexpected()
    }
  }

  private mutating func call(_ name: String) throws(Template.Malformed) -> Expression {
    guard let function = Function(rawValue: name.uppercased()) else {
      let known = Function.allCases.map(\.rawValue).joined(separator: ", ")
      throw Template.Malformed(sentence: "the function «\(name)» is unknown; known are \(known)")
    }
    guard take("(") else { throw Template.Malformed(sentence: "«\(name)» needs its arguments in parentheses") }
    var arguments: [Expression] = []
    if !take(")") {
      repeat { arguments.append(try sum()) } while take(",")
      guard take(")") else { throw unexpected() }
    }
    guard function.arity.contains(arguments.count) else {
      throw Template.Malformed(sentence: "«\(name)» does not take \(arguments.count) arguments")
    }
    return .call(function, arguments)
  }
}
