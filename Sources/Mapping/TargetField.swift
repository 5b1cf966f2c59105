import JSON

/// Where something stands in a document: put into words only when somebody is told.
indirect enum TargetPlace {
  case document
  case member(TargetPlace, String)
  case element(TargetPlace, Int)

  /// `Page2[3].FAuxTaxPrice`
  var text: String {
    switch self {
    case .document: ""
    case .member(.document, let name): name
    case .member(let outer, let name): "\(outer.text).\(name)"
    case .element(let outer, let position): "\(outer.text)[\(position)]"
    }
  }
}

/// Walks a mapped document by the names of its fields: through objects, and through all elements of arrays.
enum TargetField {
  /// Calls `body` with each value at a path.
  static func forEach(
    _ path: ArraySlice<String>, in members: [JSONMember], at place: TargetPlace = .document,
    _ body: (JSONTree, TargetPlace) -> Void
  ) {
    guard let name = path.first, let member = members.first(where: { $0.key == name }) else { return }
    forEach(path.dropFirst(), of: member.value, at: .member(place, name), body)
  }

  private static func forEach(
    _ path: ArraySlice<String>, of value: JSONTree, at place: TargetPlace, _ body: (JSONTree, TargetPlace) -> Void
  ) {
    switch value {
    case .array(let elements):
      for (position, element) in elements.enumerated() {
        forEach(path, of: element, at: .element(place, position), body)
      }
    case .object(let members) where !path.isEmpty: forEach(path, in: members, at: place, body)
    default: if path.isEmpty { body(value, place) }
    }
  }

  /// Calls `body` with each value at a path, for whoever need not know where it stands: a place is an allocation for each
  /// array and row of each bill.
  static func values(
    _ path: [String], _ depth: Int = 0, in members: [JSONMember], _ body: (JSONTree) throws(ValueError) -> Void
  ) throws(ValueError) {
    guard depth < path.count, let index = members.firstIndex(where: { $0.key == path[depth] }) else { return }
    try values(path, depth + 1, of: members[index].value, body)
  }

  private static func values(
    _ path: [String], _ depth: Int, of value: JSONTree, _ body: (JSONTree) throws(ValueError) -> Void
  ) throws(ValueError) {
    switch value {
    case .array(let elements): for element in elements { try values(path, depth, of: element, body) }
    case .object(let members) where depth < path.count: try values(path, depth, in: members, body)
    default: if depth == path.count { try body(value) }
    }
  }

  /// Calls `body` with each object of the arrays at a path, where the array stands, and its position there: a place for
  /// each row of each bill would be an allocation that mostly nobody looks at.
  static func rows(_ path: Path, in members: [JSONMember], _ body: ([JSONMember], TargetPlace, Int) -> Void) {
    rows(path.segments[...], in: members, at: .document, body)
  }

  private static func rows(
    _ path: ArraySlice<String>, in members: [JSONMember], at place: TargetPlace,
    _ body: ([JSONMember], TargetPlace, Int) -> Void
  ) {
    guard let name = path.first, let member = members.first(where: { $0.key == name }) else { return }
    let (rest, place) = (path.dropFirst(), TargetPlace.member(place, name))
    if case .object(let inner) = member.value { return rows(rest, in: inner, at: place, body) }
    guard case .array(let elements) = member.value else { return }
    for (position, element) in elements.enumerated() {
      guard case .object(let row) = element else { continue }
      if rest.isEmpty { body(row, place, position) } else { rows(rest, in: row, at: .element(place, position), body) }
    }
  }

  /// The value at a path of a row; nil when it has none.
  static func value(_ path: Path, in members: [JSONMember]) -> JSONTree? {
    // Nearly always a field of the row itself.
    if path.segments.count == 1, let name = path.segments.first { return members.first { $0.key == name }?.value }
    var level = members
    for (position, name) in path.segments.enumerated() {
      guard let member = level.first(where: { $0.key == name }) else { return nil }
      if position == path.segments.count - 1 { return member.value }
      guard case .object(let inner) = member.value else { return nil }
      level = inner
    }
    return nil
  }

