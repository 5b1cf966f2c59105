import AMQP
import JSON
import Orders
import Pipeline
import Synchronization

/// Several envelopes for one queue in one message. What a message costs the broker hardly depends on what is in it: it is
/// routed, written, confirmed, delivered and acknowledged as one.
///
/// The body is, for each envelope, a line of JSON with what the flow knows of it and how many bytes its content has, and
/// the content with a line feed behind it. An envelope alone goes as a message of its own (`EnvelopeCoding`).
struct BundleCoding: Sendable {
  /// Most envelopes of a bundle. It is redelivered as one, so a worker that dies over one of them has all come again; and it
  /// goes to one worker, so bills, on which K/3 takes its time, come in smaller ones.
  static func mostPieces(_ queue: QueueName) -> Int {
    switch queue {
    case .orders: 16
    case .bills: 8
    }
  }
  /// Most bytes of contents together; a larger envelope goes alone.
  static let mostBytes = 64 << 10
  static let type = "bundle"
  private static let contentType = "application/x-ferry-bundle"
  /// How many envelopes are in it.
  static let count = "ferry-pieces"

  let topology: Topology

  /// Where a list of parcels is cut into bundles: ranges of parcels, each a message; of one parcel where it goes alone.
  /// - Parameter limit: most bytes of a message that the broker takes; nil where it is not known. Heads are counted then as well,
  ///   as large as they mostly are.
  static func cut(_ parcels: [Parcel], limit: Int? = nil) -> [Range<Int>] {
    let most = min(limit ?? mostBytes, mostBytes)
    let head = most < mostBytes ? 400 : 0
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(parcels.count / 8 + 1)
    var (start, bytes) = (0, 0)
    for (place, parcel) in parcels.enumerated() {
      let size = parcel.bundledBytes.map { $0 + head }
      if place > start {
        if let size, bytes + size <= most, case .queue(let queue) = parcel.destination,
          place - start < mostPieces(queue), parcel.destination == parcels[start].destination,
          parcels[start].bundledBytes != nil
        {
          bytes += size
          continue
        }
        ranges.append(start..<place)
      }
      (start, bytes) = (place, size ?? 0)
    }
    if start < parcels.count { ranges.append(start..<parcels.count) }
    return ranges
  }

  // MARK: Writing

  /// The message of parcels that `cut` has put together.
  /// - Parameters:
  ///   - now: milliseconds since 1970.
  ///   - name: what tells it from all others; nil for none.
  func message(for parcels: ArraySlice<Parcel>, now: Int64, name: String? = nil) -> AMQPMessage {
    var body: [UInt8] = []
    body.reserveCapacity(parcels.reduce(0) { $0 + ($1.bundledBytes ?? 0) + 320 })
    var writer = JSONWriter(reserving: 384)
    for parcel in parcels {
      guard case .envelope(let envelope) = parcel.content else { continue }
      writer.reset()
      write(envelope, to: &writer)
      body += writer.bytes
      body.append(UInt8(ascii: "\n"))
      switch envelope.content {
      case .order(let content): body += content
      case .bill(let bill, _): body += bill.body
      case .removal: break
      }
      body.append(UInt8(ascii: "\n"))
    }
    var properties = AMQPProperties(
      contentType: Self.contentType, messageID: name, type: Self.type, appID: "ferry",
      timestamp: UInt64(max(now, 0) / 1_000), persistent: true)
    properties.headers = [
      AMQPHeader("ferry-format", .int(EnvelopeCoding.bundled)), AMQPHeader(Self.count, .int(Int64(parcels.count))),
    ]
    return AMQPMessage(
      exchange: topology.exchange, routingKey: topology.routingKey(to: parcels[parcels.startIndex].destination),
      properties: properties, body: body, mandatory: true)
  }

  private func write(_ envelope: Envelope, to writer: inout JSONWriter) {
    writer.beginObject()
    func member(_ key: String, _ value: Int64) {
      writer.key(key)
      writer.integer(value)
    }
    // Cut and shown as in a message alone, so that what becomes of an order does not hang on its neighbours.
    func member(_ key: String, _ value: String, _ most: Int) {
      writer.key(key)
      writer.string(headerText(value, maxBytes: most))
    }
    func raw(_ key: String, _ value: String) {
      writer.key(key)
      writer.string(value)
    }
    member("id", envelope.orderID.rawValue)
    member("number", envelope.orderNumber, 400)
    member("revision", envelope.revision)
    member("updated", envelope.updateTime.epochSeconds)
    member("attempt", Int64(envelope.attempt))
    member("seen", envelope.firstSeen)
    if let reason = envelope.lastReason {
      member("reason", reason.code.rawValue, 60)
      member("sentence", reason.sentence, 1_024)
    }
    switch envelope.content {
    case .order(let content):
      member("type", "order", 10)
      member("bytes", Int64(content.count))
    case .removal:
      member("type", "removal", 10)
      member("bytes", 0)
    case .bill(let bill, let route):
      member("type", "bill", 10)
      member("bytes", Int64(bill.body.count))
      member("object", bill.object, 100)
      member("bill", bill.number, 400)
      if bill.keyField != Bill.numberField { member("key_field", bill.keyField, 64) }
      member("strategy", route.strategy, 200)
      member("stream", route.stream, 100)
      if let part = route.part {
        member("part", Int64(part.number))
        member("parts", Int64(part.count))
      }
      if let beside = route.beside { raw("beside", beside.joined(separator: ",")) }
      if let notes = NoteText.json(bill.notes) { raw("notes", notes) }
    }
    writer.endObject()
  }

