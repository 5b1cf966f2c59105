import AMQP
import Testing

@Suite(.timeLimit(.minutes(2))) struct PublishTests {
  @Test("in one batch the unroutable messages are returned and all others confirmed")
  func returned() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      try await connection.declareExchange(name: name + ".x", type: "direct")
      try await connection.bindQueue(name: name, exchange: name + ".x", routingKey: "known")
      let batch = (0..<600).map { number in
        message("\(number)", to: number % 3 == 1 ? "unknown" : "known", exchange: name + ".x")
      }
      let results = await connection.publish(batch, timeoutSeconds: 30)
      for (number, result) in results.enumerated() {
        if number % 3 == 1 {
          #expect(result == .returned(code: 312, text: "NO_ROUTE"), "message \(number)")
        } else {
          #expect(result == .confirmed, "message \(number)")
        }
      }
      #expect(try await connection.drainIDs(name) == (0..<600).filter { $0 % 3 != 1 }.map { "\($0)" })
    }
  }

  @Test("a message that is not mandatory and has no queue is confirmed")
  func notMandatory() async throws {
    try await Broker.with { connection, name in
      var lost = message("1", to: name)
      lost.mandatory = false
      #expect(await connection.publish([lost], timeoutSeconds: 10) == [.confirmed])
    }
  }

  @Test("a full queue refuses what it does not take, and takes what it confirms")
  func refused() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(
        name: name,
        arguments: [AMQPHeader("x-max-length", .int(5)), AMQPHeader("x-overflow", .string("reject-publish"))])
      let results = await connection.publish((0..<40).map { message("\($0)", to: name) }, timeoutSeconds: 10)
      #expect(results.contains(.refused))
      #expect(results.allSatisfy { $0 == .refused || $0 == .confirmed })
      let confirmed = results.indices.filter { results[$0] == .confirmed }.map { "\($0)" }
      #expect(confirmed.count >= 5)
      #expect(try await connection.drainIDs(name) == confirmed)
    }
  }

  @Test("batches of many tasks are confirmed, each message once, each batch in its order")
  func concurrent() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
      await withTaskGroup(of: Void.self) { group in
        for task in 0..<8 {
          group.addTask {
            let batch = (0..<400).map { message("\(task) \($0)", to: name) }
            let results = await connection.publish(batch, timeoutSeconds: 60)
            #expect(results == Array(repeating: .confirmed, count: 400))
          }
        }
      }
      try await connection.consume(queue: name, prefetch: 1_000)
      var byTask: [String: [String]] = [:]
      var count = 0
      while count < 3_200 {
        let deliveries = try await connection.deliveries(max: 500)
        connection.acknowledge(deliveries.map(\.tag))
        count += deliveries.count
        for delivery in deliveries {
          let id = (delivery.properties.messageID ?? "").split(separator: " ").map(String.init)
          byTask[id[0], default: []].append(id[1])
        }
      }
      #expect(byTask.count == 8)
      for ids in byTask.values { #expect(ids == (0..<400).map { "\($0)" }) }
    }
  }

  @Test("a message that cannot be sent says why and leaves the others alone")
  func notSent() async throws {
    try await Broker.with { _, name in
      let connection = try await Broker.open {
        $0.frameMax = 4_096
        $0.maxMessageBytes = 10_000
      }
      try await connection.declareQueue(name: name)
      var batch = (0..<7).map { message("\($0)", to: name) }
      batch[1].body = [UInt8](repeating: 0, count: 10_001)
      batch[2].routingKey = String(repeating: "k", count: 256)
      batch[3].properties.headers = [AMQPHeader("x", .string(String(repeating: "h", count: 4_096)))]
      batch[4].properties.headers = [AMQPHeader("x", (0..<16).reduce(.null) { value, _ in .array([value]) })]
      batch[5].properties.correlationID = String(repeating: "c", count: 256)
      let results = await connection.publish(batch, timeoutSeconds: 10)
      for index in 1...5 {
        guard case .unsendable = results[index] else {
          Issue.record("message \(index): \(results[index])")
          continue
        }
      }
      #expect(results[0] == .confirmed)
      #expect(results[6] == .confirmed)
      #expect(try await connection.drainIDs(name) == ["0", "6"])
      await connection.close()
    }
  }

  @Test("a header that just fits into the frame passes, and one byte more is refused")
  func headerLimit() async throws {
    try await Broker.with { _, name in
      let connection = try await Broker.open { $0.frameMax = 4_096 }
      try await connection.declareQueue(name: name)
      func sized(_ count: Int) -> AMQPMessage {
        var message = message("i", to: name)
        message.properties.headers = [AMQPHeader("x", .string(String(repeating: "h", count: count)))]
        return message
      }
      // 8 frame, 15 fixed, 2 message id, 4 table, 2 name, 5 the value's kind and length.
      let room = 4_096 - 36
      let results = await connection.publish([sized(room), sized(room + 1)], timeoutSeconds: 10)
      #expect(results[0] == .confirmed)
      #expect(results[1] == .unsendable("the properties take 4097 bytes, more than a frame of 4096"))
      #expect(connection.failure == nil)
      await connection.close()
    }
  }

  @Test("publishing to an exchange that is not there ends the channel, and the fate is unknown")
  func missingExchange() async throws {
    try await Broker.with { _, name in
      let connection = try await Broker.open()
      let results = await connection.publish([message("1", to: "k", exchange: name + ".none")], timeoutSeconds: 10)
      guard case .unknown(let reason) = results[0] else {
        Issue.record("\(results)")
        return
      }
      #expect(reason.contains("404"))
      guard case .channelClosed(404, _)? = connection.failure else {
        Issue.record("\(String(describing: connection.failure))")
        return
      }
      let later = await connection.publish([message("2", to: name)], timeoutSeconds: 10)
      guard case .notSent = later[0] else {
        Issue.record("\(later)")
        return
      }
      await connection.close()
    }
  }

  @Test("no message to publish is no reason to wait")
  func empty() async throws {
    try await Broker.with { connection, _ in
      #expect(await connection.publish([], timeoutSeconds: 1).isEmpty)
    }
  }

  @Test("a connection lost before the confirms leaves every sent message unknown")
  func lost() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let proxy = try Proxy(to: try Broker.address().port)
      let through = try await AMQPConnection.open(
        AMQPOptions(address: try Broker.address(throughPort: proxy.port), connectionName: "AMQPTests"))
      #expect(await through.publish([message("first", to: name)], timeoutSeconds: 10) == [.confirmed])
      let before = proxy.state.value.fromClient
      proxy.holdBroker()
      let batch = (0..<100).map { message("\($0)", to: name, bytes: 1_000) }
      async let pending = through.publish(batch, timeoutSeconds: 60)
      try await proxy.state.until { $0.fromClient - before > 100_000 }
      proxy.cut()
      for result in await pending {
        guard case .unknown = result else {
          Issue.record("\(result)")
          continue
        }
      }
      guard case .connectionLost? = through.failure else {
        Issue.record("\(String(describing: through.failure))")
        return
      }
      await through.close()
    }
  }
}
