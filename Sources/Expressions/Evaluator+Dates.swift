import JSON
import Orders

// Functions of dates and times. The clock is Beijing's, unless the settings say otherwise.
extension Evaluator {
  private var now: SQLDateTime {
    // The clock of the settings lies within the years that dates have.
    SQLDateTime(localSeconds: Int(min(max(settings.now.epochSeconds, -1 << 40), 1 << 40)) + settings.secondsFromUTC)
      ?? SQLDateTime(date: SQLDate.first, second: 0)
  }

  // MARK: Reading

  /// The value as a day and time; nil for null and for what is neither.
  func moment(_ value: SQLValue) -> SQLDateTime? {
    switch value {
    case .null, .bool: nil
    case .date(let date): SQLDateTime(date: date, second: 0)
    case .dateTime(let moment): moment
    case .time(let time): moment(of: time)
    case .text(let text): dateTime(text)
    case .number(let number): dateTime(number)
    }
  }

  /// A time by itself is one of today.
  private func moment(of time: SQLTime) -> SQLDateTime? {
    let seconds = (time.isNegative ? -1 : 1) * time.seconds
    return SQLDateTime(
      localSeconds: now.date.daysSinceEpoch * 86400 + seconds, microseconds: time.microseconds, digits: time.digits)
  }

  /// As above; in strict mode a text that is no date is an error, save for the empty one.
  func moment(_ value: SQLValue, _ at: Int32) throws(EvaluationError) -> SQLDateTime? {
    if isStrict, case .text(let text) = value, isCutDate(text) { try refuse(value, at, wanted: "a date") }
    if let moment = moment(value) { return moment }
    try refuse(value, at, wanted: "a date")
    return nil
  }

  func refuse(_ value: SQLValue, _ at: Int32, wanted: String) throws(EvaluationError) {
    guard isStrict, !value.isNull else { return }
    if case .text(let text) = value, text.utf8.allSatisfy({ $0 == 0x20 }) { return }
    throw .unfit(describe(at), wanted: wanted, kind: value.kind)
  }

  func moment(_ at: Int32) throws(EvaluationError) -> SQLDateTime? { try moment(try value(at), at) }

  func timeOfDay(_ value: SQLValue) -> SQLTime? {
    switch value {
    case .null, .bool: return nil
    case .date: return SQLTime(isNegative: false, seconds: 0)
    case .dateTime(let moment): return moment.time
    case .time(let time): return time
    case .text(let text): return time(text)
    case .number(let number):
      let packed = number.magnitude > ExactDecimal(99_999_999) ? dateTime(number)?.time : nil
      return packed ?? time(number.description)
    }
  }

  private func time(_ text: String) -> SQLTime? { Expressions.time(text) }

  func timeOfDay(_ value: SQLValue, _ at: Int32) throws(EvaluationError) -> SQLTime? {
    if let time = timeOfDay(value) { return time }
    try refuse(value, at, wanted: "a time")
    return nil
  }

  private func timeOfDay(_ at: Int32) throws(EvaluationError) -> SQLTime? {
    try timeOfDay(try value(at), at)
  }

  // MARK: Functions

  func callDate(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let count = Int(node.count)
    switch function {
    case .now, .curTime:
      let digits = count > 0 ? try int(child(node, 0)) ?? 0 : 0
      let moment = SQLDateTime(date: now.date, second: now.second, digits: min(max(digits, 0), 6))
      return function == .now ? .dateTime(moment) : .time(moment.time)
    case .curDate: return .date(now.date)
    case .unixTimestamp where count == 0: return .number(ExactDecimal(settings.now.epochSeconds))
    case .strToDate: return try readByFormat(node)
    case .fromUnixTime: return try fromUnixTime(node)
    case .dateAdd, .dateSub: return try shift(node, isLater: function == .dateAdd)
    case .dateDiff, .timestampDiff: return try difference(function, node)
    case .timeDiff: return try timeDifference(node)
    case .fromDays, .makeDate, .secToTime: return try make(function, node)
    case .time, .timeFormat, .hour, .minute, .second, .microsecond, .timeToSec: return try callTime(function, node)
    case .extract: return try extract(node)
    default: break
    }
    guard let moment = try moment(child(node, 0)) else { return .null }
    return try part(function, of: moment, node)
  }

