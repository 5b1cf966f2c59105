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
    if let rule = strategy.amounts { run.check(rule, scope) }
    let members = run.object(strategy.fields, scope, at: "")
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
        for lookup in field.form.lookups {
          // A key that cannot be built is reported when the field is mapped.
          if let key = try? lookup.key(in: scope) { keys.append(key) }
        }
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
    if case .string(let text) = tree { return text }
    return nil
  }
}

extension FieldDescriptor {
  var hasLookups: Bool {
    switch kind {
    case .scalar: !form.lookups.isEmpty
    case .object(let children), .array(_, let children): children.contains(where: \.hasLookups)
    }
  }
}

extension Scope {
  func inside(_ row: JSONValue, of list: Path) -> Scope {
    var inner = self
    inner.rows.append(Row(list: list.segments.last ?? "", value: row))
    return inner
  }
}

/// One run over one order: collects every failure instead of stopping at the first.
struct MappingRun {
  let lookups: LookupTable
  private(set) var failures: [MappingFailure] = []

  init(lookups: LookupTable) { self.lookups = lookups }

  mutating func object(_ fields: [FieldDescriptor], _ scope: Scope, at place: String) -> [JSONMember] {
    var members: [JSONMember] = []
    members.reserveCapacity(fields.count)
    for field in fields {
      let target = place.isEmpty ? field.field : "\(place).\(field.field)"
      if let value = tree(field, scope, at: target) { members.append(JSONMember(field.field, value)) }
    }
    return members
  }

  /// The field's value; nil when it has none and is left out.
  private mutating func tree(_ field: FieldDescriptor, _ scope: Scope, at target: String) -> JSONTree? {
    switch field.kind {
    case .scalar(let scalar): return self.scalar(field, scalar, scope, at: target)
    case .object(let children):
      let members = object(children, scope, at: target)
      return members.isEmpty ? nil : .object(members)
    case .array(nil, let children):
      return .array([.object(object(children, scope, at: "\(target)[0]"))])
    case .array(let list?, let children):
      let rows = scope.rows(of: list)
      if rows.isEmpty, let code = field.rules.missing {
        failures.append(MappingFailure(code, target: target, "\(list.text) has no rows"))
      }
      var elements: [JSONTree] = []
      elements.reserveCapacity(rows.count)
      for (position, row) in rows.enumerated() {
        elements.append(.object(object(children, scope.inside(row, of: list), at: "\(target)[\(position)]")))
      }
      return .array(elements)
    }
  }

  private mutating func scalar(
    _ field: FieldDescriptor, _ scalar: FieldDescriptor.Scalar, _ scope: Scope, at target: String
  ) -> JSONTree? {
    do throws(ValueError) {
      var value = try self.value(field.form, scope)
      if let table = field.rules.table {
        guard let mapped = self.mapped(value, table, field.rules, at: target) else { return nil }
        value = mapped
      }
      if value.isEmpty {
        if let code = field.rules.missing { fail(code, target, "\(describe(field.form)) is empty") }
        return nil
      }
      return try written(value, as: scalar, field, at: target)
    } catch {
      fail(error.code, target, error.sentence)
      return nil
    }
  }

  private func value(_ form: ValueForm, _ scope: Scope) throws(ValueError) -> Value {
    switch form {
    case .nothing: .nothing
    case .template(let template): try template.value(in: scope)
    case .function(let expression): try Evaluator(scope: scope).value(expression)
    case .lookup(let lookup): try lookups.value(lookup, in: scope)
    }
  }

  private mutating func mapped(
    _ value: Value, _ table: [String: String], _ rules: FieldRules, at target: String
  ) -> Value? {
    if let entry = table[value.text] { return .text(entry) }
    switch rules.miss {
    case .keep: return value
    case .default: return .text(rules.fallback)
    case .fail:
      // The value is a code (currency, unit), which the operator needs to see to add it to the table.
      fail(.valueUnmapped, target, "the table has no entry for \(value.kind) of \(value.text.count) characters")
      return nil
    }
  }

  private func written(
    _ value: Value, as scalar: FieldDescriptor.Scalar, _ field: FieldDescriptor, at target: String
  ) throws(ValueError) -> JSONTree {
    if field.rules.decimals != nil || scalar == .number {
      let source = describe(field.form)
      let number: ExactDecimal? =
        switch value {
        case .number(let number): number
        case .text(let text): ExactDecimal(trimmed(text))
        case .bool(let flag): flag ? .one : .zero
        case .nothing, .structure: nil
        }
      guard var number else { throw .notANumber(source, kind: value.kind) }
      if let decimals = field.rules.decimals { number = number.rounded(scale: decimals).normalized }
      return scalar == .number ? .number(number) : .string(number.description)
    }
    switch (scalar, value) {
    case (.bool, .bool(let flag)): return .bool(flag)
    case (.bool, .text(let text)) where text == "true" || text == "1": return .bool(true)
    case (.bool, .text(let text)) where text == "false" || text == "0": return .bool(false)
    case (.string, .structure(let structure)): return JSONTree(structure)
    case (.string, _): return .string(value.text)
    default: throw .notANumber(describe(field.form), kind: value.kind)
    }
  }

  /// What a message calls the source of a field.
  private func describe(_ form: ValueForm) -> String {
    switch form {
    case .nothing: "the value"
    case .template(let template):
      template.only?.path.text ?? "the text"
    case .function: "the formula's result"
    case .lookup(let lookup): "\(lookup.field.text) from \(lookup.collection)"
    }
  }

  private mutating func fail(_ code: MappingFailure.Code, _ target: String, _ sentence: String) {
    // One broken order must not grow a report without bound.
    if failures.count < 100 { failures.append(MappingFailure(code, target: target, sentence)) }
  }

  mutating func check(_ rule: Strategy.AmountRule, _ scope: Scope) {
    do throws(ValueError) {
      let whole = try number(scope.value(at: rule.order), rule.order.text)
      var sum = ExactDecimal.zero
      for row in scope.rows(of: rule.lines) {
        let amount = try number(
          scope.inside(row, of: rule.lines).value(at: Path("\(rule.lines.text).\(rule.line)")), rule.line)
        do throws(ArithmeticError) { sum = try sum.adding(amount) } catch { throw ValueError.overflow }
      }
      var difference = ExactDecimal.zero
      do throws(ArithmeticError) { difference = try whole.subtracting(sum).magnitude } catch {
        throw ValueError.overflow
      }
      if difference > rule.tolerance {
        fail(.amountMismatch, "", "\(rule.order.text) differs from the sum of \(rule.lines.text).\(rule.line)")
      }
    } catch {
      fail(error.code, "", error.sentence)
    }
  }

  private func number(_ value: Value, _ path: String) throws(ValueError) -> ExactDecimal {
    switch value {
    case .number(let number): return number
    case .text(let text):
      guard let number = ExactDecimal(trimmed(text)) else { throw .notANumber(path, kind: value.kind) }
      return number
    default: throw .notANumber(path, kind: value.kind)
    }
  }
}
