import JSON

/// A pair of metadata documents and perhaps a calendar, compiled: how an order of OKKI becomes a bill of K/3.
///
/// Compiling reads every expression, placeholder and lookup once and reports all problems together; mapping an order
/// then parses nothing but the order.
public struct Strategy: Sendable {
  /// Its name: that of its folder.
  public let name: String
  /// K/3's object, from the target's `api` (`/SO/Save` → `SO`).
  public let object: String
  /// What is odd in the files and yet can be meant; for `ferry check` and the log.
  public let warnings: [StrategyProblem]

  /// Where the bill's number stands in the body, such as `Page1.FBillNo`.
  public var key: String { keyPath.text }

  /// Keeps the bills that strategies make of one order apart in the ledger: `ferry.stream`, or else the object.
  public let stream: String
  /// No other strategy gets an order that this one takes (`ferry.exclusive`).
  public let isExclusive: Bool
  /// It takes nothing, since its condition waits for a value.
  public var isOff: Bool { condition?.isUnset ?? false }
  /// Whether an order may become several bills.
  public var splits: Bool { false }
  /// The same, as if what its condition waits for held: to try a strategy that is off.
  public var asIfOn: Strategy {
    var strategy = self
    strategy.condition = condition?.withoutUnset
    return strategy
  }
  /// It takes every order.
  public var takesAll: Bool { condition?.groups.isEmpty ?? true }

  let fields: [FieldDescriptor]
  let table: OperandTable
  private(set) var condition: Condition?
  let keyPath: Path
  let amounts: AmountRule?
  let preparation: OrderPreparation?
  let billRules: BillRules?

  /// Compiles a strategy.
  /// - Parameters:
  ///   - name: its folder's name.
  ///   - source: text of `source.json`, at most 1 MiB.
  ///   - target: text of `target.json`, at most 1 MiB.
  ///   - calendar: text of `calendar.json`, at most 1 MiB; nil where there is no such file.
  ///   - collections: names of the collections that are filled; nil when that is not known here.
  /// - Throws: `StrategyProblems` with every problem of all files.
  public init(
    name: String, source: [UInt8], target: [UInt8], calendar: [UInt8]? = nil, collections: Set<String>? = nil
  ) throws(StrategyProblems) {
    var sourceProblems = ProblemList(file: "source.json", text: source)
    var targetProblems = ProblemList(file: "target.json", text: target)
    var calendarProblems = ProblemList(file: "calendar.json", text: calendar ?? [])
    let sourceRoot = DocumentContent.root(source, &sourceProblems)
    let targetRoot = DocumentContent.root(target, &targetProblems)

    self.name = name
    var orders = DocumentContent()
    if let sourceRoot {
      Slips.check(document: sourceRoot, &sourceProblems)
      orders = DocumentContent(source: sourceRoot, &sourceProblems)
      Self.refuseFilters(in: sourceRoot, &sourceProblems)
    }
    condition = orders.condition

    object = targetRoot.map { Self.object($0, &targetProblems) } ?? ""
    let known = KnownData(fields: orders.declared, collections: collections)
    let own = targetRoot.flatMap { TargetRules($0, known, &targetProblems) }
    keyPath = own?.key ?? TargetRules.usualKey
    var bills = DocumentContent()
    if let targetRoot {
      Slips.check(document: targetRoot, &targetProblems)
      bills = DocumentContent(target: targetRoot, known, made: orders.made, &targetProblems)
      Self.refuseOperators(of: bills, &targetProblems)
    }
    amounts = own?.amounts.map { AmountRule($0, &bills.table) }
    preparation = own?.preparation
    stream = own?.stream ?? object
    isExclusive = own?.isExclusive ?? false
    billRules = targetRoot.flatMap {
      BillRules($0, &bills, known, calendar: calendar, &targetProblems, own: &calendarProblems)
    }
    fields = bills.fields
    table = bills.table

    let problems = sourceProblems.problems + targetProblems.problems + calendarProblems.problems
    warnings = sourceProblems.warnings + targetProblems.warnings + calendarProblems.warnings
    if !problems.isEmpty { throw StrategyProblems(problems: problems, warnings: warnings) }
  }

  /// The collections answer by equality alone: by anything else nothing would ever be found.
  private static func refuseOperators(of bills: DocumentContent, _ problems: inout ProblemList) {
    for lookup in bills.table.lookups where lookup.test != nil {
      let sentence =
        "a query of «\(excerpt(lookup.collection))» compares otherwise than by $eq, which the collections do not answer"
      problems.report(sentence, at: "request", offset: nil)
    }
  }

  /// Filters of the list request that the poller does not send: it reads all orders, so a strategy that counts on a
  /// filter would get orders that it must not have.
  private static func refuseFilters(in source: JSONValue, _ problems: inout ProblemList) {
    let names = ["approval", "status", "removed"]
    for parameter in source["request"].map({ Array($0.elements) }) ?? [] {
      guard let name = parameter["field"]?.string, names.contains(name), let value = parameter["value"],
        !value.isNull, !["", "0"].contains(value.text ?? "?")
      else { continue }
      problems.report("a filter by \(name) is not supported", at: "request.\(name)", parameter)
    }
    for (name, value) in source["params"].map({ Array($0.members) }) ?? [] where names.contains(name) {
      if value.isNull || ["", "0"].contains(value.text ?? "?") { continue }
      problems.report("a filter by \(name) is not supported", at: "params.\(name)", value)
    }
  }

  private static func object(_ target: JSONValue, _ problems: inout ProblemList) -> String {
    let parts = (target["api"]?.string ?? "").split(separator: "/")
    let isName = parts.first?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } ?? false
    guard parts.count == 2, parts[1] == "Save", isName else {
      problems.report("must be written /OBJECT/Save, such as /SO/Save", at: "api", target["api"])
      return ""
    }
    return String(parts[0])
  }
}
