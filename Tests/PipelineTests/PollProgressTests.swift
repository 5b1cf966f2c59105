import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@Suite("Whether an elected poller works", .timeLimit(.minutes(1)))
struct PollProgressTests {
  private let clock = ManualClock()
  private let time: PipelineClock
  private let source = MemoryOrderSource(now: noon)
  private let books: MemoryPollLedger.Books
  private let outbox: MemoryOutbox

  init() {
    time = pipelineClock(clock)
    books = MemoryPollLedger.Books(clock: clock)
    outbox = MemoryOutbox(MemoryBroker(clock: clock))
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
  }

  private func poller(_ ledger: any PollLedger) -> Poller {
    Poller(
      source: source, ledger: ledger, outbox: outbox, plan: PollPlan(since: noon.advanced(bySeconds: -3600)),
      clock: time, logger: silent)
  }

  /// Looks at a running poller every 15 s for so long, as its watch does; the seconds after which there was trouble.
  private func troubles(_ poller: Poller, sleepers: Int, seconds: Int) async throws -> [Int] {
    var vitality = Vitality(longestBatch: .seconds(180))
    var troubles: [Int] = []
    for second in stride(from: 5, through: seconds, by: 5) {
      try await clock.sleepers(atLeast: sleepers)
      clock.advance(by: .seconds(5))
      try await clock.sleepers(atLeast: sleepers)
      if second % 15 == 0, vitality.note(poller.progress.activity, ready: nil, at: time.now()) != nil {
        troubles.append(second)
      }
    }
    return troubles
  }

  @Test("one that waits for an answer for ever is stuck, though its lease is renewed")
  func stuck() async throws {
    let clock = clock
    let hanging = AlteredPollLedger(
      MemoryPollLedger(books), beforeNumbering: { try? await clock.sleep(for: .seconds(36_000)) })
    let poller = poller(hanging)
    let running = Task { await poller.run() }
    let troubles = try await troubles(poller, sleepers: leaderSleepers, seconds: 240)
    #expect(try await !MemoryPollLedger(books).lead())
    #expect(troubles == [195, 210, 225, 240])
    running.cancel()
    try await ended(running)
  }

  @Test("one that waits for its next cycle works; so does one that OKKI or the broker answers badly")
  func works() async throws {
    let poller = poller(MemoryPollLedger(books))
    outbox.fail { _ in .refused("the queue is full") }
    let running = Task { await poller.run() }
    #expect(try await troubles(poller, sleepers: leaderSleepers, seconds: 300) == [])
    #expect(poller.progress.activity.taken > 20 && !poller.progress.activity.isHeldBack)
    outbox.fail(nil)
    #expect(try await troubles(poller, sleepers: leaderSleepers, seconds: 600) == [])
    running.cancel()
    try await ended(running)
    #expect(poller.progress.activity.isHeldBack)
  }

  @Test("one that stands by is not stuck, however long")
  func standby() async throws {
    let leader = MemoryPollLedger(books)
    let poller = poller(MemoryPollLedger(books))
    #expect(try await leader.lead())
    let running = Task { await poller.run() }
    for _ in 1...60 {
      try await clock.sleepers(atLeast: 1)
      #expect(try await leader.lead())
      clock.advance(by: .seconds(10))
      let activity = poller.progress.activity
      #expect(activity.isHeldBack && activity.oldestBatch == nil)
    }
    running.cancel()
    try await ended(running)
  }
}
