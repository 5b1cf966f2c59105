import JSON

/// A document's `otherRequest`: parameters that do not belong to the body, such as the name of the array that takes it
/// (mapping-language.md §2, §11). Compiled like `request`, with operands of its own.
struct OtherRequest: Sendable {
  let fields: [FieldDescriptor]
  let table: OperandTable

  /// Nil when there is none.
  init?(_ root: JSONValue, known: KnownData, made: [MadeField], isSource: Bool, _ problems: inout ProblemList) {
    guard let value = root["otherRequest"], !value.isNull, value.kind != .array || value.count > 0 else { return nil }
    var reader = DescriptorReader(problems, known: known, made: made, isSource: isSource)
    fields =
      value.kind == .object
      ? reader.parameters(value, at: "otherRequest") : reader.descriptors(value, at: "otherRequest")
    table = reader.table
    problems = reader.problems
  }

  /// Its members for a record; how they came about is added to `trace`, where there is one.
  func members(
    of record: JSONValue, _ lookups: LookupTable, _ inputs: MappingInputs, trace: inout [ExplainedField]?
  ) throws(MappingFailures) -> [JSONMember] {
    var run = MappingRun(
      OrderReader(record, table, answers: lookups, inputs: inputs), isExplained: trace != nil)
    let members = run.object(fields, below: "otherRequest")
    trace?.append(contentsOf: run.trace ?? [])
    if let failure = run.failure { throw failure }
    return members
  }
}

/// `operation` `batchArraySave`: how many records one request takes.
struct Batch: Sendable {
  /// At least 1.
  let rows: Int

  /// Nil when a target does not save in batches.
  init?(_ root: JSONValue, _ problems: inout ProblemList) {
    // What is wrong with an operation is told where grouping is read.
    guard let operation = root["operation"], operation["method"]?.string == Operation.Method.batchArraySave.rawValue
    else { return nil }
    Names.check(operation, known: ["method", "rowsKey", "rows"], at: "operation", &problems)
    let rows = operation["rows"].flatMap { $0.isNull ? nil : $0 }
    self.rows = max(1, rows?.text.flatMap { Int($0) } ?? 1)
    if let rows, rows.text.flatMap({ Int($0) }).map({ $0 < 1 }) ?? true {
      problems.report("must be a whole number from 1", at: "operation.rows", rows)
    }
  }
}
