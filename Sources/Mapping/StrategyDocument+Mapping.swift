public import JSON
public import Orders

extension StrategyDocument {
  /// The parameter of `otherRequest` that names the array which takes the mapped records.
  static let wrapper = "key"

  /// Whether a record may become several documents.
  public var splits: Bool { content.splitting != nil }

  /// What becomes of a record before it is mapped: what the source's condition takes of it, flattened and grouped. Of a
  /// target it is what it does together with the source that it was read with.
  /// - Throws: `MappingFailures` when it cannot be flattened or grouped.
  public func selection(of record: JSONValue) throws(MappingFailures) -> Selection {
    try (content.condition?.selection(record) ?? .whole).split(record, content.splitting)
  }

  /// The questions that `body` will ask; ask them all at once and pass the answers.
  public func lookups(of record: JSONValue, inputs: MappingInputs = MappingInputs()) -> [LookupKey] {
    let own = LookupCollector.keys(content.fields, content.table, record, inputs)
    guard let other = content.other else { return own }
    return own + LookupCollector.keys(other.fields, other.table, record, inputs)
  }

  /// What the document's `request` makes of a record: a JSON object. For a source the record is an empty object.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func body(
    of record: JSONValue, lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [UInt8] {
    var run = MappingRun(OrderReader(record, content.table, answers: lookups, inputs: inputs))
    return Self.written(.object(try members(&run)))
  }

  /// The parameters besides the body: what `otherRequest` makes of a record, a JSON object. Nil when it has none.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func parameters(
    of record: JSONValue, lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [UInt8]? {
    guard let other = content.other else { return nil }
    var trace: [ExplainedField]?
    return Self.written(.object(try other.members(of: record, lookups, inputs, trace: &trace)))
  }

  /// The bodies of the requests that these records become. Where `otherRequest` has a `key`, a body is an object with an
  /// array of that name, as the platform makes it, which takes as many records as `batchArraySave` says.
  /// - Parameter records: those of `selection`.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func bodies(
    of records: [JSONValue], lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [[UInt8]] {
    try explain(of: records, lookups: lookups, inputs: inputs, isExplained: false).documents.get()
  }

  /// The same as `body`, and how each field came about.
  public func explain(
    of record: JSONValue, lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs()
  ) -> Explanation {
    explain(of: [record], lookups: lookups, inputs: inputs)
  }

  /// The same as `bodies`, and how each field came about.
  /// - Parameter byField: false leaves out the fields, and maps as `bodies` does.
  public func explain(
    of records: [JSONValue], lookups: LookupTable = LookupTable(), inputs: MappingInputs = MappingInputs(),
    byField: Bool = true
  ) -> Explanation {
    explain(of: records, lookups: lookups, inputs: inputs, isExplained: byField)
  }

  private func explain(
    of records: [JSONValue], lookups: LookupTable, inputs: MappingInputs, isExplained: Bool
  ) -> Explanation {
    var series = DocumentSeries<(key: String?, body: JSONTree)>(count: records.count)
    for (position, record) in records.enumerated() {
      let inputs = inputs.forDocument(position)
      var run = MappingRun(
        OrderReader(record, content.table, answers: lookups, inputs: inputs), isExplained: isExplained)
      var trace: [ExplainedField]? = isExplained ? [] : nil
      series.add(position) { () throws(MappingFailures) in
        let body = Result { () throws(MappingFailures) in try members(&run) }
        trace?.append(contentsOf: run.trace ?? [])
        let key = Result { () throws(MappingFailures) in try wrapperKey(record, lookups, inputs, trace: &trace) }
        if case .failure(let one) = body, case .failure(let other) = key {
          throw MappingFailures(failures: one.failures + other.failures)
        }
        return (try key.get(), .object(try body.get()))
      }
      series.add(trace, of: position)
    }
    return series.explanation { wrapped($0).map { ($0, []) } }
  }

  private func members(_ run: inout MappingRun) throws(MappingFailures) -> [JSONMember] {
    let members = run.object(content.fields)
    if let failure = run.failure { throw failure }
    return members
  }

  private func wrapperKey(
    _ record: JSONValue, _ lookups: LookupTable, _ inputs: MappingInputs, trace: inout [ExplainedField]?
  ) throws(MappingFailures) -> String? {
    guard let other = content.other else { return nil }
    for member in try other.members(of: record, lookups, inputs, trace: &trace) where member.key == Self.wrapper {
      if let name = member.value.text, !name.isEmpty { return name }
    }
    return nil
  }

  /// As the platform's own code does: in turn, each under the key of its own parameters.
  private func wrapped(_ records: [(key: String?, body: JSONTree)]) -> [[UInt8]] {
    var bodies: [[UInt8]] = []
    var open: (key: String, bodies: [JSONTree])?
    func close() {
      if let batch = open { bodies.append(Self.written(.object([JSONMember(batch.key, .array(batch.bodies))]))) }
      open = nil
    }
    for record in records {
      guard let key = record.key else {
        close()
        bodies.append(Self.written(record.body))
        continue
      }
      if let batch = open, batch.key != key || batch.bodies.count >= content.batch?.rows ?? 1 { close() }
      open = (key, (open?.bodies ?? []) + [record.body])
    }
    close()
    return bodies
  }

  private static func written(_ tree: JSONTree) -> [UInt8] {
    var writer = JSONWriter(reserving: 4096)
    tree.write(to: &writer)
    return writer.bytes
  }
}
