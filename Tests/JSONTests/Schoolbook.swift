/// Decimal arithmetic as taught at school, digit by digit on arrays: slow, of any length, and sharing nothing with
/// `ExactDecimal`, so that both being wrong in the same way is unlikely.
struct Schoolbook: Equatable {
  /// Least significant digit first, without zeros at the high end; empty for 0.
  private(set) var digits: [Int]
  private(set) var isNegative: Bool
  /// Digits after the point.
  private(set) var scale: Int

  private init(digits: [Int], isNegative: Bool, scale: Int) {
    var digits = digits
    while digits.last == 0 { digits.removeLast() }
    self.digits = digits
    self.isNegative = isNegative && !digits.isEmpty
    self.scale = scale
  }

  /// Plain notation only: the tests make it so.
  init(_ text: String) {
    let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
    let digits = parts.joined().reversed().compactMap(\.wholeNumberValue)
    self.init(digits: digits, isNegative: text.hasPrefix("-"), scale: parts.count > 1 ? parts[1].count : 0)
  }

  /// Without zeros at the end of its decimals.
  var trimmed: Schoolbook {
    let zeros = digits.isEmpty ? scale : min(digits.prefix { $0 == 0 }.count, scale)
    return Schoolbook(digits: Array(digits.dropFirst(zeros)), isNegative: isNegative, scale: scale - zeros)
  }

  var text: String {
    let padded = digits + Array(repeating: 0, count: max(0, scale + 1 - digits.count))
    let high = padded.dropFirst(scale).reversed().map(String.init).joined()
    let low = padded.prefix(scale).reversed().map(String.init).joined()
    return (isNegative ? "-" : "") + high + (scale > 0 ? "." + low : "")
  }

  var negated: Schoolbook { Schoolbook(digits: digits, isNegative: !isNegative, scale: scale) }

  func aligned(to scale: Int) -> Schoolbook {
    let zeros = digits.isEmpty ? 0 : scale - self.scale
    return Schoolbook(digits: Array(repeating: 0, count: zeros) + digits, isNegative: isNegative, scale: scale)
  }

  static func + (left: Schoolbook, right: Schoolbook) -> Schoolbook {
    let scale = max(left.scale, right.scale)
    let (a, b) = (left.aligned(to: scale), right.aligned(to: scale))
    if a.isNegative == b.isNegative {
      return Schoolbook(digits: sum(a.digits, b.digits), isNegative: a.isNegative, scale: scale)
    }
    if isLess(a.digits, b.digits) {
      return Schoolbook(digits: difference(b.digits, a.digits), isNegative: b.isNegative, scale: scale)
    }
    return Schoolbook(digits: difference(a.digits, b.digits), isNegative: a.isNegative, scale: scale)
  }

  static func * (left: Schoolbook, right: Schoolbook) -> Schoolbook {
    var result = Array(repeating: 0, count: left.digits.count + right.digits.count + 1)
    for (i, a) in left.digits.enumerated() {
      var carry = 0
      for (j, b) in right.digits.enumerated() {
        let value = result[i + j] + a * b + carry
        result[i + j] = value % 10
        carry = value / 10
      }
      result[i + right.digits.count] += carry
    }
    return Schoolbook(
      digits: result, isNegative: left.isNegative != right.isNegative, scale: left.scale + right.scale)
  }

  /// The quotient cut after `places` decimals, by long division.
  func divided(by other: Schoolbook, places: Int) -> Schoolbook {
    let common = max(scale, other.scale)
    let divisor = other.aligned(to: common).digits
    let dividend = Array(repeating: 0, count: places) + aligned(to: common).digits
    var rest: [Int] = []
    var quotient: [Int] = []
    for digit in dividend.reversed() {
      rest.insert(digit, at: 0)
      while rest.last == 0 { rest.removeLast() }
      var times = 0
      while !Self.isLess(rest, divisor) {
        rest = Self.difference(rest, divisor)
        while rest.last == 0 { rest.removeLast() }
        times += 1
      }
      quotient.append(times)
    }
    return Schoolbook(digits: quotient.reversed(), isNegative: isNegative != other.isNegative, scale: places)
  }

  /// At most `places` decimals, a half away from zero.
  func rounded(places: Int) -> Schoolbook {
    guard scale > places else { return self }
    let dropped = scale - places
    let roundsUp = digits.count >= dropped && digits[dropped - 1] >= 5
    let kept = Schoolbook(digits: Array(digits.dropFirst(dropped)), isNegative: false, scale: places)
    let one = Schoolbook(digits: [1], isNegative: false, scale: places)
    let magnitude = roundsUp ? kept + one : kept
    return isNegative ? magnitude.negated : magnitude
  }

  static func < (left: Schoolbook, right: Schoolbook) -> Bool { (left + right.negated).isNegative }

  private static func isLess(_ a: [Int], _ b: [Int]) -> Bool {
    if a.count != b.count { return a.count < b.count }
    return a.reversed().lexicographicallyPrecedes(b.reversed())
  }

  private static func sum(_ a: [Int], _ b: [Int]) -> [Int] {
    var carry = 0
    var result: [Int] = []
    for index in 0...max(a.count, b.count) {
      let value = (index < a.count ? a[index] : 0) + (index < b.count ? b[index] : 0) + carry
      result.append(value % 10)
      carry = value / 10
    }
    return result
  }

  /// a − b, where a is not the smaller one.
  private static func difference(_ a: [Int], _ b: [Int]) -> [Int] {
    var borrow = 0
    return a.indices.map { index in
      let value = a[index] - (index < b.count ? b[index] : 0) - borrow
      borrow = value < 0 ? 1 : 0
      return value + borrow * 10
    }
  }
}
