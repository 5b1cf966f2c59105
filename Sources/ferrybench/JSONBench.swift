import Foundation
import JSON

/// What reading and writing JSON costs, beside Foundation's two ways.
enum JSONBench {
  static func run(_ measure: Measure) {
    for (title, lines) in [("an order of 5 lines", 5), ("an order of 800 lines", 800)] {
      let documents = (0..<64).map { SampleOrders.answer(number: $0, lines: lines) }
      let bytes = documents.reduce(0) { $0 + $1.count } / documents.count
      print("\(title), \(bytes) bytes; min, median, max of \(measure.rounds) rounds")
      readers(measure, documents, bytes)
      if lines == 5 { parts(measure, documents, bytes) }
      foundation(measure, documents, bytes)
    }
  }

  private static func readers(_ measure: Measure, _ documents: [[UInt8]], _ bytes: Int) {
    measure.run("JSON: parse", bytes: bytes) { index in
      (try? JSONDocument(documents[index & 63]))?.root.count ?? 0
    }
    measure.run("JSON: parse, read all fields", bytes: bytes) { index in
      guard let document = try? JSONDocument(documents[index & 63]) else { return 0 }
      return readAll(document.root)
    }
    measure.run("JSON: parse, copy into JSONTree", bytes: bytes) { index in
      guard let document = try? JSONDocument(documents[index & 63]) else { return 0 }
      return JSONTree(document.root) == .null ? 0 : 1
    }
  }

  /// Parts of Ferry's hot path, and the whole of it.
  private static func parts(_ measure: Measure, _ documents: [[UInt8]], _ bytes: Int) {
    measure.run("JSON: parse, read 30 named fields", bytes: bytes) { index in
      guard let document = try? JSONDocument(documents[index & 63]) else { return 0 }
      return readNamed(document.root)
    }
    measure.run("JSON: parse, 40 keys, 15 decimals, write", bytes: bytes) { index in
      guard let document = try? JSONDocument(documents[index & 63]), let bill = try? Bill.write(document.root) else {
        return 0
      }
      return bill.count
    }
  }

  private static func foundation(_ measure: Measure, _ documents: [[UInt8]], _ bytes: Int) {
    let data = documents.map { Data($0) }
    measure.run("Foundation: JSONSerialization", bytes: bytes) { index in
      let object = try? JSONSerialization.jsonObject(with: data[index & 63])
      return (object as? [String: Any])?.count ?? 0
    }
    let decoder = JSONDecoder()
    measure.run("Foundation: JSONDecoder, dynamic tree", bytes: bytes) { index in
      if case .object(let members)? = try? decoder.decode(DynamicTree.self, from: data[index & 63]) {
        return members.count
      }
      return 0
    }
  }

  private static func readAll(_ value: JSONValue) -> Int {
    switch value.kind {
    case .object: value.members.reduce(0) { $0 &+ $1.key.utf8.count &+ readAll($1.value) }
    case .array: value.elements.reduce(0) { $0 &+ readAll($1) }
    case .number: value.decimal?.scale ?? 0
    case .string: value.string?.utf8.count ?? 0
    case .bool, .null: 1
    }
  }

  private static func readNamed(_ root: JSONValue) -> Int {
    guard let order = root["data"] else { return 0 }
    var sum = 0
    for key in ["order_no", "name", "account_date", "currency", "create_time", "update_time"] {
      sum &+= order[key]?.string?.utf8.count ?? 0
    }
    for key in ["exchange_rate", "amount", "order_id", "company_id"] { sum &+= order[key]?.decimal?.scale ?? 0 }
    for line in (order["product_list"]?.elements).map(Array.init) ?? [] {
      sum &+= line["product_no"]?.text?.utf8.count ?? 0
      for key in ["count", "unit_price", "cost_amount"] { sum &+= line[key]?.decimal?.scale ?? 0 }
    }
    return sum
  }
}

/// The usual way to hold any JSON with Codable.
private enum DynamicTree: Decodable {
  case null
  case bool(Bool)
  case number(Decimal)
  case string(String)
  case array([DynamicTree])
  case object([String: DynamicTree])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Decimal.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([DynamicTree].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: DynamicTree].self))
    }
  }
}
