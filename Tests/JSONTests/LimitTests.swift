import JSON
import Testing

@Suite("JSON limits")
struct LimitTests {
  private static func limits(_ change: (inout JSONLimits) -> Void) -> JSONLimits {
    var limits = JSONLimits()
    change(&limits)
    return limits
  }

  @Test("arrays and objects nest as deep as allowed and no deeper")
  func depth() throws {
    for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
      let nested = { (depth: Int, inner: String) in
        Array((String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)).utf8)
      }
      #expect(refusal(nested(64, "1")) == nil)
      #expect(refusal(nested(65, "1")) == JSONError(kind: .tooDeep, offset: 64 * open.utf8.count))
      let shallow = Self.limits { $0.maxDepth = 2 }
      #expect(refusal(nested(2, "1"), limits: shallow) == nil)
      #expect(refusal(nested(2, "[]"), limits: shallow) == JSONError(kind: .tooDeep, offset: 2 * open.utf8.count))
      #expect(refusal(nested(2, "{}"), limits: shallow) == JSONError(kind: .tooDeep, offset: 2 * open.utf8.count))
    }
  }

  @Test("depth is of nesting, not of how many containers there are")
  func siblings() {
    let limits = Self.limits { $0.maxDepth = 2 }
    #expect(refusal(Array(("[" + String(repeating: "[],{},", count: 500) + "[1]]").utf8), limits: limits) == nil)
  }

  @Test("a depth of 0 allows scalars alone")
  func noDepth() {
    let limits = Self.limits { $0.maxDepth = 0 }
    #expect(refusal(Array("1".utf8), limits: limits) == nil)
    #expect(refusal(Array("[]".utf8), limits: limits) == JSONError(kind: .tooDeep, offset: 0))
  }

  @Test("a hundred thousand open brackets are refused at the limit, not read on")
  func deepAttack() {
    let brackets = [UInt8](repeating: 0x5B, count: 100_000)
    #expect(refusal(brackets) == JSONError(kind: .tooDeep, offset: 64))
    let keys = Array(String(repeating: "{\"\":", count: 100_000).utf8)
    #expect(refusal(keys) == JSONError(kind: .tooDeep, offset: 256))
  }

  @Test("very deep nesting is read where a limit allows it, without recursion")
  func deepAllowed() throws {
    let limits = Self.limits { $0.maxDepth = 200_000 }
    let depth = 200_000
    let bytes = [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth)
    #expect(try JSONDocument(bytes, limits: limits).root.count == 1)
  }

  @Test("a document may be as long as allowed and no longer, space included")
  func bytes() {
    let limits = Self.limits { $0.maxBytes = 10 }
    #expect(refusal(Array("[1,2,3,4] ".utf8), limits: limits) == nil)
    #expect(refusal(Array("[1,2,3,4]  ".utf8), limits: limits) == JSONError(kind: .tooLarge, offset: 10))
    #expect(JSONLimits().maxBytes == 16 << 20)
  }

  @Test("a string may be as long as allowed, counted as it stands in the text")
  func strings() {
    let limits = Self.limits { $0.maxStringBytes = 6 }
    #expect(refusal(Array(#"["abcdef"]"#.utf8), limits: limits) == nil)
    #expect(refusal(Array(#"["abcdefg"]"#.utf8), limits: limits) == JSONError(kind: .stringTooLong, offset: 1))
    #expect(refusal(Array(#"["\u0041"]"#.utf8), limits: limits) == nil)
    #expect(refusal(Array(#"["\u0041a"]"#.utf8), limits: limits) == JSONError(kind: .stringTooLong, offset: 1))
    #expect(refusal(Array(#"["中文"]"#.utf8), limits: limits) == nil)
    #expect(refusal(Array(#"{"abcdefg":1}"#.utf8), limits: limits) == JSONError(kind: .stringTooLong, offset: 1))
    let none = Self.limits { $0.maxStringBytes = 0 }
    #expect(refusal(Array(#"[""]"#.utf8), limits: none) == nil)
  }

  @Test("there may be as many values as allowed, keys and containers counted")
  func values() {
    let limits = Self.limits { $0.maxValues = 4 }
    #expect(refusal(Array("[1,2,3]".utf8), limits: limits) == nil)
    #expect(refusal(Array("[1,2,3,4]".utf8), limits: limits) == JSONError(kind: .tooManyValues, offset: 7))
    #expect(refusal(Array("[1,2,3,[]]".utf8), limits: limits) == JSONError(kind: .tooManyValues, offset: 7))
    #expect(refusal(Array(#"{"a":[1]}"#.utf8), limits: limits) == nil)
    #expect(refusal(Array(#"{"a":1,"b":2}"#.utf8), limits: limits) == JSONError(kind: .tooManyValues, offset: 11))
    #expect(refusal(Array(#"[1,2,3,"a"]"#.utf8), limits: limits) == JSONError(kind: .tooManyValues, offset: 7))
  }

  @Test("a document of more values than were reckoned with from its length is read whole")
  func manyValues() throws {
    let document = try JSONDocument(Array(("[" + String(repeating: "1,", count: 50_000) + "2]").utf8))
    #expect(document.root.count == 50_001)
    #expect(document.root[50_000]?.int64 == 2)
  }
}
