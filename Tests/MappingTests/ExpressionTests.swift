import JSON
import Mapping
import Orders
import Testing

@Suite("Expressions")
struct ExpressionTests {
  @Test(
    "operators have the usual ranks and go from left to right",
    arguments: [
      ("1+2*3", "7"), ("(1+2)*3", "9"), ("10-3-2", "5"), ("100/10/5", "2"), ("2*3%4", "2"), ("7%4*2", "6"),
      ("-2*3", "-6"), ("2*-3", "-6"), ("2--3", "5"), ("-(2+3)", "-5"), ("- - 4", "4"), ("+5", "5"), ("1 - +1", "0"),
      ("7/2", "3.5"), ("-7%3", "-1"), ("7%-3", "1"), ("7.5%2", "1.5"), (".5+.5", "1.0"), ("((((3))))", "3"),
      ("0.1+0.2", "0.3"), ("'2'*'3'", "6"), ("' 2 '*3", "6"),
    ])
  func arithmetic(formula: String, expected: String) throws {
    #expect(try headText("_function " + formula) == expected)
  }

  @Test("no space is needed after _function, nor between anything")
  func spaces() throws {
    let order = #"{"a":"6","b":3}"#
    for text in ["_function{a}/{b}", "_function {{a}}/{{b}}", "_function ( {a} / {{b}} ) ", "_functionABS({a})/{b}"] {
      #expect(try headText(text, order) == "2")
    }
  }

  @Test(
    "published formulas give what MySQL gives",
    arguments: [
      ("_function {exchange_rate}/100", "7.25"), ("_function {{price}}+( {{post}}/{{num}} )", "12.5"),
      ("_function {{num}}*-1", "-4"), ("_function round({{{price}}/{{num}},7)", "2.5000000"),
      ("_function ABS( {{minus}})", "3"),
      ("_function ({{price}}/{{num}})*{{other}}/{{num}}", "25"),
    ])
  func published(value: String, expected: String) throws {
    let order = #"{"exchange_rate":725,"price":10,"post":"10","num":4,"minus":-3,"other":"40"}"#
    #expect(try headText(value, order) == expected)
  }

  @Test(
    "functions are known in any case of their names",
    arguments: [
      ("ROUND(2.5)", "3"), ("round(-2.5)", "-3"), ("Round(2.345,2)", "2.35"), ("ROUND(2.344,2)", "2.34"),
      ("ROUND(5,2)", "5"), ("ABS(-1.50)", "1.50"), ("abs(2)", "2"), ("IFNULL({none},7)", "7"), ("ifnull({a},7)", "6"),
      ("NULLIF({a},6)", nil), ("NULLIF({a},'6')", nil), ("NULLIF({a},'6.0')", nil), ("NULLIF('{a}','6.0')", "6"),
      ("NULLIF({n},'6.0')", nil), ("NULLIF({a},7)", "6"), ("IFNULL(NULLIF({empty},''),0)", "0"),
      ("COALESCE({none},NULLIF({empty},''),{a},9)", "6"), ("COALESCE({none})", nil),
      ("DATE('2024-01-29 10:00:00')", "2024-01-29"),
      ("DATE(NULL)", nil), ("DATE('')", nil), ("COALESCE(DATE({none}),DATE('2024-01-29'))", "2024-01-29"),
    ] as [(String, String?)])
  func functions(formula: String, expected: String?) throws {
    let order = #"{"a":"6","n":6,"empty":""}"#
    #expect(try headText("_function " + formula, order) == expected)
  }

  @Test("the empty text is not nothing: IFNULL keeps it, and arithmetic refuses it")
  func emptyText() throws {
    #expect(try headText("_function IFNULL({empty},7)", #"{"empty":""}"#) == nil)
    #expect(try failure("_function IFNULL({empty},7)+0", #"{"empty":""}"#).code == .fieldMissing)
  }

  @Test("an empty list or object is nothing: OKKI writes an empty object as []", arguments: ["[]", "{}"])
  func emptyStructure(value: String) throws {
    #expect(try headText("_function IFNULL({a},7)", #"{"a":\#(value)}"#) == "7")
  }

