import AMQP
import Digests
import JSON
import Orders
import Pipeline

/// Envelopes as messages and back. What the flow knows of an order is in headers; the body is the content alone.
///
/// Everything with the prefix `ferry-` is ours; other headers, such as the broker's own of dead lettering, are ignored.
struct EnvelopeCoding: Sendable {
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
    var headers = [AMQPHeader("ferry-format", .int(format(of: parcel.content)))]
    var properties = AMQPProperties(appID: "ferry", timestamp: UInt64(max(now, 0) / 1_000), persistent: true)
    if parcel.isSpread, case .retry(_, let seconds) = parcel.destination {
      // The queue's own limit stands beside it; the shorter one counts. The broker takes it off when it moves the message.
      properties.expiration = String(topology.rung(for: seconds) * permille)
    }
    var body: [UInt8]
    switch parcel.content {
    case .unreadable(let bytes):
      properties.type = "unreadable"
      properties.contentType = "application/octet-stream"
      // All headers together must fit into a frame; those of a message that somebody made large are left out.
      if !parcel.properties.isEmpty, parcel.properties.utf8.count <= Self.mostOriginal {
        headers.append(AMQPHeader(DeadLetterCoding.original, .string(parcel.properties)))
      }
      body = bytes
    case .envelope(let envelope):
      properties.contentType = Self.jsonType
      properties.messageID = "\(envelope.orderID)-\(envelope.revision)"
      headers += common(envelope)
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
        if let part = route.part { properties.messageID = "\(envelope.orderID)-\(envelope.revision)-\(part.number)" }
        headers.append(AMQPHeader("ferry-object", text(bill.object, 100)))
        headers.append(AMQPHeader("ferry-bill-number", text(bill.number, 400)))
        if bill.keyField != Bill.numberField { headers.append(AMQPHeader("ferry-key-field", text(bill.keyField, 64))) }
        headers += routed(route)
        if let notes = NoteText.json(bill.notes) { headers.append(AMQPHeader("ferry-notes", .string(notes))) }
        body = bill.body
      }
    }
    if parcel.leavesOutBody {
      headers.append(AMQPHeader(DeadLetterCoding.leftOut, .int(Int64(body.count))))
      body = Self.note(inPlaceOf: body, of: parcel.content)
    }
    if let burial = parcel.burial { headers += parked(burial, parcel.destination, now) }
    properties.headers = headers
    return AMQPMessage(
      exchange: topology.exchange, routingKey: topology.routingKey(to: parcel.destination), properties: properties,
      body: body, mandatory: true)
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

  private func routed(_ route: BillRoute) -> [AMQPHeader] {
    var headers = [
      AMQPHeader("ferry-strategy", text(route.strategy, 200)), AMQPHeader("ferry-stream", text(route.stream, 100)),
    ]
    if let part = route.part {
      headers.append(AMQPHeader("ferry-part", .int(Int64(part.number))))
      headers.append(AMQPHeader("ferry-parts", .int(Int64(part.count))))
    }
    if let beside = route.beside {
      headers.append(AMQPHeader("ferry-beside", .string(beside.joined(separator: ","))))
    }
    return headers
  }

  private func common(_ envelope: Envelope) -> [AMQPHeader] {
    var headers = [
      AMQPHeader("ferry-order-id", .int(envelope.orderID.rawValue)),
      AMQPHeader("ferry-order-number", text(envelope.orderNumber, 400)),
      AMQPHeader("ferry-revision", .int(envelope.revision)),
      AMQPHeader("ferry-update-time", .int(envelope.updateTime.epochSeconds)),
      AMQPHeader("ferry-attempt", .int(Int64(envelope.attempt))),
      AMQPHeader("ferry-first-seen", .int(envelope.firstSeen)),
    ]
    if let reason = envelope.lastReason {
      headers.append(AMQPHeader("ferry-last-reason", text(reason.code.rawValue, 60)))
      headers.append(AMQPHeader("ferry-last-sentence", text(reason.sentence, 1_024)))
    }
    return headers
  }

  private func parked(_ burial: Outcome.Burial, _ destination: Destination, _ now: Int64) -> [AMQPHeader] {
    let stage =
      switch destination {
      case .dead(let stage), .retry(let stage, _): stage
      case .queue(let queue): StageName.allCases.first { $0.queue == queue } ?? .transform
      }
    let key = burial.key.map { [AMQPHeader(DeadLetterCoding.key, text($0, 1_024))] } ?? []
    return key + [
      AMQPHeader("ferry-stage", .string(stage.rawValue)),
      AMQPHeader("ferry-parked-reason", text(burial.reason.code.rawValue, 60)),
      AMQPHeader("ferry-parked-sentence", text(burial.reason.sentence, 1_024)),
      AMQPHeader("ferry-parked-at", .int(now)),
      AMQPHeader("ferry-vendor-answer", text(burial.vendorAnswer, 2_048)),
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
    let format = try headers.int("ferry-format", 1...Int64.max)
    guard format <= Self.format else {
      throw undecodable("the message has form \(format), newer than this program knows (\(Self.format))")
    }
    guard properties.contentType == Self.jsonType else {
      throw undecodable("the content type is \(properties.contentType == nil ? "missing" : "not \(Self.jsonType)")")
    }
    guard !body.isEmpty else { throw undecodable("the message has no body") }
    let orderID = OrderID(rawValue: try headers.int("ferry-order-id", Int64.min...Int64.max))
    let revision = try headers.int("ferry-revision", 1...Int64.max)
    let part = headers.has("ferry-part") ? "-\(try headers.int("ferry-part", 1...Self.mostParts))" : ""
    guard properties.messageID == "\(orderID)-\(revision)\(part)" else {
      throw undecodable("the message id is not made of ferry-order-id, ferry-revision and ferry-part")
    }
    var envelope = Envelope(
      orderID: orderID, orderNumber: try headers.string("ferry-order-number"), revision: revision,
      updateTime: BeijingTime(epochSeconds: try headers.int("ferry-update-time", 0...253_402_300_799)),
      firstSeen: try headers.int("ferry-first-seen", 0...Int64.max),
      content: try content(properties.type, body, queue, headers))
    envelope.attempt = Int(try headers.int("ferry-attempt", 1...1_000_000))
    if headers.has("ferry-last-reason") {
      let sentence = try headers.string("ferry-last-sentence")
      // A code that a newer program may have written is no reason to refuse the message.
      envelope.lastReason = ReasonCode(rawValue: try headers.string("ferry-last-reason")).map { Reason($0, sentence) }
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
        object: try headers.string("ferry-object"), number: try headers.string("ferry-bill-number"), body: body,
        notes: notes(headers),
        keyField: headers.has("ferry-key-field") ? try headers.string("ferry-key-field") : Bill.numberField)
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
    guard headers.has("ferry-notes"), let text = try? headers.string("ferry-notes") else { return [] }
    return NoteText.notes(text) ?? []
  }

  private func route(of bill: Bill, _ headers: HeaderReader) throws(Reason) -> BillRoute {
    // An earlier program wrote none: it knew one stream.
    let stream = headers.has("ferry-stream") ? try headers.string("ferry-stream") : bill.object
    guard Self.isStream(stream) else { throw undecodable("the header ferry-stream is no stream's name") }
    var part: BillRoute.Part?
    if headers.has("ferry-part") {
      let count = try headers.int("ferry-parts", 1...Self.mostParts)
      part = BillRoute.Part(Int(try headers.int("ferry-part", 1...count)), of: Int(count))
    }
    var beside: [String]?
    if headers.has("ferry-beside") {
      beside = try headers.string("ferry-beside").split(separator: ",").map { String($0) }
      guard beside?.allSatisfy(Self.isStream) == true else {
        throw undecodable("the header ferry-beside names no streams")
      }
    }
    return BillRoute(strategy: try headers.string("ferry-strategy"), stream: stream, part: part, beside: beside)
  }

  private static let mostParts: Int64 = 1_000
  private static func isStream(_ name: String) -> Bool { 1...64 ~= name.utf8.count }
}

