import JSON

/// Computes an expression's value. Never a binary float.
struct Evaluator {
  let program: Program
  let operands: any OperandSource
  let settings: EvaluationSettings
  let isStrict: Bool
  /// Whether an IFNULL or its like waits for null.
  var seesNull = false
  private(set) var steps = 0
  /// What was computed so far, when that is wanted.
  var trace: [ExplainedStep]?
  /// Whether values are remembered: only where they are the same for all expressions.
  private let shares: Bool
  /// Inside a list function: the values of its operands in all rows, and the row that is computed.
  var rows: [Int: [SQLValue]]?
  var row = 0

  init(program: Program, operands: any OperandSource, settings: EvaluationSettings) {
    self.program = program
    self.operands = operands
    self.settings = settings
    isStrict = settings.arithmetic == .strict
    shares = isStrict && settings.division == .exact
  }

  mutating func value(_ at: Int32) throws(EvaluationError) -> SQLValue {
    steps += 1
    if steps > settings.maxSteps { throw Self.tooManySteps }
    let node = program.nodes[Int(at)]
    guard node.share >= 0, shares, trace == nil, rows == nil else { return try fresh(node) }
    if let known = operands.remembered(Int(node.share)) { return known }
    let result = try fresh(node)
    // Where null is waited for, a part may come to a value that is a failure elsewhere.
    if !seesNull { operands.remember(result, as: Int(node.share)) }
    return result
  }

  private mutating func fresh(_ node: Node) throws(EvaluationError) -> SQLValue {
    let result: SQLValue =
      switch node.kind {
      case .constant: program.constants[Int(node.index)]
      case .operand: try operand(Int(node.index))
      case .quoted: .text(try operand(Int(node.index)).text ?? "")
      case .arithmetic: .init(try arithmetic(node))
      case .comparison: try comparison(node)
      case .simpleCase, .searchedCase: try choice(node)
      case .call: try call(node)
      default: try rare(node)
      }
    if trace != nil, node.kind != .constant {
      let step = ExplainedStep(text: program.text(node), value: result)
      trace?.append(step)
    }
    return result
  }

  private mutating func rare(_ node: Node) throws(EvaluationError) -> SQLValue {
    switch node.kind {
    case .template: return try template(node)
    case .and: return try all(node, until: false)
    case .or: return try all(node, until: true)
    case .xor: return try exclusive(node)
    case .not: return .init(truth(try value(program.child(node, 0))).map { !$0 })
    case .negate: return .init(try number(program.child(node, 0))?.negated())
    case .isTruth: return try isTruth(node)
    case .like: return try like(node)
    case .regexp: return try regexp(node)
    case .inList: return try inList(node)
    case .between: return try between(node)
    case .cast: return try cast(node)
    default: return .null
    }
  }

  // MARK: Limits

  private static let tooManySteps = EvaluationError.limit("the expression takes too many steps")

  /// Counts the work on so many bytes.
  mutating func spend(_ bytes: Int) throws(EvaluationError) {
    steps += bytes >> 6
    if steps > settings.maxSteps { throw Self.tooManySteps }
  }

  /// Counts a text before it is built.
  mutating func willBuild(_ bytes: Int) throws(EvaluationError) {
    if bytes > settings.maxTextBytes {
      throw .limit("the expression builds a text of more than \(settings.maxTextBytes) bytes")
    }
    try spend(bytes)
  }

  // MARK: Operands

  private func operand(_ operand: Int) throws(EvaluationError) -> SQLValue {
    guard let rows, let values = rows[operand] else { return try operands.value(of: operand) }
    return values[row]
  }

  /// What a message calls a node: the fields that it reads, never their values.
  func describe(_ at: Int32) -> String {
    let found = program.operands(below: at)
    if found.isEmpty { return "a constant" }
    let names = found.map(operands.name(of:)).joined(separator: ", ")
    return program.isOperand(at) ? names : "what the formula makes of \(names)"
  }

  // MARK: Numbers

  /// The value as a number; nil for null, which is an error in strict mode.
  mutating func number(_ at: Int32) throws(EvaluationError) -> ExactDecimal? {
    let node = program.nodes[Int(at)]
    if node.kind == .arithmetic, node.share < 0, trace == nil {
      // A sum of products is not wrapped and unwrapped at every step.
      steps += 1
      if steps > settings.maxSteps { throw Self.tooManySteps }
      guard let number = try arithmetic(node) else { return try self.number(.null, at) }
      return number
    }
    let value = try value(at)
    if case .number(let number) = value { return number }
    return try number(value, at)
  }