  @Test("arithmetic with nothing is nothing, which IFNULL and COALESCE step over, as in MySQL")
  func nothingInArithmetic() throws {
    #expect(try headText("_function IFNULL({a}/NULLIF({b},0),0)", #"{"a":5,"b":0}"#) == "0")
    #expect(try headText("_function COALESCE(ROUND({none}*2,1),{a})", #"{"a":5}"#) == "5")
    // Alone it is an error: a price must not silently go missing.
    let failure = try failure("_function {a}/NULLIF({b},0)", #"{"a":5,"b":0}"#)
    #expect(failure.code == .fieldMissing)
    #expect(failure.sentence == "b is 0, and the formula makes nothing of it")
    #expect(failure.remedy.hasPrefix("Correct the value in OKKI"))
  }

  @Test("a required field says which of its formula's fields is empty, or that the formula makes nothing of them")
  func emptyResult() throws {
    func sentence(_ order: String) throws -> String {
      try failure("_function NULLIF(DATE({day}),'1970-01-01')", order, #""is_required":true"#).sentence
    }
    #expect(try sentence(#"{"day":""}"#) == "day is empty")
    #expect(try sentence(#"{"day":"1970-01-01"}"#) == "what the formula makes of day is empty")
    let zero = try MappingTests.failure("_function NULLIF({n},0)", #"{"n":"0.00"}"#, #""is_required":true"#)
    #expect(zero.sentence == "n is 0, and the formula makes nothing of it")
    #expect(zero.remedy.hasPrefix("Correct the value in OKKI"))
  }

  @Test("IFNULL does not hide a text that is no number; of a division by zero it says what then, as in MySQL")
  func hidden() throws {
    #expect(try failure("_function IFNULL({a}*2,0)", #"{"a":"five"}"#).code == .valueInvalid)
    #expect(try headText("_function IFNULL({a}/0,7)", #"{"a":5}"#) == "7")
    #expect(try failure("_function {a}/0", #"{"a":5}"#).code == .divisionByZero)
  }

  @Test(
    "operands that are no number are refused, and nothing counts as 0",
    arguments: [
      ("{}", .fieldMissing), (#"{"a":null}"#, .fieldMissing), (#"{"a":""}"#, .fieldMissing),
      (#"{"a":"1,234.5"}"#, .valueInvalid), (#"{"a":"12 kg"}"#, .valueInvalid), (#"{"a":"0x10"}"#, .valueInvalid),
      (#"{"a":[1]}"#, .valueInvalid), (#"{"a":{}}"#, .fieldMissing), (#"{"a":"NaN"}"#, .valueInvalid),
      (#"{"a":"１２"}"#, .valueInvalid), (#"{"a":" "}"#, .fieldMissing), (#"{"a":1e99}"#, .valueInvalid),
    ] as [(String, Code)])
  func noNumbers(order: String, code: Code) throws {
    for formula in ["{a}+1", "2*{a}", "-{a}", "ABS({a})", "ROUND({a},2)", "ROUND(1.5,{a})"] {
      let failure = try failure("_function " + formula, order)
      #expect(failure.code == code, "\(formula)")
      #expect(failure.sentence.hasPrefix("a "))
    }
  }

  @Test("a division and a remainder by zero name the field that is 0")
  func divisionByZero() throws {
    for (formula, source) in [
      ("{a}/{b}", "b"), ("{a}%{b}", "b"), ("{a}/({b}*2)", "what the formula makes of b"), ("{a}/0", "a constant"),
      ("1/({a}-{a})", "what the formula makes of a"),
    ] {
      let failure = try failure("_function " + formula, #"{"a":5,"b":"0.00"}"#)
      #expect(failure.code == .divisionByZero)
      #expect(failure.sentence == "\(source) is 0 and is divided by")
    }
  }

  @Test("the clock and chance are inputs: without them a formula that reads them fails, with them it is the same twice")
  func inputs() throws {
    for formula in ["NOW()", "DATE_ADD(CURDATE(),INTERVAL 1 DAY)", "UNIX_TIMESTAMP()", "UUID()"] {
      #expect(try failure("_function " + formula, "{}").code == .fieldMissing)
    }
    var inputs = MappingInputs(now: BeijingTime("2024-02-28 23:30:00"), randomSeed: 7)
    func bill(_ formula: String) throws -> [UInt8] {
      try Mapper(try strategy(field("X", "_function " + formula))).map(
        parsed("{}"), lookups: LookupTable(), inputs: inputs
      ).body
    }
    #expect(String(decoding: try bill("DATE_ADD(CURDATE(),INTERVAL 1 DAY)"), as: UTF8.self).contains("2024-02-29"))
    let uuid = try bill("UUID()")
    #expect(try bill("UUID()") == uuid)
    inputs.randomSeed = 8
    #expect(try bill("UUID()") != uuid)
  }

  @Test(
    "formulas that cannot be read are told when the strategy is read",
    arguments: [
      ("", "ends too early"), ("1+", "ends too early"), ("(1", "ends too early"), ("1)", "«)» cannot stand here"),
      ("1 2", "«2» cannot stand here"), ("*2", "«*» cannot stand here"), ("{a}{b}", "a field cannot stand here"),
      ("NOSUCH(1)", "the function «NOSUCH» is unknown"), ("'abc", "is not closed"), ("#1", "at character"),
      ("ROUND", "needs its arguments in parentheses"), ("ROUND()", "is written ROUND("),
      ("ABS(1,2)", "is written ABS("), ("IFNULL(1)", "is written IFNULL("), ("ROUND(1,)", "«)» cannot stand here"),
      ("ROUND(1;2)", "is not part"),
      ("round({a},2) else", "cannot stand here"),
    ])
  func malformed(formula: String, sentence: String) throws {
    #expect(try #require(problem("_function " + formula)).contains(sentence))
  }

  @Test("in quotes two quotes stand for one, and placeholders are filled in")
  func quotes() throws {
    #expect(try headText("_function IFNULL('it''s {x}','')", #"{"x":"here"}"#) == "it's here")
    #expect(try headText("_function NULLIF('{x}','')", "{}") == nil)
  }
}

@Suite("Exact decimals in formulas")
struct ExactnessTests {
  @Test("a third is kept to 24 decimals and rounded once, by the field")
  func thirds() throws {
    let order = #"{"a":100,"c":"3"}"#
    #expect(try headText("_function {a}/{c}", order) == "33.333333333333333333333333")
    #expect(try headText("_function {a}/{c}", order, #""ferry":{"decimals":6}"#) == "33.333333")
    #expect(try headText("_function 200/{c}", order, #""ferry":{"decimals":6}"#) == "66.666667")
    #expect(try headText("_function {a}/{c}*{c}", order, #""ferry":{"decimals":2}"#) == "100")
  }

  @Test("a quantity or an amount that nobody computed is carried as it is or not at all")
  func exact() throws {
    let rules = #""ferry":{"decimals":2,"exact":true}"#
    for (number, text) in [("1.50", "1.5"), ("\"-0.010\"", "-0.01"), ("1e2", "100"), ("0.000", "0")] {
      #expect(try headText("{a}", #"{"a":\#(number)}"#, rules) == text)
    }
    for number in ["1.005", "\"0.004\"", "1e-3"] {
      let failure = try failure("{a}", #"{"a":\#(number)}"#, rules)
      #expect(failure.code == .valueInvalid)
      #expect(failure.sentence == "a should be a number of at most 2 decimals but is one of 3")
    }
    #expect(problem("{a}", #""ferry":{"exact":true}"#) == "exact needs decimals")
    #expect(problem("{a}", #""ferry":{"exact":1,"decimals":2}"#) == "exact is true or false")
  }

  @Test("a number below the field's minimum parks the order")
  func minimum() throws {
    let rules = #""ferry":{"minimum":0}"#
    #expect(try headText("{a}", #"{"a":"0.00"}"#, rules) == "0.00")
    let failure = try failure("_function {a}*2", #"{"a":-0.01}"#, rules)
    #expect(failure.code == .valueInvalid)
    #expect(failure.sentence == "a should be at least 0 but is less")
    #expect(try MappingTests.failure("{a}", #"{"a":"x"}"#, rules).code == .valueInvalid)
    #expect(problem("{a}", #""ferry":{"minimum":"none"}"#) == "minimum is a number")
  }

  @Test("decimals may be named by K/3's kind of number, and a strategy says how many each has")
  func classes() throws {
    func made(_ kind: String, _ rules: String = #""key":"N""#) throws -> String? {
      let strategy = try strategy(field("X", "{a}", #""ferry":{"decimals":"\#(kind)"}"#), rules: rules)
      return try data(strategy, #"{"a":1.23456789}"#)["X"]?.string
    }
    #expect(try made("price") == "1.234568")
    #expect(try made("quantity") == "1.2346")
    #expect(try made("amount") == "1.23")
    #expect(try made("amount", #""key":"N","decimals":{"amount":4}"#) == "1.2346")
    #expect(try made("price", #""key":"N","decimals":{"amount":4}"#) == "1.234568")
    #expect(problem("{a}", #""ferry":{"decimals":"weight"}"#)?.contains("one of price, quantity, amount") == true)
    for (rules, sentence) in [
      (#"{"weight":2}"#, "«weight» is unknown"), (#"{"price":21}"#, "price is a whole number"), ("[]", "an object"),
    ] {
      let error = #expect(throws: StrategyProblems.self) {
        _ = try strategy(field("{a}"), rules: #""key":"N","decimals":\#(rules)"#)
      }
      #expect(error?.problems.map(\.path) == ["ferry.decimals"])
      #expect(error?.description.contains(sentence) == true)
    }
  }

  @Test("MySQL's decimals of a division are a switch, for all fields or for one")
  func division() throws {
    let order = #"{"a":100,"c":3}"#
    func made(_ field: String, _ all: String) throws -> String? {
      let one = MappingTests.field("X", "_function {a}/{c}", #""ferry":{\#(field)}"#)
      return try data(strategy(one, rules: #""key":"N"\#(all)"#), order)["X"]?.string
    }
    #expect(try made("", "") == "33.333333333333333333333333")
    #expect(try made(#""division":"mysql""#, "") == "33.3333")
    #expect(try made("", #","division":"mysql""#) == "33.3333")
    #expect(try made(#""division":"exact""#, #","division":"mysql""#) == "33.333333333333333333333333")
    #expect(problem("{a}", #""ferry":{"division":"float"}"#) == "division is exact or mysql")
    #expect(throws: StrategyProblems.self) { _ = try strategy(field("{a}"), rules: #""key":"N","division":1"#) }
  }

  @Test("the platform's own answers to failures are a switch, for all fields or for one")
  func original() throws {
    let order = #"{"a":100,"c":0,"word":"x y"}"#
    func made(_ value: String, _ field: String, _ all: String = "", type: String = "string") throws -> String? {
      let one = MappingTests.field("X", value, type: type, #""ferry":{\#(field)}"#)
      return try data(strategy(one, rules: #""key":"N"\#(all)"#), order)["X"]?.string ?? "left out"
    }
    let on = #""original":true"#
    #expect(try made("_function {a}/{c}", on) == "100/0")
    #expect(try made("_function {a}/{c}", "", "," + on) == "100/0")
    #expect(try made("_function {none}/2", on) == "/2")
    #expect(try made("_function {a}/4", on) == "25")
    #expect(try made("{word}", on, type: "int") == "x y")
    #expect(try made("_findCollection find a from c where k={a}", on) == "left out")
    #expect(throws: MappingFailures.self) { _ = try made("_function {a}/{c}", #""original":false"#, "," + on) }
    #expect(throws: MappingFailures.self) { _ = try made("_function {a}/{c}", "") }
    #expect(problem("{a}", #""ferry":{"original":1}"#) == "original is true or false")
  }

  @Test("1000/7 times 7000 is a million again at two decimals")
  func sevenths() throws {
    #expect(try headText("_function {a}/7*7000", #"{"a":"1000"}"#, #""ferry":{"decimals":2}"#) == "1000000")
  }

  @Test("a quotient just below a half is not lifted to it by an earlier rounding")
  func oneRounding() throws {
    // 0.0149999…: rounded to six places first it would become 0.015, and then 0.02.
    #expect(try headText("_function {a}/{b}", #"{"a":"0.0149999999","b":1}"#, #""ferry":{"decimals":2}"#) == "0.01")
    #expect(try headText("_function {a}/{b}", #"{"a":"0.03","b":2}"#, #""ferry":{"decimals":2}"#) == "0.02")
  }

  @Test("amounts of 18 digits keep every one of them")
  func largeAmounts() throws {
    let order = #"{"a":1234567890123456.78,"b":"987654321098765.43"}"#
    #expect(try headText("_function {a}+{b}", order) == "2222222211222222.21")
    #expect(try headText("_function {a}*{b}", order) == "1219326311370217940755982341963.1154")
    #expect(try headText("{a}", order) == "1234567890123456.78")
  }

  @Test("what a binary float cannot hold comes out as written")
  func noFloats() throws {
    #expect(try headText("_function {a}*3", #"{"a":1.1}"#) == "3.3")
    #expect(try headText("{a}", #"{"a":9007199254740993}"#) == "9007199254740993")
    #expect(try headText("{a}", #"{"a":1.10}"#) == "1.10")
    #expect(try headText("_function {a}-{b}", #"{"a":100000000000000000.01,"b":100000000000000000}"#) == "0.01")
  }

  @Test("exponents are read as numbers and written without")
  func exponents() throws {
    #expect(try headText("{a}", #"{"a":1.5e3}"#) == "1500")
    #expect(try headText("_function {a}*2", #"{"a":"25E-1"}"#) == "5.0")
  }

  @Test("a result of more than 38 digits is refused, not cut")
  func overflow() throws {
    let order = #"{"a":12345678901234567890.5,"b":"98765432109876543210.5"}"#
    let product = try failure("_function {a}*{b}", order)
    #expect(product.code == .valueInvalid)
    #expect(product.sentence.contains("more than 38 digits"))
    #expect(try failure("{a}", #"{"a":1234567890123456789012345678901234567890}"#).code == .valueInvalid)
  }

  @Test(
    "decimals are rounded half away from zero and zeros at the end are dropped",
    arguments: [
      ("2.345", "2.35"), ("-2.345", "-2.35"), ("2.3449999", "2.34"), ("0.005", "0.01"), ("-0.005", "-0.01"),
      ("0.0049", "0"), ("12.50", "12.5"), ("12.00", "12"), ("12", "12"), ("\"1.995\"", "2"), ("\" 7 \"", "7"),
      ("true", "1"),
    ])
  func decimals(number: String, expected: String) throws {
    #expect(try headText("{a}", #"{"a":\#(number)}"#, #""ferry":{"decimals":2}"#) == expected)
  }
}
