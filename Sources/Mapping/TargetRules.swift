import JSON

/// The amount of the order must be what its lines add up to (vendor-apis.md C.2): a bill of lines alone would
/// otherwise be for another sum than the customer was quoted.
struct AmountRule: Sendable {
  /// The order's amount, an operand.
  let order: Int
  let lines: ListReach
  /// A line's amount, an operand.
  let line: Int
  /// Costs of the order beside its lines, an operand; must be 0 or absent. Nil when the strategy names none.
  let additions: Int?
  /// Decimals that a line is rounded to before it is added, as it is in the bill; nil: not rounded.
  let decimals: Int?
  /// Largest difference that is let through, 0 or more.
  let tolerance: ExactDecimal

  /// The rule's fields as the strategy names them.
  struct Names: Sendable {
    let order: Path
    let lines: Path
    /// The list's path and the field.
    let line: Path
    let additions: Path?
    let decimals: Int?
    let tolerance: ExactDecimal
  }

  init(_ names: Names, _ table: inout OperandTable) {
    order = table.field(names.order)
    additions = names.additions.map { table.field($0) }
    lines = table.list(names.lines)
    table.enter(ListLevel(names.lines, inside: nil), lines)
    line = table.field(names.line)
    table.leave()
    decimals = names.decimals
    tolerance = names.tolerance
  }
}

/// Ferry's own additions to `target.json`, below its key `ferry`.
struct TargetRules {
  /// Where the bill's number stands when the strategy does not say.
  static let usualKey = Path("Page1.FBillNo")

  var key = Self.usualKey
  var amounts: AmountRule.Names?

  init(_ target: JSONValue, _ known: KnownData, _ problems: inout ProblemList) {
    if target["request"] == nil { problems.report("has no «request»", at: "", offset: nil) }
    let own = target["ferry"]
    if let own, own.kind != .object, !own.isNull { problems.report("must be an object", at: "ferry", own) }
    own?.members.forEach { name, value in
      switch name {
      case "key": key = Path(value.string ?? "")
      case "amounts":
        amounts = Self.amounts(value, &problems)
        if let amounts { Self.check(amounts, known, value, &problems) }
      default: problems.report("«\(excerpt(name))» is unknown; known are key, amounts", at: "ferry", value)
      }
    }
    if let request = target["request"], request.kind == .array, !Self.isScalar(key, in: request) {
      problems.report("names no field of the request that has a value", at: "ferry.key", own?["key"])
    }
  }

  private static func isScalar(_ key: Path, in request: JSONValue) -> Bool {
    var level: JSONValue? = request
    var found: JSONValue?
    for segment in key.segments {
      found = level?.elements.reversed().first { $0["field"]?.string == segment }
      guard let found else { return false }
      level = found["children"]
    }
    return found != nil && found?["children"]?.kind != .array
  }

  /// Without its fields the rule parks every order.
  private static func check(
    _ rule: AmountRule.Names, _ known: KnownData, _ value: JSONValue, _ problems: inout ProblemList
  ) {
    let place = "ferry.amounts"
    known.check([rule.order, rule.lines], inside: [], isRequired: true, at: place, value, &problems)
    known.check(
      [rule.line], inside: [ListLevel(rule.lines, inside: nil)], isRequired: true, at: place, value, &problems)
    if let additions = rule.additions {
      known.check([additions], inside: [], isRequired: false, at: place, value, &problems)
    }
  }

  private static func amounts(_ rule: JSONValue, _ problems: inout ProblemList) -> AmountRule.Names? {
    let known = ["order", "lines", "line", "additions", "decimals", "tolerance"]
    for (name, value) in rule.members where !known.contains(name) {
      let sentence = "«\(excerpt(name))» is unknown; known are \(known.joined(separator: ", "))"
      problems.report(sentence, at: "ferry.amounts", value)
    }
    let paths = ["order", "lines", "line"].compactMap { rule[$0]?.string }.map { Path($0) }
    guard paths.count == 3, paths.allSatisfy({ !$0.segments.isEmpty }),
      let tolerance = rule["tolerance"]?.text.flatMap({ ExactDecimal($0) }), !tolerance.isNegative
    else {
      problems.report("needs «order», «lines», «line» and a «tolerance» of 0 or more", at: "ferry.amounts", rule)
      return nil
    }
    let decimals = rule["decimals"].map { $0.int64.flatMap { (0...20).contains($0) ? Int($0) : nil } }
    if case .some(nil) = decimals {
      problems.report("decimals is a whole number from 0 to 20", at: "ferry.amounts", rule["decimals"])
    }
    let additions = rule["additions"].map { Path($0.string ?? "") }
    if additions?.segments.isEmpty == true {
      problems.report("additions is the name of a field", at: "ferry.amounts", rule["additions"])
    }
    return AmountRule.Names(
      order: paths[0], lines: paths[1], line: Path(segments: paths[1].segments + paths[2].segments),
      additions: additions, decimals: decimals ?? nil, tolerance: tolerance)
  }
}
