import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

extension Poller {
  /// Reads a slice's pages from the last to the first and publishes what is new.
  ///
  /// Pages are recomputed for every request, newest first: an order that is updated meanwhile leaves the window, and the
  /// ones behind it move forward, towards the pages that are still to be read (vendor-apis.md B.5.2).
  /// - Returns: the orders that the pages have shown, and those of them that `order/info` denies.
  func publishPages(of slice: OrderQuery, total: Int) async throws(PollInterruption) -> Scan {
    let pages = (total + plan.pageSize - 1) / plan.pageSize
    // One page is fetched while the one before it is being published.
    let outcome = await withTaskGroup(of: PollInterruption?.self) {
      group -> Result<Scan, PollInterruption> in
      var interruption: PollInterruption?
      var scan = Scan()
      var isPublishing = false
      for index in stride(from: pages, through: 1, by: -1) {
        if Task.isShuttingDownGracefully || Task.isCancelled { interruption = .stopped }
        if interruption != nil { break }
        do throws(PollInterruption) {
          let page = try await fetch(index, of: slice)
          scan.absent += page.absent
          scan.seen.formUnion(page.seen)
          if isPublishing, let failed = await group.next() ?? nil { throw failed }
          group.addTask {
            do throws(PollInterruption) {
              try await self.publish(page.fetched)
              return nil
            } catch { return error }
          }
          isPublishing = true
          if let failure = page.failure { throw .source(failure) }
        } catch { interruption = error }
      }
      for await failed in group { interruption = interruption ?? failed }
      return interruption.map { .failure($0) } ?? .success(scan)
    }
    return try outcome.get()
  }

  /// What the pages of a slice have shown.
  struct Scan: Sendable {
    var seen: Set<OrderID> = []
    var absent: [OrderHeadline] = []
  }

  /// A revision on its way to the queue.
  struct Fetched: Sendable {
    var envelope: Envelope
    let revision: FetchedRevision
    let mayStillChange: Bool
    /// Why the order cannot be carried at all; it is parked with its headline alone.
    let broken: Reason?
  }

  /// What came of one page.
  struct FetchedPage: Sendable {
    var fetched: [Fetched] = []
    /// All orders that the page shows, new or not.
    var seen: [OrderID] = []
    var absent: [OrderHeadline] = []
    /// Why some details are missing; the others are published all the same.
    var failure: SourceFailure?
  }

