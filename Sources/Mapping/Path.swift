import JSON

/// A dotted path as strategies write it: `company.serial_id`, `product_list.product_no`, `6936878031302`.
struct Path: Hashable, Sendable {
  let segments: [String]

  init(_ text: some StringProtocol) {
    segments = text.split(whereSeparator: { $0 == "." }).map { String($0) }
  }

  init(segments: [String]) { self.segments = segments }

  var text: String { segments.joined(separator: ".") }
}

/// What placeholders read: the order, and the rows of the lists that the mapper is inside of.
struct Scope: Sendable {
  /// A row of a list.
  struct Row: Sendable {
    let list: Path
    let value: JSONValue

    /// What of a path leads on from this row: after the list's whole path, or after its last name. Nil for a path that
    /// does not go through the list.
    func remainder(of path: Path) -> ArraySlice<String>? { Self.remainder(of: path, in: list) }

    static func remainder(of path: Path, in list: Path) -> ArraySlice<String>? {
      let (path, list) = (path.segments, list.segments)
      if path.count > list.count, path.starts(with: list) { return path.dropFirst(list.count) }
      return path.count > 1 && path.first == list.last ? path.dropFirst() : nil
    }
  }

  let head: JSONValue
  /// Fields that `formatResponse` made; they win over the order's own.
  let made: [String: Value]
  /// Innermost last.
  var rows: [Row] = []

  func inside(_ row: JSONValue, of list: Path) -> Scope {
    var inner = self
    inner.rows.append(Row(list: list, value: row))
    return inner
  }

  /// `{{L.f}}` inside list L reads the current row, anything else the order (mapping-language.md §5.2). A path that
  /// leads nowhere reads nothing.
  func value(at path: Path) throws(ValueError) -> Value {
    if path.segments.count > 1 {
      for row in rows.reversed() {
        guard let rest = row.remainder(of: path) else { continue }
        return try value(in: row.value, rest, prefix: row.list.segments.last, path: path)
      }
    } else if let first = path.segments.first, let made = made[first] {
      return made
    }
    return try value(in: head, path.segments[...], prefix: nil, path: path)
  }

  private func value(
    in root: JSONValue, _ segments: ArraySlice<String>, prefix: String?, path: Path
  ) throws(ValueError) -> Value {
    var value = root
    var prefix = prefix
    for segment in segments {
      // Outside its array a path into a list reads the first element.
      if value.kind == .array, let first = value[0] { value = first }
      guard let member = member(segment, of: value, prefix: prefix) else { return .nothing }
      value = member
      prefix = nil
    }
    return try Value(value, path: path)
  }

  /// The key as it stands; else without the repeated list prefix (`product_list.product_list_count`), or with it.
  private func member(_ key: String, of value: JSONValue, prefix: String?) -> JSONValue? {
    if let found = value[key] { return found }
    guard let prefix else { return nil }
    let marker = prefix + "_"
    return key.hasPrefix(marker) ? value[String(key.dropFirst(marker.count))] : value[marker + key]
  }

  /// The rows of a list: an object counts as one row, anything else as none (mapping-language.md §8).
  func rows(of list: Path) -> [JSONValue] {
    var value = head
    var segments = list.segments[...]
    for row in rows.reversed() {
      guard let rest = row.remainder(of: list) else { continue }
      value = row.value
      segments = rest
      break
    }
    for segment in segments {
      guard let member = value[segment] else { return [] }
      value = member
    }
    switch value.kind {
    case .array: return Array(value.elements)
    case .object: return [value]
    default: return []
    }
  }
}
