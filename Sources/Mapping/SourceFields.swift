import JSON
import Orders

/// The fields that `source.json` declares in its `response`, as a tree: what a placeholder may read.
///
/// A strategy that declares nothing is not checked. The platform lets a placeholder read what is not declared
/// (mapping-language.md §5.2), so an unknown field by itself is a warning, not an error.
struct SourceFields: Sendable {
  /// A field; without declared children it may hold anything.
  private struct Field: Sendable {
    var children: [String: Field] = [:]
    var isList = false
    /// What keys begin with of which nothing is known, besides the declared ones.
    var open: [String] = []

    /// Puts a field where a path leads.
    mutating func put(_ field: Field, at path: ArraySlice<String>) {
      guard let first = path.first else { return self = field }
      children[first, default: Field()].put(field, at: path.dropFirst())
    }
  }

  /// What came of looking for a path.
  enum Answer: Equatable {
    case known
    /// Not declared; the declared path that is really near, if there is one.
    case unknown(nearest: String?)
  }

  private var root = Field()
  /// The key of the target that leaves nothing but these fields; nil for the source's own.
  private var grouping: String?

  /// Why a path is not among the fields.
  func lack(_ path: Path) -> String {
    grouping.map { "«\(excerpt(path.text))» is lost by \($0), since it is neither grouped nor calculated" }
      ?? "source.json's response declares no field «\(excerpt(path.text))»"
  }

  /// The declared fields; nil when there is no such declaration.
  /// - Parameter made: names that `formatResponse` adds.
  init?(_ response: JSONValue?, made: [Path]) {
    guard let response, response.kind == .array, response.count > 0 else { return nil }
    Self.add(response, to: &root)
    for name in made { Self.add(name.segments[...], nil, to: &root) }
  }

  private static func add(_ descriptors: JSONValue, to field: inout Field) {
    for descriptor in descriptors.elements {
      guard let name = descriptor["field"]?.string else { continue }
      let isList = descriptor["type"]?.string?.lowercased() == "array"
      add(Path(name).segments[...], descriptor["children"], isList: isList, to: &field)
    }
  }

  /// A dotted name declares the fields on its way.
  private static func add(
    _ segments: ArraySlice<String>, _ children: JSONValue?, isList: Bool = false, to field: inout Field
  ) {
    guard let first = segments.first else {
      field.isList = field.isList || isList
      if let children, children.kind == .array { add(children, to: &field) }
      return
    }
    add(segments.dropFirst(), children, isList: isList, to: &field.children[first, default: Field()])
  }

  /// Whether a path is declared, read inside of these lists, innermost last. As `OperandTable` resolves it.
  func answer(to path: Path, inside lists: [ListLevel]) -> Answer {
    for list in lists.reversed() {
      guard let rest = list.remainder(of: path) else { continue }
      guard let row = field(at: list.path.segments[...]) else { return .known }
      return answer(rest, in: row, before: path.segments.dropLast(rest.count), list: list)
    }
    return answer(path.segments[...], in: root, before: [], list: nil)
  }

  private func answer(
    _ segments: ArraySlice<String>, in start: Field, before: ArraySlice<String>, list: ListLevel?
  ) -> Answer {
    var (field, list, walked) = (start, list, Array(before))
    for segment in segments {
      if field.children.isEmpty { return .known }
      let names = [segment] + (list?.otherSpellings(of: segment) ?? [])
      guard let name = names.first(where: { field.children[$0] != nil }), let next = field.children[name] else {
        if names.contains(where: { name in field.open.contains(where: name.hasPrefix) }) { return .known }
        let near = names.lazy.compactMap { Spelling.nearest(to: $0, among: field.children.keys.sorted()) }.first
        return .unknown(nearest: near.map { (walked + [$0]).joined(separator: ".") })
      }
      walked.append(segment)
      (field, list) = (next, nil)
    }
    return .known
  }

  /// Whether a path is declared as a list.
  func isList(_ path: Path) -> Bool { field(at: path.segments[...])?.isList ?? false }

  private func field(at segments: ArraySlice<String>) -> Field? {
    var field = root
    for segment in segments {
      guard let next = field.children[segment] else { return nil }
      field = next
    }
    return field
  }
}

