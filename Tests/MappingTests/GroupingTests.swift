import JSON
import Mapping
import Testing

@Suite("groupCalculate and merge (§8, §11)")
struct GroupingTests {
  private static let flat = #""id":"no","beatFlat":["l"]"#

  private func target(_ rules: String, source: String = flat) throws -> StrategyDocument {
    let source = try document(#""effect":"QUERY",\#(source)"#)
    return try document(#""effect":"EXECUTE","request":[],\#(rules)"#, source: source)
  }

  private func grouped(_ rules: String, _ order: String, source: String = flat) throws -> [String] {
    let order = order.replacing("\n", with: "")
    return try documents(target(rules, source: source).selection(of: parsed(order)), order)
  }

  private func group(_ members: String) -> String {
    #""groupCalculate":{"headerGroup":["no"],"bodyName":"b",\#(members)}"#
  }

  private static let order = #"""
    {"no":"S1","shop":"A","l":[{"sku":"x","q":"1.10","p":3},{"sku":"y","q":2,"p":"4"},{"sku":"x","q":2.2,"p":5}]}
    """#

  @Test("rows that agree in bodyGroup become one, with their sums; what is neither grouped nor calculated is lost")
  func sums() throws {
    try expectSame(
      try grouped(group(#""bodyGroup":["l_sku"],"calculate":{"l_q":"$sum"}"#), Self.order),
      [#"{"no":"S1","b":[{"l_sku":"x","l_q":3.30},{"l_sku":"y","l_q":2}]}"#])
  }

  @Test("a row with several rows of its own counts once, and each of those too")
  func rowsInRows() throws {
    let order = #"""
      {"no":"N","l":[{"sku":"A","q":1,"b":[{"w":2},{"w":3}]},{"sku":"A","q":1},{"sku":"B","q":"5","b":[]}]}
      """#
    let rules = group(#""bodyGroup":["l_sku"],"calculate":{"l_q":"$sum","l_b_w":"$sum"}"#)
    for lists in [#"["l","b"]"#, #"["l.b","l"]"#] {
      try expectSame(
        try grouped(rules, order, source: #""id":"no","beatFlat":\#(lists)"#),
        [#"{"no":"N","b":[{"l_sku":"A","l_q":2,"l_b_w":5},{"l_sku":"B","l_q":5}]}"#])
    }
  }

  @Test("without bodyGroup each record is a row with all its fields and the order's; totals stand at the head")
  func whole() throws {
    try expectSame(
      try grouped(group(#""calculate":{"l_q":"$sum"}"#), #"{"no":"S1","shop":"A","x":[1],"l":[{"q":1},{"q":"2"}]}"#),
      [
        #"{"no":"S1","l_q":3,"b":[{"no":"S1","shop":"A","bfn_num":"S1","l_q":1},{"no":"S1","shop":"A","bfn_num":"S1","l_q":"2"}]}"#
      ])
  }

  @Test("the records of one order become several documents by headerGroup, in the order of their first rows")
  func heads() throws {
    let order = #"{"no":"S1","l":[{"wh":"B","q":1},{"wh":"A","q":2},{"wh":"B","q":4}]}"#
    try expectSame(
      try grouped(
        #""groupCalculate":{"headerGroup":["no","l_wh"],"bodyGroup":["l_q"],"bodyName":"b"}"#, order),
      [#"{"no":"S1","l_wh":"B","b":[{"l_q":1},{"l_q":4}]}"#, #"{"no":"S1","l_wh":"A","b":[{"l_q":2}]}"#])
    try expectSame(
      try grouped(#""groupCalculate":{"bodyGroup":"l_wh, l_q","bodyName":"b"}"#, order),
      [#"{"b":[{"l_wh":"B","l_q":1},{"l_wh":"A","l_q":2},{"l_wh":"B","l_q":4}]}"#])
  }

  @Test("a number and its text are one group, and so is all that is empty")
  func identity() throws {
    let order =
      #"{"no":"S1","l":[{"k":5,"q":1},{"k":"5","q":2},{"k":5.0,"q":3},{"k":"","q":4},{"q":5},{"k":null,"q":6},{"k":"5.0","q":7}]}"#
    let found = try grouped(group(#""bodyGroup":["l_k"],"calculate":{"l_q":"$push"}"#), order)
    try expectSame(
      found,
      [#"{"no":"S1","b":[{"l_k":5,"l_q":[1,2,3]},{"l_k":"","l_q":[4,5,6]},{"l_k":"5.0","l_q":[7]}]}"#])
  }

  @Test(
    "every operation, exact",
    arguments: [
      ("$sum", #"["0.1",0.2,"1e-1"]"#, "0.4"), ("$sum", #"["",null]"#, nil), ("sum", "[1,2]", "3"),
      ("$sum", #"["99999999999999999999.99","0.01"]"#, "100000000000000000000.00"),
      ("$avg", "[1,2]", "1.5"), ("$avg", #"["",null]"#, nil), ("$avg", "[1,1,0]", "0.666666666666666666666666"),
      ("$min", #"["10",9]"#, "9"), ("$max", #"["10",9]"#, #""10""#), ("$MAX", #"["10","9"]"#, #""10""#),
      ("$min", #"["2024-02-01","2024-01-29"]"#, #""2024-01-29""#), ("$max", #"["a","b",""]"#, #""b""#),
      ("$push", #"[1,"1",null,1]"#, #"[1,"1",1]"#), ("$addToSet", #"["b","a","b",""]"#, #"["b","a"]"#),
      ("$first", #"["x","y"]"#, #""x""#), ("$last", #"["x","y"]"#, #""y""#), ("$push", "[[1],{}]", "[[1]]"),
    ] as [(String, String, String?)])
  func operations(operation: String, values: String, expected: String?) throws {
    let rows = try parsed(values).elements.map { #"{"k":1,"v":\#(String(decoding: $0.rawBytes, as: UTF8.self))}"# }
    let order = #"{"no":"S1","l":[\#(rows.joined(separator: ","))]}"#
    let found = try grouped(group(#""bodyGroup":["l_k"],"calculate":{"l_v":"\#(operation)"}"#), order)
    let document = try #require(found.first)
    let row = try #require(try parsed(document)["b"]?[0])
    #expect(row["l_v"].map { String(decoding: $0.rawBytes, as: UTF8.self) } == expected)
  }

  @Test(
    "a sum over rows of which some are empty fails; it steps over them as the platform does where that is asked for")
  func gaps() throws {
    let order = #"{"no":"S1","c":[{"x":1}],"l":[{"k":1,"v":2},{"k":2},{"k":1,"v":""},{"k":1,"v":null},{"k":3,"v":0}]}"#
    for (operation, result) in [("$sum", "2"), ("$avg", "2")] {
      let rules = group(#""bodyGroup":["l_k"],"calculate":{"l_v":"\#(operation)"}"#)
      for source in [Self.flat, #""beatFlat":["c","l"]"#] {
        let error = try #require(throws: MappingFailures.self) { try grouped(rules, order, source: source) }
        #expect(error.failures.map(\.code) == [.fieldMissing])
        #expect(error.failures.map(\.sentence) == ["l_v of row \(source == Self.flat ? 3 : 4) is empty"])
      }
      let found = try grouped(rules + #","ferry":{"original":true}"#, order)
      #expect(found.first?.contains(#"[{"l_k":1,"l_v":\#(result)},{"l_k":2},{"l_k":3,"l_v":0}]"#) == true, "\(found)")
    }
    // Rows of another list are no rows without a value.
    let both = #"{"no":"S1","c":[{"x":1},{"x":2}],"l":[{"v":2},{"v":3}]}"#
    let rules = #""groupCalculate":{"headerGroup":["no"],"bodyGroup":["no"],"bodyName":"b","calculate":{"l_v":"$sum"}}"#
    #expect(try grouped(rules, both, source: #""beatFlat":["c","l"]"#) == [#"{"no":"S1","b":[{"no":"S1","l_v":5}]}"#])
  }

  @Test("a field of merge's header that differs among the rows fails with its name, of each document")
  func differingHeads() throws {
    let order = #"{"no":"S1","c":[{"x":1}],"l":[{"w":"a","h":1},{"w":"a","h":"1"},{"w":"b","h":1},{"w":"b","h":2}]}"#
    let rules = #""operation":{"method":"merge","bodyName":"b","field":"l_w","header":["no","l_h"],"body":["l_w"]}"#
    let error = try #require(throws: MappingFailures.self) { try grouped(rules, order) }
    #expect(error.failures.map(\.code) == [.valueInvalid])
    #expect(
      error.failures.map(\.description) == [
        "l_h differs among the rows that become one document; merge by it, too"
      ])
    #expect(try grouped(rules + #","ferry":{"original":true}"#, order).count == 2)
    #expect(try grouped(rules, order.replacing(#""h":2"#, with: #""h":1"#)).count == 2)
    #expect(try grouped(rules, order.replacing(#""h":2"#, with: #""h":"1.0""#)).count == 2)
    #expect(throws: MappingFailures.self) {
      try grouped(rules, order.replacing(#""h":1},{"w":"b","h":2"#, with: #""h":"1"},{"w":"b","h":"01""#))
    }
    // Of lists side by side each row has its own list's fields alone.
    let side = #""operation":{"method":"merge","bodyName":"b","field":"no","header":"l_h","body":["l_w"]}"#
    let found = try grouped(side, #"{"no":"S1","c":[{"x":1}],"l":[{"h":7,"w":1}]}"#, source: #""beatFlat":["c","l"]"#)
    #expect(found == [#"{"no":"S1","l_h":7,"b":[{},{"l_w":1}]}"#])
  }

  @Test("what is no number in a sum fails with its field and row, all of them at once")
  func noNumbers() throws {
    let order = #"{"no":"S1","l":[{"k":1,"v":"x"},{"k":2,"v":1},{"k":3,"v":[1]},{"k":4,"v":true}]}"#
    for operation in ["$sum", "$avg"] {
      let failures = try #require(throws: MappingFailures.self) {
        try grouped(group(#""bodyGroup":["l_k"],"calculate":{"l_v":"\#(operation)"}"#), order)
      }
      #expect(failures.failures.allSatisfy { $0.code == .valueInvalid && $0.sources == ["l_v"] })
      #expect(
        failures.failures.map(\.sentence) == [
          "l_v of row 1 should be a number but is a text of 1 characters",
          "l_v of row 3 should be a number but is a list", "l_v of row 4 should be a number but is a boolean",
        ])
    }
    let large = #"{"no":"S1","l":[{"k":1,"v":"\#(String(repeating: "9", count: 38))"},{"k":1,"v":1}]}"#
    let failures = try #require(throws: MappingFailures.self) {
      try grouped(group(#""bodyGroup":["l_k"],"calculate":{"l_v":"$sum"}"#), large)
    }
    #expect(failures.failures.map(\.sentence) == ["the result of l_v has more than 38 digits"])
  }

  @Test("a field of the head counts once, however many rows repeat it, and stands at the head as in the rows")
  func ofHead() throws {
    let rules = group(#""bodyGroup":["l_sku"],"calculate":{"amount":"$sum","shop":"$first","l_q":"$max"}"#)
    try expectSame(
      try grouped(rules, #"{"no":"S1","amount":"10.50","shop":"A","l":[{"sku":1,"q":1},{"sku":1,"q":2},{"sku":2}]}"#),
      [
        #"{"no":"S1","amount":10.50,"shop":"A","b":[{"l_sku":1,"amount":10.50,"shop":"A","l_q":2},"#
          + #"{"l_sku":2,"amount":10.50,"shop":"A"}]}"#
      ])
    #expect(try target(rules).warnings.map(\.path) == ["groupCalculate.calculate.amount"])
  }

  @Test("bodyMaxLine makes more documents of a group, rows in order, each with the totals of its own rows")
  func maximum() throws {
    let order = #"{"no":"S1","l":[{"q":1},{"q":2},{"q":3},{"q":4},{"q":5}]}"#
    let rules = #""groupCalculate":{"headerGroup":["no"],"bodyName":"b","bodyMaxLine":2,"calculate":{"l_q":"$sum"}}"#
    let found = try grouped(rules, order).map { try parsed($0) }
    #expect(found.map { $0["b"]?.elements.map { $0["l_q"]?.text ?? "" } } == [["1", "2"], ["3", "4"], ["5"]])
    #expect(found.map { $0["l_q"]?.text } == ["3", "7", "5"])
    #expect(found.map { $0["no"]?.text } == ["S1", "S1", "S1"])
    #expect(try grouped(rules.replacing(":2,", with: #":"5","#), order).count == 1)
  }

  @Test("splitArray's elements are grouped by paths, and keep them")
  func paths() throws {
    let source = #""id":"no","operation":{"method":"splitArray","arrayKey":"l"}"#
    let rules =
      #""groupCalculate":{"headerGroup":["no","l.wh"],"bodyGroup":["l.sku"],"bodyName":"b","calculate":{"l.q":"$sum"}}"#
    try expectSame(
      try grouped(rules, #"{"no":1,"l":[{"wh":"A","sku":"x","q":1},{"wh":"A","sku":"x","q":2}]}"#, source: source),
      [#"{"no":1,"l":{"wh":"A"},"b":[{"l":{"sku":"x","q":3}}]}"#])
  }

  @Test("what formatResponse makes can be grouped by, of the head as of rows")
  func made() throws {
    let source =
      #""number":"no","beatFlat":["l"],"formatResponse":[{"old":"d","new":"d_new","format":"date"},"#
      + #"{"old":"l.d","new":"l.d_new","format":"date"},{"old":"l_d","new":"l_m","format":"shortDate"}]"#
    let rules = #""groupCalculate":{"headerGroup":["no","d_new","l_d_new","l_m"],"bodyGroup":["l_q"],"bodyName":"b"}"#
    let order =
      #"{"no":"S1","d":"2024-01-29 10:00:00","l":[{"d":"2024-01-30 01:00:00","q":1},{"d":"2024-01-30 02:00:00","q":2}]}"#
    let found = try grouped(rules, order, source: source)
    try expectSame(
      found, [#"{"no":"S1","d_new":"2024-01-29","l_d_new":"2024-01-30","l_m":"01-30","b":[{"l_q":1},{"l_q":2}]}"#])
    let text = try String(
      decoding: document(
        #""effect":"EXECUTE","request":[\#(field("{{d_new}}"))],\#(rules)"#,
        source: document(#""effect":"QUERY",\#(source)"#)
      ).body(of: parsed(#require(found.first))), as: UTF8.self)
    #expect(text == #"{"X":"2024-01-29"}"#)
  }

  @Test(
    "merge says the same in other words",
    arguments: [
      (
        #""field":"no","header":["no","shop"],"body":["l_sku","l_q"],"bodySum":["l_q"]"#,
        #"{"no":"S1","shop":"A","b":[{"l_sku":"x","l_q":3.30},{"l_sku":"y","l_q":2}]}"#
      ),
      (
        #""header":["no","shop"],"body":["l_sku"],"bodySum":"l_q""#,
        #"{"no":"S1","shop":"A","b":[{"l_sku":"x","l_q":3.30},{"l_sku":"y","l_q":2}]}"#
      ),
      (
        #""field":"no","body":["l_sku"]"#, #"{"no":"S1","b":[{"l_sku":"x"},{"l_sku":"y"},{"l_sku":"x"}]}"#
      ),
      (
        #""headerGroup":["no"],"bodyGroup":["l_sku"],"bodySum":["l_q"],"calculate":{"l_p":"$max"}"#,
        #"{"no":"S1","b":[{"l_sku":"x","l_p":5,"l_q":3.30},{"l_sku":"y","l_p":"4","l_q":2}]}"#
      ),
    ])
  func merge(members: String, expected: String) throws {
    let rules = #""operation":{"method":"merge","bodyName":"b",\#(members)}"#
    try expectSame(try grouped(rules, Self.order), [expected], "\(members)")
  }

  @Test("however rows are grouped and split, none is lost and none counts twice")
  func conserved() throws {
    var state: UInt64 = 11
    func draw(_ below: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % below
    }
    for round in 0..<200 {
      let rows = (0...draw(30)).map { _ in (wh: draw(3), sku: draw(4), q: draw(100_000)) }
      let list = rows.map {
        #"{"wh":\#($0.wh),"sku":"\#($0.sku)","q":"\#(ExactDecimal(digits: Int128($0.q), scale: 3)!)"}"#
      }
      let body = draw(3) == 0 ? "" : #","bodyGroup":["l_sku"]"#
      let rules =
        #""groupCalculate":{"headerGroup":["no","l_wh"]\#(body),"bodyName":"b","bodyMaxLine":\#(draw(5) + 1),"calculate":{"l_q":"$sum"}}"#
      let found = try grouped(rules, #"{"no":1,"l":[\#(list.joined(separator: ","))]}"#).map { try parsed($0) }
      var sum = ExactDecimal.zero
      for row in found.flatMap({ $0["b"].map { Array($0.elements) } ?? [] }) {
        sum = try sum.adding(#require(row["l_q"]?.text.flatMap { ExactDecimal($0) }))
      }
      let whole = Int128(rows.reduce(0) { $0 + $1.q })
      #expect(sum == ExactDecimal(digits: whole, scale: 3), "round \(round)")
    }
  }

  @Test("targetBodyName names the array that takes the rows, when it has no list of its own")
  func targetBodyName() throws {
    let rules = #""groupCalculate":{"headerGroup":["no"],"bodyName":"b","targetBodyName":"E"}"#
    let source = try document(#""effect":"QUERY",\#(Self.flat)"#)
    let mapped = try document(
      #""effect":"EXECUTE","request":[\#(array("E", nil, field("{{l_q}}")))],\#(rules)"#, source: source)
    let unbound = try document(
      #""effect":"EXECUTE","request":[\#(array("E", nil, field("{{b.l_q}}")))],\#(rules)"#, source: source)
    let record = try parsed(#require(try grouped(rules, #"{"no":1,"l":[{"q":1},{"q":2}]}"#).first))
    #expect(try unbound.body(of: record) == Array(#"{"E":[{"X":"1"},{"X":"2"}]}"#.utf8))
    #expect(try mapped.body(of: record) == Array(#"{"E":[{},{}]}"#.utf8))
    #expect(try target(rules).warnings.map(\.path) == ["groupCalculate.targetBodyName"])
  }

  @Test(
    "what cannot be meant is told",
    arguments: [
      (#""groupCalculate":5"#, ["groupCalculate: must be an object"]),
      (#""groupCalculate":{"bodyName":"b"}"#, ["groupCalculate: needs «headerGroup» or «bodyGroup»"]),
      (#""groupCalculate":{"headerGroup":["a"]}"#, ["groupCalculate: needs «bodyName», a name for the list of rows"]),
      (
        #""groupCalculate":{"headerGroup":[5],"bodyGroup":["x"],"bodyName":"b"}"#,
        ["groupCalculate.headerGroup: must be a list of names of fields"]
      ),
      (
        #""groupCalculate":{"headerGroup":["a"],"bodyname":"b"}"#,
        [
          "groupCalculate.bodyname: the key is unknown; is «bodyName» meant?",
          "groupCalculate: needs «bodyName», a name for the list of rows",
        ]
      ),
      (
        #""groupCalculate":{"headerGroup":["a"],"bodyName":"b","bodyMaxLine":0}"#,
        ["groupCalculate.bodyMaxLine: must be a whole number from 1"]
      ),
      (
        #""groupCalculate":{"headerGroup":["a"],"bodyName":"b","calculate":{"x":"$count"}}"#,
        ["groupCalculate.calculate.x: the operation is one of $sum, $avg, $min, $max, $push, $addToSet, $first, $last"]
      ),
      (
        #""groupCalculate":{"headerGroup":["a"],"bodyName":"b","calculate":["x"]}"#,
        ["groupCalculate.calculate: must be an object of fields and operations"]
      ),
      (
        #""groupCalculate":{"headerGroup":["a"],"bodyName":"b","calculate":{"a":"$sum"}}"#,
        ["groupCalculate.calculate.a: is a field that is grouped by"]
      ),
      (
        #""operation":{"method":"merge","bodyName":"b"}"#,
        ["operation: merge needs «field», the field that it merges by"]
      ),
      (
        #""operation":{"method":"merge","bodyName":"b","field":"a","bodySum":["q"]}"#,
        ["operation: bodySum needs «body», the fields that make a row"]
      ),
      (
        #""operation":{"method":"merge","bodyName":"b","feild":"a"}"#,
        [
          "operation.feild: the key is unknown; is «field» meant?",
          "operation: merge needs «field», the field that it merges by",
        ]
      ),
      (
        #""operation":{"method":"merge","bodyName":"b","field":"a"},"groupCalculate":{"headerGroup":["a"],"bodyName":"b"}"#,
        ["operation: merge and groupCalculate both group; leave one out"]
      ),
      (#""operation":{"method":"splitArray","arrayKey":"l"}"#, ["operation: splitArray stands in the source"]),
      (#""groupcalculate":{}"#, ["groupcalculate: the key is unknown; is «groupCalculate» meant?"]),
    ] as [(String, [String])])
  func problems(rules: String, expected: [String]) {
    let found = #expect(throws: StrategyProblems.self) { try target(rules) }
    #expect(found?.problems.map { "\($0.path): \($0.sentence)" } == expected)
  }

  @Test("an empty rule is none", arguments: ["null", "{}", "[]"])
  func empty(rule: String) throws {
    #expect(try !document(#""effect":"EXECUTE","request":[],"groupCalculate":\#(rule),"operation":\#(rule)"#).splits)
  }

  @Test("what is odd and can be meant is warned of: nothing flattened, orders that would have to meet")
  func odd() throws {
    func told(_ header: String, source: String = Self.flat) throws -> [String] {
      try target(#""groupCalculate":{"headerGroup":[\#(header)],"bodyName":"b"}"#, source: source).warnings.map(
        \.sentence)
    }
    let meeting =
      "groups by no number of the order: the rows of one order are grouped, orders never meet in one document"
    #expect(try told(#""no""#) == [])
    #expect(try told(#""shop""#) == [meeting])
    #expect(try told(#""code","shop""#, source: #""number":"code","beatFlat":["l"]"#) == [])
    #expect(try told(#""no""#, source: #""id":"no""#) == ["the source flattens nothing, so the whole order is one row"])
  }
}
