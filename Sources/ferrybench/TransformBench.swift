import Foundation
import JSON
import Mapping
import Orders

/// What turning an order into its bill costs with the shipped strategy, as the transform stage does it: batches of 64, whose
/// questions are asked together and answered from memory.
///
/// For counting instructions: the difference of two runs with other numbers of batches is what the orders alone take.
enum TransformBench {
  /// Runs so many batches of orders of so many lines, and prints the processor time of an order.
  static func run(batches: Int, lines: Int, strategy folder: String) throws {
    let read = { (name: String) in Array(FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()) }
    let strategy = try Strategy(name: "bench", source: read("source.json"), target: read("target.json"))
    let strategies = try StrategySet([strategy])
    let record = try JSONDocument(Array(#"{"company_id":"1","serial_id":"C00001","name":"示例客户"}"#.utf8))
    let orders = (0..<64).map { number -> [UInt8] in
      let answer = try? JSONDocument(SampleOrders.answer(number: number, lines: lines))
      return (answer?.root["data"]).map { Array($0.rawBytes) } ?? []
    }
    let inputs = MappingInputs(now: BeijingTime(epochSeconds: 1_716_171_330))
    var (bills, bytes) = (0, 0)
    let measure = Measure(rounds: 1, seconds: 1, only: "")
    let start = measure.processorSeconds()
    for _ in 0..<batches {
      let takers = try orders.map { try strategies.takers(of: JSONDocument($0)) }
      var keys: Set<LookupKey> = []
      for takers in takers { keys.formUnion(takers.lookups(inputs: inputs)) }
      let table = LookupTable(Array(keys), answers: keys.map { _ in .found(record) })
      for takers in takers {
        for (bill, _) in try takers.bills(lookups: table, inputs: inputs) {
          bills += 1
          bytes += bill.body.count
        }
      }
    }
    let seconds = (measure.processorSeconds() - start) / Double(max(bills, 1))
    let each = String(format: "%.2f µs an order", seconds * 1e6)
    print("\(lines) lines, \(orders[0].count) bytes: \(bills) bills of \(bytes / max(bills, 1)) bytes, \(each)")
  }
}
