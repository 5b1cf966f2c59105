public import Orders

/// The stages that read a queue.
public enum StageName: String, Sendable, CaseIterable {
  /// Reads `orders`, writes `bills`.
  case transform
  /// Reads `bills`, writes to K/3.
  case load

  /// The queue that the stage reads.
  public var queue: QueueName {
    switch self {
    case .transform: .orders
    case .load: .bills
    }
  }
}

/// The queues that carry the flow.
public enum QueueName: String, Sendable, CaseIterable {
  /// Orders as OKKI shows them.
  case orders
  /// Bills as K/3 will get them.
  case bills
}

/// A message of the flow: what is known about an order, and its content.
public struct Envelope: Sendable, Equatable {
  /// What the body is.
  public enum Content: Sendable, Equatable {
    /// An order's JSON object, as OKKI wrote it.
    case order([UInt8])
    /// A bill that a strategy made.
    case bill(Bill, BillRoute)
    /// OKKI lists the order as deleted. It is numbered like a revision, and goes to `bills`.
    case removal
  }

  /// The order.
  public var orderID: OrderID
  /// The order's number, for people.
  public var orderNumber: String
  /// The ledger's number of this revision, from 1, growing per order.
  public var revision: Int64
  /// OKKI's `update_time` of this revision.
  public var updateTime: BeijingTime
  /// Which attempt of its stage this is, from 1. A try that was interrupted or met an outage is not counted.
  public var attempt: Int
  /// When the first stage saw it: milliseconds since 1970 UTC, by Ferry's clock.
  public var firstSeen: Int64
  /// Why the last try ended, if one did.
  public var lastReason: Reason?
  /// Order or bill.
  public var content: Content

  /// An envelope on its first attempt.
  public init(
    orderID: OrderID, orderNumber: String, revision: Int64, updateTime: BeijingTime, firstSeen: Int64,
    content: Content
  ) {
    self.orderID = orderID
    self.orderNumber = orderNumber
    self.revision = revision
    self.updateTime = updateTime
    self.attempt = 1
    self.firstSeen = firstSeen
    self.content = content
  }
}

extension Envelope {
  /// The same message on its way to its next stage: another content, attempts counted anew.
  public func carrying(_ content: Content) -> Envelope {
    var next = self
    next.content = content
    next.attempt = 1
    next.lastReason = nil
    return next
  }

  /// The same message for a later try.
  /// - Parameter counted: whether the try that just ended counts as an attempt.
  public func again(_ reason: Reason, counted: Bool) -> Envelope {
    var next = self
    next.lastReason = reason
    if counted { next.attempt += 1 }
    return next
  }
}
