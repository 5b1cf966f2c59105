import AMQP
import AMQPTesting
import func TestSockets.ended
import Testing

/// What a real broker does rarely, or not on demand.
@Suite(.timeLimit(.minutes(2))) struct FakePeerTests {
  @Test("a confirm with multiple settles all earlier messages, and a refusal with multiple too")
  func multiple() async throws {
    let peer = try FakePeer { session in
      try session.selectConfirms()
      try session.publishes(10)
      try session.send([60, 80], Bytes().longlong(3).byte(0))
      try session.send([60, 120], Bytes().longlong(5).byte(1))
      try session.send([60, 80], Bytes().longlong(9).byte(1))
      try session.send([60, 120], Bytes().longlong(10).byte(0))
      try session.publishes(2)
      try session.send([60, 80], Bytes().longlong(0).byte(1))
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let results = await connection.publish((0..<10).map { message("\($0)", to: "q") }, timeoutSeconds: 30)
    let no = AMQPPublishResult.refused
    let yes = AMQPPublishResult.confirmed
    #expect(results == [no, no, yes, no, no, yes, yes, yes, yes, no])
    #expect(
      await connection.publish([message("a", to: "q"), message("b", to: "q")], timeoutSeconds: 30) == [yes, yes])
    peer.stop()
  }

  @Test("returns before one ack for all are matched to the right messages, even to equal ones")
  func returns() async throws {
    let peer = try FakePeer { session in
      func comeBack(_ id: String, _ body: [UInt8]) throws {
        try session.send([60, 50], Bytes().short(312).text("NO_ROUTE").text("x").text("k"))
        // Flags: delivery mode and message id.
        let header = Bytes().short(60).short(0).longlong(UInt64(body.count)).short(1 << 12 | 1 << 7).byte(2).text(id)
        try session.frame(2, header.all, channel: 1)
        if !body.isEmpty { try session.frame(3, body, channel: 1) }
      }
      try session.selectConfirms()
      try session.publishes(6)
      try comeBack("1", [1])
      try comeBack("same", [7])
      try comeBack("3", [3])
      try session.send([60, 80], Bytes().longlong(6).byte(1))
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let ids = ["0", "1", "same", "3", "same", "5"]
    let batch = ids.map { id in
      AMQPMessage(
        exchange: "x", routingKey: "k", properties: AMQPProperties(messageID: id), body: [UInt8(id) ?? 7])
    }
    let results = await connection.publish(batch, timeoutSeconds: 30)
    let back = AMQPPublishResult.returned(code: 312, text: "NO_ROUTE")
    #expect(results == [.confirmed, back, back, back, .confirmed, .confirmed])
    peer.stop()
  }

  @Test("a return of a message that was never sent ends the connection rather than guess")
  func strangeReturn() async throws {
    let peer = try FakePeer { session in
      try session.selectConfirms()
      try session.publishes(1)
      try session.send([60, 50], Bytes().short(312).text("NO_ROUTE").text("x").text("other"))
      try session.frame(2, Bytes().short(60).short(0).longlong(0).short(0).all, channel: 1)
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let results = await connection.publish([message("1", to: "k", exchange: "x")], timeoutSeconds: 30)
    guard case .unknown = results[0] else {
      Issue.record("\(results)")
      return
    }
    peer.stop()
  }

  @Test("the answer to a call tells that the broker has what was acknowledged before it")
  func acknowledgedFirst() async throws {
    let count: UInt64 = 200
    let heard = Probe<[[UInt16]]>([])
    let peer = try FakePeer { session in
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      for tag in 1...count {
        try session.send([60, 60], Bytes().text("c").longlong(tag).byte(0).text("").text("q"))
        try session.frame(2, Bytes().short(60).short(0).longlong(0).short(0).all, channel: 1)
      }
      while true {
        let method = try session.next().method
        // Told before the answer goes out.
        if method == [60, 80] || method == [50, 10] { heard.change { $0.append(method) } }
        if method == [50, 10] { try session.send([50, 11], Bytes().text("q").long(0).long(0)) }
      }
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    try await connection.consume(queue: "q", prefetch: Int(count))
    var tags: [UInt64] = []
    while tags.count < Int(count) { tags += try await connection.deliveries(max: 10).map(\.tag) }
    for tag in tags {
      connection.acknowledge([tag])
      _ = try await connection.declareQueue(name: "q", passive: true)
    }
    #expect(heard.value == (1...count).flatMap { _ in [[60, 80], [50, 10]] })
    peer.stop()
  }

  @Test("a broker that holds the connection back does not hold the callers, and sending goes on when it lets go")
  func blocked() async throws {
    let letGo = Probe(false)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      try session.publishes(1)
      try session.send([10, 60], Bytes().text("low on memory"), channel: 0)
      try session.send([60, 80], Bytes().longlong(1).byte(0))
      letGo.block { $0 }
      try session.send([10, 61], channel: 0)
      try session.publishes(1)
      try session.send([60, 80], Bytes().longlong(2).byte(0))
      session.untilEnd()
    }
    let told = Probe<[String?]>([])
    let connection = try await AMQPConnection.open(
      fakeOptions(peer) {
        $0.rpcTimeoutSeconds = 1
        $0.onBlocked = { word in told.change { $0.append(word) } }
      })
    #expect(await connection.publish([message("1", to: "q")], timeoutSeconds: 30) == [.confirmed])
    #expect(connection.isBlocked)
    #expect(told.value == ["low on memory"])
    let held = await connection.publish([message("2", to: "q"), message("3", to: "q")], timeoutSeconds: 1)
    let reason = "the broker held the connection back until the time was up"
    #expect(held == [.notSent(reason), .notSent(reason)])
    await #expect(throws: AMQPFailure.blocked) { try await connection.purgeQueue("q") }
    #expect(connection.failure == nil)
    let waiting = Task { await connection.publish([message("4", to: "q")], timeoutSeconds: 60) }
    letGo.change { $0 = true }
    #expect(try await ended(waiting) == [.confirmed])
    #expect(!connection.isBlocked)
    #expect(told.value == ["low on memory", nil])
    peer.stop()
  }

  @Test("a broker that takes no bytes any more is cut off, and every message has an answer")
  func stuck() async throws {
    let done = Probe(false)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      done.block { $0 }
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer) { $0.stallTimeoutSeconds = 1 })
    let batch = (0..<32).map { message("\($0)", to: "q", bytes: 4 << 20) }
    let results = await connection.publish(batch, timeoutSeconds: 600)
    #expect(results.first == .unknown("the connection to the broker is lost: the broker took no more bytes"))
    #expect(results.last == .notSent("the connection to the broker is lost: the broker took no more bytes"))
    done.change { $0 = true }
    peer.stop()
  }

  @Test("a publish returns at its timeout though the thread is stuck in the middle of a write")
  func stuckShorter() async throws {
    let begun = Probe(false)
    let done = Probe(false)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      // The long batch is on its way; the short one must stand behind it.
      _ = try session.next()
      begun.change { $0 = true }
      done.block { $0 }
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer) { $0.stallTimeoutSeconds = 600 })
    let batch = (0..<8).map { message("\($0)", to: "q", bytes: 16 << 20) }
    async let long = connection.publish(batch, timeoutSeconds: 600)
    try await begun.until { $0 }
    async let short = connection.publish([message("short", to: "q")], timeoutSeconds: 2)
    guard case .notSent = await short[0], case .unknown = await long[0] else {
      Issue.record("\(await short) \(await long)")
      return
    }
    done.change { $0 = true }
    peer.stop()
  }

  @Test("a confirm that does not come leaves the message unknown at its time, and a late one harms nothing")
  func lateConfirm() async throws {
    let first = Probe(false)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      for tag in 1...3 {
        try session.publishes(1)
        if tag == 2 { first.block { $0 } }
        try session.send([60, 80], Bytes().longlong(UInt64(tag)).byte(0))
      }
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    #expect(await connection.publish([message("1", to: "q")], timeoutSeconds: 30) == [.confirmed])
    let results = await connection.publish([message("2", to: "q")], timeoutSeconds: 3)
    #expect(results == [.unknown("no confirm before the time was up")])
    first.change { $0 = true }
    #expect(await connection.publish([message("3", to: "q")], timeoutSeconds: 30) == [.confirmed])
    peer.stop()
  }

  @Test("a peer that falls silent is noticed by its missing heartbeats")
  func silent() async throws {
    let done = Probe(false)
    let peer = try FakePeer(heartbeat: 1) { session in
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      done.block { $0 }
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer) { $0.heartbeatSeconds = 1 })
    // On a machine under load the silence may begin before the consumer does.
    let failure = await #expect(throws: AMQPFailure.self) {
      try await connection.consume(queue: "q", prefetch: 1)
      _ = try await connection.deliveries(max: 1)
    }
    guard case .connectionLost? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    done.change { $0 = true }
    peer.stop()
  }

  @Test("a question without an answer times out and ends the connection")
  func unanswered() async throws {
    let peer = try FakePeer { $0.untilEnd() }
    let connection = try await AMQPConnection.open(fakeOptions(peer) { $0.rpcTimeoutSeconds = 1 })
    await #expect(throws: AMQPFailure.timedOut("queue.purge")) { try await connection.purgeQueue("q") }
    #expect(connection.failure == .timedOut("queue.purge"))
    peer.stop()
  }

  @Test("a broker that closes the connection is quoted with its code")
  func connectionClosed() async throws {
    let peer = try FakePeer { session in
      try session.selectConfirms()
      try session.publishes(1)
      let reason = Bytes().short(320).text("CONNECTION_FORCED - going down").short(0).short(0)
      try session.send([10, 50], reason, channel: 0)
      try session.until([10, 51])
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let results = await connection.publish([message("1", to: "q")], timeoutSeconds: 30)
    #expect(results == [.unknown("the broker closed the connection: 320 CONNECTION_FORCED - going down")])
    #expect(connection.failure == .connectionClosed(code: 320, text: "CONNECTION_FORCED - going down"))
    await connection.close()
    peer.stop()
  }

  @Test("a server that speaks no AMQP, or nothing at all, is unreachable", arguments: [true, false])
  func noBroker(speaks: Bool) async throws {
    let done = Probe(false)
    let peer = try FakePeer(greets: false) { session in
      if speaks { try session.frame(72, Array("TTP/1.1 400 Bad Request\r\n\r\n".utf8), channel: 0) }
      done.block { $0 }
    }
    let failure = await #expect(throws: AMQPFailure.self) {
      try await AMQPConnection.open(fakeOptions(peer) { $0.connectTimeoutSeconds = 1 })
    }
    guard case .unreachable? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    done.change { $0 = true }
    peer.stop()
  }

  @Test("a server that does not speak TLS is not spoken to in the clear")
  func noTLS() async throws {
    let peer = try FakePeer { $0.untilEnd() }
    var options = try fakeOptions(peer) { $0.connectTimeoutSeconds = 2 }
    options.address = try AMQPAddress("amqps://127.0.0.1:\(peer.port)/")
    let failure = await #expect(throws: AMQPFailure.self) { try await AMQPConnection.open(options) }
    guard case .unreachable? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    peer.stop()
  }

  @Test("close waits for the confirms of what was sent, and sends no more")
  func closeWaits() async throws {
    let sent = Probe(false)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      try session.publishes(256)
      sent.change { $0 = true }
      // The next thing heard is a question asked while closing, not the close.
      guard try session.next().method == [50, 30] else { return }
      try session.send([50, 31], Bytes().long(7))
      try session.send([60, 80], Bytes().longlong(256).byte(1))
      try session.until([20, 40])
      try session.send([20, 41])
      try session.until([10, 50])
      try session.send([10, 51], channel: 0)
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let pending = Task {
      await connection.publish((0..<256).map { message("\($0)", to: "q") }, timeoutSeconds: 60)
    }
    try await sent.until { $0 }
    // There is no room for this one, so it is answered when the close is under way.
    let behind = Task { await connection.publish([message("behind", to: "q")], timeoutSeconds: 60) }
    async let closed: Void = connection.close()
    #expect(try await ended(behind) == [.notSent("the connection is being closed")])
    #expect(try await connection.purgeQueue("q") == 7)
    #expect(try await ended(pending) == Array(repeating: .confirmed, count: 256))
    await closed
    #expect(
      await connection.publish([message("late", to: "q")], timeoutSeconds: 60) == [.notSent("the connection is closed")]
    )
    peer.stop()
  }

  @Test("close sends the acks first, and has the channel's answer before it leaves")
  func closeOrder() async throws {
    let heard = Probe<[[UInt16]]>([])
    let peer = try FakePeer { session in
      func hear(_ method: [UInt16]) throws {
        let next = try session.next().method
        heard.change { $0.append(next) }
        if next != method { throw SocketError(step: "another method") }
      }
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      for tag: UInt64 in 1...3 {
        try session.send([60, 60], Bytes().text("c").longlong(tag).byte(0).text("").text("q"))
        try session.frame(2, Bytes().short(60).short(0).longlong(0).short(0).all, channel: 1)
      }
      try hear([60, 80])
      try hear([20, 40])
      try session.send([20, 41])
      try hear([10, 50])
      try session.send([10, 51], channel: 0)
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    try await connection.consume(queue: "q", prefetch: 3)
    connection.acknowledge(try await connection.take(3).map(\.tag))
    await connection.close()
    try await heard.until { $0.count == 3 }
    #expect(heard.value == [[60, 80], [20, 40], [10, 50]])
    peer.stop()
  }

  @Test("a header's text that is not UTF-8 comes as bytes, and one with a replacement character as the text that it is")
  func notText() async throws {
    let texts: [[UInt8]] = [
      [0x61, 0xFF], [0xE5, 0x8D], [0xEF, 0xBF, 0xBD], Array("\u{5355}".utf8), [], [0xC0, 0x80], [0x61],
      [0xED, 0xA0, 0x80], Array("a text that needs memory of its own \u{FFFD}".utf8),
    ]
    let peer = try FakePeer { session in
      try session.until([60, 70])
      try session.send([60, 71], Bytes().longlong(1).byte(0).text("").text("q").long(0))
      var table = Bytes()
      for text in texts {
        table = Bytes(table.text("h").byte(UInt8(ascii: "S")).long(text.count).all + text)
      }
      let header = Bytes().short(60).short(0).longlong(0).short(1 << 13).long(table.all.count)
      try session.frame(2, header.all + table.all, channel: 1)
      session.untilEnd()
    }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    let got = try #require(try await connection.get(queue: "q"))
    #expect(
      got.properties.headers.map(\.value) == [
        .bytes([0x61, 0xFF]), .bytes([0xE5, 0x8D]), .string("\u{FFFD}"), .string("\u{5355}"), .string(""),
        .bytes([0xC0, 0x80]), .string("a"), .bytes([0xED, 0xA0, 0x80]),
        .string("a text that needs memory of its own \u{FFFD}"),
      ])
    await connection.close()
    peer.stop()
  }

  @Test("close ends in bounded time though the broker says nothing")
  func closeUnanswered() async throws {
    let peer = try FakePeer { $0.untilEnd() }
    let connection = try await AMQPConnection.open(fakeOptions(peer))
    await connection.close()
    #expect(connection.failure == .closed)
    peer.stop()
  }
}
