import Orders
import Pipeline
import PipelineTesting
import ServiceLifecycle
import Synchronization
import Testing

@Suite("Worker")
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

  private func worker(_ stage: some Stage, _ outbox: any Outbox, batches: Int = 1) -> Worker {
    Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: RetryPolicy(ladder: [10, 60, 600, 3600], maxAttempts: 3),
      shape: WorkerShape(batchSize: 10, concurrentBatches: batches), clock: pipelineClock(clock), logger: silent)
  }

  private func enqueue(_ ids: Int64...) async {
    _ = await MemoryOutbox(broker).publish(ids.map { Parcel(to: .queue(.orders), .envelope(.order($0))) })
  }

  @Sendable private static func bill(_ envelope: Envelope) -> Outcome { .forward(.bill(envelope.orderID.rawValue)) }

  @Test("each outcome goes where it belongs, and only then is its message acknowledged")
  func destinations() async {
    await enqueue(1, 2, 3, 4, 5)
    let reason = Reason(.k3Busy, "busy")
    let stage = ScriptedStage { envelope in
      switch envelope.orderID.rawValue {
      case 1: .forward(.bill(1))
      case 2: .done(.duplicate)
      case 3: .retry(reason)
      case 4: .later(reason, afterSeconds: 60)
      default: .dead(Outcome.Burial(Reason(.divisionByZero, "count is 0")))
      }
    }
    let running = Task { await worker(stage, inner).run() }
    await inbox.acknowledged.wait { $0.joined().count == 5 }
    await inbox.stop()
    await running.value
    #expect(broker.count(in: .bills) == 1)
    #expect(broker.delayedCount == 2)
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.divisionByZero])
    #expect(broker.count(in: .orders) == 0)
  }

  @Test("no message is acknowledged before its successor is confirmed")
  func confirmFirst() async {
    await enqueue(1)
    let gate = Probe<Bool>()
    let outbox = WatchedOutbox(inner, gate: gate)
    let running = Task { await worker(ScriptedStage(.transform, Self.bill), outbox).run() }
    await outbox.published.wait { $0.count == 1 }
    #expect(inbox.acknowledged.events.isEmpty)
    gate.report(true)
    await inbox.acknowledged.wait { $0.count == 1 }
    await inbox.stop()
    await running.value
  }

  @Test("what is not confirmed is published again and acknowledged only then; the rest is not held up")
  func publishAgain() async {
    await enqueue(1, 2)
    let refusals = Probe<OrderID>()
    inner.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 2, refusals.events.isEmpty
      else { return nil }
      refusals.report(envelope.orderID)
      return .refused("the queue is full")
    }
    let running = Task { await worker(ScriptedStage(.transform, Self.bill), inner).run() }
    await inbox.acknowledged.wait { $0.joined().count == 1 }
    await clock.sleepers(atLeast: 1)
    #expect(broker.count(in: .bills) == 1)
    clock.advance(by: .seconds(1))
    await inbox.acknowledged.wait { $0.joined().count == 2 }
    #expect(broker.count(in: .bills) == 2)
    await inbox.stop()
    await running.value
  }

  @Test("a message that cannot be read is parked as it came")
  func unreadable() async {
    broker.inject(unreadable: [1, 2, 3], Reason(.undecodable, "the header ferry-order-id is missing"), into: .orders)
    let stage = ScriptedStage(.transform, Self.bill)
    let running = Task { await worker(stage, inner).run() }
    await inbox.acknowledged.wait { $0.joined().count == 1 }
    await inbox.stop()
    await running.value
    #expect(broker.parked(by: .transform).map(\.body) == [[1, 2, 3]])
    #expect(broker.parked(by: .transform).first?.burial?.reason.code == .undecodable)
    #expect(stage.batches.events.isEmpty)
  }

  @Test("a stage that answers the wrong number of outcomes gets nothing settled")
  func wrongCount() async {
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
    await called.wait { $0.count == 1 }
    await inbox.stop()
    await running.value
    #expect(inbox.acknowledged.events.isEmpty)
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("after an outage the worker waits before it takes more, and longer each time")
  func outage() async {
    await enqueue(1)
    let stage = ScriptedStage { _ in .outage(Reason(.ledgerUnavailable, "PostgreSQL is away")) }
    let running = Task { await worker(stage, inner).run() }
    await inbox.acknowledged.wait { $0.count == 1 }
    // The retry queue's delay and the worker's pause.
    await clock.sleepers(atLeast: 2)
    await enqueue(2)
    #expect(stage.batches.events.count == 1)
    clock.advance(by: .seconds(1))
    await stage.batches.wait { $0.count == 2 }
    #expect(stage.batches.events[1].map(\.orderID.rawValue) == [2])
    await inbox.stop()
    running.cancel()
    await running.value
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
    await outbox.published.wait { $0.count == 1 }
    await group.triggerGracefulShutdown()
    gate.report(true)
    try await running.value
    #expect(inbox.acknowledged.events.joined().count == 1)
    #expect(broker.count(in: .bills) == 1)
    await enqueue(2)
    #expect(broker.count(in: .orders) == 1)
  }

  @Test("a worker tells why it holds back, until a partner has answered again")
  func holdingBack() async {
    await enqueue(1)
    let isBack = Mutex(false)
    let stage = ScriptedStage { envelope in
      isBack.withLock { $0 } ? Self.bill(envelope) : .outage(Reason(.ledgerUnavailable, "away"))
    }
    let worker = worker(stage, inner)
    #expect(worker.outage == nil)
    let running = Task { await worker.run() }
    await inbox.acknowledged.wait { $0.joined().count == 1 }
    #expect(worker.outage?.partner == .postgresql)
    isBack.withLock { $0 = true }
    await enqueue(2)
    await clock.sleepers(atLeast: 2)
    clock.advance(by: .seconds(1))
    await inbox.acknowledged.wait { $0.joined().count == 2 }
    #expect(worker.outage == nil)
    await inbox.stop()
    await running.value
  }
}
