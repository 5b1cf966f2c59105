/// A second on OKKI's clock: its texts are Beijing time (UTC+8, no daylight saving) without an offset
/// (vendor-apis.md B.1).
public struct BeijingTime: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Seconds since 1970-01-01 00:00:00 UTC.
  public let epochSeconds: Int64

  private static let offset: Int64 = 8 * 3600

  /// A second by its distance to 1970-01-01 00:00:00 UTC.
  public init(epochSeconds: Int64) { self.epochSeconds = epochSeconds }

  /// Reads `yyyy-MM-dd HH:mm:ss` (also with `T` between) or `yyyy-MM-dd` (midnight). Nil for anything else, also for
  /// spaces around it, for days that no calendar has and for years outside 1970...9999.
  public init?(_ text: some StringProtocol) {
    // One walk over the bytes in place: this runs for every date of every order, and a split with generic closures cost
    // more than the rest of an order's mapping.
    guard let seconds = text.utf8.withContiguousStorageIfAvailable(Self.localSeconds) ?? Self.localSeconds(copyOf: text)
    else { return nil }
    epochSeconds = seconds - Self.offset
  }

  /// For texts whose bytes do not lie together.
  private static func localSeconds(copyOf text: some StringProtocol) -> Int64? {
    Array(text.utf8).withUnsafeBufferPointer(localSeconds)
  }

  /// Seconds since 1970-01-01 00:00:00 of a local date or date-time.
  private static func localSeconds(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
    guard text.count == 10 || text.count == 19 else { return nil }
    let dash = UInt8(ascii: "-")
    guard text[4] == dash, text[7] == dash, let year = number(text, 0..<4), let month = number(text, 5..<7),
      let day = number(text, 8..<10), year >= 1970, (1...12).contains(month),
      (1...days(in: month, of: year)).contains(day)
    else { return nil }
    let midnight = daysSinceEpoch(year: year, month: month, day: day) * 86400
    guard text.count == 19 else { return midnight }
    let colon = UInt8(ascii: ":")
    guard text[10] == UInt8(ascii: " ") || text[10] == UInt8(ascii: "T"), text[13] == colon, text[16] == colon,
      let hour = number(text, 11..<13), let minute = number(text, 14..<16), let second = number(text, 17..<19),
      hour < 24, minute < 60, second < 60
    else { return nil }
    return midnight + hour * 3600 + minute * 60 + second
  }

  /// The number that these bytes spell; nil unless each is a digit.
  private static func number(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int64? {
    var result: Int64 = 0
    for index in range {
      let digit = text[index] &- 0x30
      guard digit < 10 else { return nil }
      result = result * 10 + Int64(digit)
    }
    return result
  }

  private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days since 1970-01-01 in the Gregorian calendar. The year is taken to begin in March, so that the leap day ends it.
  private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month > 2 ? year : year - 1
    let era = marchYear / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func calendarDay(_ daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = daysSinceEpoch + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// `yyyy-MM-dd HH:mm:ss`, as OKKI's query parameters take it.
  public var description: String {
    let second = local.second
    return "\(date) \(Self.two(second / 3600)):\(Self.two(second / 60 % 60)):\(Self.two(second % 60))"
  }

  /// `yyyy-MM-dd`.
  public var date: String {
    let (year, month, day) = Self.calendarDay(local.day)
    let digits = String(year)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "-" + Self.two(month) + "-"
      + Self.two(day)
  }

  /// The day since 1970-01-01 and the second of that day in Beijing. Divides before it adds: no number of seconds
  /// overflows.
  private var local: (day: Int64, second: Int64) {
    var (day, second) = epochSeconds.quotientAndRemainder(dividingBy: 86400)
    second += Self.offset
    if second < 0 { day -= 1 } else if second >= 86400 { day += 1 }
    return (day, second < 0 ? second + 86400 : second % 86400)
  }

  private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : String(value) }

  /// The time so many seconds later, or earlier when negative.
  public func advanced(bySeconds seconds: Int64) -> BeijingTime { BeijingTime(epochSeconds: epochSeconds + seconds) }

  /// Ordered in time.
  public static func < (left: BeijingTime, right: BeijingTime) -> Bool { left.epochSeconds < right.epochSeconds }
}

/// A closed window of seconds, both ends included, as OKKI's list filters (vendor-apis.md B.5.1).
public struct TimeWindow: Hashable, Sendable {
  /// First second.
  public let from: BeijingTime
  /// Last second, not before `from`.
  public let to: BeijingTime

  /// A window; nil when it would end before it begins.
  public init?(from: BeijingTime, to: BeijingTime) {
    guard from <= to else { return nil }
    self.from = from
    self.to = to
  }

  /// The two halves, without a second in common; nil for a window of one second.
  public var halves: (TimeWindow, TimeWindow)? {
    let middle = from.advanced(bySeconds: (to.epochSeconds - from.epochSeconds) / 2)
    guard let early = TimeWindow(from: from, to: middle),
      let late = TimeWindow(from: middle.advanced(bySeconds: 1), to: to)
    else { return nil }
    return (early, late)
  }
}
