import JSON
import Testing

/// Thousands of seeded cases beside `Schoolbook`.
@Suite("exact decimals beside school arithmetic")
struct ExactDecimalPropertyTests {
  /// A number in plain notation: mostly of an order's size, some at the edges of 38 digits and 64 decimals.
  private static func number(_ random: inout Seeded) -> String {
    let digits: Int
    let scale: Int
    switch Int.random(in: 0..<4, using: &random) {
    case 0: (digits, scale) = (Int.random(in: 1...8, using: &random), Int.random(in: 0...4, using: &random))
    case 1: (digits, scale) = (Int.random(in: 1...20, using: &random), Int.random(in: 0...24, using: &random))
    case 2: (digits, scale) = (Int.random(in: 17...21, using: &random), Int.random(in: 0...21, using: &random))
    default: (digits, scale) = (Int.random(in: 1...38, using: &random), Int.random(in: 0...64, using: &random))
    }
    // Runs of nines and zeros are where carries and cuts go wrong.
    let style = Int.random(in: 0..<5, using: &random)
    var text = (0..<digits).map { index in
      switch style {
      case 0: "9"
      case 1: index < digits / 2 + 1 ? "\(Int.random(in: 1...9, using: &random))" : "0"
      case 2: index == 0 ? "1" : "0"
      default: "\(Int.random(in: 0...9, using: &random))"
      }
    }.joined()
    if scale > 0 {
      text = String(repeating: "0", count: max(0, scale + 1 - digits)) + text
      text.insert(".", at: text.index(text.endIndex, offsetBy: -scale))
    }
    return (Bool.random(using: &random) ? "-" : "") + text
  }

  private struct Pair {
    let left: ExactDecimal
    let right: ExactDecimal
    let schoolLeft: Schoolbook
    let schoolRight: Schoolbook
    let note: Comment
  }

  private static func pair(_ random: inout Seeded) throws -> Pair {
    let (left, right) = (number(&random), number(&random))
    return Pair(
      left: try #require(ExactDecimal(left), "\(left)"), right: try #require(ExactDecimal(right), "\(right)"),
      schoolLeft: Schoolbook(left), schoolRight: Schoolbook(right), note: "\(left) and \(right)")
  }

  /// The normalised text of a result, or the error's name.
  private static func outcome(_ work: () throws(ArithmeticError) -> ExactDecimal) -> String {
    do throws(ArithmeticError) { return try work().normalized.description } catch { return "\(error)" }
  }

  /// Normalised, or "overflow" where the aligned sides or the sum have more than 38 digits.
  private static func expectedSum(_ left: Schoolbook, _ right: Schoolbook) -> String {
    let (a, b) = (left.trimmed, right.trimmed)
    let scale = max(a.scale, b.scale)
    let sum = a + b
    let longest = max(a.aligned(to: scale).digits.count, b.aligned(to: scale).digits.count, sum.digits.count)
    return longest > 38 ? "overflow" : sum.trimmed.text
  }

  private static func expectedProduct(_ left: Schoolbook, _ right: Schoolbook) -> String {
    let product = left.trimmed * right.trimmed
    return product.digits.count > 38 || product.scale > 64 ? "overflow" : product.trimmed.text
  }

  private static func expectedQuotient(_ left: Schoolbook, _ right: Schoolbook, digits: Int) -> String {
    if right.digits.isEmpty { return "divisionByZero" }
    for places in stride(from: digits, through: 0, by: -1) {
      let quotient = left.divided(by: right, places: places)
      if quotient.digits.count <= 38 { return quotient.trimmed.text }
    }
    return "overflow"
  }

  @Test("parsing and printing give the text back, and the same value as at school")
  func texts() throws {
    var random = Seeded(1)
    for _ in 0..<4_000 {
      let text = Self.number(&random)
      let value = try #require(ExactDecimal(text), "\(text)")
      let school = Schoolbook(text)
      #expect(value.description == school.text, "\(text)")
      #expect(ExactDecimal(value.description)?.description == value.description, "\(text)")
      #expect(value.normalized.description == school.trimmed.text, "\(text)")
      #expect(value.negated().description == school.negated.text, "\(text)")
      #expect(value.isNegative == school.isNegative && value.isZero == school.digits.isEmpty, "\(text)")
    }
  }

