import Orders
import Synchronization

extension Poller {
  /// What came of the pages of a slice.
  struct PageYield: Sendable {
    /// What the slice had before it was read.
    var total = 0
    /// Orders that the pages showed.
    var read: Int { seen.count }
    var seen: Set<OrderID> = []
    /// Rows that tell no order, by their fingerprints.
    var unreadable: [Int64: [UInt8]] = [:]
    /// Some page could not be read whole in the last pass.
    var isOfPieces = false
    /// Orders that the list shows and `order/info` does not, and that are not published.
    var denied: [OrderHeadline] = []
    var missed = 0
    var changed = 0
    var failed = 0

    mutating func add(_ page: FetchedPage) {
      seen.formUnion(page.seen)
      unreadable.merge(page.unreadable) { first, _ in first }
      if page.isOfPieces { isOfPieces = true }
      denied += page.absent
      failed += page.failed
    }

    /// Takes over what stands against concluding the slice, of a pass before this one.
    mutating func keep(_ before: PageYield) {
      unreadable.merge(before.unreadable) { now, _ in now }
      denied += before.denied.filter { !seen.contains($0.id) }
      seen.formUnion(before.seen)
    }

    mutating func add(_ published: [Finding]) {
      missed += published.count { $0 == .missed }
      changed += published.count { $0 == .changed }
    }
  }

  /// A revision on its way to the queue.
  struct Fetched: Sendable {
    var envelope: Envelope
    let revision: FetchedRevision
    let mayStillChange: Bool
    /// Why the order cannot be carried at all; it is parked with its headline alone.
    let broken: Outcome.Burial?
    /// What it means that this is published, for who counts.
    var finding: Finding?
  }

  /// What is published was not known, or was known with another content at the same `update_time`.
  enum Finding: Sendable { case missed, changed }

  /// What came of the pages of a round.
  struct FetchedPage: Sendable {
    var fetched: [Fetched] = []
    var absent: [OrderHeadline] = []
    /// All orders that the pages show, new or not.
    var seen: [OrderID] = []
    /// Rows that tell no order, by their fingerprints.
    var unreadable: [Int64: [UInt8]] = [:]
    /// One of the pages could not be read whole.
    var isOfPieces = false
    /// Orders that were denied or cannot be read.
    var failed = 0
    /// Why some details are missing; the others are published all the same.
    var failure: SourceFailure?
  }

  func isStuckNoMore(_ id: OrderID) { stuck.withLock { $0[id] = nil } }

  /// Whether an order alone has failed in so many cycles, while others were answered, that it must not hold them up.
  func isStuck(_ id: OrderID) -> Bool {
    stuck.withLock { stuck in
      if stuck.count >= 10_000 { stuck.removeAll() }
      stuck[id, default: 0] += 1
      return stuck[id, default: 0] >= Self.mostFailures
    }
  }

  /// Parks orders that the list goes on showing and `order/info` denies: code 404 is no proof of absence
  /// (vendor-apis.md B.3).
  func park(denied: [OrderHeadline]) async throws(PollInterruption) {
    try await publish(denied.map { broken($0, "the list shows it and order/info denies it") })
  }

  /// - Parameter hash: the content's fingerprint, where it is known already.
  func fetched(_ order: SourceOrder, at now: BeijingTime, hash: Int64? = nil) -> Fetched {
    Fetched(
      envelope: Envelope(
        orderID: order.id, orderNumber: order.number, revision: 0, updateTime: order.updateTime,
        firstSeen: clock.epochMilliseconds(), content: .order(order.content)),
      revision: FetchedRevision(
        orderID: order.id, updateTime: order.updateTime, contentHash: hash ?? fingerprint(order.content)),
      mayStillChange: order.updateTime >= now, broken: nil)
  }

  /// An order whose details cannot be read: it must neither be lost nor hold up the others for ever.
  /// - Parameter answer: what OKKI answered; it is parked with the order, and in no log.
  func broken(
    _ headline: OrderHeadline, _ why: String, _ answer: String? = nil, isListedAsDeleted: Bool = false
  ) -> Fetched {
    // The fingerprint is of `why` alone: where another list shows the order as well, it is parked once.
    let place = isListedAsDeleted ? "order \(headline.id), which OKKI lists as deleted" : "order \(headline.id)"
    return Fetched(
      envelope: Envelope(
        orderID: headline.id, orderNumber: "", revision: 0, updateTime: headline.updateTime,
        firstSeen: clock.epochMilliseconds(), content: .order([])),
      revision: FetchedRevision(
        orderID: headline.id, updateTime: headline.updateTime, contentHash: fingerprint(why.utf8)),
      // Fetched again while the overlap shows it: what could not be read may be mended by then.
      mayStillChange: true,
      broken: Outcome.Burial(
        Reason(.orderMalformed, "\(place): OKKI's answer cannot be read: \(why)"),
        vendorAnswer: answer ?? ""))
  }
}
