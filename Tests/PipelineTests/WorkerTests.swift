import Logging
import Orders
import Pipeline
import PipelineTesting
import ServiceLifecycle
import Synchronization
import TestSockets
import Testing

@Suite("Worker", .timeLimit(.minutes(1)))
struct WorkerTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let inner: MemoryOutbox
  private let inbox: WatchedInbox

  init() {
    broker = MemoryBroker(clock: clock)
    inner = MemoryOutbox(broker)
    inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
  }

  private func worker(
    _ stage: some Stage, _ outbox: any Outbox, shape: WorkerShape = WorkerShape(batchSize: 10, concurrentBatches: 1),
    clock: PipelineClock? = nil, logger: Logger = silent
  ) -> Worker {
    Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: RetryPolicy(ladder: [10, 60, 600, 3600], maxAttempts: 3),
      shape: shape, clock: clock ?? pipelineClock(self.clock), logger: logger)
  }

  private func enqueue(_ ids: Int64...) async {
    _ = await MemoryOutbox(broker).publish(ids.map { Parcel(to: .queue(.orders), .envelope(.order($0))) })
  }

  @Sendable private static func bill(_ envelope: Envelope) -> Outcome { .forward([.bill(envelope.orderID.rawValue)]) }

  @Test("each outcome goes where it belongs, and only then is its message acknowledged")
  func destinations() async throws {
    await enqueue(1, 2, 3, 4, 5, 6)
    let reason = Reason(.k3Busy, "busy")
    let stage = ScriptedStage { envelope in
      switch envelope.orderID.rawValue {
      case 1: .forward([.bill(1)])
      case 2: .done(.duplicate)
      case 3: .retry(reason)
      case 4: .later(reason, afterSeconds: 60)
      case 5: .later(Reason(.customerUnmapped, "nobody knows it"), afterSeconds: 600)
      default: .dead(Outcome.Burial(Reason(.divisionByZero, "count is 0")))
      }
    }
    let spread = Mutex<[Destination: Bool]>([:])
    inner.fail { parcel in
      spread.withLock { $0[parcel.destination] = parcel.isSpread }
      return nil
    }
    let running = Task { await worker(stage, inner).run() }
    try await inbox.acknowledged.wait { $0.joined().count == 6 }
    await inbox.stop()
    try await ended(running)
    #expect(broker.count(in: .bills) == 1)
    #expect(broker.delayedCount == 3)
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.divisionByZero])
    #expect(broker.count(in: .orders) == 0)
    #expect(
      inner.batches.joined().map { $0 } == [
        .queue(.bills), .retry(.transform, afterSeconds: 10), .retry(.transform, afterSeconds: 60),
        .retry(.transform, afterSeconds: 600), .dead(.transform),
      ])
    // What is told to come at its moment comes then; a retry has none, nor has master data that may still arrive.
    let early: Set<Destination> = [.retry(.transform, afterSeconds: 10), .retry(.transform, afterSeconds: 600)]
    #expect(spread.withLock { Set($0.filter(\.value).keys) } == early)
  }

  @Test("a worker tells what it has taken and since when a batch is under way, and what holds it back")
  func activity() async throws {
    await enqueue(1)
    let gate = Probe<Bool>()
    let outbox = WatchedOutbox(inner, gate: gate)
    let worker = worker(ScriptedStage(.transform, Self.bill), outbox)
    let running = Task { await worker.run() }
    try await outbox.published.wait { $0.count == 1 }
    #expect(worker.activity.taken == 1 && worker.activity.oldestBatch != nil && !worker.activity.isHeldBack)
    gate.report(true)
    try await inbox.asked.wait { $0.count == 2 }
    #expect(worker.activity == WorkerActivity(isHeldBack: false, taken: 1, oldestBatch: nil))
    await inbox.stop()
    #expect(worker.activity.isHeldBack)
    try await ended(running)
  }

  @Test("no message is acknowledged before its successor is confirmed")
  func confirmFirst() async throws {
    await enqueue(1)
    let gate = Probe<Bool>()
    let outbox = WatchedOutbox(inner, gate: gate)
    let running = Task { await worker(ScriptedStage(.transform, Self.bill), outbox).run() }
    try await outbox.published.wait { $0.count == 1 }
    #expect(inbox.acknowledged.events.isEmpty)
    gate.report(true)
    try await inbox.acknowledged.wait { $0.count == 1 }
    await inbox.stop()
    try await ended(running)
  }

  @Test(
    "what is not confirmed is published again and acknowledged only then; the rest is not held up",
    arguments: [(PublishResult.refused("the queue is full"), 1), (.unknown("the connection broke"), 2)])
  func publishAgain(fault: PublishResult, arrived: Int) async throws {
    await enqueue(1, 2)
    let refusals = Probe<OrderID>()
    inner.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 2, refusals.events.isEmpty
      else { return nil }
      refusals.report(envelope.orderID)
      return fault
    }
    let running = Task { await worker(ScriptedStage(.transform, Self.bill), inner).run() }
    try await clock.sleepers(atLeast: 1)
    #expect(inbox.acknowledged.events.joined().count == 1)
    #expect(broker.count(in: .bills) == arrived)
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.joined().count == 2 }
    // What was in doubt is there twice, and nothing is missing.
    #expect(broker.count(in: .bills) == arrived + 1)
    await inbox.stop()
    try await ended(running)
  }

  @Test("a message with several successors is acknowledged once, and not before the last of them is safe")
  func severalSuccessors() async throws {
    await enqueue(1, 2)
    let refusals = Probe<OrderID>()
    inner.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 12, refusals.events.isEmpty
      else { return nil }
      refusals.report(envelope.orderID)
      return .refused("the queue is full")
    }
    let stage = ScriptedStage { envelope in
      .forward((1...3).map { .bill(envelope.orderID.rawValue * 10 + $0) })
    }
    let running = Task { await worker(stage, inner).run() }
    try await clock.sleepers(atLeast: 1)
    #expect(inbox.acknowledged.events.map(\.count) == [1])
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.joined().count == 2 }
    #expect(broker.count(in: .bills) == 6)
    #expect(Set(inbox.acknowledged.events.joined()).count == 2)
    await inbox.stop()
    try await ended(running)
  }

  @Test("a stage that makes nothing of a message has it parked, not lost")
  func nothingMade() async throws {
    await enqueue(1)
    let running = Task { await worker(ScriptedStage { _ in .forward([]) }, inner).run() }
    try await inbox.acknowledged.wait { $0.joined().count == 1 }
    await inbox.stop()
    try await ended(running)
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.configuration])
  }

  @Test("a message that cannot be read is parked as it came")
  func unreadable() async throws {
    broker.inject(unreadable: [1, 2, 3], Reason(.undecodable, "the header ferry-order-id is missing"), into: .orders)
    let stage = ScriptedStage(.transform, Self.bill)
    let running = Task { await worker(stage, inner).run() }
    try await inbox.acknowledged.wait { $0.joined().count == 1 }
    await inbox.stop()
    try await ended(running)
    #expect(broker.parked(by: .transform).map(\.body) == [[1, 2, 3]])
    #expect(broker.parked(by: .transform).first?.burial?.reason.code == .undecodable)
    #expect(stage.batches.events.isEmpty)
  }

  @Test("a stage that answers the wrong number of outcomes gets nothing settled")
  func wrongCount() async throws {
    struct Broken: Stage {
      let name = StageName.transform
      let called: Probe<Int>
      func handle(_ batch: [Envelope]) async -> [Outcome] {
        called.report(batch.count)
        return []
      }
    }
    await enqueue(1)
    let called = Probe<Int>()
    let running = Task { await worker(Broken(called: called), inner).run() }
    try await called.wait { $0.count == 1 }
    await inbox.stop()
    try await ended(running)
    #expect(inbox.acknowledged.events.isEmpty)
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("after an outage the worker waits before it takes more, and longer each time")
  func outage() async throws {
    await enqueue(1)
    let stage = ScriptedStage { _ in .outage(Reason(.ledgerUnavailable, "PostgreSQL is away")) }
    let running = Task { await worker(stage, inner).run() }
    try await inbox.acknowledged.wait { $0.count == 1 }
    // The retry queue's delay and the worker's pause.
    try await clock.sleepers(atLeast: 2)
    await enqueue(2)
    #expect(stage.batches.events.count == 1)
    clock.advance(by: .seconds(1))
    try await stage.batches.wait { $0.count == 2 }
    #expect(stage.batches.events[1].map(\.orderID.rawValue) == [2])
    await inbox.stop()
    running.cancel()
    try await ended(running)
  }

  @Test("while a partner is away one batch at a time goes out, and as many as before once it answers")
  func singleProbe() async throws {
    let pauses = Probe<Duration>()
    // Pauses end at once: what the worker does not hold back by itself goes out.
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 1 }, sleep: { pauses.report($0) })
    let stage = AwayStage(probes: 40, width: 3)
    for id in 1...50 { await enqueue(Int64(id)) }
    let worker = worker(stage, inner, shape: WorkerShape(batchSize: 1, concurrentBatches: 3), clock: clock)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 50 }
    await inbox.stop()
    try await ended(running)
    #expect(stage.mostProbesAtOnce == 1)
    // One pause before each probe: 1 s, doubling to 30 s, and none after the answer.
    let seconds = pauses.events.map(\.components.seconds)
    #expect(seconds == [1, 2, 4, 8, 16] + Array(repeating: 30, count: 36))
  }

  @Test("while K/3 is away it is asked itself, and no message goes round")
  func askedItself() async throws {
    let pauses = Probe<Duration>()
    let stage = ScriptedStage(.load) { envelope in
      envelope.orderID.rawValue == 1 ? .outage(Reason(.k3Unavailable, "K/3 is away")) : .done(.duplicate)
    }
    stage.isAnswering.withLock { $0 = false }
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 1 }) { wait in
      pauses.report(wait)
      if pauses.events.count == 40 { stage.isAnswering.withLock { $0 = true } }
    }
    await enqueue(1, 2, 3)
    let worker = worker(stage, inner, shape: WorkerShape(batchSize: 1, concurrentBatches: 1), clock: clock)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 3 }
    await inbox.stop()
    try await ended(running)
    // One message met the outage; the pauses grow until K/3 answers, and then the next ones go at once.
    #expect(stage.batches.events.map { $0.map(\.orderID.rawValue) } == [[1], [2], [3]])
    #expect(pauses.events.map(\.components.seconds) == [1, 2, 4, 8, 16] + Array(repeating: 30, count: 35))
  }

  @Test("a stop during an outage ends the worker, though the partner never answers")
  func stoppedWhileAway() async throws {
    let stage = ScriptedStage(.load) { _ in .outage(Reason(.k3Unavailable, "K/3 is away")) }
    stage.isAnswering.withLock { $0 = false }
    let pauses = Probe<Duration>()
    let stopping = inbox
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 1 }) { wait in
      pauses.report(wait)
      if pauses.events.count == 5 { await stopping.stop() }
    }
    await enqueue(1, 2)
    let running = Task { await worker(stage, inner, clock: clock).run() }
    try await ended(running)
    #expect(stage.batches.events.count == 1 && pauses.events.count == 5)
  }

  @Test("a batch of doubts alone begins a pause, one with an answer among them does not", arguments: [1, 2])
  func doubts(batchSize: Int) async throws {
    let doubt = Reason(.inDoubt, "K/3 did not answer")
    let stage = ScriptedStage { $0.orderID.rawValue % 2 == 1 ? .later(doubt, afterSeconds: 60) : .done(.resolved) }
    let pauses = Probe<Duration>()
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 1 }, sleep: { pauses.report($0) })
    await enqueue(1, 2, 3, 4)
    let worker = worker(stage, inner, shape: WorkerShape(batchSize: batchSize, concurrentBatches: 1), clock: clock)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 4 }
    await inbox.stop()
    try await ended(running)
    // Alone, each doubt is followed by a probe that gets an answer.
    #expect(pauses.events == (batchSize == 1 ? [.seconds(1), .seconds(1)] : []))
  }

  @Test("what is parked is logged with order and reason, and never with a vendor's own words")
  func parkedLog() async throws {
    await enqueue(1, 2, 3)
    let stage = ScriptedStage { envelope in
      let id = envelope.orderID.rawValue
      // A refusal that is given up after several attempts has K/3's words in its sentence alone.
      return .dead(
        Outcome.Burial(
          Reason(id == 3 ? .valueInvalid : .k3Rejected, "it says: 甲公司"), vendorAnswer: id == 1 ? "甲公司" : ""))
    }
    let lines = Probe<String>()
    let worker = worker(stage, inner, logger: recording(lines))
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 3 }
    await inbox.stop()
    try await ended(running)
    try #require(lines.events.count == 3)
    #expect(lines.events.allSatisfy { $0.hasPrefix("warning Parked") })
    #expect(lines.events.map { $0.contains("reason.code=k3_rejected") } == [true, true, false])
    #expect(lines.events[0].contains("order.id=1") && lines.events[1].contains("order.id=2"))
    #expect(lines.events.map { $0.contains("甲公司") } == [false, false, true])
  }

  @Test(
    "messages that tell nothing of the partner are no probes: the next ones follow at once, and the wait does not grow")
  func noProbes() async throws {
    let stage = ScriptedStage { envelope in
      switch envelope.orderID.rawValue {
      case 1, 50: .outage(Reason(.k3Unavailable, "K/3 is away"))
      case 10: .dead(Outcome.Burial(Reason(.undecodable, "not a bill")))
      case 20: .later(Reason(.lookUpPending, "too early"), afterSeconds: 60)
      default: .done(.duplicate)
      }
    }
    let pauses = Probe<Duration>()
    let clock = PipelineClock(now: { .now }, epochMilliseconds: { 1 }, sleep: { pauses.report($0) })
    for id in 1...50 { await enqueue(Int64(id)) }
    let worker = worker(stage, inner, shape: WorkerShape(batchSize: 1, concurrentBatches: 1), clock: clock)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 50 }
    // The pause after the last message begins before the worker asks for more.
    try await pauses.wait { $0.count == 2 }
    await inbox.stop()
    try await ended(running)
    #expect(pauses.events.map(\.components.seconds) == [1, 2])
  }

  @Test("graceful shutdown finishes what is held and gives back the rest")
  func shutdown() async throws {
    await enqueue(1)
    let gate = Probe<Bool>()
    let outbox = WatchedOutbox(inner, gate: gate)
    let service = self.worker(ScriptedStage(.transform, Self.bill), outbox)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)], logger: silent))
    let running = Task { try await group.run() }
    try await outbox.published.wait { $0.count == 1 }
    await group.triggerGracefulShutdown()
    gate.report(true)
    try await ended(running)
    #expect(inbox.acknowledged.events.joined().count == 1)
    #expect(broker.count(in: .bills) == 1)
    await enqueue(2)
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("a worker tells why it holds back, until a partner has answered again")
  func holdingBack() async throws {
    await enqueue(1)
    let isBack = Mutex(false)
    let stage = ScriptedStage { envelope in
      isBack.withLock { $0 } ? Self.bill(envelope) : .outage(Reason(.ledgerUnavailable, "away"))
    }
    let worker = worker(stage, inner)
    #expect(worker.absences.isEmpty)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 1 }
    #expect(worker.absences == [Absence(.postgresql)])
    isBack.withLock { $0 = true }
    await enqueue(2)
    try await clock.sleepers(atLeast: 2)
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.joined().count == 2 }
    #expect(worker.absences.isEmpty)
    await inbox.stop()
    try await ended(running)
  }

  @Test("what the broker does not take makes the worker say so until it does")
  func heldUp() async throws {
    await enqueue(1)
    inner.fail { _ in .refused("no queue takes it") }
    let worker = worker(ScriptedStage { Self.bill($0) }, inner)
    let running = Task { await worker.run() }
    try await clock.sleepers(atLeast: 1)
    #expect(worker.absences == [Absence(.rabbitmq)])
    inner.fail(nil)
    clock.advance(by: .seconds(1))
    try await inbox.acknowledged.wait { $0.joined().count == 1 }
    await inbox.stop()
    try await ended(running)
    #expect(worker.absences.isEmpty)
  }
}
