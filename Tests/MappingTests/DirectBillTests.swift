import JSON
import Orders
import Testing

@testable import Mapping

/// Expects of an order what it comes to the long way, by a tree of the bill: the same body, byte for byte, the same notes, or
/// the same failures. By itself, as the transform stage asks for it, and as the workbench does.
func expectTheLongWay(
  _ strategy: Strategy, _ order: JSONValue, _ lookups: LookupTable = LookupTable(),
  inputs: MappingInputs = MappingInputs(), at location: SourceLocation = #_sourceLocation
) {
  let mapper = Mapper(strategy)
  let long = mapper.theLongWay([order], from: order, lookups: lookups, inputs: inputs, byField: false)
  let alone = Result { () throws(MappingFailures) in [try mapper.map(order, lookups: lookups, inputs: inputs)] }
  let all = Result { () throws(MappingFailures) in
    try mapper.bills(of: [order], from: order, lookups: lookups, inputs: inputs)
  }
  let explained = [false, true].map {
    mapper.explain([order], from: order, lookups: lookups, inputs: inputs, byField: $0)
  }
  for made in [alone, all].map({ $0.map { ($0.map(\.body), $0.flatMap(\.notes)) } })
    + explained.map({ explained in explained.documents.map { ($0, explained.notes) } })
  {
    switch (made, long.documents) {
    case (.success(let (bodies, notes)), .success(let expected)):
      // Compared first: texts of many MiB take long to be shown.
      let isSame = bodies == expected
      #expect(isSame, "\(differing(bodies, expected))", sourceLocation: location)
      #expect(notes == long.notes, sourceLocation: location)
    case (.failure(let found), .failure(let expected)):
      #expect(found.failures == expected.failures, sourceLocation: location)
    case (.success, .failure(let expected)):
      Issue.record("the long way alone fails: \(expected)", sourceLocation: location)
    case (.failure(let found), .success):
      Issue.record("only the short way fails: \(found)", sourceLocation: location)
    }
  }
}

/// Where bodies differ, in some of their text.
private func differing(_ bodies: [[UInt8]], _ expected: [[UInt8]]) -> String {
  guard let (one, other) = zip(bodies, expected).first(where: { $0 != $1 }) else {
    return "\(bodies.count) instead of \(expected.count)"
  }
  let start = max(0, (zip(one, other).enumerated().first { $1.0 != $1.1 }?.offset ?? 0) - 40)
  func text(_ body: [UInt8]) -> String { String(decoding: body.dropFirst(start).prefix(200), as: UTF8.self) }
  return "…\(text(one)) instead of …\(text(other))"
}

