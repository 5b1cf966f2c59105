import Orders

extension Poller {
  /// Whether OKKI shows other orders while some fail. Where all that were asked for fail, another one is asked for: an
  /// outage of `order/info` must not be taken for a fault of the orders.
  /// - Parameters:
  ///   - known: orders that may be asked for instead of the newest ones.
  ///   - since: how far back others are looked for; nil: as far as the plan goes.
  func othersAnswer(
    _ details: [Result<SourceOrder, SourceFailure>], known: [OrderHeadline], asked: [OrderHeadline],
    since: BeijingTime? = nil, until now: BeijingTime
  ) async -> Bool {
    if details.contains(where: \.isAnswered) { return true }
    let ids = Set(asked.map(\.id))
    var controls = known
    if controls.allSatisfy({ ids.contains($0.id) }) {
      // Everything that the page shows is asked for, so another order is looked for elsewhere.
      guard let all = TimeWindow(from: since ?? plan.since, to: now) else { return false }
      controls = await newest(.updated(all), besides: ids)
    }
    let control = controls.lazy.map(\.id).filter { !ids.contains($0) }.prefix(5)
    if control.isEmpty { return false }
    return await source.details(of: Array(control)).contains(where: \.isAnswered)
  }

  /// A few of the newest orders that are not among these, as far as OKKI lists them now.
  ///
  /// No page is larger than the plan's: OKKI may have no larger ones (vendor-apis.md B-5), and a page that is cut cannot be
  /// read. One page more than hold what is asked for shows another order, unless there is none.
  func newest(_ query: OrderQuery, besides ids: Set<OrderID>) async -> [OrderHeadline] {
    var others: [OrderHeadline] = []
    for index in 1...min(ids.count / max(plan.pageSize, 1) + 2, Self.mostControlPages) {
      let page = try? await page(index, of: query, size: plan.pageSize, places: false)
      guard let page else { break }
      others += page.headlines.filter { !ids.contains($0.id) }
      if others.count >= 5 || page.headlines.count + page.unreadable.count < plan.pageSize { break }
    }
    return others
  }

  private static let mostControlPages = 12
}
