/// Why one field of an order cannot be mapped.
public struct MappingFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds, spelled as the reason codes of the pipeline.
  public enum Code: String, Sendable, CaseIterable {
    /// The order's JSON is not what an order is.
    case orderMalformed = "order_malformed"
    /// The customer is not in the customer collection, or has no number.
    case customerUnmapped = "customer_unmapped"
    /// A lookup found nothing.
    case lookupFailed = "lookup_failed"
    /// A line has no material number.
    case materialMissing = "material_missing"
    /// A required field came out empty.
    case fieldMissing = "field_missing"
    /// A division by zero.
    case divisionByZero = "division_by_zero"
    /// A value that does not fit: not a number where one is needed, too many digits.
    case valueInvalid = "value_invalid"
    /// A mapping table has no entry for the value.
    case valueUnmapped = "value_unmapped"
    /// Amounts that contradict each other.
    case amountMismatch = "amount_mismatch"
  }

  /// What kind.
  public let code: Code
  /// The field of the bill, such as `Page2[3].FAuxTaxPrice`; empty where the whole order is meant.
  public let target: String
  /// One sentence that names the source field and the kind of value found, never the value.
  public let sentence: String

  /// A failure.
  public init(_ code: Code, target: String, _ sentence: String) {
    self.code = code
    self.target = target
    self.sentence = sentence
  }

  /// `target: sentence`
  public var description: String { target.isEmpty ? sentence : "\(target): \(sentence)" }
}
