import Logging
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import ferry

@Suite("Collections that strategies look in", .timeLimit(.minutes(2)))
struct FilledCollectionsTests {
  @Test("one that nobody filled is told with its remedy and what may be meant; the poller fills customers")
  func warnings() {
    func told(_ asked: Set<String>, _ filled: [String] = []) -> [String] {
      FilledCollections.warnings(asked: asked, filled: filled)
    }
    let nothing = "holds no record, so its lookups find nothing"
    #expect(told([]).isEmpty && told(["customers"]).isEmpty && told(["units", "customers"], ["units"]).isEmpty)
    #expect(told(["units"]) == ["The collection «units» \(nothing). Fill it: ferry collection put units FILE."])
    #expect(
      told(["materail", "customer"], ["material"]) == [
        "The collection «customer» \(nothing); is «customers» meant? Fill it: ferry collection put customer FILE.",
        "The collection «materail» \(nothing); is «material» meant? Fill it: ferry collection put materail FILE.",
      ])
    #expect(
      told(["单位"]) == ["The collection «单位» \(nothing). No collection can have that name: correct the strategy."])
  }

  @Test("they are told in the log once, as soon as PostgreSQL can be asked, and never when it is not asked for any")
  func told() async throws {
    let (lines, sleeps, questions) = (Probe<String>(), Probe<Duration>(), Probe<Void>())
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 0 }, sleep: { sleeps.report($0) })
    func tell(_ asked: Set<String>) async {
      await FilledCollections.tell(
        of: asked,
        filled: { () async throws(LedgerFailure) in
          questions.report(())
          if questions.events.count <= 2 { throw .unavailable("away") }
          return ["materials"]
        }, clock: clock, logger: recording(lines))
    }
    await tell([])
    #expect(questions.events.isEmpty)
    await tell(["units", "materials", "customers"])
    #expect(questions.events.count == 3 && sleeps.events == [.seconds(5), .seconds(5)])
    #expect(
      lines.events == [
        "warning The collection «units» holds no record, so its lookups find nothing. Fill it: ferry collection put units FILE."
      ])
  }

  @Test("who waits for PostgreSQL to tell them stops when the program does")
  func stopped() async throws {
    let sleeps = Probe<Duration>()
    let lines = Probe<String>()
    let clock = PipelineClock(
      now: { .now }, epochMilliseconds: { 0 },
      sleep: { duration in
        sleeps.report(duration)
        // The program is told to stop during the second pause.
        if sleeps.events.count == 2 { withUnsafeCurrentTask { task in task?.cancel() } }
      })
    let telling = Task {
      await FilledCollections.tell(
        of: ["units"], filled: { () async throws(LedgerFailure) in throw .unavailable("away") }, clock: clock,
        logger: recording(lines))
    }
    try await ended(telling)
    #expect(sleeps.events.count == 2 && lines.events.isEmpty)
  }

  @Test(
    "a collection's name has letters, digits and - _ . alone",
    arguments: [
      ("customers", true), ("9f1f2c6e-0d2a-3a51-8f5e-1a2b3c4d5e6f", true), ("A_b.1", true), ("", false), ("a b", false),
      ("名", false), ("a/b", false), ("é", false),
    ])
  func names(name: String, isGood: Bool) {
    #expect(CollectionName.isValid(name) == isGood)
    #expect(CollectionName.isValid(String(repeating: "a", count: 100)))
    #expect(!CollectionName.isValid(String(repeating: "a", count: 101)))
  }
}
