public import Pipeline
import Orders
import TestSockets
import Testing

/// Queues under test.
public struct InboxOutboxSubject: Sendable {
  /// A new inbox of a stage.
  public let inbox: @Sendable (StageName) -> any Inbox
  /// The outbox.
  public let outbox: any Outbox
  /// What a stage has parked, oldest first; waits until there are so many.
  public let parked: @Sendable (StageName, _ count: Int) async throws -> [ParkedMessage]
  /// Lets so many seconds pass, where time is not real.
  public let pass: @Sendable (_ seconds: Int) async -> Void

  /// A subject. Its shortest delay is 1 s.
  public init(
    inbox: @escaping @Sendable (StageName) -> any Inbox, outbox: any Outbox,
    parked: @escaping @Sendable (StageName, _ count: Int) async throws -> [ParkedMessage],
    pass: @escaping @Sendable (_ seconds: Int) async -> Void
  ) {
    self.inbox = inbox
    self.outbox = outbox
    self.parked = parked
    self.pass = pass
  }

  /// Publishes envelopes one by one: those that are published together may come, and come again, together.
  func publishApart(_ envelopes: [Envelope]) async {
    for envelope in envelopes { await publish([envelope]) }
  }

  func publish(_ envelopes: [Envelope], to queue: QueueName = .orders) async {
    let results = await outbox.publish(envelopes.map { Parcel(to: .queue(queue), .envelope($0)) })
    #expect(results == Array(repeating: .confirmed, count: envelopes.count))
  }
}

