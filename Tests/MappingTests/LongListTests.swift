import JSON
import Mapping
import Testing

@Suite("Sums over the longest lists (20,000 rows)")
struct LongListTests {
  private static func order(_ count: Int) -> String {
    let rows = (0..<count).map { place in
      #"{"q":"\#(place % 7 + 1)","p":"2.50","v":"13","w":"\#(place == count - 1 ? "x" : "1")"}"#
    }
    return #"{"l":[\#(rows.joined(separator: ","))]}"#
  }

  @Test("what a sum reckons in its rows counts by itself, within the bound of the order")
  func sums() throws {
    let order = Self.order(20_000)
    for formula in [
      "ROUND(SUM({{l.q}}*{{l.p}}/(1+{{l.v}}/100)),2)", "SUM(IF({{l.q}}>2,ROUND({{l.q}}*{{l.p}},2),0))",
      "COUNT(DISTINCT {{l.q}})", "GROUP_CONCAT(DISTINCT CONCAT({{l.q}},'x'))", "SUM({{l.q}})/SUM({{l.q}}*{{l.p}})",
    ] { #expect(try head("_function \(formula)", order)?.text.map { !$0.isEmpty } == true, "\(formula)") }
    // One row is bounded as before.
    let endless = "_function SUM(LENGTH(REPEAT(REPEAT({{l.q}},1000000),9)))"
    #expect(try failure(endless, order).code == .valueInvalid)
  }

  @Test("a sum that fails has failed for all rows, and is not reckoned again in each")
  func failures() throws {
    let share = field("_function {{l.q}}/SUM({{l.w}}*2)")
    let array = #"{"field":"Rows","type":"array","value":"l","children":[\#(share)]}"#
    let found = try MappingTests.failures(strategy(array), Self.order(8_000))
    #expect(Set(found.map { $0.sentence.prefix(40) }).count <= 2)
    #expect(!found.contains { $0.sentence.contains("too many steps") })
    #expect(found.first?.sentence == "l.w should be a number but is a text")
  }
}

@Suite("Digits beside a text (mapping-language.md §6.1)")
struct DigitsBesideTextTests {
  private static let order = #"{"pno":"12345","w":"abc","n":5}"#

  @Test(
    "the failure names the field, and says what makes it a text",
    arguments: [
      "{{pno}}='A100'", "'A100'={{pno}}", "{{pno}}<>'A100'", "CASE {{pno}} WHEN 'A100' THEN 1 ELSE 2 END",
      "{{pno}} IN ('A100','B')", "FIELD({{pno}},'A100',1)", "NULLIF({{pno}},'-')",
    ])
  func named(formula: String) throws {
    let found = try failure("_function \(formula)", Self.order)
    #expect(
      found.sentence
        == "pno should be a text, as the constant beside it is, but is digits, which are a number; between quotes "
        + "('{{pno}}') they are a text")
    #expect(!found.remedy.contains("nothing to do with the order's values"))
    let told = try strategy(field("_function \(formula)")).warnings.map(\.sentence)
    #expect(told.count == 1)
    #expect(told.first?.hasPrefix("an order whose pno is digits is parked, since ") == true, "\(told)")
  }

  @Test(
    "the check says nothing where both agree",
    arguments: [
      "'{{pno}}'='A100'", "{{pno}}='100'", "{{pno}}=''", "{{pno}}='true'", "{{pno}}=100", "{{pno}} LIKE 'A%'",
      "CONCAT({{pno}},'')='A100'", "{{pno}}>'2024-01-01'", "CASE WHEN {{pno}}>5 THEN 'A' ELSE 'B' END",
    ])
  func silent(formula: String) throws {
    #expect(try strategy(field("_function \(formula)")).warnings.isEmpty)
  }

  @Test("IN finds what is there, in whatever order, and fails where it is not")
  func orders() throws {
    for list in ["('abc',5)", "(5,'abc')", "(5,6,'abc')"] {
      #expect(try head("_function {{w}} IN \(list)", Self.order)?.text == "1")
      #expect(try head("_function {{w}} NOT IN \(list)", Self.order)?.text == "0")
    }
    for list in ["('x',5)", "(5,'x')"] {
      #expect(try failure("_function {{w}} IN \(list)", Self.order).sentence == "w should be a number but is a text")
    }
  }
}

@Suite("Remedies that help")
struct RemedyTests {
  @Test("of an empty text IFNULL makes nothing else")
  func empty() throws {
    let found = try failure("_function {{e}}+1", #"{"e":""}"#)
    #expect(found.remedy.contains("IFNULL(NULLIF({{e}},''),"))
    #expect(try head("_function IFNULL(NULLIF({{e}},''),0)+1", #"{"e":""}"#)?.text == "1")
  }

  @Test(
    "an empty date leaves a gap in arithmetic with dates, and none where the formula says what then",
    arguments: [
      "DATEDIFF({{d}},'2024-01-01')", "DATEDIFF('2024-01-01',{{d}})", "TIMESTAMPDIFF(DAY,{{d}},'2024-01-01')",
      "DATE_ADD({{d}},INTERVAL 1 DAY)", "{{d}}-INTERVAL 2 MONTH", "TIMEDIFF({{d}},'10:00:00')",
    ])
  func emptyDates(formula: String) throws {
    let found = try failure("_function \(formula)", #"{"d":""}"#)
    #expect(found.code == .fieldMissing)
    #expect(found.sources == ["d"])
    #expect(try head("_function IFNULL(\(formula),'none')", #"{"d":""}"#)?.text == "none")
  }

  @Test("the greatest of booleans is one")
  func booleans() throws {
    #expect(try head("_function MAX({{l.t}})", #"{"l":[{"t":false},{"t":true}]}"#)?.bool == true)
  }

  @Test("an int or a boolean speaks of what the formula makes")
  func made() throws {
    let int = try failure("_function {{q}}/2", #"{"q":"7"}"#, type: "int")
    #expect(
      int.sentence == "what the formula makes of q should be a number without decimals but is a number with decimals"
    )
    let flag = try failure("_function {{q}}/2", #"{"q":"7"}"#, type: "bool")
    #expect(flag.sentence == "what the formula makes of q should be a boolean but is a number")
    let plain = try failure("{{q}}", #"{"q":"7.5"}"#, type: "int")
    #expect(plain.sentence == "q should be a number without decimals but is a number with decimals")
  }
}
