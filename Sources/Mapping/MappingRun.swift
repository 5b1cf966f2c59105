import JSON

/// One run over one order: collects every failure instead of stopping at the first.
struct MappingRun {
  let lookups: LookupTable
  private(set) var failures: [MappingFailure] = []
  private var failureCount = 0

  init(lookups: LookupTable) { self.lookups = lookups }

  /// Where a field stands in the bill: written out only when a failure names it.
  typealias Place = () -> String

  /// The members that an order gives to these fields.
  mutating func object(_ fields: [FieldDescriptor], _ scope: Scope, at place: Place) -> [JSONMember] {
    var members: [JSONMember] = []
    members.reserveCapacity(fields.count)
    for field in fields {
      let value = tree(field, scope) {
        let place = place()
        return place.isEmpty ? field.field : "\(place).\(field.field)"
      }
      if let value { members.append(JSONMember(field.field, value)) }
    }
    return members
  }

  /// The field's value; nil when it has none and is left out.
  private mutating func tree(_ field: FieldDescriptor, _ scope: Scope, at target: Place) -> JSONTree? {
    switch field.kind {
    case .scalar(let scalar): return self.scalar(field, scalar, scope, at: target)
    case .object(let children):
      let members = required(field, children, scope, at: target)
      return members.isEmpty ? nil : .object(members)
    case .array(nil, let children):
      return .array([.object(required(field, children, scope) { "\(target())[0]" })])
    case .array(let list?, let children):
      let rows = scope.rows(of: list)
      if rows.isEmpty, let code = field.rules.missing { fail(code, target, "\(list.text) has no rows") }
      var elements: [JSONTree] = []
      elements.reserveCapacity(rows.count)
      for (position, row) in rows.enumerated() {
        elements.append(.object(object(children, scope.inside(row, of: list)) { "\(target())[\(position)]" }))
      }
      return .array(elements)
    }
  }

  /// The members of a field with children; a required one without any fails, unless a child already told why.
  private mutating func required(
    _ field: FieldDescriptor, _ children: [FieldDescriptor], _ scope: Scope, at target: Place
  ) -> [JSONMember] {
    let before = failureCount
    let members = object(children, scope, at: target)
    if members.isEmpty, failureCount == before, let code = field.rules.missing {
      fail(code, target, "\(target()) has no fields")
    }
    return members
  }

  private mutating func scalar(
    _ field: FieldDescriptor, _ scalar: FieldDescriptor.Scalar, _ scope: Scope, at target: Place
  ) -> JSONTree? {
    do throws(ValueError) {
      var value = try self.value(field.form, scope)
      if let table = field.rules.table {
        guard let mapped = self.mapped(value, table, field, at: target) else { return nil }
        value = mapped
      }
      if let code = field.rules.missing, value.isBlank {
        fail(code, target, field.form.lookup.map { lookups.reason($0, in: scope) } ?? "\(field.source) is empty")
        return nil
      }
      return value.isEmpty ? nil : try written(value, as: scalar, field)
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
    _ value: Value, _ table: [String: String], _ field: FieldDescriptor, at target: Place
  ) -> Value? {
    // A list or an object has no text, but is not the empty text either.
    var isText = true
    if case .structure = value, !value.isEmpty { isText = false }
    if isText, let entry = table[value.text] { return .text(entry) }
    switch field.rules.miss {
    case .keep: return value
    case .default: return .text(field.rules.fallback ?? "")
    case .fail:
      fail(.valueUnmapped, target, "the table has no entry for \(field.source), which is \(value.kind)")
      return nil
    }
  }

  private func written(
    _ value: Value, as scalar: FieldDescriptor.Scalar, _ field: FieldDescriptor
  ) throws(ValueError) -> JSONTree {
    func unfit(_ wanted: String) -> ValueError { .unfit(field.source, wanted: wanted, kind: value.kind) }
    if field.rules.decimals != nil || scalar == .number || scalar == .integer {
      guard var number = value.number else { throw unfit("a number") }
      if let decimals = field.rules.decimals { number = number.rounded(scale: decimals).normalized }
      switch scalar {
      case .integer:
        guard number.normalized.scale == 0 else { throw unfit("a number without decimals") }
        return .number(number.normalized)
      case .number: return .number(number)
      case .string: return .string(number.description)
      case .bool: break
      }
    }
    switch scalar {
    case .bool:
      switch value.text.lowercased() {
      case "true", "1": return .bool(true)
      case "false", "0": return .bool(false)
      default: throw unfit("a boolean")
      }
    default:
      if case .structure = value { throw unfit("a text") }
      return .string(value.text)
    }
  }

  private mutating func fail(_ code: MappingFailure.Code, _ target: Place, _ sentence: String) {
    failureCount += 1
    // One broken order must not grow a report without bound.
    if failures.count < 100 { failures.append(MappingFailure(code, target: target(), sentence)) }
  }
}

// MARK: - Amounts

extension MappingRun {
  mutating func check(_ rule: AmountRule, _ scope: Scope) {
    do throws(ValueError) {
      let whole = try number(rule.order, scope)
      if let additions = rule.additions, let costs = try optionalNumber(additions, scope), !costs.isZero {
        let lines = rule.lines.text
        fail(.amountMismatch, { "" }, "\(additions.text) is not 0: \(rule.order.text) holds costs beside \(lines)")
        return
      }
      let rows = scope.rows(of: rule.lines)
      var difference = whole
      for row in rows {
        var amount = try number(rule.line, scope.inside(row, of: rule.lines))
        if let decimals = rule.decimals { amount = amount.rounded(scale: decimals) }
        difference = try subtract(amount, from: difference, rule)
      }
      if difference.magnitude > rule.tolerance {
        fail(.amountMismatch, { "" }, "\(rule.order.text) differs from the sum of \(rule.line.text)")
      }
    } catch {
      fail(error.code, { "" }, error.sentence)
    }
  }

  private func subtract(
    _ amount: ExactDecimal, from rest: ExactDecimal, _ rule: AmountRule
  ) throws(ValueError) -> ExactDecimal {
    do throws(ArithmeticError) { return try rest.subtracting(amount) } catch { throw .overflow(rule.line.text) }
  }

  private func number(_ path: Path, _ scope: Scope) throws(ValueError) -> ExactDecimal {
    guard let number = try optionalNumber(path, scope) else { throw .empty(path.text) }
    return number
  }

  private func optionalNumber(_ path: Path, _ scope: Scope) throws(ValueError) -> ExactDecimal? {
    let value = try scope.value(at: path)
    if value.isBlank { return nil }
    guard let number = value.number else { throw .unfit(path.text, wanted: "a number", kind: value.kind) }
    return number
  }
}