extension SourceFields {
  /// The fields of the documents that orders of these fields become; nil when nothing is known of them.
  static func of(_ splitting: Splitting, _ declared: SourceFields?) -> SourceFields? {
    let flat = declared.map { fields in
      var fields = fields
      fields.flatten(splitting.flattening)
      return fields
    }
    guard let grouping = splitting.grouping else { return flat }
    return SourceFields(grouping, of: flat)
  }

  /// The fields of one order's records.
  mutating func flatten(_ flattening: Flattening) {
    // A source without children declares nothing, and stays so.
    if root.children.isEmpty { return }
    var prefixes: [String] = []
    for name in flattening.lists {
      let under = name.replacing(".", with: "_")
      let key = ([name, under] + prefixes.map { "\($0)_\(name)" }).first { root.children[$0] != nil }
      let segments = Path(name).segments
      let list = key.flatMap { root.children.removeValue(forKey: $0) } ?? field(at: segments[...])
      let prefix = key ?? under
      prefixes.append(prefix)
      if let list, !list.children.isEmpty {
        for (child, field) in list.children {
          root.children[child.hasPrefix(prefix + "_") ? child : "\(prefix)_\(child)"] = field
        }
      } else {
        root.open.append(prefix + "_")
      }
    }
    if !flattening.lists.isEmpty { root.children[Flattening.rowNumber] = Field() }
  }

  /// Looks for the lists that `beatFlat` names, as `Flattening` does: in the order itself, and in the rows of what is
  /// flattened.
  /// - Returns: an answer for each name.
  func answers(toLists names: [String]) -> [Answer] {
    var found: [[String]: Field] = [:]
    var answers = [Answer?](repeating: nil, count: names.count)
    for (number, name) in names.enumerated() where answer(to: Path(name), inside: []) == .known {
      answers[number] = .known
      let segments = Path(name).segments
      // On the way to a list in rows the lists around it are flattened, too.
      for depth in segments.indices {
        let path = Array(segments[...depth])
        if let field = field(at: path[...]), field.isList || depth == segments.count - 1 { found[path] = field }
      }
    }
    var isSearching = true
    while isSearching {
      isSearching = false
      for (number, name) in names.enumerated() where answers[number] == nil {
        for (path, list) in found {
          // Rows of which nothing is declared may have any list.
          if list.children.isEmpty { answers[number] = .known }
          let prefix = path.joined(separator: "_")
          for (key, field) in list.children {
            let flat = key.hasPrefix(prefix + "_") ? key : "\(prefix)_\(key)"
            guard [name, name.replacing(".", with: "_"), "\(prefix)_\(name)"].contains(flat) else { continue }
            answers[number] = .known
            found[path + [key]] = field
            isSearching = true
          }
          if answers[number] != nil { break }
        }
      }
    }
    let lists = Self.lists(in: root, [])
    return names.indices.map { number in
      answers[number] ?? .unknown(nearest: Self.list(meantBy: names[number], among: lists))
    }
  }

  /// The paths of all that is declared as a list, or as an object, which is a list of one row.
  private static func lists(in field: Field, _ path: [String]) -> [[String]] {
    field.children.sorted { $0.key < $1.key }.flatMap { key, child in
      (child.isList || !child.children.isEmpty ? [path + [key]] : []) + lists(in: child, path + [key])
    }
  }

  private static func list(meantBy name: String, among lists: [[String]]) -> String? {
    // One in the rows of a list that is not flattened needs its whole path.
    let inner = lists.first { $0.last == name || $0.joined(separator: "_") == name }
    return inner?.joined(separator: ".")
      ?? Spelling.nearest(to: name, among: lists.map { $0.joined(separator: ".") })
      ?? lists.first { Spelling.nearest(to: name, among: $0.suffix(1)) != nil }?.joined(separator: ".")
  }

  private init(_ grouping: Grouping, of flat: SourceFields?) {
    func put(_ names: [FieldName], in field: inout Field) {
      for name in names {
        let segments = name.path.segments[...]
        field.put(flat?.root.children[name.text] ?? flat?.field(at: segments) ?? Field(), at: segments)
      }
    }
    self.grouping = grouping.key
    put(grouping.header + grouping.kept + grouping.ofHead.map(\.field), in: &root)
    var row = flat?.root ?? Field()
    if let body = grouping.body ?? grouping.bodyKept {
      row = Field()
      put(body + grouping.ofRows.map(\.field), in: &row)
    }
    root.children[grouping.bodyName] = row
  }
}
