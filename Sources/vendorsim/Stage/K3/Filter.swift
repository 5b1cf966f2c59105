import JSON

/// A GetList filter: `= <> != < <= > >= like in is null`, `and or not ( )`, quoted texts with `''`, `N'…'`, numbers, names with
/// or without brackets. Anything else is refused with 过滤条件错误.
struct Filter {
  indirect enum Node {
    case both(Node, Node)
    case either(Node, Node)
    case not(Node)
    case compare(Operand, String, Operand)
    case like(Operand, String)
    case among(Operand, [Operand])
    case isNull(Operand)
  }

  enum Operand {
    case field(ListSlot)
    case text(String)
    case number(String)
  }

  let root: Node

  init(_ text: String, field: @escaping (String) -> ListSlot?) throws(Refusal) {
    var parser = FilterParser(tokens: try FilterToken.scan(text), field: field)
    root = try parser.whole()
  }

  static let refusal = Refusal.plain("过滤条件错误")

  /// Whether a row satisfies the filter; a field without value is null and satisfies no comparison.
  func holds(_ value: (ListSlot) -> String?) -> Bool { Self.holds(root, value) ?? false }

  /// The text that the slot must equal for the filter to hold at all, when the filter says so plainly.
  func equalText(slot: ListSlot) -> String? { Self.equalText(root, slot) }

  private static func equalText(_ node: Node, _ slot: ListSlot) -> String? {
    switch node {
    case .both(let left, let right): equalText(left, slot) ?? equalText(right, slot)
    case .compare(.field(slot), "=", .text(let text)), .compare(.text(let text), "=", .field(slot)): text
    default: nil
    }
  }

  // MARK: three-valued logic; nil is unknown

  private static func holds(_ node: Node, _ value: (ListSlot) -> String?) -> Bool? {
    switch node {
    case .both(let left, let right):
      let (first, second) = (holds(left, value), holds(right, value))
      if first == false || second == false { return false }
      return first == nil || second == nil ? nil : true
    case .either(let left, let right):
      let (first, second) = (holds(left, value), holds(right, value))
      if first == true || second == true { return true }
      return first == nil || second == nil ? nil : false
    case .not(let inner): return holds(inner, value).map { !$0 }
    case .compare(let left, let sign, let right):
      guard let first = content(left, value), let second = content(right, value) else { return nil }
      return satisfies(compare(first, second), sign)
    case .like(let operand, let pattern):
      return content(operand, value).map { FilterPattern.matches($0, pattern) }
    case .among(let operand, let list):
      guard let first = content(operand, value) else { return nil }
      return list.contains { content($0, value).map { compare(first, $0) == 0 } ?? false }
    case .isNull(let operand): return content(operand, value) == nil
    }
  }

  private static func content(_ operand: Operand, _ value: (ListSlot) -> String?) -> String? {
    switch operand {
    case .field(let slot): value(slot)
    case .text(let text), .number(let text): text
    }
  }

  private static func satisfies(_ order: Int, _ sign: String) -> Bool {
    switch sign {
    case "=": order == 0
    case "<>", "!=": order != 0
    case "<": order < 0
    case "<=": order <= 0
    case ">": order > 0
    default: order >= 0
    }
  }

  /// Numbers by value when both are numbers, else as texts. -1, 0 or 1.
  static func compare(_ left: String, _ right: String) -> Int {
    if left == right { return 0 }
    if let first = ExactDecimal(left), let second = ExactDecimal(right) {
      return first == second ? 0 : first < second ? -1 : 1
    }
    return left < right ? -1 : 1
  }
}

/// `like`: `%` any run, `_` one character, `[abc]`, `[a-z]` and `[^abc]` one of a set.
enum FilterPattern {
  static func matches(_ text: String, _ pattern: String) -> Bool { matches(Array(text)[...], Array(pattern)[...]) }

  private static func matches(_ text: ArraySlice<Character>, _ pattern: ArraySlice<Character>) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    switch first {
    case "%":
      let rest = pattern.drop { $0 == "%" }
      if rest.isEmpty { return true }
      return (text.startIndex...text.endIndex).contains { matches(text[$0...], rest) }
    case "_":
      return !text.isEmpty && matches(text.dropFirst(), pattern.dropFirst())
    case "[":
      guard let close = pattern.dropFirst(2).firstIndex(of: "]"), let character = text.first else { return false }
      let set = pattern[(pattern.startIndex + 1)..<close]
      return contains(set, character) && matches(text.dropFirst(), pattern[(close + 1)...])
    default:
      return text.first == first && matches(text.dropFirst(), pattern.dropFirst())
    }
  }

  private static func contains(_ set: ArraySlice<Character>, _ character: Character) -> Bool {
    let isNegated = set.first == "^"
    var rest = isNegated ? set.dropFirst() : set
    var found = false
    while let low = rest.popFirst() {
      if rest.first == "-", let high = rest.dropFirst().first {
        rest = rest.dropFirst(2)
        if low <= high, (low...high).contains(character) { found = true }
      } else if low == character {
        found = true
      }
    }
    return found != isNegated
  }
}
