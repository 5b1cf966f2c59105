import AMQP
import Orders
import Pipeline
import Testing

@testable import Queue

@Suite("Envelopes as messages")
struct EnvelopeCodingTests {
  private let coding: EnvelopeCoding
  private let order: Envelope
  private let bill: Envelope

  init() throws {
    coding = EnvelopeCoding(topology: try Topology())
    order = Envelope(
      orderID: OrderID(rawValue: 14_000_000_000_001), orderNumber: "SO 甲-1", revision: 7,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1_700_000_000_123,
      content: .order(Array("{}".utf8)))
    bill = order.carrying(
      .bill(Bill(object: "SO", number: "N-1", body: Array("{}".utf8)), BillRoute(strategy: "sales-order", stream: "SO"))
    )
  }

  private func delivery(_ message: AMQPMessage) -> AMQPDelivery {
    AMQPDelivery(
      tag: 1, redelivered: false, exchange: "", routingKey: "", properties: message.properties, body: message.body)
  }

  private func message(_ envelope: Envelope, _ queue: QueueName = .orders) -> AMQPMessage {
    coding.message(for: Parcel(to: .queue(queue), .envelope(envelope)), now: 1_700_000_001_999)
  }

  private func read(_ message: AMQPMessage, _ queue: QueueName = .orders) -> Result<Envelope, Reason> {
    coding.envelope(of: delivery(message), in: queue)
  }

  private func refusal(_ message: AMQPMessage, _ queue: QueueName = .orders) -> String? {
    guard case .failure(let reason) = read(message, queue), reason.code == .undecodable else { return nil }
    return reason.sentence
  }

  @Test("what may come back early waits for its share of the delay, and everything else has no time of its own")
  func spread() throws {
    let queues = try EnvelopeCoding(topology: Topology(ladder: [10, 60]))
    func expiration(_ destination: Destination, isSpread: Bool) -> String? {
      queues.message(
        for: Parcel(to: destination, .envelope(order), isSpread: isSpread), now: 1, permille: 851
      ).properties.expiration
    }
    #expect(expiration(.retry(.load, afterSeconds: 10), isSpread: true) == "8510")
    #expect(expiration(.retry(.load, afterSeconds: 59), isSpread: true) == "8510")
    #expect(expiration(.retry(.load, afterSeconds: 3_600), isSpread: true) == "51060")
    #expect(expiration(.retry(.load, afterSeconds: 10), isSpread: false) == nil)
    #expect(expiration(.dead(.load), isSpread: true) == nil)
    #expect(expiration(.queue(.bills), isSpread: true) == nil)
  }

  @Test("shares of the delays are 85 to 100 per cent and rise, so that none waits for one before it")
  func shares() {
    let shares = RabbitOutbox.spread(1_000)
    #expect(shares.count == 1_000)
    #expect(shares.allSatisfy { 850...1_000 ~= $0 })
    #expect(shares == shares.sorted())
    #expect(Set(shares).count > 100)
    #expect(RabbitOutbox.spread(0).isEmpty)
  }

  @Test("within a batch the shares of those that may come early rise, whatever stands between them")
  func sharesOfABatch() throws {
    let outbox = RabbitOutbox(try RabbitSettings(url: "amqp://127.0.0.1:1/"), topology: try Topology(ladder: [10]))
    let parcels = (0..<300).map { place in
      place.isMultiple(of: 3)
        ? Parcel(to: .queue(.bills), .envelope(order))
        : Parcel(to: .retry(.load, afterSeconds: 10), .envelope(order), isSpread: true)
    }
    let times = outbox.messages(for: parcels).map(\.properties.expiration)
    #expect((0..<300).allSatisfy { (times[$0] == nil) == $0.isMultiple(of: 3) })
    let waits = times.compactMap { $0.flatMap(Int.init) }
    #expect(waits.count == 200 && waits == waits.sorted() && Set(waits).count > 20)
    #expect(waits.allSatisfy { 8_500...10_000 ~= $0 })
  }

