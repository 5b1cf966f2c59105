import AMQP
import Digests
import JSON
import Orders
import Pipeline

/// Envelopes as messages and back. What the flow knows of an order is in headers; the body is the content alone.
///
/// Everything with the prefix `ferry-` is ours; other headers, such as the broker's own of dead lettering, are ignored.
struct EnvelopeCoding: Sendable {
  /// The type of a message that nobody could read, in a dead queue.
  static let unreadable = "unreadable"
  /// The newest form of messages that this program knows: 2 are bills that a program which knows one bill an order would
  /// take for another one, 3 are removals, 4 are bills whose key is not their number, 5 are bundles.
  static let format: Int64 = 5
  /// The form of bundles (`BundleCoding`).
  static let bundled: Int64 = 5
  private static let jsonType = "application/json"
  private static let mostOriginal = 65_536

  let topology: Topology

  // MARK: Writing

  /// A parcel's message.
  /// - Parameters:
  ///   - now: milliseconds since 1970.
  ///   - permille: 850...1000: how much of its delay a parcel waits that may come back early.
  func message(for parcel: Parcel, now: Int64, permille: Int = 1_000) -> AMQPMessage {
    var headers: [AMQPHeader] = []
    headers.reserveCapacity(16)
    headers.append(AMQPHeader("ferry-format", .int(format(of: parcel.content))))
    var properties = AMQPProperties(appID: "ferry", timestamp: UInt64(max(now, 0) / 1_000), persistent: true)
    if parcel.isSpread, case .retry(_, let seconds) = parcel.destination {
      // The queue's own limit stands beside it; the shorter one counts. The broker takes it off when it moves the message.
      properties.expiration = String(topology.rung(for: seconds) * permille)
    }
    var body: [UInt8]
    switch parcel.content {
    case .unreadable(let bytes):
      properties.type = Self.unreadable
      properties.contentType = "application/octet-stream"
      // All headers together must fit into a frame; those of a message that somebody made large are left out.
      if !parcel.properties.isEmpty, parcel.properties.utf8.count <= Self.mostOriginal, !parcel.leavesOutHeaders {
        headers.append(AMQPHeader(DeadLetterCoding.original, .string(parcel.properties)))
      }
      body = bytes
    case .envelope(var envelope):
      properties.contentType = Self.jsonType
      if parcel.leavesOutHeaders {
        headers.append(AMQPHeader(DeadLetterCoding.headersLeftOut, .bool(true)))
        envelope = Self.withoutLongHeaders(envelope)
      }
      properties.messageID = Self.messageID(envelope.orderID, envelope.revision)
      append(envelope, to: &headers)
      switch envelope.content {
      case .order(let bytes):
        properties.type = "order"
        body = bytes
      case .removal:
        properties.type = "removal"
        // A message without a body is taken for a damaged one.
        body = Array("{}".utf8)
      case .bill(let bill, let route):
        properties.type = "bill"
        if let part = route.part {
          properties.messageID = Self.messageID(envelope.orderID, envelope.revision, part: Int64(part.number))
        }
        headers.append(AMQPHeader("ferry-object", text(bill.object, 100)))
        headers.append(AMQPHeader("ferry-bill-number", text(bill.number, 400)))
        if bill.keyField != Bill.numberField { headers.append(AMQPHeader("ferry-key-field", text(bill.keyField, 64))) }
        append(route, to: &headers)
        if let notes = NoteText.json(bill.notes) { headers.append(AMQPHeader("ferry-notes", .string(notes))) }
        body = bill.body
      }
    }
    if parcel.returns > 0 { headers.append(AMQPHeader(Returns.header, .int(Int64(parcel.returns)))) }
    if parcel.leavesOutBody {
      headers.append(AMQPHeader(DeadLetterCoding.leftOut, .int(Int64(body.count))))
      body = Self.note(inPlaceOf: body, of: parcel.content)
    }
    if let burial = parcel.burial {
      headers += parked(burial, parcel.destination, now, inShort: parcel.leavesOutHeaders)
    }
    properties.headers = headers
    return AMQPMessage(
      exchange: topology.exchange, routingKey: topology.routingKey(to: parcel.destination), properties: properties,
      body: body, mandatory: true)
  }

  /// The same order or bill with little enough beside it for the smallest frames that there are.
  private static func withoutLongHeaders(_ envelope: Envelope) -> Envelope {
    var short = envelope
    short.lastReason = nil
    if case .bill(let full, let route) = envelope.content {
      let bill = Bill(object: full.object, number: full.number, body: full.body, keyField: full.keyField)
      short.content = .bill(bill, BillRoute(strategy: route.strategy, stream: route.stream, part: route.part))
    }
    return short
  }

