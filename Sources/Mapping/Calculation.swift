import JSON

/// One entry of `groupCalculate`'s `calculate`: what becomes of a field whose records become one
/// (mapping-language.md §11). Exact decimals throughout.
struct Calculation: Sendable {
  enum Operation: String, Sendable, CaseIterable {
    case sum
    case average = "avg"
    case minimum = "min"
    case maximum = "max"
    case push
    case addToSet
    case first
    case last

    /// Reads `$sum`, or `sum`.
    init?(name: String) {
      let name = name.hasPrefix("$") ? String(name.dropFirst()) : name
      guard let known = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
        return nil
      }
      self = known
    }
  }

  let field: FieldName
  let operation: Operation
  /// Whether the field comes from the rows: one of the order's head is counted once, however many rows repeat it.
  let isOfRow: Bool

  /// A value with the place of its row, for messages.
  typealias Entry = (row: Int, cell: Cell?)

  /// The calculated value; nil for nothing.
  /// - Throws: the error of the first value that is no number where one is needed.
  func result(_ entries: [Entry]) throws(ValueError) -> Cell? {
    switch operation {
    case .first: return entries.first?.cell
    case .last: return entries.last?.cell
    default: break
    }
    let present = entries.filter { $0.cell.map { !$0.identity.isEmpty } ?? false }
    if present.isEmpty { return nil }
    switch operation {
    case .sum: return .made(.number(try sum(present)))
    case .average:
      let sum = try sum(present)
      do throws(ArithmeticError) {
        return .made(.number(try sum.divided(by: ExactDecimal(Int64(present.count)))))
      } catch { throw .overflow(field.text) }
    case .minimum, .maximum: return try extreme(present)
    case .push: return .list(present.compactMap(\.cell))
    case .addToSet:
      var seen: Set<String> = []
      return .list(present.compactMap(\.cell).filter { seen.insert($0.identity).inserted })
    case .first, .last: return nil
    }
  }

  /// A sum over rows of which some say nothing is not the sum of the rows.
  /// - Throws: the error of the first row without a value, where others have one.
  func refuseGaps(_ entries: [Entry]) throws(ValueError) {
    let empty = entries.filter { $0.cell.map { $0.identity.isEmpty } ?? true }
    if let first = empty.first, empty.count < entries.count { throw .empty("\(field.text) of row \(first.row + 1)") }
  }

  private func sum(_ entries: [Entry]) throws(ValueError) -> ExactDecimal {
    var sum = ExactDecimal.zero
    for entry in entries {
      let number = try number(entry)
      do throws(ArithmeticError) { sum = try sum.adding(number) } catch { throw .overflow(field.text) }
    }
    return sum
  }

  private func number(_ entry: Entry) throws(ValueError) -> ExactDecimal {
    let value = try entry.cell?.value(field.text) ?? .nothing
    if case .bool = value {} else if let number = value.number { return number }
    throw .unfit("\(field.text) of row \(entry.row + 1)", wanted: "a number", kind: value.kind)
  }

  /// Numbers by their value when all are numbers, texts such as dates by their characters.
  private func extreme(_ entries: [Entry]) throws(ValueError) -> Cell? {
    var values: [(value: Value, cell: Cell?)] = []
    for entry in entries {
      let value = try entry.cell?.value(field.text) ?? .nothing
      if case .structure = value {
        throw .unfit("\(field.text) of row \(entry.row + 1)", wanted: "a number or a text", kind: value.kind)
      }
      values.append((value, entry.cell))
    }
    let numbers = values.compactMap(\.value.number)
    let areNumbers = numbers.count == values.count
    var best = 0
    for place in values.indices.dropFirst() {
      let isLess =
        areNumbers ? numbers[place] < numbers[best] : values[place].value.text < values[best].value.text
      let isGreater =
        areNumbers ? numbers[place] > numbers[best] : values[place].value.text > values[best].value.text
      if operation == .minimum ? isLess : isGreater { best = place }
    }
    return values[best].cell
  }
}
