import JSON
import Mapping
import Orders
import Testing

@Suite("What is said of an order holds for its documents, too")
struct SplitRulesTests {
  private static let flat = #""id":"id","number":"no","beatFlat":["l"]"#
  private static let amounts = #""amounts":{"order":"amount","lines":"l","line":"a","tolerance":0}"#

  private func strategy(
    _ rules: String, _ own: String, source: String = flat, rows: String = field("A", "{{b.l_a}}")
  ) throws -> Strategy {
    let head = array("P", nil, field("N", "{{no}}") + "," + field("D", "{{day}}"))
    let target =
      #"{"api":"/SO/Save",\#(rules)"ferry":{"key":"P.N",\#(own)},"request":[\#(head),\#(array("R", "b", rows))]}"#
    return try Strategy(name: "test", source: Array("{\(source)}".utf8), target: Array(target.utf8))
  }

  /// The bills' bodies, or code and sentence of what is wrong.
  private func outcome(_ strategy: Strategy, _ order: String) throws -> [String] {
    let (set, order) = (try StrategySet([strategy]), try record(order))
    do throws(MappingFailures) {
      let takers = try set.takers(of: order)
      return try takers.bills(lookups: LookupTable(), inputs: MappingInputs())
        .map { String(decoding: $0.bill.body, as: UTF8.self) }
    } catch {
      return error.failures.map { "\($0.code.rawValue) \($0.target): \($0.sentence)" }
    }
  }

  private func group(_ members: String, head: String = #""no","day""#) -> String {
    #""groupCalculate":{"headerGroup":[\#(head)],"bodyName":"b",\#(members)},"#
  }

  private static let order =
    #"{"id":1,"no":"S1","day":"2024-01-29","amount":"150","rmb":"1065","l":[{"q":1,"a":"100"},{"q":2,"a":50}]}"#

  private static let mismatch = "amount_mismatch : the order's documents come to another sum of l.a than its lines"

