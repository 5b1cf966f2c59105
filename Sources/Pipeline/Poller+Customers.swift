import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

extension Poller {
  /// Stores the customers that changed since the watermark, all of them at first.
  ///
  /// As with orders: from the last page to the first, until the count stays and the pages have shown as many. A list that
  /// keeps changing must not hold up the orders, which may well need none of what is missing: it is told, the watermark stays,
  /// and the next cycle reads it again, once only until it has stood still.
  func readCustomers(until end: BeijingTime) async throws(PollInterruption) {
    let watermark = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.watermark(of: .customers)
    }
    var window: TimeWindow?
    if let watermark {
      window = TimeWindow(from: watermark.advanced(bySeconds: -Int64(plan.overlapSeconds)), to: end)
      if window == nil { return }
    }
    guard try await storeCustomers(in: window) else {
      customerDrifts.increment()
      let isNew = isCustomersDrifting.withLock { was in
        defer { was = true }
        return !was
      }
      logger.log(
        level: isNew ? .warning : .debug,
        "The customers' list kept changing while it was read; orders go on, and it is read again in the next cycle")
      return
    }
    isCustomersDrifting.withLock { $0 = false }
    if let watermark, end <= watermark { return }
    let moved = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.advance(.customers, from: watermark, to: end)
    }
    guard moved else { throw .overtaken }
  }

  /// - Returns: false when no pass, of as many as there may be, has shown all.
  private func storeCustomers(in window: TimeWindow?) async throws(PollInterruption) -> Bool {
    let passes = isCustomersDrifting.withLock { $0 } ? 1 : max(plan.maxPasses, 1)
    var shown: Set<String> = []
    var total = try await customers(1, of: window).total
    for _ in 1...passes {
      for index in stride(from: (total + Self.customersPage - 1) / Self.customersPage, through: 1, by: -1) {
        if Task.isShuttingDownGracefully || Task.isCancelled { throw .stopped }
        let page = try await customers(index, of: window)
        if page.records.isEmpty { continue }
        let isStored = try await fromLedger { () async throws(LedgerFailure) in
          try await ledger.store(customers: page.records)
        }
        guard isStored else { throw .overtaken }
        FaultPoint.reached(.pollCustomersStored)
        for record in page.records { shown.insert(record.id) }
      }
      let after = try await customers(1, of: window).total
      // With the count unchanged a page may have shown again what another one has, and left one out.
      if after == total, total <= Self.customersPage || shown.count >= total { return true }
      if after != total { shown = [] }
      total = after
    }
    return false
  }

  private static let customersPage = 500

  private func customers(_ index: Int, of window: TimeWindow?) async throws(PollInterruption) -> CustomerPage {
    try await fromSource { () async throws(SourceFailure) in
      try await source.customers(updatedIn: window, page: index, size: Self.customersPage)
    }
  }
}
