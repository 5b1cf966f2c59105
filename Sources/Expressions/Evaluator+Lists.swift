import JSON

// SUM, AVG, MIN, MAX, COUNT, GROUP_CONCAT over the rows of a list.
extension Evaluator {
  func aggregate(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    var values = try rowValues(place).filter { !$0.isNull }
    if node.option == Function.distinct { values = try distinct(values) }
    switch function {
    case .count: return .init(values.count)
    case .min, .max:
      // Among numbers an empty text would count as 0.
      if isStrict, values.contains(where: \.isNumber) {
        for value in values where !value.isTemporal { _ = try number(value, place) }
      }
      return values.isEmpty ? .null : try extreme(values, wantsLargest: function == .max) { _ in place }
    case .groupConcat: return try joined(values, node)
    default: break
    }
    guard !values.isEmpty else { return .null }
    var sum = ExactDecimal.zero
    for value in values {
      guard let number = try number(value, place) else { continue }
      guard let next = sum.plus(number) else { throw .overflow(describe(place)) }
      sum = next
    }
    if function == .sum { return .number(sum) }
    return .init(try quotient(sum, ExactDecimal(Int64(values.count)), place))
  }

  /// The argument's value in every row of the list that it reads.
  private func rowValues(_ place: Int32) throws(EvaluationError) -> [SQLValue] {
    let node = node(place)
    if node.kind == .operand {
      let values = try operands.column(of: Int(node.index)).values
      try operands.spent(values.count)
      return values
    }
    var columns: [Int: [SQLValue]] = [:]
    var list: (name: String, count: Int)?
    for operand in program.operands(below: place) {
      let column = try operands.column(of: operand)
      // What stands outside of lists is the same in every row.
      guard let name = column.list else { continue }
      let found = list ?? (name, column.values.count)
      guard found.name == name, found.count == column.values.count else {
        throw .invalid("the fields come from different lists: \(describe(place))")
      }
      list = found
      columns[operand] = column.values
    }
    rows = columns
    defer { rows = nil }
    // A long list takes many steps: each row has the bound by itself, and all of them count for the host, who bounds an order.
    let before = steps
    var untold = 0
    var values: [SQLValue] = []
    for row in 0..<(list?.count ?? 1) {
      self.row = row
      values.append(try value(place))
      untold += steps - before
      steps = before
      if untold >= settings.maxSteps {
        try operands.spent(untold)
        untold = 0
      }
    }
    try operands.spent(untold)
    return values
  }

  /// Each value once, where it stands first. Texts are the same by their collation, numbers by their value.
  private func distinct(_ values: [SQLValue]) throws(EvaluationError) -> [SQLValue] {
    try operands.spent(values.count << 2)
    let texts = values.map { value -> String in
      if case .number(let number) = value { return settled(number).normalized.description }
      return text(of: value) ?? ""
    }
    let sorted = values.indices.sorted { left, right in
      let order = Collation.compare(texts[left], texts[right])
      return order == 0 ? left < right : order < 0
    }
    var first: [Int] = []
    for place in sorted {
      if let last = first.last, Collation.compare(texts[last], texts[place]) == 0 { continue }
      first.append(place)
    }
    return first.sorted().map { values[$0] }
  }

  private func joined(_ values: [SQLValue], _ node: Node) throws(EvaluationError) -> SQLValue {
    guard !values.isEmpty else { return .null }
    try operands.spent(values.count)
    let separator = node.count > 1 ? try self.text(child(node, 1)) ?? "" : ","
    var result = ""
    for (index, value) in values.enumerated() {
      let next = text(of: value) ?? ""
      if result.utf8.count + separator.utf8.count + next.utf8.count > settings.maxTextBytes {
        try willBuild(Int.max)
      }
      if index > 0 { result += separator }
      result += next
    }
    try willBuild(result.utf8.count)
    return .text(result)
  }
}
