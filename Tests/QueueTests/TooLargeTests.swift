import AMQP
import AMQPTesting
import JSON
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

@Suite("Messages larger than the broker takes", .timeLimit(.minutes(2)))
struct TooLargeTests {
  private func order(_ id: Int64, bytes: Int) -> Parcel {
    Parcel(
      to: .queue(.orders),
      .envelope(
        Envelope(
          orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: 3,
          updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1,
          content: .order([UInt8](repeating: 0x20, count: bytes)))))
  }

  /// A broker with a limit: it closes the channel over the first body that is over it, as RabbitMQ does.
  private static func limited(_ limit: Int, _ taken: Probe<Int>) throws -> FakePeer {
    try FakePeer(connections: 5) { session in
      try session.selectConfirms()
      var tag: UInt64 = 0
      while true {
        let frame = try session.next()
        guard frame.type == 2 else { continue }
        let size = frame.payload[4..<12].reduce(0) { $0 << 8 | Int($1) }
        if size > limit {
          let text = "PRECONDITION_FAILED - message size \(size) is larger than configured max size \(limit)"
          try session.send([20, 40], Bytes().short(406).text(text).short(60).short(40))
          return session.untilEnd()
        }
        tag += 1
        // The first message of a connection is empty: the outbox sees by it that it may publish.
        if size > 0 { taken.report(size) }
        try session.send([60, 80], Bytes().longlong(tag).byte(0))
      }
    }
  }

  @Test("those over its limit are told as such, whatever else is in the batch, and the others are published")
  func batch() async throws {
    let taken = Probe<Int>()
    let peer = try Self.limited(1_000, taken)
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    // A pause of half a minute, as after a mistake in the set-up, would show.
    let pauses = Probe<Duration>()
    let pacing = Pacing(sleep: { pauses.report($0) }, random: { 0.99 }, now: { 1 })
    let outbox = RabbitOutbox(settings, topology: try Topology(), pacing: pacing)
    let results = await outbox.publish([
      order(1, bytes: 10), order(2, bytes: 1_001), order(3, bytes: 20), order(4, bytes: 5_000), order(5, bytes: 1_000),
    ])
    for place in [1, 3] {
      guard case .tooLarge(let why) = results[place] else {
        Issue.record("\(results)")
        continue
      }
      #expect(why.contains("message size 1001 is larger than configured max size 1000"))
    }
    #expect([0, 2, 4].allSatisfy { results[$0] == .confirmed }, "\(results)")
    #expect(Set(taken.events) == [10, 20, 1_000])
    #expect(pauses.events.allSatisfy { $0 <= .seconds(1) }, "\(pauses.events)")
    await outbox.close()
    peer.stop()
  }

  @Test("after the first bundle over its limit none is sent that is; what is larger by itself still is")
  func learned() async throws {
    let (taken, events) = (Probe<Int>(), Probe<QueueEvent>())
    let peer = try Self.limited(2_000, taken)
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let hasty = Pacing(sleep: { _ in }, random: { 0 }, now: { 1 })
    let outbox = RabbitOutbox(settings, topology: try Topology(), pacing: hasty) { events.report($0) }
    func connections() -> Int { events.events.count { if case .connected = $0 { true } else { false } } }
    let small = (Int64(1)...12).map { order($0, bytes: 200) }
    #expect(await outbox.publish(small) == Array(repeating: .confirmed, count: 12))
    let first = connections()
    // Twelve by themselves; then three at a time, and those that are too many with their heads one by one.
    #expect(taken.events == Array(repeating: 200, count: 12))
    let wide = (Int64(1)...3).map { id in
      Parcel(
        to: .queue(.orders),
        .envelope(
          Envelope(
            orderID: OrderID(rawValue: id), orderNumber: String(repeating: "9", count: 390), revision: 3,
            updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1,
            content: .order([UInt8](repeating: 0x20, count: 240)))))
    }
    #expect(await outbox.publish(small + wide) == Array(repeating: .confirmed, count: 15))
    #expect(connections() == first)
    let sizes = taken.events.dropFirst(12)
    #expect(sizes.count == 7 && sizes.suffix(3) == [240, 240, 240] && sizes.prefix(4).allSatisfy { 900...2_000 ~= $0 })
    guard case .tooLarge? = await outbox.publish([order(1, bytes: 2_001)]).first else {
      Issue.record("it was not refused")
      return
    }
    #expect(connections() == first)
    _ = await outbox.publish([order(1, bytes: 1)])
    #expect(connections() == first + 1)
    await outbox.close()
    peer.stop()
  }

