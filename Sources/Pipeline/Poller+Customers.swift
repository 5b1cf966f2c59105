import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

/// A list of customers that did not stand still or has not shown all yet, kept from cycle to cycle.
struct CustomerScan: Sendable {
  /// The watermark that it goes on from.
  let watermark: BeijingTime?
  /// What is changed after its end leaves it, and nobody enters it, so that its count tells. At first it begins with the
  /// calendar.
  let window: TimeWindow
  /// Where the watermark goes once all were shown.
  let end: BeijingTime
  /// How many the list has.
  var total = 0
  /// Fingerprints of the ids that pages have shown since the count last changed.
  var shown: Set<Int64> = []
  /// It is not read before.
  var due: ContinuousClock.Instant
}

extension Poller {
  /// Stores the customers that changed since the watermark, all of them at first.
  ///
  /// Until the count stays from the first page that is read to the last one and the pages have shown as many. A list that
  /// keeps changing, or whose pages show some twice and leave others out, must not hold up the orders, which may well need
  /// none of what is missing: it is told, the watermark stays, and the list is read again, one pass a cycle, until all of it
  /// was shown. It takes a fifth of the time at most by then, and what changed after its end is stored beside it.
  func readCustomers(until pollEnd: PollEnd) async throws(PollInterruption) {
    let end = pollEnd.time
    let origin = try await self.start(of: .customers, until: pollEnd, since: BeijingTime(epochSeconds: 0))
    let watermark = origin.watermark
    let begin = origin.passed?.advanced(bySeconds: -Int64(plan.overlapSeconds)) ?? BeijingTime(epochSeconds: 0)
    // One that ends after OKKI's now was begun by a wrong clock, and one that begins after what is to be read again passes it.
    let kept = customerScan.withLock { $0 }.flatMap { scan in
      scan.watermark == watermark && scan.end <= end && scan.window.from <= begin ? scan : nil
    }
    let start = clock.now()
    if let kept, start < kept.due { return }
    guard let window = TimeWindow(from: begin, to: end) else { return }
    let whole = watermark == nil && kept == nil ? try await customers(1, of: nil) : nil
    var scan = CustomerScan(watermark: watermark, window: window, end: end, due: start)
    // One of which nothing counts that was shown is begun anew.
    if let kept, !kept.shown.isEmpty { scan = kept }
    guard try await storeCustomers(&scan, passes: kept == nil ? max(plan.maxPasses, 1) : 1, whole) else {
      if end > scan.end, let newer = TimeWindow(from: scan.end, to: end) {
        _ = try await storePages(of: newer, try await customers(1, of: newer))
      }
      let now = clock.now()
      scan.due = now + (now - start) * 4
      if scan.shown.count > Self.mostShown { scan.shown = [] }
      customerScan.withLock { [scan] in $0 = scan }
      customerDrifts.increment()
      logger.log(
        level: kept == nil ? .warning : .debug,
        "The customers' list kept changing while it was read; orders go on, and it is read again in the next cycle")
      return
    }
    customerScan.withLock { $0 = nil }
    if let watermark, scan.end <= watermark, !origin.isBack { return }
    let moved = try await fromLedger { [end = scan.end] () async throws(LedgerFailure) in
      try await ledger.advance(.customers, from: watermark, to: end)
    }
    guard moved else { throw .overtaken }
  }

  /// - Parameter whole: the first page of all customers, asked for just now, where the window is to hold them all. Nobody enters the
  ///   window, so that with as many in it none is outside. One outside, without a time of change, is in no window ever: then
  ///   the pages of all are stored too.
  /// - Returns: false when no pass, of as many as there may be, has shown all.
  private func storeCustomers(
    _ scan: inout CustomerScan, passes: Int, _ whole: CustomerPage?
  ) async throws(PollInterruption) -> Bool {
    for pass in 1...passes {
      let first = try await customers(1, of: scan.window)
      scan.count(first.total)
      if pass == 1, let whole, whole.total != first.total { _ = try await storePages(of: nil, whole) }
      let (shown, total) = try await storePages(of: scan.window, first)
      scan.shown.formUnion(shown)
      // With the count unchanged a page may have shown again what another one has, and left one out.
      if total == scan.total, scan.shown.count >= total { return true }
      scan.count(total)
    }
    return false
  }

  /// Stores all pages, each of which is asked for once: the first one, then the others from the last one on.
  /// - Parameter first: the first page, which tells how many customers there are, and how many OKKI puts on a page: it may
  ///   have cut our number down without a word (vendor-apis.md B-5). Where it was put together, its largest piece tells that.
  /// - Returns: fingerprints of the ids that were shown, and how many customers there were by the last page that was read.
  private func storePages(
    of window: TimeWindow?, _ first: CustomerPage
  ) async throws(PollInterruption) -> (shown: Set<Int64>, total: Int) {
    if first.records.isEmpty, !first.unreadable.isEmpty {
      // Where no page's first rows can be read it is the list that has another shape.
      guard window != nil, try await !customers(1, of: nil).records.isEmpty else {
        throw .source(.malformed("no row of OKKI's customer list can be read"))
      }
    }
    let rows = first.mostAtOnce ?? first.rows
    let isCut = rows < min(first.total, Self.customersPage)
    let size = isCut ? max(rows, Self.fewestOnPage) : Self.customersPage
    var shown: Set<Int64> = []
    try await store(first, &shown)
    var total = first.total
    for index in stride(from: (first.total + size - 1) / size, to: 1, by: -1) {
      if Task.isShuttingDownGracefully || Task.isCancelled { throw .stopped }
      let page = try await customers(index, of: window, size: size)
      try await store(page, &shown)
      total = page.total
    }
    return (shown, total)
  }

  func store(_ page: CustomerPage, _ shown: inout Set<Int64>) async throws(PollInterruption) {
    tell(unreadableCustomers: page.unreadable)
    for (key, row) in Self.keyed(page.unreadable) {
      // Which one it is nobody knows: each of a pass counts, and all passes together no more than one pass.
      var key = key
      if row == Self.largeCustomer || row.count < Self.shortestRow { while shown.contains(key) { key &+= 1 } }
      shown.insert(key)
    }
    if page.records.isEmpty { return }
    let isStored = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.store(customers: page.records)
    }
    guard isStored else { throw .overtaken }
    FaultPoint.reached(.pollCustomersStored)
    for record in page.records { shown.insert(fingerprint(record.id.utf8)) }
  }

  /// A page with fewer has lost some, or the list would take too many questions.
  private static let fewestOnPage = 10
  /// More are not kept from cycle to cycle; 16 to 32 MB.
  private static let mostShown = 1_000_000
}

extension CustomerScan {
  /// The list has so many now. With another count than before, what was shown may have left it.
  fileprivate mutating func count(_ total: Int) {
    if total != self.total { shown = [] }
    self.total = total
  }
}
