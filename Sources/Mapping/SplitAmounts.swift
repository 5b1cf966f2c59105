import JSON

/// The amounts of an order's lines where the order is taken apart: its documents must come to the sum of its lines, or
/// grouping has left some of it out or counted it twice.
struct SplitAmounts: Sendable {
  private let rule: AmountRule.Names
  private let splitting: Splitting
  /// Where a record has the line's amount: a key of its own when the list was flattened.
  private let flat: Path

  init(_ rule: AmountRule.Names, _ splitting: Splitting) {
    self.rule = rule
    self.splitting = splitting
    let rest = rule.line.segments.dropFirst(rule.lines.segments.count)
    let key = (rule.lines.segments + rest.prefix(1)).joined(separator: "_")
    flat = Path(segments: [key] + rest.dropFirst())
  }

  // MARK: Before an order comes

  /// Tells what grouping does to the amount.
  func check(_ target: JSONValue, _ problems: inout ProblemList) {
    if nested.contains(where: { $0.contains(".") || $0.hasPrefix(prefix + "_") }) {
      problems.warn(
        "beatFlat repeats «\(rule.line.text)» in the records of the lists in its rows: such documents are not held "
          + "against the order's lines", at: "ferry.amounts", target["ferry"]?["amounts"])
    }
    guard let grouping = splitting.grouping, let rows = grouping.body ?? grouping.bodyKept else { return }
    let value = target[grouping.key]
    if let calculation = grouping.calculations.first(where: { isAmount($0.field) }) {
      if grouping.body != nil, calculation.operation != .sum {
        problems.warn(
          "is an order's amount: rows that become one keep it only with $sum; an order whose documents come to another "
            + "sum is held", at: "\(grouping.key).calculate.\(excerpt(calculation.field.text))",
          value?["calculate"]?[calculation.field.text])
      }
    } else if !(rows + grouping.header + grouping.kept).contains(where: isAmount) {
      problems.warn(
        "loses «\(rule.line.text)», so the documents cannot be held against the order: calculate it with $sum",
        at: grouping.key, value)
    }
  }

  private func isAmount(_ field: FieldName) -> Bool {
    field.path.segments == flat.segments || field.path.segments == rule.line.segments
  }

  private var prefix: String { rule.lines.segments.joined(separator: "_") }

  /// The lists that are flattened besides the lines; they may lie in them.
  private var nested: [String] {
    splitting.flattening.lists.filter { ![prefix, rule.lines.text].contains($0) }
      .map { $0.hasPrefix(rule.lines.text + ".") || $0.hasPrefix(prefix + "_") || !$0.contains(".") ? $0 : "" }
      .filter { !$0.isEmpty }
  }

  // MARK: When one has come

  /// Whether records repeat a line's amount: a row with several rows of its own is in the record of each.
  func repeats(_ line: JSONValue) -> Bool {
    nested.contains { name in
      let key = name.split(whereSeparator: { $0 == "." }).last.map(String.init) ?? name
      let bare = key.hasPrefix(prefix + "_") ? String(key.dropFirst(prefix.count + 1)) : key
      return [key, bare].contains { line[$0].map { $0.kind == .array && $0.count > 1 } ?? false }
    }
  }

  /// What a document comes to; nil when it has no such amount.
  /// - Throws: `ValueError` for an amount that is no number.
  func sum(of document: JSONValue) throws(ValueError) -> ExactDecimal? {
    if let name = splitting.grouping?.bodyName, let rows = document[name], rows.kind == .array,
      let sum = try sum(Array(rows.elements), [flat.segments, rule.line.segments])
    {
      return sum
    }
    if let sum = try sum([document], [flat.segments]) { return sum }
    var list: JSONValue? = document
    for segment in rule.lines.segments { list = list?[segment] }
    guard let list, list.kind == .array || list.kind == .object else { return nil }
    let rest = Array(rule.line.segments.dropFirst(rule.lines.segments.count))
    return try sum(
      list.kind == .array ? Array(list.elements) : [list], [rest, ["\(prefix)_\(rest[0])"] + rest.dropFirst()])
  }

  private func sum(_ rows: [JSONValue], _ paths: [[String]]) throws(ValueError) -> ExactDecimal? {
    var sum: ExactDecimal?
    for row in rows {
      guard let value = Self.value(paths, row), !value.isNull, value.string.map({ !trimmed($0).isEmpty }) ?? true else {
        continue
      }
      guard let number = value.text.flatMap({ ExactDecimal(trimmed($0)) }) else {
        throw .unfit(rule.line.text, wanted: "a number", kind: "a \(value.kind)")
      }
      do throws(ArithmeticError) { sum = try (sum ?? .zero).adding(number) } catch { throw .overflow(rule.line.text) }
    }
    return sum
  }

  private static func value(_ paths: [[String]], _ row: JSONValue) -> JSONValue? {
    for path in paths {
      var value: JSONValue? = row
      for segment in path { value = value?[segment] }
      if let value { return value }
    }
    return nil
  }
}

extension MappingRun {
  /// Holds an order's documents against its lines; the run reads the order itself. Sums are exact, so they must agree.
  mutating func check(_ rule: AmountRule, _ amounts: SplitAmounts, in documents: [JSONDocument]) {
    let name = reader.name(of: rule.line)
    do throws(ValueError) {
      if reader.rows(of: rule.lines).contains(where: amounts.repeats) { return }
      var sum: ExactDecimal?
      for document in documents {
        guard let part = try amounts.sum(of: document.root) else { continue }
        do throws(ArithmeticError) { sum = try (sum ?? .zero).adding(part) } catch { throw .overflow(name) }
      }
      // Grouping that loses the amount is told by the check.
      guard let sum, try sum != self.sum(rule) else { return }
      let sentence = "the order's documents come to another sum of \(name) than its lines"
      fail(
        .amountMismatch, { "" }, sentence, [name],
        remedy: "Let the strategy add \(name) up with $sum, or keep the rows apart.")
    } catch { fail(error.code, { "" }, error.sentence, [name]) }
  }
}
