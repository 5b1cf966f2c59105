import Expressions
import JSON
import Orders

/// Placeholders and look-ups by their spelling.
struct TestParser: OperandParser {
  private(set) var names: [String] = []

  private mutating func operand(_ name: String) -> Int {
    if let known = names.firstIndex(of: name) { return known }
    names.append(name)
    return names.count - 1
  }

  mutating func placeholder(_ text: Substring) throws(ExpressionSyntaxError) -> (operand: Int, rest: Substring) {
    let inner = text.drop { $0 == "{" }
    guard let close = inner.firstIndex(of: "}") else {
      throw ExpressionSyntaxError(sentence: "a placeholder is not closed", offset: 0)
    }
    let name = inner[..<close]
    guard !name.isEmpty, !name.contains(where: { $0 == "'" || $0.isNewline }) else {
      throw ExpressionSyntaxError(sentence: "a placeholder is malformed", offset: 1)
    }
    return (operand(String(name)), inner[close...].drop { $0 == "}" })
  }

  mutating func lookup(_ text: Substring) throws(ExpressionSyntaxError) -> Int {
    guard text.contains(" where "), !text.contains(" when ") else {
      throw ExpressionSyntaxError(sentence: "a look-up is malformed", offset: 4)
    }
    return operand(String(text))
  }
}

/// Values by their spelling; what has none is null.
final class TestSource: OperandSource {
  let names: [String]
  let values: [String: SQLValue]
  let lists: [String: [SQLValue]]

  init(names: [String], values: [String: SQLValue] = [:], lists: [String: [SQLValue]] = [:]) {
    self.names = names
    self.values = values
    self.lists = lists
  }

  func value(of operand: Int) throws(EvaluationError) -> SQLValue {
    if names[operand] == "broken" { throw .operand(operand, "broken on purpose") }
    return values[names[operand]] ?? .null
  }

  func number(of operand: Int) -> ExactDecimal? {
    if case .number(let number)? = values[names[operand]], names[operand] != "broken" { return number }
    return nil
  }

  /// `l.q` is a field of the list `l`.
  func column(of operand: Int) throws(EvaluationError) -> ListColumn {
    let name = names[operand]
    if let list = lists[name] { return ListColumn(list: String(name.prefix { $0 != "." }), values: list) }
    return ListColumn(list: nil, values: [try value(of: operand)])
  }

  func name(of operand: Int) -> String { names[operand] }
  private(set) var steps = 0
  /// A host's bound of all that its formulas cost together.
  private static let mostSteps = 10_000_000
  func spent(_ steps: Int) throws(EvaluationError) {
    self.steps += steps
    if self.steps > Self.mostSteps { throw .limit("the formulas together take too many steps") }
  }
  func uuid() -> String { "6ccd780c-baba-1026-9564-5b8c656024db" }
}

/// 2024-03-14 16:00:00 in Beijing.
let testNow = BeijingTime(epochSeconds: 1_710_403_200)

let strict = EvaluationSettings(now: testNow)

let mysql: EvaluationSettings = {
  var settings = strict
  settings.arithmetic = .mysql
  settings.division = .mysql
  return settings
}()

struct Compiled {
  let expression: SQLExpression
  let names: [String]

  init(_ text: String) throws(ExpressionSyntaxError) {
    var parser = TestParser()
    expression = try SQLExpression(text[...], operands: &parser)
    names = parser.names
  }

  func value(
    _ values: [String: SQLValue] = [:], lists: [String: [SQLValue]] = [:], _ settings: EvaluationSettings = strict
  ) throws(EvaluationError) -> SQLValue {
    try expression.value(TestSource(names: names, values: values, lists: lists), settings)
  }
}

func decimal(_ text: String) -> SQLValue { ExactDecimal(text).map { .number($0) } ?? .null }

/// A generator whose numbers are the same for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[Int(next() % UInt64(choices.count))] }
  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
  }
}