  @Test(
    "documents that come to another sum than the order's lines are held",
    arguments: [
      (#""bodyGroup":["l_k"],"calculate":{"l_a":"$sum"}"#, true),
      (#""bodyGroup":["l_k"],"calculate":{"l_a":"$first"}"#, false),
      (#""bodyGroup":["l_k"],"calculate":{"l_a":"$max"}"#, false),
      (#""bodyGroup":["l_k"],"calculate":{"l_a":"$avg"}"#, false),
      (#""bodyGroup":["l_q","l_a"]"#, true), (#""bodyMaxLine":1"#, true),
      // The head's totals are not the rows'.
      (#""calculate":{"l_a":"$max"}"#, true),
    ])
  func sums(members: String, passes: Bool) throws {
    let found = try outcome(strategy(group(members), Self.amounts), Self.order)
    #expect(passes ? found.allSatisfy { $0.hasPrefix("{") } : found == [Self.mismatch], "\(found)")
    // Where there is nothing to lose nothing is lost.
    let one = #"{"id":1,"no":"S1","day":"2024-01-29","amount":"150","l":[{"q":1,"a":"150"}]}"#
    #expect(try outcome(strategy(group(members), Self.amounts), one).allSatisfy { $0.hasPrefix("{") })
  }

  @Test("rows that agree in their amount are one row with bodyGroup by it: the other is missed")
  func sameAmount() throws {
    let twice = Self.order.replacing(#""150""#, with: #""200""#).replacing(#""a":50"#, with: #""a":"100""#)
    let strategy = try strategy(group(#""bodyGroup":["l_a"]"#), Self.amounts)
    #expect(try outcome(strategy, twice) == [Self.mismatch])
    let pushed = try self.strategy(group(#""bodyGroup":["l_k"],"calculate":{"l_a":"$push"}"#), Self.amounts)
    #expect(try outcome(pushed, twice) == ["value_invalid : l.a should be a number but is a array"])
  }

  @Test("lists side by side, lists in rows and splitArray count each line once")
  func lists() throws {
    let order =
      #"{"id":1,"no":"S1","day":"2024-01-29","amount":150,"l":[{"a":100,"p":[{"n":1},{"n":2}]},{"a":50}],"c":[{"x":9}]}"#
    for source in [#""beatFlat":["l","c"]"#, #""beatFlat":["l","l.p"]"#, #""beatFlat":["l","p"]"#] {
      let found = try outcome(
        strategy(group(#""bodyGroup":["l_k"],"calculate":{"l_a":"$sum"}"#), Self.amounts, source: source), order)
      #expect(found == [#"{"Data":{"P":[{"N":"S1","D":"2024-01-29"}],"R":[{"A":"150"}]}}"#], "\(source)")
    }
    let split = #""operation":{"method":"splitArray","arrayKey":"l"}"#
    let rows = field("A", "{{b.l.a}}")
    for (operation, passes) in [("$sum", true), ("$first", false)] {
      let rules = group(#""bodyGroup":["l.k"],"calculate":{"l.a":"\#(operation)"}"#)
      let found = try outcome(strategy(rules, Self.amounts, source: split, rows: rows), Self.order)
      #expect(passes ? found.first?.hasPrefix("{") == true : found == [Self.mismatch], "\(found)")
    }
  }

  @Test("a whole list that each document repeats counts as often")
  func repeated() throws {
    let order =
      #"{"id":1,"no":"S1","day":"2024-01-29","amount":5,"l":[{"a":5}],"c":[{"x":9},{"x":8}]}"#
    let head = array("P", nil, field("N", "{{no}}"))
    let target = #"""
      {"api":"/SO/Save","ferry":{"key":"P.N",\#(Self.amounts)},
       "request":[\#(head),\#(array("R", "l", field("A", "{{l.a}}")))]}
      """#
    let strategy = try Strategy(name: "t", source: Array(#"{"beatFlat":["c"]}"#.utf8), target: Array(target.utf8))
    #expect(try outcome(strategy, order) == [Self.mismatch])
  }

  @Test("the check warns of amounts that grouping does not add up, or loses")
  func warned() throws {
    func told(_ members: String, source: String = Self.flat, rows: String = field("1")) throws -> [String] {
      try strategy(group(members), Self.amounts, source: source, rows: rows).warnings
        .map { "\($0.path): \($0.sentence.prefix(24))" }
    }
    #expect(
      try told(#""bodyGroup":["l_k"],"calculate":{"l_a":"$first"}"#)
        == ["groupCalculate.calculate.l_a: is an order's amount: ro"])
    #expect(try told(#""bodyGroup":["l_k"],"calculate":{"l_a":"$sum"}"#) == [])
    #expect(try told(#""bodyGroup":["l_a"]"#) == [])
    #expect(try told(#""bodyMaxLine":5"#) == [])
    #expect(try told(#""bodyGroup":["l_k"]"#) == ["groupCalculate: loses «l.a», so the docu"])
    #expect(
      try told(#""bodyGroup":["l_k"],"calculate":{"l_a":"$sum"}"#, source: #""id":"no","beatFlat":["l","l.p"]"#)
        == ["ferry.amounts: beatFlat repeats «l.a» i"])
  }

  @Test("the bill's amounts come to the order's, with either sign, over all of its bills")
  func bill() throws {
    let own = Self.amounts.replacing(#""tolerance":0"#, with: #""tolerance":"0.01","bill":"R.A""#)
    let rows = group(#""bodyMaxLine":1"#)
    for (value, passes) in [
      ("{{b.l_a}}", true), ("_function -{{b.l_a}}", true), ("_function -ABS({{b.l_a}})", true),
      ("_function {{b.l_a}}+0.005", true), ("_function {{b.l_a}}+0.01", false), ("1", false),
    ] {
      let found = try outcome(strategy(rows, own, rows: field("A", value)), Self.order)
      #expect(
        passes
          ? found.count == 2 && found.allSatisfy { $0.hasPrefix("{") }
          : found == ["amount_mismatch R.A: the sum of R.A is not amount, whatever its sign"], "\(value): \(found)")
    }
    let back = try MappingTests.strategy(
      array("R", "l", field("A", "_function -ABS({{l.a}})")), rules: #""key":"N",\#(own)"#)
    for (amount, lines, passes) in [
      ("-150", "[{\"a\":-100},{\"a\":-50}]", true), ("50", "[{\"a\":100},{\"a\":-50}]", false),
      ("0", "[{\"a\":100},{\"a\":-100}]", false),
    ] {
      let found = try failures(back, #"{"amount":\#(amount),"l":\#(lines)}"#)
      #expect(found.map(\.target) == (passes ? [] : ["R.A"]), "\(amount)")
    }
    let target = #"{"api":"/SO/Save","ferry":{"key":"N",\#(own)},"request":[\#(field("N", "1"))]}"#
    #expect(problems(target: target).map(\.path) == ["ferry.amounts.bill"])
  }

  @Test("costs that are ignored are no part of what the bill comes to")
  func billWithoutCosts() throws {
    let own = Self.amounts.replacing(
      #""tolerance":0"#, with: #""additions":"extra","costs":"ignore","tolerance":0,"bill":"R.A""#)
    let strategy = try MappingTests.strategy(array("R", "l", field("A", "{{l.a}}")), rules: #""key":"N",\#(own)"#)
    #expect(try failures(strategy, #"{"amount":170,"extra":20,"l":[{"a":100},{"a":50}]}"#).isEmpty)
    #expect(try failures(strategy, #"{"amount":170,"extra":10,"l":[{"a":100},{"a":60}]}"#).isEmpty)
  }

  @Test("the order's own figure is read from the order, whatever grouping leaves of it")
  func plausible() throws {
    for from in ["rmb", "made"] {
      let own = #""plausible":{"sum":"R.A","source":"\#(from)","tolerance":1}"#
      let source = Self.flat + #","formatResponse":[{"old":"rmb","new":"made","format":"string"}]"#
      let strategy = try strategy(group(#""bodyMaxLine":1"#), own, source: source)
      #expect(
        try outcome(strategy, Self.order) == ["amount_mismatch R.A: the sum of R.A is not near \(from)"])
      let right = Self.order.replacing("1065", with: "150.5")
      #expect(try outcome(strategy, right).count == 2)
    }
  }

  @Test("when an order came is read from the order, whatever grouping leaves of it")
  func cutOff() throws {
    let own = #""calendar":{"date":"P.D","cutOff":{"time":"18:00","from":"made"}}"#
    let strategy = try strategy(group(#""bodyMaxLine":1"#), own)
    for (made, day) in [("2024-01-29 17:00:00", "29"), ("2024-01-29 18:00:00", "30")] {
      let order = Self.order.replacing(#""id":1"#, with: #""id":1,"made":"\#(made)""#)
      let found = try outcome(strategy, order)
      #expect(found.count == 2)
      #expect(found.allSatisfy { $0.contains(#""D":"2024-01-\#(day)""#) }, "\(found)")
    }
    #expect(
      try outcome(strategy, Self.order)
        == ["field_missing document 1: P[0].D: made is empty", "field_missing document 2: P[0].D: made is empty"])
  }
}
