import JSON

/// One run over one order: collects every failure instead of stopping at the first.
struct MappingRun {
  let reader: OrderReader
  /// Reads the order itself, before it was taken apart, for the rules that are about it.
  let whole: OrderReader
  private var told: [MappingFailure] = []
  private var failureCount = 0
  /// Bytes of the values so far.
  private var size = 0
  /// Larger documents no queue takes, and no worker should build.
  private static let mostBytes = 16 << 20
  /// One broken order must not grow a report without bound.
  private static let mostTold = 100

  /// What failed, as far as it is told.
  var failures: [MappingFailure] { told }

  /// All that failed; nil when nothing did.
  var failure: MappingFailures? {
    told.isEmpty ? nil : MappingFailures(failures: told, untold: failureCount - told.count)
  }
  /// How each field came about, where somebody asked; nothing is noted otherwise.
  var trace: [ExplainedField]?
  /// What is to be known of the bill besides its body.
  var notes = NoteList()

  /// - Parameter whole: reads the order itself; nil where the reader does.
  init(_ reader: OrderReader, whole: OrderReader? = nil, isExplained: Bool = false) {
    self.reader = reader
    self.whole = whole ?? reader
    trace = isExplained ? [] : nil
  }

  /// Where something stands in the bill: written out only when a failure names it.
  typealias Place = () -> String

  /// What lies around the field that is mapped, outermost first.
  private enum Around {
    case name(String)
    case field(FieldDescriptor)
    case row(Int)
  }

  private var around: [Around] = []

  /// Where a field stands, or what lies around it.
  func target(of field: FieldDescriptor? = nil) -> String {
    var text = ""
    for step in around {
      switch step {
      case .name(let name): text += text.isEmpty ? name : ".\(name)"
      case .field(let field): text += text.isEmpty ? field.field : ".\(field.field)"
      case .row(let position): text += "[\(position)]"
      }
    }
    guard let field else { return text }
    return text.isEmpty ? field.field : "\(text).\(field.field)"
  }

  /// The members that an order gives to these fields, which stand below a name of their own.
  mutating func object(_ fields: [FieldDescriptor], below name: String) -> [JSONMember] {
    around.append(.name(name))
    defer { around.removeLast() }
    return object(fields)
  }

  /// The members that an order gives to these fields.
  mutating func object(_ fields: [FieldDescriptor]) -> [JSONMember] {
    var members: [JSONMember] = []
    members.reserveCapacity(fields.count)
    for field in fields {
      if let constant = field.constant, trace == nil {
        members.append(JSONMember(field.field, constant))
        continue
      }
      if let value = tree(field) { members.append(JSONMember(field.field, value)) }
    }
    return members
  }

  /// The field's value; nil when it has none and is left out.
  private mutating func tree(_ field: FieldDescriptor) -> JSONTree? {
    switch field.kind {
    case .scalar(let scalar):
      if trace == nil { return self.scalar(field, scalar) }
      return traced(field) { $0.scalar(field, scalar) }
    case .object(let children):
      around.append(.field(field))
      defer { around.removeLast() }
      let members = required(field, children)
      return parsed(members.isEmpty ? nil : .object(members), here: field)
    case .array(nil, let children):
      around.append(.field(field))
      defer { around.removeLast() }
      return parsed(.array([.object(onlyRow(field, children))]), here: field)
    case .array(let list?, let children):
      around.append(.field(field))
      defer { around.removeLast() }
      return parsed(.array(rows(field, list, children)), here: field)
    }
  }

  /// The one row of an array without a list.
  private mutating func onlyRow(_ field: FieldDescriptor, _ children: [FieldDescriptor]) -> [JSONMember] {
    around.append(.row(0))
    defer { around.removeLast() }
    return required(field, children)
  }

  /// What the parser of a field with children makes of them; the field is the last of what lies around.
  private mutating func parsed(_ tree: JSONTree?, here field: FieldDescriptor) -> JSONTree? {
    do throws(ValueError) { return try parsed(tree, field) } catch {
      fail(error.code, nil, error.sentence)
      return nil
    }
  }

  private func parsed(_ tree: JSONTree?, _ field: FieldDescriptor) throws(ValueError) -> JSONTree? {
    guard let parser = field.parser else { return tree }
    return try parser.applied(to: tree, name: field.source)
  }

