import AMQP
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

/// What is lent of bundles: handed out, settled, lost with a connection, and handed out again.
@Suite("Lent pieces", .timeLimit(.minutes(3)))
struct LentPiecesTests {
  private func order(_ id: Int64) -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: id + 1,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000 + id), firstSeen: 1_700_000_000_123 + id,
      content: .order(Array("{}".utf8)))
  }

  private func parcels(_ envelopes: [Envelope]) -> [Parcel] {
    envelopes.map { Parcel(to: .queue(.orders), .envelope($0)) }
  }

  @Test("a bundle is done with when its last piece is, and a piece counts once")
  func pieces() {
    func piece(_ tag: UInt64, _ place: UInt8, session: UInt64 = 1) -> Delivery {
      Delivery(
        receipt: Delivery.Receipt(session: session, tag: tag, piece: place), envelope: .success(order(Int64(place))),
        body: [])
    }
    var lent = LentPieces()
    #expect(lent.lend((0..<3).map { piece(7, $0) }) == true)
    lent.add(Delivery(receipt: Delivery.Receipt(session: 1, tag: 8), envelope: .success(order(1)), body: []))
    #expect(lent.lend((0..<64).map { piece(9, $0) }) == true)
    let first = lent.take(2, of: 1)
    #expect(first.map(\.receipt.piece) == [0, 1])
    #expect(lent.take(1_000, of: 1).count == 66)
    #expect(lent.take(1, of: 1).isEmpty)
    #expect(lent.settle(first.map(\.receipt), over: 1) == [])
    #expect(lent.settle([first[0].receipt, first[1].receipt], over: 1) == [])
    #expect(lent.settle([Delivery.Receipt(session: 1, tag: 8), piece(7, 2).receipt], over: 1) == [8, 7])
    #expect(lent.settle([piece(7, 2).receipt], over: 1) == [])
    #expect(lent.settle((0..<63).map { piece(9, $0).receipt }, over: 1) == [])
    #expect(lent.settle([piece(9, 63, session: 2).receipt], over: 1) == [])
    #expect(lent.settle([piece(9, 63).receipt], over: 1) == [9])
    // Another connection has tags of its own.
    #expect(lent.lend([piece(7, 0), piece(7, 1)]) == true)
    #expect(lent.lend([piece(1, 0, session: 2), piece(1, 1, session: 2)]) == true)
    #expect(lent.take(9, of: 1).isEmpty)
    #expect(lent.settle([piece(7, 0).receipt, piece(7, 1).receipt], over: 2) == [])
    #expect(lent.take(9, of: 2).count == 2)
  }

  private func lentPieces(_ places: ClosedRange<UInt8>, _ tag: UInt64, _ session: UInt64) -> [Delivery] {
    places.map { place in
      Delivery(
        receipt: Delivery.Receipt(session: session, tag: tag, piece: place), envelope: .success(order(Int64(place))),
        body: [])
    }
  }

  @Test("what was settled of a bundle is not handed out when it comes again, whenever it was settled")
  func comesAgain() {
    var lent = LentPieces()
    func receipts(_ places: ClosedRange<UInt8>, _ tag: UInt64, _ session: UInt64) -> [Delivery.Receipt] {
      lentPieces(places, tag, session).map(\.receipt)
    }
    #expect(lent.lend(lentPieces(0...7, 3, 1), name: "a") == true)
    #expect(lent.lend(lentPieces(0...1, 4, 1), name: "b") == true)
    #expect(lent.take(9, of: 1).count == 9)
    // One over the connection, one when it is lost, one when there is another that has not lent anything; "b" wholly, and its
    // acknowledgement did not arrive.
    #expect(lent.settle(receipts(0...0, 3, 1) + receipts(0...1, 4, 1), over: 1) == [4])
    #expect(lent.settle(receipts(2...2, 3, 1), over: nil) == [])
    #expect(lent.settle(receipts(4...4, 3, 1), over: 2) == [])
    #expect(lent.lend(lentPieces(0...1, 1, 2), name: "b", isAgain: true) == false)
    #expect(lent.lend(lentPieces(0...7, 2, 2), name: "a", isAgain: true) == true)
    #expect(lent.take(2, of: 2).map(\.receipt.piece) == [1, 3])
    // Those that were still worked on count when they are done: one is out again already, one is not.
    #expect(lent.settle(receipts(1...1, 3, 1) + receipts(6...6, 3, 1), over: 2) == [])
    #expect(lent.take(9, of: 2).map(\.receipt.piece) == [5, 7])
    #expect(lent.settle(receipts(5...5, 2, 2), over: 2) == [])
    // Over a third one.
    #expect(lent.lend(lentPieces(0...7, 1, 3), name: "a", isAgain: true) == true)
    #expect(lent.settle(receipts(7...7, 2, 2), over: 3) == [])
    #expect(lent.take(9, of: 3).map(\.receipt.piece) == [3])
    #expect(lent.settle(receipts(3...3, 3, 1), over: 3) == [1])
    #expect(lent.lend(lentPieces(0...7, 9, 4), name: "a", isAgain: true) == false)
    // A bundle is told by its name, and only where the broker says that it comes again.
    #expect(lent.lend(lentPieces(0...7, 10, 4), name: "a") == true)
    #expect(lent.lend(lentPieces(0...7, 11, 4), name: "c", isAgain: true) == true)
    #expect(lent.lend(lentPieces(0...7, 12, 4), isAgain: true) == true)
    #expect(lent.take(99, of: 4).count == 24)
  }

  @Test("so many bundles are remembered, the oldest are forgotten, and nothing of them is kept")
  func forgotten() {
    var lent = LentPieces(remembering: 3)
    for number: UInt64 in 1...5 {
      #expect(lent.lend(lentPieces(0...0, number, 1), name: "\(number)") == true)
      #expect(lent.settle(lentPieces(0...0, number, 1).map(\.receipt), over: 1) == [number])
    }
    for number: UInt64 in 1...5 {
      #expect(lent.lend(lentPieces(0...0, number, 2), name: "\(number)", isAgain: true) == (number < 3))
    }
  }

  @Test("after a stop the rest of the bundle that was begun is handed out, and nothing else")
  func begun() {
    var lent = LentPieces()
    #expect(lent.lend(lentPieces(0...3, 1, 1)) == true)
    #expect(lent.lend(lentPieces(0...3, 2, 1)) == true)
    #expect(lent.take(9, of: 1, onlyBegun: true).isEmpty)
    #expect(lent.take(2, of: 1).count == 2)
    #expect(lent.take(1, of: 1, onlyBegun: true).map(\.receipt.piece) == [2])
    #expect(lent.take(9, of: 1, onlyBegun: true).map(\.receipt.piece) == [3])
    #expect(lent.take(9, of: 1, onlyBegun: true).isEmpty)
    #expect(lent.take(1, of: 1).map(\.receipt.tag) == [2])
    #expect(lent.take(9, of: 1, onlyBegun: true).count == 3)
    lent.add(Delivery(receipt: Delivery.Receipt(session: 1, tag: 3), envelope: .success(order(1)), body: []))
    #expect(lent.take(9, of: 1, onlyBegun: true).isEmpty)
  }

  private func orders(_ deliveries: [Delivery]) -> [Int64] {
    deliveries.compactMap { (try? $0.envelope.get())?.orderID.rawValue }
  }

  @Test("of a bundle that comes again over another connection only what was not settled is handed out")
  func lostConnection() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      _ = await outbox.publish(parcels((1...16).map { order($0) }))
      let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 32)
      let first = await inbox.next(max: 10)
      #expect(orders(first) == Array(1...10))
      inbox.acknowledge(first[..<4].map(\.receipt))
      try await Management(broker.managementURL).endConnections(named: broker.settings.connectionName + " transform")
      // Until it knows.
      while await inbox.ready() != nil {}
      inbox.acknowledge(first[4..<6].map(\.receipt))
      let again = await inbox.next(max: 3)
      #expect(orders(again) == [7, 8, 9])
      // Still worked on when it came again.
      inbox.acknowledge(first[6...].map(\.receipt))
      let rest = await inbox.next(max: 20)
      #expect(orders(rest) == Array(11...16))
      inbox.acknowledge(rest.map(\.receipt))
      await inbox.close()
      _ = await outbox.publish(parcels([order(99)]))
      await outbox.close()
      let other = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 32)
      #expect(orders(await other.next(max: 20)) == [99])
      await other.close()
    }
  }

  @Test("a stop cuts no bundle in two: what was begun is handed out to its end, what was not goes back")
  func stopped() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      _ = await outbox.publish(parcels((1...32).map { order($0) }))
      await outbox.close()
      let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 64)
      var taken = await inbox.next(max: 5)
      await inbox.stop()
      taken += await inbox.next(max: 4)
      taken += await inbox.next(max: 50)
      #expect(orders(taken) == Array(1...16))
      #expect(await inbox.next(max: 50).isEmpty)
      inbox.acknowledge(taken.map(\.receipt))
      await inbox.close()
      let other = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 64)
      #expect(orders(await other.next(max: 50)) == Array(17...32))
      await other.close()
    }
  }

  @Test("a worker parks what cannot be read of a bundle, and the rest of it goes on")
  func oneUnreadable() async throws {
    try await withTopology { broker async throws in
      var bundle = BundleCoding(topology: broker.topology).message(
        for: parcels((1...3).map { order($0) })[...], now: 1)
      bundle.exchange = broker.topology.exchange
      bundle.routingKey = broker.topology.routingKey(to: .queue(.orders))
      bundle.body = Array(
        String(decoding: bundle.body, as: UTF8.self).replacing(#""revision":3"#, with: #""revision":-3"#).utf8)
      try await broker.publish(bundle)
      let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .transform, prefetch: 32)
      let taken = await inbox.next(max: 9)
      try #require(taken.count == 3)
      #expect(orders(taken) == [1, 3] && taken.map(\.receipt.piece) == [0, 1, 2])
      guard case .failure(let reason) = taken[1].envelope else { return }
      #expect(reason.sentence == "the bundle is damaged: it has no revision in its range")
      #expect(taken[1].body.starts(with: Array(#"{"id":2"#.utf8)) && taken[1].properties.contains(#""ferry-pieces":1"#))
      await inbox.close()
    }
  }
}
