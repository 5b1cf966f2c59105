/// One entry of `request`: how a field of the bill comes about (mapping-language.md §3), compiled.
/// A class because each order walks over all of them: a reference costs one count, a copy of all this a dozen.
final class FieldDescriptor: Sendable {
  /// What the field becomes in JSON.
  enum Kind: Sendable {
    /// A scalar, with the type it is written as.
    case scalar(Scalar)
    case object([FieldDescriptor])
    /// One element per row of the list; without a list one element made from the order itself.
    case array(list: Path?, [FieldDescriptor])
  }

  enum Scalar: Sendable {
    case string
    case number
    /// A number without decimals.
    case integer
    case bool

    /// By a type's name in the strategy, in lower case.
    init?(typeName: String) {
      switch typeName {
      case "string", "datetime", "date": self = .string
      case "int", "integer": self = .integer
      case "float", "number", "decimal": self = .number
      case "bool", "boolean": self = .bool
      default: return nil
      }
    }
  }

  let field: String
  let kind: Kind
  let form: ValueForm
  let rules: FieldRules
  /// What a message calls the form: the order's fields that it reads.
  let source: String

  init(field: String, kind: Kind, form: ValueForm = .nothing, rules: FieldRules) {
    self.field = field
    self.kind = kind
    self.form = form
    self.rules = rules
    source = form.source
  }

  var hasLookups: Bool {
    switch kind {
    case .scalar: form.lookup != nil
    case .object(let children), .array(_, let children): children.contains(where: \.hasLookups)
    }
  }
}