private func order(_ id: Int64) -> Envelope {
  Envelope(
    orderID: OrderID(rawValue: id), orderNumber: "SO-\(id) 甲", revision: 3,
    updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1_700_000_000_123,
    content: .order(Array(#"{"order_id":\#(id),"name":"甲"}"#.utf8)))
}

/// Takes until so many are there.
private func take(_ count: Int, from inbox: any Inbox) async -> [Delivery] {
  var taken: [Delivery] = []
  while taken.count < count {
    let more = await inbox.next(max: count - taken.count)
    if more.isEmpty { break }
    taken += more
  }
  return taken
}

extension Delivery {
  fileprivate var readable: Envelope? { try? envelope.get() }
}

/// What every pair of `Inbox` and `Outbox` does.
public let inboxOutboxContract: [ContractCase<InboxOutboxSubject>] = deliveryCases + endCases + routeCases

private let deliveryCases: [ContractCase<InboxOutboxSubject>] = [
  ContractCase("a message arrives with all that was known of it") { subject async throws in
    var envelope = order(14_000_000_000_001)
    envelope.attempt = 4
    envelope.lastReason = Reason(.k3Busy, "K/3 was busy: 系统忙")
    await subject.publish([envelope])
    let inbox = subject.inbox(.transform)
    let delivery = try #require(await inbox.next(max: 10).first)
    #expect(delivery.readable == envelope)
    #expect(delivery.body == envelope.body)
    inbox.acknowledge([delivery.receipt])
    await inbox.close()
  },
  ContractCase("a bill arrives in the loader's queue") { subject async throws in
    let bill = Bill(object: "SO", number: "SO-1", body: Array(#"{"Data":{}}"#.utf8))
    let envelope = order(1).carrying(.bill(bill, BillRoute(strategy: "sales-order", stream: "SO")))
    await subject.publish([envelope], to: .bills)
    let inbox = subject.inbox(.load)
    let delivery = try #require(await inbox.next(max: 10).first)
    #expect(delivery.readable == envelope)
    await inbox.close()
  },
  ContractCase("next gives at most what was asked for, in the order of publishing") { subject async throws in
    await subject.publish((1...10).map { order($0) })
    let inbox = subject.inbox(.transform)
    var taken: [Delivery] = []
    while taken.count < 10 {
      let some = await inbox.next(max: 3)
      #expect((1...3).contains(some.count))
      taken += some
    }
    #expect(taken.map { $0.readable?.orderID.rawValue } == (1...10).map { Int64($0) })
    await inbox.close()
  },
  ContractCase("what was acknowledged does not come again, what was not does") { subject async throws in
    await subject.publishApart((1...6).map { order($0) })
    let first = subject.inbox(.transform)
    let taken = await take(6, from: first)
    first.acknowledge([taken[0], taken[1], taken[4]].map(\.receipt))
    await first.close()
    let second = subject.inbox(.transform)
    let again = await take(3, from: second)
    #expect(again.compactMap { $0.readable?.orderID.rawValue }.sorted() == [3, 4, 6])
    second.acknowledge(again.map(\.receipt))
    await second.close()
  },
  ContractCase("of what was published together none comes again once all is acknowledged") { subject async throws in
    await subject.publish((1...40).map { order($0) })
    let first = subject.inbox(.transform)
    let taken = await take(40, from: first)
    #expect(taken.compactMap { $0.readable?.orderID.rawValue } == Array(1...40))
    #expect(Set(taken.map(\.receipt)).count == 40)
    first.acknowledge(taken.shuffled().map(\.receipt))
    await first.close()
    await subject.publish([order(99)])
    let second = subject.inbox(.transform)
    #expect(await second.next(max: 50).compactMap { $0.readable?.orderID.rawValue } == [99])
    await second.close()
  },
  ContractCase("of what was published together each comes again that was not acknowledged") { subject async throws in
    await subject.publish((1...40).map { order($0) })
    let first = subject.inbox(.transform)
    let taken = await take(40, from: first)
    let kept: Set<Int> = [0, 15, 16, 39]
    first.acknowledge(taken.indices.filter { !kept.contains($0) }.map { taken[$0].receipt })
    await first.close()
    let second = subject.inbox(.transform)
    var missing: Set<Int64> = [1, 16, 17, 40]
    while !missing.isEmpty {
      let again = await second.next(max: 7)
      if again.isEmpty { break }
      missing.subtract(again.compactMap { $0.readable?.orderID.rawValue })
    }
    #expect(missing.isEmpty)
    await second.close()
  },
  ContractCase("a receipt of another connection settles nothing") { subject async throws in
    await subject.publish([order(1)])
    let first = subject.inbox(.transform)
    let receipt = try #require(await first.next(max: 1).first).receipt
    first.acknowledge([Delivery.Receipt(session: receipt.session + 1, tag: receipt.tag)])
    await first.close()
    let second = subject.inbox(.transform)
    #expect(await second.next(max: 1).first?.readable == order(1))
    await second.close()
  },
  ContractCase("two inboxes share a queue, each message goes to one of them") { subject async throws in
    let inboxes = [subject.inbox(.transform), subject.inbox(.transform)]
    await subject.publish((1...40).map { order($0) })
    let collected = Probe<Int64>()
    await withTaskGroup(of: Void.self) { group in
      for inbox in inboxes {
        group.addTask {
          while true {
            let some = await inbox.next(max: 7)
            if some.isEmpty { return }
            inbox.acknowledge(some.map(\.receipt))
            for delivery in some { collected.report(delivery.readable?.orderID.rawValue ?? -1) }
          }
        }
      }
      _ = try? await collected.wait { $0.count >= 40 }
      for inbox in inboxes { await inbox.stop() }
    }
    #expect(collected.events.sorted() == (1...40).map { Int64($0) })
    for inbox in inboxes { await inbox.close() }
  },
]

private let endCases: [ContractCase<InboxOutboxSubject>] = [
  ContractCase("a stop ends a waiting next with nothing, and all later ones") { subject async throws in
    let inbox = subject.inbox(.transform)
    async let waiting = inbox.next(max: 10)
    #expect(!inbox.isStopped)
    await inbox.stop()
    #expect(inbox.isStopped)
    #expect(await waiting.isEmpty)
    await subject.publish([order(1)])
    #expect(await inbox.next(max: 10).isEmpty)
    #expect(!inbox.isReady)
    await inbox.close()
    let other = subject.inbox(.transform)
    #expect(await other.next(max: 10).count == 1)
    await other.close()
  },
  ContractCase("what was lent before a stop can still be acknowledged") { subject async throws in
    await subject.publishApart([order(1), order(2)])
    let inbox = subject.inbox(.transform)
    let lent = await take(2, from: inbox)
    #expect(inbox.isReady)
    await inbox.stop()
    inbox.acknowledge([lent[0].receipt])
    await inbox.close()
    let other = subject.inbox(.transform)
    #expect(await other.next(max: 10).map { $0.readable?.orderID.rawValue } == [2])
    await other.close()
  },
  ContractCase("a cancelled next ends with nothing, and the inbox goes on") { subject async throws in
    let inbox = subject.inbox(.transform)
    let waiting = Task { await inbox.next(max: 10) }
    waiting.cancel()
    #expect(try await ended(waiting).isEmpty)
    await subject.publish([order(1)])
    #expect(await inbox.next(max: 10).count == 1)
    await inbox.close()
  },
  ContractCase("a closed outbox refuses") { subject async throws in
    await subject.publish([order(1)])
    #expect(subject.outbox.isReady)
    await subject.outbox.close()
    let results = await subject.outbox.publish([Parcel(to: .queue(.orders), .envelope(order(2)))])
    guard case .refused? = results.first else {
      Issue.record("a closed outbox answered \(results)")
      return
    }
    #expect(!subject.outbox.isReady)
  },
]

private let routeCases: [ContractCase<InboxOutboxSubject>] = [
  ContractCase("an empty batch is no mistake") { subject async throws in
    #expect(await subject.outbox.publish([]).isEmpty)
  },
  ContractCase("a batch of a thousand is confirmed whole, and each message arrives once") { subject async throws in
    await subject.publish((1...1_000).map { order($0) })
    let inbox = subject.inbox(.transform)
    var ids: [Int64] = []
    while ids.count < 1_000 {
      let some = await inbox.next(max: 256)
      if some.isEmpty { break }
      inbox.acknowledge(some.map(\.receipt))
      ids += some.compactMap { $0.readable?.orderID.rawValue }
    }
    #expect(ids.sorted() == (1...1_000).map { Int64($0) })
    await inbox.close()
  },
  ContractCase("a retry comes back to its stage's queue after its delay") { subject async throws in
    let envelope = order(1).again(Reason(.k3Busy, "busy"), counted: true)
    let parcel = Parcel(to: .retry(.transform, afterSeconds: 1), .envelope(envelope))
    #expect(await subject.outbox.publish([parcel]) == [.confirmed])
    await subject.pass(1)
    let inbox = subject.inbox(.transform)
    let delivery = try #require(await inbox.next(max: 1).first)
    #expect(delivery.readable == envelope)
    inbox.acknowledge([delivery.receipt])
    await inbox.close()
  },
  ContractCase("a message can go round through the delay many times") { subject async throws in
    let inbox = subject.inbox(.transform)
    await subject.publish([order(1)])
    for attempt in 1...4 {
      let delivery = try #require(await inbox.next(max: 1).first)
      let envelope = try delivery.envelope.get()
      #expect(envelope.attempt == attempt)
      let again = envelope.again(Reason(.k3Busy, "busy"), counted: true)
      let parcel = Parcel(to: .retry(.transform, afterSeconds: 0), .envelope(again))
      #expect(await subject.outbox.publish([parcel]) == [.confirmed])
      inbox.acknowledge([delivery.receipt])
      await subject.pass(1)
    }
    #expect(try #require(await inbox.next(max: 1).first).readable?.attempt == 5)
    await inbox.close()
  },
  ContractCase("a message tells how often it was lent and came back, and what it has gone through in another one") {
    subject async throws in
    var parcel = Parcel(to: .queue(.orders), .envelope(order(1)))
    parcel.returns = 2
    let both = [parcel, Parcel(to: .queue(.orders), .envelope(order(2)))]
    #expect(await subject.outbox.publish(both) == [.confirmed, .confirmed])
    for returns in 0...1 {
      let inbox = subject.inbox(.transform)
      var lent: [Delivery] = []
      while lent.count < 2 {
        try Task.checkCancellation()
        lent += await inbox.next(max: 2 - lent.count)
      }
      let told = Dictionary(uniqueKeysWithValues: lent.map { ($0.readable?.orderID.rawValue, $0.returns) })
      #expect(told == [1: 2 + returns, 2: returns])
      await inbox.close()
    }
  },
  ContractCase("a parked message is kept with its reason and the vendor's answer") { subject async throws in
    let burial = Outcome.Burial(Reason(.k3Rejected, "K/3 refused 物料"), vendorAnswer: #"{"StatusCode":500}"#)
    let results = await subject.outbox.publish([
      Parcel(to: .dead(.transform), .envelope(order(1)), burial: burial),
      Parcel(to: .dead(.transform), .unreadable([0xff, 0x00]), burial: Outcome.Burial(Reason(.undecodable, "odd"))),
    ])
    #expect(results == [.confirmed, .confirmed])
    let parked = try await subject.parked(.transform, 2)
    #expect(parked.count == 2)
    #expect(parked.first == ParkedMessage(envelope: order(1), body: order(1).body, burial: burial))
    #expect(parked.last?.body == [0xff, 0x00])
    #expect(parked.last?.burial?.reason == Reason(.undecodable, "odd"))
  },
]
