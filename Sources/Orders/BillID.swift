/// One of the bills that come of an order: what the ledger keeps a row of, and K/3 gets once.
public struct BillID: Hashable, Sendable, CustomStringConvertible {
  /// The order.
  public let orderID: OrderID
  /// Keeps apart what different strategies write of one order: a strategy's `ferry.stream`, or else K/3's object.
  public let stream: String
  /// Which of the bills that one strategy makes of the order; 1 unless it makes several.
  public let part: Int

  /// A bill of an order.
  public init(_ orderID: OrderID, stream: String, part: Int = 1) {
    self.orderID = orderID
    self.stream = stream
    self.part = part
  }

  /// Such as `order 17`, or `order 17 (SO, bill 2)`.
  public var description: String { part == 1 ? "order \(orderID)" : "order \(orderID) (\(stream), bill \(part))" }
}

/// How a bill came from its order.
public struct BillRoute: Hashable, Sendable {
  /// The strategy that made it.
  public let strategy: String
  /// See `BillID.stream`.
  public let stream: String
  /// Which of the order's bills it is. Nil from a strategy that never makes several.
  public let part: Part?
  /// The streams that the order may have bills in beside this one: those of all strategies that took the same revision, and
  /// those that the strategy may follow. Nil where nobody said, as in a message of an earlier program.
  public let beside: [String]?
  /// Of a strategy that follows streams: those of `beside` that this very revision has bills in, too. Nil where that may be all of
  /// them: no stream is followed, or nobody said.
  public let made: [String]?

  /// One of several.
  public struct Part: Hashable, Sendable {
    /// 1...count.
    public let number: Int
    /// How many bills the order has in this revision.
    public let count: Int

    /// A part.
    public init(_ number: Int, of count: Int) {
      self.number = number
      self.count = count
    }
  }

  /// A route.
  public init(
    strategy: String, stream: String, part: Part? = nil, beside: [String]? = nil, made: [String]? = nil
  ) {
    self.strategy = strategy
    self.stream = stream
    self.part = part
    self.beside = beside
    self.made = made
  }
}
