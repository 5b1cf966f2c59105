public import JSON
public import Orders

/// Everything that is wrong with one order, at once.
public struct MappingFailures: Error, Sendable, CustomStringConvertible {
  /// At least one; where there are too many to tell, the last one's sentence says how many more.
  public let failures: [MappingFailure]
  /// The same without those words.
  let told: [MappingFailure]
  /// How many are not told.
  let untold: Int

  init(failures: [MappingFailure], untold: Int = 0) {
    (told, self.untold) = (failures, untold)
    var failures = failures
    if untold > 0, let last = failures.popLast() { failures.append(last.followed(by: untold)) }
    self.failures = failures
  }

  /// A sentence of up to five of them.
  public var description: String {
    let shown = told.prefix(5).map(\.description).joined(separator: "; ")
    let more = told.count + untold - 5
    return more > 0 ? "\(shown); and \(more) more" : shown
  }
}

/// Maps orders by one strategy. Pure: the same order, records and inputs give the same bill, byte for byte.
public struct Mapper: Sendable {
  private let strategy: Strategy

  /// A mapper for a strategy.
  public init(_ strategy: Strategy) { self.strategy = strategy }

  /// What of an order the strategy takes, with which lines, and in how many documents. An order that is changed by it is
  /// mapped by its changed documents, each to a bill of its own.
  /// - Throws: `MappingFailures` when an order cannot be taken apart, when a line of a combined product would be lost, or
  ///   when an order that is taken apart has another amount than its lines: no document could tell afterwards.
  public func selection(of order: JSONValue) throws(MappingFailures) -> Selection {
    let prepared = try prepared(order)
    guard let splitting = strategy.splitting, order.kind == .object else { return prepared }
    if case .refused = prepared { return prepared }
    guard let rule = strategy.amounts else { return try prepared.split(order, splitting) }
    var whole = order
    if case .changed(let documents) = prepared, let document = documents.first { whole = document.root }
    var run = MappingRun(reader(of: whole, LookupTable(), MappingInputs()))
    run.check(rule)
    if let failure = run.failure { throw failure }
    let selection = try prepared.split(order, splitting)
    if case .changed(let documents) = selection, let amounts = strategy.splitAmounts {
      run.check(rule, amounts, in: documents)
      if let failure = run.failure { throw failure }
    }
    return selection
  }

  /// Reads what the rules about the order itself read.
  private func reader(of order: JSONValue, _ lookups: LookupTable, _ inputs: MappingInputs) -> OrderReader {
    OrderReader(order, strategy.orderTable, answers: lookups, inputs: inputs)
  }

  private func prepared(_ order: JSONValue) throws(MappingFailures) -> Selection {
    let selection = strategy.condition?.selection(order) ?? .whole
    guard let preparation = strategy.preparation, order.kind == .object else { return selection }
    switch selection {
    case .refused: return .refused
    case .whole: return try preparation.prepared(order).map { .changed([$0]) } ?? .whole
    case .changed(let documents):
      guard let document = documents.first else { return selection }
      return try preparation.prepared(document.root).map { .changed([$0]) } ?? selection
    }
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
    if let bill = direct(order, lookups, inputs) { return bill }
    var run = MappingRun(OrderReader(order, strategy.table, answers: lookups, inputs: inputs))
    return try draft(&run).bill(of: strategy)
  }

  /// The bills of one order's documents. Bill numbers are unique among them: from the second bill on with the same
  /// number, `-2`, `-3` … is put behind it, in the body too.
  /// - Parameters:
  ///   - documents: those of `selection(of:)`, at least one.
  ///   - order: what they were selected of.
  ///   - lookups: what the questions of `lookups(of:)` for each of them found.
  ///   - inputs: the clock and what else a strategy may read; the same as for `lookups(of:)`.
  /// - Throws: `MappingFailures`: all fields of all documents that cannot be mapped, where there are several each with its
  ///   document's number.
  public func bills(
    of documents: [JSONValue], from order: JSONValue, lookups: LookupTable, inputs: MappingInputs = MappingInputs()
  ) throws(MappingFailures) -> [Bill] {
    if let bill = direct(documents, lookups, inputs) { return [bill] }
    return try drafts(documents, order, lookups, inputs, isExplained: false).result().numbered(by: strategy.keyPath)
      .map { $0.bill(of: strategy) }
  }

  /// The bill written while it is mapped. Nil where the strategy does not allow it, and where anything is wrong with the
  /// order: then it is mapped again the long way, which tells what.
  private func direct(_ order: JSONValue, _ lookups: LookupTable, _ inputs: MappingInputs) -> Bill? {
    guard let plan = strategy.direct else { return nil }
    var run = MappingRun(OrderReader(order, strategy.table, answers: lookups, inputs: inputs))
    guard let draft = run.written(strategy.fields, plan, strategy.amounts) else { return nil }
    return Bill(
      object: strategy.object, number: draft.number, body: draft.body, notes: run.notes.notes,
      keyField: strategy.keyField)
  }

