import AMQP
import AMQPTesting
import Dispatch
import Orders
import Pipeline
import PipelineTesting
import Telemetry
import TelemetryTesting
import Testing

@testable import Queue

/// What is told of publishing and acknowledging, by messages.
@Suite("Metrics of the queues", .timeLimit(.minutes(2)))
struct MeterTests {
  private let registry = MetricsRegistry(dividing: ["ferry_confirm_seconds": [60]])

  private func parcels(_ ids: ClosedRange<Int64>, to queue: QueueName = .orders) -> [Parcel] {
    ids.map { id in
      let order = Envelope(
        orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: 1,
        updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1, content: .order(Array("{}".utf8)))
      return Parcel(to: .queue(queue), .envelope(order))
    }
  }

  @Test("messages are unconfirmed until the last of their round is confirmed, and each round is timed once")
  func unconfirmed() async throws {
    let letGo = DispatchSemaphore(value: 0)
    let arrived = Probe<Int>()
    let peer = try FakePeer { session in
      try session.letPublish()
      try session.publishes(3)
      arrived.report(3)
      letGo.wait()
      try session.send([60, 80], Bytes().longlong(4).byte(1))
      try session.publishes(1)
      try session.send([60, 80], Bytes().longlong(5).byte(0))
      session.untilEnd()
    }
    defer { letGo.signal() }
    let outbox = RabbitOutbox(
      try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/"), topology: try Topology(),
      meter: PublishMeter(stage: "poll", factory: registry))
    #expect(
      registry.has(#"ferry_unconfirmed{stage="poll"} 0"#) && registry.has(#"ferry_returned_total{stage="poll"} 0"#))
    // 40 orders are messages of 16, 16 and 8.
    let many = parcels(1...40)
    async let results = outbox.publish(many)
    try await arrived.wait { $0.count == 1 }
    #expect(
      registry.has(#"ferry_unconfirmed{stage="poll"} 3"#)
        && registry.has(#"ferry_confirm_seconds_count{stage="poll"} 0"#))
    letGo.signal()
    #expect(await results.allSatisfy { $0 == .confirmed })
    #expect(
      registry.has(#"ferry_unconfirmed{stage="poll"} 0"#)
        && registry.has(#"ferry_confirm_seconds_count{stage="poll"} 1"#))
    #expect(await outbox.publish(parcels(1...1)) == [.confirmed])
    #expect(registry.has(#"ferry_confirm_seconds_bucket{stage="poll",le="60"} 2"#))
    peer.stop()
    await outbox.close()
  }

  @Test("messages whose connection is lost are not unconfirmed for ever; their round counts")
  func lost() async throws {
    let peer = try FakePeer { session in
      try session.letPublish()
      try session.publishes(1)
    }
    let outbox = RabbitOutbox(
      try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/"), topology: try Topology(),
      meter: PublishMeter(stage: "load", factory: registry))
    guard case .unknown = await outbox.publish(parcels(1...1))[0] else {
      Issue.record("the message is not in doubt")
      return
    }
    #expect(
      registry.has(#"ferry_unconfirmed{stage="load"} 0"#)
        && registry.has(#"ferry_confirm_seconds_count{stage="load"} 1"#))
    peer.stop()
    await outbox.close()
  }

  @Test("messages that no queue takes are counted, each time that they are published; others are not")
  func returned() async throws {
    try await withTopology { broker async throws in
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await connection.deleteQueue(broker.topology.name(of: .bills))
      await connection.close()
      let outbox = RabbitOutbox(
        broker.settings, topology: broker.topology, meter: PublishMeter(stage: "transform", factory: registry))
      let mixed = parcels(1...1) + parcels(2...3, to: .bills) + parcels(4...4)
      for round in 1...2 {
        let results = await outbox.publish(mixed)
        #expect(results.map { $0 == .confirmed } == [true, false, false, true])
        // Two bills, one message.
        #expect(registry.has(#"ferry_returned_total{stage="transform"} \#(round)"#))
      }
      #expect(registry.has(#"ferry_unconfirmed{stage="transform"} 0"#))
      await outbox.close()
    }
  }

  @Test("a message is lent until the last of what it carries is acknowledged, and counts as settled only then")
  func settled() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      #expect(await outbox.publish(parcels(1...20)).allSatisfy { $0 == .confirmed })
      await outbox.close()
      let inbox = RabbitInbox(
        broker.settings, topology: broker.topology, stage: .transform, prefetch: 100,
        meter: InboxMeter(stage: .transform, factory: registry))
      #expect(inbox.lentMessages == 0 && registry.has(#"ferry_settled_messages_total{stage="transform"} 0"#))
      var lent: [Delivery] = []
      while lent.count < 20 { lent += await inbox.next(max: 100) }
      try await turned(inbox)
      // Of 16 and of 4 orders.
      #expect(inbox.lentMessages == 2)
      inbox.acknowledge(lent.prefix(15).map(\.receipt))
      try await turned(inbox)
      #expect(inbox.lentMessages == 2 && registry.has(#"ferry_settled_messages_total{stage="transform"} 0"#))
      inbox.acknowledge([lent[15].receipt])
      try await turned(inbox)
      #expect(inbox.lentMessages == 1 && registry.has(#"ferry_settled_messages_total{stage="transform"} 1"#))
      inbox.acknowledge(lent.suffix(4).map(\.receipt))
      try await turned(inbox)
      #expect(inbox.lentMessages == 0 && registry.has(#"ferry_settled_messages_total{stage="transform"} 2"#))
      await inbox.close()
      #expect(inbox.lentMessages == 0)
    }
  }

  /// The connection's thread has been through all that it was given: a second question is answered in a later turn.
  private func turned(_ inbox: RabbitInbox) async throws {
    for _ in 1...2 { _ = try #require(await inbox.ready()) }
  }
}
