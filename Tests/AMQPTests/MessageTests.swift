import AMQP
import Testing

@Suite(.timeLimit(.minutes(2))) struct MessageTests {
  @Test("every property and every kind of header comes back as it was sent")
  func properties() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      var sent = message("id-\u{5355}", to: name)
      sent.properties = AMQPProperties(
        contentType: "application/json", messageID: "id-\u{5355}", correlationID: "c", type: "t", appID: "a",
        timestamp: 1_700_000_000, expiration: "60000", priority: 7, persistent: true,
        headers: [
          AMQPHeader("string", .string("\u{8BA2}\u{5355}")), AMQPHeader("empty", .string("")),
          AMQPHeader("int", .int(.min)), AMQPHeader("big", .int(.max)), AMQPHeader("yes", .bool(true)),
          AMQPHeader("no", .bool(false)), AMQPHeader("double", .double(-0.1)),
          AMQPHeader("timestamp", .timestamp(1_700_000_001)), AMQPHeader("bytes", .bytes([0, 255, 10])),
          AMQPHeader("null", .null), AMQPHeader("none", .table([])), AMQPHeader("void", .array([])),
          AMQPHeader(
            "table", .table([AMQPHeader("a", .int(1)), AMQPHeader("t", .table([AMQPHeader("b", .string("x"))]))])),
          AMQPHeader("array", .array([.int(1), .string("two"), .bool(false), .array([.null]), .table([])])),
          AMQPHeader("string", .string("a second of the same name")),
        ])
      #expect(await connection.publish([sent], timeoutSeconds: 10) == [.confirmed])
      let got = try #require(try await connection.get(queue: name))
      #expect(got.properties == sent.properties)
      #expect(got.body == sent.body)
      #expect(got.routingKey == name)
      #expect(got.exchange == "")
    }
  }

  @Test("a message without properties has none when it arrives")
  func bare() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let bare = AMQPMessage(exchange: "", routingKey: name, properties: AMQPProperties(persistent: false), body: [])
      #expect(await connection.publish([bare], timeoutSeconds: 10) == [.confirmed])
      let got = try #require(try await connection.get(queue: name))
      #expect(got.properties == AMQPProperties(persistent: false))
      #expect(got.body.isEmpty)
      #expect(!got.isTruncated)
    }
  }

  @Test("bodies of one byte to a mebibyte arrive whole, in one frame or in many", arguments: [4_096, 131_072])
  func bodies(frameMax: Int) async throws {
    try await Broker.with { _, name in
      let connection = try await Broker.open { $0.frameMax = frameMax }
      try await connection.declareQueue(name: name)
      let sizes = [1, frameMax - 9, frameMax - 8, frameMax - 7, 2 * frameMax, 1 << 20]
      let batch = sizes.map { size in
        AMQPMessage(
          exchange: "", routingKey: name, body: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
      }
      let results = await connection.publish(batch, timeoutSeconds: 30)
      #expect(results == Array(repeating: .confirmed, count: sizes.count))
      try await connection.consume(queue: name, prefetch: 10)
      let got = try await connection.take(sizes.count)
      for (delivery, message) in zip(got, batch) {
        #expect(delivery.body == message.body, "\(message.body.count) bytes")
      }
      await connection.close()
    }
  }

  @Test("a body over this side's limit is left out and marked, and the messages behind it arrive")
  func truncated() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let batch = [message("0", to: name), message("1", to: name, bytes: 200_000), message("2", to: name)]
      let results = await connection.publish(batch, timeoutSeconds: 10)
      #expect(results == [.confirmed, .confirmed, .confirmed])
      let small = try await Broker.open { $0.maxMessageBytes = 199_999 }
      try await small.consume(queue: name, prefetch: 10)
      let got = try await small.take(3)
      #expect(got.map(\.isTruncated) == [false, true, false])
      #expect(got.map(\.body.count) == [10, 0, 10])
      #expect(got.map(\.properties.messageID) == ["0", "1", "2"])
      small.acknowledge([got[0].tag, got[2].tag])
      await small.close()
      let whole = try #require(try await connection.get(queue: name))
      #expect(whole.body.count == 200_000)
    }
  }
}
