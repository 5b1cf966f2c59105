import JSON

/// The amounts of an interval of several parts, such as `1 2:30` of `DAY_MINUTE`.
struct Interval {
  let isNegative: Bool
  /// One a part, 0 for those in front that are left out.
  let amounts: [Int]

  /// More in a part leads out of every calendar.
  private static let largest = 400_000_000_000

  /// Reads numbers with anything but digits between them; of fewer numbers than parts the last one is of the last part.
  /// - Parameter isStrict: only `: . - / ,` and spaces stand between numbers, and one number at least is there.
  /// - Returns: nil for more numbers than parts, or more than any calendar has.
  init?(_ text: String, _ parts: [TimeUnit], isStrict: Bool) {
    var rest = text.utf8.drop { $0 == 0x20 || $0 &- 9 < 5 }[...]
    isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    func between(_ bytes: Substring.UTF8View) -> Substring.UTF8View? {
      let end = bytes.firstIndex(where: isDigit) ?? bytes.endIndex
      let passed = bytes[..<end]
      let separators: [UInt8] = [0x20, 0x2C, 0x2D, 0x2E, 0x2F, 0x3A]
      if isStrict, !passed.allSatisfy(separators.contains) { return nil }
      return bytes[end...]
    }
    guard var bytes = between(rest) else { return nil }
    var found: [Int] = []
    var last = 0
    while !bytes.isEmpty {
      let digits = bytes.prefix(while: isDigit)
      guard found.count < parts.count, digits.count < 20, let value = Int(String(Substring(digits))),
        let behind = between(bytes[digits.endIndex...])
      else { return nil }
      last = digits.count
      found.append(value)
      bytes = behind
    }
    if isStrict, found.isEmpty { return nil }
    // The decimals of a second.
    if parts.last == .microsecond, let shown = found.last {
      found[found.count - 1] =
        last <= 6 ? shown * Int(powerOfTen(6 - last)) : shown / Int(powerOfTen(min(last - 6, 18)))
    }
    guard found.allSatisfy({ $0 <= Self.largest }) else { return nil }
    amounts = Array(repeating: 0, count: parts.count - found.count) + found
  }
}
