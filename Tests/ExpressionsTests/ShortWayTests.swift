import Expressions
import JSON
import Testing

/// Numbers that go straight into arithmetic, and one evaluator for many expressions, beside the general ways.
@Suite("short ways of expressions beside the general ones")
struct ShortWayTests {
  /// Says of no value that it is a number.
  private final class SlowSource: OperandSource {
    let source: TestSource

    init(_ source: TestSource) { self.source = source }

    func value(of operand: Int) throws(EvaluationError) -> SQLValue { try source.value(of: operand) }
    func column(of operand: Int) throws(EvaluationError) -> ListColumn { try source.column(of: operand) }
    func name(of operand: Int) -> String { source.name(of: operand) }
    func uuid() -> String { source.uuid() }
    func spent(_ steps: Int) throws(EvaluationError) { try source.spent(steps) }
  }

  private static func result(
    _ work: () throws(EvaluationError) -> SQLValue
  ) -> Result<SQLValue, EvaluationError> {
    do throws(EvaluationError) { return .success(try work()) } catch { return .failure(error) }
  }

  @Test("3,000 expressions come to the same, in as many steps", arguments: [true, false])
  func numbers(isStrict: Bool) throws {
    var generator = ExpressionGenerator(seed: 31)
    var random = SeededGenerator(seed: 32)
    var settings = isStrict ? strict : mysql
    let values: [SQLValue] = [
      .null, .bool(true), .text(""), .text("12.5"), .text("abc"), decimal("0"), decimal("13"), decimal("-1.50"),
      decimal("712.35"), decimal("99999999999999999999999999999999999999"),
    ]
    let names = ["a", "b", "c", "d"]
    for number in 0..<3_000 {
      var text = generator.expression()
      // Fields in the place of constants.
      for digit in ["1", "2", "3", "7"] where random.number(0...2) == 0 {
        text = text.replacingFirst(" \(digit) ", with: " {\(random.pick(names))} ")
      }
      if number % 2 == 0 {
        let (left, right, third) = (random.pick(names), random.pick(names), random.pick(names))
        text =
          "{\(left)} / {\(right)} / (1 + IFNULL(NULLIF({\(third)}, ''), 0) / 100) - ROUND({\(left)}, 2) * {\(right)}"
      }
      guard let compiled = try? Compiled(text) else { continue }
      var given: [String: SQLValue] = [:]
      for name in compiled.names { given[name] = random.pick(values) }
      settings.maxSteps = random.number(0...5) == 0 ? random.number(1...30) : 100_000
      let fast = TestSource(names: compiled.names, values: given)
      let slow = SlowSource(TestSource(names: compiled.names, values: given))
      let short = Self.result { () throws(EvaluationError) in try compiled.expression.value(fast, settings) }
      let long = Self.result { () throws(EvaluationError) in try compiled.expression.value(slow, settings) }
      #expect(short == long, "\(text) with \(given)")
      #expect(fast.steps == slow.source.steps, "\(text) with \(given)")
    }
  }

  @Test("one evaluator computes many expressions as one of its own would, failures and other settings between them")
  func reuse() throws {
    let names = ["a", "b", "broken"]
    let source = TestSource(names: names, values: ["a": decimal("7.5"), "b": decimal("0")])
    let evaluator = Evaluator(source)
    var random = SeededGenerator(seed: 33)
    let texts = [
      "{a} * 2", "{a} / {b}", "IFNULL({a} / {b}, 'none')", "{broken} + 1", "ISNULL({b} / {b})", "CONCAT({a}, {b})",
      "ROUND({a} / 3, 2)", "SUM({a} * 2)", "CASE WHEN {a} > {b} THEN 'x' ELSE {broken} END",
    ]
    let parsed = try texts.map { text in
      var parser = FixedParser(names: names)
      return try SQLExpression(text[...], operands: &parser)
    }
    for _ in 0..<400 {
      let expression = parsed[random.number(0...(parsed.count - 1))]
      var settings = random.number(0...1) == 0 ? strict : mysql
      if random.number(0...5) == 0 { settings.maxSteps = 2 }
      let shared = Self.result { () throws(EvaluationError) in try evaluator.value(of: expression, settings) }
      let own = Self.result { () throws(EvaluationError) in try expression.value(source, settings) }
      #expect(shared == own, "\(expression)")
    }
  }

  /// Operands that have their numbers already.
  private struct FixedParser: OperandParser {
    let names: [String]

    mutating func placeholder(_ text: Substring) throws(ExpressionSyntaxError) -> (operand: Int, rest: Substring) {
      let name = text.dropFirst().prefix { $0 != "}" }
      guard let number = names.firstIndex(of: String(name)) else {
        throw ExpressionSyntaxError(sentence: "unknown", offset: 0)
      }
      return (number, text.dropFirst(name.count + 2))
    }

    mutating func lookup(_ text: Substring) throws(ExpressionSyntaxError) -> Int { 0 }
  }
}

extension String {
  fileprivate func replacingFirst(_ part: String, with other: String) -> String {
    guard let range = firstRange(of: part) else { return self }
    return replacingCharacters(in: range, other)
  }

  private func replacingCharacters(in range: Range<String.Index>, _ other: String) -> String {
    String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
  }
}
