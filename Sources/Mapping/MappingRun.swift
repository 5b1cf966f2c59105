import Expressions
import JSON

/// One run over one order: collects every failure instead of stopping at the first.
struct MappingRun {
  let reader: OrderReader
  private let evaluator: Evaluator
  /// Reads the order itself, before it was taken apart, for the rules that are about it.
  let whole: OrderReader
  private(set) var list = FailureList()
  /// Bytes of the values so far.
  private var size = 0
  /// Larger documents no queue takes, and no worker should build.
  static let mostBytes = 16 << 20

  /// What failed, as far as it is told.
  var failures: [MappingFailure] { list.told }

  /// All that failed; nil when nothing did.
  var failure: MappingFailures? { list.failures }
  /// How each field came about, where somebody asked; nothing is noted otherwise.
  var trace: [ExplainedField]?
  /// What is to be known of the bill besides its body.
  var notes = NoteList()

  /// - Parameter whole: reads the order itself; nil where the reader does.
  init(_ reader: OrderReader, whole: OrderReader? = nil, isExplained: Bool = false) {
    self.reader = reader
    evaluator = Evaluator(reader)
    self.whole = whole ?? reader
    trace = isExplained ? [] : nil
  }

  /// Where something stands in the bill: written out only when a failure names it.
  typealias Place = () -> String

  /// What lies around the field that is mapped, outermost first.
  enum Around {
    case name(String)
    case field(FieldDescriptor)
    case row(Int)
  }

  var around: [Around] = []

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
    let isTraced = trace != nil
    // The fields are the strategy's, which outlives the run: they are not counted for each order.
    fields.withUnsafeBufferPointer { fields in
      fields.withMemoryRebound(to: Unmanaged<FieldDescriptor>.self) { fields in
        for unmanaged in fields {
          unmanaged._withUnsafeGuaranteedRef { field in
            if !isTraced, let constant = field.constant {
              members.append(JSONMember(field.field, constant, isPlain: field.isPlainKey))
            } else if let value = tree(field) {
              members.append(JSONMember(field.field, value, isPlain: field.isPlainKey))
            }
          }
        }
      }
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
    return try parser.applied(to: tree?.plain, name: field.source)
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
    let before = list.count
    let members = object(children)
    if members.isEmpty, list.count == before, let code = field.rules.missing {
      fail(code, nil, "\(target()) has no fields")
    }
    return members
  }

  private mutating func scalar(_ field: FieldDescriptor, _ scalar: ScalarType) -> JSONTree? {
    // Told once, and nothing more is made.
    if size > Self.mostBytes { return nil }
    let tree = value(of: field, scalar)
    let bytes: Int
    switch tree {
    case .string(let text)?: bytes = text.utf8.count
    case .digits(let number)?: bytes = number.textSize
    default: bytes = 0
    }
    if bytes > 0 {
      size += bytes
      if size > Self.mostBytes {
        fail(.valueInvalid, field, "with this value the document is larger than \(Self.mostBytes >> 20) MiB")
      }
    }
    return tree
  }

  mutating func value(of field: FieldDescriptor, _ scalar: ScalarType) -> JSONTree? {
    do throws(ValueError) {
      let value = try self.value(field)
      return try finished(value, field.hasLookups ? missed(field, value) : nil, field, scalar)
    } catch {
      return failed(error, field, scalar)
    }
  }

  /// The rest of the way of a field's value.
  /// - Parameter missed: the lookup that left the field without a value.
  private mutating func finished(
    _ value: Value, _ missed: Int?, _ field: FieldDescriptor, _ scalar: ScalarType
  ) throws(ValueError) -> JSONTree? {
    var value = value
    if let missed {
      guard field.rules.isOptional || field.rules.isOriginal else {
        fail(missed, field)
        return nil
      }
      if field.rules.isOptional, let fallback = field.rules.fallback { return .string(fallback) }
    }
    if let table = field.rules.table {
      guard let mapped = self.mapped(value, table, field) else { return nil }
      value = mapped
    }
    if let code = field.rules.missing, value.isBlank {
      if let missed = missed ?? field.ownLookup {
        fail(missed, field)
      } else {
        let (reason, remedy) = reason(field)
        fail(code, field, reason, sources(field), remedy: remedy)
      }
      return nil
    }
    return try written(value, as: scalar, field)
  }

