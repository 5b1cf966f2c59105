import Mapping
import Testing

/// Names that a source's own keys use: a misspelt one would switch off what it is written for.
@Suite("Names of fields in a source's own keys")
struct SourceNameTests {
  private static let response = """
    "response": [
      {"field": "order_id"}, {"field": "order_no"}, {"field": "archive_type"}, {"field": "extend.kind"},
      {"field": "product_list", "type": "array", "children": [
        {"field": "product_no"}, {"field": "count"},
        {"field": "parts", "type": "array", "children": [{"field": "no"}]}]},
      {"field": "notes", "type": "array"}]
    """

  /// What is told of a source, with line and column where `places`: errors, then warnings, which begin with `~`.
  private func told(_ keys: String, response: String = response, rules: String = "", places: Bool = false) -> [String] {
    func shown(_ problem: StrategyProblem) -> String {
      let place = places ? "\(problem.line ?? 0):\(problem.column ?? 0) " : ""
      return "\(place)\(problem.path): \(problem.sentence)"
    }
    let source = "{\(response.isEmpty ? "" : response + ",")\n\(keys)}"
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"\#(rules)},"request":[{"field":"N","value":"no-1"}]}"#
    do throws(StrategyProblems) {
      return try Strategy(name: "test", source: Array(source.utf8), target: Array(target.utf8))
        .warnings.map { "~" + shown($0) }
    } catch { return error.problems.map(shown) + error.warnings.map { "~" + shown($0) } }
  }

