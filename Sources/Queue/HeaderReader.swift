import AMQP
import Pipeline

/// The headers that an envelope is read from, in the order in which they are written.
enum EnvelopeHeader: Int, CaseIterable {
  case format, orderID, orderNumber, revision, updateTime, attempt, firstSeen, lastReason, lastSentence
  case object, billNumber, keyField, strategy, stream, part, parts, beside, made, notes

  var name: String {
    switch self {
    case .format: "ferry-format"
    case .orderID: "ferry-order-id"
    case .orderNumber: "ferry-order-number"
    case .revision: "ferry-revision"
    case .updateTime: "ferry-update-time"
    case .attempt: "ferry-attempt"
    case .firstSeen: "ferry-first-seen"
    case .lastReason: "ferry-last-reason"
    case .lastSentence: "ferry-last-sentence"
    case .object: "ferry-object"
    case .billNumber: "ferry-bill-number"
    case .keyField: "ferry-key-field"
    case .strategy: "ferry-strategy"
    case .stream: "ferry-stream"
    case .part: "ferry-part"
    case .parts: "ferry-parts"
    case .beside: "ferry-beside"
    case .made: "ferry-made"
    case .notes: "ferry-notes"
    }
  }
}

/// Headers by name, with the kinds of their values. Of several with one name the last counts.
///
/// Without a table of hashes: a header is looked for where it stands behind the one before it, which is where this program
/// wrote it, and only then elsewhere.
struct HeaderReader {
  private static let count = 19
  private let headers: [AMQPHeader]
  /// Where each stands among the headers; -1: nowhere.
  private var places: InlineArray<19, Int32> = InlineArray(repeating: -1)

  init(_ headers: [AMQPHeader]) {
    self.headers = headers
    var next = 0
    for place in headers.indices {
      for step in 0..<Self.count {
        let candidate = (next + step) % Self.count
        guard EnvelopeHeader(rawValue: candidate)?.name == headers[place].name else { continue }
        places[candidate] = Int32(place)
        next = candidate + 1
        break
      }
    }
  }

  private subscript(_ header: EnvelopeHeader) -> AMQPValue? {
    let place = Int(places[header.rawValue])
    return place < 0 ? nil : headers[place].value
  }

  func has(_ header: EnvelopeHeader) -> Bool { places[header.rawValue] >= 0 }

  func int(_ header: EnvelopeHeader, _ range: ClosedRange<Int64>) throws(Reason) -> Int64 {
    guard case .int(let value)? = self[header] else { throw wrong(header, wanted: "a whole number") }
    guard range.contains(value) else { throw undecodable("the header \(header.name) is a number out of range") }
    return value
  }

  func string(_ header: EnvelopeHeader) throws(Reason) -> String {
    guard case .string(let value)? = self[header] else { throw wrong(header, wanted: "text") }
    return value
  }

  private func wrong(_ header: EnvelopeHeader, wanted: String) -> Reason {
    guard let value = self[header] else { return undecodable("the header \(header.name) is missing") }
    return undecodable("the header \(header.name) is \(kind(of: value)), not \(wanted)")
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
