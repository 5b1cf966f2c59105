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

  @Test("each call and each row draws its own UUID, the same whenever the order is mapped, explained too")
  func chance() throws {
    let rows = #"{"field":"O","type":"array","value":"l","children":[\#(field("R", "_function UUID()"))]}"#
    let fields = [
      field("A", "_function UUID()"), field("B", "_function CONCAT(UUID(),'/',UUID())"), rows,
      field("C", "_function UUID()"),
    ].joined(separator: ",")
    let mapper = Mapper(try strategy(fields))
    let order = try parsed(#"{"l":[{},{},{}]}"#)
    func texts(_ seed: UInt64) throws -> [String] {
      let bill = try mapper.map(order, lookups: LookupTable(), inputs: MappingInputs(randomSeed: seed))
      let data = try #require(try JSONDocument(bill.body).root["Data"])
      let heads = ["A", "B", "C"].compactMap { data[$0]?.text }
      let found = heads + (data["O"]?.elements.compactMap { $0["R"]?.text } ?? [])
      return found.flatMap { $0.split(separator: "/").map(String.init) }
    }
    let found = try (0..<50).map(texts)
    #expect(found.allSatisfy { $0.count == 7 })
    // Neither within an order nor beside other orders does any stand twice.
    #expect(Set(found.joined()).count == 350)
    let form = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}/
    #expect(found.joined().allSatisfy { $0.wholeMatch(of: form) != nil })
    #expect(try texts(1) == found[1])
    let inputs = MappingInputs(randomSeed: 1)
    let plain = try mapper.map(order, lookups: LookupTable(), inputs: inputs)
    #expect(try mapper.explain(order, lookups: LookupTable(), inputs: inputs).result.get() == plain.body)
  }

  @Test("sums over rows are not one row's")
  func notShared() throws {
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

  /// 6,000 rows: a formula that reads all of them in each of them takes 36 million steps, an order has 20 million.
  private static let long = #"{"l":[\#((1...6_000).map { #"{"q":\#($0)}"# }.joined(separator: ","))]}"#

  @Test(
    "a sum over all rows is reckoned once, also where null is awaited and with MySQL's division",
    arguments: [
      ("{{l.q}}/IFNULL(SUM({{l.q}}),1)", "exact"), ("COALESCE({{l.q}}/SUM({{l.q}}),0)", "exact"),
      ("{{l.q}}/SUM({{l.q}})", "mysql"), ("IFNULL({{l.q}}/SUM({{l.q}}),0)+{{l.q}}/AVG({{l.q}})", "mysql"),
    ])
  func linear(formula: String, division: String) throws {
    let array =
      #"{"field":"R","type":"array","value":"l","children":[\#(field("X", "_function \(formula)", type: "float"))]}"#
    let found = try data(strategy(array, rules: #""key":"N","division":"\#(division)""#), Self.long)["R"]
    #expect(found?.count == 6_000)
    #expect(found?[5_999]?["X"]?.text?.hasPrefix(formula.contains("AVG") ? "2.00" : "0.0003") == true)
  }

  @Test("a sum is remembered for each way in which it is reckoned")
  func ways() throws {
    let own = #""ferry":{"division":"mysql"}"#
    let children = [
      field("A", "_function IFNULL(AVG({{l.q}}/{{l.d}}),'none')"), field("B", "_function AVG({{l.q}}/3)"),
      field("C", "_function AVG({{l.q}}/3)", type: "string", own), field("D", "_function IFNULL(AVG({{l.q}}/3),0)"),
      field("E", "_function IFNULL(AVG({{l.q}}/3),0)", type: "string", own),
    ]
    for children in [children, children.reversed()] {
      let array = #"{"field":"R","type":"array","value":"l","children":[\#(children.joined(separator: ","))]}"#
      let found = try data(strategy(array), #"{"l":[{"q":1,"d":0},{"q":1,"d":0}]}"#)["R"]
      for row in 0..<2 {
        let texts = ["A", "B", "C", "D", "E"].map { found?[row]?[$0]?.text }
        let third = "0.333333333333333333333333"
        #expect(texts == ["none", third, "0.33330000", third, "0.33330000"])
      }
    }
  }

  @Test("an account of 6,000 rows is as short of steps as their values, down to the last row")
  func longAccount() throws {
    let array =
      #"{"field":"R","type":"array","value":"l","children":[\#(field("X", "_function {{l.q}}/SUM({{l.q}})", type: "float"))]}"#
    let explanation = Mapper(try strategy(array)).explain(try parsed(Self.long), lookups: LookupTable())
    #expect((try? explanation.result.get()) != nil)
    #expect(explanation.fields.last?.steps.map(\.name) == ["SUM({{l.q}})", "{{l.q}}/SUM({{l.q}})"])
  }

  @Test("what is wrong with a formula is mended in the strategy, not in OKKI")
  func remedies() throws {
    let told = try failure("_function LENGTH(REPEAT('a',9000000))", "{}")
    #expect(told.sentence == "the expression builds a text of more than 1048576 bytes")
    #expect(!told.remedy.contains("OKKI"))
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
