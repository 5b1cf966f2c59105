import JSON
import Mapping
import Testing

@Suite("condition (§10)")
struct ConditionTests {
  /// `nil` when the order is refused, else its text.
  private func taken(_ condition: String, _ order: String) throws -> String? {
    let source = try document(#""effect":"QUERY","condition":\#(condition)"#)
    return switch source.selection(of: try parsed(order)) {
    case .refused: nil
    case .whole: order
    case .changed(let rest): String(decoding: rest[0].root.rawBytes, as: UTF8.self)
    }
  }

  private func takes(_ logic: String, _ value: String?, _ x: String?) throws -> Bool {
    let value = value.map { #","value":\#($0)"# } ?? ""
    let order = x.map { #"{"x":\#($0)}"# } ?? "{}"
    return try taken(#"[[{"field":"x","logic":"\#(logic)"\#(value)}]]"#, order) != nil
  }

  @Test(
    "every logic takes what it should and refuses the rest",
    arguments: [
      ("eq", #""816403""#, "816403", true), ("eq", #""816403""#, #""816403""#, true), ("eq", "5", "5.0", true),
      ("eq", "5", #""5.0""#, false), ("eq", #""007""#, #""7""#, false), ("EQ", #""a""#, #""a""#, true),
      ("eq", "true", "true", true), ("eq", #""a""#, #""A""#, false),
      ("eqv2", #""007""#, #""7""#, true), ("eqv2", "5", #"" 5.0 ""#, true), ("eqv2", #""a""#, #""b""#, false),
      ("neq", #""a""#, #""b""#, true), ("neq", #""a""#, #""a""#, false),
      ("gt", "9", "10", true), ("gt", "9", #""10""#, true), ("gt", "10", "10", false), ("egt", "10", "10", true),
      ("egt", "10", "9.99", false), ("lt", "10", #""9""#, true), ("lt", "9", "9", false), ("elt", "9", "9.0", true),
      ("elt", "9", "9.1", false), ("gt", #""2024-01-01""#, #""2024-01-01 00:00:01""#, true),
      ("lt", #""b""#, #""a""#, true),
      ("like", #""活动""#, #""双十一活动款""#, true), ("like", #""%SALE%""#, #""the sale""#, true),
      ("like", #""活动""#, #""日常""#, false), ("notlike", #""活动""#, #""日常""#, true),
      ("notlike", #""活动""#, #""活动""#, false), ("like", #""51""#, "512", true),
      ("between", #""100,500""#, "100", true), ("between", #""100,500""#, #""500""#, true),
      ("between", #""100,500""#, "500.01", false), ("between", #""100, 500""#, "99", false),
      ("egt", #""timestamp:1704067200""#, #""2024-01-01 08:00:00""#, true),
      ("egt", #""timestamp:1704067200""#, #""2024-01-01 07:59:59""#, false),
      ("lt", #""timestamp:1704067200""#, "1704067199", true), ("lt", #""timestamp:1704067200""#, #""soon""#, false),
      ("eq", #""timestamp:1704067200""#, #""2024-01-01 08:00:00""#, true),
      ("between", #""timestamp:1704067200,timestamp:1704067300""#, #""2024-01-01 08:01:00""#, true),
    ])
  func logics(logic: String, value: String, x: String, expected: Bool) throws {
    #expect(try takes(logic, value, x) == expected)
  }

  @Test("a missing field is null: neq, notlike and isnull take it, nothing else does")
  func missing() throws {
    for x in [nil, "null"] as [String?] {
      for (logic, value) in [
        ("eq", "1"), ("eqv2", "1"), ("gt", "1"), ("elt", "1"), ("like", "1"), ("between", #""1,2""#),
      ] {
        #expect(try !takes(logic, value, x), "\(logic)")
      }
      #expect(
        try takes("neq", "1", x) && takes("notlike", "1", x) && takes("isnull", nil, x) && !takes("notnull", nil, x))
    }
    #expect(try takes("notnull", nil, #""""#) && !takes("isnull", nil, "0"))
  }

  @Test("the outer list is OR, the inner one AND")
  func groups() throws {
    let condition = #"""
      [[{"field":"a","logic":"eq","value":"1"},{"field":"b.c","logic":"eq","value":"2"}],[{"field":"d","logic":"eq","value":"3"}]]
      """#
    for (order, expected) in [
      (#"{"a":1,"b":{"c":2}}"#, true), (#"{"a":1,"b":{"c":9}}"#, false), (#"{"d":3}"#, true),
      (#"{"a":1,"d":"3"}"#, true),
      ("{}", false), (#"{"a":1}"#, false),
    ] { #expect(try (taken(condition, order) != nil) == expected, "\(order)") }
  }

  static let items = #"{"no":1.50,"items":[{"name":"活动A","n":1},{"name":"B"},{"name":"活动C"}],"z":"é"}"#

  @Test("rows that fail are dropped and the rest stays byte for byte; strictMode refuses the order for one such row")
  func rows() throws {
    let rule = #""field":"items.name","logic":"like","value":"活动""#
    #expect(
      try taken("[[{\(rule)}]]", Self.items) == #"{"no":1.50,"items":[{"name":"活动A","n":1},{"name":"活动C"}],"z":"é"}"#)
    #expect(try taken(#"[[{\#(rule),"strictMode":true}]]"#, Self.items) == nil)
    #expect(try taken(#"[[{\#(rule),"strictMode":false}]]"#, Self.items) != nil)
    let all = #"{"items":[{"name":"活动"}]}"#
    #expect(try taken(#"[[{\#(rule),"strictMode":true}]]"#, all) == all)
    #expect(try taken("[[{\(rule)}]]", #"{"items":[{"name":"x"}]}"#) == #"{"items":[]}"#)
    for empty in [#"{"items":[]}"#] { #expect(try taken("[[{\(rule)}]]", empty) == empty) }
    // An object is no list: its field is the order's.
    #expect(try taken("[[{\(rule)}]]", #"{"items":{"name":"x"}}"#) == nil)
  }

  @Test("a row stays when any group that takes the order keeps it")
  func rowsOfGroups() throws {
    let (a, b) = (
      #"{"field":"items.name","logic":"eq","value":"活动A"}"#, #"{"field":"items.name","logic":"eq","value":"B"}"#
    )
    #expect(
      try taken("[[\(a)],[\(b)]]", Self.items) == #"{"no":1.50,"items":[{"name":"活动A","n":1},{"name":"B"}],"z":"é"}"#)
    #expect(try taken("[[\(a),\(b)]]", Self.items) == #"{"no":1.50,"items":[],"z":"é"}"#)
    let never = #"{"field":"no","logic":"eq","value":"2"}"#
    #expect(
      try taken("[[\(a)],[\(b),\(never)]]", Self.items) == #"{"no":1.50,"items":[{"name":"活动A","n":1}],"z":"é"}"#)
  }

  @Test("rows of a list in a row are dropped from their own list")
  func deepRows() throws {
    let order = #"{"o":{"l":[{"m":[{"q":1},{"q":2}]},{"m":[{"q":2}]},{"k":0}]}}"#
    #expect(
      try taken(#"[[{"field":"o.l.m.q","logic":"neq","value":"2"}]]"#, order)
        == #"{"o":{"l":[{"m":[{"q":1}]},{"m":[]},{"k":0}]}}"#)
  }

  @Test("without a condition every order is taken", arguments: ["[]", "null", "[[]]"])
  func none(condition: String) throws {
    #expect(try taken(condition, #"{"a":1}"#) == #"{"a":1}"#)
  }

  @Test("the bill's mapper says the same of an order")
  func mapper() throws {
    let source = #"{"condition":[[{"field":"l.a","logic":"gt","value":"1"},{"field":"s","logic":"eq","value":"x"}]]}"#
    let mapper = Mapper(try strategy(field("1"), source: source))
    guard case .refused = try mapper.selection(of: try parsed(#"{"s":"y"}"#)) else {
      Issue.record("taken")
      return
    }
    guard case .changed(let rest) = try mapper.selection(of: try parsed(#"{"s":"x","l":[{"a":1},{"a":2}]}"#)) else {
      Issue.record("not reduced")
      return
    }
    #expect(String(decoding: rest[0].root.rawBytes, as: UTF8.self) == #"{"s":"x","l":[{"a":2}]}"#)
  }

  @Test(
    "conditions that cannot be read are told",
    arguments: [
      ("{}", "must be a list of lists"), ("[{}]", "must be a list of comparisons"),
      (#"[[{"field":"a"}]]"#, "needs «field» and «logic»"), (#"[[{"logic":"eq"}]]"#, "needs «field» and «logic»"),
      (#"[[{"field":"a","logic":"is","value":"1"}]]"#, "the logic «is» is unknown; known are eq, eqv2, neq"),
      (#"[[{"field":"a","logic":"eq"}]]"#, "«eq» needs a «value»"),
      (#"[[{"field":"a","logic":"eq","value":[1]}]]"#, "«eq» needs a «value»"),
      (#"[[{"field":"a","logic":"between","value":"1"}]]"#, "«between» needs two values"),
      (#"[[{"field":"a","logic":"gt","value":"timestamp:now"}]]"#, "a time is written timestamp:SECONDS"),
    ])
  func malformed(condition: String, sentence: String) {
    let found = #expect(throws: StrategyProblems.self) { try taken(condition, "{}") }
    #expect(found?.problems.count == 1)
    #expect(found?.problems.first?.sentence.hasPrefix(sentence) == true, "\(String(describing: found))")
  }
}
