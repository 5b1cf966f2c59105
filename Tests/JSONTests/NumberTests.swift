import JSON
import Testing

@Suite("JSON numbers")
struct NumberTests {
  static let accepted = [
    "0", "-0", "1", "-1", "10", "123456789", "0.0", "-0.0", "0.1", "1.50", "1.000", "-12.340", "0e0", "0E+1", "0e-1",
    "1e5", "1E5", "1e+5", "1e-5", "1E05", "1.5e10", "-1.5E-10", "20e1", "9223372036854775807", "-9223372036854775808",
    "18446744073709551616", "0.1234567890123456789012345678901234567890", "1e9999", "-1e-9999", "1e400",
    "123123123123123123123123123123", "-123123e100000", "0.000000000000000000000000000000000000000000000000000001",
    String(repeating: "9", count: 5_000),
  ]

  static let refused = [
    Refused("a leading zero", "[01]", .badNumber, at: 2),
    Refused("a leading zero after a minus", "[-01]", .badNumber, at: 3),
    Refused("two zeros", "[00]", .badNumber, at: 2),
    Refused("a minus alone", "[-]", .badNumber, at: 2),
    Refused("a minus at the text's end", "-", .unexpectedEnd, at: 1),
    Refused("two minuses", "[--1]", .badNumber, at: 2),
    Refused("a minus and a space", "[- 1]", .badNumber, at: 2),
    Refused("a minus and a letter", "[-x]", .badNumber, at: 2),
    Refused("a plus", "[+1]", .badNumber, at: 1),
    Refused("a minus and a plus", "[-+1]", .badNumber, at: 2),
    Refused("no digit before the point", "[.5]", .badNumber, at: 1),
    Refused("no digit before the point, after a minus", "[-.5]", .badNumber, at: 2),
    Refused("no digit after the point", "[1.]", .badNumber, at: 3),
    Refused("no digit after zero's point", "[0.]", .badNumber, at: 3),
    Refused("a point at the text's end", "1.", .unexpectedEnd, at: 2),
    Refused("an exponent right after the point", "[1.e3]", .badNumber, at: 3),
    Refused("two points", "[1.2.3]", .badNumber, at: 4),
    Refused("two points together", "[1..2]", .badNumber, at: 3),
    Refused("an exponent without digits", "[1e]", .badNumber, at: 3),
    Refused("an exponent with only a sign", "[1e+]", .badNumber, at: 4),
    Refused("an exponent at the text's end", "1e", .unexpectedEnd, at: 2),
    Refused("an exponent's sign at the text's end", "1e-", .unexpectedEnd, at: 3),
    Refused("two exponents", "[1e2e3]", .badNumber, at: 4),
    Refused("two e", "[1ee2]", .badNumber, at: 3),
    Refused("an exponent with a fraction", "[1e2.5]", .badNumber, at: 4),
    Refused("an exponent with two signs", "[1e+-2]", .badNumber, at: 4),
    Refused("an exponent alone", "[e5]", .unexpectedByte, at: 1),
    Refused("a letter after a digit", "[1a]", .badNumber, at: 2),
    Refused("a hexadecimal number", "[0x1F]", .badNumber, at: 2),
    Refused("a minus after a digit", "[1-2]", .badNumber, at: 2),
    Refused("a plus after a digit", "[1+2]", .badNumber, at: 2),
    Refused("digits grouped by spaces", "[1 000]", .unexpectedByte, at: 3),
    Refused("an underscore between digits", "[1_000]", .unexpectedByte, at: 2),
    Refused("NaN", "[NaN]", .badNumber, at: 1),
    Refused("nan", "[nan]", .unexpectedByte, at: 2),
    Refused("minus NaN", "[-NaN]", .badNumber, at: 2),
    Refused("Infinity", "[Infinity]", .badNumber, at: 1),
    Refused("minus Infinity", "[-Infinity]", .badNumber, at: 2),
    Refused("inf", "[inf]", .unexpectedByte, at: 1),
    Refused("a full-width digit", "[１]", .unexpectedByte, at: 1),
    Refused("a digit and a full-width digit", "[1１]", .unexpectedByte, at: 2),
    Refused("a byte that is not UTF-8 after a digit", bytes: [0x5B, 0x31, 0xE5, 0x5D], .unexpectedByte, at: 2),
    Refused("a currency sign", "[$1]", .unexpectedByte, at: 1),
    Refused("a number in parentheses", "[(1)]", .unexpectedByte, at: 1),
  ]

  @Test("a number keeps its text, alone and in a container", arguments: accepted)
  func keepsText(_ number: String) throws {
    #expect(try parse(number).numberText == number)
    #expect(try parse("[\(number)]")[0]?.numberText == number)
    #expect(try parse("{\"n\": \(number) }")["n"]?.numberText == number)
  }

  @Test("what is not a number by JSON's grammar is refused with its kind and place", arguments: refused)
  func refuses(_ text: Refused) {
    #expect(refusal(text.bytes) == text.error)
  }

  @Test(
    "an integer is read over the whole range of Int64",
    arguments: [
      ("0", 0), ("-0", 0), ("7", 7), ("-42", -42), ("9223372036854775807", Int64.max),
      ("-9223372036854775808", Int64.min),
    ])
  func integers(_ text: String, _ value: Int64) throws {
    #expect(try parse(text).int64 == value)
  }

  @Test(
    "what is no integer of Int64 is nil, not cut",
    arguments: [
      "9223372036854775808", "-9223372036854775809", "92233720368547758070", "1.0", "1e2", "-0.0", "\"1\"", "true",
      "null", "[1]",
    ])
  func notIntegers(_ text: String) throws {
    #expect(try parse(text).int64 == nil)
  }

  @Test("a number's exact value comes from its text")
  func decimals() throws {
    #expect(try parse("1.50").decimal?.description == "1.50")
    #expect(try parse("-12.5e-3").decimal?.description == "-0.0125")
    #expect(try parse("1e9999").decimal == nil)
    #expect(try parse("\"1.5\"").decimal == nil)
  }
}
