import JSON
import Orders

/// A pair of metadata documents and perhaps a calendar, compiled: how an order of OKKI becomes a bill of K/3.
///
/// Compiling reads every expression, placeholder and lookup once and reports all problems together; mapping an order
/// then parses nothing but the order.
///
/// A class: each order hands it on several times, and a copy of all this would count some thirty references.
public final class Strategy: Sendable {
  /// Its name: that of its folder.
  public let name: String
  /// K/3's object, from the target's `api` (`/SO/Save` → `SO`).
  public let object: String
  /// What is odd in the files and yet can be meant; for `ferry check` and the log.
  public let warnings: [StrategyProblem]

  /// The collections that its lookups ask.
  public var collections: Set<String> { Set(table.lookups.map(\.collection)) }

  /// Where the bill's external key stands in the body, such as `Page1.FBillNo`.
  public var key: String { keyPath.text }
  /// The same as the header's field alone, such as `FBillNo`.
  public var keyField: String { keyPath.segments.last ?? Bill.numberField }

  /// Keeps the bills that strategies make of one order apart in the ledger: `ferry.stream`, or else the object.
  public let stream: String
  /// No other strategy gets an order that this one takes (`ferry.exclusive`).
  public let isExclusive: Bool
  /// Streams whose bills of an earlier revision may stay beside its own (`ferry.follows`): a return follows the sales order.
  public let follows: Set<String>
  /// It takes nothing, since its condition waits for a value.
  public var isOff: Bool { condition?.isUnset ?? false }
  /// It takes every order.
  public var takesAll: Bool { condition?.groups.isEmpty ?? true }

  let fields: [FieldDescriptor]
  let table: OperandTable
  let condition: Condition?
  let keyPath: Path
  let amounts: AmountRule?
  /// What the rules read that are about the order itself, before it was taken apart; where it is not, the fields' table.
  let orderTable: OperandTable
  /// The same of an order that is taken apart; nil when none is.
  let splitAmounts: SplitAmounts?
  let preparation: OrderPreparation?
  let billRules: BillRules?
  let splitting: Splitting?
  let writeback: Writeback?

  /// How its bills are written while they are mapped; nil where they are not.
  let direct: DirectPlan?

  /// Whether an order may become several bills.
  public var splits: Bool { splitting != nil }

  /// Compiles a strategy.
  /// - Parameters:
  ///   - name: its folder's name.
  ///   - source: text of `source.json`, at most 1 MiB.
  ///   - target: text of `target.json`, at most 1 MiB.
  ///   - calendar: text of `calendar.json`, at most 1 MiB; nil where there is no such file.
  ///   - asIfOn: as if what its condition waits for held: to try a strategy that is off.
  /// - Throws: `StrategyProblems` with every problem of all files.
  public init(
    name: String, source: [UInt8], target: [UInt8], calendar: [UInt8]? = nil, asIfOn: Bool = false
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
    condition = asIfOn ? orders.condition?.withoutUnset : orders.condition

    object = targetRoot.map { Self.object($0, &targetProblems) } ?? ""
    let known = KnownData(fields: orders.declared)
    let own = targetRoot.flatMap { TargetRules($0, known, &targetProblems) }
    keyPath = own?.key ?? TargetRules.usualKey
    var bills = DocumentContent()
    if let targetRoot {
      Slips.check(document: targetRoot, &targetProblems)
      bills = DocumentContent(target: targetRoot, source: orders, &targetProblems)
      Self.noteUnused(bills, targetRoot, &targetProblems)
    }
    splitting = bills.splitting
    writeback = bills.writeback
    // Grouping loses what it does not name, so what is about the order is read from the order.
    var whole = splitting == nil ? bills.table : OperandTable(made: orders.made)
    amounts = own?.amounts.map { AmountRule($0, &whole) }
    let split = splitting
    splitAmounts = split.flatMap { split in own?.amounts.map { SplitAmounts($0, split) } }
    if let rule = own?.amounts, let targetRoot {
      Self.check(rule, targetRoot, &targetProblems)
      splitAmounts?.check(targetRoot, &targetProblems)
    }
    preparation = own?.preparation
    stream = own?.stream ?? object
    isExclusive = own?.isExclusive ?? false
    follows = own?.follows ?? []
    billRules = targetRoot.flatMap {
      BillRules($0, bills, &whole, known, calendar: calendar, &targetProblems, own: &calendarProblems)
    }
    fields = bills.fields
    whole.settleFields()
    bills.table.settleFields()
    orderTable = whole
    table = splitting == nil ? whole : bills.table

    direct = splitting == nil ? DirectPlan(fields, keyPath, amounts, billRules) : nil

    let problems = sourceProblems.problems + targetProblems.problems + calendarProblems.problems
    warnings = sourceProblems.warnings + targetProblems.warnings + calendarProblems.warnings
    if !problems.isEmpty { throw StrategyProblems(problems: problems, warnings: warnings) }
  }

  private static func check(_ rule: AmountRule.Names, _ target: JSONValue, _ problems: inout ProblemList) {
    guard let bill = rule.bill, let request = target["request"], request.kind == .array else { return }
    if RequestField.find(bill, in: request).map({ RequestField.isScalar($0.descriptor) }) ?? false { return }
    problems.report(
      "names no field of the request that has a value", at: "ferry.amounts.bill", target["ferry"]?["amounts"]?["bill"])
  }

  /// What is for the platform's own senders: to K/3 each bill goes in a request of its own, under `Data`.
  private static func noteUnused(_ bills: DocumentContent, _ target: JSONValue, _ problems: inout ProblemList) {
    if let batch = bills.batch, batch.rows > 1 {
      problems.warn("not used: each bill is a request of its own", at: "operation", target["operation"])
    }
    if bills.other != nil {
      problems.warn("not used: a bill's body is always {\"Data\":…}", at: "otherRequest", target["otherRequest"])
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

  /// The K/3 object that a target writes (vendor-apis.md A.2); nil when it is written for something else, or cannot be read.
  /// - Parameter text: the target's text.
  public static func object(ofTarget text: [UInt8]) -> String? {
    var problems = ProblemList(file: "", text: text)
    guard let root = DocumentContent.root(text, &problems) else { return nil }
    let object = object(root, &problems)
    return object.isEmpty ? nil : object
  }

  private static func object(_ target: JSONValue, _ problems: inout ProblemList) -> String {
    if let object = object(of: target) { return object }
    problems.report("must be written /OBJECT/Save, such as /SO/Save", at: "api", target["api"])
    return ""
  }

  /// The K/3 object that a target writes; nil when it is written for something else.
  static func object(of target: JSONValue) -> String? {
    let parts = (target["api"]?.string ?? "").split(separator: "/")
    let isName = parts.first?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } ?? false
    return parts.count == 2 && parts[1] == "Save" && isName ? String(parts[0]) : nil
  }
}
