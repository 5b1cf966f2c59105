import Foundation
import JSON
import Mapping
import Orders

/// What mapping an order costs with the shipped strategy: parsed, looked up in a table at hand, mapped and written.
enum MappingBench {
  /// A file of the strategy cannot be read.
  private struct Unreadable: Error, CustomStringConvertible {
    let path: String
    var description: String { "\(path) cannot be read; name a strategy's folder with --strategy FOLDER" }
  }

  static func run(_ measure: Measure, strategy folder: String) throws {
    let read = { (name: String) in
      let path = "\(folder)/\(name)"
      guard let data = FileManager.default.contents(atPath: path) else { throw Unreadable(path: path) }
      return Array(data)
    }
    let mapper = Mapper(try Strategy(name: "bench", source: try read("source.json"), target: try read("target.json")))
    for lines in [5, 50, 500] {
      let documents = (0..<64).map { SampleOrders.answer(number: $0, lines: lines) }
      let table = LookupTable(try records(mapper, documents))
      let bytes = documents.reduce(0) { $0 + $1.count } / documents.count
      print("orders of \(lines) lines, \(bytes) bytes; min, median, max of \(measure.rounds) rounds")
      guard case .some = try bill(mapper, documents[0], table) else { continue }
      measure.run("mapping: parse, map, write", bytes: bytes) { index in
        (try? bill(mapper, documents[index & 63], table)) ?? 0
      }
    }
  }

  private static func bill(_ mapper: Mapper, _ document: [UInt8], _ table: LookupTable) throws -> Int? {
    guard let order = try JSONDocument(document).root["data"] else { return nil }
    return mapper.lookups(of: order).count + (try mapper.map(order, lookups: table)).body.count
  }

  private static func records(_ mapper: Mapper, _ documents: [[UInt8]]) throws -> [LookupKey: JSONDocument] {
    var records: [LookupKey: JSONDocument] = [:]
    for document in documents {
      guard let order = try JSONDocument(document).root["data"] else { continue }
      for key in mapper.lookups(of: order) {
        records[key] = try JSONDocument(Array(#"{"company_id":"1","serial_id":"C00001","name":"示例客户"}"#.utf8))
      }
    }
    return records
  }
}
