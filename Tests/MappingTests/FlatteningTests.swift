import JSON
import Mapping
import Testing

/// The documents that an order becomes, as JSON; those of a selection.
func documents(_ selection: Selection, _ order: String) throws -> [String] {
  switch selection {
  case .refused: []
  case .whole: [order]
  case .changed(let documents): documents.map { String(decoding: $0.root.rawBytes, as: UTF8.self) }
  }
}

/// Two JSON texts with the same fields, whatever their order.
func isSame(_ one: JSONValue, _ other: JSONValue) -> Bool {
  switch (one.kind, other.kind) {
  case (.object, .object):
    let keys = Set(one.members.map(\.key)).union(other.members.map(\.key))
    return keys.allSatisfy { key in
      guard let left = one[key], let right = other[key] else { return false }
      return isSame(left, right)
    }
  case (.array, .array):
    return one.count == other.count && zip(one.elements, other.elements).allSatisfy { isSame($0, $1) }
  default: return Array(one.rawBytes) == Array(other.rawBytes)
  }
}

/// Holds documents against expected ones.
func expectSame(_ found: [String], _ expected: [String], _ comment: Comment? = nil) throws {
  #expect(found.count == expected.count, comment)
  for (one, other) in zip(found, expected) {
    #expect(isSame(try parsed(one), try parsed(other)), "\(comment.map { "\($0): " } ?? "")\(one) is not \(other)")
  }
}

