import Expressions
import JSON
import Testing

@Suite("Limits of expressions", .timeLimit(.minutes(5)))
struct LimitTests {
  @Test(
    "what would flood or hang a worker is given up",
    arguments: [
      "REPEAT('a', 2000000)", "REPEAT('中', 900000000000000000)", "SPACE(10000000000)", "LPAD('a', 5000000, 'b')",
      "RPAD('a', 999999999999999999, 'b')", "REPEAT(REPEAT('a', 1000000), 2)",
      "CONCAT(REPEAT('a', 600000), REPEAT('a', 600000))", "REPLACE(REPEAT('a', 100000), 'a', '{{long}}')",
      "REPEAT('a', 300000) LIKE CONCAT('%', REPEAT('a', 3000), 'b')",
      "LOCATE(CONCAT(REPEAT('a', 5000), 'b'), REPEAT('a', 1000000))",
      "REPEAT('a', 30) REGEXP '(a+)+$|(a|aa)+b'", "REPEAT('a', 50000) REGEXP '(a*)*b'", "HEX(REPEAT('a', 600000))",
      "SUM(LENGTH(REPEAT('a', 1000000)) + {{rows}})", "'{{long}}{{long}}'",
      "REGEXP_REPLACE(REPEAT('a', 100000), 'a', '{{long}}')",
      "CONCAT_WS(REPEAT(',', 500000), 'a', 'b', 'c', 'd')", "GROUP_CONCAT(CONCAT({{rows}}, REPEAT('a', 500000)))",
    ])
  func bounded(text: String) throws {
    let values: [String: SQLValue] = ["long": .text(String(repeating: "x", count: 1_000_000))]
    let rows = (0..<1000).map { decimal("\($0)") }
    do {
      let value = try Compiled(text).value(values, lists: ["rows": rows])
      // A pattern that the engine is clever enough for has an answer.
      #expect(text.contains("REGEXP '"), "\(text) came to \(value.kind)")
    } catch let error as EvaluationError {
      guard case .limit = error else { throw error }
    }
  }

  @Test("steps are counted and bounded by the setting")
  func steps() throws {
    var settings = strict
    settings.maxSteps = 50
    #expect(try Compiled(String(repeating: "1+", count: 40) + "1").value([:], settings) == decimal("41"))
    #expect(throws: EvaluationError.limit("the expression takes too many steps")) {
      try Compiled(String(repeating: "1+", count: 60) + "1").value([:], settings)
    }
    settings.maxTextBytes = 10
    #expect(throws: EvaluationError.limit("the expression builds a text of more than 10 bytes")) {
      try Compiled("CONCAT('123456', '12345')").value([:], settings)
    }
  }

  @Test("a failure, and an account, cost the steps that they took")
  func failuresCount() throws {
    let compiled = try Compiled("LENGTH(REPEAT('a',640000))+{{none}}")
    let source = TestSource(names: compiled.names)
    #expect(throws: EvaluationError.nothing("none")) { try compiled.expression.value(source, strict) }
    #expect((10_000...20_100).contains(source.steps))
    let account = TestSource(names: ["n"], values: ["n": decimal("1")])
    _ = try Compiled("{{n}}+1").expression.explained(account, strict)
    #expect(account.steps == 3)
  }

  @Test(
    "numbers of any size and shape in texts are read or refused, never a crash",
    arguments: [
      "1e400", "-1e400", "1e-400", "0e999999999", ".5", "5.", "-.5e1", "+", "-", ".", "e5", "1e", "1e+", "  7  ",
      "0x10", "١٢",
      "99999999999999999999999999999999999999999",
      "0.00000000000000000000000000000000000000000000000000000000000000000000000001",
      "123456789012345678901234567890.123456789012345678901234567890",
    ])
  func numbers(text: String) throws {
    for expression in [
      "'{{x}}'+1", "CAST('{{x}}' AS DECIMAL(10,2))", "'{{x}}' > 5", "ROUND('{{x}}')", "LEFT('abc','{{x}}')",
      "DATE('{{x}}')", "TIME('{{x}}')",
    ] {
      for settings in [strict, mysql] { _ = try? Compiled(expression).value(["x": .text(text)], settings) }
    }
    #expect(try Compiled("'{{x}}' = '{{x}}'").value(["x": .text(text)]) == decimal("1"))
  }
}
