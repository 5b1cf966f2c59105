public import JSON

/// What a target keeps of its answer: `primaryWriteback` (mapping-language.md §13), compiled.
struct Writeback: Sendable {
  private static let name = "primaryWriteback"
  private let fields: [FieldDescriptor]
  private let table: OperandTable

  /// Reads the old form, an element of `response`, or the newer one, a key of the target; of both the old one counts.
  /// Nil when there is none.
  init?(_ root: JSONValue, _ defaults: FieldDefaults, _ problems: inout ProblemList) {
    Self.noteCallBack(root, &problems)
    let response = root["response"].map { Array($0.elements) } ?? []
    let old = response.first { $0["field"]?.string == Self.name }
    let new = root[Self.name].flatMap { $0.isNull ? nil : $0 }
    if let new, old != nil {
      problems.warn("stands in «response», too, which counts", at: Self.name, new)
    }
    guard let element = old ?? new else { return nil }
    let place = old == nil ? Self.name : "response.\(Self.name)"
    var reader = DescriptorReader(problems, known: KnownData(fields: nil), defaults: defaults)
    if let children = element.kind == .array ? element : element["children"] {
      fields = reader.descriptors(children, at: place)
    } else if old == nil, element.kind == .object {
      // As `callBackStrategy` writes it: names and values.
      fields = reader.parameters(element, at: place)
    } else {
      fields = []
    }
    table = reader.table
    problems = reader.problems
    if fields.isEmpty { problems.warn("names no field, so nothing is kept of an answer", at: place, element) }
    if !table.lookups.isEmpty { problems.report("an answer is not looked up", at: place, element) }
  }

  /// The newer manual has it at the top level, where it is noted among the keys that Ferry does not use.
  private static func noteCallBack(_ root: JSONValue, _ problems: inout ProblemList) {
    for element in root["response"].map({ Array($0.elements) }) ?? []
    where element["field"]?.string == "callBackStrategy" {
      problems.warn("the platform knows this key, Ferry does not use it", at: "response.callBackStrategy", element)
    }
  }

  /// - Parameters:
  ///   - answer: wins over the order's fields of the same name.
  func value(of answer: JSONValue, order: JSONValue, _ inputs: MappingInputs) throws(MappingFailures) -> [UInt8] {
    var writer = JSONWriter(reserving: answer.rawBytes.count + order.rawBytes.count)
    Cell.write((Array(order.members) + Array(answer.members)).map { Cell.Member($0.key, .read($0.value)) }, to: &writer)
    let both: JSONDocument
    do throws(JSONError) { both = try JSONDocument(writer.bytes, limits: .none) } catch {
      throw MappingFailures(failures: [MappingFailure(.orderMalformed, target: Self.name, "the answer is no object")])
    }
    var run = MappingRun(OrderReader(both.root, table, answers: LookupTable(), inputs: inputs))
    let members = run.object(fields, below: Self.name)
    if let failure = run.failure { throw failure }
    var result = JSONWriter()
    JSONTree.object(members).write(to: &result)
    return result.bytes
  }
}

extension Strategy {
  /// What the target's `primaryWriteback` keeps of K/3's answer.
  /// - Parameters:
  ///   - answer: an object with what was answered, such as `{"FInterID":1087,"FBillNo":"SO-1"}`.
  ///   - order: the order, whose fields it may read besides; those of the answer win.
  ///   - inputs: the clock and what else a value may read.
  /// - Returns: a JSON object; nil when the strategy keeps nothing.
  /// - Throws: `MappingFailures`: all fields that have no value they could be written with.
  public func writeback(
    of answer: JSONValue, order: JSONValue, inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [UInt8]? {
    guard let writeback else { return nil }
    return try writeback.value(of: answer, order: order, inputs)
  }
}
