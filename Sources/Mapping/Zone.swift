import JSON

/// The clock that moments are written by: Beijing's, or what a target's `ferry.zone` says. A fixed distance to UTC: Beijing has
/// no daylight saving, and what else there is would need tables.
struct Zone: Sendable {
  /// What it shows beyond UTC.
  private(set) var secondsFromUTC = Self.beijing

  private static let beijing = 8 * 3600

  /// What it shows beyond Beijing's.
  var aheadOfBeijing: Int64 { Int64(secondsFromUTC - Self.beijing) }

  /// Beijing's.
  init() {}

  /// Reads `Asia/Shanghai`, `UTC` or an offset such as `+09:00`, of 14 hours at most; nil for anything else.
  init?(_ value: JSONValue) {
    switch value.string {
    case "Asia/Shanghai": break
    case "UTC": secondsFromUTC = 0
    case let text?:
      let bytes = Array(text.utf8)
      guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
        bytes[3] == UInt8(ascii: ":"),
        let hours = Self.number(bytes[1...2]), let minutes = Self.number(bytes[4...5]), minutes < 60,
        hours * 60 + minutes <= 14 * 60
      else { return nil }
      secondsFromUTC = (hours * 60 + minutes) * (bytes[0] == UInt8(ascii: "-") ? -60 : 60)
    case nil: return nil
    }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard digits.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  static let sentence = "zone is Asia/Shanghai, UTC or an offset such as +09:00"
}
