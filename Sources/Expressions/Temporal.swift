/// A day of the Gregorian calendar, years 1 to 9999.
public struct SQLDate: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// 1...9999
  public let year: Int
  /// 1...12
  public let month: Int
  /// 1...31
  public let day: Int

  /// Nil for a day that no calendar has.
  public init?(year: Int, month: Int, day: Int) {
    guard (1...9999).contains(year), (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year) else {
      return nil
    }
    self.year = year
    self.month = month
    self.day = day
  }

  private init(firstOfYear year: Int) {
    self.year = year
    month = 1
    day = 1
  }

  /// 1970-01-01
  static let first = SQLDate(firstOfYear: 1970)

  /// The day so many days after 1970-01-01; nil outside of the years 1 to 9999.
  init?(daysSinceEpoch: Int) {
    guard daysSinceEpoch >= -719_162, daysSinceEpoch <= 2_932_896 else { return nil }
    let shifted = daysSinceEpoch + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// The year is taken to begin in March, so that the leap day ends it.
  var daysSinceEpoch: Int {
    let marchYear = month > 2 ? year : year - 1
    let era = marchYear / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// 1 for the first of January.
  var dayOfYear: Int {
    var result = day
    for earlier in 1..<month { result += Self.days(in: earlier, of: year) }
    return result
  }

  /// 0 for Monday.
  var weekday: Int { ((daysSinceEpoch + 3) % 7 + 7) % 7 }

  /// The day so many months later, the last of its month where there is no such day.
  func adding(months: Int) -> SQLDate? {
    let total = year * 12 + month - 1 + months
    guard total >= 12, total < 120_000 else { return nil }
    return SQLDate(
      year: total / 12, month: total % 12 + 1, day: min(day, Self.days(in: total % 12 + 1, of: total / 12)))
  }

  /// The number and year of the week, by one of MySQL's eight ways of counting.
  func week(mode: Int) -> (week: Int, year: Int) {
    let startsMonday = mode & 1 != 0
    let firstWeekday = (mode & 4 != 0) == startsMonday
    var countsFromOne = mode & 2 != 0
    var year = year
    let ordinal = daysSinceEpoch
    guard let newYear = SQLDate(year: year, month: 1, day: 1) else { return (0, year) }
    var first = newYear.daysSinceEpoch
    var weekday = startsMonday ? newYear.weekday : (newYear.weekday + 1) % 7
    if month == 1, day <= 7 - weekday {
      if !countsFromOne, firstWeekday ? weekday != 0 : weekday >= 4 { return (0, year) }
      countsFromOne = true
      year -= 1
      let length = Self.isLeap(year) ? 366 : 365
      first -= length
      weekday = (weekday + 53 * 7 - length) % 7
    }
    let days =
      (firstWeekday ? weekday != 0 : weekday >= 4) ? ordinal - (first + (7 - weekday)) : ordinal - (first - weekday)
    if countsFromOne, days >= 52 * 7 {
      weekday = (weekday + (Self.isLeap(year) ? 366 : 365)) % 7
      if firstWeekday ? weekday == 0 : weekday < 4 { return (1, year + 1) }
    }
    return (days / 7 + 1, year)
  }

  /// `yyyy-MM-dd`
  public var description: String {
    Digits.text { digits in
      digits.put(self)
    }
  }

  /// Ordered in time.
  public static func < (left: SQLDate, right: SQLDate) -> Bool {
    (left.year, left.month, left.day) < (right.year, right.month, right.day)
  }
}

/// A day and a time of day, to the microsecond.
public struct SQLDateTime: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The day.
  public let date: SQLDate
  /// Seconds since midnight, 0..<86400.
  public let second: Int
  /// 0..<1,000,000
  public let microseconds: Int
  /// Decimals of the second that are shown, 0...6.
  public let digits: Int

  /// A day's second; the values must be in their ranges.
  public init(date: SQLDate, second: Int, microseconds: Int = 0, digits: Int = 0) {
    self.date = date
    self.second = second
    self.microseconds = microseconds
    self.digits = digits
  }

  /// The second so many seconds after 1970-01-01 00:00:00 on the same clock.
  init?(localSeconds: Int, microseconds: Int = 0, digits: Int = 0) {
    let second = (localSeconds % 86400 + 86400) % 86400
    guard let date = SQLDate(daysSinceEpoch: (localSeconds - second) / 86400) else { return nil }
    self.init(date: date, second: second, microseconds: microseconds, digits: digits)
  }

  var localSeconds: Int { date.daysSinceEpoch * 86400 + second }
  var time: SQLTime { SQLTime(isNegative: false, seconds: second, microseconds: microseconds, digits: digits) }

  /// `yyyy-MM-dd HH:mm:ss`, with the decimals that are shown.
  public var description: String {
    Digits.text { digits in
      digits.put(date)
      digits.put(byte: 0x20)
      digits.put(time)
    }
  }

  /// Ordered in time.
  public static func < (left: SQLDateTime, right: SQLDateTime) -> Bool {
    (left.date, left.second, left.microseconds) < (right.date, right.second, right.microseconds)
  }

  /// Equal in time, whatever is shown.
  public static func == (left: SQLDateTime, right: SQLDateTime) -> Bool {
    left.date == right.date && left.second == right.second && left.microseconds == right.microseconds
  }

  /// Hashes the time, not what is shown.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(date)
    hasher.combine(second)
    hasher.combine(microseconds)
  }
}

/// A length of time up to 838:59:59, or a time of day.
public struct SQLTime: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Whether it is below zero.
  public let isNegative: Bool
  /// Whole seconds without the sign, at most 3,020,399.
  public let seconds: Int
  /// 0..<1,000,000
  public let microseconds: Int
  /// Decimals of the second that are shown, 0...6.
  public let digits: Int

  static let maxSeconds = 3_020_399

  /// A length of time, cut at 838:59:59.
  public init(isNegative: Bool, seconds: Int, microseconds: Int = 0, digits: Int = 0) {
    self.isNegative = isNegative && (seconds > 0 || microseconds > 0)
    self.seconds = min(seconds, Self.maxSeconds)
    self.microseconds = seconds > Self.maxSeconds ? 0 : microseconds
    self.digits = digits
  }

  /// Microseconds with their sign.
  var total: Int { (isNegative ? -1 : 1) * (seconds * 1_000_000 + microseconds) }

  /// `HH:mm:ss`, with the decimals that are shown.
  public var description: String {
    Digits.text { digits in
      digits.put(self)
    }
  }

  /// Ordered by length.
  public static func < (left: SQLTime, right: SQLTime) -> Bool { left.total < right.total }
  /// Equal in length, whatever is shown.
  public static func == (left: SQLTime, right: SQLTime) -> Bool { left.total == right.total }
  /// Hashes the length, not what is shown.
  public func hash(into hasher: inout Hasher) { hasher.combine(total) }
}
