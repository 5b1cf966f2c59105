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

/// Maps orders by one strategy. Pure: the same order and records give the same bill, byte for byte.
public struct Mapper: Sendable {
  private let strategy: Strategy

  /// A mapper for a strategy.
  public init(_ strategy: Strategy) { self.strategy = strategy }

  /// The questions that mapping this order will ask; ask them all at once and pass the answers to `map`.
  public func lookups(of order: JSONValue) -> [LookupKey] {
    var keys: [LookupKey] = []
    collect(strategy.fields, scope(of: order), into: &keys)
    return keys
  }

  /// The bill of an order.
  /// - Parameters:
  ///   - order: the order's JSON object.
  ///   - lookups: what the questions of `lookups(of:)` found.
  /// - Throws: `MappingFailures`: all fields that cannot be mapped.
  public func map(_ order: JSONValue, lookups: LookupTable) throws(MappingFailures) -> Bill {
    guard order.kind == .object else {
      throw MappingFailures(failures: [MappingFailure(.orderMalformed, target: "", "the order is not an object")])
    }
    var run = MappingRun(lookups: lookups)
    let scope = scope(of: order)
    let members = run.object(strategy.fields, scope) { "" }
    // Last, so that what is wrong with a line stands before what follows from it.
    if let rule = strategy.amounts { run.check(rule, scope) }
    guard run.failures.isEmpty else { throw MappingFailures(failures: run.failures) }
    guard let number = text(at: strategy.keyPath, in: .object(members)), !number.isEmpty else {
      let failure = MappingFailure(.fieldMissing, target: strategy.keyPath.text, "the bill has no number")
      throw MappingFailures(failures: [failure])
    }
    var writer = JSONWriter(reserving: 4096)
    writer.beginObject()
    writer.key("Data")
    JSONTree.object(members).write(to: &writer)
    writer.endObject()
    return Bill(object: strategy.object, number: number, body: writer.bytes)
  }

  private func scope(of order: JSONValue) -> Scope {
    var made: [String: Value] = [:]
    let bare = Scope(head: order, made: [:])
    for field in strategy.madeFields {
      // A field whose source cannot be read is made of nothing; whatever needs it reports it missing.
      let value = (try? bare.value(at: field.from)) ?? .nothing
      made[field.name] = value.isEmpty ? .nothing : .text(value.text)
    }
    return Scope(head: order, made: made)
  }

  private func collect(_ fields: [FieldDescriptor], _ scope: Scope, into keys: inout [LookupKey]) {
    for field in fields {
      switch field.kind {
      case .scalar:
        // A key that cannot be built is reported when the field is mapped.
        if let key = try? field.form.lookup?.key(in: scope) { keys.append(key) }
      case .object(let children): collect(children, scope, into: &keys)
      case .array(nil, let children): collect(children, scope, into: &keys)
      case .array(let list?, let children):
        guard children.contains(where: \.hasLookups) else { continue }
        for row in scope.rows(of: list) { collect(children, scope.inside(row, of: list), into: &keys) }
      }
    }
  }

  private func text(at path: Path, in tree: JSONTree) -> String? {
    var tree = tree
    for segment in path.segments {
      if case .array(let elements) = tree, let first = elements.first { tree = first }
      guard case .object(let members) = tree, let member = members.first(where: { $0.key == segment }) else {
        return nil
      }
      tree = member.value
    }
    switch tree {
    case .string(let text): return text
    case .number(let number): return number.description
    default: return nil
    }
  }
}