@Suite("beatFlat and splitArray (§8, §11)")
struct FlatteningTests {
  private func flattened(_ source: String, _ order: String) throws -> [String] {
    let order = order.replacing("\n", with: "")
    return try documents(document(#""effect":"QUERY",\#(source)"#).selection(of: parsed(order)), order)
  }

  @Test("the manual's example: a document per row, its id with the row's number")
  func manual() throws {
    let order = #"""
      {"no":"OUT20210001","customer":"CK0001","details_list":[{"goods":"FOO0001","num":12},{"goods":"FOO0002","num":50}]}
      """#
    let rows = ["1", "2"].map { row in
      #"{"no":"OUT20210001-\#(row)","customer":"CK0001","details_list_goods":"FOO000\#(row)","details_list_num":"#
        + #"\#(row == "1" ? 12 : 50),"bfn_num":"OUT20210001-\#(row)"}"#
    }
    try expectSame(try flattened(#""id":"no","beatFlat":["details_list"]"#, order), rows)
    try expectSame(
      try flattened(#""id":"no","otherRequestParams":{"beatFlat":"details_list","Limit":5}"#, order), rows)
  }

  @Test(
    "which rows become which documents",
    arguments: [
      (
        "a list of a row stays with its row", #"["l"]"#, #"{"l":[{"s":[1,2],"o":{"x":1}}]}"#,
        [#"{"l_s":[1,2],"l_o":{"x":1}}"#]
      ),
      (
        "a list in the rows, by its path", #"["l","l.s"]"#, #"{"h":1,"l":[{"q":1,"s":[{"b":"x"},{"b":"y"}]},{"q":2}]}"#,
        [#"{"h":1,"l_q":1,"l_s_b":"x"}"#, #"{"h":1,"l_q":1,"l_s_b":"y"}"#, #"{"h":1,"l_q":2}"#]
      ),
      (
        "by its flattened name", #"["l","l_s"]"#, #"{"l":[{"s":[{"b":1},{"b":2}]}]}"#,
        [#"{"l_s_b":1}"#, #"{"l_s_b":2}"#]
      ),
      ("by its own name", #"["l","s"]"#, #"{"l":[{"s":[{"b":1},{"b":2}]}]}"#, [#"{"l_s_b":1}"#, #"{"l_s_b":2}"#]),
      (
        "the inner list named first", #"["l.s","l"]"#, #"{"l":[{"q":1,"s":[{"b":1},{"b":2}]},{"q":2}]}"#,
        [#"{"l_q":1,"l_s_b":1}"#, #"{"l_q":1,"l_s_b":2}"#, #"{"l_q":2}"#]
      ),
      ("by its path alone", #"["l.s"]"#, #"{"l":[{"q":3,"s":[{"b":1}]}]}"#, [#"{"l_q":3,"l_s_b":1}"#]),
      (
        "three deep", #"["a","b","c"]"#, #"{"a":[{"b":[{"c":[{"x":1},{"x":2}]}]}]}"#,
        [#"{"a_b_c_x":1}"#, #"{"a_b_c_x":2}"#]
      ),
      (
        "two lists side by side: one after the other, no pairs", #"["a","b"]"#,
        #"{"h":1,"a":[{"x":1},{"x":2}],"b":[{"y":3}]}"#,
        [#"{"h":1,"a_x":1}"#, #"{"h":1,"a_x":2}"#, #"{"h":1,"b_y":3}"#]
      ),
      (
        "two lists in a row side by side", #"["l","s","t"]"#, #"{"l":[{"q":1,"s":[{"b":1}],"t":[{"c":2}]}]}"#,
        [#"{"l_q":1,"l_s_b":1}"#, #"{"l_q":1,"l_t_c":2}"#]
      ),
      ("an object is one row", #"["l"]"#, #"{"l":{"q":1}}"#, [#"{"l_q":1}"#]),
      ("rows without fields", #"["l"]"#, #"{"l":["x",5]}"#, [#"{"l":"x"}"#, #"{"l":5}"#]),
      (
        "a list in an object", #"["o.l"]"#, #"{"o":{"k":1,"l":[{"q":2}]}}"#, [#"{"o":{"k":1,"l":[{"q":2}]},"o_l_q":2}"#]
      ),
      ("no rows: the order stays one", #"["l"]"#, #"{"h":1,"l":[]}"#, [#"{"h":1}"#]),
      ("no list: the order stays one", #"["l"]"#, #"{"h":1}"#, [#"{"h":1}"#]),
      ("null and an empty text are no rows", #"["l","m"]"#, #"{"h":1,"l":null,"m":""}"#, [#"{"h":1}"#]),
      ("of two lists one may be empty", #"["l","m"]"#, #"{"l":[],"m":[{"x":1}]}"#, [#"{"m_x":1}"#]),
      ("what is no list stays", #"["l"]"#, #"{"l":"text"}"#, [#"{"l":"text"}"#]),
      ("a key with the list's name keeps it", #"["l"]"#, #"{"l":[{"l_q":1}]}"#, [#"{"l_q":1}"#]),
      ("unless both are there", #"["l"]"#, #"{"l":[{"l_q":1,"q":2}]}"#, [#"{"l_l_q":1,"l_q":2}"#]),
      ("a row wins over the head", #"["l"]"#, #"{"l_q":1,"l":[{"q":2}]}"#, [#"{"l_q":2}"#]),
      ("numbers stay as they were written", #"["l"]"#, #"{"l":[{"q":1.50}]}"#, [#"{"l_q":1.50}"#]),
    ] as [(Comment, String, String, [String])])
  func cases(comment: Comment, lists: String, order: String, expected: [String]) throws {
    try expectSame(try flattened(#""beatFlat":\#(lists)"#, order), expected, comment)
  }

  @Test("splitArray: a document per element, which stands under the list's name; ids stay as they are")
  func splitArray() throws {
    let source = #""id":"no","operation":{"method":"splitArray","arrayKey":"l"}"#
    try expectSame(
      try flattened(source, #"{"no":7,"l":[{"q":1},{"q":2}]}"#), [#"{"no":7,"l":{"q":1}}"#, #"{"no":7,"l":{"q":2}}"#])
    let rows = try flattened(source, #"{"l":[{"q":1}]}"#).map { try parsed($0) }
    let target = try MappingTests.target(array("R", "l", field("{{l.q}}")))
    #expect(try target.body(of: #require(rows.first)) == Array(#"{"R":[{"X":"1"}]}"#.utf8))
    let both = #""beatFlat":["l","s"],"operation":{"method":"splitArray","arrayKey":"l"}"#
    try expectSame(
      try flattened(both, #"{"l":[{"q":1,"s":[{"b":1},{"b":2}]}]}"#),
      [#"{"l_q":1,"l_s_b":1}"#, #"{"l_q":1,"l_s_b":2}"#])
  }

  @Test("a list beside the one that splitArray takes apart comes after it, without pairs")
  func besideSplitArray() throws {
    let source = #""beatFlat":["m"],"operation":{"method":"splitArray","arrayKey":"l"}"#
    try expectSame(
      try flattened(source, #"{"h":1,"l":[{"q":1},{"q":2}],"m":[{"x":3}]}"#),
      [#"{"h":1,"l":{"q":1}}"#, #"{"h":1,"l":{"q":2}}"#, #"{"h":1,"m_x":3}"#])
    try expectSame(try flattened(source, #"{"l":[{"q":1}],"m":[]}"#), [#"{"l":{"q":1}}"#])
  }

  @Test("an order without elements is no order less: splitArray fails", arguments: ["{}", #"{"l":[]}"#, #"{"l":5}"#])
  func nothing(order: String) throws {
    let source = try document(#""effect":"QUERY","operation":{"method":"splitArray","arrayKey":"l"}"#)
    let failures = try #require(throws: MappingFailures.self) { try source.selection(of: parsed(order)) }
    #expect(failures.failures.map(\.code) == [.fieldMissing])
    #expect(failures.failures.map(\.sources) == [["l"]])
    #expect(failures.failures.allSatisfy { $0.remedy.hasPrefix("Give l a row in OKKI") })
  }

  @Test("the condition comes first: rows that it drops make no document")
  func condition() throws {
    let source =
      #""beatFlat":["l"],"condition":[[{"field":"s","logic":"eq","value":"1"},{"field":"l.q","logic":"gt","value":"1"}]]"#
    try expectSame(try flattened(source, #"{"s":1,"l":[{"q":1},{"q":2}]}"#), [#"{"s":1,"l_q":2}"#])
    #expect(try flattened(source, #"{"s":2,"l":[{"q":2}]}"#) == [])
  }

  @Test("what formatResponse makes of a row stands among the row's fields")
  func made() throws {
    let source =
      #""beatFlat":["l","l.s"],"formatResponse":[{"old":"l.d","new":"l.d_new","format":"date"},"#
      + #"{"old":"l.p","new":"p_new","format":"round(1)"},{"old":"l.s.e","new":"l.s.e_new","format":"date"}]"#
    try expectSame(
      try flattened(source, #"{"l":[{"d":"2024-01-29 10:00:00","p":"1.25","s":[{"e":"20240130"}]}]}"#),
      [
        #"{"l_d":"2024-01-29 10:00:00","l_p":"1.25","l_d_new":"2024-01-29","l_p_new":1.3,"l_s_e":"20240130","l_s_e_new":"2024-01-30"}"#
      ])
    let failures = try #require(throws: MappingFailures.self) { try flattened(source, #"{"l":[{"d":"soon"}]}"#) }
    #expect(failures.failures.map(\.sources) == [["l.d"]])
  }

  @Test("an order of too many rows, documents or bytes fails at once")
  func limits() throws {
    func told(_ rows: Int, _ head: String = "", _ target: String = "") throws -> String? {
      let order = "{\(head)\"l\":[\(Array(repeating: #"{"q":1}"#, count: rows).joined(separator: ","))]}"
      let source = try document(#""effect":"QUERY","beatFlat":["l"]"#)
      let mapped = try document(#""effect":"EXECUTE","request":[],\#(target)"op_bk":1"#, source: source)
      let root = try JSONDocument(Array(order.utf8), limits: .none).root
      do throws(MappingFailures) {
        _ = try mapped.selection(of: root)
        return nil
      } catch {
        #expect(error.failures.map(\.code) == [.valueInvalid])
        return error.failures.first?.sentence
      }
    }
    #expect(try told(1_000) == nil)
    #expect(try told(1_001) == "the order becomes more than 1000 documents")
    #expect(try told(20_001) == "the order has more than 20000 rows")
    let group = #""groupCalculate":{"headerGroup":["h"],"bodyName":"b"},"#
    #expect(try told(20_000, "", group) == nil)
    let single = #""groupCalculate":{"headerGroup":["h"],"bodyName":"b","bodyMaxLine":1},"#
    #expect(try told(1_001, "", single) == "groupCalculate makes more than 1000 documents of the order")
    let large = #""h":"\#(String(repeating: "x", count: 100_000))","#
    #expect(try told(900, large) == "the order's documents have more than 64 MiB together")
  }

  @Test(
    "what cannot be meant is told",
    arguments: [
      (#""beatFlat":5"#, ["beatFlat: must be a list of names of lists"]),
      (#""beatFlat":["a",""]"#, ["beatFlat: must be a list of names of lists"]),
      (#""operation":{"method":"splitArray"}"#, ["operation: splitArray needs «arrayKey», the name of a list"]),
      (
        #""operation":{"method":"splitArray","arrayKey":"l","arayKey":"l"}"#,
        ["operation.arayKey: the key is unknown; is «arrayKey» meant?"]
      ),
      (#""operation":{"method":"merge","field":"a"}"#, ["operation: merge stands in the target"]),
      (
        #""operation":{"method":"split"}"#,
        ["operation: needs a «method»; known are none, splitArray, merge, batchArraySave"]
      ),
      (#""operation":{"method":"splitarray"}"#, ["operation: needs a «method»; is «splitArray» meant?"]),
      (#""operation":true"#, ["operation: needs a «method»; known are none, splitArray, merge, batchArraySave"]),
      (#""beatflat":["l"]"#, ["beatflat: the key is unknown; is «beatFlat» meant?"]),
    ] as [(String, [String])])
  func problems(source: String, expected: [String]) {
    let found = #expect(throws: StrategyProblems.self) { try document(#""effect":"QUERY",\#(source)"#) }
    #expect(found?.problems.map { "\($0.path): \($0.sentence)" } == expected)
  }

  @Test("a source that lets orders come twice is told that they do not")
  func idCheck() throws {
    let found = try document(#""effect":"QUERY","idCheck":false"#).warnings
    #expect(found.map(\.path) == ["idCheck"])
    #expect(try document(#""effect":"QUERY","idCheck":true"#).warnings.isEmpty)
  }
}

extension JSONLimits {
  fileprivate static var none: JSONLimits {
    var limits = JSONLimits()
    limits.maxBytes = .max
    return limits
  }
}