  @Test("what is larger than is ever sent is told as such, without a connection")
  func unsent() async throws {
    let outbox = RabbitOutbox(try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:1/"), topology: try Topology())
    guard case .tooLarge? = await outbox.publish([order(1, bytes: 16 << 20 + 1)]).first else {
      Issue.record("it was to be sent")
      return
    }
    await outbox.close()
  }

  @Test("the real broker says its limit in the words that are looked for, and takes the rest of the batch")
  func real() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology, pacing: .live, mostBytes: 200 << 20)
      // The limit is 128 MiB up to RabbitMQ 3.13 and 16 MiB after.
      let results = await outbox.publish([
        order(1, bytes: 10), order(2, bytes: 129 << 20), order(3, bytes: 20),
      ])
      #expect(results.first == .confirmed && results.last == .confirmed, "\(results)")
      guard case .tooLarge(let why)? = results.dropFirst().first else {
        Issue.record("\(results)")
        return
      }
      #expect(why.contains("406 PRECONDITION_FAILED") && why.contains("\(129 << 20)"))
      await outbox.close()
      // What is published again after the refusal may be there twice.
      let deliveries = try await broker.deliveries(broker.topology.name(of: .orders), count: 2)
      #expect(Set(deliveries.map(\.body.count)).isSubset(of: [10, 20]))
    }
  }

  @Test("only that refusal is taken for one of size")
  func words() {
    let text = "PRECONDITION_FAILED - message size 9 is larger than"
    #expect(AMQPFailure.channelClosed(code: 406, text: text + " configured max size 8").messageLimit == 8)
    #expect(AMQPFailure.channelClosed(code: 406, text: text + " max size 536870912").messageLimit == 536_870_912)
    #expect(AMQPFailure.channelClosed(code: 404, text: text + " configured max size 8").messageLimit == nil)
    let other = "PRECONDITION_FAILED - unknown delivery tag 8"
    #expect(AMQPFailure.channelClosed(code: 406, text: other).messageLimit == nil)
    #expect(AMQPFailure.connectionLost(text).messageLimit == nil)
  }

  @Test("a letter whose body was left out tells its size, its digest and its order, and is not published again")
  func withoutBody() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let parcel = order(7, bytes: 300).buriedWithoutBody(at: .transform, "too large")
      #expect(await outbox.publish([parcel]) == [.confirmed])
      await outbox.close()
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      let letter = try #require(try await queues.take(.transform, max: 1).first?.letter)
      #expect(letter.reason == "message_too_large" && letter.orderID?.rawValue == 7 && letter.revision == 3)
      let note = try JSONDocument(letter.body).root
      #expect(note["left_out_bytes"]?.int64 == 300 && note["order_id"]?.string == "7")
      // Of 300 spaces, by sha256sum.
      #expect(note["sha256"]?.string == "c86e56cf324fe343b9e324a2f7844b3a7a87d55c85603a7c0172ccd9d0c0f647")
      guard case .tooLarge(let why)? = await queues.publishAgain([letter]).first else {
        Issue.record("it was published again")
        return
      }
      #expect(why.contains("--refetch"))
      await queues.close()
    }
  }

  @Test("more beside a body than a frame holds is told before it is sent, and parked without it; others are published")
  func headers() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(
        broker.settings, topology: broker.topology, pacing: .live, mostBytes: nil, frameMax: 4_096)
      let wide = String(repeating: "宽", count: 800)
      var envelope = Envelope(
        orderID: OrderID(rawValue: 7), orderNumber: wide, revision: 3,
        updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1,
        content: .bill(
          Bill(
            object: wide, number: wide, body: Array("{}".utf8),
            notes: (1...40).map { BillNote(.movedDate, place: "Page1.F\($0)", wide) }, keyField: wide),
          BillRoute(
            strategy: wide, stream: "SO", part: BillRoute.Part(1, of: 2), beside: (1...100).map { "stream \($0)" })))
      envelope.lastReason = Reason(.k3Busy, wide)
      var burial = Outcome.Burial(Reason(.k3Rejected, wide), vendorAnswer: wide)
      burial.key = wide
      let parcel = Parcel(to: .dead(.load), .envelope(envelope), burial: burial)
      let results = await outbox.publish([parcel, order(2, bytes: 10)])
      guard case .headersTooLarge(let why)? = results.first else {
        Issue.record("\(results)")
        return
      }
      #expect(why.contains("more than a frame of 4096") && results.last == .confirmed)
      var odd = Parcel(to: .dead(.load), .unreadable([1]), burial: burial)
      odd.properties = #"{"type":"\#(wide)"}"#
      let short = [parcel, odd].map { $0.buried(for: .headersTooLarge, at: .load, why) }
      #expect(await outbox.publish(short) == [.confirmed, .confirmed])
      await outbox.close()
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      let letters = try await queues.take(.load, max: 9).map(\.letter)
      #expect(
        letters.map(\.reason) == ["k3_rejected", "k3_rejected"] && letters.map(\.body) == [Array("{}".utf8), [1]])
      #expect(letters.first?.orderID?.rawValue == 7 && letters.first?.revision == 3)
      // Without its notes and the streams beside it, it would be another bill.
      let again = await queues.publishAgain(letters)
      guard case .tooLarge(let lack)? = again.first else {
        Issue.record("it was published again")
        return
      }
      #expect(lack.contains("headers") && lack.contains("--refetch"))
      // Nor can be said what message the other one was.
      guard case .tooLarge(let why)? = again.last, why.contains("discard it") else {
        Issue.record("it was published again")
        return
      }
      await queues.close()
    }
  }
}
