import JSON

/// One entry of `request`: how a field of the bill comes about (mapping-language.md §3), compiled.
/// A class because each order walks over all of them: a reference costs one count, a copy of all this a dozen.
final class FieldDescriptor: Sendable {
  /// What the field becomes in JSON.
  enum Kind: Sendable {
    /// A value, with the type it is written as.
    case scalar(ScalarType)
    case object([FieldDescriptor])
    /// One element per row of the list; without a list one element made from the order itself.
    case array(list: ListReach?, [FieldDescriptor])
  }

  let field: String
  let kind: Kind
  let form: ValueForm
  /// The form where it is a formula: what stands in an enumeration is counted each time that it is looked at.
  let formula: Formula?
  /// Whether its name can be written as it is.
  let isPlainKey: Bool
  let rules: FieldRules
  let parser: ValueParser?
  /// Whether its rules are those of a number.
  var isNumber: Bool { rules.finalDecimals != nil || rules.minimum != nil }
  /// The value as the strategy writes it.
  let rule: String
  /// The value with its placeholders filled in, where a failure becomes that.
  let plain: Template?
  /// What the form reads, each once, in order.
  let operands: [Int]
  /// What a message calls the form: the order's fields that it reads.
  let source: String
  /// The lookups of its own value.
  let lookups: [Int]
  /// The lookup that it is.
  var ownLookup: Int? {
    if case .lookup(let number) = form { return number }
    return nil
  }
  /// Whether it or what is below it asks anything.
  let hasLookups: Bool
  /// The value, when it is the same for every order.
  let constant: JSONTree?

  /// `,"field":`, for who writes the bill while it is mapped.
  nonisolated(unsafe) let writtenKey: UnsafeBufferPointer<UInt8>
  /// The same with the value behind it, when that is the same for every order; else empty.
  nonisolated(unsafe) let written: UnsafeBufferPointer<UInt8>
  /// Its number among the fields that rules on the bill read (`DirectPlan`); below 0: none. Written once, when the strategy is
  /// read, like the next.
  nonisolated(unsafe) private(set) var slot = -1
  /// Whether it is one of those, or has one below it.
  nonisolated(unsafe) private(set) var isWatched = false

  /// Gives it its number among the fields of a plan. Only while the strategy is read, before others see it.
  /// - Parameters:
  ///   - slot: 0 or above.
  ///   - outer: the fields that it lies in.
  func watch(as slot: Int, inside outer: [FieldDescriptor]) {
    // A second plan would change what bills that are being written read.
    precondition(self.slot < 0, "a descriptor belongs to one plan")
    self.slot = slot
    for field in outer + [self] { field.isWatched = true }
  }

  private static func kept(_ bytes: [UInt8]) -> UnsafeBufferPointer<UInt8> {
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    return UnsafeBufferPointer(copy)
  }

  deinit {
    writtenKey.deallocate()
    written.deallocate()
  }

  /// A field with a value.
  init(
    _ field: String, _ scalar: ScalarType, _ form: ValueForm, rule: String, _ rules: FieldRules,
    _ parser: ValueParser?, plain: Template? = nil, table: OperandTable
  ) {
    self.field = field
    self.rules = rules
    self.form = form
    if case .function(let formula) = form { self.formula = formula } else { formula = nil }
    isPlainKey = JSONMember.isPlainKey(field)
    self.parser = parser
    kind = .scalar(scalar)
    self.rule = rule
    self.plain = plain
    operands = form.operands(table)
    source = form.name(table)
    lookups = form.lookups(table)
    hasLookups = !lookups.isEmpty
    if case .literal(let text) = form, case .string = scalar, rules.isNone, parser == nil, !text.isEmpty {
      constant = .string(text)
    } else {
      constant = nil
    }
    writtenKey = Self.kept(JSONBody.written(key: field))
    written = Self.kept(constant.map { JSONBody.written(key: field, $0) } ?? [])
  }

  /// A field with children.
  init(_ field: String, _ kind: Kind, _ rules: FieldRules, _ parser: ValueParser?) {
    self.field = field
    self.kind = kind
    self.rules = rules
    self.parser = parser
    form = .nothing
    formula = nil
    isPlainKey = JSONMember.isPlainKey(field)
    rule = ""
    plain = nil
    operands = []
    source = "the value"
    lookups = []
    // An object of nothing but constants is one itself.
    if case .object(let children) = kind, !children.isEmpty, rules.isNone, parser == nil {
      let members = children.compactMap { child in
        child.constant.map { JSONMember(child.field, $0, isPlain: child.isPlainKey) }
      }
      constant = members.count == children.count ? .object(members) : nil
    } else {
      constant = nil
    }
    writtenKey = Self.kept(JSONBody.written(key: field))
    written = Self.kept(constant.map { JSONBody.written(key: field, $0) } ?? [])
    switch kind {
    case .scalar: hasLookups = false
    case .object(let children), .array(_, let children): hasLookups = children.contains(where: \.hasLookups)
    }
  }
}
