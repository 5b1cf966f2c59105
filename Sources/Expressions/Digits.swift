import JSON

/// Writes numbers with leading zeros, and what they are parts of, as bytes: dates are too many for interpolated texts.
struct Digits {
  private(set) var bytes: [UInt8] = []

  static func text(_ write: (inout Digits) -> Void) -> String {
    var digits = Digits()
    digits.bytes.reserveCapacity(32)
    write(&digits)
    return String(decoding: digits.bytes, as: UTF8.self)
  }

  mutating func put(byte: UInt8) { bytes.append(byte) }

  mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// A number of at least so many digits.
  mutating func put(_ value: Int, _ width: Int) {
    var unit = 1
    var count = 1
    while count < width || value / unit > 9 {
      unit *= 10
      count += 1
    }
    while unit > 0 {
      bytes.append(UInt8(0x30 + value / unit % 10))
      unit /= 10
    }
  }

  /// `yyyy-MM-dd`
  mutating func put(_ date: SQLDate) {
    put(date.year, 4)
    put(byte: 0x2D)
    put(date.month, 2)
    put(byte: 0x2D)
    put(date.day, 2)
  }

  /// `HH:mm:ss` with the decimals that are shown.
  mutating func put(_ time: SQLTime) {
    if time.isNegative { put(byte: 0x2D) }
    put(time.seconds / 3600, 2)
    put(byte: 0x3A)
    put(time.seconds / 60 % 60, 2)
    put(byte: 0x3A)
    put(time.seconds % 60, 2)
    guard time.digits > 0 else { return }
    put(byte: 0x2E)
    put(time.microseconds / Int(powerOfTen(6 - time.digits)), time.digits)
  }
}
