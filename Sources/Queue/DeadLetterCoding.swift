import AMQP
import JSON
import Orders
import Pipeline

/// Messages of the dead queues as letters, and letters as messages again.
struct DeadLetterCoding: Sendable {
  let topology: Topology

  /// What a redelivery changes: it is the same letter.
  private static let passing: Set<String> = ["x-delivery-count", "x-acquired-count"]

  /// What the burial, and the tries before it, have written; a replay begins without them.
  private static let ofTheBurial: Set<String> = [
    "ferry-stage", "ferry-parked-reason", "ferry-parked-sentence", "ferry-parked-at", "ferry-vendor-answer",
    "ferry-last-reason", "ferry-last-sentence", "ferry-replayed", key, original,
    Returns.header,
  ]

  /// What differs though the same message is parked for the same reason: a copy of it came another way, or later. What K/3
  /// answered may name the moment, and its sentence is in the reason.
  private static let ofTheMoment: Set<String> = [
    "ferry-parked-at", "ferry-vendor-answer", Returns.header, "ferry-attempt",
    "ferry-last-reason", "ferry-last-sentence",
  ]

  /// The number in K/3 of a bill that is parked.
  static let key = "ferry-key"
  /// How many bytes the body had that is not with a letter.
  static let leftOut = "ferry-body-left-out"
  /// That headers which publishing it again would take are not with a letter.
  static let headersLeftOut = "ferry-headers-left-out"
  /// The properties of a message that could not be read, JSON.
  static let original = "ferry-original"

  // MARK: Reading

  /// The letter in a message.
  func letter(_ delivery: AMQPDelivery, of stage: StageName) -> DeadLetter {
    let properties = delivery.properties
    func text(_ name: String) -> String? {
      if case .string(let text)? = properties[header: name] { text } else { nil }
    }
    // Of a message that no worker could read: what it came with names its order perhaps.
    let came = text(Self.original).flatMap { try? JSONDocument(Array($0.utf8)).root["headers"] }
    func int(_ name: String) -> Int64? {
      if case .int(let number)? = properties[header: name] { number } else { came?[name]?.int64 }
    }
    let moved = text("ferry-parked-reason") == nil ? Move(properties[header: "x-death"]) : nil
    var letter = DeadLetter(
      stage: stage, reason: text("ferry-parked-reason") ?? moved?.reason ?? "unknown",
      sentence: text("ferry-parked-sentence") ?? moved?.sentence ?? "somebody else has put the message here",
      parkedAt: int("ferry-parked-at") ?? moved?.at
        ?? Int64(clamping: properties.timestamp ?? 0).multipliedOrMax(1_000),
      properties: Self.json(properties), body: delivery.body)
    letter.orderID = int("ferry-order-id").map { OrderID(rawValue: $0) }
    letter.orderNumber = text("ferry-order-number") ?? came?["ferry-order-number"]?.string
    letter.revision = int("ferry-revision")
    letter.attempts = int("ferry-attempt").map { Int(clamping: $0) }
    letter.firstSeen = int("ferry-first-seen")
    letter.vendorAnswer = text("ferry-vendor-answer") ?? ""
    if letter.orderID == nil, Self.isPieceOfBundle(properties), let order = BundleCoding.firstOrder(in: delivery.body) {
      letter.orderID = OrderID(rawValue: order.id)
      (letter.orderNumber, letter.revision) = (order.number, order.revision)
    }
    if text("ferry-parked-reason") != nil { letter.identity = Self.identity(properties) }
    return letter
  }

  /// Whether it is one piece of a bundle, which nobody could read; as a stage parks it, or in a bundle that the broker parks.
  private static func isPieceOfBundle(_ properties: AMQPProperties) -> Bool {
    if BundleCoding.isBundle(properties) { return properties[header: BundleCoding.count] == .int(1) }
    guard case .string(let text)? = properties[header: original], let known = try? JSONDocument(Array(text.utf8)).root
    else { return false }
    return known["type"]?.string == BundleCoding.type && known["headers"]?[BundleCoding.count]?.int64 == 1
  }

  /// Everything by which a message and the reason to park it are told from others: the order, its revision, part and stream,
  /// when it was seen first, the reason and its sentence.
  private static func identity(_ properties: AMQPProperties) -> String {
    var lasting = AMQPProperties(messageID: properties.messageID, type: properties.type)
    lasting.headers = properties.headers.filter { $0.name.hasPrefix("ferry-") && !ofTheMoment.contains($0.name) }
    return json(lasting)
  }

  /// The broker's own account of why it moved a message.
  private struct Move {
    let reason: String
    let sentence: String
    let at: Int64?

