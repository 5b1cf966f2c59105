public import JSON
public import Orders

/// Everything that is wrong with one order, at once.
public struct MappingFailures: Error, Sendable, CustomStringConvertible {
  /// At least one.
  public let failures: [MappingFailure]

  /// A sentence of up to five of them.
  public var description: String {
    let shown = failures.prefix(5).map(\.description).joined(separator: "; ")
    return failures.count > 5 ? "\(shown); and \(failures.count - 5) more" : shown
  }
}

/// Maps orders by one strategy. Pure: the same order, records and inputs give the same bill, byte for byte.
public struct Mapper: Sendable {
  private let strategy: Strategy

  /// A mapper for a strategy.
  public init(_ strategy: Strategy) { self.strategy = strategy }

  /// What of an order the strategy takes, and with which lines. An order that is changed by it is mapped by its changed
  /// document.
  public func selection(of order: JSONValue) throws(MappingFailures) -> Selection {
    let selection = strategy.condition?.selection(order) ?? .whole
    guard let preparation = strategy.preparation, order.kind == .object else { return selection }
    switch selection {
    case .refused: return .refused
    case .whole: return preparation.prepared(order).map { .changed([$0]) } ?? .whole
    case .changed(let documents): return preparation.prepared(documents[0].root).map { .changed([$0]) } ?? selection
    }
  }

  /// The bills of one order's documents.
  public func bills(
    of documents: [JSONValue], lookups: LookupTable, inputs: MappingInputs
  ) throws(MappingFailures) -> [Bill] {
    [try map(documents[0], lookups: lookups, inputs: inputs)]
  }

  /// The questions that mapping this order will ask; ask them all at once and pass the answers to `map`.
  public func lookups(of order: JSONValue, inputs: MappingInputs = MappingInputs()) -> [LookupKey] {
    LookupCollector.keys(strategy.fields, strategy.table, order, inputs)
  }

  /// The bill of an order.
  /// - Parameters:
  ///   - order: the order's JSON object.
  ///   - lookups: what the questions of `lookups(of:)` found.
  ///   - inputs: the clock and what else a strategy may read; the same as for `lookups(of:)`.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func map(
    _ order: JSONValue, lookups: LookupTable, inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> Bill {
    guard order.kind == .object else { throw Self.noObject }
    var run = MappingRun(OrderReader(order, strategy.table, answers: lookups, inputs: inputs))
    return try bill(&run)
  }

  /// The bill of an order and how each of its fields came about.
  public func explain(
    _ order: JSONValue, lookups: LookupTable, inputs: MappingInputs = MappingInputs()
  ) -> Explanation {
    guard order.kind == .object else { return Explanation(result: .failure(Self.noObject), fields: []) }
    var run = MappingRun(OrderReader(order, strategy.table, answers: lookups, inputs: inputs), isExplained: true)
    let result: Result<[UInt8], MappingFailures>
    do throws(MappingFailures) { result = .success(try bill(&run).body) } catch { result = .failure(error) }
    return Explanation(result: result, fields: run.trace ?? [], notes: run.notes.notes)
  }

  private static let noObject = MappingFailures(
    failures: [MappingFailure(.orderMalformed, target: "", "the order is not an object")])

  private func bill(_ run: inout MappingRun) throws(MappingFailures) -> Bill {
    var members = run.object(strategy.fields) { "" }
    // Last, so that what is wrong with a line stands before what follows from it.
    if let rule = strategy.amounts { run.check(rule) }
    if let rules = strategy.billRules {
      run.apply(rules, to: &members)
      run.apply(rules, toAll: [members])
    }
    guard run.failures.isEmpty else { throw MappingFailures(failures: run.failures) }
    guard let number = text(at: strategy.keyPath.segments[...], in: members), !number.isEmpty else {
      let failure = MappingFailure(.fieldMissing, target: strategy.keyPath.text, "the bill has no number")
      throw MappingFailures(failures: [failure])
    }
    var writer = JSONWriter(reserving: 4096)
    writer.beginObject()
    writer.key("Data")
    JSONTree.object(members).write(to: &writer)
    writer.endObject()
    return Bill(object: strategy.object, number: number, body: writer.bytes, notes: run.notes.notes)
  }

  private func text(at path: ArraySlice<String>, in members: [JSONMember]) -> String? {
    guard let member = members.first(where: { $0.key == path.first }) else { return nil }
    var value = member.value
    if path.count > 1, case .array(let elements) = value, let first = elements.first { value = first }
    switch value {
    case .string(let text): return path.count == 1 ? text : nil
    case .number(let number): return path.count == 1 ? number.description : nil
    case .object(let members): return text(at: path.dropFirst(), in: members)
    default: return nil
    }
  }
}

/// Gathers the questions of an order before it is mapped.
struct LookupCollector {
  private let reader: OrderReader
  private var keys: [LookupKey] = []

  static func keys(
    _ fields: [FieldDescriptor], _ table: OperandTable, _ order: JSONValue, _ inputs: MappingInputs
  ) -> [LookupKey] {
    if table.lookups.isEmpty { return [] }
    var collector = LookupCollector(reader: OrderReader(order, table, answers: LookupTable(), inputs: inputs))
    collector.collect(fields)
    return collector.keys
  }

  private init(reader: OrderReader) { self.reader = reader }

  private mutating func collect(_ fields: [FieldDescriptor]) {
    for field in fields where field.hasLookups {
      for number in field.lookups {
        // A key that cannot be built is reported when the field is mapped.
        if let key = try? reader.lookup(number).key(reader) { keys.append(key) }
      }
      switch field.kind {
      case .scalar: break
      case .object(let children), .array(nil, let children): collect(children)
      case .array(let list?, let children): reader.forEachRow(of: list) { _ in collect(children) }
      }
    }
  }
}
