import JSON

/// The lines of an order with the lines of its combined products: a product as it was sold and what it consists of stand
/// side by side, and only one of both is sent (vendor-apis.md B.6).
struct CombinedLines {
  /// Which lines of a combined product are sent.
  enum Choice: String, Sendable {
    /// The product as it was sold.
    case parents
    /// What it consists of.
    case parts
  }

  /// What tells that a line is a product as it was sold, and that it is a part of one.
  static let flags = ["is_master_product", "is_sub_product"]

  private let lines: [Line]
  private let list: String

  /// A line and what it is in a combined product.
  private struct Line {
    let value: JSONValue
    let isParent: Bool
    let isPart: Bool
  }

  /// - Parameter list: the lines' name, which their keys may begin with.
  /// - Throws: `MappingFailures` with each line of which it cannot be told what it is.
  init(_ lines: [JSONValue], in list: String) throws(MappingFailures) {
    self.list = list
    var read: [Line] = []
    var failures: [MappingFailure] = []
    for (position, line) in lines.enumerated() {
      var flags: [Bool] = []
      for flag in Self.flags {
        if let isSet = Self.isSet(line, flag, list) {
          flags.append(isSet)
        } else if failures.count < 100 {
          failures.append(
            MappingFailure(
              .valueInvalid, target: "", sources: ["\(list).\(flag)"],
              "\(list)[\(position)].\(flag) should be 1 or 0 but is neither"))
        }
      }
      if flags.count == 2 { read.append(Line(value: line, isParent: flags[0], isPart: flags[1])) }
    }
    if !failures.isEmpty { throw MappingFailures(failures: failures) }
    self.lines = read
  }

  /// The lines that are sent.
  /// - Throws: `MappingFailures` with each line that would be left out for another one that is not there.
  func sent(_ choice: Choice) throws(MappingFailures) -> [JSONValue] {
    let left = lines.indices.filter { choice == .parents ? lines[$0].isPart : lines[$0].isParent }
    if left.isEmpty { return lines.map(\.value) }
    let groups = choice == .parents ? parents : parts
    let lost = left.filter { !groups.hold(lines[$0].value, choice, list) }
    if !lost.isEmpty { throw failures(lost, choice) }
    return lines.filter { choice == .parents ? !$0.isPart : !$0.isParent }.map(\.value)
  }

  private func failures(_ lost: [Int], _ choice: Choice) -> MappingFailures {
    let (flag, other, remedy) =
      choice == .parents
      ? (
        "is_sub_product", "the combined product whose part it is has no line",
        "Give the order the line of the combined product in OKKI, or let «ferry.combined» send the parts."
      )
      : (
        "is_master_product", "the combined product has no lines of its parts",
        "Give the order the lines of the parts in OKKI, or let «ferry.combined» send the parents."
      )
    // One broken order must not grow a report without bound.
    return MappingFailures(
      failures: lost.prefix(100).map { position in
        MappingFailure(
          .valueInvalid, target: "", sources: ["\(list).\(flag)"],
          "\(list)[\(position)] would be left out, but \(other)", remedy: remedy)
      })
  }

  // MARK: Which lines belong together

  /// What the lines that are sent can be found by.
  private struct Groups {
    var ids: Set<String> = []
    /// Whether there is such a line at all: that is all there is to go by where lines name no one.
    var isAny = false
    /// Whether one of them does not say whose it is.
    var isOpen = false

    /// Whether a line that is left out stands behind one of them.
    func hold(_ line: JSONValue, _ choice: Choice, _ list: String) -> Bool {
      if isOpen { return isAny }
      if choice == .parts { return CombinedLines.texts(CombinedLines.names, line, list).contains(where: ids.contains) }
      guard let own = CombinedLines.reference(line, list) else { return isAny }
      return ids.contains(own)
    }
  }

  /// What a part names its product by, the closest first, and what the product's line may be named by. Which of them OKKI
  /// means is not published; ids are long and of one space, so a wrong match is not to be feared.
  private static let references = ["master_id", "combine_product_id", "combine_product_no"]
  private static let names = ["unique_id", "product_id", "sku_id", "product_no", "sku_code"] + references

  private var parents: Groups {
    var groups = Groups()
    for line in lines where !line.isPart {
      groups.isAny = groups.isAny || line.isParent
      groups.ids.formUnion(Self.texts(Self.names, line.value, list))
    }
    return groups
  }

  private var parts: Groups {
    var groups = Groups()
    for line in lines where line.isPart && !line.isParent {
      groups.isAny = true
      if let id = Self.reference(line.value, list) { groups.ids.insert(id) } else { groups.isOpen = true }
    }
    return groups
  }

  /// The first that is given: another line of the same product must not stand in for the one that is missing.
  private static func reference(_ line: JSONValue, _ list: String) -> String? {
    texts(references, line, list).first
  }

  private static func texts(_ keys: [String], _ line: JSONValue, _ list: String) -> [String] {
    keys.compactMap { member($0, line, list)?.text }.filter { !$0.isEmpty && $0 != "0" }
  }

  private static func member(_ key: String, _ line: JSONValue, _ list: String) -> JSONValue? {
    line[key] ?? line["\(list)_\(key)"]
  }

  /// Nil for what says neither yes nor no.
  private static func isSet(_ line: JSONValue, _ flag: String, _ list: String) -> Bool? {
    guard let value = member(flag, line, list), !value.isNull else { return false }
    if let bool = value.bool { return bool }
    // PHP writes what is empty as an empty array.
    guard let text = value.text.map(trimmed) else { return value.count == 0 ? false : nil }
    switch text.lowercased() {
    case "", "false": return false
    case "true": return true
    default: break
    }
    guard let number = ExactDecimal(text) else { return nil }
    return number.isZero ? false : number == ExactDecimal(1) ? true : nil
  }
}
