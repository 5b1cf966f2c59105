/// A dotted path as strategies write it: `company.serial_id`, `product_list.product_no`, `6936878031302`.
struct Path: Hashable, Sendable {
  let segments: [String]
  let text: String

  init(_ text: some StringProtocol) {
    self.init(segments: text.split(whereSeparator: { $0 == "." }).map { String($0) })
  }

  init(segments: [String]) {
    self.segments = segments
    text = segments.joined(separator: ".")
  }
}

/// A list whose rows the fields being read stand in; known when the strategy is read.
struct ListLevel: Sendable, Hashable {
  /// As the array names it, such as `lines` or `lines.batches`.
  let path: Path
  /// The ways on which a path leads into a row of this list.
  private let ways: [Path]
  /// What a row's keys may begin with, since flattened and regrouped rows keep the names of their lists
  /// (mapping-language.md §5.2).
  let prefixes: [String]

  /// - Parameter outer: the list around it, when this one lies in its rows.
  init(_ path: Path, inside outer: ListLevel?) {
    self.path = path
    var whole = path
    if let outer, outer.remainder(of: path) == nil {
      whole = Path(segments: outer.path.segments + path.segments)
    }
    let last = path.segments.suffix(1)
    ways = [path, whole, Path(segments: Array(last))]
    prefixes = whole.segments.count > 1 ? last + [whole.segments.joined(separator: "_")] : Array(last)
  }

  /// What of a path leads on from a row: after the list's whole path, or after its last name. Nil for a path that does
  /// not go through the list.
  func remainder(of path: Path) -> ArraySlice<String>? {
    for way in ways where path.segments.count > way.segments.count && path.segments.starts(with: way.segments) {
      return path.segments.dropFirst(way.segments.count)
    }
    return nil
  }

  /// Whether a path names this list itself.
  func isMeant(by path: Path) -> Bool { ways.contains(path) }

  /// The other spellings of a row's key: without the list's prefix, or with it.
  func otherSpellings(of key: String) -> [String] {
    let markers = prefixes.map { $0 + "_" }
    let shorter = markers.filter { key.hasPrefix($0) && key.count > $0.count }.map { String(key.dropFirst($0.count)) }
    let bare = shorter.isEmpty ? [key] : shorter
    var spellings: [String] = []
    for spelling in bare + bare.flatMap({ bare in markers.map { $0 + bare } })
    where spelling != key && !spellings.contains(spelling) {
      spellings.append(spelling)
    }
    return spellings
  }
}
