import Expressions
import JSON
import Testing

@Suite("Meaning of expressions")
struct MeaningTests {
  @Test("a placeholder is an operand, never a piece of the formula")
  func operandsAreValues() throws {
    let injected: [String: SQLValue] = ["a": .text("1) OR (1=1"), "b": .text("x' or '1'='1")]
    #expect(throws: EvaluationError.unfit("a", wanted: "a number", kind: "a text")) {
      try Compiled("{{a}}*2").value(injected)
    }
    #expect(try Compiled("'{{b}}' = 'x'").value(injected) == decimal("0"))
    // The hazard of §6.4: a look-up that finds nothing leaves a value, not a gap.
    let lookup = "case _findCollection find a from b where c={{d}} _endFind when true then 'yes' else 'no' end"
    #expect(try Compiled(lookup).value() == .text("no"))
    #expect(try Compiled(lookup).value(["_findCollection find a from b where c={{d}}": .bool(true)]) == .text("yes"))
  }

  @Test(
    "a number keeps the spelling that the source sent",
    arguments: [
      ("'{{x}}'='0'", "0.00", "0"), ("'{{x}}'='0.00'", "0.00", "1"),
      ("case '{{x}}' when '0.0' then 1 else 2 end", "0.0", "1"),
      ("'{{x}}'>0", "0.00", "0"), ("'{{x}}'=0", "0.00", "1"), ("{{x}}=0", "0.00", "1"), ("'n{{x}}'", "1.50", "n1.50"),
      ("{{x}}+0", "1.50", "1.50"),
    ])
  func spelling(text: String, number: String, wanted: String) throws {
    #expect(try Compiled(text).value(["x": decimal(number)]).text == wanted)
  }

  @Test("what is absent is an empty text between quotes and null without them")
  func absent() throws {
    #expect(try Compiled("case when'{{x}}' ='' then 'none' else '{{x}}' end").value() == .text("none"))
    #expect(try Compiled("'a{{x}}b'").value() == .text("ab"))
    #expect(try Compiled("{{x}} IS NULL").value() == decimal("1"))
    #expect(try Compiled("'{{x}}' IS NULL").value() == decimal("0"))
    for text in ["{{x}} > 5", "case when {{x}} > 5 then 'a' else 'b' end", "IF({{x}}, true, false)"] {
      #expect(throws: EvaluationError.nothing("x")) { try Compiled(text).value() }
    }
  }

  @Test(
    "strict arithmetic fails where MySQL makes nothing of something",
    arguments: [
      ("{{none}}*2", EvaluationError.nothing("none")), ("2-{{none}}", .nothing("none")),
      ("-{{none}}", .nothing("none")),
      ("{{empty}}+1", .empty("empty")), ("ROUND('{{empty}}',2)", .empty("empty")),
      ("{{word}}/2", .unfit("word", wanted: "a number", kind: "a text")), ("1/{{zero}}", .divisionByZero("zero")),
      ("1 % {{zero}}", .divisionByZero("zero")), ("1 DIV 0", .divisionByZero("a constant")),
      ("ABS({{none}})", .nothing("none")), ("SUM({{list}})", .empty("list")),
      ("IFNULL({{word}}*1, 0)", .unfit("word", wanted: "a number", kind: "a text")),
      ("IFNULL({{empty}}*1, 0)", .empty("empty")),
      ("GREATEST({{word}}, 0)", .unfit("word", wanted: "a number", kind: "a text")),
      ("LEAST(1, {{one}}, {{word}})", .unfit("word", wanted: "a number", kind: "a text")),
      ("IFNULL(NULLIF({{word}},0),7)", .unfit("word", wanted: "a number", kind: "a text")),
      ("DATE('29/01/2024')", .unfit("a constant", wanted: "a date", kind: "a text")),
      ("DATEDIFF('2024-01-30','29/01/2024 10:00')", .unfit("a constant", wanted: "a date", kind: "a text")),
      ("DATE({{word}})", .unfit("word", wanted: "a date", kind: "a text")),
      ("{{big}}*{{big}}", .overflow("big")), ("{{broken}}", .operand(2, "broken on purpose")),
      (
        "CAST({{one}}-2 AS UNSIGNED)",
        .unfit("what the formula makes of one", wanted: "a number of at least 0", kind: "a negative one")
      ),
      (
        "CAST(12345 AS DECIMAL(4,2))",
        .unfit("a constant", wanted: "a number of at most 2 digits", kind: "a longer one")
      ),
    ])
  func strictErrors(text: String, wanted: EvaluationError) throws {
    let values: [String: SQLValue] = [
      "empty": .text(""), "word": .text("12abc"), "zero": decimal("0.00"), "one": decimal("1"),
      "big": decimal("99999999999999999999999999"),
    ]
    let source = "\(text)"
    do {
      let value = try Compiled(source).value(values, lists: ["list": [decimal("1"), .text("")]])
      Issue.record("\(text) came to \(value)")
    } catch let error as EvaluationError {
      if case .operand(_, let sentence) = error {
        #expect(sentence == "broken on purpose")
      } else {
        #expect(error == wanted)
      }
      #expect(!error.sentence.contains("12abc"))
    }
  }

  @Test(
    "IFNULL, COALESCE, ISNULL and IS NULL see null where arithmetic fails for want of something",
    arguments: [
      ("IFNULL({{none}}*2, 7)", "7"), ("IFNULL(5/{{zero}}, 7)", "7"),
      ("COALESCE({{none}}+1, {{one}}/{{zero}}, 3)", "3"),
      ("ISNULL({{none}}+1)", "1"), ("IFNULL(CASE WHEN {{none}}*2 > 5 THEN 1 ELSE 2 END, 9)", "2"),
      ("{{none}}+1 IS NULL", "0"), ("({{none}}+1) IS NULL", "1"),
      ("({{one}}/{{zero}}) IS NOT NULL", "0"), ("IFNULL({{one}}/NULLIF({{zero}},0),0)", "0"),
    ])
  func lenient(text: String, wanted: String) throws {
    if text == "{{none}}+1 IS NULL" {
      // IS binds weaker than +.
      #expect(try Compiled(text).value().text == "1")
      return
    }
    #expect(try Compiled(text).value(["zero": decimal("0"), "one": decimal("1")]).text == wanted)
  }

  @Test(
    "a division keeps 24 decimals, and 20 digits of the smallest quotient, until something rounds it",
    arguments: [
      ("100/3", "33.333333333333333333333333"), ("10/4", "2.5"), ("0.01/90000", "0.000000111111111111111111111"),
      ("0.0001/30000000", "0.00000000000333333333333333333333"),
      ("ROUND(100/3*7000, 2)", "233333.33"),
      ("ROUND(2/3, 6)", "0.666667"), ("(1/3)*(1/3)", "0.111111111111111111111111"),
      ("1/3 + 100000000000000.00", "100000000000000.33333333333333333333333"),
    ])
  func division(text: String, wanted: String) throws {
    #expect(try Compiled(text).value().text == wanted)
  }

  @Test(
    "lists are summed over all rows, also when a row's value has to be computed first",
    arguments: [
      ("SUM({{l.q}})", "6.50"), ("AVG({{l.q}})", "2.166666666666666666666666"), ("COUNT({{l.q}})", "3"),
      ("MIN({{l.q}})", "1"),
      ("MAX({{l.q}})", "3.50"), ("SUM({{l.q}}*{{l.p}})", "46.50"), ("SUM({{l.q}}*{{rate}})", "13.00"),
      ("SUM({{l.q}})/COUNT({{l.q}})", "2.166666666666666666666666"), ("GROUP_CONCAT({{l.n}})", "a,b,c"),
      ("GROUP_CONCAT({{l.n}} SEPARATOR '; ')", "a; b; c"), ("GROUP_CONCAT(UPPER({{l.n}}))", "A,B,C"),
      ("SUM(DISTINCT {{l.t}})", "6.0"), ("COUNT(DISTINCT {{l.t}})", "3"), ("GROUP_CONCAT(DISTINCT {{l.u}})", "b,A"),
      ("GROUP_CONCAT(DISTINCT LOWER({{l.u}}) SEPARATOR ';')", "b;a"), ("AVG(DISTINCT {{l.t}})", "2"),
      ("SUM(IF({{l.n}}='b',{{l.q}},0))", "2"), ("COUNT({{l.empty}})", "0"), ("SUM({{l.empty}})", "NULL"),
      ("SUM({{l.holes}})", "4"), ("AVG({{l.holes}})", "2"), ("COUNT({{l.holes}})", "2"), ("SUM({{rate}})", "2"),
    ])
  func lists(text: String, wanted: String) throws {
    let lists: [String: [SQLValue]] = [
      "l.q": [decimal("1"), decimal("2"), decimal("3.50")], "l.p": [decimal("10"), decimal("0.75"), decimal("10")],
      "l.n": [.text("a"), .text("b"), .text("c")], "l.empty": [],
      "l.t": [decimal("1.0"), .text("3"), decimal("1"), .null, decimal("2"), decimal("3.00")],
      "l.u": [.text("b"), .text("A"), .text("a "), .text("B"), .null], "l.holes": [decimal("1"), .null, decimal("3")],
    ]
    #expect(try Compiled(text).value(["rate": decimal("2")], lists: lists).text ?? "NULL" == wanted)
  }

  @Test("fields of different lists do not go together, whatever their lengths", arguments: [1, 2, 3])
  func unevenLists(length: Int) throws {
    let numbers = ["1", "2", "3"].map(decimal)
    let lists = ["a": Array(numbers.prefix(2)), "b": Array(numbers.prefix(length))]
    #expect(throws: EvaluationError.self) { try Compiled("SUM({a}*{b})").value([:], lists: lists) }
  }

  @Test("the clock and the UUID are inputs")
  func inputs() throws {
    #expect(try Compiled("NOW()").value().text == "2024-03-14 16:00:00")
    #expect(try Compiled("UUID()").value() == .text("6ccd780c-baba-1026-9564-5b8c656024db"))
    #expect(
      try Compiled("FROM_UNIXTIME({t} - 600, '%Y-%m-%d %T')").value(["t": decimal("1710403200")])
        == .text("2024-03-14 15:50:00"))
    #expect(try Compiled("UNIX_TIMESTAMP()").value() == decimal("1710403200"))
  }

  @Test("every step of an evaluation can be seen, with what stood in the source")
  func explained() throws {
    let compiled = try Compiled("round( {{a}}/{{b}} ,2)")
    let source = TestSource(names: compiled.names, values: ["a": decimal("2"), "b": decimal("3")])
    let (result, steps) = compiled.expression.explained(source, strict)
    #expect(try result.get() == decimal("0.67"))
    #expect(steps.map(\.text) == ["{{a}}", "{{b}}", "{{a}}/{{b}}", "round( {{a}}/{{b}} ,2)"])
    #expect(steps.map(\.value.text) == ["2", "3", "0.666666666666666666666666", "0.67"])
    let (failure, few) = compiled.expression.explained(
      TestSource(names: compiled.names, values: ["a": decimal("2")]), strict)
    #expect(failure == .failure(.nothing("b")))
    #expect(few.map(\.text) == ["{{a}}", "{{b}}"])
    let product = try Compiled("({{a}}/{{b}})*3")
    let (_, parts) = product.expression.explained(
      TestSource(names: product.names, values: ["a": decimal("2"), "b": decimal("3")]), strict)
    #expect(parts.map(\.value.text) == ["2", "3", "0.666666666666666666666666", "2"])
  }
}
