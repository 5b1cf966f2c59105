import JSON

/// How an order's records become documents: the target's `groupCalculate`, or its `operation` `merge`
/// (mapping-language.md §11). The records of one order only: orders never meet in a bill.
///
/// A document holds the fields that it was grouped by, what was calculated of the head, and its rows below `bodyName`.
/// Records that agree in all fields of `bodyGroup` are one row, which holds these fields and what was calculated of
/// them; without `bodyGroup` each record is a row with all its fields and the order's. Other fields are lost. What is
/// calculated of the order's head stands at the document's head and in its rows.
struct Grouping: Sendable {
  /// Most documents of one order.
  static let limit = 1_000

  /// Which key of the target says it: `groupCalculate` or `operation`.
  var key = "groupCalculate"
  var header: [FieldName] = []
  /// Fields of a document that it is not grouped by: those of its first record.
  var kept: [FieldName] = []
  /// Nil: each record is a row.
  var body: [FieldName]?
  /// The fields of a row that is not grouped; nil for all.
  var bodyKept: [FieldName]?
  var bodyName = ""
  /// The array of the target that takes the rows, when it names no list itself.
  var targetBodyName: String?
  /// Most rows of a document.
  var maximum: Int?
  var calculations: [Calculation] = []
  /// Whether what cannot be told is passed over as the platform does: empty values in sums, heads that differ among rows.
  var isOriginal = false

  /// What is calculated of each row.
  var ofRows: [Calculation] { body == nil ? [] : calculations }
  /// What is calculated of the head: what comes from it, and of rows that stay as they are.
  var ofHead: [Calculation] { calculations.filter { body == nil || !$0.isOfRow } }

  /// The documents of an order, in the order in which their first records stand.
  func documents(_ records: [Record], _ head: Record.Head) throws(MappingFailures) -> [[Cell.Member]] {
    var run = GroupingRun(grouping: self, records: records, head: head)
    return try run.documents()
  }
}

/// One order being grouped.
private struct GroupingRun {
  let grouping: Grouping
  let records: [Record]
  let head: Record.Head
  private var failures: [MappingFailure] = []
  /// The list that a field which must not have gaps is of: the innermost one; nil for a field of the head.
  private let lists: [FieldName: String]

  /// A row and the records that it is made of.
  private typealias Row = (members: [Cell.Member], records: ArraySlice<Int>)

  init(grouping: Grouping, records: [Record], head: Record.Head) {
    self.grouping = grouping
    self.records = records
    self.head = head
    let prefixes = Set(records.flatMap { $0.origins.map(\.prefix) }).sorted { $0.utf8.count > $1.utf8.count }
    var lists: [FieldName: String] = [:]
    for field in grouping.kept + grouping.calculations.map(\.field) {
      lists[field] = prefixes.first { Record.Origin(prefix: $0, element: 0).has(field) }
    }
    self.lists = lists
  }

  mutating func documents() throws(MappingFailures) -> [[Cell.Member]] {
    var documents: [[Cell.Member]] = []
    for group in groups(records.indices[...], by: grouping.header) {
      checkKept(group)
      var rows = rows(of: group)[...]
      while !rows.isEmpty {
        let part = rows.prefix(grouping.maximum ?? .max)
        rows = rows.dropFirst(part.count)
        guard documents.count < Grouping.limit else {
          throw .tooMuch("\(grouping.key) makes more than \(Grouping.limit) documents of the order")
        }
        documents.append(document(group, part))
      }
    }
    if !failures.isEmpty { throw MappingFailures(failures: failures) }
    return documents
  }

  private func groups(_ places: some Collection<Int>, by fields: [FieldName]) -> [[Int]] {
    var numbers: [[String]: Int] = [:]
    var groups: [[Int]] = []
    for place in places {
      let key = fields.map { records[place].cell($0, head)?.identity ?? "" }
      if let number = numbers[key] {
        groups[number].append(place)
      } else {
        numbers[key] = groups.count
        groups.append([place])
      }
    }
    return groups
  }

