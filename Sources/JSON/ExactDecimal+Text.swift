// MARK: - Reading

extension ExactDecimal {
  /// Reads JSON's number grammar, and also a leading `+` or zeros (`007`), as vendors send numbers in strings.
  /// Nil when it is not one or needs more than 38 digits or 64 decimals.
  public init?(_ text: some StringProtocol) {
    let value =
      text.utf8.withContiguousStorageIfAvailable { ExactDecimal(utf8: $0) }
      ?? Array(text.utf8).withUnsafeBufferPointer { ExactDecimal(utf8: $0) }
    guard let value else { return nil }
    self = value
  }

  /// Reads UTF-8 in place, by the same rules.
  public init?(utf8 text: UnsafeBufferPointer<UInt8>) {
    if let short = Self.short(text) {
      self = short
      return
    }
    var digits = Digits()
    var scale = 0
    var hasDigits = false
    var seenPoint = false
    var at = 0
    let isNegative = text.first == UInt8(ascii: "-")
    if isNegative || text.first == UInt8(ascii: "+") { at = 1 }
    scan: while at < text.count {
      let byte = text[at]
      at += 1
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        hasDigits = true
        if digits.append(byte - UInt8(ascii: "0")) {
          if seenPoint { scale += 1 }
        } else {
          // After 38 digits only zeros can follow: they change nothing after the point, and the scale before it.
          guard byte == UInt8(ascii: "0") else { return nil }
          if !seenPoint { scale -= 1 }
        }
      case UInt8(ascii: ".") where hasDigits && !seenPoint:
        seenPoint = true
        hasDigits = false
      case UInt8(ascii: "e") where hasDigits, UInt8(ascii: "E") where hasDigits:
        guard let exponent = Self.exponent(text[at...]) else { return nil }
        scale -= exponent
        break scan
      default: return nil
      }
    }
    guard hasDigits else { return nil }
    self.init(shifting: isNegative ? -digits.value : digits.value, scale: scale)
  }

  /// What nearly all numbers of an order are: up to 18 digits with a point among them or none. Nil for everything else,
  /// be it a number or not.
  private static func short(_ text: UnsafeBufferPointer<UInt8>) -> ExactDecimal? {
    guard let base = text.baseAddress, text.count <= 20 else { return nil }
    let end = base + text.count
    var at = base
    let isNegative = at < end && at.pointee == UInt8(ascii: "-")
    if isNegative { at += 1 }
    var value: Int64 = 0
    let whole = at
    while at < end, at.pointee &- 0x30 < 10 {
      value = value &* 10 &+ Int64(at.pointee &- 0x30)
      at += 1
    }
    var digits = at - whole
    var scale = 0
    guard digits > 0 else { return nil }
    if at < end, at.pointee == UInt8(ascii: ".") {
      at += 1
      let decimals = at
      while at < end, at.pointee &- 0x30 < 10 {
        value = value &* 10 &+ Int64(at.pointee &- 0x30)
        at += 1
      }
      scale = at - decimals
      guard scale > 0 else { return nil }
      digits += scale
    }
    guard at == end, digits <= 18 else { return nil }
    return ExactDecimal(coefficient: Int128(isNegative ? -value : value), scale: scale)
  }

  /// Up to 38 digits; the first 18 in a machine word, which nearly all numbers of an order fit into.
  private struct Digits {
    private var small: Int64 = 0
    private var large: Int128 = 0
    private var count = 0

    var value: Int128 { count <= 18 ? Int128(small) : large }

    /// False when there is no room for one more; leading zeros take none.
    mutating func append(_ digit: UInt8) -> Bool {
      if count < 18 {
        small = small * 10 + Int64(digit)
        if small != 0 { count += 1 }
        return true
      }
      guard count < 38 else { return false }
      if count == 18 { large = Int128(small) }
      large = large * 10 + Int128(digit)
      count += 1
      return true
    }
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

  private static func exponent(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    var digits = text
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var value = 0
    for byte in digits {
      let digit = Int(byte) - 0x30
      guard (0...9).contains(digit) else { return nil }
      // Stops growing only where no text is long enough to bring the number back into range.
      value = min(value * 10 + digit, 1 << 48)
    }
    return isNegative ? -value : value
  }
}