  @Test("headers are read by their names, in whatever order, the last of one name; another case is another name")
  func headerOrder() throws {
    var parts = bill.carrying(
      .bill(
        Bill(object: "SO", number: "N-1", body: Array("{}".utf8), keyField: "FKey"),
        BillRoute(strategy: "s", stream: "SO:2", part: BillRoute.Part(2, of: 3), beside: ["a", "b"], made: ["a"])))
    parts.attempt = 3
    parts.lastReason = Reason(.undecodable, "why")
    let straight = message(parts, .bills)
    #expect(read(straight, .bills) == .success(parts))
    var other = straight
    other.properties.headers.reverse()
    #expect(read(other, .bills) == .success(parts))
    for turn in 1..<straight.properties.headers.count {
      other.properties.headers = Array(straight.properties.headers[turn...] + straight.properties.headers[..<turn])
      #expect(read(other, .bills) == .success(parts))
    }
    other.properties.headers = straight.properties.headers.flatMap {
      [AMQPHeader($0.name.uppercased(), .null), AMQPHeader($0.name + "s-not", .null), AMQPHeader($0.name, .null), $0]
    }
    #expect(read(other, .bills) == .success(parts))
    other.properties.headers = straight.properties.headers + [AMQPHeader("ferry-attempt", .int(4))]
    #expect(try read(other, .bills).get().attempt == 4)
    for header in straight.properties.headers where header.name == "ferry-attempt" || header.name == "ferry-object" {
      other.properties.headers = straight.properties.headers.map { each in
        each == header ? AMQPHeader("Ferry" + header.name.dropFirst(5), header.value) : each
      }
      #expect(refusal(other, .bills) == "the header \(header.name) is missing")
    }
  }

  @Test("the names by which headers are read are those under which they are written")
  func headerNames() {
    var all = bill
    all.lastReason = Reason(.undecodable, "why")
    let notes = [BillNote(.residual, place: "Page2[1].FPrice", "0.01")]
    all.content = .bill(
      Bill(object: "SO", number: "N", body: [1], notes: notes, keyField: "FKey"),
      BillRoute(strategy: "s", stream: "x", part: BillRoute.Part(1, of: 2), beside: ["y"], made: []))
    #expect(message(all, .bills).properties.headers.map(\.name) == EnvelopeHeader.allCases.map(\.name))
  }

  @Test("an envelope comes back as it went")
  func roundTrip() {
    #expect(read(message(order)) == .success(order))
    #expect(read(message(bill, .bills), .bills) == .success(bill))
    let tried = order.again(Reason(.inDoubt, "timeout"), counted: true)
    #expect(read(message(tried)) == .success(tried))
  }

  @Test("a bill of another stream, and one of several, come back as they went, in a form that older programs refuse")
  func routes() throws {
    let document = Bill(object: "SO", number: "N-1", body: Array("{}".utf8))
    let routes = [
      BillRoute(strategy: "s", stream: "returns"),
      BillRoute(strategy: "s", stream: "SO", part: BillRoute.Part(2, of: 3)),
      BillRoute(strategy: "s", stream: "SO", part: BillRoute.Part(1, of: 1)),
    ]
    for route in routes {
      let envelope = order.carrying(.bill(document, route))
      let message = message(envelope, .bills)
      #expect(read(message, .bills) == .success(envelope))
      #expect(message.properties[header: "ferry-format"] == .int(2))
    }
    #expect(message(bill, .bills).properties[header: "ferry-format"] == .int(1))
    #expect(message(order.carrying(.bill(document, routes[1])), .bills).properties.messageID == "14000000000001-7-2")
  }

  @Test("the field of a key that is no number comes back as it went, in a form that older programs refuse")
  func keyField() throws {
    let document = Bill(object: "SO", number: "N-1", body: Array("{}".utf8), keyField: "FHeadSelfS0143")
    let envelope = order.carrying(.bill(document, BillRoute(strategy: "s", stream: "SO")))
    let message = message(envelope, .bills)
    #expect(read(message, .bills) == .success(envelope))
    #expect(message.properties[header: "ferry-format"] == .int(4))
    #expect(self.message(bill, .bills).properties[header: "ferry-key-field"] == nil)
  }

  @Test("the streams that a bill may stand beside travel with it, none as none; older programs may read it")
  func beside() throws {
    for beside in [[], ["returns"], ["a.b", "c-d"]] {
      let route = BillRoute(strategy: "s", stream: "SO", beside: beside)
      let envelope = order.carrying(.bill(Bill(object: "SO", number: "N-1", body: Array("{}".utf8)), route))
      var message = message(envelope, .bills)
      #expect(read(message, .bills) == .success(envelope))
      #expect(message.properties[header: "ferry-format"] == .int(1))
      message.properties.headers.removeAll { $0.name == "ferry-beside" }
      message.properties.headers.append(AMQPHeader("ferry-beside", .string(String(repeating: "x", count: 65))))
      #expect(refusal(message, .bills) == "the header ferry-beside names no streams")
    }
  }

  @Test("which of these streams the revision has bills in travels with it, none as none; older programs may read it")
  func made() throws {
    for made in [[], ["returns"], ["a.b", "c-d"]] {
      let route = BillRoute(strategy: "s", stream: "SO", beside: ["SO"], made: made)
      let envelope = order.carrying(.bill(Bill(object: "SO", number: "N-1", body: Array("{}".utf8)), route))
      var message = message(envelope, .bills)
      #expect(read(message, .bills) == .success(envelope))
      #expect(message.properties[header: "ferry-format"] == .int(1))
      message.properties.headers.removeAll { $0.name == "ferry-made" }
      #expect(read(message, .bills) != .success(envelope))
      message.properties.headers.append(AMQPHeader("ferry-made", .string(String(repeating: "x", count: 65))))
      #expect(refusal(message, .bills) == "the header ferry-made names no streams")
    }
  }