  // MARK: Reading

  /// Whether a message is a bundle.
  static func isBundle(_ properties: AMQPProperties) -> Bool { properties.type == type }

  /// What tells a bundle from all others; nil where it has none, as from an earlier program, or somebody else's.
  static func name(_ properties: AMQPProperties) -> String? {
    guard let name = properties.messageID, name.hasPrefix(type), name.utf8.count <= 64 else { return nil }
    return name
  }

  /// A piece of a bundle.
  struct Piece: Sendable {
    /// What it holds, or why it cannot be read; the reason holds no value of it.
    let envelope: Result<Envelope, Reason>
    /// Where it cannot be read: its lines as they came. Else empty.
    var body: [UInt8] = []
    /// How many pieces these are: all that is left of a bundle in which no next one can be found.
    var count = 1

    /// The properties with which what cannot be read is a bundle of its own.
    func properties(in bundle: AMQPProperties) -> AMQPProperties {
      var properties = bundle
      // It is not the bundle of that name, of which other pieces may be settled.
      properties.messageID = nil
      properties.headers.removeAll { $0.name == BundleCoding.count }
      properties.headers.append(AMQPHeader(BundleCoding.count, .int(Int64(count))))
      return properties
    }
  }

  /// The pieces of a bundle of a queue of the flow, each by itself; or why none can be told from the others. Where one is so
  /// damaged that it has no end, it is the last one, with all that follows. Nothing of a bundle is in none of its pieces.
  func pieces(of delivery: AMQPDelivery, in queue: QueueName) -> Result<[Piece], Reason> {
    do throws(Reason) { return .success(try read(delivery, queue)) } catch { return .failure(error) }
  }