  /// The same where an order makes one document; nil for several.
  private func direct(_ documents: [JSONValue], _ lookups: LookupTable, _ inputs: MappingInputs) -> Bill? {
    guard documents.count == 1, let document = documents.first, document.kind == .object else { return nil }
    return direct(document, lookups, inputs)
  }

  private func drafts(
    _ documents: [JSONValue], _ order: JSONValue, _ lookups: LookupTable, _ inputs: MappingInputs, isExplained: Bool
  ) -> DocumentSeries<BillDraft> {
    var series = DocumentSeries<BillDraft>(count: documents.count)
    let whole = strategy.splitting == nil ? nil : reader(of: order, lookups, inputs)
    for (position, document) in documents.enumerated() {
      let inputs = inputs.forDocument(position)
      var run = MappingRun(
        OrderReader(document, strategy.table, answers: lookups, inputs: inputs), whole: whole,
        isExplained: isExplained)
      series.add(position) { () throws(MappingFailures) in
        guard document.kind == .object else { throw Self.noObject }
        return try draft(&run)
      }
      series.add(run.trace, of: position)
    }
    if let whole {
      series.check { drafts in
        var run = MappingRun(whole)
        apply(&run, toAll: drafts.map(\.members))
        return run.failures
      }
    }
    return series
  }

  /// Applies what concerns all documents of an order together. A sum over fields that failed would tell nothing.
  private func apply(_ run: inout MappingRun, toAll documents: [[JSONMember]]) {
    guard run.failures.isEmpty else { return }
    if let rule = strategy.amounts, let field = rule.bill { run.check(rule, bill: field, in: documents) }
    for rule in strategy.billRules?.plausible ?? [] { run.check(rule, in: documents) }
  }

  /// The bill of an order and how each of its fields came about.
  public func explain(
    _ order: JSONValue, lookups: LookupTable, inputs: MappingInputs = MappingInputs()
  ) -> Explanation {
    explain([order], from: order, lookups: lookups, inputs: inputs)
  }

  /// The bills of one order's documents and how each of their fields came about.
  /// - Parameter byField: false leaves out the fields, and maps as `bills` does.
  public func explain(
    _ documents: [JSONValue], from order: JSONValue, lookups: LookupTable, inputs: MappingInputs = MappingInputs(),
    byField: Bool = true
  ) -> Explanation {
    if !byField, let bill = direct(documents, lookups, inputs) {
      return Explanation(documents: .success([bill.body]), fields: [], notes: bill.notes)
    }
    return theLongWay(documents, from: order, lookups: lookups, inputs: inputs, byField: byField)
  }

  /// The bills made by way of trees, whatever the strategy is: what those that are written directly are held against.
  /// - Parameter byField: false leaves out the fields.
  func theLongWay(
    _ documents: [JSONValue], from order: JSONValue, lookups: LookupTable, inputs: MappingInputs, byField: Bool
  ) -> Explanation {
    drafts(documents, order, lookups, inputs, isExplained: byField).explanation { drafts in
      drafts.numbered(by: strategy.keyPath).map { $0.bill(of: strategy) }.map { ($0.body, $0.notes) }
    }
  }

  private static let noObject = MappingFailures(
    failures: [MappingFailure(.orderMalformed, target: "", "the order is not an object")])

  private func draft(_ run: inout MappingRun) throws(MappingFailures) -> BillDraft {
    var members = run.object(strategy.fields)
    // Last, so that what is wrong with a line stands before what follows from it.
    if let rule = strategy.amounts, strategy.splitting == nil { run.check(rule) }
    if let rules = strategy.billRules { run.apply(rules, to: &members) }
    // What concerns an order's documents together is held against them when all are there.
    if strategy.splitting == nil { apply(&run, toAll: [members]) }
    if let failure = run.failure { throw failure }
    guard let number = BillDraft.text(at: strategy.keyPath.segments[...], in: members), !trimmed(number).isEmpty else {
      let failure = MappingFailure(.fieldMissing, target: strategy.keyPath.text, "the bill has no number")
      throw MappingFailures(failures: [failure])
    }
    return BillDraft(number: number, members: members, notes: run.notes.notes)
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
        if let key = try? reader.lookup(number).key(reader), key != keys.last { keys.append(key) }
      }
      switch field.kind {
      case .scalar: break
      case .object(let children), .array(nil, let children): collect(children)
      case .array(let list?, let children): reader.forEachRow(of: list) { _ in collect(children) }
      }
    }
  }
}
