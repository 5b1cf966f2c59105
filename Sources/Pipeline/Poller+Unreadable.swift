import CoreMetrics
import Logging
import Orders
import Synchronization

/// A row as one of those who read lists sees it.
struct Look: Hashable, Sendable {
  /// Its fingerprint.
  let row: Int64
  let isSweep: Bool
}

extension Poller {
  /// Parks rows of a list that do not tell which order they are of, as they came: the watermark is about to pass them, and
  /// somebody must look. A row is parked once by each process, and only when it was unreadable in so many cycles as an
  /// order's details must be: one of OKKI's machines may answer unreadably for a while.
  /// - Parameter isSweep: whether a sweep asks: its looks are no cycles.
  func park(unreadable rows: [Int64: [UInt8]], isSweep: Bool) async throws(PollInterruption) {
    let new = toldRows.withLock { told in rows.filter { !told.contains($0.key) } }
    if new.isEmpty { return }
    let looks = new.keys.map { Look(row: $0, isSweep: isSweep) }
    guard looks.map(isStuck(row:)).allSatisfy({ $0 }) else { throw .source(.malformed(Self.unreadableRow)) }
    guard mayWork else { throw .overtaken }
    let burial = Outcome.Burial(Reason(.orderMalformed, "a row of OKKI's list of orders does not tell its order"))
    var parcels = new.map { Parcel(to: .dead(.transform), .unreadable($0.value), burial: burial) }
    let results = await safe(&parcels)
    var failure: String?
    for (row, result) in zip(new.keys, results) {
      switch result {
      case .confirmed:
        told(row)
        unreadableOrders.increment()
        metrics.countDeadLetter(burial.reason.code, at: .transform)
        logger.parked(burial.reason, of: nil, at: .transform)
      case .unknown(let why), .refused(let why), .tooLarge(let why), .headersTooLarge(let why): failure = why
      }
    }
    if let failure { throw .broker(failure) }
  }

  /// Tells of customers that cannot be read, each once. Who of them is missing, or stays as he was, no order can hide: it
  /// waits for a customer who is missing.
  func tell(unreadableCustomers rows: [[UInt8]]) {
    for key in Self.keyed(rows).keys {
      if toldRows.withLock({ $0.contains(key) }) { continue }
      told(key)
      unreadableCustomers.increment()
      logger.warning("A row of OKKI's list of customers cannot be read; the others can")
    }
  }

  private static let unreadableRow = "rows of OKKI's list of orders do not tell their orders; they are looked at again"

  private func isStuck(row: Look) -> Bool {
    stuckRows.withLock { stuck in
      if stuck.count >= 10_000 { stuck.removeAll() }
      stuck[row, default: 0] += 1
      return stuck[row, default: 0] >= Self.mostFailures
    }
  }

  /// Whether another order's row could come with the same bytes, `null` or what is left of an answer: it shows no number of an
  /// order, or next to nothing. Known by its text alone, the second one would pass for the first, and for told.
  static func isBare(_ row: [UInt8]) -> Bool {
    if row.count < shortestRow { return true }
    return !row.ranges(of: Array("order_id\"".utf8)).contains { name in
      row[name.upperBound...].first { !" \":\t\r\n".utf8.contains($0) }.map { 49...57 ~= $0 } ?? false
    }
  }

  /// No order's or customer's row is as short.
  static let shortestRow = 40

  /// A page's rows by their fingerprints; each of several that are alike by itself.
  static func keyed(_ rows: [[UInt8]]) -> [Int64: [UInt8]] {
    var keyed: [Int64: [UInt8]] = [:]
    for row in rows {
      var key = fingerprint(row)
      while keyed[key] != nil { key &+= 1 }
      keyed[key] = row
    }
    return keyed
  }

  /// A page of which no row can be read says nothing of its rows where no page can be read: then the list has another shape
  /// than ever, and nothing of it may be passed over.
  /// - Parameter slice: which list it is: deleted orders may look different.
  func checkList(like slice: OrderQuery, until now: BeijingTime) async throws(PollInterruption) {
    if try await hasReadableOrder(like: slice, until: now) { return }
    throw .source(.malformed("no row of OKKI's list of orders tells its order"))
  }

  private func told(_ row: Int64) {
    toldRows.withLock { told in
      if told.count >= 10_000 { told.removeAll() }
      told.insert(row)
    }
  }
}
