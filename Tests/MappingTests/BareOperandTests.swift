import JSON
import Mapping
import Testing

/// A placeholder without quotes stands for what the source sent as it stands (mapping-language.md §6.1): OKKI sends amounts
/// as texts, and 10 is more than 9 all the same.
@Suite("Placeholders without quotes")
struct BareOperandTests {
  private static let order =
    #"{"a":"10","b":"9","c":"007","p":"5.0","q":"5","n":"-3","z":"0.00","e":"","l":[{"q":"10"},{"q":"9"}]}"#

  @Test(
    "digits in a text are a number where they are compared",
    arguments: [
      ("GREATEST({a},{b})", "10"), ("LEAST({a},{b})", "9"), ("MAX({{l.q}})", "10"), ("MIN({{l.q}})", "9"),
      ("CASE WHEN {a}>{b} THEN {a} ELSE {b} END", "10"), ("{a}/2>{b}", "0"), ("{a}>'9'", "1"),
      ("{a} BETWEEN {b} AND '11'", "1"), ("{p}={q}", "1"), ("CASE {z} WHEN '0' THEN 'none' ELSE 'some' END", "none"),
      ("{n}<{a}", "1"), ("{a} IN ('10.0')", "1"),
    ])
  func compared(formula: String, expected: String) throws {
    #expect(try headText("_function \(formula)", Self.order) == expected)
  }

  @Test(
    "between quotes a text stays one, and what is sent keeps its form",
    arguments: [
      ("'{a}'>'{b}'", "0"), ("'{p}'='{q}'", "0"), ("'{z}'='0'", "0"), ("IFNULL({c},'')", "007"),
      ("IFNULL({p},'')", "5.0"), ("CONCAT({p},{c})", "5.0007"), ("LENGTH({p})", "3"), ("IFNULL({z},1)", "0.00"),
    ])
  func kept(formula: String, expected: String) throws {
    #expect(try headText("_function \(formula)", Self.order) == expected)
  }

  @Test("an empty text among numbers is no smallest one")
  func emptyAmongNumbers() throws {
    for function in ["MIN", "MAX"] {
      let found = try failures(strategy(field("_function \(function)({{l.q}})")), #"{"l":[{"q":"2.5"},{"q":""}]}"#)
      #expect(found.map(\.sentence) == ["l.q is empty"])
    }
  }

  @Test(
    "a lookup inside a text is told when the strategy is read: it would be sent as it stands",
    arguments: [
      "_function case when '{t}'<='70' then '_findCollection find s from c where k=5' else 'x' end",
      "X-_findCollection find s from c where k={t}",
      "_function CONCAT('_mongoQuery c findField=content.a where=','')",
    ])
  func lookupInText(value: String) throws {
    let found = #expect(throws: StrategyProblems.self) { try strategy(field(value)) }
    #expect(
      found?.problems.first?.sentence.hasPrefix("a lookup stands inside a text") == true, "\(String(describing: found))"
    )
  }

  @Test("sums over all rows are computed once, so a share of the total is no square of the rows")
  func shares() throws {
    let rows = (1...3_000).map { #"{"q":\#($0)}"# }.joined(separator: ",")
    let array =
      #"{"field":"R","type":"array","value":"l","children":[\#(field("X", "_function {{l.q}}/SUM({{l.q}})+SUM({{l.q}}*2)", type: "float"))]}"#
    let found = try data(strategy(array), #"{"l":[\#(rows)]}"#)["R"]
    #expect(found?.count == 3_000)
    #expect(found?[2]?["X"]?.text?.hasPrefix("9003000.00000066") == true)
  }

  @Test("all formulas of an order together take only so many steps, and a document gets only so large")
  func bounds() throws {
    let row = #"{"q":"\#(String(repeating: "a", count: 200))"}"#
    func order(_ rows: Int) -> String { #"{"l":[\#(Array(repeating: row, count: rows).joined(separator: ","))]}"# }
    func told(_ formula: String, rows: Int) throws -> [MappingFailure] {
      let array = #"{"field":"R","type":"array","value":"l","children":[\#(field("_function \(formula)"))]}"#
      return try failures(strategy(array), order(rows))
    }
    let flood = try told("REPEAT('a',100000)", rows: 400)
    #expect(flood.map(\.sentence) == ["with this value the document is larger than 16 MiB"])
    let hang = try told("LENGTH(REPEAT({{l.q}},5000))", rows: 1_400)
    #expect(hang.first?.sentence == "the formulas of the order take too many steps")
  }
}
