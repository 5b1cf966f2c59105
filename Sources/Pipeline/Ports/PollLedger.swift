public import Orders

/// A content of an order, to be numbered.
public struct FetchedRevision: Sendable, Equatable {
  /// The order.
  public let orderID: OrderID
  /// OKKI's `update_time` of the content.
  public let updateTime: BeijingTime
  /// Fingerprint of the content.
  public let contentHash: Int64

  /// Stands for the content of an order that is to be read anew: no content of an order is equal to it.
  public static let forgottenHash = fingerprint("to be read anew".utf8)
  /// The order is deleted: stands for its content.
  public static let removalHash = fingerprint("deleted in OKKI".utf8)

  /// The deletion of an order, numbered once until another content of it is. It has no `update_time`: the content of an
  /// order that is restored is newer, whatever time it bears.
  public static func removal(of order: OrderID) -> FetchedRevision {
    FetchedRevision(orderID: order, updateTime: BeijingTime(epochSeconds: 0), contentHash: removalHash)
  }

  /// A content of an order.
  public init(orderID: OrderID, updateTime: BeijingTime, contentHash: Int64) {
    self.orderID = orderID
    self.updateTime = updateTime
    self.contentHash = contentHash
  }
}

/// What the ledger says of a content.
public enum RevisionAnswer: Sendable, Equatable {
  /// To be published under this number; not recorded as published yet.
  case publish(number: Int64)
  /// This very content is published, or a newer one is known: whoever fetched that one publishes it.
  case published
  /// Another poller was elected since this one was: nothing was numbered.
  case overtaken
}

/// A revision that the broker has confirmed.
public struct PublishedRevision: Sendable, Equatable {
  /// The order.
  public let orderID: OrderID
  /// Its number.
  public let number: Int64
  /// Fetched within the very second of its `update_time`: it may change once more in that second, so it is fetched
  /// again next time.
  public let mayStillChange: Bool

  /// A confirmed revision.
  public init(orderID: OrderID, number: Int64, mayStillChange: Bool) {
    self.orderID = orderID
    self.number = number
    self.mayStillChange = mayStillChange
  }
}

/// An order that somebody wants to be read anew, whatever is known of it.
public struct Refetch: Sendable, Hashable {
  /// The order.
  public let order: OrderID
  /// Another one each time that the order is asked for.
  public let request: Int64

  /// An order to be read anew.
  public init(_ order: OrderID, request: Int64) {
    self.order = order
    self.request = request
  }
}

/// A stream that is polled, each with a watermark of its own.
public enum PollStream: String, Sendable, CaseIterable {
  /// Orders by `update_time`.
  case orders
  /// Customers by `update_time`.
  case customers
  /// Deleted orders by the time of their deletion.
  case removed
}

/// Where a stream stands.
public struct PollPosition: Sendable, Equatable {
  /// Everything of the stream with its time up to here has been published and confirmed, by OKKI's clock of then.
  public let watermark: BeijingTime
  /// Seconds since the watermark was moved last, by the ledger's clock. That clock may have been set since, so they may be
  /// too many or below 0.
  public let age: Int64

  /// A position.
  public init(_ watermark: BeijingTime, age: Int64) {
    self.watermark = watermark
    self.age = age
  }
}

/// How long an election lasts.
public enum PollLease {
  /// Seconds after its last renewal, by the ledger's clock, when another poller may be elected though this one's
  /// connection lives.
  public static let seconds: Int64 = 15
  /// Between two renewals.
  static let renewal = Duration.seconds(5)
  /// Between two renewals when the last one failed.
  static let retry = Duration.seconds(1)
  /// After the last renewal was asked for, by the poller's own clock: by then it stops working, whatever it has heard.
  /// Shorter than the lease, so that it has stopped when another one is elected.
  static let work = Duration.seconds(10)
}

/// The poller's memory (nothing-lost-nothing-twice.md §1).
///
/// Only the poller that was elected last writes: what another one still sends, frozen or cut off before the election, does
/// nothing and is told so. Whoever never led writes nothing either.
public protocol PollLedger: Sendable {
  /// The watermark, and how long ago it was moved; nil before the first cycle.
  func position(of stream: PollStream) async throws(LedgerFailure) -> PollPosition?
  /// Moves a watermark by compare-and-set, also backwards.
  /// - Returns: false when it is not `old` any more, or another poller was elected.
  func advance(_ stream: PollStream, from old: BeijingTime?, to new: BeijingTime) async throws(LedgerFailure) -> Bool
  /// Which of these have not been published with that `update_time`, are known as deleted, or must be fetched again. In
  /// the same order.
  func unpublished(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline]
  /// Which of these have not been published as deleted. In the same order.
  func unremoved(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline]
  /// Which of these were numbered at some time, published or not. In the same order.
  func numbered(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline]
  /// Numbers contents, growing per order; committed when it returns. The same content gets the same number until it is
  /// recorded as published. One answer each, in order; an order may occur once in a batch. A deletion is newer than every
  /// content known, whatever its `update_time`; what has none (0: OKKI does not show the order any more) is newer than a
  /// content that was not published.
  func number(_ revisions: [FetchedRevision]) async throws(LedgerFailure) -> [RevisionAnswer]
  /// Records what the broker confirmed.
  /// - Returns: false when another poller was elected, and nothing was recorded.
  func record(_ published: [PublishedRevision]) async throws(LedgerFailure) -> Bool
  /// Orders that are to be read anew, at most `limit`: those that were not taken yet, then those that were taken longest ago.
  /// When one is taken first, what is known of its content is forgotten: the next content has a new number, also an equal or
  /// older one. Committed when it returns.
  /// - Returns: in the order in which they were asked for; nil when another poller was elected, and nothing was taken.
  func refetches(limit: Int) async throws(LedgerFailure) -> [Refetch]?
  /// Ends what was asked for. An order that was asked for again since stays.
  /// - Returns: false when another poller was elected, and nothing was ended.
  func endRefetches(_ done: [Refetch]) async throws(LedgerFailure) -> Bool
  /// Stores customers, in the collection that strategies look them up in; one with a known id replaces the former.
  /// - Returns: false when another poller was elected: its customers are newer, and these are not stored over them.
  func store(customers: [CollectionRecord]) async throws(LedgerFailure) -> Bool
  /// Becomes or stays the one poller of the installation, for `PollLease.seconds` or until its connection ends. False while
  /// another process is; it throws when nobody can tell.
  func lead() async throws(LedgerFailure) -> Bool
  /// Steps down.
  func resign() async
}

extension PollLedger {
  /// Everything of the stream with its time up to the watermark has been published and confirmed; nil before the first
  /// cycle.
  public func watermark(of stream: PollStream) async throws(LedgerFailure) -> BeijingTime? {
    try await position(of: stream)?.watermark
  }
}