  @Test("a bill's notes travel with it; what is no list of notes holds up no bill")
  func notes() {
    let note = BillNote(.movedDate, place: "Page1.Fdate", "2024-01-31 → 2024-02-01")
    let noted = order.carrying(
      .bill(
        Bill(object: "SO", number: "N-1", body: Array("{}".utf8), notes: [note]),
        BillRoute(strategy: "sales-order", stream: "SO")))
    var message = message(noted, .bills)
    #expect(read(message, .bills) == .success(noted))
    message.properties.headers.removeAll { $0.name == "ferry-notes" }
    message.properties.headers.append(AMQPHeader("ferry-notes", .string("{}")))
    #expect(read(message, .bills) == .success(bill))
  }

  @Test("a bill without a stream is one of an earlier program, and belongs to its object's")
  func streamless() throws {
    var message = message(bill, .bills)
    message.properties.headers.removeAll { $0.name == "ferry-stream" }
    #expect(read(message, .bills) == .success(bill))
    message.properties.headers.append(AMQPHeader("ferry-stream", .string("")))
    #expect(refusal(message, .bills) == "the header ferry-stream is no stream's name")
  }

  @Test("a part beyond its count, and a part of which the message id does not tell, are refused")
  func parts() throws {
    let route = BillRoute(strategy: "s", stream: "SO", part: BillRoute.Part(2, of: 3))
    var message = message(
      order.carrying(.bill(Bill(object: "SO", number: "N-1", body: Array("{}".utf8)), route)), .bills)
    message.properties.headers.removeAll { $0.name == "ferry-parts" }
    #expect(refusal(message, .bills) == "the header ferry-parts is missing")
    message.properties.headers.append(AMQPHeader("ferry-parts", .int(1)))
    #expect(refusal(message, .bills) == "the header ferry-part is a number out of range")
    message.properties.headers.removeAll { $0.name == "ferry-part" }
    #expect(try #require(refusal(message, .bills)).contains("message id"))
  }

  @Test("a message is persistent, mandatory, and says what it is")
  func properties() {
    let message = message(bill, .bills)
    #expect(message.mandatory)
    #expect(message.properties.persistent)
    #expect(message.properties.contentType == "application/json")
    #expect(message.properties.messageID == "14000000000001-7")
    #expect(message.properties.type == "bill")
    #expect(message.properties.timestamp == 1_700_000_001)
    #expect(message.exchange == "ferry")
    #expect(message.routingKey == "bills")
  }

  @Test(
    "a message without one of its headers is refused with the header's name",
    arguments: [
      "ferry-format", "ferry-order-id", "ferry-order-number", "ferry-revision", "ferry-update-time", "ferry-attempt",
      "ferry-first-seen", "ferry-object", "ferry-bill-number", "ferry-strategy",
    ])
  func missing(_ name: String) {
    var message = message(bill, .bills)
    message.properties.headers.removeAll { $0.name == name }
    #expect(refusal(message, .bills) == "the header \(name) is missing")
  }

  @Test("a header of the wrong kind is refused with name and kind, never with its value")
  func wrongKind() {
    var message = message(order)
    for (value, kind) in [
      (AMQPValue.string("geheim"), "text"), (.double(4711.5), "a floating point number"), (.null, "null"),
      (.bytes([1]), "bytes"), (.bool(true), "a truth value"), (.table([]), "a table"),
    ] {
      message.properties.headers.removeAll { $0.name == "ferry-revision" }
      message.properties.headers.append(AMQPHeader("ferry-revision", value))
      #expect(refusal(message) == "the header ferry-revision is \(kind), not a whole number")
    }
    message.properties.headers.removeAll { $0.name == "ferry-revision" }
    message.properties.headers.append(AMQPHeader("ferry-revision", .int(0)))
    #expect(refusal(message) == "the header ferry-revision is a number out of range")
  }

