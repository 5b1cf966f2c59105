import JSON

/// Reads the calendar: from `ferry.calendar` of the target, from `calendar.json` beside it, or a part from each.
struct CalendarReader {
  /// What is wrong in the target, and in the calendar's own file.
  var target: ProblemList
  var own: ProblemList
  private var entries: [String: (value: JSONValue, isOwn: Bool)] = [:]
  private var isConfigured = false

  private static let known = ["date", "follow", "cutOff", "businessDays", "closedThrough", "closed"]

  init(target: ProblemList, own: ProblemList) {
    self.target = target
    self.own = own
  }

  /// Takes the entries of the target.
  mutating func take(_ rule: JSONValue?) {
    guard let rule else { return }
    isConfigured = true
    if rule.kind != .object { target.report("must be an object", at: "ferry.calendar", rule) }
    for (name, value) in rule.members { add(name, value, isOwn: false) }
  }

  /// Takes the entries of the calendar's own file.
  mutating func take(file text: [UInt8]?) {
    guard let text, let root = DocumentContent.root(text, &own) else { return }
    isConfigured = true
    for (name, value) in root.members { add(name, value, isOwn: true) }
  }

  private mutating func add(_ name: String, _ value: JSONValue, isOwn: Bool) {
    if !Self.known.contains(name) {
      report(
        "«\(excerpt(name))» is unknown; known are \(Self.known.joined(separator: ", "))", "", (value, isOwn))
    } else if entries[name]?.isOwn == false, isOwn {
      report("stands in target.json, too; only one of them can be meant", name, (value, isOwn))
    } else {
      entries[name] = (value, isOwn)
    }
  }

  private mutating func report(_ sentence: String, _ name: String, _ entry: (value: JSONValue, isOwn: Bool)) {
    if entry.isOwn {
      own.report(sentence, at: name, entry.value)
    } else {
      target.report(sentence, at: name.isEmpty ? "ferry.calendar" : "ferry.calendar.\(name)", entry.value)
    }
  }

  /// The rule; nil without a calendar, or when it cannot be used.
  /// - Parameter order: what the rule reads of the order is added to it.
  mutating func rule(
    _ root: JSONValue, _ bills: DocumentContent, _ order: inout OperandTable, _ known: KnownData
  ) -> CalendarRule? {
    guard isConfigured else { return nil }
    guard let date = entries["date"] else {
      // The file alone, for all its days, does not know the bill's date.
      target.report(
        "the calendar needs «date», the field with the bill's date, such as Page1.Fdate", at: "ferry.calendar",
        root["ferry"]?["calendar"])
      return nil
    }
    let path = self.path("date", date.value, root, mayBeInRows: false)
    var follow: [Path] = []
    if let entry = entries["follow"] {
      if entry.value.kind != .array { report("is a list of fields with dates", "follow", entry) }
      for value in entry.value.elements { follow.append(self.path("follow", value, root, mayBeInRows: true)) }
    }
    if entries["cutOff"] == nil, entries["closedThrough"] == nil {
      let sentence = "the calendar has neither «cutOff» nor «closedThrough»: it moves and holds nothing"
      if date.isOwn {
        own.warn(sentence, at: "", date.value)
      } else {
        target.warn(sentence, at: "ferry.calendar", date.value)
      }
    }
    return CalendarRule(
      date: path, follow: follow, cutOff: cutOff(&order, known), closedThrough: closedThrough(), closed: closed(),
      days: days(), sources: RequestField.sources(of: [path], in: bills.fields, bills.table))
  }

  private mutating func path(
    _ name: String, _ value: JSONValue, _ root: JSONValue, mayBeInRows: Bool
  ) -> Path {
    let path = Path(value.string ?? "")
    guard let request = root["request"], request.kind == .array else { return path }
    let entry = (value, entries[name]?.isOwn ?? false)
    guard let found = RequestField.find(path, in: request), RequestField.isScalar(found.descriptor) else {
      report("names no field of the request that has a value", name, entry)
      return path
    }
    if found.isInRows, !mayBeInRows {
      report("is a field of rows; a bill has one date, and «follow» names dates that follow it", name, entry)
    }
    return path
  }

  private mutating func cutOff(_ order: inout OperandTable, _ known: KnownData) -> CalendarRule.CutOff? {
    guard let entry = entries["cutOff"] else { return nil }
    for (name, value) in entry.value.members where !["time", "from"].contains(name) {
      report("«\(excerpt(name))» is unknown; known are time, from", "cutOff", (value, entry.isOwn))
    }
    let from = Path(entry.value["from"]?.string ?? "")
    guard let text = entry.value["time"]?.string, let second = Self.second(text), !from.segments.isEmpty else {
      report(
        "needs «time», such as 18:00, and «from», the order's field that tells when it came", "cutOff", entry)
      return nil
    }
    if entry.isOwn {
      known.check([from], inside: [], isRequired: true, at: "cutOff.from", entry.value["from"], &own)
    } else {
      known.check([from], inside: [], isRequired: true, at: "ferry.calendar.cutOff.from", entry.value["from"], &target)
    }
    return CalendarRule.CutOff(second: second, text: text, from: order.field(from))
  }

  /// `18:00` or `18:00:00`, up to `23:59:59`.
  private static func second(_ text: String) -> Int64? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let isDigits = parts.allSatisfy { $0.utf8.count == 2 && $0.utf8.allSatisfy { $0 &- 0x30 < 10 } }
    guard (2...3).contains(parts.count), isDigits else { return nil }
    let numbers = parts.compactMap { Int64($0) } + (parts.count == 2 ? [0] : [])
    guard numbers[0] < 24, numbers[1] < 60, numbers[2] < 60 else { return nil }
    return numbers[0] * 3600 + numbers[1] * 60 + numbers[2]
  }

  private mutating func closedThrough() -> Day? {
    guard let entry = entries["closedThrough"], !entry.value.isNull else { return nil }
    let day = entry.value.string.flatMap { Day($0) }
    if day == nil { report("is the last closed day, such as 2024-01-31", "closedThrough", entry) }
    return day
  }

  private mutating func closed() -> CalendarRule.Closed {
    guard let entry = entries["closed"] else { return .hold }
    guard let closed = entry.value.string.flatMap(CalendarRule.Closed.init(rawValue:)) else {
      report("is hold or move", "closed", entry)
      return .hold
    }
    return closed
  }

  private mutating func days() -> BusinessDays {
    guard let entry = entries["businessDays"], !entry.value.isNull else { return BusinessDays() }
    var found: [(String, JSONValue)] = []
    let days = BusinessDays(entry.value) { found.append(($0, $1)) }
    for (sentence, value) in found { report(sentence, "businessDays", (value, entry.isOwn)) }
    return days
  }
}
