import JSON

/// How one order becomes records: the source's `beatFlat` and its `operation` `splitArray` (mapping-language.md §8).
///
/// A row of a list that is flattened becomes a record of its own: `{"no":1,"lines":[{"q":2}]}` is `{"no":1,"lines_q":2}`.
/// A list in the rows of a flattened list is flattened inside the row's records. Lists side by side are flattened one
/// after the other: each row of either makes one record, never each pair of rows. A list without rows makes no record,
/// and an order without any row stays one record: what then lacks in its document is told when it is mapped.
struct Flattening: Sendable {
  /// Most records of one order.
  static let limit = 20_000

  /// Names of lists: `lines`; a list in its rows as `lines.parts`, `lines_parts` or `parts`.
  var lists: [String] = []
  /// The list that `splitArray` takes apart: each element stands in its own record under the list's name.
  var arrayKey: String?
  /// The source's `id` and `number`: names of fields.
  var id: String?
  var number: String?

  /// The fields of an order's number with the row's number behind it, which published strategies read as the number of
  /// a bill (T:67192143).
  static let rowNumber = "bfn_num"

  /// Whether a field comes from a row rather than from the order's head.
  func isOfRow(_ field: FieldName) -> Bool {
    prefixes.contains { field.text == $0 || field.text.hasPrefix($0 + "_") || field.text.hasPrefix($0 + ".") }
  }

  /// What the keys of rows begin with.
  var prefixes: [String] { lists.map { $0.replacing(".", with: "_") } + [arrayKey].compactMap { $0 } }

  /// The records of an order.
  /// - Parameters:
  ///   - made: the source's fields that are made of rows.
  func records(of order: JSONValue, made: [MadeField]) throws(MappingFailures) -> (Record.Head, [Record]) {
    var run = FlatteningRun(lists: lists, made: made)
    try run.start(order, arrayKey: arrayKey)
    return (run.head, run.records)
  }
}

/// One order being flattened.
private struct FlatteningRun {
  private(set) var head = Record.Head()
  private(set) var records: [Record] = []
  private let made: [MadeField]
  /// How many elements of lists have been read.
  private var elements = 0
  /// The lists that have not been found yet, in order.
  private let lists: [String]
  /// Flattened keys: a list's rows have the same ones again and again.
  private var keys: [String: [String: String]] = [:]

  /// A list that was found.
  private struct Found {
    /// Its place among `lists`; nil for one that only leads to another.
    let number: Int?
    /// What its rows' keys begin with.
    let prefix: String
    /// Its path as `formatResponse` names it.
    let path: [String]
    let rows: [JSONValue]
  }

  init(lists: [String], made: [MadeField]) {
    self.lists = lists
    self.made = made
  }

  mutating func start(_ order: JSONValue, arrayKey: String?) throws(MappingFailures) {
    let found = roots(order, except: arrayKey)
    let gone = Set(found.filter { $0.path.count == 1 }.map(\.prefix) + [arrayKey].compactMap { $0 })
    for (key, value) in order.members where !gone.contains(key) { head.append(Cell.Member(key, .read(value))) }
    let left = lists.indices.filter { number in !found.contains { $0.number == number } }
    if let arrayKey {
      try split(order, arrayKey, left)
      // Lists beside it come after it, like lists side by side.
      if found.allSatisfy(\.rows.isEmpty) { return }
    }
    try expand(found, [], left)
  }

  private mutating func split(_ order: JSONValue, _ arrayKey: String, _ left: [Int]) throws(MappingFailures) {
    let elements = order[arrayKey].flatMap(Self.rows) ?? []
    if elements.isEmpty {
      let sentence = "\(arrayKey) has no rows, so splitArray makes nothing of the order"
      let remedy = "Give \(arrayKey) a row in OKKI; where it has some, see which rows the strategy's «condition» drops."
      throw MappingFailures(
        failures: [MappingFailure(.fieldMissing, target: "", sources: [arrayKey], sentence, remedy: remedy)])
    }
    for element in elements { try nested([Cell.Member(arrayKey, .read(element))], prefix: "", path: [], left) }
  }

  /// The lists that stand in the order itself.
  private func roots(_ order: JSONValue, except arrayKey: String?) -> [Found] {
    var found: [Found] = []
    for (number, name) in lists.enumerated() where name != arrayKey {
      if let value = order[name] {
        guard let rows = Self.rows(value) else { continue }
        // Found already on the way to a list in its rows.
        if let known = found.firstIndex(where: { $0.prefix == name }) {
          found[known] = Found(number: number, prefix: name, path: [name], rows: rows)
        } else {
          found.append(Found(number: number, prefix: name, path: [name], rows: rows))
        }
        continue
      }
      let segments = Path(name).segments
      var value = order
      for (depth, segment) in segments.enumerated() {
        guard let next = value[segment] else { break }
        value = next
        let path = Array(segments[...depth])
        let prefix = path.joined(separator: "_")
        guard value.kind == .array || depth == segments.count - 1, let rows = Self.rows(value) else { continue }
        if !found.contains(where: { $0.prefix == prefix }) {
          found.append(
            Found(number: depth == segments.count - 1 ? number : nil, prefix: prefix, path: path, rows: rows))
        }
        break
      }
    }
    return found
  }

