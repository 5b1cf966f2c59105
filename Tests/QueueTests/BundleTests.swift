import AMQP
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

/// Several envelopes in one message.
@Suite("Bundles", .timeLimit(.minutes(3)))
struct BundleTests {
  private let bundles: BundleCoding

  init() throws { bundles = BundleCoding(topology: try Topology()) }

  private func order(_ id: Int64, bytes: Int = 20, number: String = "SO \"甲\"") -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: id), orderNumber: number, revision: id + 1,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000 + id), firstSeen: 1_700_000_000_123 + id,
      content: .order([123, 10] + Array(repeating: 32, count: max(0, bytes - 3)) + [125]))
  }

  private func bill(_ id: Int64, _ change: (inout Bill, inout BillRoute) -> Void = { _, _ in }) -> Envelope {
    var bill = Bill(object: "SO", number: "N-\(id)", body: Array(#"{"Data":"\#(id) 甲"}"#.utf8))
    var route = BillRoute(strategy: "sales-order", stream: "SO")
    change(&bill, &route)
    return order(id).carrying(.bill(bill, route))
  }

  private func parcels(_ envelopes: [Envelope], _ queue: QueueName = .orders) -> [Parcel] {
    envelopes.map { Parcel(to: .queue(queue), .envelope($0)) }
  }

  private func message(_ envelopes: [Envelope], _ queue: QueueName = .orders) -> AMQPMessage {
    bundles.message(for: parcels(envelopes, queue)[...], now: 1_700_000_001_999)
  }

  private func delivery(_ message: AMQPMessage) -> AMQPDelivery {
    AMQPDelivery(
      tag: 9, redelivered: false, exchange: "", routingKey: "", properties: message.properties, body: message.body)
  }

  @Test("every kind of envelope is read as it was written")
  func roundTrip() throws {
    var again = order(3)
    again.attempt = 5
    again.lastReason = Reason(.k3Busy, "系统忙")
    let orders = [order(1, number: "1 {\"bytes\":2}"), again, order(4, bytes: 30_000)]
    #expect(bundles.envelopes(of: delivery(message(orders)), in: .orders) == .success(orders))
    let bills = [
      bill(1),
      bill(2) { bill, route in
        bill = Bill(
          object: "SO", number: "N-2", body: bill.body,
          notes: [BillNote(.movedDate, place: "Page1.Fdate", "2024-01-31 → 2024-02-01")], keyField: "FHeadSelfS0152")
        route = BillRoute(strategy: "表", stream: "red", part: BillRoute.Part(2, of: 3), beside: ["SO", "notice"])
      },
      bill(3) { _, route in route = BillRoute(strategy: "s", stream: "SO", beside: []) },
      order(4).carrying(.removal),
    ]
    #expect(bundles.envelopes(of: delivery(message(bills, .bills)), in: .bills) == .success(bills))
  }

  @Test("texts are cut and shown as in a message alone, so that an order's neighbours change nothing")
  func texts() throws {
    let order = order(1, number: "SO\n1" + String(repeating: "甲", count: 200))
    let coding = EnvelopeCoding(topology: bundles.topology)
    let alone = coding.message(for: Parcel(to: .queue(.orders), .envelope(order)), now: 1)
    let expected = try coding.envelope(of: delivery(alone), in: .orders).get()
    #expect(bundles.envelopes(of: delivery(message([order, order])), in: .orders) == .success([expected, expected]))
  }

  @Test("a bundle ends at 16 orders or 8 bills, at 64 KiB, and where another queue, a burial or a delay begins")
  func cut() {
    func cut(_ parcels: [Parcel]) -> [Int] { BundleCoding.cut(parcels).map(\.count) }
    #expect(cut([]) == [])
    #expect(cut(parcels((1...40).map { order($0) })) == [16, 16, 8])
    #expect(cut(parcels((1...20).map { bill($0) }, .bills)) == [8, 8, 4])
    #expect(cut(parcels((1...5).map { order($0, bytes: 30_000) })) == [2, 2, 1])
    #expect(cut(parcels([order(1), order(2, bytes: 90_000), order(3), order(4)])) == [1, 1, 2])
    let envelopes = (1...6).map { order($0) }
    let burial = Outcome.Burial(Reason(.undecodable, "x"))
    let mixed = [
      Parcel(to: .queue(.orders), .envelope(envelopes[0])), Parcel(to: .queue(.orders), .envelope(envelopes[1])),
      Parcel(to: .dead(.transform), .envelope(envelopes[2]), burial: burial),
      Parcel(to: .retry(.load, afterSeconds: 5), .envelope(envelopes[3])),
      Parcel(to: .retry(.load, afterSeconds: 5), .envelope(envelopes[4])),
      Parcel(to: .queue(.bills), .envelope(bill(5))), Parcel(to: .queue(.bills), .envelope(bill(6))),
      Parcel(to: .queue(.orders), .envelope(envelopes[5])), Parcel(to: .queue(.orders), .unreadable([1])),
    ]
    #expect(cut(mixed) == [2, 1, 1, 1, 2, 1, 1])
  }

  @Test("whatever is damaged in a bundle, all of it is refused, and no value of it is told")
  func damage() {
    let whole = message((1...3).map { order($0) })
    func refusal(_ change: (inout AMQPMessage) -> Void, _ queue: QueueName = .orders) -> String? {
      var message = whole
      change(&message)
      guard case .failure(let reason) = bundles.envelopes(of: delivery(message), in: queue) else { return nil }
      return reason.code == .undecodable ? reason.sentence : nil
    }
    func replacing(_ old: String, _ new: String) -> (inout AMQPMessage) -> Void {
      { $0.body = Array(String(decoding: $0.body, as: UTF8.self).replacing(old, with: new, maxReplacements: 1).utf8) }
    }
    for (sentence, change) in [
      ("no ferry-format", { $0.properties.headers.removeFirst() }),
      ("no number of pieces", { $0.properties.headers.removeLast() }),
      ("another number of pieces", { $0.properties.headers[1] = AMQPHeader("ferry-pieces", .int(4)) }),
      ("no number of pieces", { $0.properties.headers[1] = AMQPHeader("ferry-pieces", .int(65)) }),
      ("a line that is no object", { $0.body[0] = 91 }),
      ("a content of another size", { $0.body.removeLast() }),
      ("a line without an end", { $0.body += [123] }),
      ("a content of another size", replacing(#""bytes":20"#, #""bytes":21"#)),
      ("no revision in its range", replacing(#""revision":2"#, #""revision":0"#)),
      ("no number", replacing(#""number":"#, #""nomber":"#)),
    ] as [(String, (inout AMQPMessage) -> Void)] {
      #expect(refusal(change) == "the bundle is damaged: it has \(sentence)")
    }
    #expect(refusal({ _ in }, .bills)?.contains("does not belong into the queue bills") == true)
    #expect(
      refusal { $0.properties.headers[0] = AMQPHeader("ferry-format", .int(EnvelopeCoding.format + 1)) }?
        .contains("newer than this program knows") == true)
    #expect(refusal { _ in } == nil)
  }

  @Test(
    "cut off anywhere, or with any byte changed, it is read as whole envelopes or refused, and never ends the program")
  func spoiltBytes() {
    let whole = message((1...3).map { order($0) })
    for place in whole.body.indices {
      var cut = whole
      cut.body.removeSubrange(place...)
      guard case .failure = bundles.envelopes(of: delivery(cut), in: .orders) else {
        Issue.record("cut at \(place)")
        continue
      }
      var changed = whole
      changed.body[place] ^= 0x15
      if case .success(let envelopes) = bundles.envelopes(of: delivery(changed), in: .orders) {
        #expect(envelopes.count == 3)
      }
    }
  }

  @Test("taken apart, each piece is the message that it would have been, beside what the broker has written")
  func apart() throws {
    var bundle = message([bill(1), bill(2), order(3).carrying(.removal)], .bills)
    bundle.properties.headers.append(
      AMQPHeader("x-death", .array([.table([AMQPHeader("reason", .string("delivery_limit"))])])))
    let coding = EnvelopeCoding(topology: bundles.topology)
    let pieces = bundles.taken(apart: delivery(bundle), of: .load)
    #expect(pieces.count == 3 && pieces.allSatisfy { $0.tag == 9 })
    for (piece, envelope) in zip(pieces, [bill(1), bill(2), order(3).carrying(.removal)]) {
      #expect(try coding.envelope(of: piece, in: .bills).get() == envelope)
      #expect(piece.properties[header: "x-death"] != nil)
    }
    bundle.properties.timestamp = .max
    #expect(bundles.taken(apart: delivery(bundle), of: .load).count == 3)
    var damaged = bundle
    damaged.body.removeLast()
    #expect(bundles.taken(apart: delivery(damaged), of: .load).count == 1)
  }

  @Test("a bundle is done with when its last piece is, and a piece counts once")
  func pieces() {
    func piece(_ tag: UInt64, _ place: UInt8, session: UInt64 = 1) -> Delivery {
      Delivery(
        receipt: Delivery.Receipt(session: session, tag: tag, piece: place), envelope: .success(order(Int64(place))),
        body: [])
    }
    var lent = LentPieces()
    lent.lend((0..<3).map { piece(7, $0) })
    lent.add(Delivery(receipt: Delivery.Receipt(session: 1, tag: 8), envelope: .success(order(1)), body: []))
    lent.lend((0..<64).map { piece(9, $0) })
    let first = lent.take(2, of: 1)
    #expect(first.map(\.receipt.piece) == [0, 1])
    #expect(lent.take(1_000, of: 1).count == 66)
    #expect(lent.take(1, of: 1).isEmpty)
    #expect(lent.settle(first.map(\.receipt), of: 1) == [])
    #expect(lent.settle([first[0].receipt, first[1].receipt], of: 1) == [])
    #expect(lent.settle([Delivery.Receipt(session: 1, tag: 8), piece(7, 2).receipt], of: 1) == [8, 7])
    #expect(lent.settle([piece(7, 2).receipt], of: 1) == [])
    #expect(lent.settle((0..<63).map { piece(9, $0).receipt }, of: 1) == [])
    #expect(lent.settle([piece(9, 63).receipt], of: 2) == [])
    #expect(lent.settle([piece(9, 63).receipt], of: 1) == [9])
    // Another connection has tags of its own.
    lent.lend([piece(7, 0), piece(7, 1)])
    lent.lend([piece(1, 0, session: 2), piece(1, 1, session: 2)])
    #expect(lent.take(9, of: 1).isEmpty)
    #expect(lent.settle([piece(7, 0).receipt, piece(7, 1).receipt], of: 1) == [])
    #expect(lent.take(9, of: 2).count == 2)
  }

  @Test(
    "what is published together are few messages on the broker, and each piece a letter where the broker parks them")
  func onTheBroker() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let results = await outbox.publish(parcels((1...40).map { order($0) }))
      #expect(results == Array(repeating: .confirmed, count: 40))
      var messages = try await broker.deliveries(broker.topology.name(of: .orders), count: 3)
      #expect(messages.map { $0.properties[header: "ferry-pieces"] } == [.int(16), .int(16), .int(8)])
      messages[2] = messages[0]
      // As the broker itself moves them there.
      for message in messages.prefix(2) {
        try await broker.publish(
          AMQPMessage(
            exchange: broker.topology.exchange, routingKey: broker.topology.routingKey(to: .dead(.transform)),
            properties: message.properties, body: message.body))
      }
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      var ids: [Int64] = []
      while ids.count < 32 {
        let taken = try await queues.take(.transform, max: 5)
        #expect(taken.count <= 5)
        ids += taken.compactMap(\.letter.orderID?.rawValue)
        // Of the first bundle one letter is not filed.
        queues.acknowledge(taken.filter { $0.letter.orderID?.rawValue != 4 })
      }
      #expect(ids == Array(1...32))
      await queues.close()
      let left = RabbitDeadQueues(broker.settings, topology: broker.topology)
      let again = try await left.take(.transform, max: 50)
      #expect(again.compactMap(\.letter.orderID?.rawValue) == Array(1...16))
      #expect(await left.publishAgain([again[3].letter]) == [.confirmed])
      await left.close()
      let replayed = try await broker.deliveries(broker.topology.name(of: .orders), count: 1)
      #expect(try EnvelopeCoding(topology: broker.topology).envelope(of: replayed[0], in: .orders).get() == order(4))
      await outbox.close()
    }
  }

  @Test("where the broker takes no message of a bundle's size, its pieces go by themselves")
  func tooLarge() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology, pacing: .live, mostBytes: 1_500)
      let results = await outbox.publish(parcels([order(1, bytes: 900), order(2, bytes: 900), order(3, bytes: 1_600)]))
      #expect(results[0] == .confirmed && results[1] == .confirmed)
      guard case .tooLarge = results[2] else {
        Issue.record("\(results[2])")
        return
      }
      #expect(try await broker.deliveries(broker.topology.name(of: .orders), count: 2).count == 2)
      await outbox.close()
    }
  }
}
