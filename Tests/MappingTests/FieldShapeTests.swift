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
}
