import JSON
import Testing

@Suite("values of a JSON document")
struct ValueTests {
  @Test("members keep the order of the text")
  func order() throws {
    let keys = (0..<200).map { "key\($0 * 7919 % 1000)" }
    let text = "{" + keys.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
    #expect(try parse(text).members.map(\.key) == keys)
  }

  @Test("of a repeated key the last value counts, and all are listed")
  func repeatedKeys() throws {
    let value = try parse(#"{"a":1,"b":2,"a":{"x":[]},"\u0061":3}"#)
    #expect(value["a"]?.int64 == 3)
    #expect(value["b"]?.int64 == 2)
    #expect(value.count == 4)
    #expect(value.members.map(\.key) == ["a", "b", "a", "a"])
  }

  @Test("a key is found by its bytes, escaped or not, and not by what looks alike")
  func keys() throws {
    let value = try parse("{\"\":0,\"é\":1,\"\\u00e8\":2,\"a\\\"b\":3,\"客户\":4,\"\\ud83d\\ude00\":5}")
    #expect(value[""]?.int64 == 0)
    #expect(value["é"]?.int64 == 1)
    #expect(value["e\u{301}"] == nil)
    #expect(value["è"]?.int64 == 2)
    #expect(value["a\"b"]?.int64 == 3)
    #expect(value["客户"]?.int64 == 4)
    #expect(value["😀"]?.int64 == 5)
    #expect(value["客"] == nil)
    #expect(value["\\u00e8"] == nil)
  }

  @Test("a value that starts like another key's is not taken for a key")
  func valuesAreNoKeys() throws {
    let value = try parse(#"{"a":"b","c":{"b":1},"d":["b",2],"b":3}"#)
    #expect(value["b"]?.int64 == 3)
    #expect(try parse(#"{"a":"b"}"#)["b"] == nil)
    #expect(try parse(#"{"a":{"b":1}}"#)["b"] == nil)
  }

  @Test("elements are reached by position, and beyond the end there is nothing")
  func positions() throws {
    let value = try parse(#"[[1,[2]],{"a":[3]},"x",4]"#)
    #expect(value.count == 4)
    #expect(value[0].map(shape) == "[#1 [#2]]")
    #expect(value[1]?["a"]?[0]?.int64 == 3)
    #expect(value[2]?.string == "x")
    #expect(value[3]?.int64 == 4)
    #expect(value[4] == nil)
    #expect(value[-1] == nil)
  }

  @Test(
    "asking a value for what it is not gives nothing",
    arguments: ["null", "true", "1", #""a""#, "[1]", #"{"a":1}"#])
  func mismatches(_ text: String) throws {
    let value = try parse(text)
    #expect((value.string != nil) == (value.kind == .string))
    #expect((value.numberText != nil) == (value.kind == .number))
    #expect((value.decimal != nil) == (value.kind == .number))
    #expect((value.bool != nil) == (value.kind == .bool))
    #expect((value.text != nil) == (value.kind == .number || value.kind == .string))
    #expect(value.isNull == (value.kind == .null))
    #expect((value["a"] != nil) == (value.kind == .object))
    #expect((value[0] != nil) == (value.kind == .array))
    #expect(Array(value.elements).count == (value.kind == .array ? 1 : 0))
    #expect(Array(value.members).count == (value.kind == .object ? 1 : 0))
    #expect(value.count == (value.kind == .array || value.kind == .object ? 1 : 0))
  }

  @Test("an id is read alike from a number and from a string")
  func dirtyTypes() throws {
    let value = try parse(#"{"a":11858712,"b":"11858712","c":null,"d":true}"#)
    #expect(value["a"]?.text == "11858712")
    #expect(value["b"]?.text == "11858712")
    #expect(value["c"]?.text == nil)
    #expect(value["d"]?.text == nil)
  }

  @Test("raw bytes are the value exactly as it stood, without the space around it")
  func rawBytes() throws {
    let text = "  { \"a\" :  [ 1.50 , \"\\u4e2d\\n\" , { } ] ,\t\"b\":-0e0 , \"c\" : null }\n"
    let value = try parse(text)
    let raw = { (value: JSONValue?) in value.map { String(decoding: $0.rawBytes, as: UTF8.self) } }
    #expect(raw(value) == text.trimmingPrefix("  ").dropLast().description)
    #expect(raw(value["a"]) == "[ 1.50 , \"\\u4e2d\\n\" , { } ]")
    #expect(raw(value["a"]?[0]) == "1.50")
    #expect(raw(value["a"]?[1]) == "\"\\u4e2d\\n\"")
    #expect(raw(value["a"]?[2]) == "{ }")
    #expect(raw(value["b"]) == "-0e0")
    #expect(raw(value["c"]) == "null")
  }

  @Test("every raw value parses again to itself")
  func rawValuesParse() throws {
    func check(_ value: JSONValue) throws {
      #expect(shape(try JSONDocument(Array(value.rawBytes)).root) == shape(value))
      for element in value.elements { try check(element) }
      for member in value.members { try check(member.value) }
    }
    for text in Samples.documents { try check(parse(text)) }
  }

  @Test("a value outlives every other reference to its document")
  func lifetime() throws {
    func value() throws -> JSONValue? { try parse(#"{"a":["kept"]}"#)["a"]?[0] }
    #expect(try value()?.string == "kept")
  }
}
