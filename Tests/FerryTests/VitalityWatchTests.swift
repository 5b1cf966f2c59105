import Logging
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import ferry

@Suite("The watch over a worker", .timeLimit(.minutes(1)))
struct VitalityWatchTests {
  private let clock = ManualClock()
  /// What the worker shows; the last one counts.
  private let shown = Probe<WorkerActivity>()
  private let ends = Probe<Int32>()
  private let lines = Probe<String>()

  /// Looks so many times; gives the health after each.
  private func health(_ looks: Int, ready: Int?, _ change: (Int) -> Void = { _ in }) async throws -> [Bool] {
    let start = ContinuousClock.now
    let pipelineClock = PipelineClock(
      now: { [clock] in start + clock.now.offset }, epochMilliseconds: { 1 },
      sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
    let watch = VitalityWatch(
      "load", longestBatch: .seconds(600), clock: pipelineClock, logger: recording(lines),
      activity: { [shown] in shown.events.last ?? WorkerActivity(isHeldBack: false, taken: 0, oldestBatch: nil) },
      ready: { ready }, end: { [ends] in ends.report($0) })
    let watching = Task { await watch.watch() }
    var health: [Bool] = []
    for look in 0..<looks {
      try await clock.sleepers(atLeast: 1)
      change(look)
      clock.advance(by: .seconds(15))
      try await clock.sleepers(atLeast: 1)
      health.append(watch.isAlive)
    }
    watching.cancel()
    try await ended(watching)
    return health
  }

  @Test("a worker that gets nothing from a full queue is told by its health, and then the process ends with 70")
  func wedged() async throws {
    #expect(try await health(6, ready: 9) == [true, true, true, true, true, false])
    #expect(ends.events == [])
    #expect(lines.events.contains { $0.contains("Up, but not consuming") })
  }

  @Test("the look after the first trouble ends the process")
  func endsProcess() async throws {
    #expect(try await health(7, ready: 9).last == false)
    #expect(ends.events == [70])
  }

  @Test("a worker that takes something again is healthy again, and goes on")
  func back() async throws {
    let health = try await health(8, ready: 9) { look in
      if look == 6 { shown.report(WorkerActivity(isHeldBack: false, taken: 1, oldestBatch: nil)) }
    }
    #expect(health.suffix(3) == [false, true, true])
    #expect(ends.events == [])
  }

  @Test("an outage of the broker or of a partner ends nobody", arguments: [nil, 9])
  func outage(_ ready: Int?) async throws {
    if ready != nil { shown.report(WorkerActivity(isHeldBack: true, taken: 0, oldestBatch: nil)) }
    #expect(try await health(20, ready: ready).allSatisfy { $0 })
    #expect(ends.events == [])
  }
}
