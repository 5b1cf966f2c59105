import Orders
import Pipeline

extension History {
  /// The last touch of the order that a message carries, and its version.
  static func edition(_ envelope: Envelope) -> [Int]? {
    guard case .order(let bytes) = envelope.content else { return nil }
    let numbers = String(decoding: bytes, as: UTF8.self).split(separator: "\"").compactMap { Int($0) }
    return numbers.isEmpty ? nil : numbers
  }

  /// The version that a message carries.
  static func version(_ envelope: Envelope) -> Int? {
    switch envelope.content {
    case .order: return edition(envelope)?.last
    case .bill(let bill, _): return SimulatedDestination.content(bill)?.version
    case .removal: return nil
    }
  }
}
