import JSON
import Mapping
import Orders
import Testing

/// Parts that formulas repeat are computed once for a row: whatever is remembered must be what would be computed.
@Suite("Parts of formulas that repeat each other")
struct SharingTests {
  /// A bill's rows and their rows, each with the same formulas.
  private func bill(_ order: String, division: String = "exact") throws -> JSONValue {
    let inner = [
      field("A", "_function {{l.m.b}}/(1+IFNULL(NULLIF({{l.r}},''),0)/100)", type: "float"),
      field("B", "_function ROUND({{l.m.b}}/(1+IFNULL(NULLIF({{l.r}},''),0)/100),2)+{h}*2", type: "float"),
    ].joined(separator: ",")
    let outer = [
      field("A", "_function {{l.a}}/(1+IFNULL(NULLIF({{l.r}},''),0)/100)", type: "float"),
      field("R", "_function IFNULL(NULLIF({{l.r}},''),0)", type: "float"),
      field("H", "_function {h}*2", type: "float"),
      #"{"field":"I","type":"array","value":"l.m","children":[\#(inner)]}"#,
    ].joined(separator: ",")
    let fields =
      field("H", "_function {h}*2", type: "float")
      + #",{"field":"O","type":"array","value":"l","children":[\#(outer)]}"#
    return try data(strategy(fields, rules: #""key":"N","division":"\#(division)""#), order)
  }

  private static let order = #"""
    {"h":3,"l":[{"a":100,"r":"","m":[{"b":7},{"b":8}]},{"a":10,"r":"25","m":[{"b":5},{"b":"2.5"}]},{"a":1,"r":0,"m":[]}]}
    """#

  @Test("each row has its own values, and so has each row in it")
  func rows() throws {
    let found = try bill(Self.order)
    #expect(found["H"]?.text == "6")
    let lines = found["O"].map { Array($0.elements) } ?? []
    #expect(lines.map { $0["A"]?.text } == ["100", "8", "1"])
    #expect(lines.map { $0["R"]?.text } == ["0", "25", "0"])
    #expect(lines.map { $0["H"]?.text } == ["6", "6", "6"])
    let inner = lines.map { $0["I"].map { Array($0.elements) } ?? [] }
    #expect(inner.map { $0.map { $0["A"]?.text } } == [["7", "8"], ["4", "2"], []])
    #expect(inner.map { $0.map { $0["B"]?.text } } == [["13", "14"], ["10", "8"], []])
  }

  @Test("a division with MySQL's decimals is not taken for the exact one")
  func divisions() throws {
    let exact = field("A", "_function {a}/3", type: "float")
    let mysql = field("B", "_function {a}/3", type: "float", #""ferry":{"division":"mysql"}"#)
    for fields in ["\(exact),\(mysql)", "\(mysql),\(exact)"] {
      let found = try data(strategy(fields), #"{"a":100}"#)
      #expect(found["A"]?.text?.hasPrefix("33.33333333333") == true)
      #expect(found["B"]?.text == "33.3333")
    }
  }

  @Test("what is nothing where that is awaited is a failure where it is not, whichever comes first")
  func leniency() throws {
    let lenient = field("A", "_function IFNULL({a}/{b},'none')")
    let strict = field("B", "_function {a}/{b}")
    for fields in ["\(lenient),\(strict)", "\(strict),\(lenient)"] {
      let mapper = Mapper(try strategy(fields))
      let order = try parsed(#"{"a":1,"b":0}"#)
      let found = #expect(throws: MappingFailures.self) { try mapper.map(order, lookups: LookupTable()) }
      #expect(found?.failures.map(\.target) == ["B"])
    }
  }

  @Test("chance is drawn anew, and sums over rows are not one row's")
  func notShared() throws {
    let fields = [field("A", "_function UUID()"), field("B", "_function CONCAT(UUID(),'')")].joined(separator: ",")
    let bill = try Mapper(strategy(fields)).map(
      parsed("{}"), lookups: LookupTable(), inputs: MappingInputs(randomSeed: 1))
    #expect(try JSONDocument(bill.body).root["Data"]?["A"]?.text?.count == 36)
    let sums = try data(
      strategy(
        field("S", "_function SUM({{l.a}}*2)", type: "float")
          + #",{"field":"O","type":"array","value":"l","children":["#
          + field("D", "_function {{l.a}}*2", type: "float") + ","
          + field("S", "_function SUM({{l.a}}*2)", type: "float")
          + "]}"), #"{"l":[{"a":1},{"a":2}]}"#)
    #expect(sums["S"]?.text == "6")
    #expect(sums["O"]?.elements.map { $0["D"]?.text } == ["2", "4"])
  }

  @Test("an account of the fields, which remembers nothing, comes to the same bill")
  func explained() throws {
    let shipped = Mapper(try ShippedStrategy.load())
    for order in [OKKIOrder.text(), OKKIOrder.yuan] {
      let document = try parsed(order)
      let table = LookupTable(try ShippedStrategy.records())
      let bill = try shipped.map(document, lookups: table)
      #expect(try shipped.explain(document, lookups: table).result.get() == bill.body)
    }
  }
}
