import JSON
import Orders

/// A dotted path as strategies write it: `company.serial_id`, `product_list.product_no`, `6936878031302`.
struct Path: Hashable, Sendable {
  let segments: [String]

  init(_ text: some StringProtocol) {
    segments = text.split(whereSeparator: { $0 == "." }).map { String($0) }
  }

  var text: String { segments.joined(separator: ".") }
}

/// What placeholders read: the order, and the rows of the lists that the mapper is inside of.
struct Scope: Sendable {
  /// A row of a list.
  struct Row: Sendable {
    let list: String
    let value: JSONValue
  }

  let head: JSONValue
  /// Fields that `formatResponse` made; they win over the order's own.
  let made: [String: Value]
  /// Innermost last.
  var rows: [Row] = []

  /// `{{L.f}}` inside list L reads the current row, anything else the order (mapping-language.md §5.2). A path that
  /// leads nowhere reads nothing.
  func value(at path: Path) throws(ValueError) -> Value {
    guard let first = path.segments.first else { return .nothing }
    if path.segments.count > 1 {
      for row in rows.reversed() where row.list == first {
        return try value(in: row.value, path.segments.dropFirst(), prefix: first, path: path)
      }
    } else if let made = made[first] {
      return made
    }
    return try value(in: head, path.segments[...], prefix: nil, path: path)
  }

  private func value(
    in root: JSONValue, _ segments: ArraySlice<String>, prefix: String?, path: Path
  ) throws(ValueError) -> Value {
    var value = root
    for (position, segment) in segments.enumerated() {
      // Outside its array a path into a list reads the first element.
      if value.kind == .array, let first = value[0] { value = first }
      guard let member = member(segment, of: value, prefix: position == 0 ? prefix : nil) else { return .nothing }
      value = member
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
    if let first = segments.first, segments.count > 1, let row = rows.last(where: { $0.list == first }) {
      value = row.value
      segments = segments.dropFirst()
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
