import JSON

/// A value of a record: one of the order's, or one that was made of several.
enum Cell: Sendable {
  case read(JSONValue)
  case made(JSONTree)
  case list([Cell])
  case object([Member])

  /// A field and its value.
  struct Member: Sendable {
    let key: String
    let value: Cell

    init(_ key: String, _ value: Cell) {
      self.key = key
      self.value = value
    }
  }

  /// As the mapping reads a value.
  func value(_ name: String) throws(ValueError) -> Value {
    switch self {
    case .read(let value): try Value(value, name: name)
    case .made(.number(let number)): .number(number)
    case .made(.string(let text)): .text(text)
    case .made(.bool(let flag)): .bool(flag)
    case .made, .list, .object: .nothing
    }
  }

  /// What two values must have in common to be of one group: a number and its text are the same, whatever the source
  /// made of it this time, and so are all that is empty.
  var identity: String {
    switch self {
    case .read(let value):
      switch value.kind {
      case .null: ""
      case .bool: value.bool == true ? "true" : "false"
      case .number: value.decimal?.normalized.description ?? value.numberText ?? ""
      case .string: value.string ?? ""
      case .array, .object: value.count == 0 ? "" : "\u{0}" + String(decoding: value.rawBytes, as: UTF8.self)
      }
    case .made(.number(let number)): number.normalized.description
    case .made(.string(let text)): text
    case .made, .list, .object: ""
    }
  }

  func write(to writer: inout JSONWriter) {
    switch self {
    case .read(let value): writer.raw(value.rawBytes)
    case .made(let tree): tree.write(to: &writer)
    case .list(let cells):
      writer.beginArray()
      for cell in cells { cell.write(to: &writer) }
      writer.endArray()
    case .object(let members): Self.write(members, to: &writer)
    }
  }

  /// An object. Of a key that stands twice the last counts, as everywhere.
  static func write(_ members: [Member], to writer: inout JSONWriter) {
    writer.beginObject()
    for member in members {
      writer.key(member.key)
      member.value.write(to: &writer)
    }
    writer.endObject()
  }
}

/// A field that grouping names: a key, which may have dots of its own, or a path.
struct FieldName: Sendable, Hashable {
  let text: String
  let path: Path

  init(_ text: String) {
    self.text = text
    path = Path(text)
  }
}

/// What one row of an order became: the row's own fields, and the order's, which all records share.
struct Record: Sendable {
  /// The order's fields.
  struct Head: Sendable {
    private(set) var members: [Cell.Member] = []
    private var places: [String: Int] = [:]

    mutating func append(_ member: Cell.Member) {
      places[member.key] = members.count
      members.append(member)
    }

    subscript(_ key: String) -> Cell? { places[key].map { members[$0].value } }

    /// What a row that holds the order's fields too holds of them: all but its lists.
    var copied: [Cell.Member] {
      members.filter { member in
        if case .read(let value) = member.value { value.kind != .array } else { true }
      }
    }
  }

  /// An element of a list that a record is made of.
  struct Origin: Sendable {
    /// What the keys of the element's fields begin with.
    let prefix: String
    /// Its number among all elements of the order's lists.
    let element: Int

    /// Whether a field may come from such an element.
    func has(_ field: FieldName) -> Bool {
      field.text.hasPrefix(prefix) && ["_", ".", nil].contains(field.text.dropFirst(prefix.count).first)
    }
  }

  /// Wins over the order's fields of the same name.
  var row: [Cell.Member]
  /// Outermost first.
  var origins: [Origin] = []

  /// The element that a field comes from; nil for one that no list has.
  func element(of field: FieldName) -> Int? {
    origins.last { $0.has(field) }?.element
  }

  /// The value of a field; nil when there is none.
  func cell(_ field: FieldName, _ head: Head) -> Cell? {
    if let found = member(field.text) ?? head[field.text] { return found }
    guard field.path.segments.count > 1, var cell = member(field.path.segments[0]) ?? head[field.path.segments[0]]
    else {
      return nil
    }
    for segment in field.path.segments.dropFirst() {
      guard case .read(let value) = cell, let next = value[segment] else { return nil }
      cell = .read(next)
    }
    return cell
  }

  private func member(_ key: String) -> Cell? { row.last { $0.key == key }?.value }
}

extension [Cell.Member] {
  /// Puts a value where a placeholder of this path finds it.
  mutating func put(_ cell: Cell, at path: ArraySlice<String>) {
    guard let key = path.first else { return }
    let place = firstIndex { $0.key == key }
    var inner: [Cell.Member] = []
    if path.count > 1, let place, case .object(let members) = self[place].value { inner = members }
    if path.count > 1 { inner.put(cell, at: path.dropFirst()) }
    let member = Cell.Member(key, path.count > 1 ? .object(inner) : cell)
    if let place { self[place] = member } else { append(member) }
  }
}