  /// What tells of a body that is left out: its size, its SHA-256, and the order by which it can be had again.
  private static func note(inPlaceOf body: [UInt8], of content: Parcel.Content) -> [UInt8] {
    var writer = JSONWriter(reserving: 256)
    writer.beginObject()
    writer.key("left_out_bytes")
    writer.integer(Int64(body.count))
    writer.key("sha256")
    writer.string(
      unsafe body.withUnsafeBufferPointer { bytes in
        // SAFETY: the buffer is used only inside the closure.
        unsafe Digest.sha256.hexadecimal(bytes) ?? ""
      })
    if case .envelope(let envelope) = content {
      writer.key("order_id")
      writer.string("\(envelope.orderID)")
      writer.key("revision")
      writer.integer(envelope.revision)
    }
    writer.endObject()
    return writer.bytes
  }

  private func format(of content: Parcel.Content) -> Int64 {
    guard case .envelope(let envelope) = content else { return 1 }
    return switch envelope.content {
    case .order: 1
    case .bill(let bill, _) where bill.keyField != Bill.numberField: 4
    case .bill(let bill, let route): route.part == nil && route.stream == bill.object ? 1 : 2
    case .removal: 3
    }
  }

  /// Put together without interpolation: short ones, as nearly all are, need no memory of their own then.
  private static func messageID(_ orderID: OrderID, _ revision: Int64, part: Int64? = nil) -> String {
    var text = String(orderID.rawValue)
    text += "-"
    text += String(revision)
    if let part {
      text += "-"
      text += String(part)
    }
    return text
  }

  private func append(_ route: BillRoute, to headers: inout [AMQPHeader]) {
    headers.append(AMQPHeader("ferry-strategy", text(route.strategy, 200)))
    headers.append(AMQPHeader("ferry-stream", text(route.stream, 100)))
    if let part = route.part {
      headers.append(AMQPHeader("ferry-part", .int(Int64(part.number))))
      headers.append(AMQPHeader("ferry-parts", .int(Int64(part.count))))
    }
    if let beside = route.beside {
      headers.append(AMQPHeader("ferry-beside", .string(beside.joined(separator: ","))))
    }
  }

  private func append(_ envelope: Envelope, to headers: inout [AMQPHeader]) {
    headers.append(AMQPHeader("ferry-order-id", .int(envelope.orderID.rawValue)))
    headers.append(AMQPHeader("ferry-order-number", text(envelope.orderNumber, 400)))
    headers.append(AMQPHeader("ferry-revision", .int(envelope.revision)))
    headers.append(AMQPHeader("ferry-update-time", .int(envelope.updateTime.epochSeconds)))
    headers.append(AMQPHeader("ferry-attempt", .int(Int64(envelope.attempt))))
    headers.append(AMQPHeader("ferry-first-seen", .int(envelope.firstSeen)))
    if let reason = envelope.lastReason {
      headers.append(AMQPHeader("ferry-last-reason", text(reason.code.rawValue, 60)))
      headers.append(AMQPHeader("ferry-last-sentence", text(reason.sentence, 1_024)))
    }
  }

  private func parked(
    _ burial: Outcome.Burial, _ destination: Destination, _ now: Int64, inShort: Bool
  ) -> [AMQPHeader] {
    let stage =
      switch destination {
      case .dead(let stage), .retry(let stage, _): stage
      case .queue(let queue): StageName.allCases.first { $0.queue == queue } ?? .transform
      }
    let key = burial.key.map { [AMQPHeader(DeadLetterCoding.key, text($0, inShort ? 400 : 1_024))] } ?? []
    return key + [
      AMQPHeader("ferry-stage", .string(stage.rawValue)),
      AMQPHeader("ferry-parked-reason", text(burial.reason.code.rawValue, 60)),
      AMQPHeader("ferry-parked-sentence", text(burial.reason.sentence, inShort ? 256 : 1_024)),
      AMQPHeader("ferry-parked-at", .int(now)),
      AMQPHeader("ferry-vendor-answer", text(burial.vendorAnswer, inShort ? 256 : 2_048)),
    ]
  }

  private func text(_ text: String, _ bytes: Int) -> AMQPValue { .string(headerText(text, maxBytes: bytes)) }

  // MARK: Reading

  /// The envelope in a message of a queue of the flow, or why there is none. The reason names headers and kinds of
  /// values, never a value.
  func envelope(of delivery: AMQPDelivery, in queue: QueueName) -> Result<Envelope, Reason> {
    do throws(Reason) {
      return .success(try read(delivery.properties, delivery.body, queue))
    } catch {
      return .failure(error)
    }
  }