  private mutating func rows(
    _ field: FieldDescriptor, _ list: ListReach, _ children: [FieldDescriptor]
  ) -> [JSONTree] {
    let count = reader.rowCount(of: list)
    let stray = reader.strayKind(of: list)
    if count == 0, stray == nil, let code = field.rules.missing {
      let remedy =
        "Give \(list.name) a row in OKKI; where it has some, see which rows the strategy's «condition» drops."
      fail(code, nil, "\(list.name) has no rows", [list.name], remedy: remedy)
    }
    var elements: [JSONTree] = []
    elements.reserveCapacity(count)
    if let stray { fail(.valueInvalid, nil, "\(list.name) should be a list but is \(stray)", [list.name]) }
    reader.forEachRow(of: list) { position in
      around.append(.row(position))
      defer { around.removeLast() }
      if let kind = reader.strayRow {
        return fail(.valueInvalid, nil, "a row of \(list.name) is \(kind)", [list.name])
      }
      elements.append(.object(object(children)))
    }
    return elements
  }

  /// The members of a field with children; a required one without any fails, unless a child already told why.
  private mutating func required(_ field: FieldDescriptor, _ children: [FieldDescriptor]) -> [JSONMember] {
    let before = failureCount
    let members = object(children)
    if members.isEmpty, failureCount == before, let code = field.rules.missing {
      fail(code, nil, "\(target()) has no fields")
    }
    return members
  }

  private mutating func scalar(_ field: FieldDescriptor, _ scalar: ScalarType) -> JSONTree? {
    // Told once, and nothing more is made.
    if size > Self.mostBytes { return nil }
    let tree = value(of: field, scalar)
    if case .string(let text)? = tree {
      size += text.utf8.count
      if size > Self.mostBytes {
        fail(.valueInvalid, field, "with this value the document is larger than \(Self.mostBytes >> 20) MiB")
      }
    }
    return tree
  }

  private mutating func value(of field: FieldDescriptor, _ scalar: ScalarType) -> JSONTree? {
    do throws(ValueError) {
      var value = try self.value(field)
      if case .lookup(let number) = field.form, value.isEmpty {
        guard try found(number, field) else { return nil }
        if field.rules.isOptional, let fallback = field.rules.fallback { return .string(fallback) }
      }
      if let table = field.rules.table {
        guard let mapped = self.mapped(value, table, field) else { return nil }
        value = mapped
      }
      if let code = field.rules.missing, value.isBlank {
        let (reason, remedy) = reason(field)
        fail(code, field, reason, sources(field), remedy: remedy)
        return nil
      }
      return try written(value, as: scalar, field)
    } catch {
      if field.rules.isOriginal { return original(field) }
      fail(error.code, field, error.sentence, sources(field), remedy: error.remedy)
      return nil
    }
  }

  /// What the platform makes of a failure: the value's text with its placeholders filled in.
  private func original(_ field: FieldDescriptor) -> JSONTree? {
    guard let text = try? field.plain?.text(reader), !text.isEmpty else { return nil }
    return .string(trimmed(text))
  }

  /// Why a field that must have a value has none; the remedy where it is not its kind's.
  private func reason(_ field: FieldDescriptor) -> (sentence: String, remedy: String?) {
    if case .lookup(let number) = field.form { return (reader.reason(number), nil) }
    guard case .function(let formula) = field.form else { return ("\(field.source) is empty", nil) }
    return reader.emptiness(of: formula)
  }

  private func written(
    _ value: Value, as scalar: ScalarType, _ field: FieldDescriptor
  ) throws(ValueError) -> JSONTree? {
    guard field.parser != nil else {
      return value.isEmpty ? nil : try scalar.written(value, for: field)
    }
    // Parsers are made for lists and objects, too.
    if case .structure(let structure) = value { return try parsed(JSONTree(structure), field) }
    return try parsed(value.isEmpty ? nil : try scalar.written(value, for: field), field)
  }

  /// The number of the innermost row, from 1; outside of rows 1.
  private var rowNumber: Int {
    for case .row(let position) in around.reversed() { return position + 1 }
    return 1
  }

  private func value(_ field: FieldDescriptor) throws(ValueError) -> Value {
    if field.rules.isRowNumber { return .number(ExactDecimal(Int64(rowNumber))) }
    return switch field.form {
    case .nothing: .nothing
    case .literal(let text): .text(text)
    case .operand(let operand): try reader.value(of: operand)
    case .text(let template): .text(try template.text(reader))
    case .function(let formula): try formula.value(reader, field.rules.division)
    case .lookup(let number): try reader.answer(to: number)
    }
  }

  /// False, and a failure, when a lookup that must find something did not: no record, or none of the field in it.
  private mutating func found(_ number: Int, _ field: FieldDescriptor) throws(ValueError) -> Bool {
    if field.rules.isOptional || field.rules.isOriginal { return true }
    fail(field.rules.missing ?? .lookupFailed, field, reader.reason(number), sources(field))
    return false
  }

