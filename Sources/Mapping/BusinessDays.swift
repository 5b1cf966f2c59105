import JSON
import Orders

/// A day of the calendar in Beijing.
struct Day: Hashable, Comparable, Sendable {
  /// Days since 1970-01-01.
  let number: Int64

  private static let offset: Int64 = 8 * 3600
  /// 9999-12-31.
  private static let last: Int64 = 2_932_896

  init(_ time: BeijingTime) {
    let seconds = time.epochSeconds + Self.offset
    number = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
  }

  private init(number: Int64) { self.number = number }

  /// Reads `yyyy-MM-dd`.
  init?(_ text: String) {
    guard text.utf8.count == 10, let time = BeijingTime(text) else { return nil }
    self.init(time)
  }

  /// `yyyy-MM-dd`
  var text: String { BeijingTime(epochSeconds: start).date }

  /// Its first second, since 1970 in UTC.
  var start: Int64 { number * 86_400 - Self.offset }

  /// Monday is 1, Sunday 7.
  var weekday: Int { Int((number + 3) % 7 + 7) % 7 + 1 }

  /// The day after; nil after the year 9999.
  var next: Day? { number < Self.last ? Day(number: number + 1) : nil }

  static func < (left: Day, right: Day) -> Bool { left.number < right.number }
}

/// Which days are worked.
struct BusinessDays: Sendable {
  private var weekend: Set<Int> = []
  private var holidays: Set<Day> = []
  /// Worked although they lie on a weekend or holiday (调休).
  private var workdays: Set<Day> = []
  /// Days that one list may name, so that a slip of a range cannot fill the memory.
  private static let most = 5_000

  /// Every day.
  init() {}

  private static let known = ["weekend", "holidays", "workdays"]

  /// Reads the rule; Saturday and Sunday are the weekend where it does not say.
  init(_ rule: JSONValue, report: (String, JSONValue) -> Void) {
    guard rule.kind == .object else {
      report("must be an object", rule)
      return
    }
    for (name, value) in rule.members where !Self.known.contains(name) {
      report("«\(excerpt(name))» is unknown; known are \(Self.known.joined(separator: ", "))", value)
    }
    weekend = [6, 7]
    if let days = rule["weekend"] {
      let numbers = days.elements.compactMap { $0.int64 }.filter { (1...7).contains($0) }
      weekend = Set(numbers.map { Int($0) })
      if days.kind != .array || numbers.count != days.count || weekend.count == 7 {
        report("weekend is a list of days from 1 (Monday) to 7 (Sunday), not all of them", days)
      }
    }
    holidays = Self.days(rule["holidays"], report)
    workdays = Self.days(rule["workdays"], report)
  }

  /// `2024-05-01`, or `2024-02-10/2024-02-17` for all from the first to the last.
  private static func days(_ list: JSONValue?, _ report: (String, JSONValue) -> Void) -> Set<Day> {
    guard let list, !list.isNull else { return [] }
    let sentence = "is a list of days such as \"2024-05-01\" or \"2024-02-10/2024-02-17\", at most \(most) in all"
    if list.kind != .array { report(sentence, list) }
    var days: Set<Day> = []
    for element in list.elements {
      let ends = (element.string ?? "").split(separator: "/", omittingEmptySubsequences: false).map { Day(String($0)) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
        last.number - first.number < most, days.count + Int(last.number - first.number) < most
      else {
        report(sentence, element)
        continue
      }
      var day: Day? = first
      while let one = day, one <= last {
        days.insert(one)
        day = one.next
      }
    }
    return days
  }

  func contains(_ day: Day) -> Bool {
    if workdays.contains(day) { return true }
    return !weekend.contains(day.weekday) && !holidays.contains(day)
  }

  /// The first one after a day; nil when there is none before the year 10000.
  func first(after day: Day) -> Day? {
    var next = day.next
    while let day = next, !contains(day) { next = day.next }
    return next
  }
}
