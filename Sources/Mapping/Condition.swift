public import JSON
import Orders

/// The source's `condition`: which orders are taken, and which of their rows (mapping-language.md §10).
///
/// A rule whose path leads into a list is about rows: a row that fails it is dropped, and the order stays; with
/// `strictMode` one such row drops the order.
struct Condition: Sendable {
  /// One comparison.
  struct Rule: Sendable {
    let path: Path
    let test: ConditionTest
    let isStrict: Bool
  }

  /// Any of these groups, of which all rules must hold.
  let groups: [[Rule]]

  /// Whether it can take nothing: each group has a comparison that waits for its value.
  var isUnset: Bool {
    !groups.isEmpty
      && groups.allSatisfy { group in
        group.contains { rule in if case .unset = rule.test { true } else { false } }
      }
  }

  /// The same without the comparisons that wait for a value.
  var withoutUnset: Condition {
    Condition(
      groups: groups.map { group in group.filter { rule in if case .unset = rule.test { false } else { true } } })
  }

  /// Whether it may take an order whose field at the head has this value, whatever the rest of the order is.
  func mayTake(_ field: String, _ value: JSONValue) -> Bool {
    groups.isEmpty
      || groups.contains { group in
        group.allSatisfy { rule in rule.path.segments != [field] || rule.test.holds(for: value) }
      }
  }

  /// What the condition says of one order.
  enum Verdict {
    case refused
    case whole
    /// Taken without these rows.
    case without(Set<RowPlace>)
  }

  /// A row: the keys that lead to its list, and the positions in the lists on the way.
  struct RowPlace: Hashable {
    let keys: [String]
    let positions: [Int]
  }

  func verdict(on order: JSONValue) -> Verdict {
    if groups.isEmpty { return .whole }
    var dropped: Set<RowPlace>?
    for group in groups {
      guard let failing = Self.failingRows(group, order) else { continue }
      // A row stays when any group that takes the order keeps it.
      dropped = dropped?.intersection(failing) ?? failing
    }
    guard let dropped else { return .refused }
    return dropped.isEmpty ? .whole : .without(dropped)
  }

  /// The rows that fail a group; nil when the group does not take the order.
  private static func failingRows(_ group: [Rule], _ order: JSONValue) -> Set<RowPlace>? {
    var failing: Set<RowPlace> = []
    for rule in group {
      var walk = Walk(rule: rule)
      walk.down(order, rule.path.segments[...], row: RowPlace(keys: [], positions: []))
      if walk.headFails || (rule.isStrict && !walk.failing.isEmpty) { return nil }
      failing.formUnion(walk.failing)
    }
    return failing
  }

  /// Follows a rule's path through objects and lists.
  private struct Walk {
    let rule: Rule
    var headFails = false
    var failing: Set<RowPlace> = []

    /// - Parameters:
    ///   - walked: the keys so far.
    ///   - row: the innermost row so far; without positions the order itself.
    mutating func down(
      _ value: JSONValue, _ segments: ArraySlice<String>, walked: [String] = [], row: RowPlace
    ) {
      guard let key = segments.first else { return judge(value, row) }
      let whole = segments.count > 1 ? value[segments.joined(separator: ".")] : nil
      // A flattened key has dots of its own.
      if let whole { return judge(whole, row) }
      guard let member = value[key] else { return judge(nil, row) }
      let walked = walked + [key]
      guard member.kind == .array, segments.count > 1 else {
        return down(member, segments.dropFirst(), walked: walked, row: row)
      }
      for (position, element) in member.elements.enumerated() {
        let inner = RowPlace(keys: walked, positions: row.positions + [position])
        down(element, segments.dropFirst(), walked: walked, row: inner)
      }
    }

    private mutating func judge(_ value: JSONValue?, _ row: RowPlace) {
      if rule.test.holds(for: value) { return }
      if row.positions.isEmpty { headFails = true } else { failing.insert(row) }
    }
  }
}

extension Condition {
  /// The order without some of its rows, everything else byte for byte.
  static func without(_ dropped: Set<RowPlace>, _ order: JSONValue) -> [UInt8] {
    var writer = JSONWriter(reserving: order.rawBytes.count)
    write(order, RowPlace(keys: [], positions: []), dropped, lists: Set(dropped.map(\.keys)), &writer)
    return writer.bytes
  }

  private static func write(
    _ value: JSONValue, _ place: RowPlace, _ dropped: Set<RowPlace>, lists: Set<[String]>, _ writer: inout JSONWriter
  ) {
    guard lists.contains(where: { $0.starts(with: place.keys) }) else { return writer.raw(value.rawBytes) }
    switch value.kind {
    case .object:
      writer.beginObject()
      for (key, member) in value.members {
        writer.key(key)
        write(member, RowPlace(keys: place.keys + [key], positions: place.positions), dropped, lists: lists, &writer)
      }
      writer.endObject()
    case .array:
      writer.beginArray()
      for (position, element) in value.elements.enumerated() {
        let row = RowPlace(keys: place.keys, positions: place.positions + [position])
        if !dropped.contains(row) { write(element, row, dropped, lists: lists, &writer) }
      }
      writer.endArray()
    default: writer.raw(value.rawBytes)
    }
  }
}

/// Which orders a strategy takes.
public enum Selection: Sendable {
  /// The strategy's condition does not take the order.
  case refused
  /// The order as it is.
  case whole
  /// What is to be mapped instead, each to a bill of its own; at least one. The order without the rows that the condition
  /// or the strategy drops and with additional costs in its lines, or the documents that it is flattened and grouped to.
  case changed([JSONDocument])
}

extension Condition {
  /// What of an order is taken.
  func selection(_ order: JSONValue) -> Selection {
    // What is no order is told when it is mapped.
    guard order.kind == .object else { return .whole }
    switch verdict(on: order) {
    case .refused: return .refused
    case .whole: return .whole
    case .without(let rows):
      do throws(JSONError) { return .changed([try JSONDocument(Self.without(rows, order), limits: .none)]) } catch {
        return .refused
      }
    }
  }
}
