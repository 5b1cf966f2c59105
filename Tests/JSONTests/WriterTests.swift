import JSON
import Testing

@Suite("JSON writer")
struct WriterTests {
  private static func written(_ body: (inout JSONWriter) throws -> Void) rethrows -> String {
    var writer = JSONWriter()
    try body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("every kind of value is written compactly, with commas where they belong")
  func everyKind() throws {
    let text = try Self.written { writer in
      writer.beginObject()
      writer.key("a")
      writer.beginArray()
      writer.integer(.min)
      writer.number(try #require(ExactDecimal("-1.50")))
      writer.number(text: "1E+2")
      writer.bool(true)
      writer.bool(false)
      writer.null()
      writer.raw(Array("{ \"x\" : 1 }".utf8))
      writer.endArray()
      writer.key("b")
      writer.beginObject()
      writer.endObject()
      writer.key("c")
      writer.beginArray()
      writer.endArray()
      writer.key("d")
      writer.string("e")
      writer.endObject()
    }
    let values = #"[-9223372036854775808,-1.50,1E+2,true,false,null,{ "x" : 1 }]"#
    #expect(text == #"{"a":\#(values),"b":{},"c":[],"d":"e"}"#)
  }

  @Test(
    "a string is escaped where JSON demands it and nowhere else",
    arguments: [
      ("", #""""#), ("plain", #""plain""#), ("a\"b", #""a\"b""#), ("\\", #""\\""#), ("/", #""/""#),
      ("\n\r\t", #""\n\r\t""#), ("\u{0}\u{1}\u{1F}", #""\u0000\u0001\u001f""#), ("\u{8}\u{C}", #""\u0008\u000c""#),
      ("\u{7F}", "\"\u{7F}\""), ("示例😀", #""示例😀""#), ("\u{2028}", "\"\u{2028}\""), ("\r\n", #""\r\n""#),
      ("long enough for several words of eight bytes\"", #""long enough for several words of eight bytes\"""#),
    ])
  func escapes(_ value: String, _ text: String) {
    #expect(Self.written { $0.string(value) } == text)
    let member = Self.written { writer in
      writer.beginObject()
      writer.key(value)
      writer.null()
      writer.endObject()
    }
    #expect(member == "{\(text):null}")
  }

  @Test("every string reads back as it was written")
  func stringsRoundTrip() throws {
    var random = Seeded(7)
    let alphabet = Array("abc\"\\/\n\t\u{0}\u{1F}\u{7F}éß中客\u{2028}😀𠀀e\u{301}".unicodeScalars)
    for length in 0..<400 {
      let scalars = (0..<length % 40).map { _ in alphabet.randomElement(using: &random) ?? "a" }
      let value = String(String.UnicodeScalarView(scalars))
      let text = Self.written { $0.string(value) }
      #expect(try parse(text).string.map { Array($0.utf8) } == Array(value.utf8))
    }
  }

  @Test("random trees read back as they were written")
  func treesRoundTrip() throws {
    var random = Seeded(8)
    for _ in 0..<400 {
      let tree = Self.tree(&random, depth: 5)
      let text = Self.written { tree.write(to: &$0) }
      #expect(JSONTree(try parse(text)) == tree)
      // And what was read writes the same bytes.
      let copy = JSONTree(try parse(text))
      #expect(Self.written { copy.write(to: &$0) } == text)
    }
  }

  @Test("a number leaves with the decimals that it came with", arguments: ["0", "1.50", "-0.10", "100", "0.0000001"])
  func numbers(_ text: String) throws {
    let tree = JSONTree(try parse(text))
    #expect(Self.written { tree.write(to: &$0) } == text)
  }

  @Test("a number that no decimal holds is copied as its text")
  func longNumbers() throws {
    #expect(JSONTree(try parse("1e9999")) == .string("1e9999"))
  }

  private static func tree(_ random: inout Seeded, depth: Int) -> JSONTree {
    switch Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2:
      let coefficient = ExactDecimal(Int64.random(in: -1_000_000...1_000_000, using: &random))
      return .number((try? coefficient.divided(by: ExactDecimal(1000))) ?? .zero)
    case 3: return .string(["", "a", "示例", "\"\\", "\u{1}"].randomElement(using: &random) ?? "")
    case 4, 5:
      return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in tree(&random, depth: depth - 1) })
    default:
      return .object(
        (0..<Int.random(in: 0...4, using: &random)).map { JSONMember("k\($0 % 3)", tree(&random, depth: depth - 1)) })
    }
  }
}
