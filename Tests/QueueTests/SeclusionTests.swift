import AMQP
import AMQPTesting
import Dispatch
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import Queue

@Suite("Messages that come back too often are worked alone", .timeLimit(.minutes(3)))
struct SeclusionTests {
  private func order(_ id: Int64) -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: 1,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1, content: .order(Array("{}".utf8)))
  }

  private func publish(_ broker: FreshTopology, _ bundles: [[Int64]]) async {
    let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
    for ids in bundles {
      let results = await outbox.publish(ids.map { Parcel(to: .queue(.orders), .envelope(order($0))) })
      #expect(results.allSatisfy { $0 == .confirmed })
    }
    await outbox.close()
  }

  /// Has all that lies in the queue come back so often, as when its worker died.
  private func giveBack(_ broker: FreshTopology, messages: Int, times: Int) async throws {
    let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
    try await connection.consume(queue: broker.topology.name(of: .orders), prefetch: 100)
    for time in 1...times {
      var lent: [UInt64] = []
      while lent.count < messages {
        try Task.checkCancellation()
        lent += try await connection.deliveries(max: messages - lent.count).map(\.tag)
      }
      if time < times { connection.reject(lent, requeue: true) }
    }
    // What it holds then comes back for the last time.
    await connection.close()
  }

  private func inbox(_ broker: FreshTopology, pacing: Pacing = .live) -> RabbitInbox {
    RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 100, pacing: pacing)
  }

  private func ids(_ deliveries: [Delivery]) -> [Int64] {
    deliveries.compactMap { (try? $0.envelope.get())?.orderID.rawValue }
  }

  @Test("what is lent beside a suspect is acknowledged before it comes, and nothing is lent until it is")
  func alone() async throws {
    try await withTopology { broker async throws in
      await publish(broker, [[1]])
      try await giveBack(broker, messages: 1, times: Delivery.mostReturns + 1)
      await publish(broker, [[2], [3], [4]])
      let looks = Probe<Duration>()
      let pacing = Pacing(
        sleep: {
          looks.report($0)
          try await Pacing.live.sleep($0)
        }, random: { 0.5 }, now: { 1 })
      let inbox = inbox(broker, pacing: pacing)
      var others: [Delivery] = []
      while others.count < 3 {
        try Task.checkCancellation()
        let some = await inbox.next(max: 10)
        #expect(some.allSatisfy { !$0.isSuspect }, "the suspect came before \(4 - others.count) others were worked")
        if some.contains(where: \.isSuspect) { break }
        others += some
      }
      #expect(Set(ids(others)) == [2, 3, 4])
      // The worker asks for more while they are worked, and waits.
      async let next = inbox.next(max: 10)
      try await looks.wait { !$0.isEmpty }
      await publish(broker, [[5]])
      inbox.acknowledge(others.map(\.receipt))
      let alone = await next
      #expect(ids(alone) == [1] && alone.map(\.returns) == [Delivery.mostReturns + 1])
      #expect(await inbox.ready() == 1)
      inbox.acknowledge(alone.map(\.receipt))
      let after = await inbox.next(max: 10)
      #expect(ids(after) == [5])
      inbox.acknowledge(after.map(\.receipt))
      await inbox.close()
    }
  }

  @Test("a suspect comes after a minute though what is lent beside it is not acknowledged")
  func waits() async throws {
    try await withTopology { broker async throws in
      await publish(broker, [[1], [2]])
      // The minute goes by at once. Were there no end to it, the others would be acknowledged after two.
      let looks = Probe<Duration>()
      let afterTwo = Mutex<(@Sendable () -> Void)?>(nil)
      let pacing = Pacing(
        sleep: {
          looks.report($0)
          if looks.events.count == 6_000 { afterTwo.withLock { $0 }?() }
        }, random: { 0.5 }, now: { 1 })
      let inbox = inbox(broker, pacing: pacing)
      var others: [Delivery] = []
      while others.count < 2 {
        try Task.checkCancellation()
        others += await inbox.next(max: 10)
      }
      let receipts = others.map(\.receipt)
      afterTwo.withLock { $0 = { inbox.acknowledge(receipts) } }
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      var parcel = Parcel(to: .queue(.orders), .envelope(order(3)))
      parcel.returns = Delivery.mostReturns + 1
      #expect(await outbox.publish([parcel]) == [.confirmed])
      let alone = await inbox.next(max: 10)
      #expect(ids(alone) == [3] && alone.allSatisfy(\.isSuspect))
      #expect(looks.events.reduce(.zero, +) == .seconds(60))
      inbox.acknowledge(receipts + alone.map(\.receipt))
      await outbox.close()
      await inbox.close()
    }
  }

  @Test("suspects that a worker's death leaves come one by one, and the next death raises those alone that are left")
  func oneByOne() async throws {
    try await withTopology { broker async throws in
      await publish(broker, (1...6).map { [$0] })
      try await giveBack(broker, messages: 6, times: Delivery.mostReturns + 1)
      let first = inbox(broker)
      var done: [Int64] = []
      for _ in 0..<4 {
        let one = await first.next(max: 10)
        #expect(one.count == 1)
        done += ids(one)
        settle(first, one)
      }
      // The worker dies over the fifth.
      let deadly = await first.next(max: 10)
      #expect(deadly.count == 1)
      await first.close()
      let second = inbox(broker)
      var left: [Int64: Int] = [:]
      while left.count < 2 {
        try Task.checkCancellation()
        let one = await second.next(max: 10)
        #expect(one.count == 1)
        for delivery in one { left[ids([delivery])[0]] = delivery.returns }
        settle(second, one)
      }
      #expect(Set(left.keys).union(done) == Set(1...6) && left.values.allSatisfy { $0 == Delivery.mostReturns + 2 })
      await second.close()
    }
  }

  private func settle(_ inbox: RabbitInbox, _ deliveries: [Delivery]) {
    inbox.acknowledge(deliveries.map(\.receipt))
  }

  @Test("the orders of a suspect bundle come together, each with its returns; published apart they keep them")
  func bundle() async throws {
    try await withTopology { broker async throws in
      await publish(broker, [[1, 2, 3]])
      try await giveBack(broker, messages: 1, times: 5)
      let inbox = inbox(broker)
      let pieces = await inbox.next(max: 10)
      #expect(ids(pieces) == [1, 2, 3] && pieces.allSatisfy { $0.returns == 5 && $0.receipt.piece != nil })
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let parcels = pieces.map { piece in
        var parcel = Parcel(to: .queue(.orders), .envelope(order(ids([piece])[0])))
        parcel.returns = piece.returns
        return parcel
      }
      #expect(await outbox.publish(parcels) == [.confirmed, .confirmed, .confirmed])
      await outbox.close()
      inbox.acknowledge(pieces.map(\.receipt))
      var apart: [Delivery] = []
      while apart.count < 3 {
        try Task.checkCancellation()
        let one = await inbox.next(max: 10)
        #expect(one.count == 1 && one[0].receipt.piece == nil && one[0].returns == 5)
        apart += one
        inbox.acknowledge(one.map(\.receipt))
      }
      #expect(Set(ids(apart)) == [1, 2, 3])
      await inbox.close()
    }
  }

  @Test("a stop while the broker is asked hands out no suspect")
  func stopped() async throws {
    let letGo = DispatchSemaphore(value: 0)
    let heard = Probe<[UInt16]>()
    let peer = try FakePeer { session in
      try lendTwoSuspects(session)
      while true {
        let method = try session.next().method
        heard.report(method)
        if method == [60, 30] { try session.send([60, 31], Bytes().text("c")) }
        if method == [50, 10] {
          letGo.wait()
          try session.send([50, 11], Bytes().text("q").long(0).long(0))
        }
      }
    }
    defer { letGo.signal() }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let inbox = RabbitInbox(settings, topology: try Topology(), stage: .transform, prefetch: 100)
    async let next = inbox.next(max: 10)
    try await heard.wait { $0.contains([50, 10]) }
    async let stop: Void = inbox.stop()
    while !inbox.isStopped { await Task.yield() }
    letGo.signal()
    #expect(await next.isEmpty)
    await stop
    #expect(!heard.events.contains([60, 20]))
    peer.stop()
    await inbox.close()
  }

  @Test(
    "no more envelopes are lent than may be, also in full bundles",
    arguments: [(100, Int.max, 12), (1, .max, 1), (1_000, 16, 2), (1_000, 384, 48), (1_000, 3, 1)])
  func lent(prefetch: Int, mostLent: Int, messages: Int) async throws {
    let counts = Probe<Int>()
    let peer = try FakePeer { session in
      while true {
        let frame = try session.next()
        if frame.method == [60, 10] { counts.report(Int(frame.payload[8]) << 8 | Int(frame.payload[9])) }
      }
    }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let inbox = RabbitInbox(
      settings, topology: try Topology(), stage: .load, prefetch: prefetch, mostLent: mostLent)
    let next = Task { await inbox.next(max: 10) }
    #expect(try await counts.wait { !$0.isEmpty }.first == messages)
    next.cancel()
    peer.stop()
    _ = await next.value
    await inbox.close()
  }

  @Test("before a suspect comes, the broker has the acknowledgement of the one before")
  func onTheWire() async throws {
    let heard = Probe<[UInt16]>()
    let peer = try FakePeer { session in
      try lendTwoSuspects(session)
      while true {
        let method = try session.next().method
        if method == [60, 30] { try session.send([60, 31], Bytes().text("c")) }
        // Told before the answer goes out.
        if method == [60, 80] || method == [50, 10] { heard.report(method) }
        if method == [50, 10] { try session.send([50, 11], Bytes().text("q").long(0).long(0)) }
      }
    }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let inbox = RabbitInbox(settings, topology: try Topology(), stage: .transform, prefetch: 100)
    let one = await inbox.next(max: 10)
    #expect(one.count == 1 && one.allSatisfy(\.isSuspect))
    inbox.acknowledge(one.map(\.receipt))
    let two = await inbox.next(max: 10)
    #expect(two.count == 1 && one.first?.receipt.tag != two.first?.receipt.tag)
    #expect(heard.events.suffix(2) == [[60, 80], [50, 10]])
    peer.stop()
    await inbox.close()
  }

  @Test("any comes first, so that what has come back more often than what ends its workers is worked too")
  func choice() throws {
    func delivery(_ tag: UInt64, _ returns: Int) -> Delivery {
      var delivery = Delivery(
        receipt: Delivery.Receipt(session: 1, tag: tag), envelope: .failure(Reason(.undecodable, "")), body: [])
      delivery.returns = returns
      return delivery
    }
    var seclusion = Seclusion()
    seclusion.lend(5, by: 1)
    seclusion.keep([delivery(1, 9), delivery(2, 5), delivery(3, 7), delivery(4, 5)])
    #expect(seclusion.isOn(of: 1) && !seclusion.isOn(of: 2) && !seclusion.isAlone)
    seclusion.settle(1, of: 7)
    #expect(!seclusion.isAlone)
    seclusion.settle(1, of: 1)
    #expect(seclusion.isAlone)
    #expect(seclusion.next { _ in 0 }?.receipt.tag == 1 && !seclusion.isAlone)
    seclusion.settle(1, of: 1)
    let rest = [seclusion.next { $0 - 1 }, seclusion.next { $0 - 2 }, seclusion.next(), seclusion.next()]
    #expect(rest.map { $0?.receipt.tag } == [4, 2, 3, nil])
    // What another connection lends has nothing to do with it.
    seclusion.lend(1, by: 2)
    #expect(!seclusion.isOn(of: 2) && !seclusion.isAlone)
  }
}

/// A peer's side of a connection that consumes: two messages that came back nine times.
private func lendTwoSuspects(_ session: FakePeer.Session) throws {
  try session.until([60, 10])
  try session.send([60, 11])
  try session.until([60, 20])
  try session.send([60, 21], Bytes().text("c"))
  for tag: UInt64 in [1, 2] {
    try session.send([60, 60], Bytes().text("c").longlong(tag).byte(1).text("").text("q"))
    let count = Bytes().text("x-delivery-count").byte(UInt8(ascii: "l")).longlong(9)
    let header = Bytes().short(60).short(0).longlong(2).short(1 << 13).long(count.all.count)
    try session.frame(2, header.all + count.all, channel: 1)
    try session.frame(3, Array("{}".utf8), channel: 1)
  }
}
