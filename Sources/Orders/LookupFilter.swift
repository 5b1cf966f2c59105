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
  /// - Throws: what `finds` throws.
  public func holds<Trouble: Error>(
    for record: JSONValue, finds: (_ pattern: String, _ text: String) throws(Trouble) -> Bool
  ) throws(Trouble) -> Bool {
    switch self {
    case .all(let parts):
      for part in parts where try !part.holds(for: record, finds: finds) { return false }
      return true
    case .any(let parts):
      for part in parts where try part.holds(for: record, finds: finds) { return true }
      return false
    case .compare(let field, let comparison, let values):
      guard let text = RecordFields.text(field, of: record) else { return comparison == .notEqual }
      guard let value = values.first else { return false }
      switch comparison {
      case .equal: return RecordFields.same(text, value)
      case .notEqual: return !RecordFields.same(text, value)
      case .oneOf: return values.contains { RecordFields.same(text, $0) }
      case .matches: return try finds(value, text)
      case .greater: return Self.order(text, value) > 0
      case .notLess: return Self.order(text, value) >= 0
      case .less: return Self.order(text, value) < 0
      case .notGreater: return Self.order(text, value) <= 0
      }
    }
  }

  /// Below 0, 0 or above 0.
  private static func order(_ left: String, _ right: String) -> Int {
    if let left = ExactDecimal(left), let right = ExactDecimal(right) {
      return left == right ? 0 : left < right ? -1 : 1
    }
    if RecordFields.same(left, right) { return 0 }
    return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
  }
}

extension LookupKey {
  /// Whether a record answers the question. One that asks for nothing is answered by none.
  /// - Throws: what `finds` throws; see `LookupFilter.holds`.
  public func isAnswered<Trouble: Error>(
    by record: JSONValue, finds: (_ pattern: String, _ text: String) throws(Trouble) -> Bool
  ) throws(Trouble) -> Bool {
    for condition in conditions {
      guard let text = RecordFields.text(condition.field, of: record), RecordFields.same(text, condition.value) else {
        return false
      }
    }
    guard let filter else { return !conditions.isEmpty }
    return try filter.holds(for: record, finds: finds)
  }
}