// MARK: - Writing

extension ExactDecimal {
  /// Plain notation, without exponent, with all its decimals: `-0.50`, `1200`.
  public var description: String {
    withText { String(decoding: $0, as: UTF8.self) }
  }

  /// How many bytes the plain notation has.
  package var textSize: Int {
    max(Self.digitCount(coefficient.magnitude), scale + 1) + (scale > 0 ? 1 : 0) + (coefficient < 0 ? 1 : 0)
  }

  /// Calls `body` with the plain notation.
  func withText<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    // The longest: a sign, `0.` and 64 decimals.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 80) { buffer in
      let start = fill(buffer)
      return body(UnsafeBufferPointer(rebasing: buffer[start...]))
    }
  }

  /// Writes the plain notation.
  /// - Parameter free: room for 96 bytes, of which more than the notation are written to.
  /// - Returns: how many it has.
  func write(to free: UnsafeMutablePointer<UInt8>) -> Int {
    guard scale <= 18, let small = Int64(exactly: coefficient) else {
      return withText { text in
        if let from = text.baseAddress { free.update(from: from, count: text.count) }
        return text.count
      }
    }
    // At most 21 bytes, from the last one on, and then moved to their place in three words.
    let end = free + 64
    var at = end
    var rest = small.magnitude
    if scale > 0 {
      var left = scale
      repeat {
        let (tens, digit) = rest.quotientAndRemainder(dividingBy: 10)
        at -= 1
        at.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
        rest = tens
        left &-= 1
      } while left > 0
      at -= 1
      at.pointee = UInt8(ascii: ".")
    }
    repeat {
      let (tens, digit) = rest.quotientAndRemainder(dividingBy: 10)
      at -= 1
      at.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
      rest = tens
    } while rest > 0
    if small < 0 {
      at -= 1
      at.pointee = UInt8(ascii: "-")
    }
    let (from, to) = (UnsafeRawPointer(at), UnsafeMutableRawPointer(free))
    for word in 0..<3 {
      let bytes = from.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
      to.storeBytes(of: bytes, toByteOffset: word * 8, as: UInt64.self)
    }
    return end - at
  }

  /// The same of what fits into a machine word.
  private func fillShort(_ buffer: UnsafeMutableBufferPointer<UInt8>) -> Int? {
    guard let small = Int64(exactly: coefficient), let base = buffer.baseAddress else { return nil }
    var at = base + buffer.count
    var rest = small.magnitude
    if scale > 0 {
      for _ in 0..<scale {
        let (tens, digit) = rest.quotientAndRemainder(dividingBy: 10)
        at -= 1
        at.initialize(to: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit))
        rest = tens
      }
      at -= 1
      at.initialize(to: UInt8(ascii: "."))
    }
    repeat {
      let (tens, digit) = rest.quotientAndRemainder(dividingBy: 10)
      at -= 1
      at.initialize(to: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit))
      rest = tens
    } while rest > 0
    if small < 0 {
      at -= 1
      at.initialize(to: UInt8(ascii: "-"))
    }
    return at - base
  }

  /// Writes the notation to the buffer's end, from its last digit to its first; returns where it starts.
  private func fill(_ buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    if let start = fillShort(buffer) { return start }
    var at = buffer.count
    var written = 0
    func put(_ digit: UInt8) {
      if written == scale, scale > 0 {
        at -= 1
        buffer[at] = UInt8(ascii: ".")
      }
      at -= 1
      buffer[at] = UInt8(ascii: "0") + digit
      written += 1
    }
    var large = coefficient.magnitude
    while large > UInt128(UInt64.max) {
      let (rest, chunk) = large.quotientAndRemainder(dividingBy: 1_000_000_000_000_000_000)
      var digits = UInt64(chunk)
      for _ in 0..<18 {
        put(UInt8(digits % 10))
        digits /= 10
      }
      large = rest
    }
    var small = UInt64(large)
    while small > 0 || written <= scale {
      put(UInt8(small % 10))
      small /= 10
    }
    if coefficient < 0 {
      at -= 1
      buffer[at] = UInt8(ascii: "-")
    }
    return at
  }
}
