import JSON

/// What is done to a mapped bill before it is written: its lines' amounts are held against prices and quantities,
/// numbers against their bounds, its dates against the calendar. Nothing without a rule for it.
struct BillRules: Sendable {
  var residuals: [ResidualRule] = []
  var plausible: [PlausibleRule] = []
  var ranges: [RangeRule] = []
  var calendar: CalendarRule?

  var isNone: Bool { residuals.isEmpty && plausible.isEmpty && ranges.isEmpty && calendar == nil }

  /// Reads the rules of a target and its calendar; nil when there are none.
  /// - Parameters:
  ///   - bills: the target, compiled.
  ///   - order: what the rules read of the order is added to it.
  ///   - calendar: text of `calendar.json`, nil when there is no such file.
  ///   - own: takes the problems of that file.
  init?(
    _ root: JSONValue, _ bills: DocumentContent, _ order: inout OperandTable, _ known: KnownData,
    calendar text: [UInt8]?, _ problems: inout ProblemList, own: inout ProblemList
  ) {
    let (rules, request) = (root["ferry"], root["request"] ?? root)
    if let rule = rules?["residual"] {
      residuals = ResidualRule.read(rule, request, bills, DecimalClasses(rules), &problems)
    }
    if let rule = rules?["plausible"] {
      plausible = PlausibleRule.read(rule, request, &order, known, &problems)
      ranges = RangeRule.read(rule, request, bills, &problems)
    }
    var reader = CalendarReader(target: problems, own: own)
    reader.take(rules?["calendar"])
    reader.take(file: text)
    calendar = reader.rule(root, bills, &order, known)
    (problems, own) = (reader.target, reader.own)
    if isNone { return nil }
  }
}

extension MappingRun {
  /// Applies what concerns one document by itself.
  mutating func apply(_ rules: BillRules, to document: inout [JSONMember]) {
    if let calendar = rules.calendar { document = dated(document, calendar) }
    for rule in rules.residuals { check(rule, in: document) }
    for rule in rules.ranges { check(rule, in: document) }
  }
}