/// A text as a header may carry it: control characters shown as pictures (`␊`), cut at so many bytes of UTF-8.
func headerText(_ text: String, maxBytes: Int) -> String {
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

private func undecodable(_ sentence: String) -> Reason { Reason(.undecodable, sentence) }

/// Headers by name, with the kinds of their values.
private struct HeaderReader {
  private var values: [String: AMQPValue] = [:]

  init(_ headers: [AMQPHeader]) {
    for header in headers where header.name.hasPrefix("ferry-") { values[header.name] = header.value }
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  func int(_ name: String, _ range: ClosedRange<Int64>) throws(Reason) -> Int64 {
    guard case .int(let value)? = values[name] else { throw wrong(name, wanted: "a whole number") }
    guard range.contains(value) else { throw undecodable("the header \(name) is a number out of range") }
    return value
  }

  func string(_ name: String) throws(Reason) -> String {
    guard case .string(let value)? = values[name] else { throw wrong(name, wanted: "text") }
    return value
  }

  private func wrong(_ name: String, wanted: String) -> Reason {
    guard let value = values[name] else { return undecodable("the header \(name) is missing") }
    return undecodable("the header \(name) is \(kind(of: value)), not \(wanted)")
  }

  private func kind(of value: AMQPValue) -> String {
    switch value {
    case .string: "text"
    case .int: "a whole number"
    case .bool: "a truth value"
    case .double: "a floating point number"
    case .timestamp: "a time"
    case .bytes: "bytes"
    case .table: "a table"
    case .array: "an array"
    case .null: "null"
    }
  }
}
