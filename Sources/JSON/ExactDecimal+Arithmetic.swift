extension ExactDecimal {
  /// Sum, exact.
  /// - Throws: `ArithmeticError.overflow` when a side or the sum needs more than 38 digits at the finer of both scales,
  ///   zeros at the end of the decimals not counted.
  public func adding(_ other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    if let sum = sum(with: other) { return sum }
    guard let sum = normalized.sum(with: other.normalized) else { throw .overflow }
    return sum
  }

  private func sum(with other: ExactDecimal) -> ExactDecimal? {
    let scale = max(scale, other.scale)
    guard let left = Self.shifted(coefficient, by: scale - self.scale),
      let right = Self.shifted(other.coefficient, by: scale - other.scale)
    else { return nil }
    // Two of 38 digits can be more than an Int128 holds.
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? nil : Self.checked(sum, scale: scale)
  }

  /// Difference, exact.
  /// - Throws: `ArithmeticError.overflow`, as `adding`.
  public func subtracting(_ other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    try adding(other.negated())
  }

  /// Product, exact.
  /// - Throws: `ArithmeticError.overflow` when it needs more than 38 digits or 64 decimals, the zeros at the end of both
  ///   factors' decimals not counted.
  public func multiplied(by other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    if let product = product(with: other) { return product }
    guard let product = normalized.product(with: other.normalized) else { throw .overflow }
    return product
  }

  private func product(with other: ExactDecimal) -> ExactDecimal? {
    let (product, overflow) = coefficient.multipliedReportingOverflow(by: other.coefficient)
    guard !overflow, scale + other.scale <= Self.maxScale else { return nil }
    return Self.checked(product, scale: scale + other.scale)
  }

  private static func checked(_ coefficient: Int128, scale: Int) -> ExactDecimal? {
    guard coefficient <= limit, coefficient >= -limit else { return nil }
    return ExactDecimal(coefficient: coefficient, scale: scale)
  }

  /// Quotient: exact where it ends within `digits` decimals, else cut off there. The zeros at its end are dropped.
  ///
  /// Cut, not rounded, so that the one rounding that follows (a field's own) is not done twice.
  /// - Parameter digits: decimals kept, 0...64. Where the whole part is so large that they do not all fit into 38
  ///   digits, as many are kept as do.
  /// - Parameter significant: digits that are kept besides of a quotient far below 1, counted from its first that is not 0.
  /// - Throws: `.divisionByZero`; `.overflow` when the whole part has more than 38 digits.
  public func divided(
    by other: ExactDecimal, digits: Int = 24, significant: Int = 0
  ) throws(ArithmeticError) -> ExactDecimal {
    guard other.coefficient != 0 else { throw .divisionByZero }
    guard coefficient != 0 else { return .zero }
    // By 100 and its like only the point moves.
    if let places = Self.places(other), (0...min(digits, Self.maxScale)).contains(scale + places) {
      let quotient = ExactDecimal(coefficient: coefficient, scale: scale + places)
      return (other.isNegative ? quotient.negated() : quotient).normalized
    }
    let numerator = coefficient.magnitude
    let denominator = other.coefficient.magnitude
    // a/10^s ÷ b/10^t = (a × 10^(t−s)) / b; its whole part has this many digits or one more.
    let shift = other.scale - scale
    let whole = Self.digitCount(numerator) - Self.digitCount(denominator) + shift
    var kept = min(max(digits, significant > 0 ? significant - whole + 1 : 0, 0), Self.maxScale, 38 - whole)
    while kept >= 0 {
      if let magnitude = Self.quotient(numerator, timesTenTo: shift + kept, by: denominator) {
        let isNegative = (coefficient < 0) != (other.coefficient < 0)
        return ExactDecimal(coefficient: isNegative ? -magnitude : magnitude, scale: kept).normalized
      }
      kept -= 1
    }
    throw .overflow
  }

  /// By how many places the point goes to the left when a number is divided by this one; nil unless that is all.
  private static func places(_ divisor: ExactDecimal) -> Int? {
    switch divisor.coefficient {
    case 1, -1: -divisor.scale
    case 10, -10: 1 - divisor.scale
    case 100, -100: 2 - divisor.scale
    case 1000, -1000: 3 - divisor.scale
    default: nil
    }
  }

  /// numerator × 10^exponent ÷ denominator without its fraction; nil when that has more than 38 digits.
  private static func quotient(
    _ numerator: UInt128, timesTenTo exponent: Int, by denominator: UInt128
  ) -> Int128? {
    let quotient: UInt128
    if exponent < 0 {
      // A denominator that grows beyond 38 digits is larger than any numerator.
      guard exponent >= -38 else { return 0 }
      let (divisor, overflow) = denominator.multipliedReportingOverflow(by: powerOfTen(-exponent).magnitude)
      quotient = overflow ? 0 : numerator / divisor
    } else {
      let near = min(exponent, 38 - digitCount(numerator))
      let scaled = numerator * powerOfTen(near).magnitude
      if near == exponent {
        quotient = scaled / denominator
      } else {
        // At most 38: the caller asks for no more decimals than a quotient of 38 or 39 digits has.
        let (high, low) = scaled.multipliedFullWidth(by: powerOfTen(exponent - near).magnitude)
        guard high < denominator else { return nil }
        quotient = denominator.dividingFullWidth((high, low)).quotient
      }
    }
    return quotient <= limit.magnitude ? Int128(quotient) : nil
  }

  /// The value with its sign turned.
  public func negated() -> ExactDecimal { ExactDecimal(coefficient: -coefficient, scale: scale) }

  /// The value without its sign.
  public var magnitude: ExactDecimal { coefficient < 0 ? negated() : self }

  /// At most `scale` decimals; a half is rounded away from zero, as K/3 and commerce do. Never adds zeros.
  public func rounded(scale: Int) -> ExactDecimal {
    let surplus = self.scale - max(scale, 0)
    guard surplus > 0 else { return self }
    guard surplus <= 38 else { return ExactDecimal(coefficient: 0, scale: max(scale, 0)) }
    if surplus < 19, let small = Int64(exactly: coefficient), let unit = Int64(exactly: powerOfTen(surplus)) {
      var (kept, rest) = small.quotientAndRemainder(dividingBy: unit)
      if rest.magnitude >= unit.magnitude - rest.magnitude { kept += small < 0 ? -1 : 1 }
      return ExactDecimal(coefficient: Int128(kept), scale: max(scale, 0))
    }
    let unit = powerOfTen(surplus)
    var (kept, rest) = coefficient.quotientAndRemainder(dividingBy: unit)
    let magnitude = rest < 0 ? -rest : rest
    if magnitude >= unit - magnitude { kept += coefficient < 0 ? -1 : 1 }
    return ExactDecimal(coefficient: kept, scale: max(scale, 0))
  }

  /// The value without the last digits of a quotient that was cut off, which say nothing: one of more than `digits`
  /// decimals is rounded, half away from zero, to so many digits in all, and at most so many decimals. Else unchanged.
  ///
  /// 10/3 cut off behind 24 decimals and taken 3 times falls short of 10 by one unit of the last; here it is 10.
  @inline(__always)
  public func settled(digits: Int = 20) -> ExactDecimal { scale > digits ? shortened(to: digits) : self }

  private func shortened(to digits: Int) -> ExactDecimal {
    let whole = max(0, Self.digitCount(coefficient.magnitude) - scale)
    return rounded(scale: max(0, digits - whole))
  }
}

