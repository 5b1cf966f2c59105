import JSON

/// Where a value is found, worked out when the strategy is read: mapping an order splits and joins no paths.
struct Reach: Sendable, Hashable {
  /// One step down: the first of these keys that the object has.
  struct Step: Sendable, Hashable {
    let key: String
    let others: [String]

    init(_ key: String, others: [String] = []) {
      self.key = key
      self.others = others
    }
  }

  /// Which of the rows around the field: 0 is the order, 1 the row of the outermost list.
  let level: Int
  let steps: [Step]
  /// All steps as the one key of a flattened object.
  let flatKey: String

  init(level: Int, steps: [Step]) {
    self.level = level
    self.steps = steps
    flatKey = steps.map(\.key).joined(separator: ".")
  }
}

/// The list of an array: the first place of these that has one.
struct ListReach: Sendable, Hashable {
  let name: String
  let places: [Reach]
}

/// Something that a value reads: a placeholder, or a lookup in a formula. Formulas and texts know it by its number in
/// the strategy's table. A class, since each order walks over all of them.
final class Operand: Sendable {
  enum Source: Sendable, Hashable {
    case field(Reach)
    /// A field that `formatResponse` makes of another one, which the order has under this path.
    case made(Reach, MadeField.Format, from: String)
    case variable(Variable)
    /// A lookup, by its number in the table.
    case lookup(Int)
  }

  let source: Source
  let filter: Filter?
  /// For messages: the path as the strategy writes it.
  let name: String
  let path: Path
  /// For messages, too: the name, and of a made field what it is made of, since only that stands in the order.
  var title: String {
    guard let madeFrom else { return name }
    return "\(name) (made of \(madeFrom))"
  }
  /// The order's field that a made field is made of.
  var madeFrom: String? {
    if case .made(_, _, let from) = source { return from }
    return nil
  }
  /// The list whose rows it reads, for sums over all of them; nil for what is read from the order itself.
  let list: ListReach?
  /// How many rows around the field it depends on: what it reads stays the same until that row changes.
  let level: Int
  /// Where the order has it, or what it is made of.
  let reach: Reach?
  /// The keys of the only step there, ready to be looked for.
  let keys: JSONKeys?
  /// Whether it is a field of the order as it stands.
  var isPlain: Bool {
    if case .field = source, filter == nil { return true }
    return false
  }

  init(_ source: Source, filter: Filter?, name: String, path: Path, list: ListReach?, level: Int) {
    self.source = source
    self.filter = filter
    self.name = name
    self.path = path
    self.list = list
    self.level = level
    switch source {
    case .field(let reach), .made(let reach, _, _): self.reach = reach
    case .variable, .lookup: reach = nil
    }
    if let reach, reach.level == level, reach.steps.count == 1, let step = reach.steps.first {
      keys = JSONKeys([step.key] + step.others)
    } else {
      keys = nil
    }
  }
}
