import JSON
import Mapping
import Testing

@Suite("Parsers (§7)")
struct ParserTests {
  private func written(_ value: String, _ order: String, _ parser: String, type: String = "string") throws -> String {
    try body(target(field("X", value, type: type, #""parser":\#(parser)"#)), order)
  }

  @Test(
    "each parser makes its form of the value",
    arguments: [
      (#"{"name":"ArrayToString","params":","}"#, #"["a",2,true]"#, #""a,2,true""#),
      (#"{"name":"ArrayToString","params":" | "}"#, #"["a","b"]"#, #""a | b""#),
      (#"{"name":"ArrayToString","params":","}"#, #""a""#, #""a""#),
      (#"{"name":"StringToArray","params":","}"#, #""a,b,,c""#, #"["a","b","","c"]"#),
      (#"{"name":"StringToArray","params":"--"}"#, #""a--b""#, #"["a","b"]"#),
      (#"{"name":"StringToArray","params":","}"#, #""""#, "[]"),
      (#"{"name":"StringToArray","params":","}"#, #"" ""#, "[]"), (#"{"name":"StringToArray"}"#, "null", "[]"),
      (#"{"name":"ConvertObjectParser","params":"FNumber"}"#, #""S01""#, #"{"FNumber":"S01"}"#),
      (#"{"name":"ConvertObjectsParser","params":"FNumber"}"#, #"["a","b"]"#, #"[{"FNumber":"a"},{"FNumber":"b"}]"#),
      (#"{"name":"ConvertObjectsParser","params":"FNumber"}"#, #""a""#, #"[{"FNumber":"a"}]"#),
      (
        #"{"name":"ConvertTwoStageObjectParser","params":{"params1":"FKey","params2":"FNumber"}}"#, #""v""#,
        #"{"FKey":{"FNumber":"v"}}"#
      ),
      (#"{"name":"ConvertJson"}"#, #"{"a":1,"b":"c"}"#, #"[{"Key":"a","Value":1},{"Key":"b","Value":"c"}]"#),
      (#"{"name":"K3WiseHeiHuCustomParser","params":"size"}"#, #""XL""#, #"[{"keyName":"size","keyValue":"XL"}]"#),
      (
        #"{"name":"workflowRequestTableFields","params":{"view":1,"edit":"0","fieldId":"7"}}"#, #""v""#,
        #"{"fieldName":"X","fieldValue":"v","view":1,"edit":"0","fieldId":"7"}"#
      ),
      (#""StringToArray,ArrayUnique""#, #""a,b,a""#, #"["a","b"]"#),
      (#"{"name":"ArrayUnique"}"#, "[1,2,1]", "[1,2]"),
    ])
  func forms(parser: String, value: String, expected: String) throws {
    #expect(try written("{x}", #"{"x":\#(value)}"#, parser) == #"{"X":\#(expected)}"#)
  }

  @Test("a field without a value is left out also with a parser", arguments: ["ConvertObjectParser", "ConvertJson"])
  func nothing(name: String) throws {
    #expect(try written("{x}", "{}", #"{"name":"\#(name)","params":"FNumber"}"#) == "{}")
  }

  @Test("the parser comes after type, rounding and table")
  func order() throws {
    let parser = #"{"name":"ConvertObjectParser","params":"V"}"#
    #expect(
      try written("_function 2/3", "{}", parser + #","ferry":{"decimals":2}"#, type: "float") == #"{"X":{"V":0.67}}"#)
    #expect(
      try written("{x}", #"{"x":"a"}"#, parser + #","ferry":{"table":{"a":"b"}}"#) == #"{"X":{"V":"b"}}"#)
  }

  @Test("an array or an object without children takes the parser's value; with children the parser takes theirs")
  func containers() throws {
    #expect(
      try written("{x}", #"{"x":"a,b"}"#, #"{"name":"StringToArray","params":","}"#, type: "array")
        == #"{"X":["a","b"]}"#)
    let object =
      #"{"field":"O","type":"object","parser":{"name":"ConvertJson"},"children":[\#(field("A", "1")),\#(field("B", "2"))]}"#
    #expect(try body(target(object)) == #"{"O":[{"Key":"A","Value":"1"},{"Key":"B","Value":"2"}]}"#)
  }

  @Test("a required field needs a value before its parser")
  func required() throws {
    let found = try failure(
      "{x}", "{}", #""is_required":true,"parser":{"name":"StringToArray"}"#)
    #expect(found.sentence == "x is empty")
  }

  @Test("an unknown parser, and one without a name, are told when the strategy is read")
  func unknown() throws {
    #expect(try #require(problem("{x}", #""parser":{"name":"Convert"}"#)).contains("the parser «Convert» is unknown"))
    for parser in [#"{}"#, #"{"params":","}"#, "5", #""""#, #"{"name":5}"#] {
      #expect(problem("{x}", #""parser":\#(parser)"#) == "a parser has a «name»", "\(parser)")
    }
  }
}
