import JSON
import Mapping
import Orders
import Testing

@Suite("Price × quantity and the line's amount (vendor-apis.md A.10, C.2)")
struct ResidualTests {
  private static let rule = #"{"lines":"R","quantity":"Q","price":"P","amount":"A","tolerance":"0.05"}"#

  /// A strategy whose lines have a quantity, the rounded price amount / quantity, and the amount.
  private func strategy(_ rule: String = Self.rule, more: String = "") throws -> Strategy {
    let line = [
      field("Q", "{{lines.q}}"), field("P", "_function {{lines.a}}/{{lines.q}}", #""ferry":{"decimals":"price"}"#),
      field("A", "{{lines.a}}"),
    ].joined(separator: ",")
    return try MappingTests.strategy(array("R", "lines", line), rules: #""key":"N","residual":\#(rule)\#(more)"#)
  }

  private func order(_ lines: (quantity: String, amount: String)...) -> String {
    let rows = lines.map { #"{"q":"\#($0.quantity)","a":"\#($0.amount)"}"# }.joined(separator: ",")
    return #"{"lines":[\#(rows)]}"#
  }

  /// The notes of a bill, or the codes and places of what is wrong.
  private func found(_ strategy: Strategy, _ order: String) throws -> [String] {
    let order = try parsed(order)
    do throws(MappingFailures) {
      let bill = try Mapper(strategy).map(order, lookups: LookupTable())
      return bill.notes.map { "\($0.kind.rawValue) \($0)" }
    } catch { return error.failures.map { "\($0.code.rawValue) \($0.target)" } }
  }

  @Test(
    "what rounding leaves over is noted with its exact size, what no rounding explains parks the order",
    arguments: [
      ("3", "100", []), ("7000", "1000000", []), ("7000", "233333.33", []), ("7000", "1000", []),
      // 1 / 90,000 is 0.000011: 0.99.
      ("90000", "1", ["residual R[0].P: A less P × Q is 0.01"]),
      ("90000", "1000", ["residual R[0].P: A less P × Q is 0.01"]),
      // The price is rounded up: more than the amount.
      ("60000", "1000.01", ["residual R[0].P: A less P × Q is -0.01"]),
      ("70000", "123.45", ["residual R[0].P: A less P × Q is -0.03"]),
      ("1000000", "33333.05", ["residual R[0].P: A less P × Q is 0.05"]),
      ("1000000", "33333.06", ["amount_mismatch R[0].P"]), ("1000000", "33333.33", ["amount_mismatch R[0].P"]),
      ("-90000", "-1000", ["residual R[0].P: A less P × Q is -0.01"]),
      ("-1000000", "-33333.33", ["amount_mismatch R[0].P"]),
    ] as [(String, String, [String])])
  func sizes(quantity: String, amount: String, expected: [String]) throws {
    #expect(try found(strategy(), order((quantity, amount))) == expected)
  }

  @Test("the amount is sent as the source has it, whatever is left over")
  func amountStays() throws {
    let bill = try Mapper(strategy()).map(parsed(order(("90000", "1000.00"))), lookups: LookupTable())
    let row = try JSONDocument(bill.body).root["Data"]?["R"]?[0]
    #expect(row?["A"]?.text == "1000.00")
    #expect(row?["P"]?.text == "0.011111")
    #expect(bill.notes == [BillNote(.residual, place: "R[0].P", "A less P × Q is 0.01")])
  }

  @Test("a cent more or less is told from rounding at every place, line by line")
  func lines() throws {
    let all = order(("3", "100"), ("90000", "1000"), ("1000000", "33333.33"), ("90000", "1000"))
    #expect(try found(strategy(), all) == ["amount_mismatch R[2].P"])
    let good = order(("3", "100"), ("90000", "1000"), ("90000", "2000"))
    #expect(
      try found(strategy(), good) == [
        "residual R[1].P: A less P × Q is 0.01", "residual R[2].P: A less P × Q is 0.02",
      ])
  }

  @Test("a tolerance may grow with the quantity, as what rounding does to a price does")
  func perUnit() throws {
    let rule = Self.rule.replacing(#""0.05""#, with: #""0.005","perUnit":"0.0000005""#)
    #expect(
      try found(strategy(rule), order(("1000000", "33333.33"))) == ["residual R[0].P: A less P × Q is 0.33"])
    let wrong = #"{"lines":[{"q":"1000000","a":"33333.33","p":"0.0333"}]}"#
    let line = [field("Q", "{{lines.q}}"), field("P", "{{lines.p}}"), field("A", "{{lines.a}}")].joined(separator: ",")
    let given = try MappingTests.strategy(array("R", "lines", line), rules: #""key":"N","residual":\#(rule)"#)
    let failure = try #require(try failures(given, wrong).first)
    #expect(failure.code == .amountMismatch)
    #expect(failure.sentence == "P × Q is not A: they differ by more than 0.005 and 0.0000005 a unit")
    #expect(failure.sources == ["lines.q", "lines.p", "lines.a"])
  }

  @Test("several rules are held, each for itself, and with decimals of their own")
  func several() throws {
    let second = Self.rule.replacing(#""tolerance":"0.05""#, with: #""decimals":0,"tolerance":0"#)
    // A whole yuan is all that the second rule looks at.
    #expect(
      try found(strategy("[\(Self.rule),\(second)]"), order(("90000", "1000.40"))) == [
        "residual R[0].P: A less P × Q is -0.04"
      ])
    let cents = Self.rule.replacing(#""tolerance":"0.05""#, with: #""decimals":"amount","tolerance":1"#)
    let house = try strategy(cents, more: #","decimals":{"amount":0}"#)
    #expect(try found(house, order(("90000", "1000.40"))) == [])
  }

  @Test("with no tolerance every residual parks, and equal amounts still pass")
  func noTolerance() throws {
    let rule = Self.rule.replacing(#""0.05""#, with: "0")
    #expect(try found(strategy(rule), order(("90000", "1000"))) == ["amount_mismatch R[0].P"])
    #expect(try found(strategy(rule), order(("7000", "1000"))) == [])
  }

  @Test("a line that has one of the three and lacks another cannot be checked: that is told, of each, with its place")
  func missing() throws {
    let line = [field("Q", "{{lines.q}}"), field("P", "{{lines.p}}"), field("A", "{{lines.a}}")].joined(separator: ",")
    let given = try MappingTests.strategy(array("R", "lines", line), rules: #""key":"N","residual":\#(Self.rule)"#)
    for (row, lacking) in [
      (#""q":1,"p":2"#, ["A"]), (#""q":1,"a":5"#, ["P"]), (#""p":1,"a":5"#, ["Q"]), (#""q":1,"p":"","a":5"#, ["P"]),
      (#""q":1,"p":"  ","a":5"#, ["P"]), (#""a":"0""#, ["Q", "P"]), (#""q":1"#, ["P", "A"]),
      // A line of text has nothing to be held against anything.
      ("", []), (#""q":"","p":" ","a":null"#, []),
    ] {
      let expected = lacking.map { "field_missing R[0].\($0)" }
      #expect(try found(given, #"{"lines":[{\#(row)}]}"#) == expected, "\(row)")
    }
    let failure = try #require(try failures(given, #"{"lines":[{"q":1,"p":1,"a":1},{"q":1,"a":5}]}"#).first)
    #expect(failure.description == "R[1].P: the line has no P, so P × Q cannot be held against A")
    #expect(failure.remedy.hasPrefix("Fill what P is made of"))
    #expect(try found(given, #"{"lines":[{"q":1,"p":"free","a":5}]}"#) == ["value_invalid R[0].P"])
    let huge = String(repeating: "9", count: 30)
    #expect(try found(given, #"{"lines":[{"q":\#(huge),"p":\#(huge),"a":5}]}"#) == ["value_invalid R[0].P"])
    #expect(try found(given, #"{"lines":[]}"#) == [])
    // Why a field has no value is told once, by the field.
    #expect(try found(strategy(), order(("0", "5"))) == ["division_by_zero R[0].P"])
  }

  @Test("lines and their fields may lie within objects and arrays")
  func nested() throws {
    let price = #"{"field":"P","type":"object","children":[\#(field("V", "{{l.p}}"))]}"#
    let rows = array("R", "l", [field("Q", "{{l.q}}"), price, field("A", "{{l.a}}")].joined(separator: ","))
    let rule = #"{"lines":"O.H.R","quantity":"Q","price":"P.V","amount":"A","tolerance":1}"#
    let strategy = try MappingTests.strategy(
      #"{"field":"O","type":"object","children":[\#(array("H", nil, rows))]}"#, rules: #""key":"N","residual":\#(rule)"#
    )
    #expect(
      try found(strategy, #"{"l":[{"q":1,"p":2,"a":2},{"q":2,"p":2,"a":"4.5"},{"q":2,"p":3,"a":4}]}"#)
        == ["amount_mismatch O.H[0].R[2].P.V"])
    #expect(
      try found(strategy, #"{"l":[{"q":1,"p":2,"a":2},{"q":2,"p":2,"a":"4.5"}]}"#)
        == ["residual O.H[0].R[1].P.V: A less P.V × Q is 0.5"])
  }

  @Test("more than a hundred notes are counted, not dropped in silence")
  func hundred() throws {
    func lines(_ count: Int) -> String {
      let row = #"{"q":90000,"a":1000}"#
      return "{\"lines\":[\(Array(repeating: row, count: count).joined(separator: ","))]}"
    }
    let strategy = try strategy()
    for (count, shown, last) in [
      (100, 100, "R[99].P: A less P × Q is 0.01"), (101, 100, "2 more notes are left out"),
      (500, 100, "401 more notes are left out"),
    ] {
      let bill = try Mapper(strategy).map(parsed(lines(count)), lookups: LookupTable())
      #expect(bill.notes.count == shown)
      #expect(bill.notes.last?.description == last)
      #expect(bill.notes.allSatisfy { $0.kind == .residual })
    }
  }

  @Test("moved dates stand before residuals and are never left out for them")
  func movedFirst() throws {
    let line = [field("Q", "{{lines.q}}"), field("P", "0.011111"), field("A", "{{lines.a}}")].joined(separator: ",")
    let calendar = #"{"date":"D","closedThrough":"2024-01-31","closed":"move"}"#
    let strategy = try MappingTests.strategy(
      "\(field("D", "{day}")),\(array("R", "lines", line))",
      rules: #""key":"N","residual":\#(Self.rule),"calendar":\#(calendar)"#)
    let rows = Array(repeating: #"{"q":90000,"a":1000}"#, count: 150).joined(separator: ",")
    let bill = try Mapper(strategy).map(parsed(#"{"day":"2024-01-29","lines":[\#(rows)]}"#), lookups: LookupTable())
    #expect(bill.notes.count == BillNote.most)
    #expect(bill.notes.prefix(2).map(\.kind) == [.movedDate, .residual])
    #expect(bill.notes.prefix(2).map(\.place) == ["D", "R[0].P"])
    #expect(bill.notes.last == BillNote(.residual, place: "", "52 more notes are left out"))
  }

  @Test(
    "rules that cannot be meant are told with their place",
    arguments: [
      ("5", "ferry.residual"), (#"{"lines":"R","quantity":"Q","price":"P","amount":"A"}"#, "ferry.residual"),
      (#"[{"lines":"R","quantity":"Q","price":"P","tolerance":0}]"#, "ferry.residual[0]"),
      (#"{"lines":"R","quantity":"Q","price":"P","amount":"A","tolerance":"-1"}"#, "ferry.residual"),
      (#"{"lines":"R","quantity":"Q","price":"P","amount":"A","tolerance":1,"limit":2}"#, "ferry.residual"),
      (#"{"lines":"R","quantity":"Q","price":"P","amount":"A","tolerance":1,"perUnit":"x"}"#, "ferry.residual"),
      (#"{"lines":"R","quantity":"Q","price":"P","amount":"A","tolerance":1,"decimals":"cents"}"#, "ferry.residual"),
      (#"{"lines":"S","quantity":"Q","price":"P","amount":"A","tolerance":1}"#, "ferry.residual.lines"),
      (#"{"lines":"N","quantity":"Q","price":"P","amount":"A","tolerance":1}"#, "ferry.residual.lines"),
      (#"{"lines":"R","quantity":"FQty","price":"P","amount":"A","tolerance":1}"#, "ferry.residual.quantity"),
    ])
  func malformed(rule: String, path: String) {
    let line = [field("Q", "1"), field("P", "1"), field("A", "1")].joined(separator: ",")
    let target = #"""
      {"api":"/SO/Save","ferry":{"key":"N","residual":\#(rule)},
       "request":[\#(field("N", "1")),\#(array("R", "lines", line))]}
      """#
    let found = problems(target: target)
    #expect(found.map(\.path) == [path])
    #expect(found.allSatisfy { $0.line == 1 && ($0.column ?? 0) > 30 })
  }
}

@Suite("A sum of the bill and the order's own figure (vendor-apis.md C.2)")
struct PlausibleTests {
  private func codes(_ limits: String, _ lines: [String], rmb: String) throws -> [String] {
    let rule = #"{"sum":"R.S","source":"rmb",\#(limits)}"#
    let strategy = try MappingTests.strategy(
      array("R", "lines", field("S", "{{lines.s}}")), rules: #""key":"N","plausible":\#(rule)"#)
    let rows = lines.map { #"{"s":\#($0)}"# }.joined(separator: ",")
    return try failures(strategy, #"{"rmb":\#(rmb),"lines":[\#(rows)]}"#).map { "\($0.code.rawValue) \($0.target)" }
  }

  @Test(
    "a sum outside of both tolerances together parks the order",
    arguments: [
      (#""tolerance":1"#, "101", true), (#""tolerance":1"#, "101.01", false), (#""tolerance":"1""#, "98.99", false),
      (#""relative":"0.01""#, "\"101.01\"", true), (#""relative":"0.01""#, "102", false),
      (#""tolerance":"0.5","relative":"0.01""#, "101.5", true),
      (#""tolerance":0"#, "100", true), (#""tolerance":0"#, "100.01", false), (#""relative":"0.01""#, "10000", false),
    ])
  func tolerances(limits: String, rmb: String, passes: Bool) throws {
    let expected = passes ? [] : ["amount_mismatch R.S"]
    #expect(try codes(limits, ["60", "\"40.00\""], rmb: rmb) == expected)
  }

  @Test(
    "a sum may be multiplied by a field of its bill, and compared without signs",
    arguments: [
      (#""times":"C""#, "7.1", "100", "710", []), (#""times":"C""#, "7.1", "100", "71", ["amount_mismatch R.S"]),
      (#""times":"C""#, "7.1", "-100", "710", ["amount_mismatch R.S"]),
      (#""times":"C","sign":"any""#, "7.1", "-100", "710", []), (#""sign":"any""#, "7.1", "-100", "-100", []),
      (#""sign":"any""#, "7.1", "100", "-100", []), (#""sign":"same""#, "7.1", "100", "-100", ["amount_mismatch R.S"]),
      (#""times":"C""#, "", "100", "710", ["field_missing R.S"]),
      (#""times":"C""#, "x", "100", "710", ["value_invalid R.S"]),
    ])
  func timesAndSign(more: String, rate: String, sum: String, rmb: String, expected: [String]) throws {
    let fields = field("C", "{rate}") + "," + array("R", "lines", field("S", "{{lines.s}}"))
    let rule = #"{"sum":"R.S","source":"rmb","tolerance":1,\#(more)}"#
    let strategy = try MappingTests.strategy(fields, rules: #""key":"N","plausible":\#(rule)"#)
    let found = try failures(strategy, #"{"rmb":"\#(rmb)","rate":"\#(rate)","lines":[{"s":\#(sum)}]}"#)
    #expect(found.map { "\($0.code.rawValue) \($0.target)" } == expected)
  }

  @Test("an order that states nothing, or 0 as integrations do, has nothing to be compared with")
  func unstated() throws {
    for rmb in ["null", #""""#, "0", #""0.00""#, "[]"] {
      #expect(try codes(#""tolerance":0"#, ["60"], rmb: rmb) == [], "\(rmb)")
    }
    #expect(try codes(#""tolerance":0"#, ["60"], rmb: #""much""#) == ["value_invalid R.S"])
    #expect(try codes(#""tolerance":0"#, [], rmb: "60") == ["amount_mismatch R.S"])
  }

  @Test(
    "a number beyond its bounds parks the order, in the bills that the rule is for",
    arguments: [
      (#""maximum":100"#, "100", "USD", nil), (#""maximum":100"#, "100.01", "USD", "R.S should be at most 100"),
      (#""minimum":0"#, "-1", "USD", "R.S should be at least 0"), (#""minimum":0,"maximum":"0.5""#, "0.5", "USD", nil),
      (#""minimum":1,"maximum":1,"when":{"C":"RMB"}"#, "7", "USD", nil),
      (#""minimum":1,"maximum":1,"when":{"C":"RMB"}"#, "1.00", "RMB", nil),
      (#""minimum":1,"maximum":1,"when":{"C":"RMB"}"#, "7", "RMB", "R.S should be 1 where C is RMB"),
      (#""minimum":1,"maximum":1,"when":{"C":["CNY","RMB"]}"#, "7", "RMB", "R.S should be 1 where C is CNY or RMB"),
      (#""minimum":2,"when":{"C":"RMB","N":"no-2"}"#, "1", "RMB", nil),
      (#""maximum":100"#, "much", "USD", "R.S should be a number but is a text"), (#""maximum":100"#, "", "USD", nil),
    ] as [(String, String, String, String?)])
  func ranges(bounds: String, value: String, currency: String, sentence: String?) throws {
    let fields = field("C", "{currency}") + "," + array("R", "lines", field("S", "{{lines.s}}"))
    let strategy = try MappingTests.strategy(fields, rules: #""key":"N","plausible":[{"field":"R.S",\#(bounds)}]"#)
    let found = try failures(strategy, #"{"currency":"\#(currency)","lines":[{"s":"1"},{"s":"\#(value)"}]}"#)
      .filter { !$0.target.hasPrefix("R[0]") }
    #expect(found.map(\.sentence) == (sentence.map { [$0] } ?? []))
    for failure in found {
      #expect(failure.code == .valueInvalid)
      #expect(failure.target == "R[1].S")
      #expect(failure.sources == ["lines.s"])
    }
  }

  @Test("where a field failed nothing is said of its sum")
  func derived() throws {
    let line = field("S", "{{lines.s}}", #""ferry":{"decimals":2}"#)
    let rule = #"{"sum":"R.S","source":"rmb","tolerance":0}"#
    let strategy = try MappingTests.strategy(array("R", "lines", line), rules: #""key":"N","plausible":\#(rule)"#)
    #expect(try failures(strategy, #"{"rmb":5,"lines":[{"s":"x"}]}"#).map(\.target) == ["R[0].S"])
  }

  @Test(
    "rules that cannot be meant are told",
    arguments: [
      (#"{"sum":"R.S","source":"rmb"}"#, "ferry.plausible"), (#"{"sum":"R.S","tolerance":1}"#, "ferry.plausible"),
      (#"{"source":"rmb","tolerance":1}"#, "ferry.plausible"), ("[true]", "ferry.plausible[0]"),
      (#"{"sum":"R.S","source":"rmb","tolerance":"-1"}"#, "ferry.plausible"),
      (#"{"sum":"R.T","source":"rmb","tolerance":1}"#, "ferry.plausible.sum"),
      (#"{"sum":"R","source":"rmb","tolerance":1}"#, "ferry.plausible.sum"),
      (#"{"sum":"R.S","source":"amount_rnb","tolerance":1}"#, "ferry.plausible.source"),
      (#"{"sum":"R.S","source":"rmb","tolerance":1,"percent":1}"#, "ferry.plausible"),
      (#"{"sum":"R.S","source":"rmb","tolerance":1,"times":"X"}"#, "ferry.plausible.times"),
      (#"{"sum":"R.S","source":"rmb","tolerance":1,"times":"R.S"}"#, "ferry.plausible.times"),
      (#"{"sum":"R.S","source":"rmb","tolerance":1,"sign":"minus"}"#, "ferry.plausible.sign"),
      (#"{"field":"R.S"}"#, "ferry.plausible"), (#"{"field":"R.S","minimum":"x"}"#, "ferry.plausible"),
      (#"{"field":"R.S","minimum":2,"maximum":1}"#, "ferry.plausible"),
      (#"{"field":"R.T","minimum":1}"#, "ferry.plausible.field"),
      (#"{"field":"R.S","minimum":1,"sum":"R.S"}"#, "ferry.plausible"),
      (#"{"field":"R.S","minimum":1,"when":{}}"#, "ferry.plausible.when"),
      (#"{"field":"R.S","minimum":1,"when":"R"}"#, "ferry.plausible.when"),
      (#"{"field":"R.S","minimum":1,"when":{"R.X":"a"}}"#, "ferry.plausible.when"),
      (#"{"field":"R.S","minimum":1,"when":{"N":[]}}"#, "ferry.plausible.when.N"),
    ])
  func malformed(rule: String, path: String) {
    let target = #"""
      {"api":"/SO/Save","ferry":{"key":"N","plausible":\#(rule)},
       "request":[\#(field("N", "1")),\#(array("R", "lines", field("S", "1")))]}
      """#
    let lines = #"{"field":"lines","type":"array","children":[{"field":"s"}]}"#
    let source = #"{"response":[{"field":"rmb"},{"field":"amount_rmb"},\#(lines)]}"#
    #expect(problems(source: source, target: target).map(\.path) == [path])
  }
}
