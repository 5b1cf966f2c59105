public import JSON
public import Orders

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
    let content =
      kind == .source
      ? DocumentContent(source: root, &problems)
      : DocumentContent(
        target: root, KnownData(fields: source?.content.declared), made: source?.content.made ?? [], &problems)
    guard problems.problems.isEmpty else {
      throw StrategyProblems(problems: problems.problems, warnings: problems.warnings)
    }
    self.content = content
    warnings = problems.warnings
  }

  /// What of a record the source's condition takes.
  public func selection(of record: JSONValue) -> Selection { content.condition?.selection(record) ?? .whole }

  /// The questions that `body` will ask; ask them all at once and pass the answers.
  public func lookups(of record: JSONValue, inputs: MappingInputs = MappingInputs()) -> [LookupKey] {
    LookupCollector.keys(content.fields, content.table, record, inputs)
  }

  /// What the document's `request` makes of a record: a JSON object. For a source the record is an empty object.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func body(
    of record: JSONValue, lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [UInt8] {
    var run = MappingRun(OrderReader(record, content.table, answers: lookups, inputs: inputs))
    return try body(&run)
  }

  /// The same, and how each field came about.
  public func explain(
    of record: JSONValue, lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) -> Explanation {
    var run = MappingRun(
      OrderReader(record, content.table, answers: lookups, inputs: inputs), isExplained: true)
    let result: Result<[UInt8], MappingFailures>
    do throws(MappingFailures) { result = .success(try body(&run)) } catch { result = .failure(error) }
    return Explanation(result: result, fields: run.trace ?? [])
  }

  private func body(_ run: inout MappingRun) throws(MappingFailures) -> [UInt8] {
    let members = run.object(content.fields) { "" }
    guard run.failures.isEmpty else { throw MappingFailures(failures: run.failures) }
    var writer = JSONWriter(reserving: 4096)
    JSONTree.object(members).write(to: &writer)
    return writer.bytes
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
    condition = Condition.read(root["condition"], &problems)
    Slips.refuse(["beatFlat", "operation"], in: root, &problems)
    var reader = DescriptorReader(problems, known: KnownData(fields: nil), isSource: true)
    if let request = root["request"] {
      fields = reader.descriptors(request, at: "request")
    } else if let parameters = root["params"] {
      fields = reader.parameters(parameters, at: "params")
    }
    table = reader.table
    problems = reader.problems
    Slips.check(descriptors: root["response"], at: "response", &problems)
  }

  init(target root: JSONValue, _ known: KnownData, made: [MadeField], _ problems: inout ProblemList) {
    Slips.refuse(["operation", "groupCalculate"], in: root, &problems)
    let defaults = FieldDefaults(root["ferry"], &problems)
    var reader = DescriptorReader(problems, known: known, made: made, defaults: defaults)
    if let request = root["request"] { fields = reader.descriptors(request, at: "request") }
    table = reader.table
    problems = reader.problems
  }
}
