import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

/// What of a page is fetched, and what that is for.
enum Reading: Sendable, Equatable {
  /// What is new, for a live stream.
  case live
  /// All that a live stream has, be it published: OKKI's clock was wrong when it was read, so whether an order could still
  /// change within its second was not known.
  case again
  /// What is new, for a backfill.
  case filling
  /// Everything that the live stream has passed, to find what differs.
  case comparing(passed: BeijingTime?)

  var isSweep: Bool {
    switch self {
    case .live, .again: false
    case .filling, .comparing: true
    }
  }
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
      case .count(let slice):
        last = PageYield()
        work.counted(try await count(of: query(slice)))
      case .read(let slice, let total):
        var yield = try await publishPages(of: query(slice), total: total, reading)
        findings.missed += yield.missed
        findings.changed += yield.changed
        // With the count unchanged a pass may leave out what the one before it showed (vendor-apis.md B.5.2).
        if last.total == total { yield.keep(last) }
        yield.total = total
        last = yield
        work.hasRead(showing: last.seen, unreadable: last.unreadable.count, inPieces: last.isOfPieces)
      case .recount(let slice):
        let count = try await count(of: query(slice))
        // What was denied may be what has left.
        if count != last.total { last = PageYield() }
        work.counted(count)
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
        try await park(unreadable: last.unreadable, isSweep: reading.isSweep)
        findings.read = last.read + last.unreadable.count
        findings.failed = last.failed + last.unreadable.count
        work.concluded()
        return ReadSlice(window: slice, moves: moves, findings: findings)
      case .giveUp: throw .drift
      case .finished: return nil
      }
    }
  }

  /// Reads a slice's pages from the last to the first and publishes what is new.
  ///
  /// Pages are recomputed for every request, newest first: an order that is updated meanwhile leaves the window, and the
  /// ones behind it move forward, towards the pages that are still to be read (vendor-apis.md B.5.2).
  ///
  /// Several pages make a round. While a round's details are fetched the next one's pages are listed, and the round before
  /// it is published. Details are never fetched ahead: of an order that two rounds show the later one would then hold the
  /// older content, and its higher number.
  private func publishPages(
    of slice: OrderQuery, total: Int, _ reading: Reading
  ) async throws(PollInterruption) -> PageYield {
    let pages = (total + plan.pageSize - 1) / plan.pageSize
    let outcome = await withTaskGroup(of: Result<[Finding], PollInterruption>.self) {
      group -> Result<PageYield, PollInterruption> in
      var interruption: PollInterruption?
      var missing: PollInterruption?
      var yield = PageYield()
      var isPublishing = false
      // Twice as many pages from round to round: what orders weigh may be another thing than it was.
      var most = 1
      var next = await listing(from: pages, of: slice, reading, 1)
      while let listed = next {
        if Task.isShuttingDownGracefully || Task.isCancelled { interruption = .stopped }
        if interruption != nil { break }
        let rest = (try? listed.get().rest) ?? 0
        let pages = min(most * 2, RoundSize.mostOrders)
        most = pages
        let failure = (try? listed.get())?.failure
        async let ahead = listing(from: rest, of: slice, reading, pages, failure)
        do throws(PollInterruption) {
          let listing = try listed.get()
          let round = try await fetch(listing, of: slice, reading)
          yield.add(round)
          if isPublishing, let before = await group.next() { yield.add(try before.get()) }
          group.addTask {
            do throws(PollInterruption) { return .success(try await self.publish(round.fetched)) } catch {
              return .failure(error)
            }
          }
          isPublishing = true
          if let failure = round.failure {
            guard case .removed = slice, failure.isOfOne else { throw .source(failure) }
            // Deletions stand each for itself: one that OKKI does not tell holds up none on newer pages.
            missing = missing ?? .source(failure)
          }
          next = await ahead
        } catch { interruption = error }
      }
      for await last in group {
        switch last {
        case .success(let published): yield.add(published)
        case .failure(let failed): interruption = interruption ?? failed
        }
      }
      return (interruption ?? missing).map { .failure($0) } ?? .success(yield)
    }
    return try outcome.get()
  }

  /// The orders that a round's pages show, each once, and which of them are to be fetched.
  private struct Listing: Sendable {
    var headlines: [OrderHeadline] = []
    var unreadable: [Int64: [UInt8]] = [:]
    /// One of its pages could not be read whole.
    var isOfPieces = false
    /// The vendor's clock when it answered the first of the pages.
    var now: BeijingTime
    /// Pages of the slice that are still to be listed.
    var rest = 0
    /// Why the first of those cannot be.
    var failure: PollInterruption?
    var unpublished: Set<OrderHeadline> = []
    var asked: [OrderHeadline] = []
  }

  /// Lists a round: pages from this one on, towards the first, so many at most; nil where there is none.
  /// - Parameter failure: why the first of them is known not to be listed.
  private func listing(
    from last: Int, of slice: OrderQuery, _ reading: Reading, _ most: Int, _ failure: PollInterruption? = nil
  ) async -> Result<Listing, PollInterruption>? {
    guard last >= 1 else { return nil }
    if let failure { return .failure(failure) }
    do throws(PollInterruption) {
      var listing = try await pages(from: last, of: slice, most)
      if !listing.unreadable.isEmpty, listing.headlines.isEmpty { try await checkList(like: slice, until: listing.now) }
      if case .removed = slice { return .success(listing) }
      let headlines = listing.headlines
      let new = try await fromLedger { () async throws(LedgerFailure) in
        try await ledger.unpublished(among: headlines)
      }
      listing.unpublished = Set(new)
      listing.asked =
        switch reading {
        case .comparing(let passed): try await carried(headlines, unpublished: listing.unpublished, passed)
        case .again: headlines
        case .live, .filling: new
        }
      return .success(listing)
    } catch { return .failure(error) }
  }

  private func pages(from last: Int, of slice: OrderQuery, _ most: Int) async throws(PollInterruption) -> Listing {
    let first = try await page(last, of: slice, size: plan.pageSize)
    var listing = Listing(now: first.now, rest: last - 1)
    var places: [OrderID: Int] = [:]
    var shown = first
    // Deleted orders are few, and each page of them is looked at by itself.
    let most = if case .removed = slice { 1 } else { min(most, roundSize.withLock { $0.pages(of: plan.pageSize) }) }
    while true {
      if shown.isOfPieces { listing.isOfPieces = true }
      listing.unreadable.merge(Self.keyed(shown.unreadable)) { now, _ in now }
      for headline in shown.headlines {
        if let place = places[headline.id] {
          listing.headlines[place] = headline
        } else {
          places[headline.id] = listing.headlines.count
          listing.headlines.append(headline)
        }
      }
      guard listing.rest > 0, last - listing.rest < most else { return listing }
      if Task.isShuttingDownGracefully || Task.isCancelled { return listing }
      // One that cannot be listed begins the next round, and ends the cycle if it fails again; this round is published.
      do throws(PollInterruption) { shown = try await page(listing.rest, of: slice, size: plan.pageSize) } catch {
        // One that was taken apart has been asked for often enough.
        if case .source(.unframed) = error { listing.failure = error }
        return listing
      }
      listing.rest -= 1
    }
  }

  private func fetch(
    _ listing: Listing, of slice: OrderQuery, _ reading: Reading
  ) async throws(PollInterruption) -> FetchedPage {
    let (unpublished, asked) = (listing.unpublished, listing.asked)
    var result = FetchedPage()
    if case .removed = slice { result = try await removals(among: listing.headlines, until: listing.now) }
    result.seen = listing.headlines.map(\.id)
    result.unreadable = listing.unreadable
    result.isOfPieces = listing.isOfPieces
    if case .removed = slice { return result }
    if listing.headlines.count > asked.count { alreadyPublished.increment(by: listing.headlines.count - asked.count) }
    if asked.isEmpty { return result }
    let details = await source.details(of: asked.map(\.id))
    result.fetched.reserveCapacity(asked.count)
    roundSize.withLock { $0.hasFetched(details) }
    FaultPoint.reached(.pollPageFetched)
    if reading.isSweep { FaultPoint.reached(.pollSweepFetched) }
    let others = await othersAnswer(details, known: listing.headlines, asked: asked, until: listing.now)
    var lost: [OrderID] = []
    let hashes = fingerprints(of: details.map { (try? $0.get())?.content ?? [] })
    for ((headline, detail), hash) in zip(zip(asked, details), hashes) {
      // Of a published order that cannot be read any more the last content that could be read stays.
      let isNew = unpublished.contains(headline)
      switch detail {
      case .success(let order):
        stuck.withLock { $0[order.id] = nil }
        var item = fetched(order, at: listing.now, hash: hash)
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
}
