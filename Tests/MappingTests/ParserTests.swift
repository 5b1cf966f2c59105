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

  @Test("parsers in a list are applied in turn, each with its own params")
  func list() throws {
    let chain =
      #"[{"name":"StringToArray","params":";"},"ArrayUnique",{"name":"ConvertObjectsParser","params":"FNumber"}]"#
    #expect(try written("{x}", #"{"x":"a;b;a"}"#, chain) == #"{"X":[{"FNumber":"a"},{"FNumber":"b"}]}"#)
    #expect(problem("{x}", #""parser":["ArrayUnique",{}]"#) == "a parser has a «name»")
  }

  @Test(
    "a parser that is not told what it needs is refused with line and column, and a comma that is taken is warned of",
    arguments: [
      (#"{"name":"ConvertObjectParser"}"#, "needs «params», the name of a key", false),
      (#"{"name":"ConvertObjectParser","params":""}"#, "needs «params», the name of a key", false),
      (#"{"name":"ConvertObjectParser","params":{"key":"FNumber"}}"#, "needs «params», the name of a key", false),
      (#"{"name":"ConvertObjectsParser","params":[]}"#, "needs «params», the name of a key", false),
      (#"{"name":"K3WiseHeiHuCustomParser","params":null}"#, "needs «params», the name of a key", false),
      (#"{"name":"ConvertTwoStageObjectParser","params":"FKey,FNumber"}"#, "«params1», «params2»", false),
      (#"{"name":"ConvertTwoStageObjectParser","params":{"params1":"FKey"}}"#, "«params1», «params2»", false),
      (#"{"name":"workflowRequestTableFields","params":{"view":1}}"#, "«view», «edit», «fieldId»", false),
      (#"{"name":"StringToArray","params":{"separator":","}}"#, "are the separator, a text", false),
      (#"{"name":"ArrayToString","params":5}"#, "are the separator, a text", false),
      (#"{"name":"StringToArray"}"#, "a comma is taken", true),
      (#"{"name":"ArrayToString","params":""}"#, "a comma is taken", true),
      (#""StringToArray,ArrayUnique""#, "a comma is taken", true),
      (#"{"name":"ConvertJson","params":"FNumber"}"#, "has no use for «params»", true),
      (#"["StringToArray","ConvertJson"]"#, "the parser ConvertJson takes an object, and what it is given", false),
    ])
  func lacking(parser: String, sentence: String, isWarning: Bool) throws {
    let text =
      "{\"api\":\"/SO/Save\",\"ferry\":{\"key\":\"N\"},\"request\":[{\"field\":\"N\",\"value\":\"1\"},\n"
      + #"{"field":"X","value":"{x}","parser":\#(parser)}]}"#
    var found: [StrategyProblem] = []
    do throws(StrategyProblems) {
      found = try Strategy(name: "t", source: Array("{}".utf8), target: Array(text.utf8)).warnings
      #expect(isWarning)
    } catch {
      found = error.problems
      #expect(!isWarning)
    }
    #expect(found.map(\.path) == ["request.X.parser"])
    let first = try #require(found.first)
    #expect(first.sentence.contains(sentence), "\(first)")
    #expect(first.line == 2 && first.column ?? 0 >= 37, "\(first)")
  }

  @Test(
    "what a parser is not made for fails the field",
    arguments: [
      (#"{"name":"StringToArray","params":","}"#, #"{"a":1}"#, "a text for the parser StringToArray but is an object"),
      (
        #"{"name":"ArrayToString","params":","}"#, #"{"a":1}"#,
        "a list of texts for the parser ArrayToString but is an object"
      ),
      (
        #"{"name":"ArrayToString","params":","}"#, #"["a",["b"]]"#,
        "a list of texts for the parser ArrayToString but is a list"
      ),
      (#"{"name":"ArrayUnique"}"#, #""a""#, "a list for the parser ArrayUnique but is a text"),
      (#"{"name":"ConvertJson"}"#, #""a""#, "an object for the parser ConvertJson but is a text"),
      (#"{"name":"ConvertJson"}"#, #"["a"]"#, "an object for the parser ConvertJson but is a list"),
    ])
  func unfit(parser: String, value: String, sentence: String) throws {
    let found = try failure("{x}", #"{"x":\#(value)}"#, #""parser":\#(parser)"#)
    #expect(found.code == .valueInvalid)
    #expect(found.target == "X")
    #expect(found.sentence == "x should be \(sentence)")
  }

  @Test("a parser that can never take what children make is refused")
  func shapes() throws {
    let children = #""parser":{"name":"ArrayToString","params":","},"children":[\#(field("A", "1"))]"#
    let object = #"{"field":"O","type":"object",\#(children)}"#
    let found = #expect(throws: StrategyProblems.self) { try target(object) }
    #expect(found?.problems.map(\.path) == ["request.O.parser"])
    #expect(
      found?.problems.first?.sentence
        == "the parser ArrayToString takes a list of texts, and what it is given here is always an object")
    let list = #"{"field":"L","type":"array","value":"l",\#(children.replacing("ArrayToString", with: "ConvertJson"))}"#
    #expect(throws: StrategyProblems.self) { try target(list) }
    // Rows are objects, which have no text.
    let texts = #"{"field":"L","type":"array","value":"l",\#(children)}"#
    #expect(throws: MappingFailures.self) { try body(target(texts), #"{"l":[{}]}"#) }
  }

  @Test("an unknown parser, and one without a name, are told when the strategy is read")
  func unknown() throws {
    #expect(try #require(problem("{x}", #""parser":{"name":"Convert"}"#)).contains("the parser «Convert» is unknown"))
    for parser in [#"{"params":","}"#, "5", #"{"name":5}"#, #"{"name":"","params":","}"#] {
      #expect(problem("{x}", #""parser":\#(parser)"#) == "a parser has a «name»", "\(parser)")
    }
  }

  @Test(
    "what an editor leaves where there is no parser is none",
    arguments: [
      "null", "[]", "{}", #""""#, #"{"name":null}"#, #"{"name":"","params":""}"#, #"{"name":null,"params":[]}"#,
    ])
  func none(parser: String) throws {
    #expect(try written("{x}", #"{"x":"a"}"#, parser) == #"{"X":"a"}"#)
    // The type is made out of the children all the same.
    #expect(
      try body(target(#"{"field":"O","parser":\#(parser),"children":[\#(field("A", "1"))]}"#)) == #"{"O":{"A":"1"}}"#)
  }

  @Test("OKKI's empty object is nothing to a parser of one value, and a list to one of lists")
  func emptyStructures() throws {
    for name in ["ConvertObjectParser", "K3WiseHeiHuCustomParser"] {
      #expect(try written("{x}", #"{"x":[]}"#, #"{"name":"\#(name)","params":"FNumber"}"#) == "{}")
    }
    #expect(try written("{x}", #"{"x":[]}"#, #"{"name":"ConvertObjectsParser","params":"F"}"#) == #"{"X":[]}"#)
  }
}
