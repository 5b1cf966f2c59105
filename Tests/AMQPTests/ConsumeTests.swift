import AMQP
import AMQPTesting
import func TestSockets.ended
import Testing

@Suite(.timeLimit(.minutes(2))) struct ConsumeTests {
  private func fill(_ connection: AMQPConnection, _ name: String, _ count: Int) async throws {
    let results = await connection.publish((0..<count).map { message("\($0)", to: name) }, timeoutSeconds: 30)
    try #require(results == Array(repeating: .confirmed, count: count))
  }

  @Test("acks in any order leave exactly the other messages for the next consumer")
  func outOfOrder() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await fill(connection, name, 12)
      let consumer = try await Broker.open()
      try await consumer.consume(queue: name, prefetch: 12)
      let deliveries = try await consumer.take(12)
      let tags = deliveries.map(\.tag)
      #expect(deliveries.allSatisfy { !$0.redelivered })
      consumer.acknowledge([tags[2], tags[0], tags[1]])
      consumer.acknowledge([tags[5]])
      consumer.acknowledge([tags[9], tags[7]])
      await consumer.close()
      try await connection.consume(queue: name, prefetch: 20)
      let left = try await connection.take(6)
      #expect(left.compactMap(\.properties.messageID) == ["3", "4", "6", "8", "10", "11"])
      #expect(left.allSatisfy { $0.redelivered })
      #expect(try await connection.get(queue: name) == nil)
    }
  }

  @Test("a tag counts once, and tags of another connection are ignored")
  func once() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.declareQueue(name: name + ".2")
      try await fill(connection, name, 3)
      try await fill(connection, name + ".2", 3)
      let other = try await Broker.open()
      try await other.consume(queue: name + ".2", prefetch: 10)
      let foreign = try await other.take(3).map(\.tag)
      try await connection.consume(queue: name, prefetch: 10)
      let own = try await connection.take(3).map(\.tag)
      connection.acknowledge(foreign)
      connection.reject(foreign, requeue: false)
      connection.acknowledge([own[0], own[0]])
      connection.acknowledge([own[0], 0, 17, .max])
      connection.reject([own[0]], requeue: true)
      await connection.close()
      #expect(connection.failure == .closed)
      await other.close()
      let third = try await Broker.open()
      #expect(try await third.drainIDs(name) == ["1", "2"])
      #expect(try await third.drainIDs(name + ".2") == ["0", "1", "2"])
      await third.close()
    }
  }

  @Test("a rejected message goes back to the queue or to the dead letters, as asked")
  func rejected() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(
        name: name,
        arguments: [
          AMQPHeader("x-dead-letter-exchange", .string("")),
          AMQPHeader("x-dead-letter-routing-key", .string(name + ".2")),
        ])
      try await connection.declareQueue(name: name + ".2")
      try await fill(connection, name, 4)
      try await connection.consume(queue: name, prefetch: 4)
      let deliveries = try await connection.take(4)
      connection.reject([deliveries[1].tag], requeue: false)
      connection.reject([deliveries[2].tag], requeue: true)
      connection.acknowledge([deliveries[0].tag, deliveries[3].tag])
      let again = try await connection.take(1)
      #expect(again[0].properties.messageID == "2")
      #expect(again[0].redelivered)
      connection.acknowledge([again[0].tag])
      await connection.cancelConsumer()
      let other = try await Broker.open()
      try await other.consume(queue: name + ".2", prefetch: 1)
      let dead = try await other.take(1)
      #expect(dead[0].properties.messageID == "1")
      #expect(dead[0].properties[header: "x-first-death-reason"] == .string("rejected"))
      await other.close()
    }
  }

  @Test("a reader that gathers is answered when enough are there, and no sooner")
  func enough() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.consume(queue: name, prefetch: 20)
      let gathering = AMQPGathering(enough: 3, atMost: .seconds(3_600))
      // Some before the reader comes, some after it.
      try await fill(connection, name, 1)
      async let early = connection.deliveries(max: 10, gathering: gathering)
      try await fill(connection, name, 1)
      try await fill(connection, name, 1)
      #expect(try await early.count == 3)
      try await fill(connection, name, 2)
      #expect(try await connection.deliveries(max: 2, gathering: gathering).count == 2)
    }
  }

  @Test("a reader that gathers is answered when the oldest has waited, whichever of them came first")
  func waited() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.consume(queue: name, prefetch: 20)
      let gathering = AMQPGathering(enough: 3, atMost: .milliseconds(30))
      async let early = connection.deliveries(max: 10, gathering: gathering)
      try await fill(connection, name, 1)
      #expect(try await early.count == 1)
      try await fill(connection, name, 2)
      // Both are there: the reader alone makes the thread look at its clock.
      #expect(try await connection.deliveries(max: 1).count == 1)
      #expect(try await connection.deliveries(max: 10, gathering: gathering).count == 1)
    }
  }

  @Test("a reader that gathers what is there is answered in time by a thread that would sleep for much longer")
  func gathered() async throws {
    let peer = try FakePeer(heartbeat: 3_600) { session in
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      while true {
        try session.until([50, 10])
        for tag in UInt64(1)...2 {
          try session.send([60, 60], Bytes().text("c").longlong(tag).byte(0).text("").text("q"))
          try session.frame(2, Bytes().short(60).short(0).longlong(0).short(0).all, channel: 1)
        }
        try session.send([50, 11], Bytes().text("q").long(0).long(0))
      }
    }
    // The thread looks around a few times in a heartbeat, but once a minute at least: three of these are too many here.
    let connection = try await AMQPConnection.open(fakeOptions(peer) { $0.heartbeatSeconds = 3_600 })
    try await connection.consume(queue: "q", prefetch: 20)
    let gathering = AMQPGathering(enough: 3, atMost: .milliseconds(200))
    for _ in 0..<3 {
      // What was sent before the answer is there with it.
      _ = try await connection.declareQueue(name: "q", passive: true)
      #expect(try await connection.deliveries(max: 1).count == 1)
      #expect(try await connection.deliveries(max: 10, gathering: gathering).count == 1)
    }
    peer.stop()
  }

  @Test("a reader that gathers is answered when the broker sends no more, and when the connection ends")
  func noMore() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.consume(queue: name, prefetch: 20)
      let gathering = AMQPGathering(enough: 3, atMost: .seconds(3_600))
      async let left = connection.deliveries(max: 10, gathering: gathering)
      try await fill(connection, name, 1)
      await connection.cancelConsumer()
      #expect(try await left.count == 1)
      try await connection.consume(queue: name, prefetch: 20)
      try await fill(connection, name, 1)
      let failed = Task { try await connection.deliveries(max: 10, gathering: gathering) }
      await connection.close()
      await #expect(throws: AMQPFailure.closed) { try await failed.value }
    }
  }

  @Test("after cancelConsumer what had arrived can still be taken and acknowledged, and then comes nothing")
  func drained() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await fill(connection, name, 10)
      let consumer = try await Broker.open()
      try await consumer.consume(queue: name, prefetch: 6)
      let first = try await consumer.take(1)
      // An answered question behind the deliveries: the prefetched ones have arrived when it is answered.
      try await consumer.declareQueue(name: name, passive: true)
      await consumer.cancelConsumer()
      var rest: [AMQPDelivery] = []
      while case let more = try await consumer.deliveries(max: 2), !more.isEmpty { rest += more }
      #expect((first + rest).compactMap(\.properties.messageID) == (0..<rest.count + 1).map { "\($0)" })
      #expect(rest.count <= 5)
      consumer.acknowledge((first + rest).map(\.tag))
      #expect(try await consumer.deliveries(max: 2).isEmpty)
      // A new consumer may follow on the same connection.
      try await consumer.consume(queue: name, prefetch: 10)
      let after = try await consumer.take(9 - rest.count)
      #expect(after.compactMap(\.properties.messageID) == (rest.count + 1..<10).map { "\($0)" })
      await consumer.close()
    }
  }

  @Test("a reader that waits while the consumer is cancelled gets nothing, and ends")
  func drainedWaiting() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.consume(queue: name, prefetch: 6)
      let waiting = Task { try await connection.deliveries(max: 5) }
      await connection.cancelConsumer()
      #expect(try await ended(waiting).isEmpty)
    }
  }

  @Test("a queue deleted under its consumer ends it with what had arrived, and the connection lives on")
  func deleted() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await fill(connection, name, 3)
      let consumer = try await Broker.open()
      try await consumer.consume(queue: name, prefetch: 10)
      #expect(try await consumer.take(3).count == 3)
      let waiting = Task { try await consumer.deliveries(max: 1) }
      try await connection.deleteQueue(name)
      await #expect(throws: AMQPFailure.consumerCancelled(queue: name)) { try await ended(waiting) }
      await #expect(throws: AMQPFailure.consumerCancelled(queue: name)) { try await consumer.deliveries(max: 1) }
      #expect(consumer.failure == nil)
      try await consumer.declareQueue(name: name)
      try await consumer.consume(queue: name, prefetch: 10)
      try await fill(connection, name, 1)
      #expect(try await consumer.take(1).count == 1)
      await consumer.close()
    }
  }

  @Test("a cancelled task gets nothing and loses nothing")
  func cancelled() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let consumer = try await Broker.open()
      try await consumer.consume(queue: name, prefetch: 10)
      let waiting = Task { try await consumer.deliveries(max: 5) }
      waiting.cancel()
      #expect(try await ended(waiting).isEmpty)
      try await fill(connection, name, 1)
      #expect(try await consumer.take(1).count == 1)
      await consumer.close()
    }
  }

  @Test("readers cancelled at any moment leave every message to be taken once")
  func cancelledOften() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let consumer = try await Broker.open()
      try await consumer.consume(queue: name, prefetch: 200)
      let count = 2_000
      async let filled: Void = fill(connection, name, count)
      var seen: [String] = []
      while seen.count < count {
        let reader = Task { try await consumer.deliveries(max: 7) }
        if seen.count % 3 != 0 { reader.cancel() }
        let deliveries = try await ended(reader)
        consumer.acknowledge(deliveries.map(\.tag))
        seen += deliveries.compactMap(\.properties.messageID)
      }
      try await filled
      #expect(seen == (0..<count).map { "\($0)" })
      await consumer.close()
    }
  }

  @Test("get takes one message, or tells that there is none")
  func get() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      #expect(try await connection.get(queue: name) == nil)
      try await fill(connection, name, 2)
      let first = try await connection.get(queue: name)
      #expect(first?.properties.messageID == "0")
      connection.acknowledge([try #require(first).tag])
      #expect(try await connection.purgeQueue(name) == 1)
      #expect(try await connection.get(queue: name) == nil)
    }
  }

  @Test("without a consumer there is nothing to wait for, and one connection has one")
  func misuse() async throws {
    try await Broker.with { connection, name in
      await #expect(throws: AMQPFailure.invalid("nothing is consumed on this connection")) {
        try await connection.deliveries(max: 1)
      }
      try await connection.declareQueue(name: name)
      try await connection.consume(queue: name, prefetch: 1)
      await #expect(throws: AMQPFailure.invalid("one connection has one consumer")) {
        try await connection.consume(queue: name, prefetch: 1)
      }
      await #expect(throws: AMQPFailure.invalid("prefetch is 0, not from 1 to 65535")) {
        try await connection.consume(queue: name, prefetch: 0)
      }
      await #expect(throws: AMQPFailure.self) { try await connection.deliveries(max: 0) }
    }
  }
}