  private mutating func failed(_ error: ValueError, _ field: FieldDescriptor, _ scalar: ScalarType) -> JSONTree? {
    // What nobody could ask is not nothing, whatever the platform makes of it.
    if field.rules.isOriginal, !error.isUnanswered, let made = original(field) { return made.value }
    if field.hasLookups, let missed = missed(field, error) {
      do throws(ValueError) { return try finished(.nothing, missed, field, scalar) } catch { return nil }
    }
    fail(
      error.code(missing: field.rules.missing), field, error.sentence, sources(field),
      remedy: error.remedy ?? remedy(error, field))
    return nil
  }

  /// Where IFNULL alone does not help: an empty text is none of what it replaces.
  private func remedy(_ error: ValueError, _ field: FieldDescriptor) -> String? {
    guard case .empty(let source) = error, case .function = field.form else { return nil }
    let name = field.operands.map(reader.name).contains(source) ? source : "…"
    return "Fill the field in OKKI, or say in the formula what holds then: IFNULL(NULLIF({{\(name)}},''),…)."
  }

  private mutating func fail(_ lookup: Int, _ field: FieldDescriptor) {
    let miss = reader.miss(lookup)
    let code = miss.code(field.rules.missing)
    fail(code, field, miss.sentence, sources(field), remedy: miss.remedy(code))
  }

  /// What the platform makes of a failure: the value's text with its placeholders filled in, which may be none. Nil where
  /// one of them has no text either.
  private func original(_ field: FieldDescriptor) -> (value: JSONTree?, Void)? {
    guard let plain = field.plain else { return (nil, ()) }
    guard let text = try? plain.text(reader) else { return nil }
    return (text.isEmpty ? nil : .string(trimmed(text)), ())
  }

  /// Why a field that must have a value has none; the remedy where it is not its kind's.
  private func reason(_ field: FieldDescriptor) -> (sentence: String, remedy: String?) {
    guard case .function(let formula) = field.form else { return ("\(field.source) is empty", nil) }
    return reader.emptiness(of: formula)
  }

  private func written(
    _ value: Value, as scalar: ScalarType, _ field: FieldDescriptor
  ) throws(ValueError) -> JSONTree? {
    guard let parser = field.parser else {
      return value.isEmpty ? nil : try scalar.written(value, for: field)
    }
    // OKKI writes an empty object as []: to what is made for one value that is none (vendor-apis.md B.11).
    if value.isEmpty, parser.takesAnything { return try parsed(nil, field) }
    // Other parsers are made for lists and objects.
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
    if let formula = field.formula { return try formula.value(reader, evaluator, field.rules.division) }
    return switch field.form {
    case .nothing: .nothing
    case .literal(let text): .text(text)
    case .operand(let operand): try reader.value(of: operand)
    case .text(let template): .text(try template.text(reader))
    case .function(let formula): try formula.value(reader, evaluator, field.rules.division)
    case .lookup(let number): try reader.answer(to: number)
    }
  }

  /// The lookup that left a field without a value: its own, or one that its formula read and made nothing of.
  private func missed(_ field: FieldDescriptor, _ value: Value) -> Int? {
    switch field.form {
    case .lookup(let number): return value.isEmpty ? number : nil
    case .function(let formula):
      switch value {
      case .nothing: return reader.missedLookups(of: formula, field.rules.division).first
      // A record whose field is empty; what a formula makes of no record it says itself (IFNULL, CASE).
      case .text where value.isBlank:
        return reader.missedLookups(of: formula, field.rules.division).first(where: reader.isEmptyText)
      default: return nil
      }
    default: return nil
    }
  }

  /// The same of a formula that failed, where it is the lookup that it could not reckon with.
  private func missed(_ field: FieldDescriptor, _ error: ValueError) -> Int? {
    guard case .function(let formula) = field.form else { return nil }
    let source: String
    switch error {
    case .nothing(let what), .empty(let what): source = what
    default: return nil
    }
    return reader.missedLookups(of: formula, field.rules.division).first { source.contains(reader.lookupName($0)) }
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
    // Where the field stands is put into words for those alone that are told.
    guard list.hasRoom else { return list.add(untold: 1) }
    list.add(MappingFailure(code, target: target(), sources: sources, sentence, remedy: remedy))
  }

  /// A failure of a field, or without one of what lies around.
  private mutating func fail(
    _ code: MappingFailure.Code, _ field: FieldDescriptor?, _ sentence: String, _ sources: [String] = [],
    remedy: String? = nil
  ) {
    let place = list.hasRoom ? target(of: field) : ""
    fail(code, { place }, sentence, sources, remedy: remedy)
  }

  /// The fields that went in, made ones with what they are made of.
  private func sources(_ field: FieldDescriptor) -> [String] {
    field.operands.flatMap { operand in [reader.name(of: operand)] + (reader.madeFrom(operand).map { [$0] } ?? []) }
  }
}
