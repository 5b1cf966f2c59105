import CoreMetrics
import Logging
import Orders
import Synchronization

/// Until when a cycle reads.
struct PollEnd: Sendable {
  /// The end of every window: OKKI's clock less the lag.
  let time: BeijingTime
  /// When OKKI told its clock.
  let heard: ContinuousClock.Instant
}

/// Where a stream's next window begins.
struct PollStart: Sendable, Equatable {
  /// The watermark as the ledger has it; nil before the first cycle.
  let watermark: BeijingTime?
  /// Everything up to here was read, by OKKI's clock of now; nil before the first cycle.
  let passed: BeijingTime?
  /// OKKI's clock has gone back since the watermark was moved.
  var isBack: Bool { passed != watermark }
}

extension Poller {
  /// Where a stream goes on.
  ///
  /// OKKI's clock closes the windows, and one of its machines may tell a wrong one. A watermark that such a clock moved too far
  /// would hide all that changes until the right one has come that far, also where nobody asked meanwhile. The ledger
  /// knows how long ago it was moved: by OKKI's clock of now no more can have been read than up to that moment. Where the
  /// watermark lies behind it by more than the lag, which is what clocks may differ by, the window begins at that moment,
  /// and the watermark goes back with its first slice.
  ///
  /// Should the ledger's clock be wrong, more is read again than needed, up to a week, or no less than without it.
  /// - Parameter first: the window never begins before this, unless the watermark does.
  func start(
    of stream: PollStream, until end: PollEnd, since first: BeijingTime
  ) async throws(PollInterruption) -> PollStart {
    let position = try await fromLedger { () async throws(LedgerFailure) in try await ledger.position(of: stream) }
    guard let position else { return PollStart(watermark: nil, passed: nil) }
    let watermark = position.watermark
    // The age is of now, and OKKI told its clock before.
    let age = max(position.age - (clock.now() - end.heard).components.seconds, 0)
    let earliest = min(watermark, end.time).advanced(bySeconds: -Self.mostBack)
    let moment = max(end.time.advanced(bySeconds: -age), min(watermark, first), earliest)
    let ahead = watermark.epochSeconds - moment.epochSeconds
    // Whole seconds alone make up to three.
    if ahead <= Int64(max(plan.lagSeconds, 3)) { return PollStart(watermark: watermark, passed: watermark) }
    let isNew = toldBack.withLock { told in
      defer { told[stream] = watermark }
      return told[stream] != watermark
    }
    if isNew {
      clockSteps.increment()
      logger.log(
        .warning,
        "OKKI's clock went back, or PostgreSQL's on; what changed since the watermark was moved is read again",
        [.watermark: watermark, .windowFrom: moment, .seconds: ahead])
    }
    return PollStart(watermark: watermark, passed: moment)
  }

  /// Seconds: a database host that starts with next year's date must not have all orders read again before new ones.
  private static let mostBack: Int64 = 7 * 86_400
}
