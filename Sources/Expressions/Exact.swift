import JSON

/// Decimals that a result keeps at least when its last ones do not fit into 38 digits.
private let minDecimals = 20

extension ExactDecimal {
  /// Cut off behind so many decimals; cut at tens, hundreds… when below 0.
  func truncated(to decimals: Int) -> ExactDecimal {
    let surplus = scale - decimals
    guard surplus > 0 else { return self }
    guard surplus <= 38 else { return ExactDecimal(digits: 0, scale: max(decimals, 0)) ?? .zero }
    let kept = coefficient / powerOfTen(surplus)
    if decimals >= 0 { return ExactDecimal(digits: kept, scale: decimals) ?? .zero }
    guard decimals >= -38 else { return .zero }
    return ExactDecimal(digits: kept * powerOfTen(-decimals), scale: 0) ?? .zero
  }

  /// Rounded half away from zero to so many decimals; to tens, hundreds… when below 0. Nil when that takes 39 digits.
  func rounded(to decimals: Int) -> ExactDecimal? {
    if decimals >= 0 { return rounded(scale: decimals) }
    let surplus = scale - decimals
    guard surplus <= 38 else { return .zero }
    let unit = powerOfTen(surplus)
    var (kept, rest) = coefficient.quotientAndRemainder(dividingBy: unit)
    let magnitude = rest < 0 ? -rest : rest
    if magnitude >= unit - magnitude { kept += coefficient < 0 ? -1 : 1 }
    let (whole, overflow) = kept.multipliedReportingOverflow(by: powerOfTen(-decimals))
    return overflow ? nil : ExactDecimal(digits: whole, scale: 0)
  }

  /// The same value with at least so many decimals; unchanged where they do not fit.
  func padded(to decimals: Int) -> ExactDecimal {
    let missing = decimals - scale
    guard missing > 0, missing <= 38 else { return self }
    let (shifted, overflow) = coefficient.multipliedReportingOverflow(by: powerOfTen(missing))
    return overflow ? self : ExactDecimal(digits: shifted, scale: decimals) ?? self
  }

  /// Towards minus infinity, or plus infinity.
  func wholeBelow(_ up: Bool) -> ExactDecimal {
    let whole = truncated(to: 0)
    guard whole != self, isNegative != up else { return whole }
    return ExactDecimal(digits: whole.coefficient + (up ? 1 : -1), scale: 0) ?? whole
  }

  /// The sum; where it is too long for 38 digits, its last decimals are rounded away as long as 20 stay.
  func plus(_ other: ExactDecimal) -> ExactDecimal? {
    if let sum = try? adding(other) { return sum }
    var decimals = max(scale, other.scale) - 1
    while decimals >= minDecimals {
      if let sum = try? rounded(scale: decimals).adding(other.rounded(scale: decimals)) { return sum }
      decimals -= 1
    }
    return nil
  }

  /// The product; where it is too long for 38 digits, its last decimals are rounded away as long as 20 stay.
  func times(_ other: ExactDecimal) -> ExactDecimal? {
    if let product = try? multiplied(by: other) { return product }
    let (left, right) = (normalized, other.normalized)
    let (high, low) = left.coefficient.magnitude.multipliedFullWidth(by: right.coefficient.magnitude)
    let negative = left.isNegative != right.isNegative
    var surplus = 1
    while surplus <= 38 {
      let decimals = left.scale + right.scale - surplus
      guard decimals >= minDecimals else { return nil }
      let unit = powerOfTen(surplus).magnitude
      surplus += 1
      guard decimals <= 64, high < unit else { continue }
      let (quotient, rest) = unit.dividingFullWidth((high, low))
      guard quotient < powerOfTen(38).magnitude - 1 else { continue }
      let kept = Int128(quotient) + (rest >= unit - rest ? 1 : 0)
      return ExactDecimal(digits: negative ? -kept : kept, scale: decimals)
    }
    return nil
  }

  /// The quotient as MySQL shows it: with four decimals more than the left side, rounded. Throws as `divided` does.
  func dividedAsShown(by other: ExactDecimal) throws(ArithmeticError) -> ExactDecimal {
    let decimals = min(scale + 4, 30)
    // The server computes in groups of nine digits, cuts behind the last group that it needs, and rounds that.
    func groups(_ digits: Int) -> Int { (digits + 8) / 9 }
    let (left, right) = (groups(scale) * 9, groups(other.scale) * 9)
    let more = max(0, 4 - (left - scale) - (right - other.scale))
    let computed = min(groups(left + right + more) * 9, 60)
    return try divided(by: other, digits: computed).rounded(scale: decimals).padded(to: decimals)
  }

