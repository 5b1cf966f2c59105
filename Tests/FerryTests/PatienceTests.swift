import Pipeline
import Synchronization
import Testing

@testable import ferry

@Suite("ferry migrate --wait", .timeLimit(.minutes(2)))
struct PatienceTests {
  private struct Away: Error, CustomStringConvertible {
    let description: String
  }

  /// What a run told, with a clock that goes on when it is slept on.
  private struct Told {
    var reported: [String] = []
    var waitedFor: [String] = []
    var attempts = 0
    var problems: [any Error] = []
  }

  private func told(seconds: Int, _ attempt: (Int) -> (done: [String], problems: [any Error])) async -> Told {
    let now = Mutex(ContinuousClock.now)
    let clock = PipelineClock(
      now: { now.withLock { $0 } }, epochMilliseconds: { 0 },
      sleep: { length in now.withLock { $0 = $0.advanced(by: length) } })
    var told = Told()
    var attempts = 0
    var reported: [String] = []
    var waitedFor: [String] = []
    told.problems = await Patience(seconds: seconds, clock: clock).problems(
      report: { reported.append($0) }, tell: { waitedFor.append($0) },
      attempt: {
        attempts += 1
        return attempt(attempts)
      })
    (told.attempts, told.reported, told.waitedFor) = (attempts, reported, waitedFor)
    return told
  }

  @Test("servers that come are waited for, and each thing is told once")
  func comes() async {
    let run = await told(seconds: 60) { attempt in
      (["PostgreSQL: done"], attempt < 5 ? [Away(description: "RabbitMQ is away")] : [])
    }
    #expect(run.attempts == 5)
    #expect(run.problems.isEmpty)
    #expect(run.reported == ["PostgreSQL: done"])
    #expect(run.waitedFor == ["Waiting: RabbitMQ is away"])
  }

  @Test("what stays away is a problem when the time is over; without --wait at once", arguments: [0, 3])
  func stays(seconds: Int) async {
    let run = await told(seconds: seconds) { _ in ([], [Away(description: "PostgreSQL is away")]) }
    #expect(run.attempts == seconds + 1)
    #expect(run.problems.count == 1)
    #expect(run.waitedFor.count == (seconds == 0 ? 0 : 1))
  }

  @Test("what a person must mend is not waited for, whoever else is away")
  func mend() async {
    let refusal = SetupProblem("RabbitMQ refuses the login.", remedy: "Correct it.")
    let run = await told(seconds: 60) { _ in ([], [Away(description: "PostgreSQL is away"), refusal]) }
    #expect(run.attempts == 1)
    #expect(run.problems.count == 2)
    #expect(run.waitedFor.isEmpty)
  }
}