  private mutating func mapped(
    _ value: Value, _ table: [String: String], _ field: FieldDescriptor
  ) -> Value? {
    // A list or an object has no text, but is not the empty text either.
    var isText = true
    if case .structure = value, !value.isEmpty { isText = false }
    if isText, let entry = table[value.text] { return .text(entry) }
    switch field.rules.miss {
    case .keep: return value
    case .default: return .text(field.rules.fallback ?? "")
    case .fail:
      let sentence = "the table has no entry for \(field.source), which is \(value.kind)"
      fail(.valueUnmapped, field, sentence, sources(field))
      return nil
    }
  }

  mutating func fail(
    _ code: MappingFailure.Code, _ target: Place, _ sentence: String, _ sources: [String] = [],
    remedy: String? = nil
  ) {
    failureCount += 1
    if told.count < Self.mostTold {
      told.append(MappingFailure(code, target: target(), sources: sources, sentence, remedy: remedy))
    }
  }

  /// A failure of a field, or without one of what lies around.
  private mutating func fail(
    _ code: MappingFailure.Code, _ field: FieldDescriptor?, _ sentence: String, _ sources: [String] = [],
    remedy: String? = nil
  ) {
    let place = told.count < Self.mostTold ? target(of: field) : ""
    fail(code, { place }, sentence, sources, remedy: remedy)
  }

  private func sources(_ field: FieldDescriptor) -> [String] { field.operands.map(reader.name) }
}

// MARK: - Amounts

extension MappingRun {
  mutating func check(_ rule: AmountRule) {
    do throws(ValueError) {
      if rule.costs == .hold, let additions = rule.additions, let costs = try optionalNumber(additions), !costs.isZero {
        let sentence =
          "\(reader.name(of: additions)) is not 0: \(reader.name(of: rule.order)) holds costs beside \(rule.lines.name)"
        fail(.amountMismatch, { "" }, sentence, [rule.order, additions].map(reader.name))
        return
      }
      if try difference(stated(rule), rule).magnitude > rule.tolerance {
        let sentence = "\(reader.name(of: rule.order)) differs from the sum of \(reader.name(of: rule.line))"
        fail(.amountMismatch, { "" }, sentence, [rule.order, rule.line].map(reader.name))
      }
    } catch {
      // The rule reads the order's own fields: no formula of the bill stands in for them.
      let remedy =
        "Correct the field in OKKI, or let «ferry.amounts» name the fields in which your orders have their amounts."
      fail(error.code, { "" }, error.sentence, [rule.order, rule.line].map(reader.name), remedy: remedy)
    }
  }

  /// What the order says that its lines come to.
  func stated(_ rule: AmountRule) throws(ValueError) -> ExactDecimal {
    let amount = try number(rule.order)
    guard rule.costs == .ignore, let additions = rule.additions, let costs = try optionalNumber(additions) else {
      return amount
    }
    return try subtract(costs, from: amount, rule)
  }

  /// The sum of the lines as they stand in the order, not rounded.
  func sum(_ rule: AmountRule) throws(ValueError) -> ExactDecimal {
    try difference(.zero, rule, isRounded: false).negated()
  }

  private func difference(_ whole: ExactDecimal, _ rule: AmountRule, isRounded: Bool = true) throws(ValueError)
    -> ExactDecimal
  {
    var result: Result<ExactDecimal, ValueError> = .success(whole)
    reader.forEachRow(of: rule.lines) { _ in
      guard case .success(let rest) = result else { return }
      do throws(ValueError) {
        var amount = try number(rule.line)
        if isRounded, let decimals = rule.decimals { amount = amount.rounded(scale: decimals) }
        result = .success(try subtract(amount, from: rest, rule))
      } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }

  private func subtract(
    _ amount: ExactDecimal, from rest: ExactDecimal, _ rule: AmountRule
  ) throws(ValueError) -> ExactDecimal {
    do throws(ArithmeticError) { return try rest.subtracting(amount) } catch {
      throw .overflow(reader.name(of: rule.line))
    }
  }

  private func number(_ operand: Int) throws(ValueError) -> ExactDecimal {
    guard let number = try optionalNumber(operand) else { throw .empty(reader.name(of: operand)) }
    return number
  }

  private func optionalNumber(_ operand: Int) throws(ValueError) -> ExactDecimal? {
    let value: Value = try reader.value(of: operand)
    if value.isBlank { return nil }
    guard let number = value.number else {
      throw .unfit(reader.name(of: operand), wanted: "a number", kind: value.kind)
    }
    return number
  }
}
