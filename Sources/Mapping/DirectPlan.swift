import JSON

/// What is needed to write a strategy's bills while they are mapped: which fields the rules on the bill read, so that their
/// values are kept, by a number, and no tree of the bill is made. Known when the strategy is read.
///
/// Only for bills with which nothing is wrong: whatever a rule would tell is left to the long way (`BillDraft`).
final class DirectPlan: Sendable {
  struct Residual: Sendable {
    let rule: ResidualRule
    let quantity, price, amount: Int
  }

  struct Plausible: Sendable {
    let rule: PlausibleRule
    let sum: Int
    let times: Int?
  }

  struct Range: Sendable {
    let rule: RangeRule
    let field: Int
    let conditions: [(field: Int, texts: [String])]
  }

  /// The bill's number.
  let number: Int
  let residuals: [Residual]
  let ranges: [Range]
  let plausible: [Plausible]
  /// The field whose values must add up to the order's amount.
  let amount: Int?

  /// Nil where the strategy does something with whole bills that needs them as a tree: a calendar, which changes them, or a parser
  /// of a field with children; and where a path does not lead to one field alone.
  init?(_ fields: [FieldDescriptor], _ key: Path, _ amounts: AmountRule?, _ rules: BillRules?) {
    guard rules?.calendar == nil, !Self.hasParsers(fields) else { return nil }
    var watching = Watching(fields: fields)
    number = watching.slot(key.segments, through: .single)
    amount = amounts?.bill.map { watching.slot($0.segments, through: .anything) }
    residuals = (rules?.residuals ?? []).map { rule in
      func slot(_ field: ResidualRule.Field) -> Int {
        watching.slot(rule.lines.segments + field.path.segments, through: .lines)
      }
      return Residual(
        rule: rule, quantity: slot(rule.quantity), price: slot(rule.price), amount: slot(rule.amount))
    }
    ranges = (rules?.ranges ?? []).map { rule in
      Range(
        rule: rule, field: watching.slot(rule.field.segments, through: .anything),
        conditions: rule.conditions.map { (watching.slot($0.field.segments, through: .anything), $0.texts) })
    }
    plausible = (rules?.plausible ?? []).map { rule in
      Plausible(
        rule: rule, sum: watching.slot(rule.sum.segments, through: .anything),
        times: rule.times.map { watching.slot($0.segments, through: .anything) })
    }
    // Residuals are told by the line.
    guard !watching.isLost, residuals.allSatisfy({ $0.rule.lines.segments.count == 1 }) else { return nil }
  }

  private static func hasParsers(_ fields: [FieldDescriptor]) -> Bool {
    fields.contains { field in
      switch field.kind {
      case .scalar: false
      case .object(let children), .array(_, let children): field.parser != nil || hasParsers(children)
      }
    }
  }

  /// Gives the fields that are read their numbers.
  private struct Watching {
    /// What may lie on the way to a field.
    enum Way {
      /// Objects and arrays.
      case anything
      /// As before, but no array of several rows.
      case single
      /// An array, then objects alone.
      case lines
    }

    let fields: [FieldDescriptor]
    var slots: [ObjectIdentifier: Int] = [:]
    /// Whether a path did not lead to one field.
    var isLost = false

    mutating func slot(_ path: [String], through way: Way) -> Int {
      var level = fields
      var passed: [FieldDescriptor] = []
      for (position, name) in path.enumerated() {
        let found = level.filter { $0.field == name }
        guard found.count == 1, let field = found.first else { break }
        switch field.kind {
        case .scalar:
          guard position == path.count - 1, field.parser == nil else {
            isLost = true
            return -1
          }
          if let slot = slots[ObjectIdentifier(field)] { return slot }
          let slot = slots.count
          field.watch(as: slot, inside: passed)
          slots[ObjectIdentifier(field)] = slot
          return slot
        case .object(let children):
          passed.append(field)
          level = way == .lines && position == 0 ? [] : children
        case .array(let list, let children):
          passed.append(field)
          let mayPass =
            switch way {
            case .anything: true
            case .single: list == nil
            case .lines: position == 0
            }
          level = mayPass ? children : []
        }
      }
      isLost = true
      return -1
    }
  }
}

/// A bill that is being written, and what the rules on it will read.
struct DirectBill {
  /// A value of a field that has a number.
  struct Seen {
    let slot: Int
    /// The row of the outermost array that it stands in, from 0.
    let line: Int
    let value: JSONTree
  }

  let body = JSONBody(reserving: 4096)
  var seen: [Seen] = []
  /// The row of the outermost array.
  var line = 0
  /// How many arrays lie around.
  var depth = 0
  /// Something is wrong, and the long way tells what.
  var isGivenUp = false

  init() { seen.reserveCapacity(64) }

  func sum(_ slot: Int, times factor: Int?, _ name: String) throws(ValueError) -> ExactDecimal {
    var sum = ExactDecimal.zero
    var times: ExactDecimal?
    if let factor {
      guard let first = seen.first(where: { $0.slot == factor }), let number = try TargetField.number(first.value, name)
      else { throw .empty(name) }
      times = number
    }
    for place in seen.indices where seen[place].slot == slot {
      guard let number = try TargetField.number(seen[place].value, name) else { continue }
      do throws(ArithmeticError) {
        sum = try sum.adding(times.map { times throws(ArithmeticError) in try number.multiplied(by: times) } ?? number)
      } catch { throw .overflow(name) }
    }
    return sum
  }
}
