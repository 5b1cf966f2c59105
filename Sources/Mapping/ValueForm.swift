import JSON

/// How a `value` is read (mapping-language.md §5).
enum ValueForm: Sendable {
  /// null, missing or "".
  case nothing
  case literal(String)
  /// Exactly one placeholder: the value keeps its kind.
  case operand(Int)
  /// Text with placeholders.
  case text(Template)
  /// `_function …`
  case function(Formula)
  /// `_findCollection …` or `_mongoQuery …`, by its number in the table.
  case lookup(Int)

  init(_ value: JSONValue?, operands: inout OperandTable) throws(Template.Malformed) {
    guard let value, !value.isNull else {
      self = .nothing
      return
    }
    guard let text = value.string else {
      guard let literal = value.numberText ?? value.bool.map({ $0 ? "true" : "false" }) else {
        throw Template.Malformed(sentence: "a value is a text, a number or a boolean")
      }
      self = .literal(literal)
      return
    }
    if text.isEmpty {
      self = .nothing
    } else if text.hasPrefix(Formula.prefix) {
      self = .function(try Formula(text.dropFirst(Formula.prefix.count), operands: &operands))
    } else if text.hasPrefix(Lookup.prefix) || text.hasPrefix(Lookup.queryPrefix) {
      let lookup = try Lookup(text, operands: &operands)
      self = .lookup(operands.add(lookup))
    } else if let directive = Slips.directive(meantBy: text) {
      throw Template.Malformed(
        sentence: "«\(excerpt(text.prefix(while: { $0 != "{" })))» would be sent as it stands; is «\(directive)» meant?"
      )
    } else if Lookup.isMentioned(in: text) {
      throw Lookup.mention
    } else {
      let template = try Template(text, operands: &operands)
      self = template.literal.map { .literal($0) } ?? template.only.map { .operand($0) } ?? .text(template)
    }
  }

  /// What it reads besides its own lookup's field: each once, in order.
  func operands(_ table: OperandTable) -> [Int] {
    switch self {
    case .nothing, .literal: []
    case .operand(let operand): [operand]
    case .text(let template): template.operands
    case .function(let formula): formula.operands
    case .lookup(let number): table.lookups[number].operands
    }
  }

  /// The lookups that must be answered before it has a value.
  func lookups(_ table: OperandTable) -> [Int] {
    if case .lookup(let number) = self { return [number] }
    guard case .function(let formula) = self else { return [] }
    return formula.operands.compactMap {
      if case .lookup(let number) = table.operands[$0].source { return number }
      return nil
    }
  }

  /// What a message calls the form: the fields that it reads.
  func name(_ table: OperandTable) -> String {
    if case .lookup(let number) = self { return table.lookups[number].name(table.operands) }
    let names = operands(table).map { table.operands[$0].title }
    if !names.isEmpty { return names.joined(separator: ", ") }
    return switch self {
    case .nothing: "the value"
    case .function: "the formula"
    default: "the literal"
    }
  }
}
