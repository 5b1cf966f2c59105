import JSON
import Testing

@Suite("JSON structures")
struct StructureTests {
  static let accepted = [
    Accepted("an empty array", "[]", "[]"),
    Accepted("an empty object", "{}", "{}"),
    Accepted("arrays in arrays", "[[],[[]],[1]]", "[[] [[]] [#1]]"),
    Accepted("objects in objects", #"{"a":{"b":{}},"c":{}}"#, "{a:{b:{}} c:{}}"),
    Accepted("an empty key", #"{"":0}"#, "{:#0}"),
    Accepted("a number alone", "42", "#42"),
    Accepted("a negative number alone", "-0.1", "#-0.1"),
    Accepted("a string alone", #""alone""#, "'alone'"),
    Accepted("true alone", "true", "true"),
    Accepted("false alone", "false", "false"),
    Accepted("null alone", "null", "null"),
    Accepted("all kinds in one array", #"[null,true,false,0,"",[],{}]"#, "[null true false #0 '' [] {}]"),
    Accepted("every kind of space in every place", " \t\r\n[ \n1\t,\r{ \"a\" : 2 } ] \n", "[#1 {a:#2}]"),
    Accepted("space in empty brackets", "[ ]", "[]"),
    Accepted("space in empty braces", "{\n}", "{}"),
    Accepted("a container after a container", "[{},[],{}]", "[{} [] {}]"),
    Accepted("a repeated key, both members kept", #"{"a":1,"a":2}"#, "{a:#1 a:#2}"),
    Accepted("a repeated member", #"{"a":1,"a":1}"#, "{a:#1 a:#1}"),
    Accepted("a newline after the document", "[1]\n", "[#1]"),
  ]

  static let refused = [
    Refused("nothing", "", .unexpectedEnd, at: 0),
    Refused("only space", " \n", .unexpectedEnd, at: 2),
    Refused("a bracket that never closes", "[", .unexpectedEnd, at: 1),
    Refused("a brace that never closes", "{", .unexpectedEnd, at: 1),
    Refused("as many brackets as may nest, all open", String(repeating: "[", count: 64), .unexpectedEnd, at: 64),
    Refused("an array that ends after its value", "[1", .unexpectedEnd, at: 2),
    Refused("an array that ends after its comma", "[1,", .unexpectedEnd, at: 3),
    Refused("an object that ends after its key", #"{"a""#, .unexpectedEnd, at: 4),
    Refused("an object that ends after its colon", #"{"a":"#, .unexpectedEnd, at: 5),
    Refused("an object that ends after its value", #"{"a":1"#, .unexpectedEnd, at: 6),
    Refused("an object that ends after its comma", #"{"a":1,"#, .unexpectedEnd, at: 7),
    Refused("a comma at the end of an array", "[1,]", .unexpectedByte, at: 3),
    Refused("a comma at the end of an object", #"{"a":1,}"#, .unexpectedByte, at: 7),
    Refused("only a comma in an array", "[,]", .unexpectedByte, at: 1),
    Refused("only a comma in an object", "{,}", .unexpectedByte, at: 1),
    Refused("two commas", "[1,,2]", .unexpectedByte, at: 3),
    Refused("a comma first", "[,1]", .unexpectedByte, at: 1),
    Refused("no comma between elements", "[1 2]", .unexpectedByte, at: 3),
    Refused("no comma between strings", #"["a""b"]"#, .unexpectedByte, at: 4),
    Refused("no comma between members", #"{"a":1 "b":2}"#, .unexpectedByte, at: 7),
    Refused("a colon between elements", "[1:2]", .unexpectedByte, at: 2),
    Refused("a semicolon between elements", "[1;2]", .unexpectedByte, at: 2),
    Refused("no colon", #"{"a" 1}"#, .unexpectedByte, at: 5),
    Refused("two colons", #"{"a"::1}"#, .unexpectedByte, at: 5),
    Refused("a comma for a colon", #"{"a",1}"#, .unexpectedByte, at: 4),
    Refused("an equals sign for a colon", #"{"a"=1}"#, .unexpectedByte, at: 4),
    Refused("no value", #"{"a":}"#, .unexpectedByte, at: 5),
    Refused("no key", "{:1}", .unexpectedByte, at: 1),
    Refused("a bare key", "{a:1}", .unexpectedByte, at: 1),
    Refused("a number as a key", "{1:1}", .unexpectedByte, at: 1),
    Refused("a word as a key", "{null:1}", .unexpectedByte, at: 1),
    Refused("an array as a key", "{[]:1}", .unexpectedByte, at: 1),
    Refused("a key in single quotes", "{'a':1}", .unexpectedByte, at: 1),
    Refused("an array closed by a brace", "[1}", .unexpectedByte, at: 2),
    Refused("an object closed by a bracket", #"{"a":1]"#, .unexpectedByte, at: 6),
    Refused("an empty array closed by a brace", "[}", .unexpectedByte, at: 1),
    Refused("an empty object closed by a bracket", "{]", .unexpectedByte, at: 1),
    Refused("a closing bracket alone", "]", .unexpectedByte, at: 0),
    Refused("a closing brace alone", "}", .unexpectedByte, at: 0),
    Refused("a comma alone", ",", .unexpectedByte, at: 0),
    Refused("a bracket too many", "[1]]", .trailingText, at: 3),
    Refused("a brace too many", "{}}", .trailingText, at: 2),
    Refused("two documents", "{} {}", .trailingText, at: 3),
    Refused("a comma after the document", "[1],", .trailingText, at: 3),
    Refused("text after a string", #""a"x"#, .trailingText, at: 3),
    Refused("a hash comment after the document", "{} # note", .trailingText, at: 3),
    Refused("a comment in an array", "[/* note */1]", .unexpectedByte, at: 1),
    Refused("a comment line before the document", "// note\n[]", .unexpectedByte, at: 0),
    Refused("a comment after the document", "{}/**/", .trailingText, at: 2),
    Refused("a word cut short", "[tru]", .unexpectedByte, at: 4),
    Refused("a word that ends the text", "nul", .unexpectedEnd, at: 3),
    Refused("a word with one letter wrong", "[nil]", .unexpectedByte, at: 2),
    Refused("a word in capitals", "[True]", .unexpectedByte, at: 1),
    Refused("a word with a letter too many", "[truee]", .unexpectedByte, at: 5),
    Refused("a word after a document", "truefalse", .trailingText, at: 4),
    Refused("a word unknown to JSON", "undefined", .unexpectedByte, at: 0),
    Refused("a bare word", "[a]", .unexpectedByte, at: 1),
    Refused("a form feed as space", "[\u{0C}1]", .unexpectedByte, at: 1),
    Refused("a vertical tab as space", "[\u{0B}1]", .unexpectedByte, at: 1),
    Refused("a no-break space as space", "[\u{A0}1]", .unexpectedByte, at: 1),
    Refused("a word joiner as space", "\u{2060}[]", .unexpectedByte, at: 0),
    Refused("a NUL after the document", "[1]\u{0}", .trailingText, at: 3),
    Refused("a NUL in the document", "[1\u{0}]", .unexpectedByte, at: 2),
    Refused("a backslash outside a string", #"[\n]"#, .unexpectedByte, at: 1),
    Refused("an escaped quote outside a string", #"[\"a"]"#, .unexpectedByte, at: 1),
    Refused("XML", "<a/>", .unexpectedByte, at: 0),
    Refused("an HTML page from a proxy", "<html><body>502</body></html>", .unexpectedByte, at: 0),
  ]

  @Test("a well-formed structure is read as it stands", arguments: accepted)
  func accepts(_ text: Accepted) throws {
    #expect(shape(try JSONDocument(text.bytes).root) == text.shape)
  }

  @Test("a malformed structure is refused with its kind and place", arguments: refused)
  func refuses(_ text: Refused) {
    #expect(refusal(text.bytes) == text.error)
  }

  @Test("an error tells kind and place and nothing of the text")
  func describes() throws {
    let error = try #require(refusal(Array(#"{"secret":hunter2}"#.utf8)))
    #expect(error.description == "not acceptable JSON: a byte that cannot stand here (byte 10)")
  }
}
