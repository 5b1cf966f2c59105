import Expressions
import JSON
import Testing

@Suite("Properties of expressions", .timeLimit(.minutes(5)))
struct PropertyTests {
  static let seed: UInt64 = 31_415

  private static func number(_ random: inout SeededGenerator) -> SQLValue {
    let scale = random.number(0...6)
    return ExactDecimal(digits: Int128(random.number(-999_999_999...999_999_999)), scale: scale).map { .number($0) }
      ?? .null
  }

  @Test(
    "sums, differences and products are exact",
    arguments: [
      ("{a}+{b}", "{b}+{a}"), ("{a}*{b}", "{b}*{a}"), ("({a}+{b})+{c}", "{a}+({b}+{c})"),
      ("({a}*{b})*{c}", "{a}*({b}*{c})"),
      ("{a}*({b}+{c})", "{a}*{b}+{a}*{c}"), ("{a}+{b}-{b}", "{a}"), ("{a}-{a}", "0"), ("-(-{a})", "{a}"),
      ("{a}*1", "{a}"),
      ("ABS({a})*SIGN({a})", "{a}"), ("({a} DIV {b})*{b} + {a} % {b}", "{a}"), ("SUM({a})", "{a}"),
      ("FLOOR({a})", "-CEIL(-{a})"), ("ROUND({a},2)", "-ROUND(-{a},2)"),
      ("GREATEST({a},{b})+LEAST({a},{b})", "{a}+{b}"),
      ("CAST(CONCAT({a}) AS DECIMAL(30,6))", "{a}"), ("TRUNCATE({a},0)", "{a} DIV 1"), ("'{a}'+0", "{a}"),
    ])
  func identities(left: String, right: String) throws {
    var random = SeededGenerator(seed: Self.seed)
    let (one, other) = (try Compiled(left), try Compiled(right))
    for _ in 0..<300 {
      let values = ["a": Self.number(&random), "b": Self.number(&random), "c": Self.number(&random)]
      if left.contains("DIV {b}"), values["b"] == decimal("0") { continue }
      // Equal as numbers; the decimals that are shown may differ.
      #expect(try one.value(values) == other.value(values), "seed \(Self.seed): \(left) = \(right) for \(values)")
    }
  }

  @Test(
    "a product is divided once, at its end: what is divided and multiplied again is what it was, to the last digit",
    arguments: [
      ("{a}/{b}*{b}", "{a}"), ("({a}/{b})*{b}", "{a}"), ("{b}*({a}/{b})", "{a}"), ("-({a}/{b})*{b}", "-{a}"),
      ("{a}/{b}*{c}", "{a}*{c}/{b}"), ("({a}/{b})*{c}", "({a}*{c})/{b}"), ("{a}/({b}/{c})", "{a}*{c}/{b}"),
      ("FLOOR({a}/{b}*{b})", "FLOOR({a})"), ("{a}/{b}*{b} = {a}", "TRUE"),
      ("ROUND({a}/{b}*{c},2)", "ROUND({a}*{c}/{b},2)"), ("{a}/{b}*{b} % 7", "{a} % 7"),
      ("{a}/{b}*{b} DIV 7", "{a} DIV 7"),
    ])
  func divisionAndBack(left: String, right: String) throws {
    var random = SeededGenerator(seed: Self.seed)
    let (one, other) = (try Compiled(left), try Compiled(right))
    for _ in 0..<300 {
      let values = ["a": Self.number(&random), "b": Self.number(&random), "c": Self.number(&random)]
      if values["b"] == decimal("0") || values["c"] == decimal("0") { continue }
      let order = try Compiled("({l}) <=> ({r})").value(["l": one.value(values), "r": other.value(values)])
      #expect(order == decimal("1"), "seed \(Self.seed): \(left) = \(right) for \(values)")
    }
  }

