import JSON
import Mapping
import Orders
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

  @Test(
    "true and false in a text are booleans, and a boolean between quotes is its word",
    arguments: [
      ("case {tr} when true then 'T' else 'F' end", "T"), ("case {fa} when true then 'T' else 'F' end", "F"),
      ("case '{tr}' when 'true' then 'T' else 'F' end", "T"), ("case '{t}' when 'true' then 'T' else 'F' end", "T"),
      ("case {t} when true then 'T' else 'F' end", "T"), ("CONCAT({t},'/','{f}')", "true/false"),
      ("IF({tr},'T','F')", "T"), ("case _findCollection find a from c where k={tr} _endFind when true then 1 end", "1"),
    ])
  func booleans(formula: String, expected: String) throws {
    let order = #"{"t":true,"f":false,"tr":"true","fa":"false"}"#
    let key = LookupKey(collection: "c", conditions: [.init(field: "k", value: "true")])
    let records = [key: try JSONDocument(Array(#"{"a":"true"}"#.utf8))]
    let found = try data(strategy(field("_function \(formula)")), order, records)["X"]
    #expect(found?.text == expected)
  }

  @Test("true and false that a formula comes to are booleans, between quotes they are texts")
  func booleanResults() throws {
    let formula = "_function case {{price}} when 0 then true else false end"
    #expect(try head(formula, #"{"price":0}"#)?.bool == true)
    #expect(try head(formula, #"{"price":"5"}"#)?.bool == false)
    #expect(try headText("_function case {price} when 0 then 'true' else 'false' end", #"{"price":0}"#) == "true")
    #expect(try headText("{t}", #"{"t":true}"#) == "true")
  }

  @Test("a field that is missing, or a text that is no number, is told by its name and sends no price")
  func gaps() throws {
    let missing = try failure("_function case {{price}} when 0 then true else false end", "{}")
    #expect(missing.code == .fieldMissing)
    #expect(missing.sentence == "price is empty")
    #expect(missing.sources == ["price"])
    #expect(try failure("_function CONCAT('a',{nope})", "{}").code == .fieldMissing)
    #expect(try failure("_function CAST({nope} AS DECIMAL)", "{}").sentence == "nope is empty")
    let malformed = try failure("_function IF({price}>1000,{price},0)", #"{"price":"1,234.5"}"#)
    #expect(malformed.code == .valueInvalid)
    #expect(malformed.sentence == "price should be a number but is a text")
    #expect(try failure("_function IF({price}>1000,{price},0)", #"{"price":""}"#).code == .fieldMissing)
    #expect(try headText("_function case when '{price}'>0 then 'some' else 'none' end", #"{"price":""}"#) == "none")
    // A field that must have a value keeps the code that it is told with.
    let told = try failure("_function UPPER({no})", "{}", type: "string", #""ferry":{"missing":"material_missing"}"#)
    #expect(told.code == .materialMissing)
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
    // 167 of them have room; one more has not, though nothing stands behind it.
    let text = String(repeating: "a", count: 100_000)
    for (rows, expected) in [(167, []), (168, ["R[167].X"])] {
      let list = Array(repeating: "{}", count: rows).joined(separator: ",")
      let strategy = try strategy(array("R", "l", field("{a}")))
      #expect(try failures(strategy, #"{"a":"\#(text)","l":[\#(list)]}"#).map(\.target) == expected)
    }
    let whole = field(String(repeating: "{a}", count: 168))
    #expect(try failures(strategy(whole), #"{"a":"\#(text)"}"#).map(\.target) == ["X"])
    let hang = try told("LENGTH(REPEAT({{l.q}},5000))", rows: 1_400)
    #expect(hang.first?.sentence == "the formulas of the order take too many steps")
  }
}
