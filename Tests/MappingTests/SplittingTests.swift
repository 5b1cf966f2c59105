import JSON
import Mapping
import Orders
import Testing

@Suite("One order, several bills")
struct SplittingTests {
  /// A strategy whose head has the number and whose rows are below `R`.
  private func strategy(
    _ rules: String = "", source: String, rows: String = array("R", nil, field("{{l_q}}")),
    number: String = "{{no}}", own: String = ""
  ) throws -> Strategy {
    let request = #"{"field":"P","type":"array","children":[\#(field("N", number))]},\#(rows)"#
    let target = #"{"api":"/SO/Save",\#(rules)"ferry":{"key":"P.N"\#(own)},"request":[\#(request)]}"#
    return try Strategy(name: "test", source: Array("{\(source)}".utf8), target: Array(target.utf8))
  }

  private func bills(_ strategy: Strategy, _ order: String, inputs: MappingInputs = MappingInputs()) throws -> [Bill] {
    let mapper = Mapper(strategy)
    guard case .changed(let documents) = try mapper.selection(of: parsed(order)) else { return [] }
    return try mapper.bills(of: documents.map(\.root), from: parsed(order), lookups: LookupTable(), inputs: inputs)
  }

  private func text(_ bill: Bill) -> String { String(decoding: bill.body, as: UTF8.self) }

  private static let flat = #""id":"id","number":"no","beatFlat":["l"]"#

  @Test("a flattened order becomes a bill per row; from the second on the number is made another one, in the body too")
  func numbers() throws {
    let strategy = try strategy(source: Self.flat)
    #expect(strategy.splits)
    let found = try bills(strategy, #"{"id":1,"no":"S1","l":[{"q":1},{"q":2},{"q":3}]}"#)
    #expect(found.map(\.number) == ["S1", "S1-2", "S1-3"])
    #expect(
      found.map(text)
        == ["S1", "S1-2", "S1-3"].enumerated().map { position, number in
          #"{"Data":{"P":[{"N":"\#(number)"}],"R":[{"X":"\#(position + 1)"}]}}"#
        })
  }