  @Test("a half that a division leads to is rounded up, and too many digits go the way that cuts off")
  func halves() throws {
    let values = ["amt": decimal("10.01"), "three": decimal("3"), "m": decimal("1.5")]
    for text in ["{amt}/{three}*{m}", "{amt}*{m}/{three}", "({amt}/{three})*{m}", "{m}*({amt}/{three})"] {
      #expect(try Compiled(text).value(values).text == "5.005")
      #expect(try Compiled("ROUND(\(text),2)").value(values).text == "5.01")
    }
    #expect(try Compiled("FLOOR(10/3*3)").value().text == "10")
    #expect(try Compiled("10/3*3=10").value().text == "1")
    #expect(try Compiled("10/3*3").value().text == "10")
    let long = ["a": decimal("999999999999999999999"), "b": decimal("33333333333333333333")]
    #expect(
      try Compiled("{a}/{b}*1234567890*12345678").value(long).text?.hasPrefix("457247329172382600.00411522596255")
        == true)
    // MySQL's scale stays with MySQL's division.
    var scaled = strict
    scaled.division = .mysql
    #expect(try Compiled("10/3*3").value([:], scaled).text == "9.9999")
  }

  @Test(
    "a quotient that passes a function, a choice or a sum on its way loses no half and no whole number",
    arguments: [
      ("ROUND(IFNULL({a}/{b},0)*{c},2)", "ROUND({a}*{c}/{b},2)"),
      ("ROUND(IF({a}>0,{a}/{b},{a}/{b})*{c},2)", "ROUND({a}*{c}/{b},2)"),
      ("ROUND(CASE WHEN {b}<>0 THEN {a}/{b} ELSE 0 END*{c},3)", "ROUND({a}*{c}/{b},3)"),
      ("ROUND(COALESCE(ABS({a}/{b}),0)*{c},2)", "ROUND(ABS({a}/{b})*{c},2)"),
      ("ROUND({a}/{b}+{c}/{d},2)", "ROUND(({a}*{d}+{c}*{b})/({b}*{d}),2)"),
      ("ROUND({a}/{b}-{c}/{b},1)", "ROUND(({a}-{c})/{b},1)"),
      ("FLOOR({a}/{b}+{c}/{d})", "FLOOR(({a}*{d}+{c}*{b})/({b}*{d}))"),
      ("CEIL(IFNULL({a}/{b},0)*{b})", "CEIL({a})"), ("TRUNCATE(IFNULL({a}/{b},0)*{b},1)", "TRUNCATE({a},1)"),
      ("CAST(IFNULL({a}/{b},0)*{c} AS DECIMAL(30,2))", "ROUND({a}*{c}/{b},2)"),
      ("CAST({a}/{b}+{c}/{d} AS SIGNED)", "ROUND(({a}*{d}+{c}*{b})/({b}*{d}))"),
      ("FORMAT(IFNULL({a}/{b},0)*{c},2)", "FORMAT({a}*{c}/{b},2)"),
      ("IFNULL({a}/{b},0)*{b} DIV 1", "{a} DIV 1"), ("IFNULL({a}/{b},0)*{b} % 1", "{a} % 1"),
      ("MOD(IFNULL({a}/{b},0)*{b},1)", "MOD({a},1)"),
      ("IFNULL({a}/{b},0)*{b}={a}", "TRUE"), ("IFNULL({a}/{b},0)*{b}>={a}", "TRUE"),
      ("{a} IN (IFNULL({a}/{b},0)*{b})", "TRUE"), ("IFNULL({a}/{b},0)*{b} BETWEEN {a} AND {a}", "TRUE"),
      ("CASE IFNULL({a}/{b},0)*{b} WHEN {a} THEN 1 ELSE 0 END", "1"), ("FIELD({a},IFNULL({a}/{b},0)*{b})", "1"),
    ])
  func quotientsOnTheirWay(left: String, right: String) throws {
    var random = SeededGenerator(seed: Self.seed)
    let (one, other) = (try Compiled(left), try Compiled(right))
    for _ in 0..<1000 {
      // Short numbers, of which many lead to a half; quantities of millions, which multiply what was cut off.
      var values: [String: SQLValue] = [:]
      for name in ["a", "b", "c", "d"] {
        let (most, scale) = random.pick([(99, 0), (99, 2), (99_999, 3), (30_000_000, 0)])
        values[name] = ExactDecimal(digits: Int128(random.number(1...most)), scale: scale).map { .number($0) } ?? .null
      }
      let (a, b) = (try one.value(values), try other.value(values))
      let order = try Compiled("({l}) <=> ({r})").value(["l": a, "r": b])
      #expect(order == decimal("1"), "seed \(Self.seed): \(left) = \(right) for \(values)")
    }
  }

  @Test("so do sums over rows, and only where division is exact")
  func quotientsInSums() throws {
    var random = SeededGenerator(seed: Self.seed)
    let (parts, whole) = (try Compiled("ROUND(SUM({l.p}/{q}),2)"), try Compiled("ROUND(SUM({l.p})/{q},2)"))
    for _ in 0..<1000 {
      let rows = (0..<random.number(1...9)).compactMap { _ in
        ExactDecimal(digits: Int128(random.number(1...999)), scale: 3).map { SQLValue.number($0) }
      }
      let values = ["q": SQLValue.number(ExactDecimal(Int64(random.number(1...30))))]
      #expect(
        try parts.value(values, lists: ["l.p": rows]) == whole.value(values, lists: ["l.p": rows]),
        "seed \(Self.seed): \(rows) by \(values)")
    }
    for (text, wanted) in [
      ("ROUND(1/3+1/6)", "1"), ("FLOOR(10/3+2/3)", "4"), ("ROUND(0.01/3+0.005/3,2)", "0.01"),
      ("ROUND(IFNULL(10.01/3,0)*1.5,2)", "5.01"), ("IFNULL(10/3,0)*3=10", "1"), ("IF(IFNULL(10/3,0)*3-10,1,0)", "0"),
      ("SIGN(IFNULL(10/3,0)*3-10)", "0"), ("POW(2,IFNULL(10/3,0)*3)", "1024"), ("LEFT('abc',IFNULL(2/3,0)*3)", "ab"),
      // Nothing that is wanted is cut off.
      ("ROUND(1/3,24)", "0.333333333333333333333333"), ("IFNULL(10/3,0)*3", "9.999999999999999999999999"),
      ("12345678901234.5/3 > 4115226300411.49999999", "1"), ("1/3 > 0.33333333333333333", "1"),
    ] { #expect(try Compiled(text).value().text == wanted, "\(text)") }
    var scaled = strict
    scaled.division = .mysql
    #expect(try Compiled("IFNULL(10/3,0)*3=10").value([:], scaled).text == "0")
  }

  @Test("the same expression comes to the same, again and again, printed and read too")
  func determinism() throws {
    var generator = ExpressionGenerator(seed: Self.seed)
    for _ in 0..<1000 {
      let text = generator.expression()
      let compiled = try Compiled(text)
      let printed = compiled.expression.description
      let again = try Compiled(printed)
      #expect(again.expression.description == printed)
      for settings in [strict, mysql] {
        let first = Result { try compiled.value([:], settings) }
        #expect(Result { try compiled.value([:], settings) }.text == first.text)
        #expect(Result { try again.value([:], settings) }.text == first.text, "seed \(Self.seed): \(text)")
      }
    }
  }

  @Test("strict settings refuse, but never come to another value than MySQL's")
  func strictNeverDiffers() throws {
    var generator = ExpressionGenerator(seed: Self.seed + 1)
    var strictly = strict
    strictly.division = .mysql
    var values = 0
    for _ in 0..<2000 {
      let text = generator.expression()
      // Strict settings take an exponent in a text for what it says, and a boolean's text is a word.
      if text.contains("1e2") || text.contains("TRUE") || text.contains("FALSE") { continue }
      let compiled = try Compiled(text)
      guard let value = try? compiled.value([:], strictly) else { continue }
      values += 1
      #expect(try compiled.value([:], mysql).text == value.text, "seed \(Self.seed + 1): \(text)")
    }
    #expect(values > 1000)
  }

  @Test("an operand is the same as its literal, save that strict settings take one that is missing or empty for a gap")
  func operandsAsLiterals() throws {
    var random = SeededGenerator(seed: Self.seed)
    let literals: [(String, SQLValue)] = [
      ("1.50", decimal("1.50")), ("0", decimal("0")), ("7", decimal("7")), ("'abc'", .text("abc")), ("''", .text("")),
      ("NULL", .null),
      ("'12x'", .text("12x")), ("TRUE", .bool(true)), ("'中文'", .text("中文")), ("'2024-03-05'", .text("2024-03-05")),
    ]
    let shapes = [
      "A + B", "A / B", "A = B", "A < B", "A <=> B", "CONCAT(A, B)", "IF(A, B, 1)", "IFNULL(A, B)", "NULLIF(A, B)",
      "A LIKE B", "A AND B", "A OR NOT B", "A IN (B, 1)", "CASE A WHEN B THEN 1 ELSE 2 END", "GREATEST(A, B)",
      "LEFT(A, 2)",
      "LOCATE(A, B)", "REPLACE(A, B, 'x')", "ROUND(A, 1)", "DATE_ADD(A, INTERVAL 1 DAY)", "A BETWEEN B AND 9",
      "LPAD(A, 4, B)",
      "SUBSTRING(A, B)", "COALESCE(A, B)", "STRCMP(A, B)", "DATEDIFF(A, B)", "A REGEXP '^[0-9]'", "CAST(A AS SIGNED)",
      "A IS NULL",
    ]
    for shape in shapes {
      for _ in 0..<20 {
        let (a, b) = (random.pick(literals), random.pick(literals))
        let direct = Self.fill(shape, a.0, b.0)
        let fields = Self.fill(shape, "{a}", "{b}")
        let isGap = [a.1, b.1].contains { $0 == .null || $0 == .text("") }
        for settings in isGap ? [mysql] : [strict, mysql] {
          let left = Result { try Compiled(direct).value([:], settings) }
          let right = Result { try Compiled(fields).value(["a": a.1, "b": b.1], settings) }
          #expect(left.text == right.text, "\(direct) and \(fields)")
        }
      }
    }
  }

  private static func fill(_ shape: String, _ a: String, _ b: String) -> String {
    shape.replacing(/\b[AB]\b/) { match in match.output == "A" ? a : b }
  }
}