  private func part(
    _ function: Function, of moment: SQLDateTime, _ node: Node
  ) throws(EvaluationError) -> SQLValue {
    let date = moment.date
    switch function {
    case .date: return .date(date)
    case .timestamp: return .dateTime(moment)
    case .dateFormat:
      guard let format = try self.text(child(node, 1)), !format.isEmpty else { return .null }
      try willBuild(format.utf8.count * 8)
      return .text(DateFormat.text(of: moment, format))
    case .unixTimestamp: return unixTimestamp(moment)
    case .year: return .init(date.year)
    case .quarter: return .init((date.month + 2) / 3)
    case .month: return .init(date.month)
    case .day: return .init(date.day)
    case .week, .yearWeek:
      let mode = node.count > 1 ? try int(child(node, 1)) ?? 0 : 0
      if function == .week { return .init(date.week(mode: mode & 7).week) }
      let (week, year) = date.week(mode: mode & 7 | 2)
      return .init(year * 100 + week)
    case .weekOfYear: return .init(date.week(mode: 3).week)
    case .dayOfWeek: return .init((date.weekday + 1) % 7 + 1)
    case .weekday: return .init(date.weekday)
    case .dayOfYear: return .init(date.dayOfYear)
    case .lastDay:
      let last = SQLDate.days(in: date.month, of: date.year)
      return .init(SQLDate(year: date.year, month: date.month, day: last).map { .date($0) })
    case .monthName: return .text(DateFormat.months[date.month - 1])
    case .dayName: return .text(DateFormat.weekdays[date.weekday])
    default: return .init(date.daysSinceEpoch + 719_528)
    }
  }

  private func unixTimestamp(_ moment: SQLDateTime) -> SQLValue {
    let seconds = moment.localSeconds - settings.secondsFromUTC
    guard seconds >= 0 else { return .null }
    let shown =
      Int128(seconds) * powerOfTen(moment.digits) + Int128(moment.microseconds) / powerOfTen(6 - moment.digits)
    return .init(ExactDecimal(digits: shown, scale: moment.digits))
  }

  private func callTime(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    guard let time = try timeOfDay(child(node, 0)) else { return .null }
    switch function {
    case .time: return .time(time)
    case .hour: return .init(time.seconds / 3600)
    case .minute: return .init(time.seconds / 60 % 60)
    case .second: return .init(time.seconds % 60)
    case .microsecond: return .init(time.microseconds)
    case .timeToSec: return .init((time.isNegative ? -1 : 1) * time.seconds)
    default:
      guard let format = try self.text(child(node, 1)), !format.isEmpty else { return .null }
      try willBuild(format.utf8.count * 8)
      return .text(DateFormat.text(of: time, format))
    }
  }

  private func extract(_ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    let unit = TimeUnit(rawValue: node.option) ?? .day
    if unit.isComposite { return try extract(unit.parts, place) }
    if unit.rawValue <= TimeUnit.hour.rawValue {
      guard let time = try timeOfDay(place) else { return .null }
      switch unit {
      case .microsecond: return .init(time.microseconds)
      case .second: return .init(time.seconds % 60)
      case .minute: return .init(time.seconds / 60 % 60)
      default: return .init(time.seconds / 3600)
      }
    }
    guard let date = try moment(place)?.date else { return .null }
    switch unit {
    case .day: return .init(date.day)
    case .week: return .init(date.week(mode: 0).week)
    case .month: return .init(date.month)
    case .quarter: return .init((date.month + 2) / 3)
    default: return .init(date.year)
    }
  }

