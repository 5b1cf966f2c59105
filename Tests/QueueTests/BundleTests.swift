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

  /// The envelopes of a bundle of which all can be read.
  private func envelopes(_ message: AMQPMessage, in queue: QueueName = .orders) -> [Envelope]? {
    guard case .success(let pieces) = bundles.pieces(of: delivery(message), in: queue) else { return nil }
    let envelopes = pieces.compactMap { try? $0.envelope.get() }
    return envelopes.count == pieces.count ? envelopes : nil
  }

  @Test("every kind of envelope is read as it was written")
  func roundTrip() throws {
    var again = order(3)
    again.attempt = 5
    again.lastReason = Reason(.k3Busy, "系统忙")
    let orders = [order(1, number: "1 {\"bytes\":2}"), again, order(4, bytes: 30_000)]
    #expect(envelopes(message(orders)) == orders)
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
    #expect(envelopes(message(bills, .bills), in: .bills) == bills)
  }

  @Test("texts are cut and shown as in a message alone, so that an order's neighbours change nothing")
  func texts() throws {
    let order = order(1, number: "SO\n1" + String(repeating: "甲", count: 200))
    let coding = EnvelopeCoding(topology: bundles.topology)
    let alone = coding.message(for: Parcel(to: .queue(.orders), .envelope(order)), now: 1)
    let expected = try coding.envelope(of: delivery(alone), in: .orders).get()
    #expect(envelopes(message([order, order])) == [expected, expected])
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

  @Test("what is no bundle is refused whole, and no value of it is told")
  func damage() {
    func refusal(_ change: (inout AMQPMessage) -> Void) -> String? {
      var message = message((1...3).map { order($0) })
      change(&message)
      guard case .failure(let reason) = bundles.pieces(of: delivery(message), in: .orders) else { return nil }
      return reason.code == .undecodable ? reason.sentence : nil
    }
    #expect(refusal { $0.properties.headers.removeFirst() } == "the bundle is damaged: it has no ferry-format")
    for change: (inout AMQPMessage) -> Void in [
      { $0.properties.headers.removeLast() }, { $0.properties.headers[1] = AMQPHeader("ferry-pieces", .int(64)) },
    ] { #expect(refusal(change) == "the bundle is damaged: it has no number of pieces") }
    #expect(
      refusal { $0.properties.headers[0] = AMQPHeader("ferry-format", .int(EnvelopeCoding.format + 1)) }?
        .contains("newer than this program knows") == true)
    #expect(refusal { _ in } == nil)
  }

  @Test(
    "of a bundle in which something is damaged the other pieces go on; what has no end is the last one, with the rest")
  func damagedPieces() throws {
    let whole = message((1...3).map { order($0) })
    /// Which orders can be read, and what of the others: why, how many pieces they stand for, how many bytes they have.
    func read(_ change: (inout AMQPMessage) -> Void) throws -> ([Int64], String, Int, Int) {
      var message = whole
      change(&message)
      let pieces = try bundles.pieces(of: delivery(message), in: .orders).get()
      let good = try pieces.compactMap { piece -> Int64? in
        guard case .success(let envelope) = piece.envelope else { return nil }
        #expect(piece.body.isEmpty)
        return try #require(envelope == order(envelope.orderID.rawValue) ? envelope.orderID.rawValue : nil)
      }
      guard let bad = pieces.first(where: { (try? $0.envelope.get()) == nil }), case .failure(let why) = bad.envelope
      else { return (good, "", 0, 0) }
      #expect(pieces.count == good.count + 1 && why.code == .undecodable)
      return (good, String(why.sentence.trimmingPrefix("the bundle is damaged: it has ")), bad.count, bad.body.count)
    }
    func replacing(_ old: String, _ new: String) -> (inout AMQPMessage) -> Void {
      { $0.body = Array(String(decoding: $0.body, as: UTF8.self).replacing(old, with: new, maxReplacements: 1).utf8) }
    }
    let size = message([order(1)]).body.count
    func check(
      _ orders: [Int64], _ sentence: String, _ count: Int, _ bytes: Int, _ change: (inout AMQPMessage) -> Void
    ) throws {
      #expect(try read(change) == (orders, sentence, count, bytes))
    }
    try check([1, 2, 3], "", 0, 0) { _ in }
    try check([2, 3], "no revision in its range", 1, size, replacing(#""revision":2"#, #""revision":0"#))
    try check([1, 3], "no number", 1, size, replacing(#""id":2,"number":"#, #""id":2,"nomber":"#))
    try check([1, 2], "no seen in its range", 1, size, replacing(#""seen":1700000000126"#, #""seen":-100000000126"#))
    try check([], "a line that is no object", 3, 3 * size) { $0.body[0] = 91 }
    try check([1], "a line that is no object", 2, 2 * size) { $0.body[size] = 91 }
    try check([1], "a content of another size", 2, 2 * size) { message in
      let text = String(decoding: message.body, as: UTF8.self)
      let digit = text.ranges(of: #""bytes":20"#)[1].upperBound
      message.body[text.utf8.distance(from: text.startIndex, to: digit) - 1] = 0x31
    }
    try check([1, 2], "a content of another size", 1, size - 1) { $0.body.removeLast() }
    try check([1, 2, 3], "more pieces than it tells", 2, 1) { $0.body += [123] }
    try check([1, 2], "fewer pieces than it tells", 1, 0) { $0.body.removeLast(size) }
    try check([1, 2, 3], "fewer pieces than it tells", 1, 0) { $0.properties.headers[1].value = .int(4) }
    // What belongs into another queue is no piece of this one.
    let misled = try bundles.pieces(of: delivery(whole), in: .bills).get()
    #expect(misled.count == 3 && misled.allSatisfy { (try? $0.envelope.get()) == nil })
    #expect(misled.map(\.body).reduce([], +) == whole.body)
  }

  @Test(
    "cut off anywhere, or with any byte changed, nothing of it is lost: it is read as it was, or kept with the reason")
  func spoiltBytes() throws {
    let orders = (Int64(1)...3).map { order($0) }
    let whole = message(orders)
    let size = whole.body.count / 3
    for place in whole.body.indices {
      var cut = whole
      cut.body.removeSubrange(place...)
      let left = try bundles.pieces(of: delivery(cut), in: .orders).get()
      #expect(left.compactMap { try? $0.envelope.get() } == Array(orders[..<(place / size)]))
      #expect(left.last?.body == Array(cut.body[(place / size * size)...]))
      var changed = whole
      changed.body[place] ^= 0x15
      let read = try bundles.pieces(of: delivery(changed), in: .orders).get()
      #expect(read.map(\.count).reduce(0, +) >= 3)
      for (number, piece) in read.enumerated() where number != place / size {
        if case .success(let envelope) = piece.envelope { #expect(envelope == orders[number]) }
      }
    }
  }

  @Test("a piece that cannot be read is parked and replayed as a bundle of its own, and its letter tells the order")
  func replayed() throws {
    var bundle = bundles.message(
      for: parcels([bill(1), bill(2), bill(3)], .bills)[...], now: 1_700_000_001_999, name: "bundle-1")
    func change(_ message: inout AMQPMessage, _ old: String, _ new: String) {
      message.body = Array(String(decoding: message.body, as: UTF8.self).replacing(old, with: new).utf8)
    }
    change(&bundle, #""attempt":1,"seen":1700000000125"#, #""attempt":0,"seen":1700000000125"#)
    let piece = try #require(try bundles.pieces(of: delivery(bundle), in: .bills).get().dropFirst().first)
    guard case .failure(let reason) = piece.envelope else {
      Issue.record("an attempt 0 was read")
      return
    }
    let (coding, letters) = (
      EnvelopeCoding(topology: bundles.topology), DeadLetterCoding(topology: bundles.topology)
    )
    var parcel = Parcel(to: .dead(.load), .unreadable(piece.body), burial: Outcome.Burial(reason))
    parcel.properties = DeadLetterCoding.json(piece.properties(in: bundle.properties))
    let letter = letters.letter(delivery(coding.message(for: parcel, now: 1)), of: .load)
    #expect(letter.orderID?.rawValue == 2 && letter.orderNumber == order(2).orderNumber && letter.revision == 3)
    // What a person reads of it is fit to be shown.
    #expect(BundleCoding.firstOrder(in: Array((#"{"id":1,"number":"a\nb"}"# + "\n").utf8))?.number == "a␊b")
    var again = letters.message(again: letter, now: 2)
    #expect(BundleCoding.isBundle(again.properties) && again.body == piece.body)
    // Under its name other pieces were settled.
    #expect(again.properties.messageID == nil)
    #expect(try bundles.pieces(of: delivery(again), in: .bills).get().map(\.body) == [piece.body])
    // A program that knows what it is reads it.
    change(&again, #""attempt":0"#, #""attempt":1"#)
    #expect(envelopes(again, in: .bills) == [bill(2)])
    // The same where the broker parks the bundle.
    let moved = letters.letter(bundles.taken(apart: delivery(bundle), of: .load)[1], of: .load)
    #expect(moved.orderID?.rawValue == 2 && moved.body == piece.body)
    #expect(letters.message(again: moved, now: 2).properties.messageID == nil)
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
    let left = bundles.taken(apart: delivery(damaged), of: .load)
    #expect(left.count == 3 && left[2].properties[header: "ferry-pieces"] == .int(1))
    #expect(left[2].properties.type == "bundle" && left[2].properties[header: "x-death"] != nil)
    damaged.properties.headers.removeAll { $0.name == "ferry-pieces" }
    #expect(bundles.taken(apart: delivery(damaged), of: .load).count == 1)
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