  @Test("what is not a message of the flow is refused, each with its reason")
  func refusals() throws {
    var newer = message(order)
    newer.properties.headers[0] = AMQPHeader("ferry-format", .int(EnvelopeCoding.format + 1))
    #expect(try #require(refusal(newer)).contains("newer than this program"))

    var typeless = message(order)
    typeless.properties.type = nil
    #expect(refusal(typeless) == "the message has no type")
    typeless.properties.type = "invoice"
    #expect(refusal(typeless) == "the message's type is neither order, bill nor removal")
    #expect(try #require(refusal(message(order), .bills)).contains("does not belong into the queue bills"))

    var foreign = message(order)
    foreign.properties.contentType = "text/plain"
    #expect(refusal(foreign) == "the content type is not application/json")
    foreign.properties.contentType = nil
    #expect(refusal(foreign) == "the content type is missing")

    var renamed = message(order)
    renamed.properties.messageID = "14000000000001-8"
    #expect(try #require(refusal(renamed)).contains("message id"))

    var empty = message(order)
    empty.body = []
    #expect(refusal(empty) == "the message has no body")
    #expect(refusal(AMQPMessage(exchange: "", routingKey: "", body: [1])) == "the header ferry-format is missing")
  }

  @Test("headers of others, and a reason that only a newer program knows, are no hindrance")
  func tolerance() throws {
    var message = message(order.again(Reason(.k3Busy, "x"), counted: true))
    message.properties.headers.append(AMQPHeader("x-death", .array([.table([])])))
    message.properties.headers.removeAll { $0.name == "ferry-last-reason" }
    message.properties.headers.append(AMQPHeader("ferry-last-reason", .string("unheard_of")))
    let envelope = try read(message).get()
    #expect(envelope.attempt == 2)
    #expect(envelope.lastReason == nil)
  }

  @Test("texts are cut to their bound and show their control characters")
  func texts() throws {
    #expect(headerText("a\r\nb\u{0}\u{7f}\u{85}", maxBytes: 100) == "a␍␊b␀␡\u{FFFD}")
    #expect(headerText("甲乙丙", maxBytes: 7) == "甲乙")
    var long = order
    long.orderNumber = String(repeating: "长", count: 1_000)
    long.lastReason = Reason(.k3Rejected, String(repeating: "x", count: 100_000))
    let burial = Outcome.Burial(
      Reason(.k3Rejected, String(repeating: "y", count: 100_000)), vendorAnswer: String(repeating: "z", count: 100_000))
    let message = coding.message(for: Parcel(to: .dead(.load), .envelope(long), burial: burial), now: 5)
    let size = message.properties.headers.reduce(0) { sum, header in
      if case .string(let text) = header.value { sum + text.utf8.count } else { sum + 8 }
    }
    #expect(size < 8_192)
    #expect(message.properties[header: "ferry-vendor-answer"] == .string(String(repeating: "z", count: 2_048)))
  }

  @Test("what a header may not carry is replaced wherever it stands, and nothing else")
  func everyScalar() {
    func slowly(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
      switch scalar.value {
      case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? scalar
      case 0x7f: "\u{2421}"
      case 0x80..<0xa0, 0x2028, 0x2029: "\u{FFFD}"
      default: scalar
      }
    }
    for scalar in (0..<0x3_0000).lazy.compactMap(Unicode.Scalar.init) {
      let text = "a" + String(Character(scalar)) + "z"
      if headerText(text, maxBytes: 100) != "a" + String(Character(slowly(scalar))) + "z" {
        Issue.record("U+\(String(scalar.value, radix: 16))")
      }
    }
    #expect(headerText("0123456789", maxBytes: 10) == "0123456789")
    #expect(headerText("0123456789", maxBytes: 9) == "012345678")
    #expect(headerText("甲乙丙", maxBytes: 9) == "甲乙丙")
    #expect(headerText("甲乙丙", maxBytes: 8) == "甲乙")
  }

  @Test("a dead letter says why, where and when, and is still the message it was")
  func deadLetter() {
    let burial = Outcome.Burial(Reason(.k3Rejected, "refused"), vendorAnswer: "{}")
    let message = coding.message(for: Parcel(to: .dead(.load), .envelope(bill), burial: burial), now: 42_000)
    #expect(message.routingKey == "bills.dead")
    #expect(message.properties[header: "ferry-parked-reason"] == .string("k3_rejected"))
    #expect(message.properties[header: "ferry-parked-sentence"] == .string("refused"))
    #expect(message.properties[header: "ferry-stage"] == .string("load"))
    #expect(message.properties[header: "ferry-parked-at"] == .int(42_000))
    #expect(message.properties[header: "ferry-vendor-answer"] == .string("{}"))
    #expect(message.properties[header: "ferry-attempt"] == .int(1))
    #expect(message.properties[header: "ferry-first-seen"] == .int(1_700_000_000_123))
    #expect(read(message, .bills) == .success(bill))
  }

  @Test("what cannot be read is parked byte for byte")
  func unreadable() {
    let message = coding.message(for: Parcel(to: .dead(.transform), .unreadable([0, 255])), now: 1)
    #expect(message.body == [0, 255])
    #expect(message.properties.contentType == "application/octet-stream")
    #expect(refusal(message) != nil)
  }
}
