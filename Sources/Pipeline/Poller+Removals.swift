import Logging
import Orders

extension Poller {
  /// What is to be published of a page of the list of deleted orders.
  ///
  /// Each is asked for by itself before it is told to be deleted: an OKKI that does not know `removed` or the time of
  /// deletion would show orders that are alive, and K/3's bills of those must not be cancelled (vendor-apis.md B-6). Nor is
  /// one told that is denied while no other order is shown: then it is `order/info` that fails, such as by a right that was
  /// taken away (B.3). One that cannot be read may be alive, and somebody has to look.
  func removals(
    among headlines: [OrderHeadline], until now: BeijingTime
  ) async throws(PollInterruption) -> FetchedPage {
    let new = try await fromLedger { () async throws(LedgerFailure) in try await ledger.unremoved(among: headlines) }
    if new.isEmpty { return FetchedPage() }
    var result = FetchedPage()
    var alive: [OrderID] = []
    let details = await source.details(of: new.map(\.id))
    // What else this page shows is deleted, too, or may be; and of late there may be no other order.
    let others = await othersAnswer(
      details, known: [], asked: new, since: BeijingTime(epochSeconds: 0), until: now)
    for (headline, detail) in zip(new, details) {
      switch detail {
      case .success: alive.append(headline.id)
      case .failure(.absent) where others: result.fetched.append(removed(headline))
      case .failure(.malformed(let why, let answer)) where others:
        result.fetched.append(broken(headline, why, answer, isListedAsDeleted: true))
      // Newer pages come after this one.
      case .failure(.transient(let why, let answer)) where others && isStuck(headline.id):
        result.fetched.append(broken(headline, why, answer, isListedAsDeleted: true))
      case .failure(let failure):
        result.failure = failure.bare
        continue
      }
      if detail.isTold { isStuckNoMore(headline.id) }
    }
    if !result.fetched.isEmpty { FaultPoint.reached(.pollRemovalsFetched) }
    if let first = alive.first {
      logger.log(
        .warning, "OKKI lists orders as deleted and shows them all the same; they are not taken for deleted",
        [.count: alive.count, .order: first])
    }
    return result
  }

  private func removed(_ headline: OrderHeadline) -> Fetched {
    Fetched(
      envelope: Envelope(
        orderID: headline.id, orderNumber: "", revision: 0, updateTime: headline.updateTime,
        firstSeen: clock.epochMilliseconds(), content: .removal),
      revision: .removal(of: headline.id), mayStillChange: false, broken: nil)
  }
}

extension Result<SourceOrder, SourceFailure> {
  /// Whether OKKI has said whether there is such an order.
  fileprivate var isTold: Bool {
    switch self {
    case .success, .failure(.absent): true
    case .failure: false
    }
  }
}

extension Parcel {
  /// Whether it tells that an order is deleted.
  var isRemoval: Bool {
    guard case .envelope(let envelope) = content else { return false }
    return envelope.content == .removal
  }
}
