import Logging
import Orders

extension Poller {
  /// What is to be published of a page of the list of deleted orders.
  ///
  /// Each is asked for by itself before it is told to be deleted: an OKKI that does not know `removed` or the time of
  /// deletion would show orders that are alive, and K/3's bills of those must not be cancelled (vendor-apis.md B-6).
  func removals(among headlines: [OrderHeadline]) async throws(PollInterruption) -> FetchedPage {
    let new = try await fromLedger { () async throws(LedgerFailure) in try await ledger.unremoved(among: headlines) }
    if new.isEmpty { return FetchedPage() }
    var result = FetchedPage()
    var alive: [OrderID] = []
    for (headline, detail) in zip(new, await source.details(of: new.map(\.id))) {
      switch detail {
      case .success: alive.append(headline.id)
      case .failure(.absent), .failure(.malformed): result.fetched.append(removed(headline))
      case .failure(let failure): result.failure = failure
      }
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

extension Parcel {
  /// Whether it tells that an order is deleted.
  var isRemoval: Bool {
    guard case .envelope(let envelope) = content else { return false }
    return envelope.content == .removal
  }
}
