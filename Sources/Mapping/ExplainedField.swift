import JSON
public import Orders

/// How one field of a document came about, for the person who maps. It holds the order's values: it is printed for who
/// asks, and never logged.
public struct ExplainedField: Sendable, Equatable {
  /// A thing and what it came to.
  public struct Part: Sendable, Equatable {
    /// A field of the source, a part of the rule, or what was done.
    public let name: String
    /// Its value as JSON; nil for nothing.
    public let value: String?
  }

  /// Its place in the document, such as `Page2[0].Fauxqty`.
  public let target: String
  /// Its rule as the strategy writes it; empty when it has none.
  public let rule: String
  /// The source's fields that went in.
  public let inputs: [Part]
  /// What was done with them, in order.
  public let steps: [Part]
  /// Its value as JSON; nil when the field is left out.
  public let result: String?
  /// Why it could not be mapped.
  public let failure: MappingFailure?
}

/// Documents that were mapped with an account of each field.
public struct Explanation: Sendable {
  /// The documents of the order, or why there are none.
  public let documents: Result<[[UInt8]], MappingFailures>
  /// Their fields in the order of the strategy, document by document and row by row.
  public let fields: [ExplainedField]
  /// What was done to the document besides, such as a date that was moved.
  public let notes: [BillNote]

  /// The first document, which is the only one unless the strategy takes orders apart.
  public var result: Result<[UInt8], MappingFailures> { documents.map { $0.first ?? [] } }

  init(documents: Result<[[UInt8]], MappingFailures>, fields: [ExplainedField], notes: [BillNote] = []) {
    self.documents = documents
    self.fields = fields
    self.notes = notes
  }

  init(result: Result<[UInt8], MappingFailures>, fields: [ExplainedField]) {
    self.init(documents: result.map { [$0] }, fields: fields)
  }

  /// Of an order that is not mapped at all.
  public init(refusal: String) {
    self.init(failures: MappingFailures(failures: [MappingFailure(.noStrategy, target: "", refusal)]))
  }

  /// Of an order that cannot be taken apart.
  public init(failures: MappingFailures) { self.init(documents: .failure(failures), fields: []) }
}

extension MappingRun {
  /// Does what `make` does for a field and notes how.
  mutating func traced(_ field: FieldDescriptor, _ make: (inout MappingRun) -> JSONTree?) -> JSONTree? {
    let failuresBefore = failures.count
    let drawsBefore = reader.draws
    let tree = make(&self)
    let result = tree.map { json($0) }
    // The account draws what the value drew.
    let draws = reader.draws
    reader.draws = drawsBefore
    defer { reader.draws = draws }
    let account = ExplainedField(
      target: target(of: field), rule: field.rule, inputs: inputs(of: field), steps: steps(of: field, result),
      result: result, failure: failures.count > failuresBefore ? failures.last : nil)
    trace?.append(account)
    return tree
  }

  private func inputs(of field: FieldDescriptor) -> [ExplainedField.Part] {
    field.operands.map { operand in
      let value = try? reader.value(of: operand) as Value
      return ExplainedField.Part(name: reader.name(of: operand), value: value.flatMap { json($0) })
    }
  }

  private func steps(of field: FieldDescriptor, _ result: String?) -> [ExplainedField.Part] {
    var steps: [ExplainedField.Part] = []
    var value: String?
    switch field.form {
    case .function(let formula):
      steps = formula.steps(reader, field.rules.division)
      value = steps.last?.value
    case .lookup(let number):
      let found = try? reader.answer(to: number)
      value = found.flatMap { json($0) }
      steps.append(ExplainedField.Part(name: reader.question(number), value: value))
    case .operand(let operand):
      let read = try? reader.value(of: operand) as Value
      value = read.flatMap { json($0) }
    case .nothing, .literal, .text: value = result
    }
    // What the field's own rules and type made of it.
    var rules: [String] = []
    if field.rules.table != nil { rules.append("by its table") }
    if let decimals = field.rules.decimals ?? field.rules.usualDecimals { rules.append("with \(decimals) decimals") }
    if field.parser != nil { rules.append("by its parser") }
    if field.rules.isOptional, let fallback = field.rules.fallback, value == nil, field.hasLookups,
      let result, result == json(.string(fallback))
    {
      steps.append(ExplainedField.Part(name: "its default", value: result))
      value = result
    }
    if let result, result != value {
      steps.append(
        ExplainedField.Part(name: rules.isEmpty ? "as its type" : rules.joined(separator: ", "), value: result))
    }
    return steps
  }

  private func json(_ value: Value) -> String? {
    switch value {
    case .nothing: nil
    case .bool(let flag): json(JSONTree.bool(flag))
    case .number(let number): json(JSONTree.number(number))
    case .text(let text): json(JSONTree.string(text))
    case .structure(let structure): String(decoding: structure.rawBytes, as: UTF8.self)
    }
  }

  private func json(_ tree: JSONTree) -> String {
    var writer = JSONWriter()
    tree.write(to: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
