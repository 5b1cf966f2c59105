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
    /// A date in a period that is closed in K/3.
    case periodClosed = "period_closed"
    /// No strategy takes the order.
    case noStrategy = "no_strategy"
    /// More strategies take the order than may.
    case strategyClash = "strategy_clash"
  }

  /// What kind.
  public let code: Code
  /// The field of the bill, such as `Page2[3].FAuxTaxPrice`; empty where the whole order is meant.
  public let target: String
  /// The order's fields that it comes from, as the strategy names them; empty where no single field is meant.
  public let sources: [String]
  /// One sentence that names the source field and the kind of value found, never the value.
  public let sentence: String
  /// What would mend it, a sentence.
  public let remedy: String

  /// A failure.
  /// - Parameter remedy: what would mend this one; nil: what mends its kind.
  public init(
    _ code: Code, target: String, sources: [String] = [], _ sentence: String, remedy: String? = nil
  ) {
    self.code = code
    self.target = target
    self.sources = sources
    self.sentence = sentence
    self.remedy = remedy ?? code.remedy
  }

  /// `target: sentence`
  public var description: String { target.isEmpty ? sentence : "\(target): \(sentence)" }
}

extension MappingFailure.Code {
  /// What mends most failures of this kind.
  fileprivate var remedy: String {
    switch self {
    case .orderMalformed: "Look at the order in OKKI; its answer is not what an order is."
    case .customerUnmapped:
      "Give the customer its number in OKKI, or wait until the poller has read the customer; then replay the order."
    case .lookupFailed: "Add the record to the collection, or declare the lookup optional; then replay the order."
    case .materialMissing: "Give the product its number in OKKI, save the order there, and it comes again."
    case .fieldMissing: "Fill the field in OKKI, or give the strategy a default with IFNULL."
    case .divisionByZero: "Correct the number in OKKI, or say with NULLIF and IFNULL what holds then."
    case .valueInvalid: "Correct the value in OKKI, or convert it in the strategy."
    case .valueUnmapped: "Add the value to the field's table in the strategy, or set its «miss»; then replay the order."
    case .strategyClash:
      "Let the «condition» of one of the strategies not take such orders, or give it a «ferry.stream» of its own."
    case .noStrategy: "Look at the «condition» of the strategies, or leave the order be."
    case .amountMismatch:
      "Compare the order's amount with its lines and additional costs in OKKI; «ferry.amounts», «ferry.residual» and "
        + "«ferry.plausible» say what is let through."
    case .periodClosed:
      "Date the order later in OKKI; or correct «closedThrough» in the calendar, or let the calendar move such dates, "
        + "and replay the order."
    }
  }
}