  /// What is left over, with the sign of the left side; nil when the quotient is too long.
  func remainder(by other: ExactDecimal) -> ExactDecimal? {
    guard let whole = try? divided(by: other, digits: 0), let product = try? whole.multiplied(by: other),
      let rest = try? subtracting(product)
    else { return nil }
    return rest.padded(to: max(scale, other.scale))
  }

  /// The number as an integer, halves away from zero, cut at ±2^52, so that adding a few never overflows.
  var clampedInt: Int {
    let whole = rounded(scale: 0).coefficient
    let end: Int128 = 1 << 52
    return Int(Swift.min(Swift.max(whole, -end), end))
  }
}

/// What the number at a text's start amounts to.
struct NumericPrefix {
  /// 0 when there is none.
  var value = ExactDecimal.zero
  /// Whether nothing but spaces stands beside the number.
  var isWhole = false
  /// Whether the number has more than 38 digits; `value` then is the nearest end of the range.
  var isTooLong = false

  /// Reads blanks, a sign, digits with a point among or before or behind them, an exponent.
  init(_ text: String) {
    var text = text
    self = text.withUTF8 { NumericPrefix(utf8: $0) }
  }

  init(utf8 text: UnsafeBufferPointer<UInt8>) {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }
    func isDigit(_ place: Int) -> Bool { place < text.count && text[place] &- 0x30 < 10 }
    var at = 0
    while at < text.count, isSpace(text[at]) { at += 1 }
    let start = at
    if at < text.count, text[at] == 0x2B || text[at] == 0x2D { at += 1 }
    let whole = at
    while isDigit(at) { at += 1 }
    let wholeEnd = at
    var end = at
    var hasPoint = false
    if at < text.count, text[at] == 0x2E, isDigit(at + 1) || wholeEnd > whole {
      at += 1
      hasPoint = isDigit(at)
      while isDigit(at) { at += 1 }
      end = hasPoint ? at : wholeEnd
    }
    guard at > whole else { return }
    let mantissa = at
    if at < text.count, text[at] | 0x20 == 0x65 {
      at += 1
      if at < text.count, text[at] == 0x2B || text[at] == 0x2D { at += 1 }
      if isDigit(at) { while isDigit(at) { at += 1 } } else { at = mantissa }
    }
    var rest = at
    while rest < text.count, isSpace(text[rest]) { rest += 1 }
    isWhole = rest == text.count
    let plain = wholeEnd > whole && (end == mantissa || at == mantissa)
    if plain {
      let last = at == mantissa ? end : at
      if let number = ExactDecimal(utf8: UnsafeBufferPointer(rebasing: text[start..<last])) {
        value = number
        return
      }
    }
    read(text, (start, whole, wholeEnd), (mantissa, at))
  }

  /// The rare spellings: `.5`, `5.e3`, and numbers of more than 38 digits.
  private mutating func read(
    _ text: UnsafeBufferPointer<UInt8>, _ head: (start: Int, whole: Int, wholeEnd: Int),
    _ tail: (mantissa: Int, end: Int)
  ) {
    let sign = text[head.start] == 0x2D ? "-" : ""
    var digits = String(decoding: text[head.whole..<head.wholeEnd], as: UTF8.self)
    if digits.isEmpty { digits = "0" }
    let decimals =
      tail.mantissa > head.wholeEnd + 1
      ? "." + String(decoding: text[(head.wholeEnd + 1)..<tail.mantissa], as: UTF8.self) : ""
    let exponent = String(decoding: text[tail.mantissa..<tail.end], as: UTF8.self)
    if let number = ExactDecimal(sign + digits + decimals + exponent) {
      value = number
      return
    }
    isTooLong = true
    // Decimals beyond 38 digits change no comparison that matters; a long whole part goes to the end of the range.
    let significant = digits.drop { $0 == "0" }
    if exponent.isEmpty, significant.utf8.count <= 38 {
      let kept = decimals.prefix(1 + max(0, 38 - significant.utf8.count))
      if let number = ExactDecimal(sign + digits + (kept.utf8.count > 1 ? kept : "")) { value = number }
      return
    }
    if exponent.dropFirst().first == "-" { return }
    let end = powerOfTen(38) - 1
    value = ExactDecimal(digits: sign.isEmpty ? end : -end, scale: 0) ?? .zero
  }
}
