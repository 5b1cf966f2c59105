import Testing

@testable import JSON

@Suite("a text that is written while its values are made")
struct BodyTests {
  private static let values: [JSONTree] =
    [0, 1, -1, 7, 10, -120, .max, .min, 999_999_999_999_999_999].flatMap { (coefficient: Int64) in
      [0, 1, 2, 17, 18, 19, 24, 64].flatMap { scale -> [JSONTree] in
        let number = ExactDecimal(coefficient: Int128(coefficient), scale: scale)
        return [.number(number), .digits(number)]
      }
    }
    + [ExactDecimal.limit, -ExactDecimal.limit].flatMap { coefficient -> [JSONTree] in
      [64, 0].map { .digits(ExactDecimal(coefficient: coefficient, scale: $0)) }
    }
    + ["", "a", "fifteen bytes..", "sixteen bytes...", "\"", "a\\b\n\u{1}", "编号 🚚", String(repeating: "x", count: 900)]
    .map { .string($0) }
    + [.null, .bool(true), .bool(false), .array([.string("x"), .null]), .object([JSONMember("k", .object([]))])]

  @Test("it is what a tree of the same values is written as, however little was set aside")
  func same() {
    let members = Self.values.enumerated().map { JSONMember("k\"\($0.offset)", $0.element) }
    var writer = JSONWriter()
    JSONTree.array([.object(members), .object([]), .object(Array(members.prefix(1)))]).write(to: &writer)
    let body = JSONBody(reserving: 1)
    func append(_ members: [JSONMember], isWritten: Bool) {
      body.open(UInt8(ascii: "{"))
      for member in members {
        if isWritten {
          JSONBody.written(key: member.key, member.value).withUnsafeBufferPointer { body.append(written: $0) }
        } else {
          JSONBody.written(key: member.key).withUnsafeBufferPointer { body.append(writtenKey: $0) }
          body.append(member.value)
        }
      }
      body.close(UInt8(ascii: "}"))
    }
    body.open(UInt8(ascii: "["))
    append(members, isWritten: false)
    let mark = body.mark
    append(members, isWritten: true)
    body.cut(to: mark)
    append([], isWritten: false)
    append(Array(members.prefix(1)), isWritten: true)
    body.close(UInt8(ascii: "]"))
    #expect(String(decoding: body.bytes, as: UTF8.self) == String(decoding: writer.bytes, as: UTF8.self))
  }
}
