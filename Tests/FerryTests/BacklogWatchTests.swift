import Pipeline
import PipelineTesting
import Synchronization
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("What waits, as the poller tells it", .timeLimit(.minutes(1)))
struct BacklogWatchTests {
  private let clock = ManualClock()
  private let start = ContinuousClock.now
  private let registry = MetricsRegistry()
  private let leads = Switch(true)
  private let isAway = Switch(false)
  private let rests = Probe<Int>()
  private let looks = Probe<Int>()

  private final class Switch: Sendable {
    let isOn: Mutex<Bool>
    init(_ isOn: Bool) { self.isOn = Mutex(isOn) }
  }

  private var pipelineClock: PipelineClock {
    PipelineClock(
      now: { [clock, start] in start + clock.now.offset },
      epochMilliseconds: { [clock] in 1_000_000 + clock.seconds * 1_000 },
      sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
  }

  private let letters = [
    WaitingLetters(stage: .load, reason: "k3_rejected", count: 3, oldest: 940_000),
    WaitingLetters(stage: .load, reason: "conflict", count: 1, oldest: 999_000),
    WaitingLetters(stage: .transform, reason: "somebody's \"words\"\n", count: 2, oldest: 999_500),
    WaitingLetters(stage: .transform, reason: "elsewhere", count: 5, oldest: 1_500_000),
  ]

  private func watch() -> BacklogWatch {
    let watch = BacklogWatch(
      clock: pipelineClock, leads: { [leads] in leads.isOn.withLock { $0 } },
      letters: { [letters, isAway] () async throws(LedgerFailure) in
        if isAway.isOn.withLock({ $0 }) { throw .unavailable("gone") }
        return letters
      },
      doubts: { [isAway] () async throws(LedgerFailure) in
        if isAway.isOn.withLock({ $0 }) { throw .unavailable("gone") }
        return 4
      },
      lengths: { [isAway, looks] in
        looks.report(1)
        return isAway.isOn.withLock { $0 } ? [:] : ["orders": 7, "orders.dead": 0]
      }, rest: { [rests] in rests.report(1) })
    watch.observe(in: registry, queues: ["orders", "orders.dead", "bills"])
    return watch
  }

  private var samples: Set<String> {
    Set(registry.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }.map { String($0) })
  }

  @Test("the leader tells letters by stage and known reason, the oldest's age as it goes on, doubts and queues")
  func leader() async {
    let watch = watch()
    #expect(samples == [])
    await watch.look()
    #expect(
      samples.isSuperset(of: [
        #"ferry_dead_letters_waiting{reason="k3_rejected",stage="load"} 3"#,
        #"ferry_dead_letters_waiting{reason="conflict",stage="load"} 1"#,
        #"ferry_dead_letters_waiting{reason="k3_rejected",stage="transform"} 0"#,
        #"ferry_dead_letters_waiting{reason="other",stage="transform"} 7"#,
        #"ferry_oldest_dead_letter_seconds{stage="load"} 60"#, "ferry_open_doubts 4",
        #"ferry_queue_messages{queue="orders"} 7"#, #"ferry_queue_messages{queue="orders.dead"} 0"#,
      ]), "\(samples)")
    // What the broker did not tell is not known.
    #expect(!samples.contains { $0.contains(#"queue="bills""#) })
    clock.advance(by: .seconds(20))
    #expect(samples.contains(#"ferry_oldest_dead_letter_seconds{stage="load"} 80"#))
    // Parked by a machine whose clock is ahead.
    #expect(samples.contains(#"ferry_oldest_dead_letter_seconds{stage="transform"} 20.5"#))
  }

  @Test("a process that has ceased to lead tells nothing from that moment on, and nothing old when it leads again")
  func ceased() async throws {
    let watch = watch()
    let watching = Task { await watch.watch() }
    try await clock.sleepers(atLeast: 3)
    #expect(samples.contains("ferry_open_doubts 4"))
    leads.isOn.withLock { $0 = false }
    #expect(samples == [])
    // It hears of it at its next look, and lets the broker's connection go.
    clock.advance(by: .seconds(15))
    try await clock.sleepers(atLeast: 3)
    #expect(rests.events.count == 1)
    leads.isOn.withLock { $0 = true }
    #expect(samples == [])
    clock.advance(by: BacklogWatch.standBy)
    try await clock.sleepers(atLeast: 3)
    #expect(samples.contains("ferry_open_doubts 4"))
    watching.cancel()
    try await ended(watching)
  }

  @Test("what is not answered any more is told as it was for a minute, then left out; answers are told again at once")
  func away() async throws {
    let watch = watch()
    let watching = Task { await watch.watch() }
    try await clock.sleepers(atLeast: 3)
    isAway.isOn.withLock { $0 = true }
    for step in 1...5 {
      clock.advance(by: .seconds(15))
      try await clock.sleepers(atLeast: 3)
      #expect(samples.contains("ferry_open_doubts 4") == (step <= 4), "\(step)")
      #expect(samples.contains(#"ferry_queue_messages{queue="orders"} 7"#) == (step <= 4), "\(step)")
    }
    #expect(samples == [])
    #expect(looks.events.count == 6)
    isAway.isOn.withLock { $0 = false }
    clock.advance(by: .seconds(15))
    try await clock.sleepers(atLeast: 3)
    #expect(samples.contains("ferry_open_doubts 4"))
    watching.cancel()
    try await ended(watching)
  }

  @Test("who does not lead asks nobody")
  func standsBy() async throws {
    leads.isOn.withLock { $0 = false }
    let watch = watch()
    let watching = Task { await watch.watch() }
    for _ in 1...3 {
      try await clock.sleepers(atLeast: 3)
      clock.advance(by: BacklogWatch.standBy)
    }
    try await clock.sleepers(atLeast: 3)
    #expect(looks.events == [] && samples == [])
    watching.cancel()
    try await ended(watching)
  }
}
