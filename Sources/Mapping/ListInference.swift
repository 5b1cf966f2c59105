import JSON

/// Which list an array means that names none: live strategies have arrays without a value whose children read
/// `{{orders.…}}` all the same (mapping-language.md §8).
enum ListInference {
  /// The list that at least half of the children's fields are read from, when no other list or object is read. An array
  /// that holds the order's head and one field of something else stays one row.
  /// K/3's head, which holds the bill's number (vendor-apis.md A.2), is one row whatever its other fields read.
  static func list(of children: JSONValue?) -> Path? {
    if children?.elements.contains(where: { $0["field"]?.string == "FBillNo" }) == true { return nil }
    var paths: Set<Path> = []
    if let children { collect(children, into: &paths) }
    let dotted = paths.filter { $0.segments.count > 1 }
    guard let first = dotted.first, dotted.count * 2 >= paths.count else { return nil }
    var common = first.segments.dropLast()
    for path in dotted {
      common = common.prefix(zip(common, path.segments.dropLast()).prefix { $0 == $1 }.count)
    }
    return common.isEmpty ? nil : Path(segments: Array(common))
  }

  /// All that the children's fields may be read from.
  static func lists(of children: JSONValue?) -> [Path] {
    var paths: Set<Path> = []
    if let children { collect(children, into: &paths) }
    return Set(paths.filter { $0.segments.count > 1 }.map { Path(segments: Array($0.segments.dropLast())) })
      .sorted { $0.text < $1.text }
  }

  private static func collect(_ descriptors: JSONValue, into paths: inout Set<Path>) {
    for descriptor in descriptors.elements {
      if let text = descriptor["value"]?.string { collect(text, into: &paths) }
      let isArray = descriptor["type"]?.string?.lowercased() == "array"
      // What an array inside reads is of its own list.
      if !isArray, let children = descriptor["children"] { collect(children, into: &paths) }
    }
  }

  private static func collect(_ text: String, into paths: inout Set<Path>) {
    var rest = text[...]
    while let brace = rest.firstIndex(of: "{") {
      guard let (placeholder, after) = try? Template.placeholder(rest[brace...]) else { return }
      paths.insert(placeholder.path)
      rest = after
    }
  }
}
