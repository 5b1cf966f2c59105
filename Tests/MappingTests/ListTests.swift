import JSON
import Mapping
import Orders
import Testing

@Suite("Lists")
struct ListTests {
  static let order = #"{"no":"H","lines":[{"a":1,"lines_b":"x"},{"a":"2","lines_b":"y"}]}"#

  @Test(
    "a row's field is found with and without the repeated list name",
    arguments: [
      ("{{lines.a}}", ["1", "2"]), ("{{lines.lines_a}}", ["1", "2"]), ("{{lines.lines_b}}", ["x", "y"]),
      ("{{lines.b}}", ["x", "y"]), ("{lines.a}", ["1", "2"]), ("{{lines.lines_lines_a}}", ["–", "–"]),
    ])
  func prefix(value: String, expected: [String]) throws {
    #expect(try rows(value, Self.order) == expected)
  }

  @Test("the literal name comes first, whatever the other spelling holds")
  func literalFirst() throws {
    let order = #"{"lines":[{"a":"plain","lines_a":"prefixed"},{"lines_a":"prefixed"},{"a":"plain"}]}"#
    #expect(try rows("{{lines.a}}", order) == ["plain", "prefixed", "plain"])
    #expect(try rows("{{lines.lines_a}}", order) == ["prefixed", "prefixed", "plain"])
  }

  @Test("a name without the list reads the order, also inside its rows")
  func headInsideRows() throws {
    #expect(try rows("{{no}}-{{lines.a}}", Self.order) == ["H-1", "H-2"])
    #expect(try rows("{{a}}", Self.order) == ["–", "–"])
    #expect(try rows("_function {{lines.a}}*{f}", #"{"f":"3","lines":[{"a":1},{"a":2}]}"#) == ["3", "6"])
    #expect(try rows("{{other.x}}", #"{"other":[{"x":"first"}],"lines":[{"x":"row"}]}"#) == ["first"])
  }

  @Test("a misspelt list reads nothing")
  func misspelt() throws {
    #expect(try rows("{{line.a}}", Self.order) == ["–", "–"])
  }

  @Test(
    "a list may be missing, null, empty or an object",
    arguments: [
      ("{}", []), (#"{"lines":null}"#, []), (#"{"lines":[]}"#, []), (#"{"lines":""}"#, []),
      (#"{"lines":{"a":"only"}}"#, ["only"]), (#"{"lines":{}}"#, ["–"]),
    ])
  func kinds(order: String, expected: [String]) throws {
    #expect(try rows("{{lines.a}}", order) == expected)
  }

  @Test(
    "what is no list, and a row that is none, fail instead of being passed over",
    arguments: [
      (#"{"lines":"text"}"#, ["Rows: lines should be a list but is a string"]),
      (#"{"lines":5}"#, ["Rows: lines should be a list but is a number"]),
      (
        #"{"lines":[{"a":1},null,7,"a",[]]}"#,
        [
          "Rows[1]: a row of lines is nothing", "Rows[2]: a row of lines is no object but a number",
          "Rows[3]: a row of lines is no object but a string", "Rows[4]: a row of lines is no object but a array",
        ]
      ),
    ])
  func strays(order: String, expected: [String]) throws {
    let array = #"{"field":"Rows","type":"array","value":"lines","children":[\#(field("{{lines.a}}"))]}"#
    let found = try failures(strategy(array), order)
    #expect(found.map(\.description) == expected)
    #expect(found.allSatisfy { $0.code == .valueInvalid })
  }

  @Test("a required list without rows fails with its name")
  func requiredList() throws {
    let array =
      #"{"field":"Rows","type":"array","value":"lines","is_required":true,"children":[\#(field("{{lines.a}}"))]}"#
    for order in ["{}", #"{"lines":[]}"#, #"{"lines":""}"#] {
      let found = try failures(strategy(array), order)
      let remedy = "Give lines a row in OKKI; where it has some, see which rows the strategy's «condition» drops."
      #expect(
        found == [
          MappingFailure(.fieldMissing, target: "Rows", sources: ["lines"], "lines has no rows", remedy: remedy)
        ])
    }
  }

  @Test(
    "an array without a list is one element made from the order itself",
    arguments: ["", #""value":"""#, #""value":null"#])
  func withoutList(list: String) throws {
    let list = list.isEmpty ? #""label":"x""# : list
    #expect(try rows("{{no}}", Self.order, list: list) == ["H"])
  }

  @Test("the list's name may stand in braces", arguments: ["{{lines}}", "{lines}", " lines "])
  func listInBraces(name: String) throws {
    #expect(try rows("{{lines.a}}", Self.order, list: #""value":"\#(name)""#) == ["1", "2"])
  }

  @Test(
    "an array's value that is no name of a list is told when the strategy is read",
    arguments: [
      "\"_function 1+1\"", "\"{{a}}{{b}}\"", "\"{{a|date}}\"", "5", "true", "\".\"",
      "\"_findCollection find a from b where c=1\"",
    ])
  func noList(value: String) throws {
    let array = #"{"field":"Rows","type":"array","value":\#(value),"children":[]}"#
    #expect(throws: StrategyProblems.self) { try strategy(array) }
  }

  @Test("a list may lie inside an object, and inside the rows of another list")
  func nested() throws {
    #expect(
      try rows("{{a.lines.x}}", #"{"a":{"lines":[{"x":1},{"x":2}]}}"#, list: #""value":"a.lines""#) == ["1", "2"])
    let inner =
      #"{"field":"Inner","type":"array","value":"lines.batches","children":["#
      + field("{{lines.batches.q}}/{{batches.q}}/{{lines.a}}/{{no}}") + "]}"
    let outer = #"{"field":"Outer","type":"array","value":"lines","children":[\#(inner)]}"#
    let order = #"{"no":"H","lines":[{"a":1,"batches":[{"q":10},{"q":11}]},{"a":2,"batches":{"q":20}},{"a":3}]}"#
    let found = try #require(try data(strategy(outer), order)["Outer"])
    let texts = found.elements.map { row in row["Inner"].map { $0.elements.map { $0["X"]?.string } } }
    #expect(texts == [["10/10/1/H", "11/11/1/H"], ["20/20/2/H"], []])
  }

  @Test("each row is mapped by itself: many rows give what each alone gives, and one question each")
  func rowsAreIndependent() throws {
    let children = [
      field("A", "_function {{lines.a}}/3"), field("B", "{{no}}{{lines.b}}"),
      field("C", "_findCollection find f from c where k={{lines.a}}", #""ferry":{"optional":true}"#),
    ].joined(separator: ",")
    let array = try strategy(#"{"field":"Rows","type":"array","value":"lines","children":[\#(children)]}"#)
    let lines = (1...300).map { #"{"a":\#($0),"b":"b\#($0)"}"# }
    let all = #"{"no":"H","lines":[\#(lines.joined(separator: ","))]}"#
    let together = try #require(try data(array, all)["Rows"]).elements.map { Array($0.rawBytes) }
    let alone = try lines.map { line in
      try #require(try data(array, #"{"no":"H","lines":[\#(line)]}"#)["Rows"]?[0]).rawBytes
    }
    #expect(together == alone.map { Array($0) })
    #expect(try Mapper(array).lookups(of: parsed(all)).count == lines.count)
  }
}
