import JSON
import Orders

/// One comparison of a source's `condition` (mapping-language.md §10).
enum ConditionTest: Sendable {
  /// A number is compared by its value, a text by its characters.
  case equal(String)
  /// `eqv2`: what reads as a number on both sides is compared as numbers, whatever its type.
  case looselyEqual(String)
  case contains(String)
  case greater(Bound)
  case less(Bound)
  /// Both ends included; an end that is missing is none.
  case between(Bound?, Bound?)
  case isNull
  /// It has no value yet: the group never holds.
  case unset
  indirect case not(ConditionTest)

  /// What an order is compared with: a value, or a time.
  enum Bound: Sendable {
    case value(String)
    /// `timestamp:1704067200`
    case time(BeijingTime)

    init?(_ text: String) {
      let prefix = "timestamp:"
      guard text.hasPrefix(prefix) else {
        self = .value(text)
        return
      }
      guard let seconds = Int64(trimmed(text.dropFirst(prefix.count))) else { return nil }
      self = .time(BeijingTime(epochSeconds: seconds))
    }

    /// Below 0, 0 or above 0; nil when the two cannot be compared.
    func order(of value: JSONValue) -> Int? {
      guard let text = value.text, !text.isEmpty else { return nil }
      return order(of: text)
    }

    private func order(of text: String) -> Int? {
      func order<Item: Comparable>(_ left: Item, _ right: Item) -> Int { left == right ? 0 : left < right ? -1 : 1 }
      switch self {
      case .time(let bound): return Filter.time(.text(text)).map { order($0, bound) }
      case .value(let bound):
        if let left = ExactDecimal(trimmed(text)), let right = ExactDecimal(trimmed(bound)) {
          return order(left, right)
        }
        if let left = BeijingTime(text), let right = BeijingTime(bound) { return order(left, right) }
        return order(text, bound)
      }
    }

    /// Whether it is greater than another one, as far as both are of one kind.
    func isGreater(than other: Bound) -> Bool {
      switch (self, other) {
      case (.time(let own), .time(let other)): own > other
      case (.value(let own), .value): other.order(of: own).map { $0 > 0 } ?? false
      default: false
      }
    }
  }

  static let logics = [
    "eq", "eqv2", "neq", "gt", "egt", "lt", "elt", "like", "notlike", "between", "notnull", "isnull",
  ]

  /// Reads one logic with its value; throws a sentence.
  init(logic: String, value: JSONValue?) throws(Template.Malformed) {
    func text() throws(Template.Malformed) -> String {
      guard let text = value?.text ?? value?.bool.map({ $0 ? "true" : "false" }) else {
        throw Template.Malformed(sentence: "«\(logic)» needs a «value»: a text, a number or a boolean")
      }
      return text
    }
    func bound(_ text: String) throws(Template.Malformed) -> Bound {
      guard let bound = Bound(text) else {
        throw Template.Malformed(sentence: "a time is written timestamp:SECONDS")
      }
      return bound
    }
    let name = logic.lowercased()
    if let value, value.isNull, Self.logics.contains(name), !["isnull", "notnull"].contains(name) {
      self = .unset
      return
    }
    switch name {
    case "eq": self = try Self.equal(text(), bound)
    case "neq": self = .not(try Self.equal(text(), bound))
    case "eqv2": self = .looselyEqual(try text())
    case "gt": self = .greater(try bound(text()))
    case "egt": self = .between(try bound(text()), nil)
    case "lt": self = .less(try bound(text()))
    case "elt": self = .between(nil, try bound(text()))
    case "like": self = .contains(try text())
    case "notlike": self = .not(.contains(try text()))
    case "between":
      let parts = try text().split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
      guard parts.count == 2, !parts.contains("") else {
        throw Template.Malformed(sentence: "«between» needs two values with a comma, such as 100,500")
      }
      self = .between(try bound(parts[0]), try bound(parts[1]))
    case "isnull": self = .isNull
    case "notnull": self = .not(.isNull)
    default:
      let known = Self.logics.joined(separator: ", ")
      throw Template.Malformed(sentence: "the logic «\(excerpt(logic))» is unknown; known are \(known)")
    }
  }

  private static func equal(
    _ text: String, _ bound: (String) throws(Template.Malformed) -> Bound
  ) throws(Template.Malformed) -> ConditionTest {
    if case .time(let time) = try bound(text) { return .between(.time(time), .time(time)) }
    return .equal(text)
  }

  /// Whether a value passes; a missing one is like `null`.
  func holds(for value: JSONValue?) -> Bool {
    switch self {
    case .not(let test): return !test.holds(for: value)
    case .isNull: return value?.isNull ?? true
    default: break
    }
    guard let value else { return false }
    let text = value.text ?? value.bool.map { $0 ? "true" : "false" }
    switch self {
    case .equal(let wanted):
      if value.kind == .number, let wanted = ExactDecimal(wanted) { return value.decimal == wanted }
      return text == wanted
    case .looselyEqual(let wanted):
      guard let text else { return false }
      if let left = ExactDecimal(trimmed(text)), let right = ExactDecimal(trimmed(wanted)) { return left == right }
      return trimmed(text) == trimmed(wanted)
    case .contains(let part): return text?.lowercased().contains(Self.bare(part)) ?? false
    case .greater(let bound): return bound.order(of: value).map { $0 > 0 } ?? false
    case .less(let bound): return bound.order(of: value).map { $0 < 0 } ?? false
    case .between(let first, let last): return Self.isWithin(value, first, last)
    case .isNull, .unset, .not: return false
    }
  }

