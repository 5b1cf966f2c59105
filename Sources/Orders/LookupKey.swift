public import JSON

/// A question to a collection: the field of the record whose fields have these values (all as text).
public struct LookupKey: Hashable, Sendable {
  /// The collection's name.
  public let collection: String
  /// Fields and their values, as the strategy writes them; all must hold.
  public let conditions: [Condition]
  /// What must hold besides, where equality does not say it; nil for nearly all questions.
  public let filter: LookupFilter?

  /// One field that must have a value; numbers and strings compare by their text.
  public struct Condition: Hashable, Sendable {
    /// The record's field.
    public let field: String
    /// Its value, as text.
    public let value: String

    /// A condition.
    public init(field: String, value: String) {
      self.field = field
      self.value = value
    }
  }

  /// A question.
  public init(collection: String, conditions: [Condition], filter: LookupFilter? = nil) {
    self.collection = collection
    self.conditions = conditions
    self.filter = filter
  }
}

/// What a question to a collection came to.
public enum LookupAnswer: Sendable {
  /// This record: of several the one with the smallest id.
  case found(JSONDocument)
  /// There is none.
  case nothing
  /// Nobody can tell: the question takes too much work, or makes no sense. Why, as a sentence without values.
  case unanswered(String)

  /// The record, when there is one.
  public var record: JSONDocument? {
    if case .found(let record) = self { record } else { nil }
  }
}
