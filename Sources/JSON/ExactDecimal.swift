/// Why arithmetic has no result.
public enum ArithmeticError: Error, Sendable, Equatable {
  /// The exact result needs more than 38 digits.
  case overflow
  /// A division by zero.
  case divisionByZero
}

/// A decimal number as written: coefficient × 10^−scale, up to 38 digits, never rounded unless asked.
///
/// Money and quantities go from the vendor's text to the other vendor's text through this type alone. `1.50` keeps its
/// scale when printed, but equals and hashes like `1.5`.
public struct ExactDecimal: Sendable, CustomStringConvertible {
  /// Most digits after the point.
  static let maxScale = 64
  /// The largest coefficient: 38 nines.
  static let limit: Int128 = powersOfTen[38] - 1

  let coefficient: Int128
  /// Digits after the point, 0...64.
  public let scale: Int

  /// 0
  public static let zero = ExactDecimal(0)
  /// 1
  public static let one = ExactDecimal(1)

  /// A whole number.
  public init(_ value: Int64) {
    self.init(coefficient: Int128(value), scale: 0)
  }

  init(coefficient: Int128, scale: Int) {
    self.coefficient = coefficient
    self.scale = scale
  }

  /// Reads JSON's number grammar, and also a leading `+` or zeros (`007`), as vendors send numbers in strings.
  /// Nil when it is not one or needs more than 38 digits or 64 decimals.
  public init?(_ text: some StringProtocol) {
    self.init(utf8: text.utf8)
  }

  init?(utf8 text: some Collection<UInt8>) {
    var coefficient: Int128 = 0
    var scale = 0
    var hasDigits = false
    var isNegative = false
    var seenPoint = false
    var at = text.startIndex
    if at < text.endIndex, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
      isNegative = text[at] == UInt8(ascii: "-")
      at = text.index(after: at)
    }
    while at < text.endIndex {
      let byte = text[at]
      let digit = byte &- UInt8(ascii: "0")
      if digit < 10 {
        hasDigits = true
        if coefficient > (Self.limit - Int128(digit)) / 10 {
          // Zeros after the point beyond the limit change nothing.
          guard seenPoint, digit == 0 else { return nil }
        } else {
          coefficient = coefficient * 10 + Int128(digit)
          if seenPoint { scale += 1 }
        }
      } else if byte == UInt8(ascii: "."), !seenPoint, hasDigits {
        seenPoint = true
        hasDigits = false
      } else if byte | 0x20 == UInt8(ascii: "e"), hasDigits {
        guard let exponent = Self.exponent(text[text.index(after: at)...]) else { return nil }
        scale -= exponent
        at = text.endIndex
        break
      } else {
        return nil
      }
      at = text.index(after: at)
    }
    guard hasDigits else { return nil }
    self.init(shifting: isNegative ? -coefficient : coefficient, scale: scale)
  }

  /// Brings a scale outside 0...64 back into it, where that changes no value.
  private init?(shifting coefficient: Int128, scale: Int) {
    var coefficient = coefficient
    var scale = scale
    if coefficient == 0 { scale = min(max(scale, 0), Self.maxScale) }
    while scale > Self.maxScale, coefficient % 10 == 0 {
      coefficient /= 10
      scale -= 1
    }
    if scale < 0 {
      guard scale >= -38, let shifted = Self.shifted(coefficient, by: -scale) else { return nil }
      coefficient = shifted
      scale = 0
    }
    guard scale <= Self.maxScale else { return nil }
    self.init(coefficient: coefficient, scale: scale)
  }

  private static func exponent(_ text: some Collection<UInt8>) -> Int? {
    var digits = text[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var value = 0
    for byte in digits {
      let digit = Int(byte) - 0x30
      guard (0...9).contains(digit) else { return nil }
      // Beyond this the number is refused anyway, unless it is 0.
      value = min(value * 10 + digit, 100_000)
    }
    return isNegative ? -value : value
  }

  /// Coefficient × 10^digits, or nil beyond 38 digits.
  static func shifted(_ coefficient: Int128, by digits: Int) -> Int128? {
    if digits == 0 || coefficient == 0 { return coefficient }
    guard digits <= 38 else { return nil }
    let (product, overflow) = coefficient.multipliedReportingOverflow(by: powersOfTen[digits])
    return overflow || product > limit || product < -limit ? nil : product
  }

  /// Plain notation, without exponent, with all its decimals: `-0.50`, `1200`.
  public var description: String {
    let digits = String(coefficient.magnitude)
    let sign = coefficient < 0 ? "-" : ""
    guard scale > 0 else { return sign + digits }
    let padded = digits.count > scale ? digits : String(repeating: "0", count: scale + 1 - digits.count) + digits
    let point = padded.utf8.index(padded.startIndex, offsetBy: padded.utf8.count - scale)
    return sign + padded[..<point] + "." + padded[point...]
  }

  /// The same value without zeros at the end of its decimals.
  public var normalized: ExactDecimal {
    var coefficient = coefficient
    var scale = coefficient == 0 ? 0 : scale
    while scale > 0, coefficient % 10 == 0 {
      coefficient /= 10
      scale -= 1
    }
    return ExactDecimal(coefficient: coefficient, scale: scale)
  }

  /// Whether the value is 0.
  public var isZero: Bool { coefficient == 0 }
  /// Whether the value is below 0.
  public var isNegative: Bool { coefficient < 0 }

  /// The value as a whole number; nil when it has a fraction or does not fit.
  public var wholeNumber: Int64? {
    let value = normalized
    return value.scale == 0 ? Int64(exactly: value.coefficient) : nil
  }
}

/// 10^0 … 10^38; the last is the largest power of ten in an Int128.
let powersOfTen: [Int128] = {
  var powers: [Int128] = [1]
  for _ in 0..<38 { powers.append((powers.last ?? 1) * 10) }
  return powers
}()
