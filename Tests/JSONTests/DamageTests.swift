import Foundation
import JSON
import Testing

/// Valid documents cut and damaged in thousands of ways.
@Suite("damaged JSON")
struct DamageTests {
  @Test("a valid document cut at any byte is refused as ending too early", arguments: Samples.documents)
  func truncation(_ text: String) {
    let bytes = Array(text.utf8)
    let end = text.reversed().drop(while: \.isWhitespace).count
    #expect(refusal(Array(text.prefix(end).utf8)) == nil)
    for length in 0..<Array(text.prefix(end).utf8).count {
      #expect(refusal(Array(bytes[..<length])) == JSONError(kind: .unexpectedEnd, offset: length))
    }
  }

  @Test("what is damaged at random is refused, or read alike, as by Foundation, but for the differences on purpose")
  func mutations() throws {
    var random = Seeded(42)
    var taken = 0
    var excused = 0
    for round in 0..<30_000 {
      let bytes = Self.damaged(Array(Samples.documents[round % Samples.documents.count].utf8), &random)
      let error = refusal(bytes)
      let foundation = Self.foundation(bytes)
      if (error == nil) != (foundation != nil) {
        excused += 1
        if Difference(bytes, error) == nil {
          Issue.record("round \(round): \(error?.description ?? "taken"), \(bytes)")
        }
      } else if let foundation {
        taken += 1
        if !Self.same(try JSONDocument(bytes).root, foundation) {
          Issue.record("round \(round): read as other values, \(bytes)")
        }
      }
    }
    #expect((1_000..<15_000).contains(taken), "both outcomes must be well covered")
    #expect(excused < 100, "so few differences that the comparison means something")
  }

  @Test("each difference from Foundation on purpose is one", arguments: Difference.examples)
  func differences(_ example: Difference.Example) {
    let error = refusal(example.bytes)
    #expect((error == nil) != (Self.foundation(example.bytes) != nil))
    #expect(Difference(example.bytes, error) == example.difference)
  }

  private static func foundation(_ bytes: [UInt8]) -> Any? {
    try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
  }

  /// Whether Foundation has read the same; numbers as far as Double tells, but for its last digits.
  private static func same(_ value: JSONValue, _ other: Any) -> Bool {
    switch value.kind {
    case .null: return other is NSNull
    case .bool: return value.bool == (other as? NSNumber)?.boolValue
    case .number:
      guard let number = value.numberText.flatMap(Double.init), let other = other as? NSNumber else { return false }
      return abs(number - other.doubleValue) <= abs(number) * 1e-13
    case .string: return value.string == other as? String
    case .array:
      guard let elements = other as? [Any], elements.count == value.count else { return false }
      return zip(value.elements, elements).allSatisfy(same)
    case .object:
      guard let members = other as? [String: Any], members.keys.count == Set(value.members.map(\.key)).count else {
        return false
      }
      return members.allSatisfy { key, other in value[key].map { same($0, other) } == true }
    }
  }

  private static let tokens: [[UInt8]] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\udc00", "\\u0000", "-", "+", ".", "e", "E9", "0",
    "00", "1e999", "true", "null", "\n", "\u{0}", "\u{1F}", "é", "中", "😀", "/**/", "NaN", "'",
  ].map { Array($0.utf8) }

  /// One to three changes: a byte set, flipped, inserted, removed or doubled, a token put in, a piece moved.
  private static func damaged(_ original: [UInt8], _ random: inout Seeded) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
      case 3: bytes.remove(at: place)
      case 4: bytes.insert(bytes[place], at: place)
      case 5:
        let end = min(bytes.count, place + Int.random(in: 1...12, using: &random))
        let piece = bytes[place..<end]
        bytes.insert(contentsOf: piece, at: Int.random(in: 0...bytes.count, using: &random))
      case 6:
        let end = min(bytes.count, place + Int.random(in: 1...12, using: &random))
        bytes.removeSubrange(place..<end)
      default: bytes.insert(contentsOf: tokens.randomElement(using: &random) ?? [], at: place)
      }
    }
    return bytes
  }
}