  private func condition(_ rule: String) -> String { #""condition":[[{\#(rule)}]]"# }

  private func lack(_ name: String) -> String { "source.json's response declares no field «\(name)»" }

  @Test("a condition's field that is not declared is told with its place and the nearest one")
  func conditions() {
    #expect(
      told(condition(#""field":"archive_typ","logic":"neq","value":"4""#), places: true)
        == ["~7:24 condition[0][0]: \(lack("archive_typ")); is «archive_type» meant?"])
    // A condition reads keys as they are: not as flattening will make them, nor with their list's name.
    for name in ["product_list_count", "product_list.product_list_count", "weather"] {
      let found = told(condition(#""field":"\#(name)","logic":"notnull""#))
      #expect(found == ["~condition[0][0]: \(lack(name))"])
    }
    for name in ["archive_type", "product_list.count", "extend.kind", "notes.anything", "product_list"] {
      #expect(told(condition(#""field":"\#(name)","logic":"notnull""#)).isEmpty, "\(name)")
    }
    #expect(told(condition(#""field":"archive_typ","logic":"notnull""#), response: "").isEmpty)
  }

  @Test("a condition never sees what formatResponse makes, and says so")
  func madeFields() {
    let formats =
      #""formatResponse":[{"old":"order_id","new":"new_id","format":"string"},"#
      + #"{"old":"order_no","new":"order_no","format":"string"},"#
      + #"{"old":"product_list.count","new":"whole","format":"intval"}],"#
    for (name, own) in [
      ("new_id", "order_id"), ("whole", "product_list.count"), ("product_list.whole", "product_list.count"),
    ] {
      for response in [Self.response, ""] {
        #expect(
          told(formats + condition(#""field":"\#(name)","logic":"neq","value":"1""#), response: response) == [
            "condition[0][0]: formatResponse makes «\(name)» after the condition, which never sees it; "
              + "compare «\(own)» itself"
          ])
      }
    }
    #expect(told(formats + condition(#""field":"order_no","logic":"notnull""#)).isEmpty)
    #expect(told(formats + condition(#""field":"order_no","logic":"notnull""#), response: "").isEmpty)
  }

  @Test(
    "keys of a comparison that are misspelt are refused, others are warned of",
    arguments: [
      (#""field":"order_no","logic":"eq","value":"1","strictmode":true"#, ["strictmode: is «strictMode»"]),
      (#""field":"order_no","logic":"eq","value":"1","valeu":"2""#, ["valeu: is «value»"]),
      // Not also: «eq» needs a value.
      (#""field":"order_no","logic":"eq","vale":"1""#, ["vale: is «value»"]),
      (#""feild":"order_no","logic":"eq","value":"1""#, ["feild: is «field»"]),
      (#""field":"order_no","lojic":"eq","value":"1""#, ["lojic: is «logic»"]),
    ])
  func keys(rule: String, expected: [String]) {
    let found = told(condition(rule)).map {
      $0.replacing("condition[0][0].", with: "").replacing("the key is unknown; ", with: "").replacing(
        " meant?", with: "")
    }
    #expect(found == expected)
  }

  @Test("other keys of a comparison have no effect, and strictMode is a truth value")
  func otherKeys() {
    let rule = #""field":"order_no","logic":"eq","value":"1","#
    #expect(told(condition(rule + #""colour":1"#)) == ["~condition[0][0].colour: the key is unknown and has no effect"])
    #expect(told(condition(rule + #""strictMode":"yes""#)) == ["condition[0][0]: strictMode is true or false"])
    for value in ["true", #""1""#, "0", #""false""#, "null"] {
      #expect(told(condition(rule + #""strictMode":\#(value),"value_bk":2"#)).isEmpty, "\(value)")
    }
  }

  @Test("a condition's value with a placeholder or a directive is compared as it stands, and says so")
  func literalValues() {
    let sentence = "~condition[0][0]: a condition's value is compared as it stands: nothing is filled in or worked out"
    for value in ["{{LAST_SYNC_TIME|datetime}}", "a{order_no}", "_function 1+1"] {
      #expect(told(condition(#""field":"order_no","logic":"egt","value":"\#(value)""#)) == [sentence])
    }
    for value in ["活动", "a{", "}{", "_x"] {
      #expect(told(condition(#""field":"order_no","logic":"like","value":"\#(value)""#)).isEmpty, "\(value)")
    }
  }

  @Test("between takes nothing when its first value is the greater one, and says so")
  func reversed() {
    let sentence = "~condition[0][0]: the first value is greater than the last, so that nothing lies between them"
    for value in ["500,100", "2024-02-01,2024-01-31", "b,a", "10,9.5", "timestamp:20,timestamp:10"] {
      #expect(told(condition(#""field":"order_no","logic":"between","value":"\#(value)""#)) == [sentence], "\(value)")
    }
    for value in ["100,500", "9,10", "1,1", "2024-01-31,2024-02-01", "timestamp:10,20", "timestamp:9,timestamp:10"] {
      #expect(told(condition(#""field":"order_no","logic":"between","value":"\#(value)""#)).isEmpty, "\(value)")
    }
  }

  @Test("of a group whose only comparison is wrong nothing more is told than that")
  func wrongGroup() {
    #expect(told(condition(#""logic":"eq","value":"1""#)) == ["condition[0][0]: needs «field» and «logic»"])
    #expect(
      told(#""condition":[[],[{"field":"order_no","logic":"notnull"}]]"#)
        == ["~condition[0]: the group is empty and passed over"])
  }

  @Test(
    "a list that beatFlat names is looked for as flattening looks for it",
    arguments: [
      (#"["product_lits"]"#, ["7:13 beatFlat: product_lits product_list"]),
      (#""product_lits""#, ["7:12 beatFlat: product_lits product_list"]),
      (#"["product_list","prats"]"#, ["7:28 beatFlat: prats product_list.parts"]),
      // In its rows, which are not flattened.
      (#"["parts"]"#, ["7:13 beatFlat: parts product_list.parts"]),
      (#"["weather"]"#, ["~7:13 beatFlat: weather "]),
      (#"["product_list"]"#, []), (#"["product_list.parts"]"#, []), (#"["parts","product_list"]"#, []),
      (#"["product_list","product_list_parts"]"#, []), (#"["notes","anything"]"#, []), (#"["notes.any"]"#, []),
    ] as [(String, [String])])
  func flattened(names: String, expected: [String]) {
    let found = told(#""beatFlat":\#(names)"#, places: true).map {
      $0.replacing("source.json's response declares no field «", with: "").replacing("»; is «", with: " ")
        .replacing("» meant? If not, declare it", with: "").replacing(/»$/, with: " ")
    }
    #expect(found == expected)
    #expect(told(#""beatFlat":\#(names)"#, response: "").isEmpty)
  }

  @Test("the list of splitArray, the fields of formatResponse, and id and number are looked for")
  func others() {
    #expect(
      told(#""operation":{"method":"splitArray","arrayKey":"product_lits"}"#, places: true) == [
        "7:47 operation.arrayKey: \(lack("product_lits")); is «product_list» meant? If not, declare it"
      ])
    #expect(
      told(#""formatResponse":[{"old":"oder_no","new":"x","format":"string"},{"old":"x","new":"y","format":"date"}]"#)
        == [
          "~formatResponse[1]: «x» is made by an earlier rule; rules read the order's own fields only",
          "~formatResponse[0].old: \(lack("oder_no")); is «order_no» meant?",
        ])
    // As placeholders read them: with and without the list's name.
    for name in ["product_list.product_no", "product_list.product_list_count", "product_list.no"] {
      let format = #""formatResponse":[{"old":"\#(name)","new":"x","format":"string"}]"#
      #expect(told(format) == (name.hasSuffix(".no") ? ["~formatResponse[0].old: \(lack(name))"] : []))
    }
    #expect(
      told(#""id":"ordr_id","number":"order_n""#, places: true) == [
        "~7:6 id: \(lack("ordr_id")); is «order_id» meant?", "~7:25 number: \(lack("order_n")); is «order_no» meant?",
      ])
    #expect(told(#""id":"order_id","number":"{{data.no}}""#).isEmpty)
  }

  @Test("the list of combined products must be declared; a cost line's fields are looked for in it")
  func rules() {
    func combined(_ list: String) -> [String] {
      told("\"id\":null", rules: #","combined":{"list":"\#(list)","send":"parents"}"#)
    }
    #expect(
      combined("product_lst")
        == ["ferry.combined.list: \(lack("product_lst")); is «product_list» meant? If not, declare it"])
    #expect(combined("weather") == ["ferry.combined.list: \(lack("weather")); declare it"])
    #expect(combined("product_list").isEmpty)
    func costs(_ line: String) -> [String] {
      told(
        "\"id\":null",
        rules: #","amounts":{"order":"order_no","lines":"product_list","line":"count","additions":"order_id","#
          + #""tolerance":0,"costs":{"line":{\#(line)}}}"#)
    }
    #expect(
      costs(#""prodct_no":"SVC""#) == [
        "ferry.amounts.costs: \(lack("product_list.prodct_no")); is «product_list.product_no» meant? If not, declare it"
      ])
    #expect(costs(#""weather":"SVC""#) == ["~ferry.amounts.costs: \(lack("product_list.weather"))"])
    #expect(costs(#""product_no":"SVC","product_list_count":1"#).isEmpty)
  }
}
