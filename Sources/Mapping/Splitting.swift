import JSON

/// How one order becomes several documents: flattening, grouping, or both.
struct Splitting: Sendable {
  /// Most bytes that the documents of one order may have together: each holds the order's head, so they may be more
  /// than the order by as much as there are rows.
  static let byteLimit = 64 << 20

  let flattening: Flattening
  let grouping: Grouping?
  /// What the source's `formatResponse` makes.
  let made: [MadeField]

  /// Nil when an order is mapped as it comes.
  init?(_ flattening: Flattening, _ grouping: Grouping?, made: [MadeField]) {
    if flattening.lists.isEmpty, flattening.arrayKey == nil, grouping == nil { return nil }
    self.flattening = flattening
    self.grouping = grouping
    self.made = made
  }

  /// The made fields that the documents' fields still need: those of what was neither flattened nor grouped.
  var madeLater: [MadeField] { grouping == nil ? made.filter { !isOfRow($0) } : [] }

  private func isOfRow(_ field: MadeField) -> Bool {
    field.from.segments.count > 1
      && flattening.lists.contains { Path($0).segments.first == field.from.segments.first }
  }

  /// The documents of an order, at least one.
  func documents(of order: JSONValue) throws(MappingFailures) -> [JSONDocument] {
    var (head, records) = try flattening.records(of: order, made: made.filter(isOfRow))
    guard let grouping else {
      guard records.count <= Grouping.limit else {
        throw .tooMuch("the order becomes more than \(Grouping.limit) documents")
      }
      if !flattening.lists.isEmpty { number(&records, head) }
      return try written(records.map { $0.row }, head)
    }
    if let number = number(head), head[Flattening.rowNumber] == nil {
      head.append(Cell.Member(Flattening.rowNumber, .made(.string(number))))
    }
    for field in made where !isOfRow(field) { try add(field, &head, &records) }
    return try written(try grouping.documents(records, head), Record.Head())
  }

  /// Documents by rows have ids and numbers of their own (mapping-language.md §8): `OUT20210001-1`. Counted from 1.
  private func number(_ records: inout [Record], _ head: Record.Head) {
    let id = flattening.id.flatMap { name in head[name].map { (name, $0.identity) } }
    let number = head[Flattening.rowNumber] == nil ? number(head) : nil
    for place in records.indices {
      if let (name, text) = id, !text.isEmpty {
        records[place].row.append(Cell.Member(name, .made(.string("\(text)-\(place + 1)"))))
      }
      if let number {
        records[place].row.append(Cell.Member(Flattening.rowNumber, .made(.string("\(number)-\(place + 1)"))))
      }
    }
  }

  private func number(_ head: Record.Head) -> String? {
    for name in [flattening.number, flattening.id] {
      if let text = name.flatMap({ head[$0]?.identity }), !text.isEmpty { return text }
    }
    return nil
  }

  /// Adds a made field to the head, or to the rows that hold what it is made of.
  private func add(
    _ field: MadeField, _ head: inout Record.Head, _ records: inout [Record]
  ) throws(MappingFailures) {
    let from = FieldName(field.from.text)
    let key = field.name.segments.joined(separator: ".")
    if let cell = Record(row: []).cell(from, head) {
      if let made = try field.made(of: cell) { head.append(Cell.Member(key, made)) }
      return
    }
    for place in records.indices {
      guard let cell = records[place].cell(from, head), let made = try field.made(of: cell) else { continue }
      records[place].row.append(Cell.Member(key, made))
    }
  }

  private func written(
    _ documents: [[Cell.Member]], _ head: Record.Head
  ) throws(MappingFailures) -> [JSONDocument] {
    var result: [JSONDocument] = []
    var bytes = 0
    for members in documents {
      var writer = JSONWriter(reserving: 2048)
      Cell.write(head.members + members, to: &writer)
      bytes += writer.bytes.count
      guard bytes <= Self.byteLimit else {
        throw .tooMuch("the order's documents have more than \(Self.byteLimit >> 20) MiB together")
      }
      do throws(JSONError) { result.append(try JSONDocument(writer.bytes, limits: .none)) } catch {
        throw MappingFailures(
          failures: [MappingFailure(.orderMalformed, target: "", "the order cannot be taken apart")])
      }
    }
    return result
  }
}