    /// The last move stands first.
    init?(_ deaths: AMQPValue?) {
      guard case .array(let all)? = deaths, case .table(let last)? = all.first else { return nil }
      func text(_ name: String) -> String? {
        if case .string(let text)? = last.first(where: { $0.name == name })?.value { text } else { nil }
      }
      guard let reason = text("reason") else { return nil }
      self.reason = reason
      let why =
        switch reason {
        case "rejected": "a worker could not take it in"
        case "delivery_limit": "workers have died or lost their connections while they held it"
        default: "its word for it is \(reason)"
        }
      sentence = "RabbitMQ has moved it from the queue \(text("queue") ?? "?"): \(why)"
      var at: Int64?
      if case .timestamp(let seconds)? = last.first(where: { $0.name == "time" })?.value {
        at = Int64(clamping: seconds).multipliedOrMax(1_000)
      }
      self.at = at
    }
  }

  /// Names in their order, so that the same message gives the same text.
  static func json(_ properties: AMQPProperties) -> String {
    let headers = properties.headers.filter { !passing.contains($0.name) }
    var writer = JSONWriter(reserving: 1_024)
    writer.beginObject()
    for (name, value) in [
      ("type", properties.type), ("content_type", properties.contentType), ("message_id", properties.messageID),
      ("app_id", properties.appID),
    ] {
      guard let value else { continue }
      writer.key(name)
      writer.string(value)
    }
    if let timestamp = properties.timestamp {
      writer.key("timestamp")
      writer.integer(Int64(clamping: timestamp))
    }
    writer.key("headers")
    write(.table(headers.sorted { $0.name < $1.name }), to: &writer)
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private static func write(_ value: AMQPValue, to writer: inout JSONWriter) {
    switch value {
    case .string(let text): writer.string(text)
    case .int(let number): writer.integer(number)
    case .bool(let flag): writer.bool(flag)
    case .double(let number): writer.string("\(number)")
    case .timestamp(let seconds): writer.integer(Int64(clamping: seconds))
    case .bytes(let bytes): writer.string(String(decoding: bytes, as: UTF8.self))
    case .null: writer.null()
    case .array(let values):
      writer.beginArray()
      for value in values { write(value, to: &writer) }
      writer.endArray()
    case .table(let members):
      writer.beginObject()
      for member in members {
        writer.key(member.name)
        write(member.value, to: &writer)
      }
      writer.endObject()
    }
  }

  // MARK: Writing

  /// Why a letter cannot be published again; nil when it can. One without a body, as the poller parks an order that it could not
  /// read, would come back as another letter, `undecodable`.
  static func lack(of letter: DeadLetter) -> String? {
    let properties = try? JSONDocument(Array(letter.properties.utf8)).root
    let headers = properties?["headers"]
    if properties?["type"]?.string == EnvelopeCoding.unreadable, headers?[original] == nil {
      return "it is no message of the flow as it stands, and would only be parked again: read it, then discard it"
    }
    if headers?[leftOut] != nil {
      return "its body was too large for RabbitMQ and is not kept: replay it with --refetch"
    }
    if headers?[headersLeftOut] != nil {
      return "its headers were too large for RabbitMQ and are not kept: replay it with --refetch"
    }
    guard letter.body.isEmpty else { return nil }
    let remedy = letter.orderID == nil ? "discard it" : "replay it with --refetch"
    return "it has no body, so there is nothing to publish: \(remedy)"
  }

  /// The properties that a message came with: where a worker could not read it, those that it buried with it.
  private static func original(_ properties: String) -> JSONValue? {
    guard let known = try? JSONDocument(Array(properties.utf8)).root else { return nil }
    guard let text = known["headers"]?[original]?.string else { return known }
    return (try? JSONDocument(Array(text.utf8)).root) ?? known
  }

  /// The message as it came to its stage first: of its headers Ferry's own, without the burial's; the attempts begin anew.
  /// - Parameter now: milliseconds since 1970.
  func message(again letter: DeadLetter, now: Int64) -> AMQPMessage {
    var properties = AMQPProperties(persistent: true)
    if let known = Self.original(letter.properties) {
      properties.type = known["type"]?.string
      properties.contentType = known["content_type"]?.string
      let isBundle = properties.type == BundleCoding.type
      properties.messageID = isBundle ? nil : known["message_id"]?.string
      properties.appID = known["app_id"]?.string
      properties.timestamp = known["timestamp"]?.int64.map { UInt64(clamping: $0) }
      if let members = known["headers"]?.members {
        for (name, value) in members where name.hasPrefix("ferry-") && !Self.ofTheBurial.contains(name) {
          switch value.kind {
          case .string: properties.headers.append(AMQPHeader(name, .string(value.string ?? "")))
          case .number:
            let number = name == "ferry-attempt" ? 1 : value.int64 ?? 0
            properties.headers.append(AMQPHeader(name, .int(number)))
          case .bool: properties.headers.append(AMQPHeader(name, .bool(value.bool ?? false)))
          case .null, .array, .object: break
          }
        }
      }
    }
    properties.headers.append(AMQPHeader("ferry-replayed", .int(now)))
    return AMQPMessage(
      exchange: topology.exchange, routingKey: topology.routingKey(to: .queue(letter.stage.queue)),
      properties: properties, body: letter.body, mandatory: true)
  }
}

extension Int64 {
  fileprivate func multipliedOrMax(_ factor: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
