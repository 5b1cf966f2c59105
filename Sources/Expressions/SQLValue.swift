public import JSON

/// What an expression comes to.
public enum SQLValue: Sendable, Hashable {
  /// Nothing.
  case null
  /// What the words TRUE and FALSE stand for: 1 and 0 in arithmetic. Comparisons give the number 1 or 0.
  case bool(Bool)
  /// A number with the decimals that it was written or computed with.
  case number(ExactDecimal)
  /// A text.
  case text(String)
  /// A calendar day.
  case date(SQLDate)
  /// A day and a time of day.
  case dateTime(SQLDateTime)
  /// A time of day, or a length of time.
  case time(SQLTime)

  /// The value as MySQL writes it; nil for null.
  public var text: String? {
    switch self {
    case .null: nil
    case .bool(let value): value ? "1" : "0"
    case .number(let value): value.description
    case .text(let value): value
    case .date(let value): value.description
    case .dateTime(let value): value.description
    case .time(let value): value.description
    }
  }

  /// Whether there is nothing.
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// What messages call a value of this kind.
  public var kind: String {
    switch self {
    case .null: "nothing"
    case .bool: "true or false"
    case .number: "a number"
    case .text: "a text"
    case .date: "a date"
    case .dateTime: "a date with a time"
    case .time: "a time"
    }
  }
}
