import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

/// What of a page is fetched, and what that is for.
enum Reading: Sendable, Equatable {
  /// What is new, for a live stream.
  case live
  /// What is new, for a backfill.
  case filling
  /// Everything that the live stream has passed, to find what differs.
  case comparing(passed: BeijingTime?)
}

/// A slice of a window, read whole.
struct ReadSlice: Sendable {
  let window: TimeWindow
  /// Whether the watermark may follow to its end.
  let moves: Bool
  /// What was published of it, and what not.
  let findings: SweepFindings
}

extension Poller {
  /// Works on a plan until its next slice is read whole and its count stood still meanwhile.
  /// - Returns: nil when there is no slice left.
  func nextSlice(
    of work: inout WindowPlan, _ reading: Reading, _ query: (TimeWindow) -> OrderQuery
  ) async throws(PollInterruption) -> ReadSlice? {
    var findings = SweepFindings()
    var last = PageYield()
    while true {
      if Task.isShuttingDownGracefully || Task.isCancelled { throw .stopped }
      switch work.step {
      case .count(let slice): work.counted(try await count(of: query(slice)))
      case .read(let slice, let total):
        last = try await publishPages(of: query(slice), total: total, reading)
        findings.missed += last.missed
        findings.changed += last.changed
        work.hasRead(showing: last.seen)
      case .recount(let slice):
        work.counted(try await count(of: query(slice)))
        switch work.step {
        case .conclude, .count: continue
        case .read, .recount, .giveUp, .finished: break
        }
        drifts.increment()
        logger.log(
          .info, "Pages moved while they were read; the slice is read again",
          [.windowFrom: slice.from, .windowTo: slice.to, .attempt: work.passes])
      case .conclude(let slice, let moves):
        // Deleted orders would have left the count: these are still there.
        if !last.denied.isEmpty { try await park(denied: last.denied) }
        findings.read = last.read
        findings.failed = last.failed
        work.concluded()
        return ReadSlice(window: slice, moves: moves, findings: findings)
      case .giveUp: throw .drift
      case .finished: return nil
      }
    }
  }

  private func count(of slice: OrderQuery) async throws(PollInterruption) -> Int {
    try await page(1, of: slice, size: 1).total
  }

  func page(_ index: Int, of slice: OrderQuery, size: Int) async throws(PollInterruption) -> OrderPage {
    try await fromSource { () async throws(SourceFailure) in
      try await source.orders(slice, page: index, size: size)
    }
  }

  /// What came of the pages of a slice.
  struct PageYield: Sendable {
    /// Orders that the pages showed.
    var read: Int { seen.count }
    var seen: Set<OrderID> = []
    /// Orders that the list shows and `order/info` does not, and that are not published.
    var denied: [OrderHeadline] = []
    var missed = 0
    var changed = 0
    var failed = 0

    mutating func add(_ page: FetchedPage) {
      seen.formUnion(page.seen)
      denied += page.absent
      failed += page.failed
    }

    mutating func add(_ published: [Finding]) {
      missed += published.count { $0 == .missed }
      changed += published.count { $0 == .changed }
    }
  }