  private mutating func rows(of group: [Int]) -> [Row] {
    guard let body = grouping.body else {
      let copied = grouping.bodyKept == nil ? head.copied : []
      return group.map { place in
        let members = grouping.bodyKept.map { fields($0, of: place) } ?? copied + records[place].row
        return (members, [place])
      }
    }
    var rows: [Row] = []
    for places in groups(group, by: body) {
      var members = fields(body, of: places[0])
      for calculation in grouping.ofRows { put(calculation, of: places[...], in: &members) }
      rows.append((members, places[...]))
    }
    return rows
  }

  private mutating func document(_ group: [Int], _ rows: ArraySlice<Row>) -> [Cell.Member] {
    var members = fields(grouping.header, of: group[0])
    for name in grouping.kept { members += fields([name], of: having(name, group)[0]) }
    let places = rows.flatMap(\.records)
    for calculation in grouping.ofHead { put(calculation, of: places[...], in: &members) }
    members.put(.list(rows.map { .object($0.members) }), at: [grouping.bodyName])
    return members
  }

  private func fields(_ names: [FieldName], of place: Int) -> [Cell.Member] {
    var members: [Cell.Member] = []
    for name in names {
      if let cell = records[place].cell(name, head) { members.put(cell, at: name.path.segments[...]) }
    }
    return members
  }

  /// The records that a field can be in: a record of another list, or of a row without rows of its own, cannot have it.
  /// All when it is of no list.
  private func having(_ field: FieldName, _ places: [Int]) -> [Int] {
    guard let list = lists[field] else { return places }
    let own = places.filter { place in records[place].origins.contains { $0.prefix == list } }
    return own.isEmpty ? places : own
  }

  /// A document has each field of its head once, so the rows must agree in it.
  private mutating func checkKept(_ group: [Int]) {
    if grouping.isOriginal { return }
    for name in grouping.kept {
      let values = Set(having(name, group).map { Self.value(records[$0].cell(name, head)?.identity ?? "") })
      if values.count > 1 {
        add(.valueInvalid, name, "\(name.text) differs among the rows that become one document; merge by it, too")
      }
    }
  }

  /// 1.0 is 1, and 007 is a code.
  private static func value(_ identity: String) -> String {
    let digits = identity.utf8.drop { $0 == UInt8(ascii: "-") }
    if digits.first == UInt8(ascii: "0"), digits.dropFirst().first.map({ $0 &- 0x30 < 10 }) ?? false { return identity }
    return ExactDecimal(identity)?.normalized.description ?? identity
  }

  private mutating func add(_ code: MappingFailure.Code, _ field: FieldName, _ sentence: String) {
    if failures.count < 100 {
      // No formula stands here.
      let remedy =
        code == .fieldMissing ? "Fill the field in OKKI in every row, or leave it out of what is added up." : nil
      failures.append(MappingFailure(code, target: "", sources: [field.text], sentence, remedy: remedy))
    }
  }

  /// A row of a list is in as many records as a list in it has rows, but its fields count once.
  private func once(_ places: ArraySlice<Int>, _ field: FieldName) -> [Int] {
    var seen: Set<Int> = []
    return places.filter { records[$0].element(of: field).map { seen.insert($0).inserted } ?? true }
  }

  private mutating func put(_ calculation: Calculation, of places: ArraySlice<Int>, in members: inout [Cell.Member]) {
    let counted = calculation.isOfRow ? once(places, calculation.field) : Array(places.prefix(1))
    do throws(ValueError) {
      let entries = counted.map { (row: $0, cell: records[$0].cell(calculation.field, head)) }
      if !grouping.isOriginal, [.sum, .average].contains(calculation.operation) {
        let own = Set(having(calculation.field, counted))
        try calculation.refuseGaps(entries.filter { own.contains($0.row) })
      }
      if let result = try calculation.result(entries) { members.put(result, at: calculation.field.path.segments[...]) }
    } catch { add(error.code, calculation.field, error.sentence) }
  }
}
