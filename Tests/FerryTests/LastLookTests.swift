import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@testable import ferry

@Suite("The last answer to a question", .timeLimit(.minutes(1)))
struct LastLookTests {
  private let clock = ManualClock()
  private let start = ContinuousClock.now

  private var pipelineClock: PipelineClock {
    PipelineClock(
      now: { [clock, start] in start + clock.now.offset }, epochMilliseconds: { 1 },
      sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
  }

  @Test("it is known for a minute from its coming on, however long the question took")
  func dated() async {
    // As long as a pause before a connection, twice.
    let look = LastLook(clock: pipelineClock) { [clock] in
      clock.advance(by: .seconds(59))
      return 7
    }
    #expect(look.value == nil)
    await look.look()
    #expect(look.value == 7)
    clock.advance(by: .seconds(60))
    #expect(look.value == 7)
    clock.advance(by: .nanoseconds(1))
    #expect(look.value == nil)
  }

  @Test("a question that takes half a minute each time leaves no gap between two answers")
  func slow() async throws {
    let asked = Probe<Int>()
    let look = LastLook(clock: pipelineClock) { [clock] in
      asked.report(1)
      try? await clock.sleep(until: clock.now.advanced(by: .seconds(30)), tolerance: nil)
      return asked.events.count
    }
    let watching = Task { await look.watch() }
    for number in 1...4 {
      try await asked.wait { $0.count == number }
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(29))
      #expect(look.value == (number == 1 ? nil : number - 1))
      clock.advance(by: .seconds(1))
      try await clock.sleepers(atLeast: 1)
      #expect(look.value == number)
      clock.advance(by: .seconds(15))
    }
    watching.cancel()
    try await ended(watching)
  }
}