  /// Reads a slice's pages from the last to the first and publishes what is new.
  ///
  /// Pages are recomputed for every request, newest first: an order that is updated meanwhile leaves the window, and the
  /// ones behind it move forward, towards the pages that are still to be read (vendor-apis.md B.5.2).
  ///
  /// While a page's details are fetched the next page's list is asked for, and the page before it is published. Details are never
  /// fetched ahead: of an order that two pages show the later page would then hold the older content, and its higher number.
  private func publishPages(
    of slice: OrderQuery, total: Int, _ reading: Reading
  ) async throws(PollInterruption) -> PageYield {
    let pages = (total + plan.pageSize - 1) / plan.pageSize
    let outcome = await withTaskGroup(of: Result<[Finding], PollInterruption>.self) {
      group -> Result<PageYield, PollInterruption> in
      var interruption: PollInterruption?
      var yield = PageYield()
      var isPublishing = false
      var next = await listing(pages, of: slice, reading)
      for index in stride(from: pages, through: 1, by: -1) {
        if Task.isShuttingDownGracefully || Task.isCancelled { interruption = .stopped }
        if interruption != nil { break }
        let listed = next
        async let ahead = listing(index - 1, of: slice, reading)
        do throws(PollInterruption) {
          let page = try await fetch(listed?.get(), of: slice, reading)
          yield.add(page)
          if isPublishing, let before = await group.next() { yield.add(try before.get()) }
          group.addTask {
            do throws(PollInterruption) { return .success(try await self.publish(page.fetched)) } catch {
              return .failure(error)
            }
          }
          isPublishing = true
          if let failure = page.failure { throw .source(failure) }
          next = await ahead
        } catch { interruption = error }
      }
      for await last in group {
        switch last {
        case .success(let published): yield.add(published)
        case .failure(let failed): interruption = interruption ?? failed
        }
      }
      return interruption.map { .failure($0) } ?? .success(yield)
    }
    return try outcome.get()
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

  /// What came of one page.
  struct FetchedPage: Sendable {
    var fetched: [Fetched] = []
    var absent: [OrderHeadline] = []
    /// All orders that the page shows, new or not.
    var seen: [OrderID] = []
    /// Orders that were denied or cannot be read.
    var failed = 0
    /// Why some details are missing; the others are published all the same.
    var failure: SourceFailure?
  }

  /// A page of the list, and what of it is to be fetched.
  private struct Listing: Sendable {
    let page: OrderPage
    var unpublished: Set<OrderHeadline> = []
    var asked: [OrderHeadline] = []
  }

  /// Reads a page of the list; nil where there is none.
  private func listing(
    _ index: Int, of slice: OrderQuery, _ reading: Reading
  ) async -> Result<Listing, PollInterruption>? {
    guard index >= 1 else { return nil }
    do throws(PollInterruption) {
      var listing = Listing(page: try await page(index, of: slice, size: plan.pageSize))
      if case .removed = slice { return .success(listing) }
      let headlines = listing.page.headlines
      let new = try await fromLedger { () async throws(LedgerFailure) in
        try await ledger.unpublished(among: headlines)
      }
      listing.unpublished = Set(new)
      listing.asked =
        if case .comparing(let passed) = reading {
          try await carried(headlines, unpublished: listing.unpublished, passed)
        } else { new }
      return .success(listing)
    } catch { return .failure(error) }
  }

  private func fetch(
    _ listing: Listing?, of slice: OrderQuery, _ reading: Reading
  ) async throws(PollInterruption) -> FetchedPage {
    var result = FetchedPage()
    guard let listing else { return result }
    let (page, unpublished, asked) = (listing.page, listing.unpublished, listing.asked)
    if case .removed = slice { result = try await removals(among: page.headlines, until: page.now) }
    result.seen = page.headlines.map(\.id)
    if case .removed = slice { return result }
    if asked.isEmpty { return result }
    let details = await source.details(of: asked.map(\.id))
    result.fetched.reserveCapacity(asked.count)
    FaultPoint.reached(.pollPageFetched)
    if reading != .live { FaultPoint.reached(.pollSweepFetched) }
    let others = await othersAnswer(details, known: page.headlines, asked: asked, until: page.now)
    var lost: [OrderID] = []
    let hashes = fingerprints(of: details.map { (try? $0.get())?.content ?? [] })
    for ((headline, detail), hash) in zip(zip(asked, details), hashes) {
      // Of a published order that cannot be read any more the last content that could be read stays.
      let isNew = unpublished.contains(headline)
      switch detail {
      case .success(let order):
        stuck.withLock { $0[order.id] = nil }
        var item = fetched(order, at: page.now, hash: hash)
        item.finding = isNew ? .missed : order.updateTime == headline.updateTime ? .changed : nil
        result.fetched.append(item)
        continue
      // Denied or unreadable without another order that is shown: it may be all of `order/info` that fails, such as by a right
      // that was taken away (vendor-apis.md B.3), and no order's own matter.
      case .failure(.absent) where others:
        if isNew { result.absent.append(headline) }
      case .failure(.malformed(let why, let answer)) where others:
        if isNew { result.fetched.append(broken(headline, why, answer)) }
      case .failure(.transient(let why, let answer)) where others && isStuck(headline.id):
        if isNew { result.fetched.append(broken(headline, why, answer)) }
      case .failure(let failure):
        result.failure = failure.bare
        continue
      }
      result.failed += 1
      if !isNew { lost.append(headline.id) }
    }
    if let first = lost.first {
      logger.log(
        .warning, "Published orders cannot be read again; they stay as they are", [.count: lost.count, .order: first])
    }
    return result
  }

  /// What a reconciliation compares: not what is newer, for the live stream is about to read that itself, nor what is older
  /// than Ferry and was never begun with.
  private func carried(
    _ headlines: [OrderHeadline], unpublished: Set<OrderHeadline>, _ passed: BeijingTime?
  ) async throws(PollInterruption) -> [OrderHeadline] {
    guard let passed else { return [] }
    let old = headlines.filter { $0.updateTime < plan.since && unpublished.contains($0) }
    var strange = Set(old)
    if !old.isEmpty {
      strange.subtract(
        try await fromLedger { () async throws(LedgerFailure) in try await ledger.numbered(among: old) })
    }
    return headlines.filter { $0.updateTime <= passed && !strange.contains($0) }
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

  /// Publishes; what is larger than the broker takes is parked without its body or its longest headers, so that it holds up
  /// nobody.
  private func safe(_ parcels: inout [Parcel]) async -> [PublishResult] {
    var results = await outbox.publish(parcels)
    progress.mark()
    var places: [Int] = []
    for (place, result) in results.enumerated() {
      switch result {
      case .tooLarge(let why): parcels[place] = parcels[place].buried(for: .messageTooLarge, at: .transform, why)
      case .headersTooLarge(let why): parcels[place] = parcels[place].buried(for: .headersTooLarge, at: .transform, why)
      case .confirmed, .unknown, .refused: continue
      }
      places.append(place)
    }
    if places.isEmpty { return results }
    let again = await outbox.publish(places.map { parcels[$0] })
    progress.mark()
    for (place, result) in zip(places, again) { results[place] = result }
    return results
  }

  /// Numbers, publishes with confirms, then records. A crash in between publishes again and skips nothing.
  @discardableResult
  func publish(_ fetched: [Fetched]) async throws(PollInterruption) -> [Finding] {
    if fetched.isEmpty { return [] }
    let answers = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.number(fetched.map(\.revision))
    }
    if answers.contains(.overtaken) { throw .overtaken }
    FaultPoint.reached(.pollNumbered)
    // Frozen since: it would be known as overtaken only when it records.
    guard mayWork else { throw .overtaken }
    var parcels: [Parcel] = []
    var revisions: [PublishedRevision] = []
    var findings: [Finding?] = []
    for (item, answer) in zip(fetched, answers) {
      guard case .publish(let number) = answer else { continue }
      var envelope = item.envelope
      envelope.revision = number
      if let broken = item.broken {
        envelope.lastReason = broken.reason
        parcels.append(Parcel(to: .dead(.transform), .envelope(envelope), burial: broken))
      } else {
        let queue: QueueName = envelope.content == .removal ? .bills : .orders
        parcels.append(Parcel(to: .queue(queue), .envelope(envelope)))
      }
      revisions.append(
        PublishedRevision(orderID: envelope.orderID, number: number, mayStillChange: item.mayStillChange))
      findings.append(item.finding)
    }
    if parcels.isEmpty { return [] }
    var confirmed: [PublishedRevision] = []
    var parked: [(envelope: Envelope, reason: Reason)] = []
    var failure: String?
    let results = await safe(&parcels)
    for ((revision, parcel), result) in zip(zip(revisions, parcels), results) {
      switch result {
      case .confirmed:
        confirmed.append(revision)
        if let reason = parcel.burial?.reason, case .envelope(let envelope) = parcel.content {
          parked.append((envelope, reason))
        }
      case .unknown(let why), .refused(let why), .tooLarge(let why), .headersTooLarge(let why): failure = why
      }
    }
    FaultPoint.reached(.pollPublished)
    if parcels.contains(where: \.isRemoval) { FaultPoint.reached(.pollRemovalsPublished) }
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
      if removed > 0 { FaultPoint.reached(.pollRemovalsRecorded) }
    }
    if let failure { throw .broker(failure) }
    hasAnswered(.rabbitmq)
    return findings.compactMap { $0 }
  }
}
