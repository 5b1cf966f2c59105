import JSON

/// What the values of one document read: grows while the document is read, then answers by number.
struct OperandTable: Sendable {
  private(set) var operands: [Operand] = []
  private(set) var lookups: [Lookup] = []
  /// The lists whose rows the fields being read are for, outermost first.
  private(set) var levels: [ListLevel] = []
  /// The clock that moments are written by.
  var zone = Zone()
  /// Of each level of rows the fields that are read there; none as long as more may come.
  private(set) var fields: [JSONFields] = []
  /// Of each operand its number among its level's fields; below 0: none.
  private(set) var fieldNumbers: [Int] = []
  /// The most lists that lie within each other.
  private(set) var depth = 0
  private var reaches: [ListReach] = []
  /// By the last part of their names, last rule first.
  private let made: [String: [MadeField]]
  private var known: [Identity: Int] = [:]
  /// A number of its own for each array: two arrays side by side have the same level and other rows.
  private var places: [Int] = [0]
  private var arrays = 0
  /// Parts of formulas that others may repeat: what each depends on, and how often it stands.
  private var shares: [Share] = []
  private var shareNumbers: [String: Int] = [:]
  /// Of each part the place of its value among those that are remembered, the first of one for each way in which it is
  /// reckoned; or below 0.
  private(set) var remembered: [Int] = []
  /// Of each value that is remembered, how many rows around the field it depends on.
  private(set) var rememberedLevels: [Int] = []

  private struct Share {
    let level: Int
    /// It stands in a deeper row than it depends on, or more than once.
    var isRepeated: Bool
    /// In how many ways it may be reckoned.
    let variants: Int
  }

  private struct Identity: Hashable {
    let place: Int
    let name: String
    let source: Operand.Source
    let filter: Filter?
  }

  init(made: [MadeField] = []) {
    self.made = Dictionary(grouping: made.reversed()) { $0.name.segments.last ?? "" }
  }

  // MARK: Lists

  mutating func enter(_ level: ListLevel, _ reach: ListReach) {
    levels.append(level)
    depth = max(depth, levels.count)
    reaches.append(reach)
    arrays += 1
    places.append(arrays)
  }

  mutating func leave() {
    levels.removeLast()
    reaches.removeLast()
    places.removeLast()
  }

  /// Where an array's list lies: through the rows around it, in the order, or in a row around it under its bare name.
  func list(_ path: Path) -> ListReach {
    let rows = levels.indices.reversed().map { index in
      (level: index + 1, rest: levels[index].remainder(of: path), list: levels[index])
    }
    if let row = rows.first(where: { $0.rest != nil }), let rest = row.rest {
      return ListReach(name: path.text, places: [Reach(level: row.level, steps: Self.steps(rest, in: row.list))])
    }
    let head = Reach(level: 0, steps: Self.steps(path.segments[...], in: nil))
    return ListReach(
      name: path.text,
      places: [head] + rows.map { Reach(level: $0.level, steps: Self.steps(path.segments[...], in: $0.list)) })
  }

  private static func steps(_ segments: ArraySlice<String>, in list: ListLevel?) -> [Reach.Step] {
    var before: String?
    return segments.enumerated().map { position, key in
      defer { before = key }
      if position == 0, let list { return Reach.Step(key, others: list.otherSpellings(of: key)) }
      // Rows of a list may have its name before theirs (mapping-language.md §5.2), from outside of it, too.
      guard let marker = before.map({ $0 + "_" }), key.hasPrefix(marker), key.count > marker.count else {
        return Reach.Step(key, others: [])
      }
      return Reach.Step(key, others: [String(key.dropFirst(marker.count))])
    }
  }

  // MARK: Operands

  /// Reads the placeholder at the start of the text; returns its number and what follows it.
  mutating func placeholder(_ text: Substring) throws(Template.Malformed) -> (operand: Int, rest: Substring) {
    let (placeholder, rest) = try Template.placeholder(text)
    return (operand(placeholder), rest)
  }

  /// Reads a lookup that stands in a formula, without its `_endFind`.
  mutating func lookup(_ text: Substring) throws(Template.Malformed) -> Int {
    let lookup = try Lookup(trimmed(text), operands: &self)
    let number = add(lookup)
    // It depends on the innermost row that its keys read.
    let level = lookup.operands.map { operands[$0].level }.max() ?? 0
    return intern(.lookup(number), nil, name: lookup.name(operands), path: lookup.field, list: nil, level: level)
  }

