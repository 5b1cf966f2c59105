import JSON

/// One metadata document, compiled by itself: the source or the target of a strategy, for whatever platform it was
/// written. It may lie in an object with a key `metadata`, as the platform's pages publish it.
public struct StrategyDocument: Sendable {
  /// Which of the two documents of a strategy it is.
  public enum Kind: String, Sendable {
    /// How records are fetched.
    case source
    /// How a record becomes a request.
    case target
  }

  /// What it is, by its `effect` or `type`, or else by what it holds.
  public let kind: Kind
  /// What is odd and can yet be meant, and what Ferry does not use.
  public let warnings: [StrategyProblem]

  let content: DocumentContent

  /// Compiles a document.
  /// - Parameters:
  ///   - file: what the file is called in problems.
  ///   - text: the file, at most 1 MiB.
  ///   - source: the document that the records come from, for a target that reads fields which it makes.
  /// - Throws: `StrategyProblems` with every problem.
  public init(
    file: String, text: [UInt8], source: StrategyDocument? = nil
  ) throws(StrategyProblems) {
    var problems = ProblemList(file: file, text: text)
    guard let root = DocumentContent.root(text, &problems) else {
      throw StrategyProblems(problems: problems.problems, warnings: problems.warnings)
    }
    if !DocumentContent.marks.contains(where: { root[$0] != nil }) {
      problems.report("is no metadata: it has neither a request nor anything else of a strategy", at: "", offset: nil)
    }
    kind = DocumentContent.kind(root)
    Slips.check(document: root, &problems)
    var content =
      kind == .source
      ? DocumentContent(source: root, &problems)
      : DocumentContent(target: root, source: source?.content, &problems)
    // What is done to an order before a target maps it.
    if kind == .target { content.condition = source?.content.condition }
    if content.batch != nil, !(content.other?.fields.contains { $0.field == Self.wrapper } ?? false) {
      problems.warn(
        "otherRequest has no «\(Self.wrapper)», so a body is one record by itself", at: "operation", root["operation"])
    }
    guard problems.problems.isEmpty else {
      throw StrategyProblems(problems: problems.problems, warnings: problems.warnings)
    }
    self.content = content
    warnings = problems.warnings
  }
}

/// What a document says, as far as Ferry acts by it.
struct DocumentContent: Sendable {
  var fields: [FieldDescriptor] = []
  var table = OperandTable()
  var made: [MadeField] = []
  var condition: Condition?
  /// The fields that the source declares; nil when it declares none.
  var declared: SourceFields?
  /// How a source takes its records apart.
  var flattening = Flattening()
  /// How an order becomes several documents; nil when it is mapped as it comes.
  var splitting: Splitting?
  var batch: Batch?
  var other: OtherRequest?
  var writeback: Writeback?

  init() {}

  /// The document's object; one inside `metadata` is taken out of its wrapper.
  static func root(_ text: [UInt8], _ problems: inout ProblemList) -> JSONValue? {
    var limits = JSONLimits()
    limits.maxBytes = 1 << 20
    do throws(JSONError) {
      let root = try JSONDocument(text, limits: limits).root
      if root.kind == .object {
        if let inner = root["metadata"], inner.kind == .object, root["request"] == nil { return inner }
        return root
      }
      problems.report("must hold a JSON object", at: "", offset: nil)
    } catch {
      problems.report("is not JSON: \(error.kind.rawValue)", at: "", offset: error.offset)
    }
    return nil
  }

  /// Keys of which a document has at least one.
  static let marks = [
    "api", "effect", "type", "pagination", "request", "response", "params", "condition", "formatResponse", "operation",
    "otherRequest",
    "groupCalculate", "beatFlat",
  ]

  static func kind(_ root: JSONValue) -> StrategyDocument.Kind {
    for key in ["effect", "type"] {
      switch root[key]?.string?.uppercased() {
      case "QUERY", "RECEIVE", "EVENT": return .source
      case "EXECUTE", "WRITE", "CREATE": return .target
      default: continue
      }
    }
    let marks = ["pagination", "params", "condition", "formatResponse", "beatFlat", "omissionRemedy"]
    return marks.contains { root[$0] != nil } ? .source : .target
  }

  init(source root: JSONValue, _ problems: inout ProblemList) {
    made = MadeField.read(root["formatResponse"], &problems)
    declared = SourceFields(root["response"], made: made.map(\.name))
    let own = KnownData(fields: SourceFields(root["response"], made: []))
    condition = Condition.read(root["condition"], own, made: made, &problems)
    flattening = Flattening(source: root, &problems)
    SourceNames.check(root, flattening, own, &problems)
    splitting = Splitting(flattening, nil, made: made)
    let anything = KnownData(fields: nil)
    var reader = DescriptorReader(problems, known: anything, isSource: true)
    if let request = root["request"] {
      fields = reader.descriptors(request, at: "request")
    } else if let parameters = root["params"] {
      fields = reader.parameters(parameters, at: "params")
    }
    table = reader.table
    table.settleShares()
    problems = reader.problems
    other = OtherRequest(root, known: anything, made: [], isSource: true, &problems)
    Slips.check(descriptors: root["response"], at: "response", &problems)
  }

  /// - Parameter source: the source that the records come from; nil when that is not known.
  init(
    target root: JSONValue, source: DocumentContent?, _ problems: inout ProblemList
  ) {
    var defaults = FieldDefaults(root["ferry"], &problems)
    defaults.isBill = Strategy.object(of: root) != nil
    let flattening = source?.flattening ?? Flattening()
    var grouping = Grouping.read(root, flattening, &problems)
    grouping?.isOriginal = defaults.isOriginal
    splitting = Splitting(flattening, grouping, made: source?.made ?? [])
    made = splitting?.madeLater ?? source?.made ?? []
    declared = source?.declared
    if let splitting { declared = SourceFields.of(splitting, declared) }
    var known = KnownData(fields: declared)
    if grouping == nil { known.gone = Set(flattening.lists) }
    if let grouping {
      if source != nil { grouping.check(flattening, root, &problems) }
      grouping.check(source?.declared, flattening, root, &problems)
    }
    var reader = DescriptorReader(problems, known: known, made: made, defaults: defaults, grouping: grouping)
    if let request = root["request"] { fields = reader.descriptors(request, at: "request") }
    table = reader.table
    table.settleShares()
    problems = reader.problems
    batch = Batch(root, &problems)
    other = OtherRequest(root, known: known, made: made, isSource: false, &problems)
    writeback = Writeback(root, defaults, &problems)
  }
}