  /// The members with each value at a path as `change` wants it; nil leaves it.
  static func changed(
    _ path: ArraySlice<String>, in members: [JSONMember], at place: TargetPlace = .document,
    _ change: (JSONTree, TargetPlace) -> JSONTree?
  ) -> [JSONMember] {
    guard let name = path.first, let index = members.firstIndex(where: { $0.key == name }) else { return members }
    var members = members
    members[index].value = changed(path.dropFirst(), of: members[index].value, at: .member(place, name), change)
    return members
  }

  private static func changed(
    _ path: ArraySlice<String>, of value: JSONTree, at place: TargetPlace,
    _ change: (JSONTree, TargetPlace) -> JSONTree?
  ) -> JSONTree {
    switch value {
    case .array(let elements):
      return .array(
        elements.enumerated().map { position, element in
          changed(path, of: element, at: .element(place, position), change)
        })
    case .object(let members) where !path.isEmpty:
      return .object(changed(path, in: members, at: place, change))
    default: return path.isEmpty ? change(value, place) ?? value : value
    }
  }

  /// The number of a field's value; nil when it has none.
  /// - Throws: `ValueError` for what is no number.
  static func number(_ value: JSONTree?, _ name: String) throws(ValueError) -> ExactDecimal? {
    switch value {
    case nil, .null: return nil
    case .number(let number), .digits(let number): return number
    case .string(let text):
      let text = trimmed(text)
      if text.isEmpty { return nil }
      guard let number = ExactDecimal(text) else { throw .unfit(name, wanted: "a number", kind: "a text") }
      return number
    default: throw .unfit(name, wanted: "a number", kind: "none")
    }
  }
}

/// What a target's `request` says of a field that a rule names.
enum RequestField {
  /// A field's descriptor, and whether an array that is bound to a list stands above it.
  static func find(_ path: Path, in request: JSONValue) -> (descriptor: JSONValue, isInRows: Bool)? {
    var level: JSONValue? = request
    var found: JSONValue?
    var isInRows = false
    for segment in path.segments {
      if let found { isInRows = isInRows || isBound(found) }
      // Of the same field twice the last one counts.
      found = level?.elements.reversed().first { $0["field"]?.string == segment }
      guard let found else { return nil }
      level = found["children"]
    }
    return found.map { ($0, isInRows) }
  }

  static func isArray(_ descriptor: JSONValue) -> Bool {
    ["array", "multirowentry"].contains(ScalarType.plain(descriptor["type"]?.string ?? ""))
  }

  /// Whether a field has a value of its own.
  static func isScalar(_ descriptor: JSONValue) -> Bool {
    let type = ScalarType.plain(descriptor["type"]?.string ?? "")
    return !isArray(descriptor) && type != "object" && type != "childtableobject"
  }

  private static func isBound(_ descriptor: JSONValue) -> Bool {
    guard isArray(descriptor) else { return false }
    if let list = descriptor["value"], !list.isNull, list.string != "" { return true }
    return ListInference.list(of: descriptor["children"]) != nil
  }

  /// What the fields of a compiled target read, each once.
  static func sources(of paths: [Path], in fields: [FieldDescriptor], _ table: OperandTable) -> [String] {
    var names: [String] = []
    for path in paths {
      var level = fields
      for (position, segment) in path.segments.enumerated() {
        guard let field = level.first(where: { $0.field == segment }) else { break }
        switch field.kind {
        case .object(let children), .array(_, let children): level = children
        case .scalar: level = []
        }
        guard position == path.segments.count - 1 else { continue }
        for name in field.operands.map({ table.operands[$0].name }) where !names.contains(name) { names.append(name) }
      }
    }
    return names
  }
}
