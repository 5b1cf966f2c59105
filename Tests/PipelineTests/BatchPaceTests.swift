import Orders
import PipelineTesting
import TestSockets
import Testing

@testable import Pipeline

@Suite("The pace of batches", .timeLimit(.minutes(1)))
struct BatchPaceTests {
  private let clock = ManualClock()

  /// The sizes of the batches that a worker takes of so many messages, when each lasts as long as its number says.
  private func sizes(_ messages: Int, of shape: WorkerShape, lasting: [Duration]) async throws -> [Int] {
    let broker = MemoryBroker(clock: clock)
    _ = await MemoryOutbox(broker).publish(
      (1...messages).map { Parcel(to: .queue(.orders), .envelope(.order(Int64($0)))) })
    let inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
    let stage = LastingStage(clock, lasting)
    let worker = Worker(
      stage: stage, inbox: inbox, outbox: MemoryOutbox(broker), policy: RetryPolicy(ladder: [10], maxAttempts: 3),
      shape: shape, clock: pipelineClock(clock), logger: silent)
    let running = Task { await worker.run() }
    try await inbox.acknowledged.wait { $0.joined().count == messages }
    await inbox.stop()
    try await ended(running)
    return stage.batches.events
  }

  @Test("batches that end at once are followed by larger ones, up to the most, and a slow one by small ones")
  func grows() async throws {
    let shape = WorkerShape(batchSize: 2, quickBatchSize: 7, concurrentBatches: 1)
    let lasting = [0, 100, 0, 101, 500, 300].map { Duration.milliseconds($0) }
    #expect(try await sizes(31, of: shape, lasting: lasting) == [2, 4, 7, 7, 7, 2, 2])
  }

  @Test("a worker without another size keeps its one")
  func constant() async throws {
    let shape = WorkerShape(batchSize: 3, concurrentBatches: 1)
    #expect(try await sizes(9, of: shape, lasting: []) == [3, 3, 3])
  }

  @Test("a batch that was not full tells nothing of larger ones")
  func partial() {
    var pace = BatchPace(WorkerShape(batchSize: 4, quickBatchSize: 16, concurrentBatches: 1))
    pace.note(3, took: .zero, isFruitful: true)
    #expect(pace.size == 4)
    pace.note(4, took: .zero, isFruitful: true)
    #expect(pace.size == 8)
  }

  @Test("a batch of which nothing came, however quickly, is followed by a small one")
  func fruitless() {
    var pace = BatchPace(WorkerShape(batchSize: 4, quickBatchSize: 16, concurrentBatches: 1))
    pace.note(4, took: .zero, isFruitful: false)
    #expect(pace.size == 4)
    pace.note(4, took: .zero, isFruitful: true)
    pace.note(8, took: .zero, isFruitful: false)
    #expect(pace.size == 4)
    let away = Reason(.k3Unavailable, "away")
    let fruitless: [Outcome] = [.outage(away), .retry(away), .later(away, afterSeconds: 1)]
    let fruitful: [Outcome] = [.done(.written), .forward([])]
    #expect(fruitless.map { $0.isFruitful } == [false, false, false])
    #expect(fruitful.map { $0.isFruitful } == [true, true])
  }
}

/// A stage whose batches last as long as is said; the rest take no time.
private final class LastingStage: Stage {
  let name = StageName.transform
  let batches = Probe<Int>()
  private let clock: ManualClock
  private let lasting: [Duration]

  init(_ clock: ManualClock, _ lasting: [Duration]) {
    self.clock = clock
    self.lasting = lasting
  }

  func handle(_ batch: [Envelope]) async -> [Outcome] {
    let number = batches.events.count
    batches.report(batch.count)
    if lasting.indices.contains(number) { clock.advance(by: lasting[number]) }
    return batch.map { _ in .done(.duplicate) }
  }
}