  private func read(_ properties: AMQPProperties, _ body: [UInt8], _ queue: QueueName) throws(Reason) -> Envelope {
    let headers = HeaderReader(properties.headers)
    let format = try headers.int(.format, 1...Int64.max)
    guard format <= Self.format else {
      throw undecodable("the message has form \(format), newer than this program knows (\(Self.format))")
    }
    guard properties.contentType == Self.jsonType else {
      throw undecodable("the content type is \(properties.contentType == nil ? "missing" : "not \(Self.jsonType)")")
    }
    guard !body.isEmpty else { throw undecodable("the message has no body") }
    let orderID = OrderID(rawValue: try headers.int(.orderID, Int64.min...Int64.max))
    let revision = try headers.int(.revision, 1...Int64.max)
    let part = headers.has(.part) ? try headers.int(.part, 1...Self.mostParts) : nil
    guard properties.messageID == Self.messageID(orderID, revision, part: part) else {
      throw undecodable("the message id is not made of ferry-order-id, ferry-revision and ferry-part")
    }
    var envelope = Envelope(
      orderID: orderID, orderNumber: try headers.string(.orderNumber), revision: revision,
      updateTime: BeijingTime(epochSeconds: try headers.int(.updateTime, 0...253_402_300_799)),
      firstSeen: try headers.int(.firstSeen, 0...Int64.max),
      content: try content(properties.type, body, queue, headers))
    envelope.attempt = Int(try headers.int(.attempt, 1...1_000_000))
    if headers.has(.lastReason) {
      let sentence = try headers.string(.lastSentence)
      // A code that a newer program may have written is no reason to refuse the message.
      envelope.lastReason = ReasonCode(rawValue: try headers.string(.lastReason)).map { Reason($0, sentence) }
    }
    return envelope
  }

  private func content(
    _ type: String?, _ body: [UInt8], _ queue: QueueName, _ headers: HeaderReader
  ) throws(Reason) -> Envelope.Content {
    switch (type, queue) {
    case ("order", .orders): return .order(body)
    case ("bill", .bills):
      let bill = Bill(
        object: try headers.string(.object), number: try headers.string(.billNumber), body: body,
        notes: notes(headers),
        keyField: headers.has(.keyField) ? try headers.string(.keyField) : Bill.numberField)
      return .bill(bill, try route(of: bill, headers))
    case ("removal", .bills): return .removal
    case ("order", .bills), ("bill", .orders), ("removal", .orders):
      throw undecodable("the message is of a type that does not belong into the queue \(queue.rawValue)")
    case (nil, _): throw undecodable("the message has no type")
    default: throw undecodable("the message's type is neither order, bill nor removal")
    }
  }

  /// Notes are for people: where they cannot be read the bill goes on without them.
  private func notes(_ headers: HeaderReader) -> [BillNote] {
    guard headers.has(.notes), let text = try? headers.string(.notes) else { return [] }
    return NoteText.notes(text) ?? []
  }

  private func route(of bill: Bill, _ headers: HeaderReader) throws(Reason) -> BillRoute {
    // An earlier program wrote none: it knew one stream.
    let stream = headers.has(.stream) ? try headers.string(.stream) : bill.object
    guard Self.isStream(stream) else { throw undecodable("the header ferry-stream is no stream's name") }
    var part: BillRoute.Part?
    if headers.has(.part) {
      let count = try headers.int(.parts, 1...Self.mostParts)
      part = BillRoute.Part(Int(try headers.int(.part, 1...count)), of: Int(count))
    }
    var beside: [String]?
    if headers.has(.beside) {
      beside = try headers.string(.beside).split(separator: ",").map { String($0) }
      guard beside?.allSatisfy(Self.isStream) == true else {
        throw undecodable("the header ferry-beside names no streams")
      }
    }
    return BillRoute(strategy: try headers.string(.strategy), stream: stream, part: part, beside: beside)
  }

  private static let mostParts: Int64 = 1_000
  private static func isStream(_ name: String) -> Bool { 1...64 ~= name.utf8.count }
}

/// A text as a header may carry it: control characters shown as pictures (`␊`), cut at so many bytes of UTF-8.
func headerText(_ text: String, maxBytes: Int) -> String {
  // Nearly all are as they may be: of what is replaced, none begins with another byte than these.
  if text.utf8.count <= maxBytes, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != 0xc2 && $0 != 0xe2 }) {
    return text
  }
  var result = String.UnicodeScalarView()
  var size = 0
  for scalar in text.unicodeScalars {
    let safe: Unicode.Scalar =
      switch scalar.value {
      case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}"
      case 0x7f: "\u{2421}"
      case 0x80..<0xa0, 0x2028, 0x2029: "\u{FFFD}"
      default: scalar
      }
    size += UTF8.width(safe)
    if size > maxBytes { break }
    result.append(safe)
  }
  return String(result)
}

func undecodable(_ sentence: String) -> Reason { Reason(.undecodable, sentence) }
