import AMQP
import func TestSockets.ended
import Testing

@Suite(.timeLimit(.minutes(2))) struct TopologyTests {
  @Test("asking for a queue that is not there closes the channel with 404, and every later call says so")
  func missing() async throws {
    try await Broker.with { _, name in
      let connection = try await Broker.open()
      let failure = await #expect(throws: AMQPFailure.self) {
        try await connection.declareQueue(name: name, passive: true)
      }
      guard case .channelClosed(404, let text)? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(text.contains("NOT_FOUND"))
      #expect(connection.failure == failure)
      let known = try #require(failure)
      await #expect(throws: known) { try await connection.purgeQueue(name) }
      await #expect(throws: known) { try await connection.deliveries(max: 1) }
      await connection.close()
    }
  }

  @Test("declaring a queue again with other arguments closes the channel with 406")
  func mismatch() async throws {
    try await Broker.with { connection, name in
      let limit = [AMQPHeader("x-max-length", .int(10))]
      try await connection.declareQueue(name: name, arguments: limit)
      try await connection.declareQueue(name: name, arguments: limit)
      let other = try await Broker.open()
      let failure = await #expect(throws: AMQPFailure.self) { try await other.declareQueue(name: name) }
      guard case .channelClosed(406, _)? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      await other.close()
    }
  }

  @Test("a consumer that waits learns the channel's end")
  func waiting() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let other = try await Broker.open()
      try await other.consume(queue: name, prefetch: 1)
      let waiting = Task { try await other.deliveries(max: 1) }
      await #expect(throws: AMQPFailure.self) { try await other.purgeQueue(name + ".none") }
      let failure = await #expect(throws: AMQPFailure.self) { try await ended(waiting) }
      guard case .channelClosed(404, _)? = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      await other.close()
    }
  }

  @Test("queues and exchanges are counted, emptied and deleted, and deleting twice is no mistake")
  func life() async throws {
    try await Broker.with { connection, name in
      #expect(try await connection.declareQueue(name: name) == AMQPQueueState(messages: 0, consumers: 0))
      try await connection.declareExchange(name: name + ".x", type: "fanout")
      try await connection.declareExchange(name: name + ".x", type: "fanout", passive: true)
      try await connection.bindQueue(name: name, exchange: name + ".x", routingKey: "")
      let batch = (0..<3).map { message("\($0)", to: "any", exchange: name + ".x") }
      #expect(await connection.publish(batch, timeoutSeconds: 10) == [.confirmed, .confirmed, .confirmed])
      #expect(try await connection.declareQueue(name: name, passive: true).messages == 3)
      #expect(try await connection.purgeQueue(name) == 3)
      #expect(try await connection.deleteQueue(name) == 0)
      #expect(try await connection.deleteQueue(name) == 0)
      try await connection.deleteExchange(name + ".x")
      try await connection.deleteExchange(name + ".x")
    }
  }

  @Test("names and arguments that fit no frame are refused before they are sent")
  func tooLarge() async throws {
    try await Broker.with { connection, name in
      let long = String(repeating: "n", count: 256)
      await #expect(throws: AMQPFailure.invalid("a name is longer than 255 bytes")) {
        try await connection.declareQueue(name: long)
      }
      let large = [AMQPHeader("x-a", .bytes([UInt8](repeating: 0, count: 140_000)))]
      await #expect(throws: AMQPFailure.invalid("the arguments are too large")) {
        try await connection.declareQueue(name: name, arguments: large)
      }
      #expect(connection.failure == nil)
    }
  }
}
