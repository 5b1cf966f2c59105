import Orders
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@testable import Pipeline

@Suite("Worker among others, while K/3 is away", .timeLimit(.minutes(1)))
struct WorkerBreakerTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let inbox: WatchedInbox
  private let breakers: MemoryPartnerBreakers
  private let refused = Reason(.k3Unavailable, "connection refused")

  init() {
    broker = MemoryBroker(clock: clock)
    inbox = WatchedInbox(MemoryInbox(broker, stage: .load))
    breakers = MemoryPartnerBreakers { [clock] in clock.seconds * 1_000_000 }
  }

  private func worker(_ stage: ScriptedStage) -> Worker {
    Worker(
      stage: stage, inbox: inbox, outbox: MemoryOutbox(broker), policy: RetryPolicy(ladder: [10], maxAttempts: 3),
      shape: WorkerShape(batchSize: 1, concurrentBatches: 2), clock: pipelineClock(clock), logger: silent,
      breakers: breakers)
  }

  private func enqueue(_ id: Int64) async {
    _ = await MemoryOutbox(broker).publish([Parcel(to: .queue(.bills), .envelope(.bill(id)))])
  }

  /// Lets a second pass; comes back when so many sleep again.
  private func second(sleepers: Int) async throws {
    clock.advance(by: .seconds(1))
    try await clock.sleepers(atLeast: sleepers)
  }

  @Test("an outage that another process saw stops it within a second, and it goes on when another one finds K/3 back")
  func hears() async throws {
    let stage = ScriptedStage(.load) { _ in .done(.written) }
    stage.isAnswering.withLock { $0 = true }
    let worker = worker(stage)
    let running = Task { await worker.run() }
    try await clock.sleepers(atLeast: 1)
    try await breakers.open(.k3, refused)
    #expect(try await breakers.probe(.k3, as: 99, seconds: 8) == .granted)
    try await second(sleepers: 1)
    #expect(worker.absences == [Absence(.k3)])
    await enqueue(1)
    // Its watch and its pause: the message that came meanwhile is kept.
    try await clock.sleepers(atLeast: 2)
    // Another process tries K/3, so this one does not, however long it takes.
    for _ in 0..<60 {
      #expect(try await breakers.probe(.k3, as: 99, seconds: 8) == .granted)
      try await second(sleepers: 2)
    }
    #expect(stage.batches.events.isEmpty)
    #expect(worker.absences == [Absence(.k3)])
    try await breakers.close(.k3)
    clock.advance(by: .seconds(1))
    try await stage.batches.wait { $0.count == 1 }
    #expect(worker.absences.isEmpty)
    await inbox.stop()
    running.cancel()
    try await ended(running)
  }

  @Test("what it finds out it tells the others, and also that K/3 is back")
  func tells() async throws {
    let stage = ScriptedStage(.load) { [refused] envelope in
      envelope.orderID.rawValue == 1 ? .outage(refused) : .done(.written)
    }
    stage.isAnswering.withLock { $0 = true }
    await enqueue(1)
    let running = Task { [worker = worker(stage)] in await worker.run() }
    try await inbox.acknowledged.wait { $0.count == 1 }
    #expect(try await breakers.standing(of: .k3) == refused)
    await enqueue(2)
    // The watch, the pause, and the delay queue.
    try await clock.sleepers(atLeast: 3)
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.count == 2 }
    #expect(try await breakers.standing(of: .k3) == nil)
    await inbox.stop()
    running.cancel()
    try await ended(running)
  }

  @Test("when the one that tried has died, it tries itself")
  func takesOver() async throws {
    let stage = ScriptedStage(.load) { _ in .done(.written) }
    stage.isAnswering.withLock { $0 = true }
    try await breakers.open(.k3, refused)
    #expect(try await breakers.probe(.k3, as: 99, seconds: 8) == .granted)
    let running = Task { [worker = worker(stage)] in await worker.run() }
    try await clock.sleepers(atLeast: 1)
    try await second(sleepers: 1)
    await enqueue(1)
    try await clock.sleepers(atLeast: 2)
    for _ in 0..<6 { try await second(sleepers: 2) }
    #expect(stage.batches.events.isEmpty)
    for _ in 0..<60 where stage.batches.events.isEmpty { try await second(sleepers: 1) }
    try await inbox.acknowledged.wait { $0.count == 1 }
    #expect(try await breakers.standing(of: .k3) == nil)
    await inbox.stop()
    running.cancel()
    try await ended(running)
  }

  @Test("without PostgreSQL it goes by what it sees itself")
  func alone() async throws {
    breakers.fail(.unavailable("connection refused"))
    let stage = ScriptedStage(.load) { [refused] envelope in
      envelope.orderID.rawValue == 1 ? .outage(refused) : .done(.written)
    }
    stage.isAnswering.withLock { $0 = true }
    await enqueue(1)
    let worker = worker(stage)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.count == 1 }
    await enqueue(2)
    // The watch, the pause, and the delay queue.
    try await clock.sleepers(atLeast: 3)
    #expect(worker.absences == [Absence(.k3)])
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.count == 2 }
    #expect(worker.absences.isEmpty)
    await inbox.stop()
    running.cancel()
    try await ended(running)
  }

  @Test("of what the installation knows it takes what does not contradict what it saw itself")
  func pause() {
    let ledger = Reason(.ledgerUnavailable, "PostgreSQL is away")
    let pause = OutagePause()
    pause.hear(nil, of: .k3)
    #expect(!pause.isOn)
    // What it has seen itself and nobody was told of does not end because nobody knows of it.
    #expect(pause.note([.outage(refused)]) == .away(refused))
    pause.hear(nil, of: .k3)
    #expect(pause.reason == refused)
    pause.share()
    pause.hear(nil, of: .k3)
    #expect(!pause.isOn)
    // PostgreSQL's absence is nobody else's news.
    #expect(pause.note([.outage(ledger)]) == .away(ledger))
    pause.hear(refused, of: .k3)
    #expect(pause.reason == ledger)
    pause.hear(nil, of: .k3)
    #expect(pause.reason == ledger)
    #expect(pause.note([.done(.written)]) == .back(ledger))
    #expect(pause.note([.done(.written)]) == nil)
    // A wait that is over is not begun anew by what is known already.
    pause.hear(refused, of: .k3)
    pause.lookForWork()
    pause.hear(refused, of: .k3)
    #expect(pause.looksForWork)
  }

  @Test("neither the log nor the installation's breaker has K/3's words, in which a customer may be named")
  func words() async throws {
    let refused = Reason(.k3Unauthorized, "K/3 refused the bill: 甲公司 未授权")
    let lines = Probe<String>()
    let stage = ScriptedStage(.load) { envelope in envelope.orderID.rawValue == 1 ? .retry(refused) : .outage(refused) }
    let worker = Worker(
      stage: stage, inbox: inbox, outbox: MemoryOutbox(broker), policy: RetryPolicy(ladder: [10], maxAttempts: 1),
      shape: WorkerShape(batchSize: 1, concurrentBatches: 1), clock: pipelineClock(clock), logger: recording(lines),
      breakers: breakers)
    await enqueue(1)
    await enqueue(2)
    let running = Task { await worker.run() }
    try await lines.wait { $0.contains { $0.contains("Pausing") } }
    #expect(lines.events.contains { $0.contains("Parked") })
    #expect(!lines.events.contains { $0.contains("甲公司") })
    #expect(try await breakers.standing(of: .k3) == Reason(.k3Unauthorized, refused.logged))
    running.cancel()
    try await ended(running)
  }
}
