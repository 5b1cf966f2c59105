import JSON
import Testing

@Suite("JSON encodings")
struct EncodingTests {
  static let refused = [
    Refused("a byte order mark", bytes: [0xEF, 0xBB, 0xBF, 0x5B, 0x5D], .unexpectedByte, at: 0),
    Refused("only a byte order mark", bytes: [0xEF, 0xBB, 0xBF], .unexpectedByte, at: 0),
    Refused("UTF-16, big end first", bytes: [0x00, 0x5B, 0x00, 0x5D], .unexpectedByte, at: 0),
    Refused("UTF-16, little end first", bytes: [0x5B, 0x00, 0x5D, 0x00], .unexpectedByte, at: 1),
    Refused("UTF-16 with its mark", bytes: [0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00], .unexpectedByte, at: 0),
    Refused("UTF-32", bytes: [0x5B, 0x00, 0x00, 0x00, 0x5D, 0x00, 0x00, 0x00], .unexpectedByte, at: 1),
    string("a continuation byte alone", [0x80]),
    string("the last continuation byte alone", [0xBF]),
    string("two bytes' slash", [0xC0, 0xAF]),
    string("two bytes' NUL", [0xC0, 0x80]),
    string("two bytes' delete", [0xC1, 0xBF]),
    string("three bytes' slash", [0xE0, 0x80, 0xAF]),
    string("three bytes' longest overlong", [0xE0, 0x9F, 0xBF]),
    string("four bytes' slash", [0xF0, 0x80, 0x80, 0xAF]),
    string("four bytes' longest overlong", [0xF0, 0x8F, 0xBF, 0xBF]),
    string("five bytes", [0xF8, 0x88, 0x80, 0x80, 0x80]),
    string("six bytes", [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80]),
    string("FE", [0xFE]),
    string("FF", [0xFF]),
    string("the first surrogate in UTF-8", [0xED, 0xA0, 0x80]),
    string("the last surrogate in UTF-8", [0xED, 0xBF, 0xBF]),
    string("a surrogate pair in UTF-8", [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]),
    string("beyond the last code point", [0xF4, 0x90, 0x80, 0x80]),
    string("far beyond the last code point", [0xF5, 0x80, 0x80, 0x80]),
    string("two bytes' text cut short", [0xC3]),
    string("three bytes' text cut short", [0xE4, 0xB8]),
    string("four bytes' text cut short", [0xF0, 0x9F, 0x98]),
    string("a second byte that does not continue", [0xE4, 0x41, 0xAD]),
    string("a third byte that does not continue", [0xE4, 0xB8, 0x41]),
    string("a fourth byte that does not continue", [0xF0, 0x9F, 0x98, 0x41]),
    string("a continuation byte too many", [0xC3, 0xA9, 0xA9], at: 4),
    string("Latin-1", [0xE9]),
    string("GBK, as old K/3 sites write it", [0xD6, 0xD0, 0xCE, 0xC4]),
    Refused("text that ends within two bytes' text", bytes: [0x22, 0xC3], .unexpectedEnd, at: 2),
    Refused("text that ends within three bytes' text", bytes: [0x22, 0xE4, 0xB8], .unexpectedEnd, at: 3),
    Refused("text that ends within four bytes' text", bytes: [0x22, 0xF0, 0x9F, 0x98], .unexpectedEnd, at: 4),
    Refused("bytes beyond ASCII outside a string", bytes: [0x5B, 0xC3, 0xA9, 0x5D], .unexpectedByte, at: 1),
  ]

  private static func string(_ name: String, _ content: [UInt8], at offset: Int = 2) -> Refused {
    Refused(name, bytes: [0x5B, 0x22] + content + [0x22, 0x5D], .badUTF8, at: offset)
  }

  @Test("what is not UTF-8 is refused with its kind and place", arguments: refused)
  func refuses(_ text: Refused) {
    #expect(refusal(text.bytes) == text.error)
  }

  @Test("code points are read from their bytes and from their escapes: all of the first plane, samples of the others")
  func codePoints() throws {
    let digits = Array("0123456789abcdef".utf8)
    let points = Array(0x20..<0x10000) + stride(from: UInt32(0x10000), to: 0x10FFFF, by: 257) + [0x10FFFF]
    // Many to a string, so that the test stays quick.
    for block in stride(from: 0, to: points.count, by: 4_096) {
      let scalars = points[block..<min(block + 4_096, points.count)].compactMap(Unicode.Scalar.init)
        .filter { $0 != "\"" && $0 != "\\" }
      let plain = String(String.UnicodeScalarView(scalars))
      var escaped: [UInt8] = [0x22]
      for unit in plain.utf16 {
        escaped += [0x5C, 0x75, digits[Int(unit >> 12)], digits[Int(unit >> 8 & 15)]]
        escaped += [digits[Int(unit >> 4 & 15)], digits[Int(unit & 15)]]
      }
      escaped.append(0x22)
      #expect(try parse("\"\(plain)\"").string?.utf8.elementsEqual(plain.utf8) == true)
      #expect(try JSONDocument(escaped).root.string?.utf8.elementsEqual(plain.utf8) == true)
    }
  }

  @Test("every pair of bytes inside a string is taken or refused as Swift's own decoder does")
  func everyPair() {
    for first in UInt8.min...UInt8.max {
      for second in stride(from: UInt8(0x20), through: 0xFF, by: 1) where second != 0x22 && second != 0x5C {
        guard first >= 0x80 else { continue }
        let isValid = String(validating: [first, second], as: UTF8.self) != nil
        #expect((refusal([0x22, first, second, 0x22]) == nil) == isValid)
      }
    }
  }
}
