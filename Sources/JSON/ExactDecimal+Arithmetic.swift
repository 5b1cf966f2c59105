extension ExactDecimal {
  /// Sum, exact.
  /// - Throws: `ArithmeticError.overflow` beyond 38 digits.
  public func adding(_ other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    let scale = max(scale, other.scale)
    if let left = Self.shifted(coefficient, by: scale - self.scale),
      let right = Self.shifted(other.coefficient, by: scale - other.scale)
    {
      return try Self.checked(left + right, scale: scale)
    }
    let short = normalized
    let otherShort = other.normalized
    guard short.scale < self.scale || otherShort.scale < other.scale else { throw .overflow }
    return try short.adding(otherShort)
  }

  /// Difference, exact.
  /// - Throws: `ArithmeticError.overflow` beyond 38 digits.
  public func subtracting(_ other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    try adding(other.negated())
  }

  /// Product, exact.
  /// - Throws: `ArithmeticError.overflow` beyond 38 digits.
  public func multiplied(by other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    let (product, overflow) = coefficient.multipliedReportingOverflow(by: other.coefficient)
    if !overflow, scale + other.scale <= Self.maxScale { return try Self.checked(product, scale: scale + other.scale) }
    let short = normalized
    let otherShort = other.normalized
    guard short.scale < scale || otherShort.scale < other.scale else { throw .overflow }
    return try short.multiplied(by: otherShort)
  }

  /// Quotient: exact where it ends within `digits` decimals, else cut off there. The zeros at its end are dropped.
  ///
  /// Cut, not rounded, so that the one rounding that follows (a field's own) is not done twice.
  /// - Parameter digits: decimals kept, 0...30. Where the whole part is so large that they do not all fit into 38
  ///   digits, fewer are kept.
  /// - Throws: `.divisionByZero`; `.overflow` when the whole part has more than 38 digits.
  public func divided(by other: ExactDecimal, digits: Int = 24) throws(ArithmeticError) -> ExactDecimal {
    guard other.coefficient != 0 else { throw .divisionByZero }
    // a/10^s ÷ b/10^t = (a × 10^(t−s)) / b: bring the difference of scales into numerator or denominator first.
    var numerator = coefficient
    var denominator = other.coefficient
    let shift = other.scale - scale
    if shift > 0 {
      guard let shifted = Self.shifted(numerator, by: shift) else {
        return try dividedShort(by: other, digits: digits)
      }
      numerator = shifted
    } else if shift < 0 {
      guard let shifted = Self.shifted(denominator, by: -shift) else {
        return try dividedShort(by: other, digits: digits)
      }
      denominator = shifted
    }
    return Self.quotient(numerator, denominator, digits: digits)
  }

  private func dividedShort(by other: ExactDecimal, digits: Int) throws(ArithmeticError) -> ExactDecimal {
    let short = normalized
    let otherShort = other.normalized
    guard short.scale < scale || otherShort.scale < other.scale else { throw .overflow }
    return try short.divided(by: otherShort, digits: digits)
  }

  private static func quotient(_ numerator: Int128, _ denominator: Int128, digits: Int) -> ExactDecimal {
    var (result, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
    var scale = 0
    while rest != 0, scale < digits {
      // As many digits at once as the remainder (smaller than the denominator) leaves room for.
      let room = min(38 - digitCount(denominator), 38 - digitCount(result), digits - scale)
      guard room > 0 else { break }
      let (next, left) = (rest * powersOfTen[room]).quotientAndRemainder(dividingBy: denominator)
      result = result * powersOfTen[room] + next
      rest = left
      scale += room
    }
    return ExactDecimal(coefficient: result, scale: scale).normalized
  }

  private static func digitCount(_ value: Int128) -> Int {
    let magnitude = value < 0 ? -value : value
    var count = 0
    while count < 38, powersOfTen[count] <= magnitude { count += 1 }
    return max(count, 1)
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
    let unit = powersOfTen[surplus]
    var (kept, rest) = coefficient.quotientAndRemainder(dividingBy: unit)
    let magnitude = rest < 0 ? -rest : rest
    if magnitude >= unit - magnitude { kept += coefficient < 0 ? -1 : 1 }
    return ExactDecimal(coefficient: kept, scale: max(scale, 0))
  }

  private static func checked(_ coefficient: Int128, scale: Int) throws(ArithmeticError) -> ExactDecimal {
    guard coefficient <= limit, coefficient >= -limit else { throw .overflow }
    return ExactDecimal(coefficient: coefficient, scale: scale)
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
    let leftSize = digitCount(left.coefficient) - left.scale
    let rightSize = digitCount(right.coefficient) - right.scale
    let isNegative = left.coefficient < 0
    if leftSize != rightSize { return (leftSize < rightSize) != isNegative }
    // Of equal size, so aligning them stays within 38 digits of the longer one.
    let scale = max(left.scale, right.scale)
    let a = left.coefficient.multipliedReportingOverflow(by: powersOfTen[min(scale - left.scale, 38)]).partialValue
    let b = right.coefficient.multipliedReportingOverflow(by: powersOfTen[min(scale - right.scale, 38)]).partialValue
    return a < b
  }
}
