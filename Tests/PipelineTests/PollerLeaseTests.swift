import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

/// Who sleeps on the clock while the elected poller waits for its next cycle: it itself, the renewals of its lease, and
/// the watch over the lease's end. Within a cycle there are two.
let leaderSleepers = 3

@Suite("The poller's lease", .timeLimit(.minutes(1)))
struct PollerLeaseTests {
  private let clock = ManualClock()
  private let source = MemoryOrderSource(now: noon)
  private let books: MemoryPollLedger.Books
  private let broker: MemoryBroker
  private let inner: MemoryPollLedger
  private let other: MemoryPollLedger

  init() {
    books = MemoryPollLedger.Books(clock: clock)
    broker = MemoryBroker(clock: clock)
    inner = MemoryPollLedger(books)
    other = MemoryPollLedger(books)
    source.put(id: 1, number: "SO1", updated: noon.advanced(bySeconds: -60))
  }

  private func poller(_ ledger: any PollLedger) -> Poller {
    Poller(
      source: source, ledger: ledger, outbox: MemoryOutbox(broker),
      plan: PollPlan(since: noon.advanced(bySeconds: -3600)), clock: pipelineClock(clock), logger: silent)
  }

  @Test("it is renewed while a cycle takes long, and between cycles")
  func renewed() async throws {
    let clock = clock
    let slow = AlteredPollLedger(inner, beforeNumbering: { try? await clock.sleep(for: .seconds(60)) })
    let running = Task { await poller(slow).run() }
    for round in 1...12 {
      try await clock.sleepers(atLeast: leaderSleepers)
      #expect(try await !other.lead(), "\(round * 5) s into the cycle")
      clock.advance(by: .seconds(5))
    }
    // A minute from one cycle to the next.
    for round in 1...11 {
      try await clock.sleepers(atLeast: leaderSleepers)
      #expect(broker.count(in: .orders) == 1)
      #expect(try await !other.lead(), "\(round * 5) s after the cycle")
      clock.advance(by: .seconds(5))
    }
    running.cancel()
    try await ended(running)
    #expect(try await other.lead())
  }

  @Test("a leader that cannot renew it stops working before it is over")
  func cutOff() async throws {
    let clock = clock
    let slow = AlteredPollLedger(inner, beforeNumbering: { try? await clock.sleep(for: .seconds(3600)) })
    let running = Task { () -> PollInterruption? in
      do throws(PollInterruption) { try await poller(slow).once() } catch { return error }
      return nil
    }
    try await clock.sleepers(atLeast: leaderSleepers)
    inner.fail(.unavailable("connection refused"))
    // One renewal is due after 5 s; from then on one is tried each second.
    for _ in 1...5 {
      clock.advance(by: .seconds(1))
      try await clock.sleepers(atLeast: leaderSleepers)
    }
    clock.advance(by: .seconds(5))
    let ending = try await ended(running)
    #expect(ending == .ledger(.unavailable("the poller's lease could not be renewed in time")))
    #expect(broker.count(in: .orders) == 0)
    inner.fail(nil)
  }

  @Test("a leader that is frozen until it is over does not publish what it had numbered")
  func frozen() async throws {
    let (clock, other) = (clock, other)
    let elected = Probe<Bool>()
    let slow = AlteredPollLedger(
      inner,
      afterNumbering: {
        clock.advance(by: .seconds(PollLease.seconds))
        elected.report((try? await other.lead()) == true)
      })
    await #expect(throws: PollInterruption.self) { try await poller(slow).once() }
    #expect(elected.events == [true])
    #expect(broker.count(in: .orders) == 0)
    #expect(try await inner.watermark(of: .orders) == nil)
    #expect(try await poller(other).once())
    #expect(broker.count(in: .orders) == 1)
  }
}
