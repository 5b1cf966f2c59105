public import JSON

/// What a record must be like, where equality of fields does not say it: MongoDB's operators, as `_mongoQuery` writes
/// them (mapping-language.md §6.5).
public indirect enum LookupFilter: Hashable, Sendable {
  /// A field, compared with one value; with `in`, with any of several.
  case compare(field: String, Comparison, values: [String])
  /// All of these; of none: true.
  case all([LookupFilter])
  /// At least one of these.
  case any([LookupFilter])

  /// How a field is compared.
  public enum Comparison: String, Hashable, Sendable, CaseIterable {
    /// The same text; `5` is `"5"`.
    case equal = "$eq"
    /// Another text, or no such field.
    case notEqual = "$ne"
    /// Greater: numbers by value, anything else as text.
    case greater = "$gt"
    /// Greater or equal.
    case notLess = "$gte"
    /// Less.
    case less = "$lt"
    /// Less or equal.
    case notGreater = "$lte"
    /// One of several texts.
    case oneOf = "$in"
    /// A text in which a regular expression is found.
    case matches = "$regex"
  }

  /// Whether a record passes.
  /// - Parameter finds: whether a pattern is found in a text; the caller's, since regular expressions need an engine that
  ///   bounds its work.
  public func holds(for record: JSONValue, finds: (_ pattern: String, _ text: String) -> Bool) -> Bool {
    switch self {
    case .all(let parts): return parts.allSatisfy { $0.holds(for: record, finds: finds) }
    case .any(let parts): return parts.contains { $0.holds(for: record, finds: finds) }
    case .compare(let field, let comparison, let values):
      guard let text = Self.text(field, of: record) else { return comparison == .notEqual }
      guard let value = values.first else { return false }
      switch comparison {
      case .equal: return text == value
      case .notEqual: return text != value
      case .oneOf: return values.contains(text)
      case .matches: return finds(value, text)
      case .greater: return Self.order(text, value) > 0
      case .notLess: return Self.order(text, value) >= 0
      case .less: return Self.order(text, value) < 0
      case .notGreater: return Self.order(text, value) <= 0
      }
    }
  }

  /// The field under its whole name, or else the one that its dots lead to.
  private static func text(_ field: String, of record: JSONValue) -> String? {
    if let found = record[field] { return found.text ?? found.bool.map { $0 ? "true" : "false" } }
    var value = record
    for key in field.split(separator: ".") {
      guard let member = value[String(key)] else { return nil }
      value = member
    }
    return value.text ?? value.bool.map { $0 ? "true" : "false" }
  }

  /// Below 0, 0 or above 0.
  private static func order(_ left: String, _ right: String) -> Int {
    if let left = ExactDecimal(left), let right = ExactDecimal(right) {
      return left == right ? 0 : left < right ? -1 : 1
    }
    return left == right ? 0 : left < right ? -1 : 1
  }
}
