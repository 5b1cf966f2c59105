import JSON

/// The amount of the order must be what its lines add up to (vendor-apis.md C.2): a bill of lines alone would
/// otherwise be for another sum than the customer was quoted.
final class AmountRule: Sendable {
  /// The order's amount, an operand.
  let order: Int
  let lines: ListReach
  /// A line's amount, an operand.
  let line: Int
  /// Costs of the order beside its lines, an operand. Nil when the strategy names none.
  let additions: Int?
  /// What becomes of them.
  let costs: OrderPreparation.Costs
  /// Decimals that a line is rounded to before it is added, as it is in the bill; nil: not rounded.
  let decimals: Int?
  /// Largest difference that is let through, 0 or more.
  let tolerance: ExactDecimal
  /// The field of the bill whose values must add up to the order's amount, with either sign: a return takes back what the
  /// order is for. Nil when the strategy names none.
  let bill: Path?

  /// The rule's fields as the strategy names them.
  struct Names: Sendable {
    let order: Path
    let lines: Path
    /// The list's path and the field.
    let line: Path
    let additions: Path?
    let costs: OrderPreparation.Costs
    let decimals: Int?
    let tolerance: ExactDecimal
    var bill: Path?
  }

  init(_ names: Names, _ table: inout OperandTable) {
    order = table.field(names.order)
    additions = names.additions.map { table.field($0) }
    costs = names.costs
    lines = table.list(names.lines)
    table.enter(ListLevel(names.lines, inside: nil), lines)
    line = table.field(names.line)
    table.leave()
    decimals = names.decimals
    tolerance = names.tolerance
    bill = names.bill
  }
}

/// Ferry's own additions to `target.json`, below its key `ferry`.
struct TargetRules {
  /// Where the bill's number stands when the strategy does not say.
  static let usualKey = Path("Page1.FBillNo")

  var key = Self.usualKey
  var amounts: AmountRule.Names?
  /// Keeps its bills apart from those of other strategies; nil: K/3's object does.
  var stream: String?
  /// No other strategy gets an order that this one takes.
  var isExclusive = false
  /// Streams that an order may have been written in before.
  var follows: Set<String> = []
  private static let known =
    "key, amounts, calendar, combined, decimals, division, exclusive, follows, original, plausible, residual, stream, zone"
  private var combined: (list: String, send: CombinedLines.Choice)?

  /// What is done to an order's lines; nil when nothing is.
  var preparation: OrderPreparation? {
    var preparation: OrderPreparation?
    if let amounts, let additions = amounts.additions, [.hold, .ignore].contains(amounts.costs) == false {
      preparation = OrderPreparation(list: amounts.lines.text)
      preparation?.costs = amounts.costs
      preparation?.additions = additions
      preparation?.amount = amounts.line.segments.last ?? ""
      preparation?.decimals = amounts.decimals ?? 2
    }
    if let combined {
      preparation = preparation ?? OrderPreparation(list: combined.list)
      preparation?.combined = combined.send
    }
    return preparation
  }

  init(_ target: JSONValue, _ known: KnownData, _ problems: inout ProblemList) {
    if target["request"] == nil { problems.report("has no «request»", at: "", offset: nil) }
    let own = target["ferry"]
    if let own, own.kind != .object, !own.isNull { problems.report("must be an object", at: "ferry", own) }
    own?.members.forEach { name, value in
      switch name {
      case "key": key = Path(value.string ?? "")
      case "amounts":
        amounts = Self.amounts(value, DecimalClasses(own), &problems)
        if let amounts { Self.check(amounts, known, value, &problems) }
      // Read with the fields that they are said of.
      case "decimals", "division", "original", "zone": break
      case "stream":
        stream = value.string
        if !Self.isName(value.string ?? "") {
          problems.report("stream is a name of 1 to 64 letters, digits, _ - .", at: "ferry.stream", value)
        }
      case "exclusive":
        isExclusive = value.bool ?? false
        if value.bool == nil { problems.report("exclusive is true or false", at: "ferry.exclusive", value) }
      case "follows":
        let names = value.string.map { [$0] } ?? value.elements.map { $0.string ?? "" }
        follows = Set(names)
        if names.isEmpty || !names.allSatisfy(Self.isName) {
          problems.report("follows names streams, a text or a list of texts", at: "ferry.follows", value)
        }
      // Read when the fields are, see `BillRules`.
      case "residual", "plausible", "calendar": break
      case "combined":
        combined = Self.combined(value, &problems)
        if let combined { Self.check(list: combined.list, known, value, &problems) }
      default:
        problems.report("«\(excerpt(name))» is unknown; known are \(Self.known)", at: "ferry", value)
      }
    }
    if let request = target["request"], request.kind == .array, !Self.isScalar(key, in: request) {
      if let named = own?["key"] {
        problems.report("names no field of the request that has a value", at: "ferry.key", named)
      } else {
        problems.report(
          "the bill's number is \(Self.usualKey.text) where ferry.key names no other field, and the request has no such "
            + "field with a value: add it, or name another one in ferry.key", at: "ferry.key", request)
      }
    }
  }

