import JSON

// Dates with intervals, and the distances between dates.
extension Evaluator {
  /// More units than these lead out of every calendar.
  private static let maxAmount = 400_000_000_000

  func shift(_ node: Node, isLater: Bool) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    let unit = TimeUnit(rawValue: node.option) ?? .day
    var value = try operand(place)
    if case .text(let text) = value, let found = dateOrDateTime(text) { value = found }
    let amountPlace = child(node, 1)
    let base = try moment(value, place)
    if unit.isComposite { return try shift(base, value, by: amountPlace, unit, isLater: isLater) }
    let amount =
      unit == .second ? try number(amountPlace) : try int(amountPlace).map { ExactDecimal(Int64($0)) }
    guard let base, let amount else { return .null }
    let signed = isLater ? amount : amount.negated()
    var isDate = false
    if case .date = value { isDate = true }
    if case .number = value { isDate = base.second == 0 && base.microseconds == 0 }
    guard let result = moved(base, by: signed, unit) else { return .null }
    return isDate && unit.rawValue >= TimeUnit.day.rawValue ? .date(result.date) : .dateTime(result)
  }

  /// By an interval of several parts.
  private func shift(
    _ base: SQLDateTime?, _ value: SQLValue, by place: Int32, _ unit: TimeUnit, isLater: Bool
  ) throws(EvaluationError) -> SQLValue {
    guard let text = try self.text(place), let base else { return .null }
    guard let interval = Interval(text, unit.parts, isStrict: isStrict) else {
      if isStrict { throw .unfit(describe(place), wanted: "an interval of \(unit.text)", kind: "another value") }
      return .null
    }
    let sign = interval.isNegative == isLater ? -1 : 1
    if unit == .yearMonth {
      let months = interval.amounts[0] * 12 + interval.amounts[1]
      guard let result = moved(base, by: ExactDecimal(Int64(sign * months)), .month) else { return .null }
      if case .date = value { return .date(result.date) }
      if case .number = value, base.second == 0, base.microseconds == 0 { return .date(result.date) }
      return .dateTime(result)
    }
    let sizes: [TimeUnit: Int] = [.day: 86400, .hour: 3600, .minute: 60, .second: 1]
    var seconds = 0
    var microseconds = 0
    for (part, amount) in zip(unit.parts, interval.amounts) {
      if let size = sizes[part] { seconds += amount * size } else { microseconds = amount }
    }
    let digits = unit.parts.last == .microsecond ? 6 : base.digits
    let total = sign * (seconds * 1_000_000 + microseconds)
    return .init(moved(base, byMicroseconds: total, digits: digits).map { .dateTime($0) })
  }

  private func moved(_ base: SQLDateTime, by amount: ExactDecimal, _ unit: TimeUnit) -> SQLDateTime? {
    let count = amount.truncated(to: 0).clampedInt
    guard count.magnitude <= UInt(Self.maxAmount) * 1_000_000 else { return nil }
    switch unit {
    case .month, .quarter, .year:
      let months = count.multipliedReportingOverflow(by: unit == .month ? 1 : unit == .quarter ? 3 : 12)
      guard !months.overflow, abs(months.partialValue) < 200_000,
        let date = base.date.adding(months: months.partialValue)
      else { return nil }
      return SQLDateTime(date: date, second: base.second, microseconds: base.microseconds, digits: base.digits)
    case .microsecond: return moved(base, byMicroseconds: count, digits: 6)
    case .second:
      let exact = amount.truncated(to: 6).padded(to: 6).coefficient
      return moved(base, byMicroseconds: Int(clamping: exact), digits: max(base.digits, min(amount.scale, 6)))
    default:
      let size = [TimeUnit.minute: 60, .hour: 3600, .day: 86400, .week: 604_800][unit] ?? 0
      let seconds = count.multipliedReportingOverflow(by: size)
      guard !seconds.overflow, abs(seconds.partialValue) <= Self.maxAmount else { return nil }
      return SQLDateTime(
        localSeconds: base.localSeconds + seconds.partialValue, microseconds: base.microseconds, digits: base.digits)
    }
  }

  private func moved(_ base: SQLDateTime, byMicroseconds count: Int, digits: Int) -> SQLDateTime? {
    guard count.magnitude <= UInt(Self.maxAmount) * 1_000_000 else { return nil }
    let total = base.microseconds + count
    let rest = (total % 1_000_000 + 1_000_000) % 1_000_000
    return SQLDateTime(
      localSeconds: base.localSeconds + (total - rest) / 1_000_000, microseconds: rest, digits: digits)
  }

  // MARK: Distances

  /// A side of arithmetic with dates: a field without quotes that is empty leaves a gap there, as beside any other sign.
  private func operand(_ at: Int32) throws(EvaluationError) -> SQLValue {
    let value = try value(at)
    if isStrict, !seesNull, node(at).isField, case .text(let text) = value,
      text.utf8.allSatisfy({ $0 == 0x20 })
    {
      throw .empty(describe(at))
    }
    return value
  }

  func difference(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let places = (child(node, 0), child(node, 1))
    let first = try moment(try operand(places.0), places.0)
    guard let second = try moment(try operand(places.1), places.1), let first else { return .null }
    if function == .dateDiff { return .init(first.date.daysSinceEpoch - second.date.daysSinceEpoch) }
    let unit = TimeUnit(rawValue: node.option) ?? .day
    let isBackwards = second < first
    let (early, late) = isBackwards ? (second, first) : (first, second)
    let distance: Int
    switch unit {
    case .month, .quarter, .year:
      var months = (late.date.year - early.date.year) * 12 + late.date.month - early.date.month
      let isShort =
        (late.date.day, late.second, late.microseconds) < (early.date.day, early.second, early.microseconds)
      if isShort { months -= 1 }
      distance = months / (unit == .month ? 1 : unit == .quarter ? 3 : 12)
    default:
      let micro = (late.localSeconds - early.localSeconds) * 1_000_000 + late.microseconds - early.microseconds
      let sizes: [TimeUnit: Int] = [
        .microsecond: 1, .second: 1_000_000, .minute: 60_000_000, .hour: 3_600_000_000, .day: 86_400_000_000,
      ]
      distance = micro / (sizes[unit] ?? 604_800_000_000)
    }
    return .init(isBackwards ? -distance : distance)
  }

  /// Between two times or two dates with times, never between one and the other.
  func timeDifference(_ node: Node) throws(EvaluationError) -> SQLValue {
    var sides: [(total: Int, isDate: Bool, digits: Int)] = []
    for index in 0..<2 {
      let place = child(node, index)
      var value = try operand(place)
      if case .text(let text) = value {
        value =
          text.utf8.dropFirst().contains(0x2D)
          ? .init(dateTime(text).map { .dateTime($0) }) : .init(time(text).map { .time($0) })
        if value.isNull { try refuse(.text(text), place, wanted: "a time") }
      }
      switch value {
      case .date(let date): sides.append((date.daysSinceEpoch * 86_400_000_000, true, 0))
      case .dateTime(let moment):
        sides.append((moment.localSeconds * 1_000_000 + moment.microseconds, true, moment.digits))
      case .time(let time): sides.append((time.total, false, time.digits))
      default: return .null
      }
    }
    guard sides[0].isDate == sides[1].isDate else { return .null }
    let distance = sides[0].total - sides[1].total
    return .time(
      SQLTime(
        isNegative: distance < 0, seconds: abs(distance) / 1_000_000, microseconds: abs(distance) % 1_000_000,
        digits: max(sides[0].digits, sides[1].digits)))
  }
}

extension SQLDateTime {
  /// With so many decimals of the second, the rest cut off.
  func cut(to digits: Int) -> SQLDateTime {
    let unit = Int(powerOfTen(6 - digits))
    return SQLDateTime(date: date, second: second, microseconds: microseconds / unit * unit, digits: digits)
  }
}

extension SQLTime {
  /// With so many decimals of the second, the rest cut off.
  func cut(to digits: Int) -> SQLTime {
    let unit = Int(powerOfTen(6 - digits))
    return SQLTime(
      isNegative: isNegative, seconds: seconds, microseconds: microseconds / unit * unit, digits: digits)
  }
}
