import JSON
import Orders

/// On which day a bill is dated (跨日结算, vendor-apis.md C.4): what came late is of the next business day, and no bill is
/// dated into a period that K/3 has closed.
struct CalendarRule: Sendable {
  /// The time of day from which on an order is late.
  struct CutOff: Sendable {
    /// Seconds after midnight.
    let second: Int64
    /// As it was written.
    let text: String
    /// What tells when the order came, an operand of the order.
    let from: Int
  }

  /// What becomes of a date in a closed period.
  enum Closed: String, Sendable {
    /// The order is parked (`period_closed`).
    case hold
    /// It becomes the first business day after.
    case move
  }

  /// The bill's date, a field of the bill.
  let date: Path
  /// Dates that must not be left behind when the bill's date moves.
  let follow: [Path]
  let cutOff: CutOff?
  /// The last day of what is closed.
  let closedThrough: Day?
  let closed: Closed
  let days: BusinessDays
  /// What the bill's date is made of.
  let sources: [String]
}

// MARK: - Applying it

extension MappingRun {
  /// The document with its dates moved; those that may not be are failures.
  mutating func dated(_ document: [JSONMember], _ rule: CalendarRule) -> [JSONMember] {
    var result = document
    TargetField.forEach(rule.date.segments[...], in: document) { value, place in
      if case .string(let text) = value, text.allSatisfy(\.isWhitespace) { return }
      guard case .string(let text) = value, let day = Self.day(text) else {
        let error = ValueError.unfit("the bill's date", wanted: "written yyyy-MM-dd", kind: "otherwise")
        return fail(error.code, { place.text }, error.sentence, rule.sources)
      }
      guard let moved = moved(day, rule, at: place), moved != day else { return }
      result = TargetField.changed(rule.date.segments[...], in: result) { _, _ in
        Self.written(moved, as: text)
      }
      for path in rule.follow { result = following(result, path, from: day, to: moved, rule) }
    }
    return result
  }

  private mutating func moved(_ date: Day, _ rule: CalendarRule, at place: TargetPlace) -> Day? {
    var date = date
    if let cutOff = rule.cutOff, isLate(date, cutOff, at: place) {
      guard let next = next(after: date, rule, at: place) else { return nil }
      note(date, next, "the order came at or after the cut-off time \(cutOff.text)", at: place)
      date = next
    }
    guard let closed = rule.closedThrough, date <= closed else { return date }
    if rule.closed == .hold {
      let sentence = "the bill's date lies in a closed period; closed is all through \(closed.text)"
      fail(.periodClosed, { place.text }, sentence, rule.sources)
      return nil
    }
    guard let open = next(after: closed, rule, at: place) else { return nil }
    note(date, open, "closed is all through \(closed.text)", at: place)
    return open
  }

  private mutating func next(after day: Day, _ rule: CalendarRule, at place: TargetPlace) -> Day? {
    if let next = rule.days.first(after: day) { return next }
    fail(.valueInvalid, { place.text }, "there is no business day after the bill's date", rule.sources)
    return nil
  }

  /// Whether the order came on the day that it is dated, and late. One that is dated later needs no other day; one that
  /// is dated earlier was so by a person, who knew the time.
  private mutating func isLate(_ date: Day, _ cutOff: CalendarRule.CutOff, at place: TargetPlace) -> Bool {
    let name = whole.name(of: cutOff.from)
    do throws(ValueError) {
      let value: Value = try whole.value(of: cutOff.from)
      // Not knowing whether an order is late is no reason to take it for early.
      if value.isBlank || Self.isZero(value) { throw .empty(name) }
      guard let time = Filter.time(value) else { throw .unfit(name, wanted: "a time", kind: value.kind) }
      // OKKI's zero date, 1970-01-01 08:00:00 in Beijing, and what else stands for no time (vendor-apis.md B.11).
      if Day(time) == Self.zeroDay { throw .empty(name) }
      guard Self.tellsTime(value) else { throw .unfit(name, wanted: "a time", kind: "a date without one") }
      let day = Day(time)
      return day == date && time.epochSeconds - day.start >= cutOff.second
    } catch {
      let remedy = "Correct \(name) in OKKI, or let «cutOff.from» name a field that tells in every order when it came."
      fail(error.code, { place.text }, error.sentence, [name], remedy: error.remedy ?? remedy)
      return false
    }
  }

  /// `0`, `0000-00-00` and the like.
  private static func isZero(_ value: Value) -> Bool {
    if case .bool = value { return false }
    let text = trimmed(value.text)
    return text.utf8.contains(UInt8(ascii: "0")) && text.utf8.allSatisfy { "0-: T.".utf8.contains($0) }
  }

  private static let zeroDay = Day(BeijingTime(epochSeconds: 0))

  /// `2024-01-29` and `20240129` are days.
  private static func tellsTime(_ value: Value) -> Bool {
    let text = trimmed(value.text)
    return text.utf8.count > 10 || (text.utf8.count == 10 && !text.utf8.contains(UInt8(ascii: "-")))
  }

  /// Raises the dates at a path that were between the bill's old date and its new one: they would now lie before the bill.
  private mutating func following(
    _ document: [JSONMember], _ path: Path, from: Day, to: Day, _ rule: CalendarRule
  ) -> [JSONMember] {
    var found: [(day: Day, place: TargetPlace, count: Int)] = []
    let result = TargetField.changed(path.segments[...], in: document) { value, place in
      guard case .string(let text) = value, let day = Self.day(text), from <= day, day < to else { return nil }
      if let index = found.firstIndex(where: { $0.day == day }) {
        found[index].count += 1
      } else {
        found.append((day, place, 1))
      }
      return Self.written(to, as: text)
    }
    // One note for all lines of one date, so that an order of any size has all its moved dates noted.
    for (day, place, count) in found {
      let more = count > 1 ? " (\(count) rows)" : ""
      note(day, to, "\(rule.date.text) moved\(more)", at: place)
    }
    return result
  }

  private mutating func note(_ from: Day, _ to: Day, _ why: String, at place: TargetPlace) {
    notes.add(.movedDate, place.text, "moved from \(from.text) to \(to.text): \(why)")
  }

  /// The day of a date or date-time as a bill has it.
  private static func day(_ text: String) -> Day? { BeijingTime(text).map { Day($0) } }

  /// The day in the place of the old one; a time of day stays.
  private static func written(_ day: Day, as old: String) -> JSONTree { .string(day.text + old.dropFirst(10)) }
}
