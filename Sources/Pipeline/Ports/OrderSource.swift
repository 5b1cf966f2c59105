public import Orders

/// Why the CRM did not give what was asked; each case says what to do.
///
/// Sentences are logged, so no word of the vendor's own is in them: only codes and kinds. `answer` has those words, its first
/// 200 characters, secrets masked, for a parked order or for people at a terminal; nil where it is not known.
public enum SourceFailure: Error, Sendable, Equatable {
  /// Away or broken for now: try again later.
  case transient(String, answer: String? = nil)
  /// Slow down, for so many seconds when the vendor said so.
  case throttled(afterSeconds: Int?)
  /// The credentials or rights are wrong: a person must act.
  case unauthorized(String, answer: String? = nil)
  /// The vendor has no such thing (any more), or will not show it.
  case absent
  /// An answer that cannot be understood; trying again may help.
  case malformed(String, answer: String? = nil)
  /// A page of a list whose rows cannot be told apart, or that is larger than is taken: a smaller one may be readable.
  /// - rows: what stands where the rows should, at most 256 KiB of it; nil where nothing of it is there.
  case unframed(String, rows: [UInt8]?)
}

extension SourceFailure {
  /// Whether it may be of the one thing that was asked for alone.
  var isOfOne: Bool {
    switch self {
    case .transient, .absent, .malformed, .unframed: true
    case .throttled, .unauthorized: false
    }
  }

  /// Without the vendor's words, so that the same trouble is the same twice.
  var bare: SourceFailure {
    switch self {
    case .malformed(let why, _): .malformed(why)
    case .unframed(let why, _): .unframed(why, rows: nil)
    case .transient(let why, _): .transient(why)
    case .unauthorized(let why, _): .unauthorized(why)
    case .throttled, .absent: self
    }
  }
}

/// Which orders a list shows, and by which of their times; both ends of the window belong to it.
public enum OrderQuery: Sendable, Hashable {
  /// By `update_time`.
  case updated(TimeWindow)
  /// By the time when they were entered.
  case created(TimeWindow)
  /// Deleted ones, by the time when they were deleted.
  case removed(TimeWindow)

  /// The window.
  public var window: TimeWindow {
    switch self {
    case .updated(let window), .created(let window), .removed(let window): window
    }
  }
}

extension OrderQuery {
  /// The same list over another window.
  func over(_ window: TimeWindow) -> OrderQuery {
    switch self {
    case .updated: .updated(window)
    case .created: .created(window)
    case .removed: .removed(window)
    }
  }
}

/// One page of the order list.
public struct OrderPage: Sendable {
  /// Orders in the whole window, all pages.
  public let total: Int
  /// The orders of this page.
  public let headlines: [OrderHeadline]
  /// The vendor's clock when it answered.
  public let now: BeijingTime
  /// Rows that do not tell which order they are of, as the vendor wrote them. `total` counts them, too.
  public let unreadable: [[UInt8]]
  /// It was put together from smaller ones, which were not read at the same moment.
  var isOfPieces = false

  /// A page.
  public init(total: Int, headlines: [OrderHeadline], now: BeijingTime, unreadable: [[UInt8]] = []) {
    self.unreadable = unreadable
    self.total = total
    self.headlines = headlines
    self.now = now
  }
}

/// One page of the customer list.
public struct CustomerPage: Sendable {
  /// Customers in the whole list.
  public let total: Int
  /// The records of this page, as the vendor wrote them.
  public let records: [CollectionRecord]
  /// The vendor's clock when it answered.
  public let now: BeijingTime
  /// Rows that are no records, as the vendor wrote them. `total` counts them, too.
  public let unreadable: [[UInt8]]
  /// Where it was put together from smaller ones: as many rows as one of them had.
  var mostAtOnce: Int?

  /// A page.
  public init(total: Int, records: [CollectionRecord], now: BeijingTime, unreadable: [[UInt8]] = []) {
    self.unreadable = unreadable
    self.total = total
    self.records = records
    self.now = now
  }
}

/// The CRM, as the poller needs it. Keeps the installation's rate limit itself.
public protocol OrderSource: Sendable {
  /// One page of an order list, newest first by the query's time.
  /// - Parameters:
  ///   - index: page number from 1.
  ///   - size: orders a page, 1...500.
  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage
  /// The details of orders, one result each in the same order; several requests are under way at a time.
  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>]
  /// One page of the customers changed in the window, of all customers without one.
  func customers(updatedIn window: TimeWindow?, page index: Int, size: Int) async throws(SourceFailure)
    -> CustomerPage
  /// The vendor's clock.
  func now() async throws(SourceFailure) -> BeijingTime
}

extension OrderSource {
  /// One page of the orders whose `update_time` lies in the window.
  public func orders(
    updatedIn window: TimeWindow, page index: Int, size: Int
  ) async throws(SourceFailure) -> OrderPage {
    try await orders(.updated(window), page: index, size: size)
  }
}
