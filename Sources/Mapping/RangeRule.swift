import JSON

/// A number of the bill that is plausible only within bounds, perhaps only in some bills: a rate of tax in percent, or the
/// rate of a currency against itself (vendor-apis.md B.6: OKKI's rates are per 100). A class, as all
/// rules: each order reads them.
final class RangeRule: Sendable {
  /// The field of the bill.
  let field: Path
  /// What messages call it.
  let name: String
  /// The bounds, of which there is at least one.
  let minimum, maximum: ExactDecimal?
  /// It holds only in a bill in which each of these fields has one of these texts.
  let conditions: [(field: Path, texts: [String])]
  /// What the field is made of.
  let sources: [String]

  private static let known = ["field", "minimum", "maximum", "when"]

  /// Whether an entry of `ferry.plausible` is a rule of this kind.
  static func isMeant(by rule: JSONValue) -> Bool { rule["field"] != nil }

  /// Reads those of one rule or a list of them that are of this kind.
  static func read(
    _ value: JSONValue, _ request: JSONValue, _ bills: DocumentContent, _ problems: inout ProblemList
  ) -> [RangeRule] {
    RuleList.of(value, "ferry.plausible").filter { isMeant(by: $0.0) }.compactMap { rule, place in
      RangeRule(rule, place, request, bills, &problems)
    }
  }

  private init?(
    _ rule: JSONValue, _ place: String, _ request: JSONValue, _ bills: DocumentContent, _ problems: inout ProblemList
  ) {
    RuleList.refuseUnknown(rule, Self.known, place, &problems)
    let bounds = ["minimum", "maximum"].map { rule[$0]?.text.flatMap { ExactDecimal($0) } }
    (minimum, maximum) = (bounds[0], bounds[1])
    field = Path(rule["field"]?.string ?? "")
    name = field.text
    let areNumbers = (rule["minimum"] == nil) == (bounds[0] == nil) && (rule["maximum"] == nil) == (bounds[1] == nil)
    let isOrdered = bounds[0].flatMap { least in bounds[1].map { least <= $0 } } ?? true
    guard areNumbers, isOrdered, minimum != nil || maximum != nil else {
      problems.report(
        "needs «field» and a «minimum» or «maximum», numbers of which the first is not above the second", at: place,
        rule)
      return nil
    }
    conditions = Self.conditions(rule["when"], "\(place).when", request, &problems)
    if request.kind == .array {
      Self.check(field, at: "\(place).field", rule["field"], request, &problems)
    }
    sources = RequestField.sources(of: [field], in: bills.fields, bills.table)
  }

  private static func conditions(
    _ value: JSONValue?, _ place: String, _ request: JSONValue, _ problems: inout ProblemList
  ) -> [(field: Path, texts: [String])] {
    guard let value else { return [] }
    if value.kind != .object || value.count == 0 {
      problems.report("must be an object of the bill's fields and the texts that they must have", at: place, value)
    }
    return value.members.map { name, value in
      let texts = (value.kind == .array ? Array(value.elements) : [value]).map(\.text)
      if texts.isEmpty || texts.contains(nil) {
        problems.report("must be a text or a list of texts", at: "\(place).\(excerpt(name))", value)
      }
      let path = Path(name)
      if request.kind == .array { check(path, at: place, value, request, &problems) }
      return (path, texts.compactMap { $0 })
    }
  }

  private static func check(
    _ path: Path, at place: String, _ value: JSONValue?, _ request: JSONValue, _ problems: inout ProblemList
  ) {
    if !(RequestField.find(path, in: request).map { RequestField.isScalar($0.descriptor) } ?? false) {
      problems.report("«\(excerpt(path.text))» names no field of the request that has a value", at: place, value)
    }
  }

  /// What is wrong with a number; nil when nothing is.
  func trouble(_ number: ExactDecimal) -> String? {
    if let minimum, minimum == maximum { return number == minimum ? nil : "\(minimum)" }
    if let minimum, number < minimum { return "at least \(minimum)" }
    if let maximum, number > maximum { return "at most \(maximum)" }
    return nil
  }

  /// Whether a value is one of these texts.
  static func has(_ value: JSONTree, _ texts: [String]) -> Bool {
    switch value {
    case .string(let text): texts.contains(text)
    case .number(let number), .digits(let number): texts.contains(number.description)
    default: false
    }
  }

  /// Whether the rule holds in a bill.
  func concerns(_ document: [JSONMember]) -> Bool {
    conditions.allSatisfy { condition in
      var isMet = false
      // Never fails: what it is called with does not.
      try? TargetField.values(condition.field.segments, in: document) { value in
        isMet = isMet || Self.has(value, condition.texts)
      }
      return isMet
    }
  }

  /// How the condition stands in a sentence.
  var when: String {
    if conditions.isEmpty { return "" }
    let all = conditions.map { "\($0.field.text) is \($0.texts.joined(separator: " or "))" }
    return " where \(all.joined(separator: " and "))"
  }
}

extension MappingRun {
  /// Holds a field against its bounds, wherever it stands in the bill.
  mutating func check(_ rule: RangeRule, in document: [JSONMember]) {
    guard rule.concerns(document) else { return }
    var isGood = true
    do throws(ValueError) {
      try TargetField.values(rule.field.segments, in: document) { value throws(ValueError) in
        if let number = try TargetField.number(value, rule.name), rule.trouble(number) != nil { isGood = false }
      }
    } catch { isGood = false }
    if isGood { return }
    var found: [(String, ValueError?, String)] = []
    TargetField.forEach(rule.field.segments[...], in: document) { value, place in
      do throws(ValueError) {
        guard let number = try TargetField.number(value, rule.field.text), let wanted = rule.trouble(number) else {
          return
        }
        found.append((place.text, nil, "\(rule.field.text) should be \(wanted)\(rule.when)"))
      } catch { found.append((place.text, error, error.sentence)) }
    }
    for (place, error, sentence) in found {
      fail(
        error?.code ?? .valueInvalid, { place }, sentence, rule.sources,
        remedy: error == nil ? "Correct the value in OKKI; «ferry.plausible» says what is let through." : nil)
    }
  }
}
