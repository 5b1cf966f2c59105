import Pipeline
import PipelineTesting
import Testing

@Suite("Whether a worker that is up works")
struct VitalityTests {
  private let start = ContinuousClock.now

  /// What a look shows.
  private struct Look {
    var at: Int
    var ready: Int? = 5
    var taken = 0
    var heldBack = false
    /// When the oldest batch under way was taken.
    var batch: Int?
  }

  private func troubles(_ looks: [Look], longest: Int = 600) -> [Vitality.Trouble?] {
    var vitality = Vitality(longestBatch: .seconds(longest))
    return looks.map { look in
      let activity = WorkerActivity(
        isHeldBack: look.heldBack, taken: look.taken, oldestBatch: look.batch.map { start + .seconds($0) })
      return vitality.note(activity, ready: look.ready, at: start + .seconds(look.at))
    }
  }

  private func looks(_ count: Int, _ change: (inout Look) -> Void = { _ in }) -> [Look] {
    (0..<count).map { place in
      var look = Look(at: place * 15)
      change(&look)
      return look
    }
  }

  @Test("messages that are ready and not delivered for a minute are trouble, and no trouble when one comes")
  func notConsuming() {
    let wedged: Vitality.Trouble = .notConsuming(ready: 5)
    #expect(troubles(looks(7)) == [nil, nil, nil, nil, nil, wedged, wedged])
    #expect(troubles(looks(7) + [Look(at: 105, taken: 1)]).last == .some(nil))
    #expect(troubles(looks(9) { $0.taken = $0.at / 45 }).allSatisfy { $0 == nil })
  }

  @Test("an empty queue, an unknown length, a partner that is away and a batch under way are no trouble")
  func quiet() {
    #expect(troubles(looks(20) { $0.ready = 0 }).allSatisfy { $0 == nil })
    #expect(troubles(looks(20) { $0.ready = nil }).allSatisfy { $0 == nil })
    #expect(troubles(looks(20) { $0.heldBack = true }).allSatisfy { $0 == nil })
    #expect(troubles(looks(20) { $0.batch = 0 }).allSatisfy { $0 == nil })
  }

  @Test("a minute counts from the end of an outage")
  func afterOutage() {
    let looks = looks(10) { $0.heldBack = $0.at < 60 }
    let found = troubles(looks)
    #expect(found.prefix(8).allSatisfy { $0 == nil })
    #expect(found.suffix(2) == [.notConsuming(ready: 5), .notConsuming(ready: 5)])
  }

  @Test("a batch that takes longer than any can is trouble; what it waited for in an outage does not count")
  func stuck() {
    let long = looks(50) { $0.batch = 0 }
    #expect(troubles(long).firstIndex(of: .stuck) == 41)
    let outage = looks(50) { ($0.batch, $0.heldBack) = (0, $0.at <= 300) }
    #expect(troubles(outage).allSatisfy { $0 == nil })
  }
}
