import Orders
import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@Suite("What is larger than the broker takes", .timeLimit(.minutes(1)))
struct TooLargeTests {
  private let clock = ManualClock()
  private let broker: MemoryBroker
  private let outbox: MemoryOutbox
  private let inbox: WatchedInbox
  private let tooLarge = PublishResult.tooLarge("message size 9 is larger than 8")

  init() {
    broker = MemoryBroker(clock: clock)
    outbox = MemoryOutbox(broker)
    inbox = WatchedInbox(MemoryInbox(broker, stage: .transform))
  }

  /// Runs a worker over two orders until both are acknowledged.
  /// - Parameter rests: how often it waits for the broker, by the clock.
  private func work(
    rests: Int = 0, _ answer: @escaping @Sendable (Envelope) -> Outcome
  ) async throws -> [Parcel] {
    _ = await MemoryOutbox(broker).publish([1, 2].map { Parcel(to: .queue(.orders), .envelope(.order($0))) })
    let watched = WatchedOutbox(outbox)
    let worker = Worker(
      stage: ScriptedStage(.transform, answer), inbox: inbox, outbox: watched,
      policy: RetryPolicy(ladder: [10, 60, 600, 3600], maxAttempts: 3),
      shape: WorkerShape(batchSize: 10, concurrentBatches: 1), clock: pipelineClock(clock), logger: silent)
    let running = Task { await worker.run() }
    for _ in 0..<rests {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(15))
    }
    try await inbox.acknowledged.wait { $0.joined().count == 2 }
    await inbox.stop()
    try await ended(running)
    #expect(Set(inbox.acknowledged.events.joined()).count == 2 && broker.count(in: .orders) == 0)
    return watched.published.events.joined().filter { $0.burial != nil }
  }

  @Test("of a bill that is, the order is parked as it came, once, and the other goes on; nothing is waited for")
  func successor() async throws {
    let tooLarge = tooLarge
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, parcel.burial == nil else { return nil }
      return [11, 13].contains(envelope.orderID.rawValue) ? tooLarge : nil
    }
    let buried = try await work { envelope in .forward((1...3).map { .bill(envelope.orderID.rawValue * 10 + $0) }) }
    #expect(broker.count(in: .bills) == 4)
    let parked = broker.parked(by: .transform)
    #expect(parked.map(\.envelope) == [.order(1)] && parked.first?.burial?.reason.code == .messageTooLarge)
    #expect(buried.map(\.leavesOutBody) == [false])
  }

  @Test("of two that are, one only when it is published again, the order is parked once, and acknowledged")
  func rounds() async throws {
    let tooLarge = tooLarge
    let tries = Mutex(0)
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, parcel.burial == nil else { return nil }
      if envelope.orderID.rawValue == 11 { return tooLarge }
      guard envelope.orderID.rawValue == 12 else { return nil }
      return tries.withLock { tries in
        tries += 1
        return tries == 1 ? .refused("the queue is full") : tooLarge
      }
    }
    let buried = try await work(rests: 1) { envelope in
      .forward((1...2).map { .bill(envelope.orderID.rawValue * 10 + $0) })
    }
    #expect(buried.count == 1 && broker.parked(by: .transform).map(\.envelope) == [.order(1)])
    #expect(broker.count(in: .bills) == 2)
  }

  @Test("of a message that is itself, what is known is parked without its body")
  func itself() async throws {
    let tooLarge = tooLarge
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue % 10 == 1 else { return nil }
      return parcel.leavesOutBody ? nil : tooLarge
    }
    let buried = try await work { .forward([.bill($0.orderID.rawValue * 10 + $0.orderID.rawValue)]) }
    #expect(broker.count(in: .bills) == 1)
    #expect(buried.map(\.leavesOutBody) == [false, true])
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.messageTooLarge])
  }

  @Test("of one that is to be tried again or parked already, what is known is parked, with the reason that it had")
  func delayed() async throws {
    let tooLarge = tooLarge
    outbox.fail { $0.leavesOutBody ? nil : tooLarge }
    let buried = try await work { envelope in
      envelope.orderID.rawValue == 1
        ? .retry(Reason(.k3Busy, "busy")) : .dead(Outcome.Burial(Reason(.divisionByZero, "count is 0")))
    }
    #expect(buried.filter(\.leavesOutBody).count == 2)
    let codes = broker.parked(by: .transform).compactMap { $0.burial?.reason.code.rawValue }.sorted()
    #expect(codes == ["division_by_zero", "message_too_large"])
  }

  @Test("of a bill with more beside it than a frame holds, the order is parked as it came, for a reason of its own")
  func headers() async throws {
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, parcel.burial == nil else { return nil }
      return envelope.orderID.rawValue == 11 ? .headersTooLarge("9 bytes, more than a frame of 8") : nil
    }
    let buried = try await work { envelope in .forward([.bill(envelope.orderID.rawValue * 10 + 1)]) }
    #expect(broker.count(in: .bills) == 1 && buried.map(\.leavesOutHeaders) == [false])
    let parked = broker.parked(by: .transform)
    #expect(parked.map(\.envelope) == [.order(1)] && parked.first?.burial?.reason.code == .headersTooLarge)
  }

  @Test(
    "what is to be parked or delayed with more beside it than a frame holds is parked without that, then without its body"
  )
  func buriedHeaders() async throws {
    let tooLarge = tooLarge
    outbox.fail { parcel in
      guard parcel.leavesOutHeaders else { return .headersTooLarge("9 bytes, more than a frame of 8") }
      return parcel.leavesOutBody ? nil : tooLarge
    }
    let buried = try await work { envelope in
      envelope.orderID.rawValue == 1
        ? .retry(Reason(.k3Busy, "busy")) : .dead(Outcome.Burial(Reason(.divisionByZero, "count is 0")))
    }
    #expect(buried.count { $0.leavesOutHeaders && !$0.leavesOutBody } == 2)
    #expect(buried.count { $0.leavesOutHeaders && $0.leavesOutBody } == 2)
    let codes = broker.parked(by: .transform).compactMap { $0.burial?.reason.code.rawValue }.sorted()
    #expect(codes == ["division_by_zero", "headers_too_large"])
  }

  @Test("an order with more beside it than a frame holds does not hold up the poller")
  func polledHeaders() async throws {
    let source = MemoryOrderSource(now: noon)
    for id: Int64 in 1...3 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -60)) }
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 2 else { return nil }
      return parcel.leavesOutHeaders ? nil : .headersTooLarge("9 bytes, more than a frame of 8")
    }
    let poller = Poller(
      source: source, ledger: MemoryPollLedger(), outbox: outbox,
      plan: PollPlan(since: noon.advanced(bySeconds: -3600)),
      clock: pipelineClock(clock), logger: silent)
    try await poller.once()
    #expect(broker.count(in: .orders) == 2)
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.headersTooLarge])
  }

  @Test("an order that is holds up no other at the poller: it is parked, and the watermark goes on")
  func polled() async throws {
    let source = MemoryOrderSource(now: noon)
    for id: Int64 in 1...3 { source.put(id: id, number: "SO\(id)", updated: noon.advanced(bySeconds: -60)) }
    let (ledger, tooLarge) = (MemoryPollLedger(), tooLarge)
    outbox.fail { parcel in
      guard case .envelope(let envelope) = parcel.content, envelope.orderID.rawValue == 2 else { return nil }
      return parcel.leavesOutBody ? nil : tooLarge
    }
    let poller = Poller(
      source: source, ledger: ledger, outbox: outbox, plan: PollPlan(since: noon.advanced(bySeconds: -3600)),
      clock: pipelineClock(clock), logger: silent)
    try await poller.once()
    #expect(try await ledger.watermark(of: .orders) == noon.advanced(bySeconds: -5))
    #expect(broker.count(in: .orders) == 2)
    #expect(broker.parked(by: .transform).map { $0.burial?.reason.code } == [.messageTooLarge])
    try await poller.once()
    #expect(broker.parked(by: .transform).count == 1)
  }

  @Test("a letter that is does not end a replay")
  func replayed() async throws {
    let (archive, queues) = (MemoryDeadLetters(), MemoryDeadQueues())
    _ = try await archive.file((1...120).map { deadLetter($0) })
    queues.refuse([OrderID(rawValue: 7)], as: tooLarge)
    let result = try await DeadLetterOffice(archive: archive, queues: queues).replay(Array(1...120), by: "ann")
    #expect(result.replayed.count == 119 && result.refused.map(\.id) == [7])
  }
}