  private static func isWithin(_ value: JSONValue, _ first: Bound?, _ last: Bound?) -> Bool {
    if let first, !(first.order(of: value).map { $0 >= 0 } ?? false) { return false }
    if let last, !(last.order(of: value).map { $0 <= 0 } ?? false) { return false }
    return true
  }

  /// People write `活动` and `%活动%` for the same.
  private static func bare(_ text: String) -> String {
    var part = text.lowercased()[...]
    while part.first == "%" { part = part.dropFirst() }
    while part.last == "%" { part = part.dropLast() }
    return String(part)
  }
}

extension Condition {
  /// Reads a source's `condition`; nil when there is none.
  /// - Parameters:
  ///   - known: the order's own fields.
  ///   - made: what `formatResponse` adds to them.
  static func read(
    _ value: JSONValue?, _ known: KnownData, made: [MadeField], _ problems: inout ProblemList
  ) -> Condition? {
    guard let value, !value.isNull, value.kind != .array || value.count > 0 else { return nil }
    guard value.kind == .array else {
      problems.report("must be a list of lists: any of the outer ones, all of the inner ones", at: "condition", value)
      return nil
    }
    var groups: [[Rule]] = []
    for (position, group) in value.elements.enumerated() {
      let place = "condition[\(position)]"
      guard group.kind == .array else {
        problems.report("must be a list of comparisons", at: place, group)
        continue
      }
      var rules: [Rule] = []
      for (number, rule) in group.elements.enumerated() {
        let place = "\(place)[\(number)]"
        check(rule, known, made, at: place, &problems)
        if let rule = self.rule(rule, at: place, &problems) { rules.append(rule) }
      }
      // An empty group takes everything, which nobody means who wrote others beside it.
      if group.count == 0 { problems.warn("the group is empty and passed over", at: place, group) }
      if !rules.isEmpty { groups.append(rules) }
    }
    return Condition(groups: groups)
  }

  private static let keys = ["field", "logic", "value", "strictMode"]

  /// What can be read and yet takes other orders than the one who wrote it thinks: names that nothing has, and values
  /// that nothing meets.
  private static func check(
    _ rule: JSONValue, _ known: KnownData, _ made: [MadeField], at place: String, _ problems: inout ProblemList
  ) {
    Names.check(rule, known: keys, at: place, &problems)
    let path = Path(rule["field"]?.string ?? "")
    if !path.segments.isEmpty {
      let own = made.first { $0.name == path || Path(segments: $0.from.segments.dropLast() + $0.name.segments) == path }
      if let own, own.from != path, known.fields?.answer(to: path, inside: []) != .known {
        problems.report(
          "formatResponse makes «\(excerpt(path.text))» after the condition, which never sees it; "
            + "compare «\(excerpt(own.from.text))» itself", at: place, rule["field"])
      } else {
        known.check([path], inside: [], isRequired: false, at: place, rule["field"], &problems)
      }
    }
    if let value = rule["value"], let text = value.string {
      let isPlaceholder = text.firstIndex(of: "{").map { text[$0...].contains("}") } ?? false
      if isPlaceholder || Slips.directive(meantBy: text) != nil {
        problems.warn(
          "a condition's value is compared as it stands: nothing is filled in or worked out", at: place, value)
      }
    }
    if let strict = rule["strictMode"], !strict.isNull, isStrict(strict) == nil {
      problems.report("strictMode is true or false", at: place, strict)
    }
  }

  /// PHP writes truth values in all of these forms.
  private static func isStrict(_ value: JSONValue) -> Bool? {
    value.bool ?? ["true": true, "1": true, "false": false, "0": false, "": false][value.text?.lowercased() ?? "?"]
  }

  private static func rule(_ rule: JSONValue, at place: String, _ problems: inout ProblemList) -> Rule? {
    /// A key that lacks because it is misspelt has been told.
    func isMisspelt(_ lacking: [String]) -> Bool {
      rule.members.contains { key, _ in
        Spelling.nearest(to: key, among: keys).map { $0 != key && lacking.contains($0) } ?? false
      }
    }
    let path = Path(rule["field"]?.string ?? "")
    guard !path.segments.isEmpty, let logic = rule["logic"]?.string else {
      if !isMisspelt(["field", "logic"].filter { rule[$0] == nil }) {
        problems.report("needs «field» and «logic»", at: place, rule)
      }
      return nil
    }
    do throws(Template.Malformed) {
      let test = try ConditionTest(logic: logic, value: rule["value"])
      if case .unset = test {
        problems.warn("has no value yet; until it has one this comparison never holds", at: place, rule)
      }
      if case .between(let first?, let last?) = test, first.isGreater(than: last) {
        problems.warn(
          "the first value is greater than the last, so that nothing lies between them", at: place, rule["value"])
      }
      return Rule(path: path, test: test, isStrict: rule["strictMode"].flatMap(isStrict) ?? false)
    } catch {
      if rule["value"] != nil || !isMisspelt(["value"]) { problems.report(error.sentence, at: place, rule) }
      return nil
    }
  }
}
