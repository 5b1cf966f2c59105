import CoreMetrics
import Logging
import Orders

extension Poller {
  /// Orders that are read anew in one cycle at most: the live streams must not wait for them for long.
  static let mostRefetches = 100

  /// Reads orders anew that somebody asked for, publishes them, and ends what was asked for only then.
  ///
  /// What the ledger knew of their contents was forgotten, so each gets a new number once, however often a crash repeats
  /// this: until it is recorded the number stays, and a later stage that has seen it knows it.
  /// - Parameter now: the vendor's now, not later than the first answer.
  func readAnew(at now: BeijingTime) async throws(PollInterruption) {
    let asked = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.refetches(limit: Self.mostRefetches)
    }
    guard let asked else { throw .overtaken }
    if asked.isEmpty { return }
    let details = await source.details(of: asked.map(\.order))
    // Where all fail, it may be `order/info` that does: nobody's order is to be parked for that.
    let others = await othersAnswer(
      details, known: [], asked: asked.map(\.headline), since: BeijingTime(epochSeconds: 0), until: now)
    var read: [Fetched] = []
    var done: [Refetch] = []
    var failure: SourceFailure?
    for (refetch, detail) in zip(asked, details) {
      switch detail {
      case .success(let order): read.append(fetched(order, at: now))
      case .failure(.absent) where others:
        read.append(broken(refetch.headline, "it was to be read anew, and order/info denies it"))
      case .failure(.malformed(let why, let answer)) where others: read.append(broken(refetch.headline, why, answer))
      case .failure(.transient(let why, let answer)) where others && isStuck(refetch.order):
        read.append(broken(refetch.headline, why, answer))
      case .failure(let other):
        failure = other.bare
        continue
      }
      done.append(refetch)
    }
    for refetch in done { isStuckNoMore(refetch.order) }
    try await publish(read)
    let ended = try await fromLedger { () async throws(LedgerFailure) in try await ledger.endRefetches(done) }
    guard ended else { throw .overtaken }
    refetched.increment(by: done.count)
    if !done.isEmpty { logger.log(.info, "Orders were read anew from OKKI", [.count: done.count]) }
    guard let failure else { return }
    // The others stay asked for, behind those that were not tried yet.
    switch failure {
    case .transient, .absent, .malformed, .unframed:
      logger.log(
        .warning, "Orders that are to be read anew could not be; the next cycle tries them again",
        [.count: asked.count - done.count, .failure: PollInterruption.source(failure)])
    case .throttled, .unauthorized: throw .source(failure)
    }
  }
}

extension Refetch {
  /// As a list would show it; no list told its time.
  fileprivate var headline: OrderHeadline { OrderHeadline(id: order, updateTime: BeijingTime(epochSeconds: 0)) }
}

extension Result<SourceOrder, SourceFailure> {
  /// Whether OKKI showed the order.
  var isAnswered: Bool { if case .success = self { true } else { false } }
}