@Suite("bills that are written while they are mapped", .timeLimit(.minutes(5)))
struct DirectBillTests {
  /// Numbers that are the same on every machine.
  private struct Chance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 33
    }

    mutating func one(of texts: String...) -> String { texts.randomElement(using: &self) ?? "" }
  }

  private static func money(_ cents: Int) -> String {
    let (whole, rest) = abs(cents).quotientAndRemainder(dividingBy: 100)
    return "\(cents < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }

  /// An order with lines; one in a few has something wrong.
  /// - Parameter sign: -1 for one whose counts and amounts are below 0.
  private static func order(_ chance: inout Chance, sign: Int = 1) -> String {
    var sum = 0
    let lines = (0..<Int.random(in: 0...5, using: &chance)).map { _ -> String in
      let cents = sign * Int.random(in: -5...900_000, using: &chance)
      sum += cents
      let text = chance.one(of: "3", "\"7\"", "12.5", "1", "9", "90000", "\"7000\"", "0.3333", "60")
      let count = sign < 0 ? "\"-\(text.filter { $0 != "\"" })\"" : text
      let unit = chance.one(of: "Piece", "Piece", "Set", "Pair", "", "Carton")
      let item = chance.one(of: #""A-1""#, #""规格 \"x\"\n""#, "88001", #""\u0041\/\\ 🚚""#)
      let rate = chance.one(of: "0", "13", "\"13\"", "\"\"", "null", "6.5")
      let odd = Int.random(in: 0..<40, using: &chance)
      return """
        {"product_no":\(odd == 0 ? "\"\"" : item),"unit":"\(odd == 1 ? "Mile" : unit)",
         "count":\(odd == 2 ? "0" : count),"cost_amount":\(money(cents)),"vat_rate":\(odd == 3 ? "1300" : rate)}
        """
    }
    let isYuan = Bool.random(using: &chance)
    let rate = isYuan ? "100" : "718.35"
    let odd = Int.random(in: 0..<30, using: &chance)
    // What OKKI states in its base currency: some orders have it, perhaps with the other sign, and one a wrong one.
    let yuan = (isYuan ? sum : sum * 71_835 / 10_000) * (odd == 8 ? -1 : 1)
    let stated = odd == 5 ? "7" : (7...12).contains(odd) ? money(yuan) : ""
    let number = chance.one(of: #""SO-1""#, "20240130001", #""号\t\"1\"""#)
    return """
      {"order_no":\(odd == 0 ? "\" \"" : number),"update_time":"2024-03-04 09:30:00","account_date":\(odd == 1 ? "null" : "\"2024-01-29 00:00:00\""),
       "currency":"\(isYuan ? " cny" : "usd")","exchange_rate":\(odd == 2 ? "99" : rate),
       "amount":\(money(odd == 3 ? sum + 1 : sum)),"addition_cost_amount":0,
       "company_id":\(odd == 4 ? "1" : "3448551934"),"amount_rmb":"\(stated)",
       "product_list":\(odd == 6 ? "7" : "[\(lines.joined(separator: ","))]")}
      """
  }

  @Test(
    "of 600 orders the shipped strategies make the same bills, notes and failures as the long way",
    arguments: [("sales-order", 1), ("sales-return", -1), ("sales-return", 1), ("sales-return-red", -1)])
  func shipped(name: String, sign: Int) throws {
    let strategy = try ShippedStrategy.load(name)
    #expect(strategy.direct != nil)
    let table = LookupTable(try ShippedStrategy.records())
    var chance = Chance(state: 51)
    var (bills, notes) = (0, 0)
    for _ in 0..<600 {
      let order = try parsed(Self.order(&chance, sign: sign))
      expectTheLongWay(strategy, order, table)
      guard let bill = try? Mapper(strategy).map(order, lookups: table) else { continue }
      bills += 1
      notes += bill.notes.count
    }
    #expect(bills > 200 && bills < 500 && notes > 20, "\(bills) bills, \(notes) notes")
  }

  /// Descriptors, rules, and whether bills of theirs are written directly.
  private static let shapes: [(fields: String, rules: String, isDirect: Bool)] = [
    (array("L", "lines", field("Q", "{{lines.q}}"), field("R", "{{lines.r}}", type: "int")), #""key":"N""#, true),
    (array("L", nil, field("Q", "{q}")), #""key":"L.Q""#, true),
    // A number in rows is that of the first row alone.
    (array("L", "lines", field("Q", "{{lines.q}}")), #""key":"L.Q""#, false),
    // Objects without members are left out, rows and an array's one row are not.
    (
      #"{"field":"O","type":"object","children":[\#(field("X", "{missing}"))]}"#,
      #""key":"N""#, true
    ),
    (
      #"{"field":"O","type":"object","is_required":true,"children":[\#(field("X", "{missing}"))]}"#,
      #""key":"N""#, true
    ),
    (array("L", nil, field("X", "{missing}")), #""key":"N""#, true),
    (array("L", "lines", field("X", "{{lines.missing}}")), #""key":"N""#, true),
    (array("L", "lines", array("M", "lines.parts", field("P", "{{lines.parts.p}}"))), #""key":"N""#, true),
    // Keys that need escapes, and constants below objects, of which a rule reads one.
    (
      #"{"field":"a\"b","type":"object","children":[\#(field("C", "7")),\#(field("D", "x\ty"))]}"#,
      #""key":"N","plausible":{"field":"a\"b.C","maximum":7}"#, true
    ),
    (
      #"{"field":"O","type":"object","children":[\#(field("C", "8")),\#(field("D", "8"))]}"#,
      #""key":"N","plausible":{"field":"O.C","maximum":7}"#, true
    ),
    (
      array("L", "lines", field("Q", "{{lines.q}}"), field("P", "{{lines.r}}"), field("A", "{{lines.a}}")),
      #""key":"N","residual":{"lines":"L","quantity":"Q","price":"P","amount":"A","tolerance":"0.02"}"#, true
    ),
    (
      array("L", "lines", field("Q", "{{lines.q}}"), field("P", "{{lines.r}}"))
        + "," + field("F", "{f}"),
      #""key":"N","plausible":[{"sum":"L.P","times":"F","source":"s","tolerance":"1"},{"field":"L.Q","minimum":1,"when":{"F":"2"}}]"#,
      true
    ),
    // Of a field that is there twice the last one counts.
    (field("X", "{q}") + "," + field("X", "{f}"), #""key":"N","plausible":{"field":"X","maximum":3}"#, true),
    (
      #"{"field":"O","type":"object","parser":{"name":"ConvertJson"},"children":[\#(field("X", "{q}"))]}"#,
      #""key":"N""#, false
    ),
  ]

  private static let orders = [
    "{}", #"{"q":"5","f":2,"s":9}"#, #"{"lines":[]}"#, #"{"lines":7}"#, #"{"lines":[7]}"#,
    #"{"lines":{"q":1,"r":2,"a":2}}"#,
    #"{"f":"2","s":12,"lines":[{"q":2,"r":"3","a":6},{"q":1,"r":1,"a":"1.01"},{},{"parts":[{"p":"é"},{}],"q":4,"r":0,"a":0}]}"#,
    #"{"f":"3","s":3,"lines":[{"q":2,"r":3.5,"a":6},{"q":1,"r":"x"},{"a":5}]}"#,
    #"{"q":"1","f":2,"s":1,"lines":[{"q":3,"r":0.3333333,"a":1},{"q":0,"r":1,"a":0}]}"#,
    #"{"q":12345678901234567890.5,"lines":[{"q":"0.0000000000000000000001","r":-7,"a":true}]}"#,
  ]

  @Test("the first wrong field ends it: neither what stands behind nor a rule is looked at")
  func ends() throws {
    let rows = array("L", "lines", field("R", "{{lines.r}}", type: "int"))
    let amounts = #""amounts":{"order":"s","lines":"lines","line":"a","tolerance":"0"}"#
    let strategy = try strategy(
      "\(field("X", "{x}", type: "int")),\(rows),\(field("Y", "{y}", type: "int"))", rules: #""key":"N",\#(amounts)"#)
    let plan = try #require(strategy.direct)
    for (order, failed) in [
      (#"{"x":"a","y":"a","s":2,"lines":[{"r":"a","a":1},{"r":"a","a":"b"}]}"#, ["X"]),
      (#"{"y":"a","s":2,"lines":[{"a":1},{"r":"a"},{"r":"a","a":"b"}]}"#, ["[1].R"]),
      (#"{"y":"a","s":2,"lines":[{"r":1,"a":1}]}"#, ["Y"]), (#"{"s":2,"lines":7}"#, []),
      (#"{"s":2,"lines":[{"r":1,"a":1}]}"#, [""]),
    ] {
      let order = try parsed(order)
      var run = MappingRun(OrderReader(order, strategy.table, answers: LookupTable(), inputs: MappingInputs()))
      #expect(run.written(strategy.fields, plan, strategy.amounts) == nil)
      // Rows alone are kept of what lies around: nobody is told of this.
      #expect(run.failures.map(\.target) == failed)
      expectTheLongWay(strategy, order)
    }
  }

  @Test("a field that several rules read has one number, and no second plan may give it another")
  func plans() async throws {
    let strategy = try strategy(
      field("X", "{x}"), rules: #""key":"N","plausible":[{"field":"X","minimum":1},{"field":"X","maximum":3}]"#)
    #expect(strategy.direct?.ranges.map(\.field) == [1, 1])
    #expect(strategy.fields.map(\.slot) == [0, 1])
    await #expect(processExitsWith: .failure) {
      let strategy = try MappingTests.strategy(field("X", "{x}"))
      _ = DirectPlan(strategy.fields, strategy.keyPath, nil, nil)
    }
  }

  @Test("the clock and chance are the same as well, with notes and after a bill was given up")
  func inputs() throws {
    let drawn = [
      field("D", "_function NOW()"), field("T", "{{CURRENT_TIME|datetime}}"), field("C", "{{random}}"),
      field("U", "_function CONCAT(UUID(),UUID())"), field("M", "{{MINUTE_AGO_30|datetime}}"),
    ].joined(separator: ",")
    let line = [field("Q", "{{lines.q}}"), field("P", "{{lines.p}}"), field("A", "{{lines.a}}")].joined(separator: ",")
    let rows = array("L", "lines", field("V", "_function UUID()"), field("W", "{{random}}"), line)
    let residual = #"{"lines":"L","quantity":"Q","price":"P","amount":"A","tolerance":"0.05"}"#
    let strategy = try strategy(
      "\(drawn),\(rows),\(field("X", "{x}", type: "int")),\(field("Z", "_function UUID()"))",
      rules: #""key":"N","residual":\#(residual)"#)
    #expect(strategy.direct != nil)
    for (more, notes) in [("1", 1), ("\"a\"", nil)] as [(String, Int?)] {
      let order = #"{"x":\#(more),"lines":[{"q":1,"p":1,"a":"1.02"},{"q":1,"p":1,"a":1}]}"#
      #expect(try failures(strategy, order, inputs: VariableTests.inputs).isEmpty == (notes != nil))
      // What is not known fails, and is told the same.
      #expect(try !failures(strategy, order).isEmpty)
      guard let notes else { continue }
      let inputs = VariableTests.inputs
      let bill = try Mapper(strategy).map(parsed(order), lookups: LookupTable(), inputs: inputs)
      #expect(bill.notes.count == notes)
      let data = try data(strategy, order, inputs: inputs)
      let draws = [data["U"], data["L"]?[0]?["V"], data["L"]?[1]?["V"], data["Z"]].compactMap { $0?.text }
      #expect(Set(draws).count == 4 && data["T"]?.text == "2024-03-14 16:00:00")
    }
  }

  @Test("of bills of other shapes as well")
  func shapes() throws {
    for (position, shape) in Self.shapes.enumerated() {
      let strategy = try strategy(shape.fields, rules: shape.rules)
      #expect((strategy.direct != nil) == shape.isDirect, "shape \(position)")
      for order in Self.orders { expectTheLongWay(strategy, try parsed(order)) }
    }
  }
}
