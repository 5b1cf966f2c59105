import JSON

/// An expression, compiled once per strategy.
indirect enum Expression: Sendable {
  case number(ExactDecimal)
  case text(Template)
  /// A placeholder or a lookup, by its number in the strategy's table.
  case operand(Int)
  case negate(Expression)
  /// Operators of one rank, from left to right. A list instead of a tree: however long a sum is, it is not deep.
  case chain(Expression, [Step])
  case call(Function, [Expression])

  enum Operator: Character, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
  }

  /// An operator and what stands to its right.
  struct Step: Sendable {
    let symbol: Operator
    let operand: Expression
  }

  /// What it reads, each once, in order.
  var operands: [Int] {
    let found: [Int] =
      switch self {
      case .number: []
      case .text(let template): template.operands
      case .operand(let operand): [operand]
      case .negate(let operand): operand.operands
      case .chain(let first, let steps): first.operands + steps.flatMap(\.operand.operands)
      case .call(_, let arguments): arguments.flatMap(\.operands)
      }
    var seen: Set<Int> = []
    return found.filter { seen.insert($0).inserted }
  }
}

/// Reads `_function` expressions: `+ - * / %`, parentheses, unary minus, the functions of `Function`.
struct Parser {
  private let tokens: [Token]
  private var at = 0
  private var depth = 0
  /// What the operands are called in messages.
  private var names: [String] = []
  /// Deeper nesting is refused, so that no strategy can exhaust the stack.
  private static let maxDepth = 64

  static func parse(
    _ source: some StringProtocol, operands: inout OperandTable
  ) throws(Template.Malformed) -> Expression {
    var parser = Parser(tokens: try Lexer.tokens(of: source, operands: &operands))
    parser.names = operands.operands.map(\.name)
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
      case .operand(let operand): "{\(names[operand])}"
      case .name(let name): name
      case .symbol(let symbol): String(symbol)
      }
    return Template.Malformed(sentence: "«\(excerpt(shown))» cannot stand there")
  }

  private mutating func sum() throws(Template.Malformed) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maxDepth else { throw Template.Malformed(sentence: "the expression is nested too deep") }
    return try chain(of: [.add, .subtract]) { parser throws(Template.Malformed) in try parser.product() }
  }

  private mutating func product() throws(Template.Malformed) -> Expression {
    try chain(of: [.multiply, .divide, .modulo]) { parser throws(Template.Malformed) in try parser.unary() }
  }

  private mutating func chain(
    of symbols: [Expression.Operator], _ part: (inout Parser) throws(Template.Malformed) -> Expression
  ) throws(Template.Malformed) -> Expression {
    let first = try part(&self)
    var steps: [Expression.Step] = []
    while let symbol = symbols.first(where: { current == .symbol($0.rawValue) }) {
      at += 1
      steps.append(Expression.Step(symbol: symbol, operand: try part(&self)))
    }
    return steps.isEmpty ? first : .chain(first, steps)
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
    case .operand(let operand):
      at += 1
      return .operand(operand)
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
      throw Template.Malformed(sentence: "the function «\(excerpt(name))» is unknown; known are \(known)")
    }
    guard take("(") else {
      throw Template.Malformed(sentence: "«\(function.rawValue)» needs its arguments in parentheses")
    }
    var arguments: [Expression] = []
    if !take(")") {
      repeat { arguments.append(try sum()) } while take(",")
      guard take(")") else { throw unexpected() }
    }
    guard function.arity.contains(arguments.count) else {
      throw Template.Malformed(sentence: "«\(function.rawValue)» does not take \(arguments.count) arguments")
    }
    return .call(function, arguments)
  }
}