  private func read(_ delivery: AMQPDelivery, _ queue: QueueName) throws(Reason) -> [Piece] {
    guard case .int(let form)? = delivery.properties[header: "ferry-format"], form > 0 else {
      throw broken("no ferry-format")
    }
    guard form <= EnvelopeCoding.format else {
      throw Reason(
        .undecodable, "the bundle has form \(form), newer than this program knows (\(EnvelopeCoding.format))")
    }
    guard case .int(let count)? = delivery.properties[header: Self.count], 1...Int64(Self.mostRead) ~= count else {
      throw broken("no number of pieces")
    }
    var pieces: [Piece] = []
    pieces.reserveCapacity(Int(count))
    var rest = delivery.body[...]
    func endHere(_ what: String) {
      // More than it tells may be several: no one order stands for them.
      let left = Int(count) - pieces.count
      pieces.append(Piece(envelope: .failure(broken(what)), body: Array(rest), count: left > 0 ? left : 2))
    }
    while !rest.isEmpty {
      if pieces.count == Int(count) {
        endHere("more pieces than it tells")
        return pieces
      }
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
        endHere("a line without an end")
        return pieces
      }
      guard let head = try? JSONDocument(Array(rest[..<end])).root, head.kind == .object else {
        endHere("a line that is no object")
        return pieces
      }
      let start = end + 1
      guard let size = head["bytes"]?.int64, size >= 0, size < rest.endIndex - start,
        rest[start + Int(size)] == UInt8(ascii: "\n")
      else {
        endHere("a content of another size")
        return pieces
      }
      let next = start + Int(size) + 1
      do throws(Reason) {
        pieces.append(Piece(envelope: .success(try envelope(head, Array(rest[start..<next - 1]), queue))))
      } catch {
        pieces.append(Piece(envelope: .failure(error), body: Array(rest[..<next])))
      }
      rest = rest[next...]
    }
    if pieces.count < Int(count) { endHere("fewer pieces than it tells") }
    return pieces
  }

  /// More than any program puts into one. What cannot be read of one is a piece more.
  static let mostRead = 63

  private func broken(_ what: String) -> Reason { Reason(.undecodable, "the bundle is damaged: it has \(what)") }

  private func envelope(_ head: JSONValue, _ body: [UInt8], _ queue: QueueName) throws(Reason) -> Envelope {
    func int(_ key: String, _ range: ClosedRange<Int64>) throws(Reason) -> Int64 {
      guard let value = head[key]?.int64, range ~= value else { throw broken("no \(key) in its range") }
      return value
    }
    func string(_ key: String) throws(Reason) -> String {
      guard let value = head[key]?.string else { throw broken("no \(key)") }
      return value
    }
    let content: Envelope.Content
    switch (try string("type"), queue) {
    case ("order", .orders) where !body.isEmpty: content = .order(body)
    case ("removal", .bills): content = .removal
    case ("bill", .bills) where !body.isEmpty:
      var part: BillRoute.Part?
      if head["part"] != nil {
        let parts = try int("parts", 1...1_000)
        part = BillRoute.Part(Int(try int("part", 1...parts)), of: Int(parts))
      }
      let streams = try [string("stream")] + (head["beside"]?.string?.split(separator: ",").map { String($0) } ?? [])
      guard streams.allSatisfy({ 1...64 ~= $0.utf8.count }) else { throw broken("no stream's name") }
      let bill = Bill(
        object: try string("object"), number: try string("bill"), body: body,
        notes: head["notes"]?.string.flatMap { NoteText.notes($0) } ?? [],
        keyField: head["key_field"]?.string ?? Bill.numberField)
      content = .bill(
        bill,
        BillRoute(
          strategy: try string("strategy"), stream: streams[0], part: part,
          beside: head["beside"] == nil ? nil : Array(streams.dropFirst())))
    default: throw broken("a type that does not belong into the queue \(queue.rawValue), or no content")
    }
    var envelope = Envelope(
      orderID: OrderID(rawValue: try int("id", .min ... .max)), orderNumber: try string("number"),
      revision: try int("revision", 1 ... .max),
      updateTime: BeijingTime(epochSeconds: try int("updated", 0...253_402_300_799)),
      firstSeen: try int("seen", 0 ... .max), content: content)
    envelope.attempt = Int(try int("attempt", 1...1_000_000))
    // A code that a newer program may have written is no reason to refuse the message.
    if let code = head["reason"]?.string {
      envelope.lastReason = ReasonCode(rawValue: code).map { Reason($0, head["sentence"]?.string ?? "") }
    }
    return envelope
  }

  /// The messages that the pieces would be by themselves, with what the broker has written beside the bundle: for dead queues,
  /// where each order is a letter. What cannot be read of a bundle stays a bundle.
  func taken(apart delivery: AMQPDelivery, of stage: StageName) -> [AMQPDelivery] {
    guard Self.isBundle(delivery.properties), !delivery.isTruncated,
      case .success(let pieces) = pieces(of: delivery, in: stage.queue)
    else { return [delivery] }
    let coding = EnvelopeCoding(topology: topology)
    let brokers = delivery.properties.headers.filter { !$0.name.hasPrefix("ferry-") }
    return pieces.map { piece in
      var properties = piece.properties(in: delivery.properties)
      var body = piece.body
      if case .success(let envelope) = piece.envelope {
        let parcel = Parcel(to: .queue(stage.queue), .envelope(envelope))
        // Somebody else's message may bear any time.
        let seconds = min(delivery.properties.timestamp ?? 0, UInt64(Int64.max) / 1_000)
        let message = coding.message(for: parcel, now: Int64(seconds) * 1_000)
        properties = message.properties
        properties.headers += brokers
        body = message.body
      }
      return AMQPDelivery(
        tag: delivery.tag, redelivered: delivery.redelivered, exchange: delivery.exchange,
        routingKey: delivery.routingKey, properties: properties, body: body)
    }
  }

  /// What the heads of a bundle that could not be read tell of the first order in it, for whoever looks for it.
  static func firstOrder(in body: [UInt8]) -> (id: Int64, number: String?, revision: Int64?)? {
    guard let end = body.firstIndex(of: UInt8(ascii: "\n")), let head = try? JSONDocument(Array(body[..<end])).root,
      let id = head["id"]?.int64
    else { return nil }
    return (id, head["number"]?.string.map { headerText($0, maxBytes: 400) }, head["revision"]?.int64)
  }
}

/// Names for the bundles of one outbox, by which they are known when they come again.
final class BundleNames: Sendable {
  private let word = String(UInt64.random(in: .min ... .max), radix: 16)
  private let serial = Atomic<UInt64>(0)

  func next() -> String {
    var name = BundleCoding.type
    name += "-"
    name += word
    name += "-"
    name += String(serial.wrappingAdd(1, ordering: .relaxed).newValue)
    return name
  }
}

extension Parcel {
  /// How many bytes of a bundle its content takes; nil where it cannot be in one: only what goes to a queue of the flow can.
  fileprivate var bundledBytes: Int? {
    guard case .queue = destination, case .envelope(let envelope) = content, burial == nil, !leavesOutBody, returns == 0
    else {
      return nil
    }
    return switch envelope.content {
    case .order(let body): body.isEmpty ? nil : body.count
    case .bill(let bill, _): bill.body.isEmpty ? nil : bill.body.count
    case .removal: 0
    }
  }
}