extension ExactDecimal: Hashable, Comparable {
  /// Equal by value: `1.50 == 1.5`.
  public static func == (left: ExactDecimal, right: ExactDecimal) -> Bool {
    if left.scale == right.scale { return left.coefficient == right.coefficient }
    let (a, b) = (left.normalized, right.normalized)
    return a.coefficient == b.coefficient && a.scale == b.scale
  }

  /// Hashes the value, not its spelling.
  public func hash(into hasher: inout Hasher) {
    let short = normalized
    hasher.combine(short.coefficient)
    hasher.combine(short.scale)
  }

  /// Ordered by value.
  public static func < (left: ExactDecimal, right: ExactDecimal) -> Bool {
    if left.scale == right.scale { return left.coefficient < right.coefficient }
    if left.coefficient.signum() != right.coefficient.signum() { return left.coefficient < right.coefficient }
    if left.coefficient == 0 { return false }
    let leftSize = digitCount(left.coefficient.magnitude) - left.scale
    let rightSize = digitCount(right.coefficient.magnitude) - right.scale
    let isNegative = left.coefficient < 0
    if leftSize != rightSize { return (leftSize < rightSize) != isNegative }
    // Of equal size, so aligning them stays within 38 digits of the longer one.
    let scale = max(left.scale, right.scale)
    let a = left.coefficient.multipliedReportingOverflow(by: powerOfTen(min(scale - left.scale, 38))).partialValue
    let b = right.coefficient.multipliedReportingOverflow(by: powerOfTen(min(scale - right.scale, 38))).partialValue
    return a < b
  }
}
