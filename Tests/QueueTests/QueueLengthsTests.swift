import AMQP
import AMQPTesting
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import Queue

@Suite("How long the queues are", .timeLimit(.minutes(2)))
struct QueueLengthsTests {
  private static let bill = Envelope(
    orderID: OrderID(rawValue: 1), orderNumber: "SO-1", revision: 1,
    updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1, content: .removal)

  private static func publish(_ counts: [(Destination, Int)], _ broker: FreshTopology) async {
    let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
    for (destination, count) in counts {
      for _ in 0..<count { _ = await outbox.publish([Parcel(to: destination, .envelope(bill))]) }
    }
    await outbox.close()
  }

  /// A pacing in which no attempt to connect may be waited for.
  private let hurried = Pacing(
    sleep: { Issue.record("waited for \($0)") }, random: { 0.5 }, now: { 0 })

  @Test("each queue is told by its name without the prefix, and what is lent to a worker is not ready any more")
  func counts() async throws {
    try await withTopology { broker async throws in
      await Self.publish([(.queue(.orders), 3), (.dead(.transform), 2), (.dead(.load), 1)], broker)
      let lengths = RabbitQueueLengths(broker.settings, topology: broker.topology, pacing: hurried)
      #expect(Set(lengths.names) == Set(broker.topology.queues.map(\.routingKey)) && lengths.names.count == 6)
      var expected = [
        "orders": 3, "orders.retry.1s": 0, "orders.dead": 2, "bills": 0, "bills.retry.1s": 0, "bills.dead": 1,
      ]
      #expect(await lengths.ready() == expected)
      let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 100)
      var lent = 0
      while lent < 3 { lent += await inbox.next(max: 3).count }
      expected["orders"] = 0
      #expect(await lengths.ready() == expected)
      await inbox.close()
      await lengths.close()
      #expect(await lengths.ready() == [:])
    }
  }

  @Test("queues that are missing are left out, the others told at once; they are told again when they are there again")
  func missing() async throws {
    try await withTopology { broker async throws in
      await Self.publish([(.queue(.orders), 3), (.dead(.load), 2)], broker)
      let lengths = RabbitQueueLengths(broker.settings, topology: broker.topology, pacing: hurried)
      #expect(await lengths.ready().count == 6)
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      for name in ["orders.retry.1s", "bills", "bills.dead"] {
        try await connection.deleteQueue(broker.topology.prefix + name)
      }
      for _ in 1...2 {
        #expect(await lengths.ready() == ["orders": 3, "orders.dead": 0, "bills.retry.1s": 0])
      }
      #expect(try await broker.administration.apply().isEmpty)
      #expect(await lengths.ready().count == 6)
      await connection.close()
      await lengths.close()
    }
  }

  @Test("a broker that goes away in the middle has told what it has told; one that is not there tells nothing")
  func away() async throws {
    let peer = try FakePeer { session in
      for count in [7, 9] {
        try session.until([50, 10])
        try session.send([50, 11], Bytes().text("a queue").long(count).long(1))
      }
      try session.until([50, 10])
    }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let topology = try Topology()
    let pauses = Probe<Duration>()
    let pacing = Pacing(sleep: { pauses.report($0) }, random: { 0.5 }, now: { 0 })
    let lengths = RabbitQueueLengths(settings, topology: topology, pacing: pacing)
    let names = lengths.names
    #expect(await lengths.ready() == [names[0]: 7, names[1]: 9])
    #expect(pauses.events == [])
    peer.stop()
    // A loss is waited out, unlike a queue that is missing.
    #expect(await lengths.ready() == [:])
    #expect(pauses.events == [.milliseconds(250)])
    await lengths.close()
  }

  @Test("who rests has no connection, and the next question makes one")
  func rest() async throws {
    try await withTopology { broker async throws in
      let lengths = RabbitQueueLengths(broker.settings, topology: broker.topology)
      #expect(await lengths.ready().count == 6)
      await lengths.rest()
      await lengths.rest()
      #expect(await lengths.ready().count == 6)
      await lengths.close()
    }
  }
}
