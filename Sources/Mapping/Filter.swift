import JSON
import Orders

/// What stands after `|` in a placeholder: how a date is written (mapping-language.md §5.3).
enum Filter: String, Sendable, CaseIterable {
  /// `yyyy-MM-dd HH:mm:ss`
  case datetime
  /// `yyyy-MM-dd`
  case date
  /// Epoch seconds, a number.
  case timestamp
  /// Epoch milliseconds, a number.
  case milliseconds = "timestamp_ms"

  /// Seconds since 1970 have ten digits from 2001 to 2286. Fewer or more (`20240115`, milliseconds) are no second that
  /// an order could mean, and a wrong date is worse than none.
  private static let epochSeconds: ClosedRange<Int64> = 1_000_000_000...9_999_999_999

  /// The time that a value means: a date or date-time in Beijing, one with an offset, or epoch seconds.
  static func time(_ value: Value) -> BeijingTime? {
    if case .text(let text) = value, let time = BeijingTime(text) ?? offsetTime(trimmed(text)) { return time }
    guard let seconds = value.number?.wholeNumber, epochSeconds.contains(seconds) else { return nil }
    return BeijingTime(epochSeconds: seconds)
  }

  /// The value in this form; nothing stays nothing.
  /// - Parameter name: what the value is called in the message when it is no date.
  func applied(to value: Value, name: String) throws(ValueError) -> Value {
    if value.isEmpty { return value }
    guard let time = Self.time(value) else { throw .unfit(name, wanted: "a date", kind: value.kind) }
    return switch self {
    case .datetime: .text(time.description)
    case .date: .text(time.date)
    case .timestamp: .number(ExactDecimal(time.epochSeconds))
    case .milliseconds: .number(ExactDecimal(time.epochSeconds * 1000))
    }
  }
}