  private func fetch(_ index: Int, of slice: OrderQuery) async throws(PollInterruption) -> FetchedPage {
    let page = try await page(index, of: slice, size: plan.pageSize)
    var result = FetchedPage()
    if case .removed = slice { result = try await removals(among: page.headlines) }
    result.seen = page.headlines.map(\.id)
    if case .removed = slice { return result }
    let new = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.unpublished(among: page.headlines)
    }
    if new.isEmpty { return result }
    let details = await source.details(of: new.map(\.id))
    result.fetched.reserveCapacity(new.count)
    FaultPoint.reached(.pollPageFetched)
    let othersAnswer = await othersAnswer(details, known: page.headlines, new: new)
    for (headline, detail) in zip(new, details) {
      switch detail {
      case .success(let order):
        stuck.withLock { $0[order.id] = nil }
        result.fetched.append(self.fetched(order, at: page.now))
      case .failure(.absent): result.absent.append(headline)
      case .failure(.malformed(let why)): result.fetched.append(broken(headline, why))
      case .failure(.transient(let why)) where othersAnswer && isStuck(headline.id):
        result.fetched.append(broken(headline, why))
      case .failure(let failure): result.failure = failure
      }
    }
    return result
  }

  /// Whether OKKI shows other orders while some fail. Where all new ones fail, one that was published before is asked for:
  /// an outage of `order/info` must not be taken for a fault of the orders.
  private func othersAnswer(
    _ details: [Result<SourceOrder, SourceFailure>], known: [OrderHeadline], new: [OrderHeadline]
  ) async -> Bool {
    func isAnswered(_ detail: Result<SourceOrder, SourceFailure>) -> Bool {
      if case .success = detail { true } else { false }
    }
    if details.contains(where: isAnswered) { return true }
    let asked = Set(new.map(\.id))
    guard let control = known.first(where: { !asked.contains($0.id) }) else { return false }
    return await source.details(of: [control.id]).contains(where: isAnswered)
  }

  /// Whether an order alone has failed in so many cycles, while others were answered, that it must not hold them up.
  private func isStuck(_ id: OrderID) -> Bool {
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

  private func fetched(_ order: SourceOrder, at now: BeijingTime) -> Fetched {
    Fetched(
      envelope: Envelope(
        orderID: order.id, orderNumber: order.number, revision: 0, updateTime: order.updateTime,
        firstSeen: clock.epochMilliseconds(), content: .order(order.content)),
      revision: FetchedRevision(
        orderID: order.id, updateTime: order.updateTime, contentHash: fingerprint(order.content)),
      mayStillChange: order.updateTime >= now, broken: nil)
  }

  /// An order whose details cannot be read: it must neither be lost nor hold up the others for ever.
  private func broken(_ headline: OrderHeadline, _ why: String) -> Fetched {
    Fetched(
      envelope: Envelope(
        orderID: headline.id, orderNumber: "", revision: 0, updateTime: headline.updateTime,
        firstSeen: clock.epochMilliseconds(), content: .order([])),
      revision: FetchedRevision(
        orderID: headline.id, updateTime: headline.updateTime, contentHash: fingerprint(why.utf8)),
      // Fetched again while the overlap shows it: what could not be read may be mended by then.
      mayStillChange: true,
      broken: Reason(.orderMalformed, "order \(headline.id): OKKI's answer cannot be read: \(why)"))
  }

  /// Numbers, publishes with confirms, then records. A crash in between publishes again and skips nothing.
  private func publish(_ fetched: [Fetched]) async throws(PollInterruption) {
    if fetched.isEmpty { return }
    let answers = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.number(fetched.map(\.revision))
    }
    if answers.contains(.overtaken) { throw .overtaken }
    FaultPoint.reached(.pollNumbered)
    var parcels: [Parcel] = []
    var revisions: [PublishedRevision] = []
    for (item, answer) in zip(fetched, answers) {
      guard case .publish(let number) = answer else { continue }
      var envelope = item.envelope
      envelope.revision = number
      if let broken = item.broken {
        envelope.lastReason = broken
        parcels.append(Parcel(to: .dead(.transform), .envelope(envelope), burial: Outcome.Burial(broken)))
      } else {
        let queue: QueueName = envelope.content == .removal ? .bills : .orders
        parcels.append(Parcel(to: .queue(queue), .envelope(envelope)))
      }
      revisions.append(
        PublishedRevision(orderID: envelope.orderID, number: number, mayStillChange: item.mayStillChange))
    }
    if parcels.isEmpty { return }
    var confirmed: [PublishedRevision] = []
    var parked: [(envelope: Envelope, reason: Reason)] = []
    var failure: String?
    let results = await outbox.publish(parcels)
    for ((revision, parcel), result) in zip(zip(revisions, parcels), results) {
      switch result {
      case .confirmed:
        confirmed.append(revision)
        if let reason = parcel.burial?.reason, case .envelope(let envelope) = parcel.content {
          parked.append((envelope, reason))
        }
      case .unknown(let why), .refused(let why): failure = why
      }
    }
    FaultPoint.reached(.pollPublished)
    for (envelope, reason) in parked {
      metrics.countDeadLetter(reason.code, at: .transform)
      logger.parked(reason, of: envelope, at: .transform)
    }
    let done = confirmed
    if !done.isEmpty {
      let isRecorded = try await fromLedger { () async throws(LedgerFailure) in try await ledger.record(done) }
      guard isRecorded else { throw .overtaken }
      FaultPoint.reached(.pollRecorded)
      let removed = zip(parcels, results).count { $0.isRemoval && $1 == .confirmed }
      removals.increment(by: removed)
      polled.increment(by: done.count - removed)
    }
    if let failure { throw .broker(failure) }
    hasAnswered(.rabbitmq)
  }
}
