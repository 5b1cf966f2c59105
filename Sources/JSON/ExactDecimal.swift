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
  static var limit: Int128 { 99_999_999_999_999_999_999_999_999_999_999_999_999 }

  // In halves and with a short scale: as an Int128 and an Int it would take a half more, and so would each value around it, and
  // arrays of those would be allocated on the slow way of what is to be aligned.
  private let high: Int64
  private let low: UInt64
  private let decimals: Int32

  /// All digits as a whole number, at most 38.
  @inline(__always)
  public var coefficient: Int128 { Int128(high) << 64 | Int128(low) }
  /// Digits after the point, 0...64.
  @inline(__always)
  public var scale: Int { Int(decimals) }

  /// 0
  public static let zero = ExactDecimal(0)
  /// 1
  public static let one = ExactDecimal(1)

  /// A whole number.
  public init(_ value: Int64) {
    self.init(coefficient: Int128(value), scale: 0)
  }

  /// coefficient × 10^−scale; nil beyond 38 digits and outside of 0...64 decimals.
  public init?(digits coefficient: Int128, scale: Int) {
    guard coefficient <= Self.limit, coefficient >= -Self.limit, (0...Self.maxScale).contains(scale) else { return nil }
    self.init(coefficient: coefficient, scale: scale)
  }

  @inline(__always)
  init(coefficient: Int128, scale: Int) {
    high = Int64(truncatingIfNeeded: coefficient >> 64)
    low = UInt64(truncatingIfNeeded: coefficient)
    decimals = Int32(truncatingIfNeeded: scale)
  }

  /// Coefficient × 10^digits, or nil beyond 38 digits.
  static func shifted(_ coefficient: Int128, by digits: Int) -> Int128? {
    if digits == 0 || coefficient == 0 { return coefficient }
    guard digits <= 38 else { return nil }
    let (product, overflow) = coefficient.multipliedReportingOverflow(by: powerOfTen(digits))
    return overflow || product > limit || product < -limit ? nil : product
  }

  /// Decimal digits of a number up to the limit; 1 for 0.
  static func digitCount(_ value: UInt128) -> Int {
    // log10(2) is a little more than 1233/4096: the estimate from the bits is right or one too small.
    let bits = 128 - value.leadingZeroBitCount
    let estimate = (bits * 1233) >> 12
    return estimate < 39 && value >= powerOfTen(estimate).magnitude ? estimate + 1 : max(estimate, 1)
  }

  /// The same value without zeros at the end of its decimals.
  public var normalized: ExactDecimal {
    guard scale > 0 else { return self }
    guard coefficient != 0 else { return ExactDecimal(coefficient: 0, scale: 0) }
    if var small = Int64(exactly: coefficient) {
      var scale = scale
      while scale > 0, small % 10 == 0 {
        small /= 10
        scale -= 1
      }
      return ExactDecimal(coefficient: Int128(small), scale: scale)
    }
    // Divisions of 128 bits are dear: take the zeros off in few, large steps, and only where the factors of 2 allow it.
    var coefficient = coefficient
    var scale = scale
    for step in [16, 16, 8, 4, 2, 1] where scale >= step && coefficient.trailingZeroBitCount >= step {
      let shorter = coefficient / powerOfTen(step)
      guard shorter * powerOfTen(step) == coefficient else { continue }
      coefficient = shorter
      scale -= step
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

/// 10^exponent for 0...38; the last is the largest power of ten in an Int128.
@inline(__always)
package func powerOfTen(_ exponent: Int) -> Int128 {
  if exponent <= 18 { return Int128(shortPowers[exponent]) }
  let more = Int128(shortPowers[18]) * Int128(shortPowers[min(exponent - 18, 18)])
  return exponent <= 36 ? more : more * Int128(shortPowers[exponent - 36])
}

/// 10^0 … 10^18, which the compiler lays down: a table that is made on first use is asked each time whether it is there.
private let shortPowers: InlineArray<19, Int64> = [
  1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
  100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
  10_000_000_000_000_000,
  100_000_000_000_000_000, 1_000_000_000_000_000_000,
]