  @Test("sums and differences are exact, or thrown as overflow")
  func sums() throws {
    var random = Seeded(2)
    var overflows = 0
    for _ in 0..<4_000 {
      let pair = try Self.pair(&random)
      let sum = Self.outcome { () throws(ArithmeticError) in try pair.left.adding(pair.right) }
      let difference = Self.outcome { () throws(ArithmeticError) in try pair.left.subtracting(pair.right) }
      #expect(sum == Self.expectedSum(pair.schoolLeft, pair.schoolRight), pair.note)
      #expect(difference == Self.expectedSum(pair.schoolLeft, pair.schoolRight.negated), pair.note)
      if sum == "overflow" { overflows += 1 }
    }
    #expect((200..<2_000).contains(overflows), "the cases must reach both sides of the limit")
  }

  @Test("products are exact, or thrown as overflow")
  func products() throws {
    var random = Seeded(3)
    var overflows = 0
    for _ in 0..<4_000 {
      let pair = try Self.pair(&random)
      let product = Self.outcome { () throws(ArithmeticError) in try pair.left.multiplied(by: pair.right) }
      #expect(product == Self.expectedProduct(pair.schoolLeft, pair.schoolRight), pair.note)
      if product == "overflow" { overflows += 1 }
    }
    #expect((200..<3_000).contains(overflows), "the cases must reach both sides of the limit")
  }

  @Test("quotients are cut after as many decimals as asked for and fit, or thrown as overflow")
  func quotients() throws {
    var random = Seeded(4)
    var overflows = 0
    for _ in 0..<400 {
      let pair = try Self.pair(&random)
      let digits = [24, 24, 0, 2, 38, Int.random(in: 0...64, using: &random)].randomElement(using: &random) ?? 24
      let quotient = Self.outcome { () throws(ArithmeticError) in
        try pair.left.divided(by: pair.right, digits: digits)
      }
      let expected = Self.expectedQuotient(pair.schoolLeft, pair.schoolRight, digits: digits)
      #expect(quotient == expected, "\(pair.note), \(digits) digits")
      if quotient == "overflow" { overflows += 1 }
    }
    #expect((8..<200).contains(overflows), "the cases must reach both sides of the limit")
  }

  @Test("rounding takes a half away from zero and never adds decimals")
  func rounding() throws {
    var random = Seeded(5)
    for _ in 0..<4_000 {
      let text = Self.number(&random)
      let places = Int.random(in: 0...12, using: &random)
      let rounded = try #require(ExactDecimal(text), "\(text)").rounded(scale: places)
      #expect(rounded.description == Schoolbook(text).rounded(places: places).text, "\(text) to \(places)")
    }
  }

  @Test("order, equality and hash follow the value")
  func comparisons() throws {
    var random = Seeded(6)
    for _ in 0..<4_000 {
      var pair = try Self.pair(&random)
      // Near each other as well: the same digits, spelled with more zeros where they fit.
      if Bool.random(using: &random), let other = try? pair.left.adding(ExactDecimal("0.00") ?? .zero) {
        pair = Pair(
          left: pair.left, right: other, schoolLeft: pair.schoolLeft, schoolRight: Schoolbook(other.description),
          note: "\(pair.note), widened")
      }
      let isEqual = pair.schoolLeft.trimmed == pair.schoolRight.trimmed
      #expect((pair.left == pair.right) == isEqual, pair.note)
      #expect((pair.left < pair.right) == (pair.schoolLeft < pair.schoolRight), pair.note)
      #expect((pair.right < pair.left) == (pair.schoolRight < pair.schoolLeft), pair.note)
      if isEqual { #expect(pair.left.hashValue == pair.right.hashValue, pair.note) }
    }
  }
}
