import JSON

/// A pair of metadata documents, compiled: how an order of OKKI becomes a bill of K/3.
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

  let fields: [FieldDescriptor]
  let madeFields: [MadeField]
  let keyPath: Path
  let amounts: AmountRule?

  /// A field that the source's `formatResponse` adds to each order.
  struct MadeField: Sendable {
    let from: Path
    let name: String
  }

  /// Compiles a strategy.
  /// - Parameters:
  ///   - name: its folder's name.
  ///   - source: text of `source.json`, at most 1 MiB.
  ///   - target: text of `target.json`, at most 1 MiB.
  ///   - collections: names of the collections that are filled; nil when that is not known here.
  /// - Throws: `StrategyProblems` with every problem of both files.
  public init(
    name: String, source: [UInt8], target: [UInt8], collections: Set<String>? = nil
  ) throws(StrategyProblems) {
    var sourceProblems = ProblemList(file: "source.json", text: source)
    var targetProblems = ProblemList(file: "target.json", text: target)
    let sourceRoot = Self.root(source, &sourceProblems)
    let targetRoot = Self.root(target, &targetProblems)

    self.name = name
    madeFields = sourceRoot.map { Self.madeFields($0, &sourceProblems) } ?? []
    var declared: SourceFields?
    if let sourceRoot {
      declared = SourceFields(sourceRoot["response"], made: madeFields.map(\.name))
      Slips.check(document: sourceRoot, &sourceProblems)
      Slips.check(descriptors: sourceRoot["request"], at: "request", &sourceProblems)
      Slips.check(descriptors: sourceRoot["response"], at: "response", &sourceProblems)
      Self.refuse(["condition", "beatFlat", "operation"], in: sourceRoot, &sourceProblems)
      Self.refuseFilters(in: sourceRoot, &sourceProblems)
    }

    object = targetRoot.map { Self.object($0, &targetProblems) } ?? ""
    let known = KnownData(fields: declared, collections: collections)
    let own = targetRoot.flatMap { TargetRules($0, known, &targetProblems) }
    keyPath = own?.key ?? TargetRules.usualKey
    amounts = own?.amounts
    if let targetRoot {
      Slips.check(document: targetRoot, &targetProblems)
      Self.refuse(["operation", "groupCalculate"], in: targetRoot, &targetProblems)
    }
    var reader = DescriptorReader(targetProblems, known: known)
    fields = targetRoot?["request"].map { reader.descriptors($0, at: "request") } ?? []

    let problems = sourceProblems.problems + reader.problems.problems
    warnings = sourceProblems.warnings + reader.problems.warnings
    if !problems.isEmpty { throw StrategyProblems(problems: problems, warnings: warnings) }
  }

  private static func root(_ text: [UInt8], _ problems: inout ProblemList) -> JSONValue? {
    var limits = JSONLimits()
    limits.maxBytes = 1 << 20
    do throws(JSONError) {
      let root = try JSONDocument(text, limits: limits).root
      if root.kind == .object { return root }
      problems.report("must hold a JSON object", at: "", offset: nil)
    } catch {
      problems.report("is not JSON: \(error.kind.rawValue)", at: "", offset: error.offset)
    }
    return nil
  }

  /// Keys of the platform that change which orders become which bills: to pass over them would send wrong bills.
  private static func refuse(_ keys: [String], in root: JSONValue, _ problems: inout ProblemList) {
    for key in keys {
      guard let value = root[key], !value.isNull, value["method"]?.string != "none" else { continue }
      let isEmpty = (value.kind == .array || value.kind == .object) && value.count == 0
      if !isEmpty { problems.report("is not supported", at: key, value) }
    }
  }

  /// Filters of the list request that the poller does not send: it reads all orders, so a strategy that counts on a
  /// filter would get orders that it must not have.
  private static func refuseFilters(in source: JSONValue, _ problems: inout ProblemList) {
    guard let request = source["request"] else { return }
    for parameter in request.elements {
      guard let name = parameter["field"]?.string, ["approval", "status", "removed"].contains(name) else { continue }
      let value = parameter["value"]
      let isOff = value.map { $0.isNull || ["", "0"].contains($0.text ?? "?") } ?? true
      if !isOff { problems.report("a filter by \(name) is not supported", at: "request.\(name)", parameter) }
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

  private static func madeFields(_ source: JSONValue, _ problems: inout ProblemList) -> [MadeField] {
    guard let rules = source["formatResponse"], !rules.isNull else { return [] }
    if rules.kind != .array { problems.report("must be a list", at: "formatResponse", rules) }
    var result: [MadeField] = []
    for (position, rule) in rules.elements.enumerated() {
      let path = "formatResponse[\(position)]"
      let old = Path(rule["old"]?.string ?? "")
      guard let new = rule["new"]?.string, !old.segments.isEmpty, !new.isEmpty else {
        problems.report("needs «old» and «new»", at: path, rule)
        continue
      }
      guard rule["format"]?.string == "string" else {
        problems.report("only the format «string» is supported", at: path, rule)
        continue
      }
      result.append(MadeField(from: old, name: new))
    }
    return result
  }
}
