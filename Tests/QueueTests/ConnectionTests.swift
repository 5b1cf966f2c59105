import AMQP
import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import Queue

@Suite("Queues over connections that break", .timeLimit(.minutes(3)))
struct ConnectionTests {
  private func order(_ id: Int64) -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: 1,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1, content: .order(Array("{}".utf8)))
  }

  @Test("an inbox that lost its connection gets everything again, and old receipts settle nothing")
  func inboxReconnects() async throws {
    try await withTopology { broker async throws in
      let events = Probe<QueueEvent>()
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      _ = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
      await outbox.close()
      let inbox = RabbitInbox(
        broker.settings, topology: broker.topology, stage: .transform, prefetch: 10,
        onEvent: { events.report($0) })
      let first = try #require(await inbox.next(max: 10).first)
      try await Management(broker.managementURL).endConnections(named: broker.settings.connectionName + " transform")
      let second = try #require(await inbox.next(max: 10).first)
      #expect(second.receipt.session == first.receipt.session + 1)
      #expect(try second.envelope.get() == order(1))
      #expect(events.events.contains(.connected(2)))
      inbox.acknowledge([first.receipt])
      await inbox.close()

      let third = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 10)
      let again = try #require(await third.next(max: 10).first)
      #expect(try again.envelope.get() == order(1))
      third.acknowledge([again.receipt])
      await third.close()
    }
  }

  @Test("only while something is lent do few messages wait for more")
  func gathering() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let publish = { (ids: ClosedRange<Int64>) in
        for id in ids { _ = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(id)))]) }
      }
      let inbox = RabbitInbox(
        broker.settings, topology: broker.topology, stage: .transform, prefetch: 100, gather: .seconds(3_600))
      await publish(1...1)
      let first = await inbox.next(max: 10)
      #expect(first.count == 1)
      // Of so small a prefetch the broker sends 8 messages, one of which is lent.
      async let gathered = inbox.next(max: 10)
      await publish(2...8)
      let second = await gathered
      #expect(second.count == 7)
      inbox.acknowledge((first + second).map(\.receipt))
      await publish(9...9)
      #expect(await inbox.next(max: 10).count == 1)
      await inbox.close()
      await outbox.close()
    }
  }

  @Test("an outbox that lost its connection publishes over a new one")
  func outboxReconnects() async throws {
    try await withTopology { broker async throws in
      let events = Probe<QueueEvent>()
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology, onEvent: { events.report($0) })
      #expect(!outbox.isReady)
      #expect(await outbox.connect())
      try await Management(broker.managementURL).endConnections(named: broker.settings.connectionName + " outbox")
      // What is under way when the connection ends may be lost: the caller publishes again, as a worker would.
      var results: [PublishResult] = []
      while results != [.confirmed] || !events.events.contains(.connected(2)) {
        try Task.checkCancellation()
        results = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
      }
      #expect(outbox.isReady)
      await outbox.close()
    }
  }

  @Test("an outbox that publishes nothing comes back by itself when its connection ends")
  func idleOutboxReconnects() async throws {
    try await withTopology { broker async throws in
      let events = Probe<QueueEvent>()
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology, onEvent: { events.report($0) })
      let upkeep = Task { await outbox.stayConnected() }
      try await events.wait { $0.contains(.connected(1)) }
      try await Management(broker.managementURL).endConnections(named: broker.settings.connectionName + " outbox")
      try await events.wait { $0.contains(.connected(2)) }
      #expect(outbox.isReady)
      await outbox.close()
      try await ended(upkeep)
    }
  }

  @Test("without a broker an outbox refuses after one attempt, and pauses longer and longer before the next")
  func outboxWithoutBroker() async throws {
    let settings = try RabbitSettings(url: "amqp://guest:secretword@127.0.0.1:1/")
    let pauses = Probe<Duration>()
    let pacing = Pacing(sleep: { pauses.report($0) }, random: { 0.5 }, now: { 0 })
    let outbox = RabbitOutbox(settings, topology: try Topology(), pacing: pacing)
    for _ in 0..<9 {
      let results = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
      guard case .refused(let text)? = results.first else {
        Issue.record("without a broker: \(results)")
        return
      }
      #expect(!text.contains("secretword"))
    }
    #expect(
      pauses.events
        == [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000].map { Duration.milliseconds($0) })
    await outbox.close()
  }

  @Test("an inbox that waits for its next attempt ends at once when it is stopped")
  func stopWhilePausing() async throws {
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:1/")
    let events = Probe<QueueEvent>()
    let clock = ManualClock()
    let pacing = Pacing(on: clock, chance: 0.5)
    let inbox = RabbitInbox(
      settings, topology: try Topology(), stage: .load, prefetch: 1, pacing: pacing, onEvent: { events.report($0) })
    async let waiting = inbox.next(max: 1)
    try await clock.sleepers(atLeast: 1)
    #expect(!inbox.isReady)
    await inbox.stop()
    #expect(await waiting.isEmpty)
    await inbox.close()
  }

  @Test("a topology that is missing is looked for again every few seconds, from the first time on")
  func missingQueue() async throws {
    let settings = try RabbitSettings(url: try TestServers.rabbit())
    let events = Probe<QueueEvent>()
    let clock = ManualClock()
    let pacing = Pacing(on: clock)
    let topology = try Topology(prefix: "absent-\(TestServers.freshWord()).")
    let inbox = RabbitInbox(
      settings, topology: topology, stage: .load, prefetch: 1, pacing: pacing, onEvent: { events.report($0) })
    async let waiting = inbox.next(max: 1)
    try await events.wait { $0.contains(.pausing(milliseconds: 2_500)) }
    await inbox.stop()
    #expect(await waiting.isEmpty)
    await inbox.close()

    let outbox = RabbitOutbox(settings, topology: topology)
    let results = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
    #expect(results != [.confirmed])
    await outbox.close()
  }

  @Test("a message that outlives too many workers is parked by the broker, which says why in a header of its own")
  func deliveryLimit() async throws {
    var limits = Topology.Limits()
    limits.deliveries = 2
    try await withTopology(limits: limits) { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      _ = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
      await outbox.close()
      for _ in 0..<3 {
        let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 1)
        #expect(await inbox.next(max: 1).count == 1)
        await inbox.close()
      }
      let parked = try #require(await broker.deliveries(broker.topology.deadQueue(of: .transform), count: 1).first)
      #expect(try EnvelopeCoding(topology: broker.topology).envelope(of: parked, in: .orders).get() == order(1))
      #expect(parked.properties[header: "ferry-parked-reason"] == nil)
      #expect(parked.properties[header: "x-death"].map { "\($0)" }?.contains("delivery_limit") == true)
    }
  }

  @Test("a message larger than a worker takes in is parked whole, and the next one comes")
  func oversized() async throws {
    try await withTopology { broker async throws in
      let events = Probe<QueueEvent>()
      let size = (16 << 20) + 1
      try await broker.publish(
        AMQPMessage(
          exchange: broker.topology.exchange, routingKey: "orders", body: Array(repeating: 7, count: size)))
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      _ = await outbox.publish([Parcel(to: .queue(.orders), .envelope(order(1)))])
      await outbox.close()
      let inbox = RabbitInbox(
        broker.settings, topology: broker.topology, stage: .transform, prefetch: 2,
        onEvent: { events.report($0) })
      let deliveries = await inbox.next(max: 10)
      #expect(deliveries.map { try? $0.envelope.get() } == [order(1)])
      #expect(events.events.contains(.oversized(.transform, queue: broker.topology.name(of: .orders))))
      inbox.acknowledge(deliveries.map(\.receipt))
      await inbox.close()
      let parked = try #require(await broker.deliveries(broker.topology.deadQueue(of: .transform), count: 1).first)
      #expect(parked.body.count == size)
      #expect(parked.properties[header: "x-death"].map { "\($0)" }?.contains("rejected") == true)
    }
  }

  @Test("a message that no queue takes is refused with the remedy, those beside it are confirmed")
  func unroutable() async throws {
    try await withTopology { broker async throws in
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await connection.deleteQueue(broker.topology.name(of: .bills))
      await connection.close()
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let results = await outbox.publish([
        Parcel(to: .queue(.orders), .envelope(order(1))), Parcel(to: .queue(.bills), .envelope(order(2))),
        Parcel(to: .queue(.orders), .envelope(order(3))),
      ])
      #expect(results.first == .confirmed)
      #expect(results.last == .confirmed)
      guard results.count == 3, case .refused(let text) = results[1] else {
        Issue.record("an unroutable message: \(results)")
        return
      }
      #expect(text.contains("ferry migrate"))
      #expect(outbox.isReady)
      await outbox.close()
    }
  }

  @Test("what is not ours comes as undecodable, with its body")
  func foreign() async throws {
    try await withTopology { broker async throws in
      try await broker.publish(
        AMQPMessage(
          exchange: broker.topology.exchange, routingKey: "bills",
          properties: AMQPProperties(headers: [AMQPHeader("ferry-format", .string("1"))]), body: [1, 2, 3]))
      let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .load, prefetch: 1)
      let delivery = try #require(await inbox.next(max: 1).first)
      #expect(
        delivery.envelope == .failure(Reason(.undecodable, "the header ferry-format is text, not a whole number")))
      #expect(delivery.body == [1, 2, 3])
      await inbox.close()
    }
  }
}
