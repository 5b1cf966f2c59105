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

  let fields: [FieldDescriptor]
  let madeFields: [MadeField]
  /// Where the bill's number stands in the body, such as `Page1.FBillNo`.
  let keyPath: Path
  let amounts: AmountRule?

  /// A field that the source's `formatResponse` adds to each order.
  struct MadeField: Sendable {
    let from: Path
    let name: String
  }

  /// The order's own amount must be the sum of its lines' (vendor-apis.md C.2).
  struct AmountRule: Sendable {
    let order: Path
    let lines: Path
    let line: String
    let tolerance: ExactDecimal
  }

  /// Compiles a strategy.
  /// - Parameters:
  ///   - name: its folder's name.
  ///   - source: text of `source.json`, at most 1 MiB.
  ///   - target: text of `target.json`, at most 1 MiB.
  /// - Throws: `StrategyProblems` with every problem of both files.
  public init(name: String, source: [UInt8], target: [UInt8]) throws(StrategyProblems) {
    var problems: [StrategyProblem] = []
    let sourceRoot = Self.root(source, file: "source.json", &problems)
    let targetRoot = Self.root(target, file: "target.json", &problems)
    var reader = DescriptorReader(file: "target.json")

    self.name = name
    object = targetRoot.map { Self.object($0, &problems) } ?? ""
    fields = targetRoot.flatMap { $0["request"] }.map { reader.descriptors($0, at: "request") } ?? []
    if let targetRoot, targetRoot["request"] == nil {
      problems.append(StrategyProblem(file: "target.json", path: "", "has no «request»"))
    }
    madeFields = sourceRoot.map { Self.madeFields($0, &problems) } ?? []
    let own = targetRoot?["ferry"]
    keyPath = Path(own?["key"]?.string ?? "Page1.FBillNo")
    amounts = own?["amounts"].flatMap { Self.amountRule($0, &problems) }
    problems += reader.problems
    if !problems.isEmpty { throw StrategyProblems(problems: problems) }
  }

  private static func root(_ text: [UInt8], file: String, _ problems: inout [StrategyProblem]) -> JSONValue? {
    var limits = JSONLimits()
    limits.maxBytes = 1 << 20
    do throws(JSONError) {
      let root = try JSONDocument(text, limits: limits).root
      if root.kind == .object { return root }
      problems.append(StrategyProblem(file: file, path: "", "must hold a JSON object"))
    } catch {
      let before = text.prefix(error.offset)
      let line = before.count(where: { $0 == 0x0A }) + 1
      let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
      problems.append(
        StrategyProblem(file: file, path: "line \(line), column \(column)", "is not JSON: \(error.kind.rawValue)"))
    }
    return nil
  }

  private static func object(_ target: JSONValue, _ problems: inout [StrategyProblem]) -> String {
    let parts = (target["api"]?.string ?? "").split(separator: "/")
    let isName = parts.first?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } ?? false
    guard parts.count == 2, parts[1] == "Save", isName else {
      problems.append(StrategyProblem(file: "target.json", path: "api", "must be written /OBJECT/Save, such as /SO/Save"))
      return ""
    }
    return String(parts[0])
  }

  private static func madeFields(_ source: JSONValue, _ problems: inout [StrategyProblem]) -> [MadeField] {
    guard let rules = source["formatResponse"], !rules.isNull else { return [] }
    var result: [MadeField] = []
    for (position, rule) in rules.elements.enumerated() {
      let path = "formatResponse[\(position)]"
      guard let old = rule["old"]?.string, let new = rule["new"]?.string, !old.isEmpty, !new.isEmpty else {
        problems.append(StrategyProblem(file: "source.json", path: path, "needs «old» and «new»"))
        continue
      }
      guard rule["format"]?.string == "string" else {
        problems.append(StrategyProblem(file: "source.json", path: path, "only the format «string» is supported"))
        continue
      }
      result.append(MadeField(from: Path(old), name: new))
    }
    return result
  }

  private static func amountRule(_ rule: JSONValue, _ problems: inout [StrategyProblem]) -> AmountRule? {
    guard let order = rule["order"]?.string, let lines = rule["lines"]?.string, let line = rule["line"]?.string,
      let tolerance = rule["tolerance"]?.text.flatMap({ ExactDecimal($0) }), !tolerance.isNegative
    else {
      problems.append(
        StrategyProblem(
          file: "target.json", path: "ferry.amounts", "needs «order», «lines», «line» and a «tolerance» of 0 or more"))
      return nil
    }
    return AmountRule(order: Path(order), lines: Path(lines), line: line, tolerance: tolerance)
  }
}
