import Logging
import Orders
import PipelineTesting
import Synchronization
import Telemetry
import TelemetryTesting
import TestSockets
import Testing

@testable import Pipeline

/// What a worker tells of itself, in exact figures.
@Suite("Metrics of a worker", .timeLimit(.minutes(1)))
struct WorkerMetricsTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let registry = MetricsRegistry(dividing: ["ferry_delivery_seconds": [1, 60, 3_600]])
  private let start = ContinuousClock.now
  private static let away = Reason(.k3Busy, "busy")

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
  }

  private func worker(
    _ stage: some Stage, _ inbox: any Inbox, shape: WorkerShape = WorkerShape(batchSize: 100, concurrentBatches: 1)
  ) -> Worker {
    let time = PipelineClock(
      now: { [clock, start] in start + clock.now.offset },
      epochMilliseconds: { [clock] in 1_000_000_000 + clock.seconds * 1_000 },
      sleep: { [clock] in try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
    return Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: RetryPolicy(ladder: [10, 60, 600, 3600], maxAttempts: 3),
      shape: shape, clock: time, logger: silent, metrics: PipelineMetrics(factory: registry))
  }

  private func enqueue(_ envelopes: [Envelope], _ queue: QueueName) async {
    _ = await MemoryOutbox(broker).publish(envelopes.map { Parcel(to: .queue(queue), .envelope($0)) })
  }

  @Test("each outcome of a loader is counted by itself, those written as loaded, and all acknowledged as settled")
  func outcomes() async throws {
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .load))
    // In turn and in runs: what is alike is counted at once.
    let outcomes: [Outcome] = [
      .done(.written), .done(.written), .done(.duplicate), .done(.duplicate), .done(.duplicate), .done(.written),
      .retry(Self.away), .retry(Self.away), .later(Self.away, afterSeconds: 61), .later(Self.away, afterSeconds: 5_000),
      .done(.updated), .done(.resolved), .later(Self.away, afterSeconds: 60), .done(.stale), .done(.stale),
      .dead(Outcome.Burial(Reason(.k3Rejected, "no"))), .dead(Outcome.Burial(Reason(.k3Rejected, "no"))),
      .retry(Reason(.inDoubt, "who knows")),
    ]
    await enqueue(outcomes.indices.map { .bill(Int64($0)) }, .bills)
    broker.inject(unreadable: [1], Reason(.undecodable, "no"), into: .bills)
    let stage = ScriptedStage(.load) { outcomes[Int($0.orderID.rawValue)] }
    let worker = worker(stage, inbox)
    #expect(registry.lines("ferry_outcomes_total") == [] && registry.lines("ferry_settled_total") == [])
    #expect(registry.prometheusText().contains(#"ferry_retries_total{delay="3600s",stage="load"} 0"#))
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == 19 }
    await inbox.stop()
    try await ended(running)
    #expect(
      registry.lines("ferry_outcomes_total") == [
        #"{outcome="written",reason="",stage="load"} 3"#, #"{outcome="duplicate",reason="",stage="load"} 3"#,
        #"{outcome="updated",reason="",stage="load"} 1"#, #"{outcome="resolved",reason="",stage="load"} 1"#,
        #"{outcome="stale",reason="",stage="load"} 2"#, #"{outcome="retry",reason="k3_busy",stage="load"} 2"#,
        #"{outcome="retry",reason="in_doubt",stage="load"} 1"#, #"{outcome="later",reason="k3_busy",stage="load"} 3"#,
        #"{outcome="dead",reason="k3_rejected",stage="load"} 2"#,
        #"{outcome="dead",reason="undecodable",stage="load"} 1"#,
      ])
    #expect(registry.lines("ferry_loaded_total") == [" 5"] && registry.lines("ferry_transformed_total") == [])
    #expect(registry.lines("ferry_dedup_hits_total") == [#"{kind="delivered"} 3"#])
    // Three retries of a first attempt, and those that ask for 60 s, for 61 s, and for more than any queue's.
    #expect(
      registry.lines("ferry_retries_total") == [
        #"{delay="10s",stage="load"} 3"#, #"{delay="60s",stage="load"} 1"#, #"{delay="600s",stage="load"} 1"#,
        #"{delay="3600s",stage="load"} 1"#,
      ])
    #expect(registry.lines("ferry_transform_seconds_count") == [])
    #expect(registry.lines("ferry_settled_total") == [#"{stage="load"} 19"#])
    #expect(
      registry.lines("ferry_dead_letters_total") == [
        #"{reason="k3_rejected",stage="load"} 2"#, #"{reason="undecodable",stage="load"} 1"#,
      ])
  }

  @Test("an order that becomes three bills is one that was mapped and one that was settled")
  func transformed() async throws {
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
    await enqueue([.order(1), .order(2)], .orders)
    let stage = ScriptedStage { [clock] envelope in
      clock.advance(by: .seconds(2))
      return .forward((1...3).map { .bill(envelope.orderID.rawValue * 10 + $0) })
    }
    let running = Task { await worker(stage, inbox).run() }
    try await inbox.acknowledged.wait { $0.joined().count == 2 }
    // Nothing to transform.
    broker.inject(unreadable: [1], Reason(.undecodable, "no"), into: .orders)
    try await inbox.acknowledged.wait { $0.joined().count == 3 }
    await inbox.stop()
    try await ended(running)
    #expect(
      registry.lines("ferry_transformed_total") == [" 2"]
        && registry.lines("ferry_settled_total") == [#"{stage="transform"} 3"#])
    // Once for the batch.
    #expect(
      registry.lines("ferry_transform_seconds_count") == [" 1"]
        && registry.lines("ferry_transform_seconds_sum") == [" 4"])
    #expect(
      registry.lines("ferry_outcomes_total") == [
        #"{outcome="forward",reason="",stage="transform"} 2"#,
        #"{outcome="dead",reason="undecodable",stage="transform"} 1"#,
      ])
  }

  @Test("a delivery lasts from the poller's first look at a revision to its bill in K/3; others have none")
  func delivery() async throws {
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .load))
    // Seconds before now; nil: nobody knows.
    let cases: [(Int64?, Outcome)] = [
      (0, .done(.written)), (30, .done(.written)), (90, .done(.resolved)), (7_200, .done(.updated)),
      (nil, .done(.written)), (5, .done(.duplicate)), (5, .done(.ignored)), (5, .retry(Self.away)),
      // By a poller whose clock is ahead.
      (-600, .done(.written)),
    ]
    await enqueue(
      cases.enumerated().map { place, item in
        var bill = Envelope.bill(Int64(place))
        bill.firstSeen = item.0.map { 1_000_000_000 - $0 * 1_000 } ?? 0
        return bill
      }, .bills)
    let stage = ScriptedStage(.load) { cases[Int($0.orderID.rawValue)].1 }
    let running = Task { await worker(stage, inbox).run() }
    try await inbox.acknowledged.wait { $0.joined().count == cases.count }
    await inbox.stop()
    try await ended(running)
    #expect(
      registry.lines("ferry_delivery_seconds_bucket") == [
        #"{le="1"} 2"#, #"{le="60"} 3"#, #"{le="3600"} 4"#, #"{le="+Inf"} 5"#,
      ])
    #expect(registry.lines("ferry_delivery_seconds_sum") == [" 7320"])
  }

  @Test("orders of batches side by side are all in flight, and their time counts once; progress is the last settlement")
  func busy() async throws {
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
    await enqueue((1...4).map { .order($0) }, .orders)
    let gates = [Probe<Bool>(), Probe<Bool>()]
    let entered = Probe<Int>()
    let stage = GatedStage(gates, entered)
    let worker = worker(stage, inbox, shape: WorkerShape(batchSize: 2, concurrentBatches: 2))
    #expect(worker.inFlight == 0 && worker.busy == .zero && worker.lastProgress == 1_000_000_000)
    let running = Task { await worker.run() }
    try await entered.wait { $0.count == 2 }
    #expect(worker.inFlight == 4)
    clock.advance(by: .seconds(3))
    // Still under way, and told all the same.
    #expect(worker.busy == .seconds(3) && worker.lastProgress == 1_000_000_000)
    gates[0].report(true)
    try await inbox.asked.wait { $0.count == 3 }
    #expect(worker.inFlight == 2 && worker.lastProgress == 1_000_003_000)
    clock.advance(by: .seconds(2))
    #expect(worker.busy == .seconds(5))
    gates[1].report(true)
    await inbox.stop()
    try await ended(running)
    #expect(worker.inFlight == 0 && worker.busy == .seconds(5) && worker.lastProgress == 1_000_005_000)
    // Nothing is under way.
    clock.advance(by: .seconds(60))
    #expect(worker.busy == .seconds(5))
  }

  @Test("the time in which the broker takes nothing is not the worker's")
  func heldUp() async throws {
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
    await enqueue([.order(1)], .orders)
    let isFull = Mutex(true)
    outbox.fail { _ in isFull.withLock { $0 } ? .refused("full") : nil }
    let clock = clock
    let stage = ScriptedStage { envelope in
      clock.advance(by: .seconds(7))
      return .forward([.bill(envelope.orderID.rawValue)])
    }
    let worker = worker(stage, inbox)
    let running = Task { await worker.run() }
    for _ in 1...3 {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(15))
    }
    try await clock.sleepers(atLeast: 1)
    #expect(worker.busy == .seconds(7) && worker.inFlight == 1)
    isFull.withLock { $0 = false }
    clock.advance(by: .seconds(15))
    try await inbox.acknowledged.wait { $0.count == 1 }
    await inbox.stop()
    try await ended(running)
    #expect(worker.busy == .seconds(7) && worker.inFlight == 0)
  }

  @Test("whatever runs side by side counts once, and a clock that goes back takes nothing away")
  func business() {
    var business = Business()
    func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }
    #expect(business.total(at: at(5)) == .zero)
    business.begin(at: at(10))
    business.begin(at: at(12))
    business.end(at: at(15))
    #expect(business.total(at: at(16)) == .seconds(6))
    business.end(at: at(20))
    #expect(business.total(at: at(100)) == .seconds(10))
    business.begin(at: at(200))
    #expect(business.total(at: at(190)) == .seconds(10))
    business.end(at: at(190))
    #expect(business.total(at: at(300)) == .seconds(10))
  }
}

/// A stage of which each batch waits for its own gate.
private final class GatedStage: Stage {
  let name = StageName.transform
  private let gates: [Probe<Bool>]
  private let entered: Probe<Int>
  private let next = Mutex(0)

  init(_ gates: [Probe<Bool>], _ entered: Probe<Int>) { (self.gates, self.entered) = (gates, entered) }

  func handle(_ batch: [Envelope]) async -> [Outcome] {
    let place = next.withLock { next in
      defer { next += 1 }
      return next
    }
    entered.report(place)
    _ = try? await gates[place].wait { !$0.isEmpty }
    return batch.map { .forward([.bill($0.orderID.rawValue)]) }
  }
}
