import JSON

// What is equal, less or greater, and what counts as true: MySQL's rules for mixed kinds, without its guesses in strict mode.
extension Evaluator {
  /// Whether a part counts as true; nil for null.
  func truth(_ at: Int32) throws(EvaluationError) -> Bool? { try truth(try value(at), at) }

  /// Whether a value counts as true; nil for null.
  func truth(_ value: SQLValue, _ at: Int32) throws(EvaluationError) -> Bool? {
    switch value {
    case .bool(let flag): return flag
    case .number(let number): return !settled(number).isZero
    case .null: return nil
    default: return try comparable(value, at, beside: .bool(true)).map { !$0.isZero }
    }
  }

  /// Below 0, 0 or above 0, by MySQL's rules for mixed kinds; nil when one is null.
  /// - Parameters:
  ///   - places: of both values, for messages.
  ///   - knowsNull: what is missing or empty is so on purpose.
  func compare(
    _ left: SQLValue, _ right: SQLValue, at places: (Int32, Int32), knowsNull: Bool = false
  ) throws(EvaluationError) -> Int? {
    switch (left, right) {
    case (.null, _), (_, .null): return nil
    case (.number(let a), .number(let b)): return order(a, b)
    case (.text(let a), .text(let b)):
      try spend(a.utf8.count + b.utf8.count)
      return Collation.compare(a, b)
    case (.date, _), (.dateTime, _), (.time, _), (_, .date), (_, .dateTime), (_, .time):
      return try compareTimes(left, right, places, knowsNull)
    default: return try compareNumbers(left, right, at: places, knowsNull: knowsNull)
    }
  }

  func compareNumbers(
    _ left: SQLValue, _ right: SQLValue, at places: (Int32, Int32), knowsNull: Bool = false
  ) throws(EvaluationError) -> Int? {
    guard let a = try comparable(left, places.0, beside: right, places.1, knowsNull: knowsNull),
      let b = try comparable(right, places.1, beside: left, places.0, knowsNull: knowsNull)
    else { return nil }
    return order(a, b)
  }

  private func order(_ a: ExactDecimal, _ b: ExactDecimal) -> Int {
    let (a, b) = (settled(a), settled(b))
    return a == b ? 0 : a < b ? -1 : 1
  }

  /// The number that a value counts as beside another one; nil for null. In strict mode a text is a number as a whole, or
  /// one of the words true and false beside a boolean, or empty: by the digits it begins with «1,234.5» would be 1.
  private func comparable(
    _ value: SQLValue, _ at: Int32, beside other: SQLValue, _ otherAt: Int32? = nil, knowsNull: Bool = false
  ) throws(EvaluationError) -> ExactDecimal? {
    guard isStrict, case .text(let text) = value else { return plainNumber(value) }
    let prefix = NumericPrefix(text)
    if prefix.isWhole { return prefix.value }
    if try isEmpty(text, at, knowsNull) { return .zero }
    if case .bool = other {
      if text == "true" { return .one }
      if text == "false" { return .zero }
    }
    if case .number = other, let otherAt, node(otherAt).isField, node(at).kind == .constant {
      // The author meant a text, and the order has digits, which are a number without quotes.
      let field = node(otherAt).index
      throw .unfit(
        describe(otherAt), wanted: "a text, as the constant beside it is,",
        kind: "digits, which are a number; between quotes ('\(program.spellings[Int(field)] ?? "")') they are a text")
    }
    throw .unfit(describe(at), wanted: "a number", kind: value.kind)
  }

  /// Whether a text is empty, which counts as 0 and comes before all dates. A field without quotes that is so leaves a gap.
  private func isEmpty(_ text: String, _ at: Int32, _ knowsNull: Bool) throws(EvaluationError) -> Bool {
    guard text.utf8.allSatisfy({ $0 == 0x20 }) else { return false }
    if !knowsNull, node(at).isField { throw .empty(describe(at)) }
    return true
  }

  /// One at least is a date or a time. In MySQL's mode what cannot be read as one comes before all.
  private func compareTimes(
    _ left: SQLValue, _ right: SQLValue, _ places: (Int32, Int32), _ knowsNull: Bool
  ) throws(EvaluationError) -> Int? {
    func isTime(_ value: SQLValue) -> Bool { if case .time = value { true } else { false } }
    if isTime(left) || isTime(right), !isDate(left), !isDate(right) {
      let a = try comparedTime(left, places.0, knowsNull).map(\.total) ?? Int.min
      let b = try comparedTime(right, places.1, knowsNull).map(\.total) ?? Int.min
      return a == b ? 0 : a < b ? -1 : 1
    }
    switch (try comparedMoment(left, places.0, knowsNull), try comparedMoment(right, places.1, knowsNull)) {
    case (nil, nil): return 0
    case (nil, _): return -1
    case (_, nil): return 1
    case (let a?, let b?): return a == b ? 0 : a < b ? -1 : 1
    }
  }

  private func isDate(_ value: SQLValue) -> Bool {
    switch value {
    case .date, .dateTime: true
    default: false
    }
  }

  private func comparedMoment(
    _ value: SQLValue, _ at: Int32, _ knowsNull: Bool
  ) throws(EvaluationError) -> SQLDateTime? {
    if isStrict, case .text(let text) = value, try isEmpty(text, at, knowsNull) { return nil }
    return try moment(value, at)
  }

  private func comparedTime(
    _ value: SQLValue, _ at: Int32, _ knowsNull: Bool
  ) throws(EvaluationError) -> SQLTime? {
    if isStrict, case .text(let text) = value, try isEmpty(text, at, knowsNull) { return nil }
    return try timeOfDay(value, at)
  }
}
