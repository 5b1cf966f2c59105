import JSON

// A bill that is written while its fields are mapped, without a tree.
extension MappingRun {
  /// The bill's number and body; nil when anything is wrong with it: the first wrong field ends it, no rule is looked at then.
  mutating func written(
    _ fields: [FieldDescriptor], _ plan: DirectPlan, _ amounts: AmountRule?
  ) -> (number: String, body: [UInt8])? {
    var bill = DirectBill()
    bill.body.open(UInt8(ascii: "{"))
    bill.body.append(writtenKey: Self.data)
    bill.body.open(UInt8(ascii: "{"))
    write(fields, to: &bill)
    bill.body.close(UInt8(ascii: "}"))
    bill.body.close(UInt8(ascii: "}"))
    // Larger than this the values alone may be; whether they are the long way tells.
    guard !bill.isGivenUp, bill.body.count <= Self.mostBytes else { return nil }
    if let amounts { check(amounts) }
    guard list.count == 0, holds(plan, amounts, bill), list.count == 0,
      let number = bill.seen.first(where: { $0.slot == plan.number })?.value.keyText, !trimmed(number).isEmpty
    else { return nil }
    return (number, bill.body.bytes)
  }

  /// Never freed.
  nonisolated(unsafe) private static let data: UnsafeBufferPointer<UInt8> = {
    let bytes = JSONBody.written(key: "Data")
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    return UnsafeBufferPointer(copy)
  }()

  private mutating func write(_ fields: [FieldDescriptor], to bill: inout DirectBill) {
    // The fields are the strategy's, which outlives the run: they are not counted for each order.
    fields.withUnsafeBufferPointer { fields in
      fields.withMemoryRebound(to: Unmanaged<FieldDescriptor>.self) { fields in
        for field in fields { field._withUnsafeGuaranteedRef { write($0, to: &bill) } }
      }
    }
  }

  private mutating func write(_ field: FieldDescriptor, to bill: inout DirectBill) {
    if field.written.count > 0, !field.isWatched { return bill.body.append(written: field.written) }
    switch field.kind {
    case .scalar(let scalar):
      // What stands behind such a value need not be made.
      if bill.body.count > Self.mostBytes { bill.isGivenUp = true }
      guard !bill.isGivenUp else { return }
      guard let value = value(of: field, scalar) else {
        // A field that is left out, or a wrong one: then nothing more is made.
        if list.count > 0 { bill.isGivenUp = true }
        return
      }
      bill.body.append(writtenKey: field.writtenKey)
      bill.body.append(value)
      if field.slot >= 0 { bill.seen.append(DirectBill.Seen(slot: field.slot, line: bill.line, value: value)) }
    case .object(let children):
      let mark = bill.body.mark
      bill.body.append(writtenKey: field.writtenKey)
      if writeObject(field, children, to: &bill) { return }
      bill.body.cut(to: mark)
    case .array(nil, let children):
      bill.body.append(writtenKey: field.writtenKey)
      bill.body.open(UInt8(ascii: "["))
      enter(row: 0, &bill)
      _ = writeObject(field, children, to: &bill)
      leaveRow(&bill)
      bill.body.close(UInt8(ascii: "]"))
    case .array(let list?, let children):
      bill.body.append(writtenKey: field.writtenKey)
      bill.body.open(UInt8(ascii: "["))
      if reader.strayKind(of: list) != nil || field.rules.missing != nil && reader.rowCount(of: list) == 0 {
        bill.isGivenUp = true
      }
      reader.forEachRow(of: list) { position in
        if reader.strayRow != nil { bill.isGivenUp = true }
        if bill.isGivenUp { return }
        enter(row: position, &bill)
        bill.body.open(UInt8(ascii: "{"))
        write(children, to: &bill)
        bill.body.close(UInt8(ascii: "}"))
        leaveRow(&bill)
      }
      bill.body.close(UInt8(ascii: "]"))
    }
  }

  /// Whether it has members; one that must have some and has none gives the bill up.
  private mutating func writeObject(
    _ field: FieldDescriptor, _ children: [FieldDescriptor], to bill: inout DirectBill
  ) -> Bool {
    bill.body.open(UInt8(ascii: "{"))
    let start = bill.body.count
    write(children, to: &bill)
    let hasMembers = bill.body.count > start
    bill.body.close(UInt8(ascii: "}"))
    if !hasMembers, field.rules.missing != nil { bill.isGivenUp = true }
    return hasMembers
  }

  private mutating func enter(row: Int, _ bill: inout DirectBill) {
    around.append(.row(row))
    if bill.depth == 0 { bill.line = row }
    bill.depth += 1
  }

  private mutating func leaveRow(_ bill: inout DirectBill) {
    around.removeLast()
    bill.depth -= 1
  }

  // MARK: Rules

  /// Whether all rules on the bill let it through; what they note is noted.
  private mutating func holds(_ plan: DirectPlan, _ amounts: AmountRule?, _ bill: DirectBill) -> Bool {
    for residual in plan.residuals where !holds(residual, bill) { return false }
    for range in plan.ranges where !holds(range, bill) { return false }
    if let amounts, let slot = plan.amount, let path = amounts.bill {
      check(amounts, bill: path) { () throws(ValueError) in try bill.sum(slot, times: nil, path.text) }
    }
    for plausible in plan.plausible {
      check(plausible.rule) { () throws(ValueError) in
        try bill.sum(plausible.sum, times: plausible.times, plausible.rule.sum.text)
      }
    }
    return true
  }

  private mutating func holds(_ residual: DirectPlan.Residual, _ bill: DirectBill) -> Bool {
    let rule = residual.rule
    var line = -1
    var found: (quantity: ExactDecimal?, price: ExactDecimal?, amount: ExactDecimal?)
    do throws(ValueError) {
      for place in bill.seen.indices {
        let slot = bill.seen[place].slot
        guard slot == residual.quantity || slot == residual.price || slot == residual.amount else { continue }
        let entry = bill.seen[place]
        if entry.line != line {
          guard try holds(rule, found, line) else { return false }
          (line, found) = (entry.line, (nil, nil, nil))
        }
        let number = try TargetField.number(entry.value, rule.product)
        if slot == residual.quantity { found.quantity = number }
        if slot == residual.price { found.price = number }
        if slot == residual.amount { found.amount = number }
      }
      return try holds(rule, found, line)
    } catch { return false }
  }

  /// Whether a line can be checked; what is wrong with it then is among the failures.
  private mutating func holds(
    _ rule: ResidualRule, _ found: (quantity: ExactDecimal?, price: ExactDecimal?, amount: ExactDecimal?), _ line: Int
  ) throws(ValueError) -> Bool {
    if let quantity = found.quantity, let price = found.price, let amount = found.amount {
      try check(rule, quantity, price, amount) {
        TargetPlace.member(.element(.member(.document, rule.lines.text), line), rule.price.name).text
      }
      return true
    }
    // A line of text has none of them.
    return found.quantity == nil && found.price == nil && found.amount == nil
  }

  private func holds(_ range: DirectPlan.Range, _ bill: DirectBill) -> Bool {
    let rule = range.rule
    for condition in range.conditions {
      let isMet = bill.seen.contains { $0.slot == condition.field && RangeRule.has($0.value, condition.texts) }
      if !isMet { return true }
    }
    do throws(ValueError) {
      for place in bill.seen.indices where bill.seen[place].slot == range.field {
        let number = try TargetField.number(bill.seen[place].value, rule.name)
        if let number, rule.trouble(number) != nil { return false }
      }
      return true
    } catch { return false }
  }
}
