import Mapping
import Testing

@Suite("Problems of a strategy")
struct StrategyProblemTests {
  @Test(
    "is_required in quotes is refused: passed over, an empty value would go to K/3",
    arguments: [#""true""#, #""yes""#, "1"])
  func requiredInQuotes(value: String) {
    let found = problems(
      target: #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[{"field":"N","value":"1","is_required":\#(value)}]}"#)
    #expect(found.map(\.path) == ["request.N.is_required"])
  }

  @Test("every problem of both files is told at once, with file, path, line and column")
  func allAtOnce() {
    let source = """
      {
        "condition": [[{"field":"a"}]],
        "formatResponse": [
          {"old": "a"},
          {"old": "a", "new": "b", "format": "money"}
        ]
      }
      """
    let target = """
      {
        "api": "/SO/Delete",
        "ferry": {"key": "Page1.FNumber", "amount": {}, "amounts": {"order": "a", "tolerance": "-1"}},
        "request": [
          {"field": "Page1", "type": "array", "children": [
            {"field": "A", "value": "{{x"},
            {"field": "编号", "type": "money", "value": "1"}, {"value": "1"},
            {"field": "B", "value": "_function NOSUCH()", "ferry": {"decimal": 2, "missing": "gone", "decimals": 2.5}},
            {"field": "C", "value": "1", "parser": {"name": "ConvertObject"}},
            {"field": "D", "type": "object"}
          ]}
        ],
        "operation": {"method": "merge"}
      }
      """
    let lines = problems(source: source, target: target).map(\.description)
    #expect(
      lines == [
        "source.json:4:5: formatResponse[0]: needs «old» and «new»",
        "source.json:5:5: formatResponse[1]: the format is one of string, date, time, dateTime, shortDate, shortTime, "
          + "shortDateTime, dateDescription, longText(n), intval, round(n), amount, implode('sep')",
        "source.json:2:18: condition[0][0]: needs «field» and «logic»",
        "target.json:2:10: api: must be written /OBJECT/Save, such as /SO/Save",
        "target.json:3:47: ferry: «amount» is unknown; known are key, amounts, calendar, combined, decimals, "
          + "division, exclusive, follows, original, plausible, residual, stream, zone",
        "target.json:3:62: ferry.amounts: needs «order», «lines», «line» and a «tolerance» of 0 or more",
        "target.json:3:20: ferry.key: names no field of the request that has a value",
        "target.json:13:16: operation: merge needs «field», the field that it merges by",
        "target.json:13:16: operation: needs «bodyName», a name for the list of rows",
        "target.json:6:31: request.Page1.A: a placeholder is not closed",
        "target.json:7:31: request.Page1.编号: the type «money» is unknown",
        "target.json:7:55: request.Page1[2]: has no «field» of up to 200 bytes",
        "target.json:8:62: request.Page1.B.ferry: «decimal» is unknown; known are decimals, exact, minimum, missing, table, miss, default, optional, "
          + "division, original, row",
        "target.json:8:62: request.Page1.B.ferry: missing is one of order_malformed, customer_unmapped, lookup_failed, "
          + "material_missing, field_missing, division_by_zero, value_invalid, value_unmapped, amount_mismatch",
        "target.json:8:62: request.Page1.B.ferry: decimals is a whole number from 0 to 20, or one of price, quantity, amount",
        "target.json:8:31: request.Page1.B: the function «NOSUCH» is unknown, at character 2 of the expression",
        "target.json:9:46: request.Page1.C.parser: the parser «ConvertObject» is unknown; known are ArrayToString, "
          + "ArrayUnique, ConvertJson, ConvertObjectParser, ConvertObjectsParser, ConvertTwoStageObjectParser, "
          + "K3WiseHeiHuCustomParser, StringToArray, workflowRequestTableFields",
        "target.json:10:7: request.Page1.D: has no «children»",
      ])
  }

  @Test(
    "a file that is no JSON is told with line and column, and the other file is read all the same",
    arguments: [
      ("{\n  \"a\": 1,\n  \"编\" 2}", "3:7: is not JSON: a byte that cannot stand here"),
      ("", "1:1: is not JSON: the text ends too early"), ("{}\n\n{}", "3:1: is not JSON: text after the document"),
      ("{\"a\": 01}", "1:8: is not JSON: not a number by JSON's grammar"),
    ])
  func malformed(text: String, expected: String) {
    let target = #"{"api":"SO","request":[]}"#
    let found = problems(source: text, target: target).map(\.description)
    #expect(found.first == "source.json:" + expected)
    #expect(found.dropFirst().allSatisfy { $0.hasPrefix("target.json") } && found.count == 3)
    #expect(problems(source: "[]", target: text).map(\.file) == ["source.json", "target.json"])
  }

  @Test("a file may hold nothing but an object", arguments: ["[]", "1", "null", "\"x\""])
  func noObject(text: String) {
    let found = problems(source: text, target: text).map(\.description)
    #expect(found == ["source.json: must hold a JSON object", "target.json: must hold a JSON object"])
  }

  @Test(
    "the address of K/3 names one object and Save",
    arguments: ["", "SO/Save/x", "/SO", "/SO/save", "/S O/Save", "/订单/Save"])
  func address(api: String) {
    let target = #"{"api":"\#(api)","ferry":{"key":"N"},"request":[\#(field("N", "1"))]}"#
    #expect(problems(target: target).map(\.path) == ["api"])
  }

  @Test("without a request there is nothing to map")
  func noRequest() {
    #expect(problems(target: #"{"api":"/SO/Save"}"#).map(\.sentence) == ["has no «request»"])
    #expect(problems(target: #"{"api":"/SO/Save","request":{}}"#).map(\.path) == ["request"])
    #expect(problems(target: #"{"api":"/SO/Save","request":[]}"#).map(\.path) == ["ferry.key"])
  }

  @Test(
    "rules that contradict themselves or stand where they have no effect are refused",
    arguments: [
      (#""ferry":[]"#, "must be an object"), (#""ferry":{"miss":"keep"}"#, "miss and default need a table"),
      (#""ferry":{"default":"x"}"#, "miss and default need a table"),
      (#""ferry":{"table":{},"miss":"default"}"#, "miss is default, but there is no «default»"),
      (#""ferry":{"table":{},"miss":"never"}"#, "miss is fail, keep or default"),
      (#""ferry":{"table":[]}"#, "table is an object whose values are texts"),
      (#""ferry":{"table":{"a":{}}}"#, "table is an object whose values are texts"),
      (#""ferry":{"table":{},"default":[]}"#, "default is a text"),
      (#""ferry":{"decimals":21}"#, "decimals is a whole number from 0 to 20, or one of price, quantity, amount"),
      (#""ferry":{"decimals":"2"}"#, "decimals is a whole number from 0 to 20, or one of price, quantity, amount"),
      (#""ferry":{"decimals":-1}"#, "decimals is a whole number from 0 to 20, or one of price, quantity, amount"),
    ])
  func rules(rule: String, sentence: String) {
    #expect(problem("{x}", rule) == sentence)
  }

  @Test("an object and an array cannot be rounded or looked up", arguments: ["object", "array"])
  func rulesOfContainers(type: String) {
    let container = #"{"field":"O","type":"\#(type)","children":[],"ferry":{"decimals":2,"missing":"field_missing"}}"#
    let found = #expect(throws: StrategyProblems.self) { try strategy(container) }
    #expect(found?.problems.map(\.sentence) == ["«decimals» is only for fields with a value"])
  }

  @Test("values and types of the wrong kind are refused")
  func kinds() {
    for descriptor in [
      #"{"field":"X","value":[]}"#, #"{"field":"X","value":{}}"#, #"{"field":"X","type":5}"#, #"{"field":5}"#, "5",
      "[]",
      #"{"field":""}"#, #"{"field":"X","type":"object","children":{}}"#,
    ] {
      #expect(throws: StrategyProblems.self, "\(descriptor)") { try strategy(descriptor) }
    }
  }

  @Test("the source's formatResponse is a list; what takes orders apart says how, unless it is empty")
  func source() {
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[\#(field("N", "1"))]}"#
    for source in [#"{"formatResponse":{}}"#, #"{"beatFlat":[5]}"#, #"{"operation":{"method":"splitArray"}}"#] {
      #expect(problems(source: source, target: target).count == 1)
    }
    let harmless =
      #"{"condition":[],"condition_bk":[1],"beatFlat":null,"operation":{"method":"none"},"formatResponse":null}"#
    #expect(problems(source: harmless, target: target).isEmpty)
  }

  @Test(
    "amounts are checked for what they name",
    arguments: [#""additions":5"#, #""decimals":"2""#, #""tolerence":1"#, #""line":"""#])
  func amounts(change: String) {
    let amounts = #""amounts":{"order":"a","lines":"l","line":"b","tolerance":0,\#(change)}"#
    let target = #"{"api":"/SO/Save","ferry":{"key":"N",\#(amounts)},"request":[\#(field("N", "1"))]}"#
    #expect(problems(target: target).map(\.path) == ["ferry.amounts"])
  }
}