  @Test("numbers never meet, whatever the strategy makes of them, and one that differs stays as it is")
  func uniqueNumbers() throws {
    let strategy = try strategy(source: Self.flat, number: "{{l_n}}")
    func numbers(_ numbers: String...) throws -> [String] {
      let rows = numbers.map { #"{"n":"\#($0)"}"# }.joined(separator: ",")
      return try bills(strategy, #"{"id":1,"no":"S1","l":[\#(rows)]}"#).map(\.number)
    }
    #expect(try numbers("A", "B", "A", "B", "A") == ["A", "B", "A-2", "B-2", "A-3"])
    #expect(try numbers("A", "A", "A-2", "A") == ["A", "A-3", "A-2", "A-4"])
    #expect(try numbers("a", "A") == ["a", "A-2"])
    let numeric = #"{"field":"N","type":"int","value":"7"}"#
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[\#(numeric)]}"#
    let whole = try Strategy(name: "t", source: Array("{\(Self.flat)}".utf8), target: Array(target.utf8))
    #expect(try bills(whole, #"{"l":[{},{}]}"#).map(text) == [#"{"Data":{"N":7}}"#, #"{"Data":{"N":"7-2"}}"#])
  }

  @Test("the row's number is there to be read, and one order alone has one, too")
  func rowNumber() throws {
    let strategy = try strategy(source: Self.flat, rows: field("{{id}}"), number: "{{bfn_num}}")
    #expect(try bills(strategy, #"{"id":5,"no":"S1","l":[{},{}]}"#).map(\.number) == ["S1-1", "S1-2"])
    let one = try bills(strategy, #"{"id":5,"no":"S1","l":[{}]}"#)
    #expect(one.map(text) == [#"{"Data":{"P":[{"N":"S1-1"}],"X":"5-1"}}"#])
    #expect(try bills(strategy, #"{"id":5,"no":"S1","bfn_num":"own","l":[{}]}"#).map(\.number) == ["own"])
  }

  @Test("a strategy that takes nothing apart is as it was")
  func whole() throws {
    let strategy = try strategy(source: #""id":"id""#)
    #expect(!strategy.splits)
    guard case .whole = try Mapper(strategy).selection(of: parsed(#"{"no":"S1"}"#)) else {
      Issue.record("changed")
      return
    }
    let order = try parsed(#"{"no":"S1","l_q":5}"#)
    let one = try Mapper(strategy).map(order, lookups: LookupTable())
    #expect(try Mapper(strategy).bills(of: [order], from: order, lookups: LookupTable()) == [one])
  }

  @Test("what is wrong with a document is told with its number, of all documents at once; alone it has none")
  func failures() throws {
    let strategy = try strategy(
      source: Self.flat, rows: array("R", nil, field("X", "{{l_q}}", type: "float")), number: "{{l_n}}")
    let order = #"{"l":[{"n":"A","q":"x"},{"n":"B","q":1},{"q":2},{"n":"D","q":"y"}]}"#
    let error = try #require(throws: MappingFailures.self) { try bills(strategy, order) }
    #expect(
      error.failures.map(\.target) == ["document 1: R[0].X", "document 3: P.N", "document 4: R[0].X"])
    #expect(error.description.contains("document 3: P.N: the bill has no number"))
    let alone = try #require(throws: MappingFailures.self) { try bills(strategy, #"{"l":[{"n":"A","q":"x"}]}"#) }
    #expect(alone.failures.map(\.target) == ["R[0].X"])
    #expect(throws: MappingFailures.self) {
      try Mapper(strategy).bills(of: [], from: parsed(order), lookups: LookupTable())
    }
    let many = #"{"l":[\#(Array(repeating: #"{"n":"A","q":"x"}"#, count: 1_000).joined(separator: ","))]}"#
    let told = try #require(throws: MappingFailures.self) { try bills(strategy, many) }.failures
    #expect((500..<1_000).contains(told.count))
    #expect(told.last?.sentence.hasSuffix("; \(1_000 - told.count) more fields cannot be mapped") == true)
  }

  @Test("the order's amount is held against the whole order, before it is taken apart")
  func amounts() throws {
    let own = #","amounts":{"order":"amount","lines":"l","line":"a","tolerance":0}"#
    let rules = #""groupCalculate":{"headerGroup":["no","l_wh"],"bodyGroup":["l_a"],"bodyName":"b"},"#
    for (rules, rows, count) in [
      ("", array("R", nil, field("{{l_a}}")), 3), (rules, array("R", "b", field("{{b.l_a}}")), 2),
    ] {
      let strategy = try strategy(rules, source: Self.flat, rows: rows, own: own)
      let order = #"{"no":"S1","amount":"6","l":[{"wh":1,"a":1},{"wh":2,"a":2},{"wh":1,"a":3}]}"#
      #expect(try bills(strategy, order).count == count)
      let wrong = try #require(throws: MappingFailures.self) {
        try bills(strategy, order.replacing(#""6""#, with: #""6.01""#))
      }
      #expect(wrong.failures.map(\.code) == [.amountMismatch])
    }
  }

  @Test("costs and combined products are settled before the order is taken apart")
  func preparation() throws {
    let own =
      #","amounts":{"order":"amount","lines":"l","line":"a","additions":"extra","tolerance":0,"costs":"spread"},"#
      + #""combined":{"list":"l","send":"parents"}"#
    let strategy = try strategy(source: Self.flat, rows: array("R", nil, field("{{l_a}}")), own: own)
    let order =
      #"{"no":"S1","amount":"12","extra":"2","l":[{"a":4},{"a":6,"is_master_product":1},{"a":9,"is_sub_product":1}]}"#
    let found = try bills(strategy, order).map { try parsed(text($0))["Data"]?["R"]?[0]?["X"]?.text ?? "" }
    #expect(found.map { ExactDecimal($0) } == [ExactDecimal("4.8"), ExactDecimal("7.2")], "\(found)")
  }

  @Test("what is drawn by chance is another thing in each bill, and the same when the order is mapped again")
  func chance() throws {
    let strategy = try strategy(source: Self.flat, rows: field("{{random}}"))
    let order = #"{"no":"S1","l":[{},{}]}"#
    let found = try bills(strategy, order, inputs: MappingInputs(randomSeed: 3))
    #expect(try bills(strategy, order, inputs: MappingInputs(randomSeed: 3)) == found)
    let drawn = try found.map { try parsed(text($0))["Data"]?["X"]?.text }
    #expect(Set(drawn).count == 2)
  }

  @Test("lookups are asked for each document")
  func lookups() throws {
    let rows = field("_findCollection find code from skus where no={{l_no}}")
    let mapper = Mapper(try strategy(source: Self.flat, rows: rows))
    let order = try parsed(#"{"no":"S1","l":[{"no":1},{"no":2}]}"#)
    guard case .changed(let documents) = try mapper.selection(of: order) else {
      Issue.record("whole")
      return
    }
    let keys = documents.flatMap { mapper.lookups(of: $0.root) }
    #expect(keys == [key("skus", ("no", "1")), key("skus", ("no", "2"))])
    let found = try LookupTable([keys[0]: record(#"{"code":"a"}"#), keys[1]: record(#"{"code":"b"}"#)])
    let bills = try mapper.bills(of: documents.map(\.root), from: order, lookups: found)
    #expect(try bills.map { try parsed(text($0))["Data"]?["X"]?.text } == ["a", "b"])
  }

  @Test(
    "fields that flattening and grouping leave are known when the strategy is read, and those that they lose",
    arguments: [
      ("{{l_q}}", "", []), ("{{no}}", "", []),
      ("{{l_z}}", "", ["source.json's response declares no field «l_z»; is «l_q» meant?"]),
      ("{{l.q}}", "", ["source.json's response declares no field «l.q»"]),
      ("{{l_s_b}}", #","l.s""#, []), ("{{l_s_b}}", #","s""#, []),
      ("{{other_x}}", #","other""#, ["source.json's response declares no field «other»"]),
    ] as [(String, String, [String])])
  func declared(value: String, list: String, expected: [String]) throws {
    let response =
      #""response":[{"field":"id"},{"field":"no"},{"field":"l","children":[{"field":"q"},{"field":"s","children":[{"field":"b"}]}]}]"#
    let source = #""id":"id","number":"no","beatFlat":["l"\#(list)],\#(response)"#
    let found = try strategy(source: source, rows: field(value)).warnings.map(\.sentence)
    #expect(
      found.map { $0.replacing(#/; is «.*» meant\?/#, with: "") }
        == expected.map { $0.replacing(#/; is «.*» meant\?/#, with: "") })
  }

  @Test("a field that grouping loses is told, at the head and in rows, whether or not the source declares its fields")
  func lost() throws {
    let rules = #""groupCalculate":{"headerGroup":["no"],"bodyGroup":["l_q"],"bodyName":"b"},"#
    let rows = field("S", "{{shop}}") + "," + array("R", "b", field("{{b.l_q}}"), field("Y", "{{b.l_price}}"))
    let response =
      #","response":[{"field":"id"},{"field":"no"},{"field":"shop"},{"field":"l","children":[{"field":"q"},{"field":"price"}]}]"#
    for source in [Self.flat, Self.flat + response] {
      let found = try strategy(rules, source: source, rows: rows).warnings
      #expect(
        found.map { "\($0.path): \($0.sentence)" } == [
          "request.S: «shop» is lost by groupCalculate, since it is neither grouped nor calculated",
          "request.R.Y: «b.l_price» is lost by groupCalculate, since it is neither grouped nor calculated",
        ])
    }
    let misspelt = rules.replacing(#"["l_q"]"#, with: #"["l_qty"]"#)
    let found = try strategy(misspelt, source: Self.flat + response, rows: field("1")).warnings.map(\.sentence)
    #expect(found == ["source.json's response declares no field «l_qty»"])
  }

  @Test("whatever an order looks like, it makes at least one document or fails, and the same ones again")
  func hostile() throws {
    var state: UInt64 = 29
    func draw(_ below: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % below
    }
    func value(_ depth: Int) -> String {
      let keys = ["no", "l", "s", "q", "l_s", "l_q"]
      switch depth > 3 ? draw(5) : draw(9) {
      case 0: return "null"
      case 1: return #""""#
      case 2: return "\(draw(9)).\(draw(99))"
      case 3: return #""x\#(draw(3))""#
      case 4: return "true"
      case 5, 6: return "[\((0..<draw(4)).map { _ in value(depth + 1) }.joined(separator: ","))]"
      default:
        let members = (0..<draw(5)).map { _ in #""\#(keys[Int(draw(6))])":\#(value(depth + 1))"# }
        return "{\(members.joined(separator: ","))}"
      }
    }
    let sources = [
      Self.flat, #""beatFlat":["l","l.s","q"]"#,
      #""beatFlat":["s","l"],"operation":{"method":"splitArray","arrayKey":"l"}"#,
      #""beatFlat":["l.s.q"],"formatResponse":[{"old":"l.q","new":"q_new","format":"round(1)"}]"#,
    ]
    let groups = [
      "", #""groupCalculate":{"headerGroup":["no","l.q"],"bodyName":"l","bodyMaxLine":2},"#,
      #""groupCalculate":{"bodyGroup":["l_q"],"bodyName":"b","calculate":{"l_s":"$push","l_s_q":"$sum","no":"$max"}},"#,
    ]
    for source in sources {
      for group in groups {
        let mapper = Mapper(try strategy(group, source: source, rows: field("1")))
        for _ in 0..<100 {
          let order = try parsed(#"{"no":\#(value(2)),"l":\#(value(0)),"s":\#(value(1))}"#)
          let found = Result { try documents(mapper.selection(of: order), "") }
          guard case .success(let made) = found else { continue }
          #expect(!made.isEmpty)
          #expect(try documents(mapper.selection(of: order), "") == made)
        }
      }
    }
  }

  @Test("an array of a list that beatFlat flattens would have no rows: that is told")
  func gone() throws {
    for list in [#""value":"l","#, ""] {
      let rows = #"{"field":"R","type":"array",\#(list)"children":[\#(field("{{l.q}}"))]}"#
      let found = #expect(throws: StrategyProblems.self) { try strategy(source: Self.flat, rows: rows) }
      #expect(found?.problems.map(\.sentence) == ["beatFlat flattens «l», so there is no such list any more"])
    }
    let again = #""groupCalculate":{"headerGroup":["no"],"bodyName":"l"},"#
    let regrouped = try strategy(
      again, source: Self.flat, rows: array("R", "l", field("{{l.q}}"), field("Y", "{{l.l_q}}")))
    #expect(
      try bills(regrouped, #"{"no":"S1","l":[{"q":1},{"q":2}]}"#).map(text) == [
        #"{"Data":{"P":[{"N":"S1"}],"R":[{"X":"1","Y":"1"},{"X":"2","Y":"2"}]}}"#
      ])
  }
}
