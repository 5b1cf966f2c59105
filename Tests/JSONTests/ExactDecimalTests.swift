import JSON
import Testing

@Suite("exact decimals")
struct ExactDecimalTests {
  static let nines38 = String(repeating: "9", count: 38)
  static func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }

  static let readable = [
    ("0", "0"), ("-0", "0"), ("0.00", "0.00"), ("1.50", "1.50"), ("-1.50", "-1.50"), ("+7", "7"), ("007", "7"),
    ("-007.10", "-7.10"), ("1e3", "1000"), ("1E+3", "1000"), ("1.5e1", "15"), ("1.5e3", "1500"), ("1.50e1", "15.0"),
    ("15e-1", "1.5"), ("1e-64", "0." + zeros(63) + "1"), ("10e-65", "0." + zeros(63) + "1"), ("0e99999", "0"),
    ("0e-99999", "0." + zeros(64)), (nines38, nines38), ("-" + nines38, "-" + nines38),
    ("0." + nines38, "0." + nines38), ("1" + zeros(37), "1" + zeros(37)), ("1e37", "1" + zeros(37)),
    ("0.1e38", "1" + zeros(37)), (zeros(90) + "12", "12"), ("0." + zeros(100), "0." + zeros(64)),
    ("1." + zeros(37), "1." + zeros(37)), ("1." + zeros(60), "1." + zeros(37)),
    (nines38 + ".000", nines38), ("1" + zeros(45) + "e-10", "1" + zeros(35) + ".00"),
    ("12345678901234567", "12345678901234567"),
    ("123456789012345678", "123456789012345678"), ("1234567890123456789", "1234567890123456789"),
    ("18446744073709551615", "18446744073709551615"), ("18446744073709551616", "18446744073709551616"),
    ("100000000000000000000.05", "100000000000000000000.05"),
  ]

  static let unreadable = [
    "", "-", "+", ".", "-.", ".5", "1.", "1.e1", "e1", "1e", "1e+", "1e1.5", "1ee1", "--1", "+-1", "1-", "1,5", "1 000",
    " 1", "1 ", "0x10", "NaN", "Infinity", "１", "1.2.3", "1e1e1", "1_000", "$1", "12a",
    "1" + zeros(38), "1e38", nines38 + "9", nines38 + ".1", "0." + nines38 + "9", "1" + zeros(38) + "1e-2",
    "1e-65", "1e99999", "1e-99999", "1e9223372036854775808", "1e-9223372036854775808", "1e" + nines38,
  ]

  @Test("a readable number prints in plain notation", arguments: readable)
  func reads(_ text: String, _ printed: String) {
    #expect(ExactDecimal(text)?.description == printed)
  }

  @Test("what is no number, or too long, is nil", arguments: unreadable)
  func refuses(_ text: String) {
    #expect(ExactDecimal(text) == nil)
  }

  @Test("a part of a string is read like a string")
  func substrings() {
    #expect(ExactDecimal("a=1.50;".dropFirst(2).dropLast())?.description == "1.50")
  }

  @Test("an exponent is read whole, even where only a very long text can balance it")
  func longExponents() {
    #expect(ExactDecimal("0." + Self.zeros(100_009) + "1e100010") == .one)
    #expect(ExactDecimal("0." + Self.zeros(100_009) + "1e100011") == ExactDecimal(10))
  }

  @Test("whole numbers convert both ways")
  func wholeNumbers() {
    #expect(ExactDecimal(.max).wholeNumber == .max)
    #expect(ExactDecimal(.min).wholeNumber == .min)
    #expect(ExactDecimal(.min).description == "-9223372036854775808")
    #expect(ExactDecimal("5.00")?.wholeNumber == 5)
    #expect(ExactDecimal("5.01")?.wholeNumber == nil)
    #expect(ExactDecimal("9223372036854775808")?.wholeNumber == nil)
  }

  @Test("the largest numbers overflow into an error, never into a wrong number or a trap")
  func overflow() throws {
    let most = try #require(ExactDecimal(Self.nines38))
    #expect(throws: ArithmeticError.overflow) { try most.adding(most) }
    #expect(throws: ArithmeticError.overflow) { try most.adding(.one) }
    #expect(throws: ArithmeticError.overflow) { try most.negated().subtracting(most) }
    #expect(throws: ArithmeticError.overflow) { try most.multiplied(by: most) }
    #expect(throws: ArithmeticError.overflow) { try most.multiplied(by: ExactDecimal(2)) }
    #expect(throws: ArithmeticError.overflow) { try most.divided(by: #require(ExactDecimal("0.1"))) }
    #expect(throws: ArithmeticError.divisionByZero) { try most.divided(by: #require(ExactDecimal("0.00"))) }
    #expect(throws: ArithmeticError.divisionByZero) { try ExactDecimal.zero.divided(by: .zero) }
    #expect(try most.subtracting(most).isZero)
    #expect(try most.divided(by: most) == .one)
    #expect(try most.divided(by: .one).description == Self.nines38)
  }

  @Test("zeros at the end of decimals cost no room")
  func trailingZeros() throws {
    let one = try #require(ExactDecimal("1." + Self.zeros(37)))
    let large = try #require(ExactDecimal("1" + Self.zeros(30)))
    #expect(try one.adding(large).description == "1" + Self.zeros(29) + "1")
    #expect(try one.multiplied(by: one) == .one)
    #expect(try one.divided(by: large, digits: 30).description == "0." + Self.zeros(29) + "1")
  }

  @Test(
    "a quotient is exact where it ends, else cut",
    arguments: [
      ("10", "4", 24, "2.5"), ("1", "3", 24, "0.333333333333333333333333"), ("2", "3", 4, "0.6666"),
      ("-2", "3", 4, "-0.6666"), ("2", "-3", 0, "0"), ("100", "0.25", 24, "400"), ("712.35", "100", 24, "7.1235"),
      ("1", "7", 30, "0.142857142857142857142857142857"), ("0", "7", 24, "0"), ("6", "3", 24, "2"),
      ("1", "1.2345678901234567890123456789012345678", 24, "0.810000007290000066339000"),
      ("1e-40", "1", 24, "0"), ("1e-40", "1e-41", 24, "10"),
    ])
  func quotients(_ left: String, _ right: String, _ digits: Int, _ expected: String) throws {
    let quotient = try #require(ExactDecimal(left)).divided(by: #require(ExactDecimal(right)), digits: digits)
    #expect(quotient == ExactDecimal(expected))
    #expect(quotient.description == quotient.normalized.description)
  }

  @Test(
    "a half is rounded away from zero",
    arguments: [
      ("0.5", 0, "1"), ("-0.5", 0, "-1"), ("0.4999", 0, "0"), ("1.005", 2, "1.01"), ("-1.005", 2, "-1.01"),
      ("1.0049999", 2, "1.00"), ("9.995", 2, "10.00"), ("1.5", 2, "1.5"), ("1.50", 1, "1.5"), ("2.5", 0, "3"),
      ("12.34", -1, "12"), ("0.0000", 2, "0.00"),
      ("0." + zeros(63) + "9", 2, "0.00"), ("0." + nines38, 0, "1"), ("0." + nines38, 37, "1." + zeros(37)),
      ("0.49999999999999999999999999999999999999", 0, "0"), ("0.50000000000000000000000000000000000000", 0, "1"),
    ])
  func rounding(_ text: String, _ scale: Int, _ expected: String) throws {
    #expect(try #require(ExactDecimal(text)).rounded(scale: scale).description == expected)
  }

  @Test("equal values in different spellings are one member of a set")
  func sets() throws {
    let spellings = ["1.5", "1.50", "1.500000", "15e-1", "0.0015e3", "+01.5"]
    let values = try spellings.map { try #require(ExactDecimal($0)) }
    #expect(Set(values).count == 1)
    #expect(Set(try ["0", "-0", "0.00", "0e9"].map { try #require(ExactDecimal($0)) }).count == 1)
  }

  @Test("sorting is by value across signs, scales and sizes")
  func sorting() throws {
    let sorted = [
      "-" + Self.nines38, "-10", "-9.99", "-1e-64", "0", "1e-64", "0.1", "0.10000000000000000000000000000000000001",
      "1", "1.01", "9.99", "10", Self.nines38,
    ]
    var random = Seeded(11)
    let values = try sorted.shuffled(using: &random).map { try #require(ExactDecimal($0)) }
    #expect(values.sorted() == (try sorted.map { try #require(ExactDecimal($0)) }))
  }
}
