import Mapping

/// How long an order waits for master data that may still arrive, such as the customer that somebody is just entering.
///
/// It waits in the delay queues, and no wait counts as an attempt: the pauses grow with the time that it has waited already.
/// Orders that lack the same record come back spread, as retries do.
public struct MasterDataWait: Sendable {
  /// Seconds after an order was first seen at which it is parked; 0 parks at once.
  public let seconds: Int
  /// The delay queues' seconds, growing.
  private let ladder: [Int]
  private let clock: PipelineClock

  /// A wait.
  public init(seconds: Int, ladder: [Int], clock: PipelineClock) {
    self.seconds = seconds
    self.ladder = ladder
    self.clock = clock
  }

  /// What only master data can mend, and mends without a change of the order or of a strategy.
  static let waited: Set<ReasonCode> = [.customerUnmapped, .lookupFailed]

  /// How long an order that failed so is to wait before it is mapped again; nil when it is to be parked: something else is
  /// wrong with it too, or the time is over.
  func pause(_ failures: MappingFailures, of envelope: Envelope) -> Int? {
    let codes = failures.failures.map { ReasonCode(rawValue: $0.code.rawValue) }
    guard !codes.isEmpty, codes.allSatisfy({ $0.map(Self.waited.contains) ?? false }) else { return nil }
    // A clock that went back makes the wait longer, never endless: it goes forward again.
    let age = Int(max(clock.epochMilliseconds() - envelope.firstSeen, 0) / 1_000)
    let left = seconds - age
    guard left > 0, let first = ladder.first else { return nil }
    return min(max(age, first), max(left, first))
  }
}
