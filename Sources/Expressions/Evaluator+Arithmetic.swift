import JSON

// Sums, products, quotients.
extension Evaluator {
  func arithmetic(_ node: Node) throws(EvaluationError) -> ExactDecimal? {
    if node.option == Node.fraction, settings.division == .exact {
      guard let product = try product(node) else { return nil }
      return try single(product, child(node, Int(node.count) - 1))
    }
    var left = try number(child(node, 0))
    var index = 1
    while index < Int(node.count) {
      let place = child(node, index + 1)
      let right = try number(place)
      if let a = left, let b = right {
        left = try apply(child(node, index), a, b, place)
      } else {
        left = nil
      }
      index += 2
    }
    return left
  }

  private func apply(
    _ symbol: Int32, _ a: ExactDecimal, _ b: ExactDecimal, _ place: Int32
  ) throws(EvaluationError) -> ExactDecimal? {
    let result: ExactDecimal?
    switch Arithmetic(rawValue: symbol) {
    case .add: result = a.plus(b)
    case .subtract: result = a.plus(b.negated())
    case .multiply: result = a.times(b)
    case .divide: return try quotient(a, b, place)
    case .divideWhole:
      if b.isZero { return try zeroDivisor(place) }
      result = try? settled(a).divided(by: settled(b), digits: 0)
    case .modulo:
      if b.isZero { return try zeroDivisor(place) }
      result = settled(a).remainder(by: settled(b))
    case nil: result = nil
    }
    guard let result else { throw .overflow(describe(place)) }
    return result
  }

  /// A number that is rounded or compared for good: without the last digits of a quotient, so that it does not fall short
  /// of a half, or of a whole number, by what was cut off on the way.
  @inline(__always)
  func settled(_ number: ExactDecimal) -> ExactDecimal {
    settings.division == .exact ? number.settled() : number
  }

  /// The same before it is rounded to so many decimals: one that is wanted with more than stay has none to spare.
  @inline(__always)
  func settled(_ number: ExactDecimal, to decimals: Int) -> ExactDecimal {
    let short = settled(number)
    return decimals < short.scale ? short : number
  }

  func quotient(_ a: ExactDecimal, _ b: ExactDecimal, _ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    do throws(ArithmeticError) {
      return settings.division == .exact
        ? try a.divided(by: b, digits: 24, significant: 20) : try a.dividedAsShown(by: b)
    } catch {
      if error == .divisionByZero { return try zeroDivisor(place) }
      throw .overflow(describe(place))
    }
  }

  func zeroDivisor(_ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    if isStrict, !seesNull { throw .divisionByZero(describe(place)) }
    return nil
  }

  // MARK: Products

  /// What stands over and under the line of a product: it is divided once, at its end, since a quotient that was cut
  /// off and then multiplied falls short of the half that it should be rounded from.
  private struct Fraction {
    var over: ExactDecimal
    /// Nil for 1; never 0.
    var under: ExactDecimal?

    /// Nil where a side needs more than 38 digits.
    func times(_ other: Fraction) -> Fraction? {
      guard let over = try? over.multiplied(by: other.over) else { return nil }
      guard let a = under, let b = other.under else { return Fraction(over: over, under: under ?? other.under) }
      guard let under = try? a.multiplied(by: b) else { return nil }
      return Fraction(over: over, under: under)
    }

    var inverse: Fraction { Fraction(over: under ?? .one, under: over) }
  }

  private func single(_ fraction: Fraction, _ place: Int32) throws(EvaluationError) -> ExactDecimal? {
    guard let under = fraction.under else { return fraction.over }
    return try quotient(fraction.over, under, place)
  }

  private func product(_ node: Node) throws(EvaluationError) -> Fraction? {
    var left = try factor(child(node, 0))
    var index = 1
    while index < Int(node.count) {
      let place = child(node, index + 1)
      let right = try factor(place)
      if let a = left, let b = right {
        left = try apply(child(node, index), a, b, place)
      } else {
        left = nil
      }
      index += 2
    }
    return left
  }

  /// A part of a product, which may be a product in parentheses.
  private func factor(_ at: Int32) throws(EvaluationError) -> Fraction? {
    let node = node(at)
    let found: Fraction?
    if node.kind == .negate {
      steps += 1
      found = try factor(child(node, 0)).map { Fraction(over: $0.over.negated(), under: $0.under) }
    } else if node.isProduct(program) {
      steps += 1
      found = try product(node)
    } else {
      return try number(at).map { Fraction(over: $0) }
    }
    if steps > settings.maxSteps { throw Self.tooManySteps }
    guard let found else {
      _ = try number(.null, at)
      return nil
    }
    if trace != nil { note(node, .init(try single(found, at))) }
    return found
  }

  private func apply(
    _ symbol: Int32, _ a: Fraction, _ b: Fraction, _ place: Int32
  ) throws(EvaluationError) -> Fraction? {
    let operation = Arithmetic(rawValue: symbol)
    if operation == .multiply, a.under != nil || b.under != nil {
      if let product = a.times(b) { return product }
    } else if operation == .divide {
      if b.over.isZero {
        _ = try zeroDivisor(place)
        return nil
      }
      if let quotient = a.times(b.inverse) { return quotient }
    }
    // Too long for that, or nothing that a fraction makes exacter.
    guard let left = try single(a, place), let right = try single(b, place) else { return nil }
    return try apply(symbol, left, right, place).map { Fraction(over: $0) }
  }
}