  private static func isName(_ name: String) -> Bool {
    1...64 ~= name.utf8.count
      && name.utf8.allSatisfy { byte in
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || "_-.".utf8.contains(byte)
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
    guard let found, found["children"]?.kind != .array else { return false }
    // Without a value every order would be parked.
    return found["value"].map { !$0.isNull && $0.string != "" } ?? false || found["ferry"]?["row"]?.bool == true
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
    guard case .line(let fields) = rule.costs else { return }
    for field in fields {
      known.check(
        [Path(segments: rule.lines.segments + [field.name])], inside: [ListLevel(rule.lines, inside: nil)],
        isRequired: true, at: "\(place).costs", value["costs"]?["line"]?[field.name], &problems)
    }
  }

  /// Without its list the rule does nothing: a combined product and its parts would both be sent.
  private static func check(list: String, _ known: KnownData, _ rule: JSONValue, _ problems: inout ProblemList) {
    guard let fields = known.fields, case .unknown(let nearest) = fields.answer(to: Path(list), inside: []) else {
      return
    }
    let meant = nearest.map { "; is «\(excerpt($0))» meant? If not, declare it" } ?? "; declare it"
    problems.report(fields.lack(Path(list)) + meant, at: "ferry.combined.list", rule["list"])
  }

  private static func amounts(
    _ rule: JSONValue, _ classes: DecimalClasses, _ problems: inout ProblemList
  ) -> AmountRule.Names? {
    let known = ["order", "lines", "line", "additions", "costs", "decimals", "tolerance", "bill"]
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
    let decimals = rule["decimals"].map { classes.decimals($0) }
    if case .some(nil) = decimals {
      problems.report(DecimalClasses.sentence, at: "ferry.amounts", rule["decimals"])
    }
    let additions = rule["additions"].map { Path($0.string ?? "") }
    if additions?.segments.isEmpty == true {
      problems.report("additions is the name of a field", at: "ferry.amounts", rule["additions"])
    }
    return AmountRule.Names(
      order: paths[0], lines: paths[1], line: Path(segments: paths[1].segments + paths[2].segments),
      additions: additions, costs: costs(rule, paths[1], &problems), decimals: decimals ?? nil, tolerance: tolerance,
      bill: rule["bill"].map { Path($0.string ?? "") })
  }

  private static func costs(
    _ rule: JSONValue, _ lines: Path, _ problems: inout ProblemList
  ) -> OrderPreparation.Costs {
    guard let value = rule["costs"] else { return .hold }
    if rule["additions"] == nil { problems.report("costs needs «additions»", at: "ferry.amounts", value) }
    let costs: OrderPreparation.Costs
    switch value.string {
    case "hold": return .hold
    case "ignore": return .ignore
    case "spread": costs = .spread
    default:
      let fields = value["line"].map { Array($0.members) } ?? []
      guard !fields.isEmpty, value.count == 1, fields.allSatisfy({ $0.value.text != nil }) else {
        let sentence =
          "costs is hold, ignore, spread or {\"line\": {…}} with the texts and numbers of the line to be added"
        problems.report(sentence, at: "ferry.amounts", value)
        return .hold
      }
      costs = .line(fields.map { OrderPreparation.Costs.Field(name: $0.key, value: JSONTree($0.value)) })
    }
    if lines.segments.count != 1 {
      problems.report("costs become lines of a list of the order itself only", at: "ferry.amounts", value)
    }
    return costs
  }

  private static func combined(
    _ rule: JSONValue, _ problems: inout ProblemList
  ) -> (list: String, send: CombinedLines.Choice)? {
    guard rule.kind == .object, rule.count == 2, let list = rule["list"]?.string, !list.isEmpty,
      let send = rule["send"]?.string.flatMap(CombinedLines.Choice.init(rawValue:))
    else {
      problems.report("needs «list», and «send» with parents or parts", at: "ferry.combined", rule)
      return nil
    }
    return (list, send)
  }
}
