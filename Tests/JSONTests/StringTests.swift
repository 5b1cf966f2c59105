import JSON
import Testing

@Suite("JSON strings")
struct StringTests {
  static let accepted = [
    Accepted("an empty string", #""""#, "''"),
    Accepted("letters", #""abc""#, "'abc'"),
    Accepted("every short escape", #""\"\\\/\b\f\n\r\t""#, "'\"\\/\u{8}\u{C}\n\r\t'"),
    Accepted("an escaped letter", #""\u0041""#, "'A'"),
    Accepted("hexadecimal digits in both cases", #""\u00e9\u00E9\uABcd""#, "'éé\u{ABCD}'"),
    Accepted("an escaped NUL", #""\u0000""#, "'\u{0}'"),
    Accepted("an escaped escape character", #""\u001b""#, "'\u{1B}'"),
    Accepted("an escape of two bytes' text", #""\u07FF""#, "'\u{7FF}'"),
    Accepted("an escape of three bytes' text", #""\u0800\u4e2d\uFFFF""#, "'\u{800}中\u{FFFF}'"),
    Accepted("a surrogate pair", #""\ud83d\ude00""#, "'😀'"),
    Accepted("a surrogate pair in capitals", #""\uD834\uDD1E""#, "'𝄞'"),
    Accepted("the first and the last surrogate pair", #""\ud800\udc00\udbff\udfff""#, "'\u{10000}\u{10FFFF}'"),
    Accepted("a pair right after a pair", #""\ud83d\ude00\ud83d\ude01""#, "'😀😁'"),
    Accepted("a pair between letters", #""a\ud83d\ude00b""#, "'a😀b'"),
    Accepted("an escaped backslash before a u", #""\\u0041""#, #"'\u0041'"#),
    Accepted("an escaped backslash before the end", #""\\""#, #"'\'"#),
    Accepted("an escaped quote before the end", #""a\"""#, "'a\"'"),
    Accepted("two bytes' text", #""é""#, "'é'"),
    Accepted("three bytes' text", #""示例客户""#, "'示例客户'"),
    Accepted("four bytes' text", #""😀𠀀""#, "'😀𠀀'"),
    Accepted("the last code point", "\"\u{10FFFF}\"", "'\u{10FFFF}'"),
    Accepted("noncharacters", "\"\u{FFFE}\u{1FFFF}\"", "'\u{FFFE}\u{1FFFF}'"),
    Accepted("the code points around the surrogates", "\"\u{D7FF}\u{E000}\"", "'\u{D7FF}\u{E000}'"),
    Accepted("a byte order mark inside", "\"\u{FEFF}x\"", "'\u{FEFF}x'"),
    Accepted("delete", "\"\u{7F}\"", "'\u{7F}'"),
    Accepted("line separators", "\"\u{2028}\u{2029}\"", "'\u{2028}\u{2029}'"),
    Accepted("brackets and commas", #""[],{}:""#, "'[],{}:'"),
    Accepted("a comment", #""/* no */""#, "'/* no */'"),
    Accepted("an escaped key", #"{"\u0061\n":1}"#, "{a\n:#1}"),
    Accepted("a combining accent stays apart from its composed form", "{\"e\u{301}\":1,\"é\":2}", "{e\u{301}:#1 é:#2}"),
  ]

  static let refused = [
    Refused("a quote that never closes", #"""#, .unexpectedEnd, at: 1),
    Refused("a string that ends the text", #"["ab"#, .unexpectedEnd, at: 4),
    Refused("a string that ends in an escape", #""a\"#, .unexpectedEnd, at: 3),
    Refused("an escaped quote as the only end", #""a\""#, .unexpectedEnd, at: 4),
    Refused("a string that ends in a hexadecimal escape", #""\u00"#, .unexpectedEnd, at: 5),
    Refused("a string that ends within a surrogate pair", #""\ud83d"#, .unexpectedEnd, at: 7),
    Refused("a string that ends at a pair's second backslash", #""\ud83d\"#, .unexpectedEnd, at: 8),
    Refused("a string that ends in a pair's second half", #""\ud83d\ude0"#, .unexpectedEnd, at: 12),
    Refused("single quotes", "['a']", .unexpectedByte, at: 1),
    Refused("curly quotes", "[“a”]", .unexpectedByte, at: 1),
    Refused("a hexadecimal escape that is not JSON's", #"["\x41"]"#, .badEscape, at: 2),
    Refused("an octal escape", #"["\0"]"#, .badEscape, at: 2),
    Refused("an alarm escape", #"["\a"]"#, .badEscape, at: 2),
    Refused("a vertical tab escape", #"["\v"]"#, .badEscape, at: 2),
    Refused("an escaped single quote", #"["\'"]"#, .badEscape, at: 2),
    Refused("an escaped capital", #"["\N"]"#, .badEscape, at: 2),
    Refused("a capital U", #"["\U0041"]"#, .badEscape, at: 2),
    Refused("an escaped space", #"["\ "]"#, .badEscape, at: 2),
    Refused("an escaped newline", "[\"\\\n\"]", .badEscape, at: 2),
    Refused("an escaped NUL byte", "[\"\\\u{0}\"]", .badEscape, at: 2),
    Refused("an escaped emoji", "[\"\\😀\"]", .badEscape, at: 2),
    Refused("an escape without digits", #"["\u"]"#, .badEscape, at: 2),
    Refused("an escape of three digits", #"["\u041"]"#, .badEscape, at: 2),
    Refused("an escape with a letter beyond F", #"["\u00G0"]"#, .badEscape, at: 2),
    Refused("an escape with a sign", #"["\u+041"]"#, .badEscape, at: 2),
    Refused("an escape in braces", #"["\u{41}"]"#, .badEscape, at: 2),
    Refused("an escape with full-width digits", "[\"\\u００４１\"]", .badEscape, at: 2),
    Refused("a first half alone", #"["\ud83d"]"#, .loneSurrogate, at: 2),
    Refused("a first half before a letter", #"["\ud83dx"]"#, .loneSurrogate, at: 2),
    Refused("a first half before another escape", #"["\ud83d\n"]"#, .loneSurrogate, at: 2),
    Refused("a first half before a letter's escape", #"["\ud83d\u0041"]"#, .loneSurrogate, at: 2),
    Refused("two first halves", #"["\ud83d\ud83d\ude00"]"#, .loneSurrogate, at: 2),
    Refused("a second half alone", #"["\ude00"]"#, .loneSurrogate, at: 2),
    Refused("the halves in the wrong order", #"["\ude00\ud83d"]"#, .loneSurrogate, at: 2),
    Refused("a first half before a bad escape", #"["\ud83d\uZZZZ"]"#, .badEscape, at: 2),
    Refused("a lone half in a key", #"{"\udfff":1}"#, .loneSurrogate, at: 2),
    Refused("a newline", "[\"a\nb\"]", .controlCharacter, at: 3),
    Refused("a tab", "[\"\t\"]", .controlCharacter, at: 2),
    Refused("a NUL", "[\"a\u{0}\"]", .controlCharacter, at: 3),
    Refused("the last control character", "[\"\u{1F}\"]", .controlCharacter, at: 2),
    Refused("a control character far in", "[\"0123456789abcdef\u{1}\"]", .controlCharacter, at: 18),
    Refused("a newline in a key", "{\"a\n\":1}", .controlCharacter, at: 3),
  ]

  @Test("a string is read with its escapes", arguments: accepted)
  func accepts(_ text: Accepted) throws {
    let read = shape(try JSONDocument(text.bytes).root)
    // Compared by bytes: Swift's strings take composed and decomposed letters for the same.
    #expect(Array(read.utf8) == Array(text.shape.utf8))
  }

  @Test("a malformed string is refused with its kind and place", arguments: refused)
  func refuses(_ text: Refused) {
    #expect(refusal(text.bytes) == text.error)
  }

  @Test("every byte that needs attention is found at every place of a word of eight")
  func everyPlace() {
    for length in 0..<24 {
      let letters = [UInt8](repeating: 0x61, count: length)
      for tail in 0..<10 {
        let rest = [UInt8](repeating: 0x7A, count: tail)
        for control in UInt8(0)..<0x20 {
          #expect(
            refusal([0x22] + letters + [control] + rest + [0x22])
              == JSONError(kind: .controlCharacter, offset: length + 1))
        }
        #expect(refusal([0x22] + letters + [0x80] + rest + [0x22]) == JSONError(kind: .badUTF8, offset: length + 1))
        #expect(refusal([0x22] + letters + [0x22] + rest) == (tail == 0 ? nil : trailing(length + 2)))
      }
    }
  }

  private func trailing(_ offset: Int) -> JSONError { JSONError(kind: .trailingText, offset: offset) }
}
