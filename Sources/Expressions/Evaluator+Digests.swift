import Digests
import JSON
import PCRE2

// Digests, hexadecimal, thousands, patterns that give texts.
extension Evaluator {
  func digest(_ digest: Digest, _ text: String) throws(EvaluationError) -> SQLValue {
    var text = text
    guard let digits = text.withUTF8(digest.hexadecimal) else { throw .invalid("this machine forbids the digest") }
    return .text(digits)
  }

  func sha2(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    switch try int(child(node, 1)) {
    case 0, 256: return try digest(.sha256, text)
    case 224: return try digest(.sha224, text)
    case 384: return try digest(.sha384, text)
    case 512: return try digest(.sha512, text)
    default: return .null
    }
  }

  func hex(_ node: Node) throws(EvaluationError) -> SQLValue {
    let value = try value(child(node, 0))
    if value.isNumber, let number = plainNumber(value) {
      // What does not fit into 64 bits is cut at their ends, as the server does.
      let whole = number.rounded(scale: 0).coefficient
      let bits = whole < 0 ? UInt64(bitPattern: Int64(clamping: whole)) : UInt64(clamping: whole)
      return .text(String(bits, radix: 16, uppercase: true))
    }
    guard let text = text(of: value) else { return .null }
    try willBuild(2 * text.utf8.count)
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(2 * text.utf8.count)
    for byte in text.utf8 { result += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return .text(String(decoding: result, as: UTF8.self))
  }

  func format(_ node: Node) throws(EvaluationError) -> SQLValue {
    let number = try number(child(node, 0))
    let decimals = try int(child(node, 1))
    guard let number, let decimals else { return .null }
    let kept = min(max(decimals, 0), 30)
    let parts = settled(number, to: kept).rounded(scale: kept).padded(to: kept).description.split(separator: ".")
    let isNegative = parts[0].hasPrefix("-")
    let digits = parts[0].drop { $0 == "-" }
    var whole = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { whole += "," }
      whole.append(digit)
    }
    return .text((isNegative ? "-" : "") + whole + (parts.count > 1 ? "." + parts[1] : ""))
  }

  // MARK: Patterns

  func callPattern(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    let text = try self.text(child(node, 0))
    let pattern = try pattern(child(node, 1), -1)
    let with = node.count > 2 ? try self.text(child(node, 2)) : ""
    guard let text, let pattern, let with else { return .null }
    let isReplacing = function == .regexpReplace
    let places = try matches(of: pattern, in: text, most: isReplacing ? Int.max : 1)
    switch function {
    case .regexpSubstr: return .text(places.first.map { text.bytes($0) } ?? "")
    case .regexpInstr:
      return .init(places.first.map { text.bytes(0..<$0.lowerBound).characterCount + 1 } ?? 0)
    default: break
    }
    var result = ""
    var at = 0
    for place in places {
      try willBuild(result.utf8.count + with.utf8.count + place.lowerBound - at)
      result += text.bytes(at..<place.lowerBound) + with
      at = place.upperBound
    }
    return .text(result + text.bytes(at..<text.utf8.count))
  }

  private func matches(
    of pattern: Pattern, in text: String, most: Int
  ) throws(EvaluationError) -> [Range<Int>] {
    var places: [Range<Int>] = []
    var text = text
    let count = text.utf8.count
    var at = 0
    while at <= count, places.count < most {
      // A search may look at the whole rest.
      try spend(64 + count - at)
      let start = at
      switch text.withUTF8({ pattern.firstMatch(in: $0, from: start) }) {
      case .none: return places
      case .limit: throw .limit("the pattern takes too many steps on this text")
      case .found(let place):
        places.append(place)
        at = max(place.upperBound, at)
        if place.isEmpty {
          // Goes on behind the next character.
          at = text.withUTF8 { bytes in
            var next = start < place.upperBound ? place.upperBound : start
            if next < bytes.count { _ = nextScalar(bytes, &next) } else { next += 1 }
            return next
          }
        }
      }
    }
    return places
  }
}