  func number(_ value: SQLValue, _ at: Int32) throws(EvaluationError) -> ExactDecimal? {
    switch value {
    case .number(let number): return number
    case .text(let text):
      let prefix = NumericPrefix(text)
      if prefix.isTooLong { throw .overflow(describe(at)) }
      if isStrict, !prefix.isWhole {
        if text.utf8.allSatisfy({ $0 == 0x20 || $0 &- 9 < 5 }) { throw .empty(describe(at)) }
        throw .unfit(describe(at), wanted: "a number", kind: value.kind)
      }
      return prefix.value
    case .null:
      if isStrict, !seesNull { throw .nothing(describe(at)) }
      return nil
    default: return plainNumber(value)
    }
  }

  /// The number that a value counts as in comparisons; nil for null.
  func plainNumber(_ value: SQLValue) -> ExactDecimal? {
    switch value {
    case .null: nil
    case .bool(let value): value ? .one : .zero
    case .number(let number): number
    case .text(let text): NumericPrefix(text).value
    case .date(let date): ExactDecimal(date.number)
    case .dateTime(let moment): moment.number
    case .time(let time): time.number
    }
  }

  /// A whole number: halves of numbers go away from zero, a text's decimals are cut off, as MySQL does.
  mutating func int(_ at: Int32) throws(EvaluationError) -> Int? {
    let value = try value(at)
    guard let number = try number(value, at) else { return nil }
    if case .text(let text) = value { return integer(text, number).clampedInt }
    return number.clampedInt
  }

  /// A text's whole number. MySQL stops at an exponent; strict mode takes the number for what it says.
  func integer(_ text: String, _ number: ExactDecimal) -> ExactDecimal {
    if isStrict || !text.utf8.contains(where: { $0 | 0x20 == 0x65 }) { return number.truncated(to: 0) }
    let digits = text.utf8.prefix { $0 | 0x20 != 0x65 }
    return NumericPrefix(String(Substring(digits))).value.truncated(to: 0)
  }

  mutating func text(_ at: Int32) throws(EvaluationError) -> String? { try value(at).text }

  private mutating func arithmetic(_ node: Node) throws(EvaluationError) -> ExactDecimal? {
    var left = try number(program.child(node, 0))
    var index = 1
    while index < Int(node.count) {
      let place = program.child(node, index + 1)
      let right = try number(place)
      if let a = left, let b = right {
        left = try apply(program.child(node, index), a, b, place)
      } else {
        left = nil
      }
      index += 2
    }
    return left
  }

  private func apply(
    _ symbol: Int32, _ a: ExactDecimal, _ b: ExactDecimal, _ place: Int32
  ) throws(EvaluationError) -> ExactDecimal? {
    let result: ExactDecimal?
    switch Arithmetic(rawValue: symbol) {
    case .add: result = a.plus(b)
    case .subtract: result = a.plus(b.negated())
    case .multiply: result = a.times(b)
    case .divide: return try quotient(a, b, place)
    case .divideWhole:
      if b.isZero { return try zeroDivisor(place) }
      result = try? a.divided(by: b, digits: 0)
    case .modulo:
      if b.isZero { return try zeroDivisor(place) }
      result = a.remainder(by: b)
    case nil: result = nil
    }
    guard let result else { throw .overflow(describe(place)) }
    return result
  }

  func quotient(_ a: ExactDecimal, _ b: ExactDecimal, _ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    do throws(ArithmeticError) {
      return settings.division == .exact
        ? try a.divided(by: b, digits: 24, significant: 20) : try a.dividedAsShown(by: b)
    } catch {
      if error == .divisionByZero { return try zeroDivisor(place) }
      throw .overflow(describe(place))
    }
  }

  func zeroDivisor(_ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    if isStrict, !seesNull { throw .divisionByZero(describe(place)) }
    return nil
  }

  // MARK: Texts

  private mutating func template(_ node: Node) throws(EvaluationError) -> SQLValue {
    var whole = ""
    for index in 0..<Int(node.count) {
      let part = try value(program.child(node, index)).text ?? ""
      try willBuild(whole.utf8.count + part.utf8.count)
      whole += part
    }
    return .text(whole)
  }
}

extension SQLValue {
  @inline(__always)
  init(_ number: ExactDecimal?) { self = number.map { .number($0) } ?? .null }
  init(_ truth: Bool?) { self = truth.map { .number($0 ? .one : .zero) } ?? .null }
  init(_ whole: Int) { self = .number(ExactDecimal(Int64(whole))) }
  init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}
