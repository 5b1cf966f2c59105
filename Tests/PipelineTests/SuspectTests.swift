import Logging
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@Suite("Messages that may be what ends their workers", .timeLimit(.minutes(1)))
struct SuspectTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: WatchedOutbox

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = WatchedOutbox(MemoryOutbox(broker))
  }

  private func delivery(_ id: Int64, tag: UInt64, piece: UInt8? = nil, returns: Int) -> Delivery {
    var delivery = Delivery(
      receipt: Delivery.Receipt(session: 1, tag: tag, piece: piece), envelope: .success(.order(id)), body: [])
    delivery.returns = returns
    return delivery
  }

  private func run(_ batches: [[Delivery]], _ stage: some Stage, logger: Logger = silent) async throws -> LentOnce {
    let inbox = LentOnce(batches)
    let worker = Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: RetryPolicy(ladder: [10], maxAttempts: 3),
      shape: WorkerShape(batchSize: 10, concurrentBatches: 1), clock: pipelineClock(clock), logger: logger)
    try await ended(Task { await worker.run() })
    return inbox
  }

  @Test("the orders of a bundle that came back too often are published each by itself and worked by nobody before that")
  func takenApart() async throws {
    let worked = Mutex<[Int64]>([])
    let stage = ScriptedStage { envelope in
      worked.withLock { $0.append(envelope.orderID.rawValue) }
      return .done(.duplicate)
    }
    let most = Delivery.mostReturns
    let batch = [
      delivery(1, tag: 7, piece: 0, returns: most + 1), delivery(2, tag: 7, piece: 1, returns: most + 1),
      // Not too often yet.
      delivery(3, tag: 8, piece: 0, returns: most), delivery(4, tag: 9, returns: 0),
    ]
    let inbox = try await run([batch], stage)
    #expect(worked.withLock { $0 } == [3, 4])
    let parcels = outbox.published.events.joined()
    #expect(parcels.map(\.destination) == [.queue(.orders), .queue(.orders)])
    #expect(parcels.map(\.returns) == [most + 1, most + 1])
    #expect(broker.count(in: .orders) == 2)
    #expect(Set(inbox.acknowledged.events.joined()) == Set(batch.map(\.receipt)))
  }

  @Test("what cannot be published apart, as into a full queue, is worked as it is and waits for nobody")
  func notTakenApart() async throws {
    let inner = MemoryOutbox(broker)
    inner.fail { parcel in
      guard case .envelope(let envelope) = parcel.content else { return nil }
      return envelope.orderID.rawValue == 1 ? .refused("the queue is full") : nil
    }
    let bundle = [delivery(1, tag: 7, piece: 0, returns: 9), delivery(2, tag: 7, piece: 1, returns: 9)]
    let inbox = LentOnce([bundle + [delivery(3, tag: 8, returns: 0)]])
    let worked = Mutex<[Int64]>([])
    let worker = Worker(
      stage: ScriptedStage { envelope in
        worked.withLock { $0.append(envelope.orderID.rawValue) }
        return .done(.duplicate)
      }, inbox: inbox, outbox: inner, policy: RetryPolicy(ladder: [10], maxAttempts: 3),
      shape: WorkerShape(batchSize: 10, concurrentBatches: 1), clock: pipelineClock(clock), logger: silent)
    try await ended(Task { await worker.run() })
    #expect(worked.withLock { $0 } == [3, 1])
    #expect(broker.count(in: .orders) == 1)
    #expect(Set(inbox.acknowledged.events.joined().map(\.tag)) == [7, 8])
    #expect(inbox.acknowledged.events.joined().count == 3)
  }

  @Test("what has come back more than 20 times is parked before anybody works on it, and what is beside it goes on")
  func hopeless() async throws {
    let worked = Mutex<[Int64]>([])
    let stage = ScriptedStage { envelope in
      worked.withLock { $0.append(envelope.orderID.rawValue) }
      return .done(.duplicate)
    }
    let inbox = try await run(
      [[delivery(1, tag: 1, returns: 21), delivery(2, tag: 2, returns: 0)], [delivery(3, tag: 3, returns: 20)]], stage)
    #expect(worked.withLock { $0 } == [2, 3])
    let parked = broker.parked(by: stage.name)
    #expect(parked.map { $0.envelope?.orderID.rawValue } == [1])
    #expect(parked.map { $0.burial?.reason.code } == [.deliveryLimit])
    #expect(Set(inbox.acknowledged.events.joined().map(\.tag)) == [1, 2, 3])
  }

  @Test("a delay takes the count along: a bill that ends its loader after the claim comes to the limit as well")
  func delayed() async throws {
    let stage = ScriptedStage { _ in .later(Reason(.leaseBusy, "held"), afterSeconds: 5) }
    _ = try await run([[delivery(1, tag: 1, returns: 2), delivery(2, tag: 2, returns: 0)]], stage)
    #expect(outbox.published.events.joined().map(\.returns) == [2, 0])
  }

  @Test("one that is no bundle goes to its stage, and the log names it")
  func told() async throws {
    let log = Probe<String>()
    let inbox = try await run(
      [[delivery(5, tag: 7, returns: 4)]], ScriptedStage { _ in .done(.duplicate) }, logger: recording(log))
    #expect(inbox.acknowledged.events.joined().map(\.tag) == [7])
    let line = try #require(log.events.first { $0.contains("Worked alone") })
    #expect(line.contains("order.id=5") && line.contains("returns=4"), "\(line)")
  }
}

/// An inbox that lends these batches, then ends.
private final class LentOnce: Inbox {
  let acknowledged = Probe<[Delivery.Receipt]>()
  private let batches: Mutex<[[Delivery]]>

  init(_ batches: [[Delivery]]) { self.batches = Mutex(batches) }

  var isReady: Bool { true }
  var isStopped: Bool { batches.withLock { $0.isEmpty } }
  func next(max: Int) async -> [Delivery] { batches.withLock { $0.isEmpty ? [] : $0.removeFirst() } }
  func acknowledge(_ receipts: [Delivery.Receipt]) { acknowledged.report(receipts) }
  func stop() async { batches.withLock { $0 = [] } }
  func close() async { await stop() }
}
