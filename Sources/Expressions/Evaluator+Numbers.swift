import JSON

// Choice, numbers, casts.
extension Evaluator {
  func call(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard let function = Function(rawValue: node.index) else { return .null }
    if function.rawValue < Function.concat.rawValue { return try choose(function, node) }
    if function.rawValue < Function.round.rawValue { return try callText(function, node) }
    if function.rawValue < Function.now.rawValue { return try compute(function, node) }
    if function.rawValue < Function.sum.rawValue { return try callDate(function, node) }
    return try aggregate(function, node)
  }

  private func choose(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let first = child(node, 0)
    switch function {
    case .iff: return try value(child(node, try truth(first) == true ? 1 : 2))
    case .ifNull, .coalesce:
      for index in 0..<Int(node.count) {
        let candidate = try lenient(child(node, index))
        if !candidate.isNull { return candidate }
      }
      return .null
    case .nullIf:
      // What is missing or empty is what it asks for.
      let second = child(node, 1)
      let (left, right) = (try orNull(first), try orNull(second))
      return try compare(left, right, at: (first, second), knowsNull: true) == 0 ? .null : left
    case .isNull: return .init(try lenient(first).isNull)
    case .field: return try field(node)
    case .elt:
      guard let index = try int(first), index >= 1, index < Int(node.count) else { return .null }
      return try value(child(node, index))
    default:
      let all = try values(node)
      try needNumbers(all, node)
      let places = (0..<all.count).map { child(node, $0) }
      return try extreme(all, wantsLargest: function == .greatest) { places[$0] }
    }
  }

  func values(_ node: Node) throws(EvaluationError) -> [SQLValue] {
    var values: [SQLValue] = []
    for index in 0..<Int(node.count) { values.append(try value(child(node, index))) }
    return values
  }

  /// Beside a number a text counts by the digits it begins with, so a malformed amount would become another one, or nothing.
  private func needNumbers(_ values: [SQLValue], _ node: Node) throws(EvaluationError) {
    guard isStrict, values.contains(where: \.isNumber), !values.contains(where: \.isNull) else { return }
    for (index, value) in values.enumerated() {
      guard case .text = value else { continue }
      _ = try number(value, child(node, index))
    }
  }

  private func compute(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    switch function {
    case .round, .truncate: return try round(node, cuts: function == .truncate)
    case .mod, .pow: return try computeTwo(function, node)
    default: break
    }
    guard let number = try number(place) else { return .null }
    switch function {
    case .floor: return .number(settled(number).wholeBelow(false))
    case .ceil: return .number(settled(number).wholeBelow(true))
    case .abs: return .number(number.magnitude)
    default: return .init(settled(number).isZero ? 0 : number.isNegative ? -1 : 1)
    }
  }

  private func computeTwo(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let (left, right) = (child(node, 0), child(node, 1))
    let a = try number(left)
    guard let b = try number(right), let a else { return .null }
    if function == .mod {
      if b.isZero { return .init(try zeroDivisor(right)) }
      guard let rest = settled(a).remainder(by: settled(b)) else { throw .overflow(describe(left)) }
      return .number(rest)
    }
    guard let exponent = settled(b).wholeNumber, abs(exponent) <= 64 else {
      throw .unfit(describe(right), wanted: "a whole number from -64 to 64", kind: "another number")
    }
    var result = ExactDecimal.one
    for _ in 0..<abs(exponent) {
      guard let product = result.times(a) else { throw .overflow(describe(left)) }
      result = product
    }
    guard exponent < 0 else { return .number(result) }
    return .init(try quotient(.one, result, left))
  }

  private func round(_ node: Node, cuts: Bool) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    let value = try value(place)
    if value.isTemporal, node.count == 1 { return value }
    let number = try number(value, place)
    var decimals = 0
    if node.count > 1 {
      guard let wanted = try int(child(node, 1)) else { return .null }
      decimals = min(max(wanted, -60), 38)
    }
    guard var number else { return .null }
    number = settled(number, to: decimals)
    guard let result = cuts ? number.truncated(to: decimals) : number.rounded(to: decimals) else {
      throw .overflow(describe(place))
    }
    // A number with decimals shows as many as asked for, a whole one none.
    return .number(number.scale > 0 ? result.padded(to: decimals) : result)
  }

  // MARK: CAST

  func cast(_ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    let value = try value(place)
    if value.isNull { return .null }
    switch program.types[Int(node.index)] {
    case .signed, .unsigned:
      guard let whole = try whole(value, place) else { return .null }
      if program.types[Int(node.index)] == .unsigned, whole.isNegative {
        throw .unfit(describe(place), wanted: "a number of at least 0", kind: "a negative one")
      }
      return .number(whole)
    case .decimal(let digits, let decimals):
      guard let number = try castable(value, place) else { return .null }
      let rounded = settled(number, to: decimals).rounded(scale: decimals).padded(to: decimals)
      return .number(try fitted(rounded, digits, decimals, place))
    case .char(let length):
      let text = text(of: value) ?? ""
      guard let length else { return .text(text) }
      return .text(text.characters(from: 0, to: length))
    case .date: return .init(try moment(value, place).map { .date($0.date) })
    case .dateTime(let digits): return .init(try moment(value, place).map { .dateTime($0.cut(to: digits)) })
    case .time(let digits): return .init(try timeOfDay(value, place).map { .time($0.cut(to: digits)) })
    }
  }

  /// As `number`, but MySQL's settings take the nearest number for a text of too many digits.
  private func castable(_ value: SQLValue, _ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    if !isStrict, case .text(let text) = value { return NumericPrefix(text).value }
    return try number(value, place)
  }

  private func whole(_ value: SQLValue, _ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    guard let number = try castable(value, place) else { return nil }
    if case .text(let text) = value { return integer(text, number) }
    return settled(number).rounded(scale: 0)
  }

  /// DECIMAL(digits, decimals) holds what is below 10^(digits − decimals); MySQL takes the nearest for what is not.
  private func fitted(
    _ number: ExactDecimal, _ digits: Int, _ decimals: Int, _ place: Int32
  ) throws(EvaluationError) -> ExactDecimal {
    guard let largest = ExactDecimal(digits: powerOfTen(digits) - 1, scale: decimals), number.magnitude > largest else {
      return number
    }
    if isStrict {
      throw .unfit(describe(place), wanted: "a number of at most \(digits - decimals) digits", kind: "a longer one")
    }
    return number.isNegative ? largest.negated() : largest
  }
}

extension SQLValue {
  init(_ value: SQLValue?) { self = value ?? .null }
}