  /// A record for each row of these lists; one of what there is already when they have none.
  private mutating func expand(
    _ found: [Found], _ row: [Cell.Member], _ left: [Int], within origins: [Record.Origin] = []
  ) throws(MappingFailures) {
    let isEmpty = found.allSatisfy(\.rows.isEmpty)
    if isEmpty { return try nested(row, prefix: "", path: [], left, within: origins) }
    for list in found {
      for element in list.rows {
        let flat = row + (try flattened(element, list.prefix, list.path))
        elements += 1
        let origin = Record.Origin(prefix: list.prefix, element: elements)
        try nested(flat, prefix: list.prefix, path: list.path, left, within: origins + [origin])
      }
    }
  }

  /// Takes the lists in a row apart.
  private mutating func nested(
    _ row: [Cell.Member], prefix: String, path: [String], _ left: [Int], within origins: [Record.Origin] = []
  ) throws(MappingFailures) {
    var found: [Found] = []
    for number in left {
      let name = lists[number]
      let spellings = [name, name.replacing(".", with: "_")] + (prefix.isEmpty ? [] : ["\(prefix)_\(name)"])
      guard let member = row.last(where: { spellings.contains($0.key) }), case .read(let value) = member.value,
        let rows = Self.rows(value), !found.contains(where: { $0.prefix == member.key })
      else { continue }
      let last = prefix.isEmpty ? member.key : String(member.key.dropFirst(prefix.count + 1))
      found.append(Found(number: number, prefix: member.key, path: path + [last], rows: rows))
    }
    guard !found.isEmpty else { return try append(row, origins) }
    let rest = row.filter { member in !found.contains { $0.prefix == member.key } }
    let stillLeft = left.filter { number in !found.contains { $0.number == number } }
    if found.allSatisfy(\.rows.isEmpty) { return try append(rest, origins) }
    try expand(found, rest, stillLeft, within: origins)
  }

  private mutating func append(_ row: [Cell.Member], _ origins: [Record.Origin]) throws(MappingFailures) {
    guard records.count < Flattening.limit else {
      throw MappingFailures.tooMuch("the order has more than \(Flattening.limit) rows")
    }
    records.append(Record(row: row, origins: origins))
  }

  /// A row's fields under their new keys. A key that has the list's name already keeps it (mapping-language.md §5.2).
  private mutating func flattened(
    _ element: JSONValue, _ prefix: String, _ path: [String]
  ) throws(MappingFailures) -> [Cell.Member] {
    guard element.kind == .object else {
      guard element.kind == .null || element.kind == .array else { return [Cell.Member(prefix, .read(element))] }
      let sentence = "a row of \(path.joined(separator: ".")) is \(element.kind == .null ? "nothing" : "a list")"
      throw MappingFailures(
        failures: [MappingFailure(.valueInvalid, target: "", sources: [path.joined(separator: ".")], sentence)])
    }
    var members: [Cell.Member] = []
    members.reserveCapacity(element.count)
    for (key, value) in element.members { members.append(Cell.Member(flat(key, prefix, element), .read(value))) }
    for field in made {
      guard let (name, cell) = try field.made(of: element, in: path) else { continue }
      members.append(Cell.Member(flat(name, prefix, element), cell))
    }
    return members
  }

  private mutating func flat(_ key: String, _ prefix: String, _ element: JSONValue) -> String {
    if key.hasPrefix(prefix + "_"), element[String(key.dropFirst(prefix.count + 1))] == nil { return key }
    if let known = keys[prefix]?[key] { return known }
    let flat = "\(prefix)_\(key)"
    keys[prefix, default: [:]][key] = flat
    return flat
  }

  /// The rows of a list: an object is one, null or an empty text none. Nil for what is no list.
  private static func rows(_ value: JSONValue) -> [JSONValue]? {
    switch value.kind {
    case .array: Array(value.elements)
    case .object: value.count == 0 ? [] : [value]
    case .null: []
    case .string: value.string == "" ? [] : nil
    case .bool, .number: nil
    }
  }
}

extension MadeField {
  /// What is made of a row of a list, and the key in the row; nil when it is made of something else, or of nothing.
  func made(of row: JSONValue, in list: [String]) throws(MappingFailures) -> (String, Cell)? {
    guard from.segments.count > list.count, from.segments.starts(with: list) else { return nil }
    var value = row
    for segment in from.segments.dropFirst(list.count) {
      guard let next = value[segment] else { return nil }
      value = next
    }
    let own = name.segments.starts(with: list) ? Array(name.segments.dropFirst(list.count)) : name.segments
    guard !own.isEmpty, let cell = try made(of: .read(value)) else { return nil }
    return (own.joined(separator: "_"), cell)
  }

  /// What is made of a value; nil when that is nothing.
  func made(of cell: Cell) throws(MappingFailures) -> Cell? {
    do throws(ValueError) {
      switch try format.applied(to: try cell.value(from.text), name: from.text) {
      case .nothing, .structure: return nil
      case .bool(let flag): return .made(.bool(flag))
      case .number(let number): return .made(.number(number))
      case .text(let text): return .made(.string(text))
      }
    } catch {
      throw MappingFailures(
        failures: [MappingFailure(error.code, target: "", sources: [from.text], error.sentence)])
    }
  }
}

extension MappingFailures {
  /// One order becomes more than a worker may hold.
  static func tooMuch(_ sentence: String) -> MappingFailures {
    MappingFailures(failures: [MappingFailure(.valueInvalid, target: "", sentence)])
  }
}
