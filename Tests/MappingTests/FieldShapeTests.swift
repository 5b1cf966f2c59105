import JSON
import Mapping
import Testing

@Suite("Fields whose shape the metadata leaves open")
struct FieldShapeTests {
  private func told(_ descriptors: String) throws -> [String] { try strategy(descriptors).warnings.map(\.sentence) }

  @Test("children make an object of a field without a type, and an array of one with a list; both are told")
  func children() throws {
    let child = field("FNumber", "{{no}}")
    for type in ["", #""type":"string","#] {
      let object = #"{"field":"O",\#(type)"children":[\#(child)]}"#
      #expect(try data(strategy(object), #"{"no":"A"}"#)["O"]?["FNumber"]?.text == "A")
      #expect(
        try told(object) == ["has children and is no object or array by its type; it is taken for an object"])
      let array = #"{"field":"P",\#(type)"value":"l","children":[\#(field("F", "{{l.q}}"))]}"#
      #expect(try data(strategy(array), #"{"l":[{"q":1},{"q":2}]}"#)["P"]?.count == 2)
      #expect(try told(array) == ["has children and is no object or array by its type; it is taken for an array"])
    }
    #expect(
      try told(#"{"field":"O","type":"int","value":"1","children":[\#(child)]}"#)
        == ["has children, which a int does not have"])
    #expect(
      try told(#"{"field":"O","type":"object","value":"{{no}}","children":[\#(child)]}"#)
        == ["the value of an object is not used; its children are"])
  }

  @Test("braces that open no placeholder stay text, and placeholders between them are filled in")
  func braces() throws {
    #expect(try headText(#"{"x":1}"#) == #"{"x":1}"#)
    #expect(try headText(#"{"x":"{{no}}"}"#, #"{"no":"A"}"#) == #"{"x":"A"}"#)
    #expect(try headText(#"{"x":{{no}}}"#, #"{"no":7}"#) == #"{"x":7}"#)
    #expect(try headText(#"{"x":{"y":{no}}}-{{{no}}"#, #"{"no":7}"#) == #"{"x":{"y":7}}-7"#)
    #expect(try headText("{{{no}}}", #"{"no":7}"#) == "7")
  }

  @Test(
    "a brace inside a name is refused, not taken for a part of it",
    arguments: ["{a:{{no}}}", "{no and {no}", "_function {a:{{no}}}+1"])
  func braceInName(value: String) throws {
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[{"field":"N","value":"1"},"# + field(value) + "]}"
    let found = try #require(problems(target: target).first)
    #expect(found.sentence.contains("a { stands inside the placeholder «{"))
    #expect(found.line == 1)
    #expect(found.column ?? 0 > 60)
  }

  @Test("a list may be called like a directive, and a directive is no list")
  func listNames() throws {
    for name in ["_files", "_f", "_functions", "_find"] {
      let rows = array("R", name, field("A", "{{\(name).a}}"))
      #expect(try data(strategy(rows), #"{"\#(name)":[{"a":1}]}"#)["R"]?[0]?["A"]?.text == "1", "\(name)")
    }
    for value in [
      "_function {{l}}", "_function{{l}}", "_findCollection find a from b where c=1", "_mongoQuery c findField=a",
    ] {
      #expect(
        problems(target: target(array("R", value, field("A", "1")))).map(\.sentence) == [
          "the value of an array is the name of a list"
        ], "\(value)")
    }
  }

  private func target(_ descriptors: String) -> String {
    #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[{"field":"N","value":"1"},\#(descriptors)]}"#
  }

  @Test("the children that an editor leaves at a text are no oddity, and a type that is no text is told once")
  func leftovers() throws {
    #expect(try told(#"{"field":"X","type":"string","value":"{{a}}","children":[]}"#).isEmpty)
    #expect(
      problems(target: target(#"{"field":"X","type":5,"value":"1"}"#)).map(\.sentence) == ["the type is not a text"])
  }
}
