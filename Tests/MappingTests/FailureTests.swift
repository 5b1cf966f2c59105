import JSON
import Mapping
import Orders
import Testing

@Suite("Failures of an order")
struct FailureTests {
  @Test("all failures of an order are told at once, each with target, reason and the fields it reads")
  func allAtOnce() throws {
    let row = [
      field("Q", "_function {{lines.a}}/{{lines.c}}", #""is_required":true"#),
      field("M", "{{lines.no}}", #""ferry":{"missing":"material_missing"}"#),
      field("U", "{{lines.unit}}", #""ferry":{"table":{"kg":"S05"}}"#),
    ].joined(separator: ",")
    let all = try strategy(
      field("C", "_findCollection find a from customers where id={id}", #""ferry":{"missing":"customer_unmapped"}"#)
        + "," + field("D", "{{day|date}}") + "," + field("E", "{a}{none}", #""is_required":true"#)
        + #",{"field":"P2","type":"array","value":"lines","children":[\#(row)]}"#)
    let order = #"""
      {"id":1,"day":"soon","lines":[{"a":"1","c":"0","no":"m","unit":"kg"},{"a":"x","c":1,"no":" ","unit":"t"},{"c":1,"no":0}]}
      """#
    let found = try failures(all, order)
    #expect(
      found == [
        MappingFailure(.customerUnmapped, target: "C", sources: ["id"], "customers has no record by id"),
        MappingFailure(
          .valueInvalid, target: "D", sources: ["day"], "day should be a date but is a text of 4 characters"),
        MappingFailure(.fieldMissing, target: "E", sources: ["a", "none"], "a, none is empty"),
        MappingFailure(
          .divisionByZero, target: "P2[0].Q", sources: ["lines.a", "lines.c"], "lines.c is 0 and is divided by"),
        MappingFailure(
          .valueInvalid, target: "P2[1].Q", sources: ["lines.a", "lines.c"], "lines.a should be a number but is a text"),
        MappingFailure(.materialMissing, target: "P2[1].M", sources: ["lines.no"], "lines.no is empty"),
        MappingFailure(
          .valueUnmapped, target: "P2[1].U", sources: ["lines.unit"],
          "the table has no entry for lines.unit, which is a text of 1 characters"),
        MappingFailure(.fieldMissing, target: "P2[2].Q", sources: ["lines.a", "lines.c"], "lines.a is empty"),
        MappingFailure(
          .valueUnmapped, target: "P2[2].U", sources: ["lines.unit"],
          "the table has no entry for lines.unit, which is nothing"),
      ])
  }

  @Test("the sentence of all names five of them and counts the rest; no more than 1,000, or 64 KiB, are kept")
  func bounds() throws {
    let array =
      #"{"field":"R","type":"array","value":"l","children":[\#(field("X", "{{l.a}}", #""is_required":true"#))]}"#
    func error(rows: Int) throws -> MappingFailures? {
      let order = try parsed(#"{"l":[\#(Array(repeating: "{}", count: rows).joined(separator: ","))]}"#)
      let mapper = Mapper(try strategy(array))
      return #expect(throws: MappingFailures.self) { try mapper.map(order, lookups: LookupTable()) }
    }
    #expect(try error(rows: 1)?.description == "R[0].X: l.a is empty")
    #expect(try #require(try error(rows: 7)).description.hasSuffix("R[4].X: l.a is empty; and 2 more"))
    let many = try #require(try error(rows: 5_000)).failures
    #expect(many.count == 1_000)
    #expect(many.last?.sentence == "l.a is empty; 4000 more fields cannot be mapped")
    #expect(many.last?.target == "R[999].X")
    #expect(many.dropLast().last?.sentence == "l.a is empty")
    #expect(try #require(try error(rows: 5_000)).description.hasSuffix("R[4].X: l.a is empty; and 4995 more"))
    #expect(try error(rows: 400)?.failures.count == 400)
    #expect(try error(rows: 400)?.failures.last?.sentence == "l.a is empty")
  }

  @Test("long names take their part of the 64 KiB")
  func bytes() throws {
    let name = String(repeating: "n", count: 190)
    let array =
      #"{"field":"R","type":"array","value":"l","children":[\#(field(name, "{{l.a}}", #""is_required":true"#))]}"#
    let order = try parsed(#"{"l":[\#(Array(repeating: "{}", count: 900).joined(separator: ","))]}"#)
    let mapper = Mapper(try strategy(array))
    let told = try #require(throws: MappingFailures.self) { try mapper.map(order, lookups: LookupTable()) }.failures
    #expect((200..<400).contains(told.count))
    #expect(told.last?.sentence == "l.a is empty; \(900 - told.count) more fields cannot be mapped")
  }

  @Test("an order that is no object is malformed", arguments: ["[]", "null", "1", "\"text\"", "[{}]"])
  func noObject(order: String) throws {
    #expect(try failures(strategy(field("1")), order).map(\.code) == [.orderMalformed])
    #expect(try Mapper(strategy(field("{x}"))).lookups(of: parsed(order)) == [])
  }

  @Test("a bill without a number fails")
  func noNumber() throws {
    let number = try strategy(field("K", "{no}"), rules: #""key":"K""#)
    #expect(try failures(number, "{}").map(\.code) == [.fieldMissing])
    #expect(try failures(number, #"{"no":""}"#).map(\.target) == ["K"])
  }

  @Test("the bill's number is found in objects and in the first element of arrays, as text or number")
  func numberPath() throws {
    let object = #"{"field":"O","type":"object","children":[\#(field("K", "{no}", type: "int"))]}"#
    let array = #"{"field":"P","type":"array","children":[\#(object)]}"#
    let bill = try Mapper(strategy(array, rules: #""key":"P.O.K""#)).map(
      parsed(#"{"no":"12"}"#), lookups: LookupTable())
    #expect(bill.number == "12")
  }

  @Test("the same order gives the same bill, byte for byte, also from a strategy read again")
  func determinism() throws {
    let names = (0..<40).map { field("F\($0)", "{x\($0)}", #""ferry":{"table":{"a":"b","c":"d"},"miss":"keep"}"#) }
    let order = "{" + (0..<40).map { #""x\#($0)":"v\#($0)""# }.joined(separator: ",") + "}"
    let bodies = try (0..<5).map { _ in
      try Mapper(strategy(names.joined(separator: ","))).map(parsed(order), lookups: LookupTable()).body
    }
    #expect(Set(bodies).count == 1)
  }
}

@Suite("The rule of amounts")
struct AmountRuleTests {
  private func rule(_ more: String = "") throws -> Strategy {
    let amounts = #""amounts":{"order":"amount","lines":"lines","line":"a","tolerance":"0.01"\#(more)}"#
    return try strategy(field("1"), rules: #""key":"N","# + amounts)
  }

  @Test(
    "the order's amount and the sum of its lines may differ by the tolerance and no more",
    arguments: [
      ("100", ["60", "\"40\""], true), ("\"100.00\"", ["60.005", "40.005"], true), ("100", ["60", "40.02"], false),
      ("100.01", ["60", "40"], true), ("99.99", ["60", "40"], true), ("99.989", ["60", "40"], false), ("0", [], true),
      ("5", [], false), ("-5", ["-5"], true), ("5", ["-5"], false), ("1e2", ["1E+2"], true),
      ("99999999999999999.99", ["99999999999999999.98", "0.01"], true), ("true", ["1"], true),
    ])
  func tolerance(amount: String, lines: [String], holds: Bool) throws {
    let order = #"{"amount":\#(amount),"lines":[\#(lines.map { #"{"a":\#($0)}"# }.joined(separator: ","))]}"#
    #expect(try failures(rule(), order).map(\.code) == (holds ? [] : [.amountMismatch]))
  }

  @Test("an amount that is missing or no number holds the order back, and so does a line's")
  func missing() throws {
    for (order, code) in [
      (#"{"lines":[]}"#, Code.fieldMissing), (#"{"amount":"","lines":[]}"#, .fieldMissing),
      (#"{"amount":null,"lines":[]}"#, .fieldMissing), (#"{"amount":"many","lines":[]}"#, .valueInvalid),
      (#"{"amount":[1],"lines":[]}"#, .valueInvalid), (#"{"amount":1,"lines":[{"a":1},{}]}"#, .fieldMissing),
      (#"{"amount":1,"lines":[{"a":"x"}]}"#, .valueInvalid),
    ] {
      let found = try failures(rule(), order)
      #expect(found.map(\.code) == [code])
      #expect(found.map(\.target) == [""])
    }
  }

  @Test("lines are added as the bill rounds them, when the rule says so")
  func decimals() throws {
    // Five lines of half a cent are five cents in the bill.
    let order = #"{"amount":0.03,"lines":[{"a":0.005},{"a":0.005},{"a":0.005},{"a":0.005},{"a":0.005}]}"#
    #expect(try failures(rule(), order).isEmpty)
    #expect(try failures(rule(#","decimals":2"#), order).map(\.code) == [.amountMismatch])
  }

  @Test("costs beside the lines hold the order back, even where the sums agree")
  func additions() throws {
    let costs = try rule(#","additions":"extra""#)
    for (extra, codes) in [
      ("0", []), ("\"0.00\"", []), ("null", []), ("\"\"", []), ("[]", []), ("20", [Code.amountMismatch]),
      ("\"-0.01\"", [.amountMismatch]), ("\"x\"", [.valueInvalid]),
    ] {
      #expect(try failures(costs, #"{"amount":5,"extra":\#(extra),"lines":[{"a":5}]}"#).map(\.code) == codes)
    }
  }

  @Test("what is wrong with a line stands before what follows from it")
  func last() throws {
    let required = field("X", "{none}", #""ferry":{"missing":"material_missing"}"#)
    let amounts = #""amounts":{"order":"amount","lines":"lines","line":"a","tolerance":0}"#
    let both = try strategy(required, rules: #""key":"N","# + amounts)
    #expect(try failures(both, #"{"amount":5}"#).map(\.code) == [.materialMissing, .amountMismatch])
  }
}
