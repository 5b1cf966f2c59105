import JSON

// The rule that an order's amount is the sum of its lines.
extension MappingRun {
  mutating func check(_ rule: AmountRule) {
    do throws(ValueError) {
      if rule.costs == .hold, let additions = rule.additions, let costs = try optionalNumber(additions), !costs.isZero {
        let sentence =
          "\(reader.name(of: additions)) is not 0: \(reader.name(of: rule.order)) holds costs beside \(rule.lines.name)"
        fail(.amountMismatch, { "" }, sentence, [rule.order, additions].map(reader.name))
        return
      }
      if try difference(stated(rule), rule).magnitude > rule.tolerance {
        let sentence = "\(reader.name(of: rule.order)) differs from the sum of \(reader.name(of: rule.line))"
        fail(.amountMismatch, { "" }, sentence, [rule.order, rule.line].map(reader.name))
      }
    } catch {
      // The rule reads the order's own fields: no formula of the bill stands in for them.
      let remedy =
        "Correct the field in OKKI, or let «ferry.amounts» name the fields in which your orders have their amounts."
      fail(error.code, { "" }, error.sentence, [rule.order, rule.line].map(reader.name), remedy: remedy)
    }
  }

  /// What the order says that its lines come to.
  func stated(_ rule: AmountRule) throws(ValueError) -> ExactDecimal {
    let amount = try number(rule.order)
    guard rule.costs == .ignore, let additions = rule.additions, let costs = try optionalNumber(additions) else {
      return amount
    }
    return try subtract(costs, from: amount, rule)
  }

  /// The sum of the lines as they stand in the order, not rounded.
  func sum(_ rule: AmountRule) throws(ValueError) -> ExactDecimal {
    try difference(.zero, rule, isRounded: false).negated()
  }

  private func difference(_ whole: ExactDecimal, _ rule: AmountRule, isRounded: Bool = true) throws(ValueError)
    -> ExactDecimal
  {
    var result: Result<ExactDecimal, ValueError> = .success(whole)
    // Of each row one field alone.
    reader.looksForOne = true
    defer { reader.looksForOne = false }
    reader.forEachRow(of: rule.lines) { _ in
      guard case .success(let rest) = result else { return }
      do throws(ValueError) {
        var amount = try number(rule.line)
        if isRounded, let decimals = rule.decimals { amount = amount.rounded(scale: decimals) }
        result = .success(try subtract(amount, from: rest, rule))
      } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }

  private func subtract(
    _ amount: ExactDecimal, from rest: ExactDecimal, _ rule: AmountRule
  ) throws(ValueError) -> ExactDecimal {
    do throws(ArithmeticError) { return try rest.subtracting(amount) } catch {
      throw .overflow(reader.name(of: rule.line))
    }
  }

  private func number(_ operand: Int) throws(ValueError) -> ExactDecimal {
    guard let number = try optionalNumber(operand) else { throw .empty(reader.name(of: operand)) }
    return number
  }

  private func optionalNumber(_ operand: Int) throws(ValueError) -> ExactDecimal? {
    let value: Value = try reader.value(of: operand)
    if value.isBlank { return nil }
    guard let number = value.number else {
      throw .unfit(reader.name(of: operand), wanted: "a number", kind: value.kind)
    }
    return number
  }
}
