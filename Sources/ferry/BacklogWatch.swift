import Pipeline
import Telemetry

/// What waits in the ledger and in the broker's queues, told by the process that polls: by it alone, so that the sum over all
/// processes is right. It is left out of `/metrics` by whoever does not lead, also by who led until now, and while it is not known.
final class BacklogWatch: Sendable {
  /// How long a process that does not lead waits until it looks whether it does.
  static let standBy = Duration.seconds(5)

  private let clock: PipelineClock
  private let leads: @Sendable () -> Bool
  private let rest: @Sendable () async -> Void
  private let letters: LastLook<[WaitingLetters]>
  private let doubts: LastLook<Int64>
  private let lengths: LastLook<[String: Int]>

  /// - Parameters:
  ///   - leads: whether this process polls now, by its own clock.
  ///   - rest: is told when it does not: nothing more is asked.
  init(
    clock: PipelineClock, leads: @escaping @Sendable () -> Bool,
    letters: @escaping @Sendable () async throws(LedgerFailure) -> [WaitingLetters],
    doubts: @escaping @Sendable () async throws(LedgerFailure) -> Int64,
    lengths: @escaping @Sendable () async -> [String: Int], rest: @escaping @Sendable () async -> Void = {}
  ) {
    self.clock = clock
    self.leads = leads
    self.rest = rest
    self.letters = LastLook(clock: clock) {
      do throws(LedgerFailure) { return try await letters() } catch { return nil }
    }
    self.doubts = LastLook(clock: clock) {
      do throws(LedgerFailure) { return try await doubts() } catch { return nil }
    }
    self.lengths = LastLook(clock: clock) {
      let found = await lengths()
      return found.isEmpty ? nil : found
    }
  }

  /// Adds the series.
  /// - Parameter queues: the queues' names, as `lengths` tells them.
  func observe(in registry: MetricsRegistry, queues: [String]) {
    registry.observe("ferry_open_doubts") { self.known(self.doubts).map { Double($0) } }
    for queue in queues {
      registry.observe("ferry_queue_messages", labels: [("queue", queue)]) {
        self.known(self.lengths)?[queue].map { Double($0) }
      }
    }
    for stage in StageName.allCases {
      registry.observe("ferry_oldest_dead_letter_seconds", labels: [("stage", stage.rawValue)]) { self.oldest(stage) }
      for reason in Self.reasons {
        registry.observe("ferry_dead_letters_waiting", labels: [("stage", stage.rawValue), ("reason", reason)]) {
          self.known(self.letters).map { letters in
            Double(letters.reduce(0) { $0 + ($1.stage == stage && Self.label($1.reason) == reason ? $1.count : 0) })
          }
        }
      }
    }
  }

  /// Looks once.
  func look() async {
    await letters.look()
    await doubts.look()
    await lengths.look()
  }

  /// Looks every 15 s while this process leads, until the task is cancelled. One that gets no answer holds up no other.
  func watch() async {
    async let first: Void = watch(letters)
    async let second: Void = watch(doubts)
    await watch(lengths, rest)
    await first
    await second
  }

  private func watch<Value>(_ look: LastLook<Value>, _ rest: @Sendable () async -> Void = {}) async {
    while !Task.isCancelled {
      let isLeader = leads()
      if isLeader {
        await look.look()
      } else {
        look.forget()
        await rest()
      }
      if !Task.isCancelled { await clock.sleep(isLeader ? LastLook<Value>.pause : Self.standBy) }
    }
  }

  private func known<Value>(_ look: LastLook<Value>) -> Value? { leads() ? look.value : nil }

  /// Seconds; 0 when none waits.
  private func oldest(_ stage: StageName) -> Double? {
    guard let letters = known(letters) else { return nil }
    guard let oldest = letters.filter({ $0.stage == stage }).map(\.oldest).min() else { return 0 }
    return Double(max(clock.epochMilliseconds() - oldest, 0)) / 1_000
  }

  /// A letter's reason may be any text, where the message was not Ferry's: a label is one of a few.
  private static let reasons = ReasonCode.allCases.map(\.rawValue) + ["rejected", "other"]
  private static let known = Set(reasons)
  private static func label(_ reason: String) -> String { known.contains(reason) ? reason : "other" }
}
