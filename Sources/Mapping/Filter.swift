import JSON
import Orders

/// What stands after `|` in a placeholder: how a date is written (mapping-language.md §5.3).
enum Filter: String, Sendable, CaseIterable {
  /// `yyyy-MM-dd HH:mm:ss`
  case datetime
  /// `yyyy-MM-dd`
  case date
  /// Epoch seconds, a number.
  case timestamp
  /// Epoch milliseconds, a number.
  case milliseconds = "timestamp_ms"

  /// Seconds since 1970 have ten digits from 2001 to 2286. Others are no second that an order could mean, and a wrong date
  /// is worse than none.
  private static let epochSeconds: ClosedRange<Int64> = 1_000_000_000...9_999_999_999

  /// The time that a value means: a date or date-time in Beijing, one with an offset, epoch seconds (10 digits) or
  /// milliseconds (13), or compact `yyyyMMdd` (8) or `yyyyMMddHHmmss` (14) in Beijing. Digits by any other number are no time.
  static func time(_ value: Value) -> BeijingTime? {
    if case .text(let text) = value, let time = BeijingTime(text) ?? offsetTime(trimmed(text)) { return time }
    if case .bool = value { return nil }
    let digits = trimmed(value.text)
    guard [8, 13, 14].contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else {
      guard let seconds = value.number?.wholeNumber, epochSeconds.contains(seconds) else { return nil }
      return BeijingTime(epochSeconds: seconds)
    }
    guard digits.utf8.count == 13 else { return compact(Array(digits)) }
    let seconds = Int64(digits).map { $0 / 1000 }
    return seconds.flatMap { epochSeconds.contains($0) ? BeijingTime(epochSeconds: $0) : nil }
  }

  private static func compact(_ digits: [Character]) -> BeijingTime? {
    func part(_ range: Range<Int>) -> String { String(digits[range]) }
    let date = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))"
    if digits.count == 8 { return BeijingTime(date) }
    return BeijingTime("\(date) \(part(8..<10)):\(part(10..<12)):\(part(12..<14))")
  }

  /// Whether a time is one wherever one is: epoch seconds or milliseconds, or a text with an offset.
  private static func isMoment(_ value: Value) -> Bool {
    let text = trimmed(value.text)
    if text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) { return ![8, 14].contains(text.utf8.count) }
    if case .number = value { return true }
    return text.dropFirst(19).contains { $0 == "Z" || $0 == "+" || $0 == "-" }
  }

  /// The value in this form; nothing stays nothing.
  /// - Parameters:
  ///   - name: what the value is called in the message when it is no date.
  ///   - zone: the clock that a moment is written by; a day or time without an offset is Beijing's and stays.
  func applied(to value: Value, name: String, _ zone: Zone = Zone()) throws(ValueError) -> Value {
    if value.isEmpty { return value }
    guard var time = Self.time(value) else { throw .unfit(name, wanted: "a date", kind: value.kind) }
    if zone.aheadOfBeijing != 0, self == .date || self == .datetime, Self.isMoment(value) {
      time = time.advanced(bySeconds: zone.aheadOfBeijing)
    }
    return switch self {
    case .datetime: .text(time.description)
    case .date: .text(time.date)
    case .timestamp: .number(ExactDecimal(time.epochSeconds))
    case .milliseconds: .number(ExactDecimal(time.epochSeconds * 1000))
    }
  }
}

/// The time in Beijing of an ISO 8601 text with an offset or a fraction of a second: `2024-01-29T18:00:00Z` is the 30th
/// there. Offsets are written `Z`, `+08:00`, `+0800` or `+08`.
func offsetTime(_ text: String) -> BeijingTime? {
  guard text.count > 19, let time = BeijingTime(text.prefix(19)) else { return nil }
  var rest = text.dropFirst(19)
  if rest.first == "." { rest = rest.dropFirst().drop(while: { ("0"..."9").contains($0) }) }
  if rest.isEmpty { return time }
  let beijing: Int64 = 8 * 3600
  if rest == "Z" { return time.advanced(bySeconds: beijing) }
  guard let sign = rest.first, sign == "+" || sign == "-" else { return nil }
  var digits = Array(rest.dropFirst())
  if digits.count == 5, digits[2] == ":" { digits.remove(at: 2) }
  guard digits.count == 2 || digits.count == 4, digits.allSatisfy({ ("0"..."9").contains($0) }),
    let hours = Int64(String(digits[..<2])), let minutes = Int64(String(digits[2...] + "00").prefix(2)),
    (0...14).contains(hours), (0...59).contains(minutes)
  else { return nil }
  let offset = hours * 3600 + minutes * 60
  return time.advanced(bySeconds: beijing - (sign == "-" ? -offset : offset))
}