  mutating func add(_ lookup: Lookup) -> Int {
    lookups.append(lookup)
    return lookups.count - 1
  }

  /// A field that a rule of Ferry's own reads.
  mutating func field(_ path: Path) -> Int { operand(Template.Placeholder(path: path, filter: nil)) }

  private mutating func operand(_ placeholder: Template.Placeholder) -> Int {
    let path = placeholder.path
    if path.segments.count == 1, let variable = Variable(path.segments[0]) {
      return intern(.variable(variable), placeholder.filter, name: path.text, path: path, list: nil, level: 0)
    }
    for index in levels.indices.reversed() {
      guard let rest = levels[index].remainder(of: path) else { continue }
      let steps = Self.steps(rest, in: levels[index])
      let source =
        madeSource(rest, steps, in: levels[index], index + 1) ?? .field(Reach(level: index + 1, steps: steps))
      return intern(
        source, placeholder.filter, name: path.text, path: path, list: reaches[index], level: index + 1)
    }
    let steps = Self.steps(path.segments[...], in: nil)
    let source = madeSource(path) ?? .field(Reach(level: 0, steps: steps))
    return intern(source, placeholder.filter, name: path.text, path: path, list: nil, level: 0)
  }

  private mutating func intern(
    _ source: Operand.Source, _ filter: Filter?, name: String, path: Path, list: ListReach?, level: Int
  ) -> Int {
    let identity = Identity(place: places[level], name: name, source: source, filter: filter)
    if let number = known[identity] { return number }
    operands.append(Operand(source, filter: filter, name: name, path: path, list: list, level: level))
    known[identity] = operands.count - 1
    return operands.count - 1
  }

  // MARK: Parts of formulas

  /// The number of a part of a formula, the same for the same part.
  /// - Parameter overRows: it reads all rows of the lists, so it depends on the row around them.
  mutating func share(_ text: String, _ parts: [Int], overRows: Bool) -> Int {
    let level =
      parts.map { overRows && operands[$0].list != nil ? operands[$0].level - 1 : operands[$0].level }.max() ?? 0
    let key = "\(parts)\(text)"
    if let number = shareNumbers[key] {
      shares[number].isRepeated = true
      return number
    }
    shareNumbers[key] = shares.count
    shares.append(Share(level: level, isRepeated: level < levels.count, variants: overRows ? 4 : 1))
    remembered.append(-1)
    return shares.count - 1
  }

  /// Once all formulas are read: parts that stand only once need not be remembered.
  mutating func settleShares() {
    rememberedLevels = []
    remembered = shares.map { share in
      guard share.isRepeated else { return -1 }
      rememberedLevels += Array(repeating: share.level, count: share.variants)
      return rememberedLevels.count - share.variants
    }
  }

  /// Once nothing more is added: fields are then found together, all those of a row in one walk.
  mutating func settleFields() {
    var keys = [[[String]]](repeating: [], count: depth + 1)
    fieldNumbers = operands.map { operand in
      guard operand.keys != nil, let step = operand.reach?.steps.first, operand.level <= depth else { return -1 }
      keys[operand.level].append([step.key] + step.others)
      return keys[operand.level].count - 1
    }
    fields = keys.map { JSONFields($0) }
  }

  // MARK: Fields that formatResponse makes

  /// A made field wins over the order's own. It stands at the order's head, and also beside what it was made of.
  private func madeSource(_ path: Path) -> Operand.Source? {
    let field = made[path.segments.last ?? ""]?.first { field in
      field.name == path || Path(segments: field.from.segments.dropLast() + field.name.segments) == path
    }
    return field.map {
      .made(Reach(level: 0, steps: Self.steps($0.from.segments[...], in: nil)), $0.format, from: $0.from.text)
    }
  }

  /// In a list's rows: `{"old": "lines.price", "new": "new_price"}` is read as `lines.new_price`.
  private func madeSource(
    _ rest: ArraySlice<String>, _ steps: [Reach.Step], in list: ListLevel, _ level: Int
  ) -> Operand.Source? {
    guard rest.count == 1, let step = steps.first else { return nil }
    for field in ([step.key] + step.others).lazy.flatMap({ made[$0] ?? [] }) {
      guard let from = list.remainder(of: field.from) else { continue }
      let name = (list.remainder(of: field.name) ?? field.name.segments[...]).joined(separator: ".")
      guard step.key == name || step.others.contains(name) else { continue }
      return .made(Reach(level: level, steps: Self.steps(from, in: list)), field.format, from: field.from.text)
    }
    return nil
  }
}