  /// The parts side by side, two digits each, six for microseconds; the first has as many as it needs.
  private func extract(_ parts: [TimeUnit], _ place: Int32) throws(EvaluationError) -> SQLValue {
    var time: SQLTime?
    var date: SQLDate?
    if parts[0].rawValue >= TimeUnit.day.rawValue {
      guard let moment = try moment(place) else { return .null }
      (time, date) = (moment.time, moment.date)
    } else {
      guard let found = try timeOfDay(place) else { return .null }
      time = found
    }
    var number = 0
    for part in parts {
      let value: Int? =
        switch part {
        case .year: date?.year
        case .month: date?.month
        case .day: date?.day
        case .hour: time.map { $0.seconds / 3600 }
        case .minute: time.map { $0.seconds / 60 % 60 }
        case .second: time.map { $0.seconds % 60 }
        default: time?.microseconds
        }
      number = number * (part == .microsecond ? 1_000_000 : 100) + (value ?? 0)
    }
    return .init(time?.isNegative == true ? -number : number)
  }

  // MARK: Making

  private func fromUnixTime(_ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    guard let number = try number(place) else { return .null }
    guard !number.isNegative else { return try refuseSeconds(place) }
    let digits = min(number.scale, 6)
    let exact = number.rounded(scale: 6)
    guard let whole = exact.truncated(to: 0).wholeNumber,
      let moment = SQLDateTime(
        localSeconds: Int(min(whole, 1 << 40)) + settings.secondsFromUTC,
        microseconds: Int(exact.padded(to: 6).coefficient % 1_000_000), digits: digits)
    else { return try refuseSeconds(place) }
    guard node.count > 1 else { return .dateTime(moment) }
    guard let format = try self.text(child(node, 1)), !format.isEmpty else { return .null }
    try willBuild(format.utf8.count * 8)
    return .text(DateFormat.text(of: moment, format))
  }

  /// Milliseconds taken for seconds lead out of every calendar.
  private func refuseSeconds(_ place: Int32) throws(EvaluationError) -> SQLValue {
    if isStrict {
      throw .unfit(describe(place), wanted: "seconds since 1970", kind: "a number beyond all dates")
    }
    return .null
  }

  private func readByFormat(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard let text = try self.text(child(node, 0)), let format = try self.text(child(node, 1)) else {
      return .null
    }
    try spend(text.utf8.count + format.utf8.count)
    let value = DateFormat.value(of: text, format)
    // Where null is awaited another format may be tried.
    if value.isNull, isStrict, !seesNull, !text.utf8.allSatisfy({ $0 == 0x20 }) {
      throw .unfit(describe(child(node, 0)), wanted: "a date in the format given", kind: "another text")
    }
    return value
  }

  private func make(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    switch function {
    case .fromDays:
      guard let days = try int(child(node, 0)), days >= 366, days < 4_000_000 else { return .null }
      return .init(SQLDate(daysSinceEpoch: days - 719_528).map { .date($0) })
    case .makeDate:
      guard var year = try int(child(node, 0)), let day = try int(child(node, 1)) else { return .null }
      if (0..<100).contains(year) { year += year < 70 ? 2000 : 1900 }
      guard (1...4_000_000).contains(day), let first = SQLDate(year: year, month: 1, day: 1) else { return .null }
      return .init(SQLDate(daysSinceEpoch: first.daysSinceEpoch + day - 1).map { .date($0) })
    default:
      guard let number = try number(child(node, 0)) else { return .null }
      let magnitude = number.magnitude.truncated(to: 6)
      let seconds = magnitude.truncated(to: 0).clampedInt
      let digits = min(number.scale, 6)
      let micro = Int(magnitude.padded(to: 6).coefficient % powerOfTen(6))
      return .time(
        SQLTime(isNegative: number.isNegative, seconds: seconds, microseconds: digits == 0 ? 0 : micro, digits: digits))
    }
  }
}
