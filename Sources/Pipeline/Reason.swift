/// Why something could not go on: the closed list that logs, metrics, headers, console and runbook share.
public enum ReasonCode: String, Sendable, CaseIterable {
  // Messages
  /// A message in the queue that is not Ferry's, is too large, or whose body cannot be read.
  case undecodable
  /// RabbitMQ takes no message as large as the one that would have to be published.
  case messageTooLarge = "message_too_large"
  /// What goes beside the body of the message that would have to be published does not fit into a frame (`frame_max`).
  case headersTooLarge = "headers_too_large"
  /// The worker died, or lost its connection, each time that one held the message: as RabbitMQ says of what it has counted
  /// alone.
  case deliveryLimit = "delivery_limit"
  // Mapping
  /// The order's JSON lacks what every order has, or is malformed.
  case orderMalformed = "order_malformed"
  /// The order's customer is not in the customer collection, or has no number.
  case customerUnmapped = "customer_unmapped"
  /// A lookup other than the customer's found nothing.
  case lookupFailed = "lookup_failed"
  /// A line has no material number.
  case materialMissing = "material_missing"
  /// A field that the bill must have came out empty.
  case fieldMissing = "field_missing"
  /// A formula divides by zero, such as a line with count 0.
  case divisionByZero = "division_by_zero"
  /// A value does not fit its field: not a number, not a date, too long.
  case valueInvalid = "value_invalid"
  /// A static mapping table has no entry for the value.
  case valueUnmapped = "value_unmapped"
  /// The order's amount differs from the sum of its lines, or a line's from price × quantity.
  case amountMismatch = "amount_mismatch"
  /// The bill's date lies in a period that is closed in K/3.
  case periodClosed = "period_closed"
  /// No strategy takes the order.
  case noStrategy = "no_strategy"
  /// Strategies take the order that must not both have it.
  case strategyClash = "strategy_clash"
  // K/3
  /// K/3 refused the bill for a reason in its data.
  case k3Rejected = "k3_rejected"
  /// K/3 refused for a reason that passes by itself (busy, licence).
  case k3Busy = "k3_busy"
  /// K/3 does not let us in: authority code, rights.
  case k3Unauthorized = "k3_unauthorized"
  /// K/3 cannot be reached or answers with server errors.
  case k3Unavailable = "k3_unavailable"
  /// Whether the bill was written is unknown; K/3 is asked before anything is repeated.
  case inDoubt = "in_doubt"
  /// The bill is in doubt, and it is too early to ask K/3.
  case lookUpPending = "look_up_pending"
  /// K/3 holds another bill under the number that this order would have.
  case conflict
  /// The order changed in OKKI after its bill was written.
  case changedAfterWritten = "changed_after_written"
  /// OKKI has removed the order, and a bill of it is in K/3, or may be.
  case removedAfterWritten = "removed_after_written"
  /// The order went over to another stream after its bill was written in one.
  case streamChanged = "stream_changed"
  // Infrastructure
  /// Another worker holds the order.
  case leaseBusy = "lease_busy"
  /// PostgreSQL cannot be reached.
  case ledgerUnavailable = "ledger_unavailable"
  /// The setup is wrong; no order can pass until it is mended.
  case configuration

  /// Whether something is in K/3 when an order is parked for this, or may be: a replay asks K/3 before it saves.
  public var leavesDoubt: Bool { [.conflict, .inDoubt, .changedAfterWritten, .removedAfterWritten].contains(self) }
}

/// A reason code with its sentence for people.
///
/// The sentence names order, field and kind of value; it never carries customers' data beyond that.
public struct Reason: Error, Sendable, Equatable, CustomStringConvertible {
  /// The code.
  public let code: ReasonCode
  /// One sentence.
  public let sentence: String
  /// Where K/3 refuses us: the object that it was asked for, such as `SO`, for it may be a matter of that one alone. Nil where
  /// that is not known.
  public var object: String?

  /// A reason.
  public init(_ code: ReasonCode, _ sentence: String) {
    self.code = code
    self.sentence = sentence
  }

  /// What logs and the installation's breakers say of it: no words of K/3's own, in which a customer's name may stand. Those are
  /// with the message.
  public var logged: String {
    switch code {
    case .k3Unauthorized: "K/3 refuses our authority code or rights" + Self.last(object)
    case .k3Busy: "K/3 has too much to do"
    case .k3Rejected: "K/3 refused the bill"
    case .inDoubt: "K/3 gave no clear answer"
    default: sentence
    }
  }

  static func last(_ object: String?) -> String { object.map { ", last for the object \($0)" } ?? "" }

  /// `code: sentence`
  public var description: String { "\(code.rawValue): \(sentence)" }
}
