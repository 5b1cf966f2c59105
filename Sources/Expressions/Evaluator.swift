import JSON
import Orders

/// Computes an expression's value. Never a binary float. A class: what a structure that changes refers to is counted again
/// in each of its functions.
public final class Evaluator {
  let operands: any OperandSource
  /// Set for each expression; whoever evaluates keeps the program alive, since there are dozens of them for each order.
  private var current: Unmanaged<Program>
  private var nodes: UnsafePointer<Node>
  private var links: UnsafePointer<Int32>
  private(set) var constants: UnsafePointer<SQLValue>
  private(set) var settings: EvaluationSettings
  private(set) var isStrict: Bool
  /// Whether an IFNULL or its like waits for null.
  var seesNull = false
  var steps = 0
  /// What was computed so far, when that is wanted.
  var trace: [ExplainedStep]?
  /// Under which of its ways of reckoning a value is remembered: bit 0 where null is awaited, bit 1 for MySQL's division.
  private var variant: Int { (seesNull ? 1 : 0) | (settings.division == .exact ? 0 : 2) }
  /// Inside a list function: the values of its operands in all rows, and the row that is computed.
  var rows: [Int: [SQLValue]]?
  var row = 0

  var program: Program { current.takeUnretainedValue() }

  init(program: Program, operands: any OperandSource, settings: EvaluationSettings) {
    self.operands = operands
    self.settings = settings
    current = .passUnretained(program)
    (nodes, links, constants) = program.memory
    isStrict = settings.arithmetic == .strict
  }

  /// One for many expressions over the same operands, one after the other.
  public init(_ operands: any OperandSource) {
    self.operands = operands
    settings = EvaluationSettings(now: BeijingTime(epochSeconds: 0))
    current = .passUnretained(Program.nothing)
    (nodes, links, constants) = Program.nothing.memory
    isStrict = true
  }

  /// Computes an expression's value; not while it computes another one.
  /// - Throws: `EvaluationError`; see `EvaluationSettings.Arithmetic` for what is an error.
  public func value(of expression: SQLExpression, _ settings: EvaluationSettings) throws(EvaluationError) -> SQLValue {
    let program = expression.program
    current = .passUnretained(program)
    (nodes, links, constants) = program.memory
    self.settings = settings
    isStrict = settings.arithmetic == .strict
    seesNull = false
    rows = nil
    steps = 0
    let value: SQLValue
    do throws(EvaluationError) {
      value = try self.value(program.root)
    } catch {
      // A failure costs what it took to come to it.
      try operands.spent(steps)
      throw error
    }
    try operands.spent(steps)
    return value
  }

  @inline(__always)
  func node(_ at: Int32) -> Node { nodes[Int(at)] }

  @inline(__always)
  func child(_ node: Node, _ index: Int) -> Int32 { links[Int(node.first) + index] }

  func value(_ at: Int32) throws(EvaluationError) -> SQLValue {
    steps += 1
    if steps > settings.maxSteps { throw Self.tooManySteps }
    let node = node(at)
    guard node.share >= 0, isStrict, rows == nil, node.isOverRows || variant == 0 && trace == nil,
      operands.remembers(Int(node.share))
    else { return try fresh(node) }
    return try shared(node)
  }

  /// A value that other formulas, or the same one in other rows, come to as well. One over all rows is remembered however
  /// it is reckoned, since it costs as many steps as there are rows; an account of the steps leaves out only such repetitions.
  private func shared(_ node: Node) throws(EvaluationError) -> SQLValue {
    let variant = variant
    if let known = operands.remembered(Int(node.share), variant) {
      note(node, known)
      return known
    }
    guard node.isOverRows else {
      let result = try fresh(node)
      operands.remember(result, as: Int(node.share), variant)
      return result
    }
    if let failure = operands.rememberedFailure(Int(node.share), variant) { throw failure }
    do throws(EvaluationError) {
      let result = try fresh(node)
      operands.remember(result, as: Int(node.share), variant)
      return result
    } catch {
      operands.remember(failure: error, as: Int(node.share), variant)
      throw error
    }
  }

  private func fresh(_ node: Node) throws(EvaluationError) -> SQLValue {
    let result: SQLValue =
      switch node.kind {
      case .constant: constants[Int(node.index)]
      case .operand: try operand(Int(node.index))
      case .quoted: .text(try operand(Int(node.index)).placeholderText)
      case .arithmetic: .init(try arithmetic(node))
      case .comparison: try comparison(node)
      case .simpleCase, .searchedCase: try choice(node)
      case .call: try call(node)
      default: try rare(node)
      }
    note(node, result)
    if case .null = result, node.isField, isStrict, !seesNull, rows == nil {
      // It leaves a gap in the formula (mapping-language.md §6.1), and nobody said what holds then. A look-up that finds
      // nothing is null (§6.4), and in a list's rows null is left out.
      throw .nothing(operands.name(of: Int(node.index)))
    }
    return result
  }

