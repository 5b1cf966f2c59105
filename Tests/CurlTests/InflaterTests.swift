import Foundation
import Testing

@testable import Curl

@Suite("gzip")
struct InflaterTests {
  @Test("members are unpacked one after another, by the same unpacker, up to the limit")
  func members() throws {
    let unpacker = try #require(Inflater())
    let (one, two) = (try gzipped(100_000), try gzipped(7))
    for _ in 0..<2 {
      #expect(try unpacker.unpack(one + two, limit: 100_007) == [UInt8](repeating: 0, count: 100_007))
      #expect(throws: AnswerDefect.tooLarge) { try unpacker.unpack(one + two, limit: 100_006) }
      #expect(try unpacker.unpack(two, limit: 7) == [UInt8](repeating: 0, count: 7))
    }
  }

  @Test("what is cut off, damaged or followed by something else is refused")
  func damaged() throws {
    let unpacker = try #require(Inflater())
    let packed = try gzipped(1_000)
    for count in 0..<packed.count {
      #expect(throws: AnswerDefect.self, "\(count)") { try unpacker.unpack(Array(packed[..<count]), limit: 2_000) }
    }
    var wrongSum = packed
    wrongSum[packed.count - 8] ^= 1
    for bytes in [wrongSum, packed + [1], packed + [0], packed + packed.dropLast()] {
      #expect(throws: AnswerDefect.self) { try unpacker.unpack(bytes, limit: 10_000) }
    }
    #expect(try unpacker.unpack(packed, limit: 1_000).count == 1_000)
  }
}
