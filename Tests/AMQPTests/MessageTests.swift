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

  @Test("each message has its own texts, though most are those of the message before it")
  func textsOfOthers() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.declareExchange(name: name + ".x", type: "topic")
      try await connection.bindQueue(name: name, exchange: name + ".x", routingKey: "#")
      func sample(
        _ id: String, exchange: String = "", key: String? = nil, type: String? = "application/json",
        app: String? = "ferry", kind: String? = "a kind of message", headers: [(String, AMQPValue)]
      ) -> AMQPMessage {
        AMQPMessage(
          exchange: exchange, routingKey: key ?? name,
          properties: AMQPProperties(
            contentType: type, messageID: id, type: kind, appID: app,
            headers: headers.map { AMQPHeader($0.0, $0.1) }), body: Array(id.utf8))
      }
      let long = "a-header-with-a-long-name"
      let other = name + ".x"
      let sent = [
        sample("0", headers: [(long, .string("a text of some length")), ("b", .int(1))]),
        sample("1", headers: [(long, .string("a text of some length")), ("b", .int(2))]),
        sample("2", headers: [("A-header-with-a-long-name", .string("A text of some length")), ("B", .int(2))]),
        sample("3", headers: [("b", .int(2)), (long, .string("a text of some")), (long, .null), ("", .bool(true))]),
        sample("4", headers: []),
        sample("5", exchange: other, key: name + "y", type: "application/jso", app: nil, headers: [(long, .int(1))]),
        sample("6", exchange: other, key: name, type: nil, app: "", kind: nil, headers: [(long + "r", .int(1))]),
        sample("7", exchange: other, key: "", type: "application/json", app: "ferri", headers: [(long, .int(1))]),
        sample("8", headers: [(long, .table([AMQPHeader("b", .int(1))])), (long, .array([.string("b")]))]),
        sample("9", headers: [("b", .table([AMQPHeader(long, .int(1))])), (long, .array([.string("c")]))]),
      ]
      #expect(await connection.publish(sent, timeoutSeconds: 10) == sent.map { _ in .confirmed })
      try await connection.consume(queue: name, prefetch: 20)
      for (delivery, message) in zip(try await connection.take(sent.count), sent) {
        #expect(delivery.exchange == message.exchange)
        #expect(delivery.routingKey == message.routingKey)
        #expect(delivery.properties == message.properties)
        #expect(delivery.body == message.body)
      }
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