  /// Adds a step to the account, where one is wanted.
  @inline(__always)
  func note(_ node: Node, _ value: SQLValue) {
    guard trace != nil, node.kind != .constant else { return }
    let step = ExplainedStep(text: program.text(node), value: value)
    trace?.append(step)
  }

  private func rare(_ node: Node) throws(EvaluationError) -> SQLValue {
    switch node.kind {
    case .template: return try template(node)
    case .and: return try all(node, until: false)
    case .or: return try all(node, until: true)
    case .xor: return try exclusive(node)
    case .not:
      let place = child(node, 0)
      return .init(try truth(try value(place), place).map { !$0 })
    case .negate: return .init(try number(child(node, 0))?.negated())
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

  static let tooManySteps = EvaluationError.limit("the expression takes too many steps")

  /// Counts the work on so many bytes.
  func spend(_ bytes: Int) throws(EvaluationError) {
    steps += bytes >> 6
    if steps > settings.maxSteps { throw Self.tooManySteps }
  }

  /// Counts a text before it is built.
  func willBuild(_ bytes: Int) throws(EvaluationError) {
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

  /// The value of a part where null has a meaning: a field that is missing is null there.
  func orNull(_ at: Int32) throws(EvaluationError) -> SQLValue {
    node(at).isField ? try lenient(at) : try value(at)
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
  func number(_ at: Int32) throws(EvaluationError) -> ExactDecimal? {
    let node = node(at)
    if trace == nil {
      // What is a number already is not wrapped and unwrapped at every step.
      switch node.kind {
      case .arithmetic where node.share < 0 || !operands.remembers(Int(node.share)):
        steps += 1
        if steps > settings.maxSteps { throw Self.tooManySteps }
        guard let number = try arithmetic(node) else { return try self.number(.null, at) }
        return number
      case .constant:
        if case .number(let number) = constants[Int(node.index)] {
          steps += 1
          if steps > settings.maxSteps { throw Self.tooManySteps }
          return number
        }
      case .operand where rows == nil:
        if let number = operands.number(of: Int(node.index)) {
          steps += 1
          if steps > settings.maxSteps { throw Self.tooManySteps }
          return number
        }
      default: break
      }
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
  func int(_ at: Int32) throws(EvaluationError) -> Int? {
    let value = try value(at)
    guard let number = try number(value, at) else { return nil }
    if case .text(let text) = value { return integer(text, number).clampedInt }
    return settled(number).clampedInt
  }

  /// A text's whole number. MySQL stops at an exponent; strict mode takes the number for what it says.
  func integer(_ text: String, _ number: ExactDecimal) -> ExactDecimal {
    if isStrict || !text.utf8.contains(where: { $0 | 0x20 == 0x65 }) { return number.truncated(to: 0) }
    let digits = text.utf8.prefix { $0 | 0x20 != 0x65 }
    return NumericPrefix(String(Substring(digits))).value.truncated(to: 0)
  }

  func text(_ at: Int32) throws(EvaluationError) -> String? { text(of: try value(at)) }

  /// A value's text: that of a boolean is true or false in strict mode, as a field's rule writes it, and 1 or 0 in MySQL's.
  func text(of value: SQLValue) -> String? {
    if isStrict, case .bool = value { return value.placeholderText }
    return value.text
  }

  // MARK: Texts

  private func template(_ node: Node) throws(EvaluationError) -> SQLValue {
    var whole = ""
    for index in 0..<Int(node.count) {
      let part = try text(child(node, index)) ?? ""
      try willBuild(whole.utf8.count + part.utf8.count)
      whole += part
    }
    return .text(whole)
  }
}

extension SQLValue {
  /// What stands for the value where it is put into a text in quotes.
  var placeholderText: String {
    if case .bool(let value) = self { return value ? "true" : "false" }
    return text ?? ""
  }

  @inline(__always)
  init(_ number: ExactDecimal?) { self = number.map { .number($0) } ?? .null }
  init(_ truth: Bool?) { self = truth.map { .number($0 ? .one : .zero) } ?? .null }
  init(_ whole: Int) { self = .number(ExactDecimal(Int64(whole))) }
  init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}
