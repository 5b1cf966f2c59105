import AMQP
import AMQPTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct LifeTests {
  @Test("a wrong password is told as such, without the password")
  func wrongPassword() async throws {
    let good = try Broker.address()
    let address = try AMQPAddress("amqp://\(good.user):wrong-secret@\(good.host):\(good.port)/")
    let failure = await #expect(throws: AMQPFailure.self) {
      try await AMQPConnection.open(AMQPOptions(address: address, connectionName: "AMQPTests"))
    }
    guard case .loginRefused(403, let text)? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(text.contains("ACCESS_REFUSED"))
    #expect(!text.contains("secret"))
  }

  @Test("a virtual host that is not there is a refused login")
  func wrongVirtualHost() async throws {
    let good = try Broker.address()
    let address = try AMQPAddress("amqp://\(good.user):\(good.password)@\(good.host):\(good.port)/not-there")
    let failure = await #expect(throws: AMQPFailure.self) {
      try await AMQPConnection.open(AMQPOptions(address: address, connectionName: "AMQPTests"))
    }
    guard case .loginRefused(530, _)? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }

  @Test("a port where nobody listens is unreachable")
  func nobody() async throws {
    let port = try Listener().port
    let address = try AMQPAddress("amqp://127.0.0.1:\(port)/")
    let failure = await #expect(throws: AMQPFailure.self) {
      try await AMQPConnection.open(AMQPOptions(address: address, connectionName: "AMQPTests"))
    }
    guard case .unreachable? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }

  @Test("acks given just before close have reached the broker when it returns")
  func ackedAtClose() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
      let count = 300
      let results = await connection.publish((0..<count).map { message("\($0)", to: name) }, timeoutSeconds: 30)
      try #require(results == Array(repeating: .confirmed, count: count))
      for _ in 0..<10 {
        let consumer = try await Broker.open()
        try await consumer.consume(queue: name, prefetch: 30)
        consumer.acknowledge(try await consumer.take(30).map(\.tag))
        await consumer.close()
      }
      #expect(try await connection.get(queue: name) == nil)
    }
  }

  @Test("a batch that meets a close is confirmed or not sent, message by message, and close can be called twice")
  func closedWhilePublishing() async throws {
    try await Broker.with { connection, name in
      try await connection.declareQueue(name: name)
      let publisher = try await Broker.open()
      #expect(await publisher.publish([message("first", to: name)], timeoutSeconds: 10) == [.confirmed])
      async let pending = publisher.publish((0..<2_000).map { message("\($0)", to: name) }, timeoutSeconds: 30)
      async let one: Void = publisher.close()
      async let two: Void = publisher.close()
      _ = await (one, two)
      let results = await pending
      var kept: Set<String> = ["first"]
      for (index, result) in results.enumerated() {
        switch result {
        case .confirmed: kept.insert("\(index)")
        case .notSent: break
        default: Issue.record("message \(index): \(result)")
        }
      }
      #expect(Set(try await connection.drainIDs(name)) == kept)
      await #expect(throws: AMQPFailure.closed) { try await publisher.purgeQueue(name) }
    }
  }

  @Test("a connection that nobody holds any more ends")
  func abandoned() async throws {
    let ended = Probe(false)
    let peer = try FakePeer { session in
      session.untilEnd()
      ended.change { $0 = true }
    }
    do { _ = try await AMQPConnection.open(fakeOptions(peer)) }
    try await ended.until { $0 }
    peer.stop()
  }

  @Test("heartbeats keep an idle connection to the broker alive")
  func idle() async throws {
    try await Broker.with { _, name in
      let proxy = try Proxy(to: try Broker.address().port)
      var options = AMQPOptions(address: try Broker.address(throughPort: proxy.port), connectionName: "AMQPTests")
      options.heartbeatSeconds = 2
      let connection = try await AMQPConnection.open(options)
      // The broker cuts a client that is silent for two intervals.
      try await proxy.state.until { $0.clientHeartbeats >= 3 || $0.clientEnded }
      #expect(connection.failure == nil)
      try await connection.declareQueue(name: name)
      await connection.close()
      proxy.cut()
    }
  }
}
