import JSON
import Testing

/// Ways that are short because they are gone for each value of each order, beside the general ones.
@Suite("short ways beside the general ones")
struct ShortWayTests {
  @Test("all fields of an object are found in one walk as each by itself, repeated and escaped keys among them")
  func fields() throws {
    var random = Seeded(11)
    let names = ["", "a", "b", "ab", "ba", "count", "lines_count", "unit_price", "cost_amount", "客户", "\"q\"", "a.b"]
    let spellings = [#""\u0061""#, #""co\u0075nt""#, #""\"q\"""#]
    for _ in 0..<2_000 {
      let wanted = (0..<Int.random(in: 0...8, using: &random)).map { _ in
        (0..<Int.random(in: 1...3, using: &random)).map { _ in names.randomElement(using: &random) ?? "" }
      }
      let members = (0..<Int.random(in: 0...12, using: &random)).map { number in
        let name = Self.quoted(names.randomElement(using: &random) ?? "")
        let key = Int.random(in: 0..<5, using: &random) == 0 ? spellings.randomElement(using: &random) ?? name : name
        return "\(key):\(["\(number)", "[\(number)]", #"{"a":\#(number)}"#].randomElement(using: &random) ?? "0")"
      }
      let text = "{\(members.joined(separator: ","))}"
      let root = try parse(text)
      let fields = JSONFields(wanted)
      var places = [Int](repeating: 0, count: max(1, fields.count))
      places.withUnsafeMutableBufferPointer { places in
        if let base = places.baseAddress { root.source.find(fields, in: root.place, base) }
      }
      for (number, keys) in wanted.enumerated() {
        let known = keys.lazy.compactMap { root[$0] }.first?.place ?? JSONFields.nowhere
        let found = places[number] == JSONFields.nowhere ? places[number] : JSONFields.place(places[number])
        #expect(found == known, "\(keys) in \(text)")
        #expect(root.source.member(JSONKeys(keys), of: root.place) == (known == JSONFields.nowhere ? -1 : known))
      }
    }
  }

  @Test("a division by a power of ten is the one by three times as much of three times as much")
  func powersOfTen() throws {
    var random = Seeded(12)
    for _ in 0..<4_000 {
      let scale = Int.random(in: 0...30, using: &random)
      let digits =
        Int128(Int64.random(in: .min / 4...(.max / 4), using: &random)) / Int128.random(in: 1...9_999, using: &random)
      let number = try #require(ExactDecimal(digits: digits, scale: scale))
      let power: Int128 = [1, 10, 100, 1000].randomElement(using: &random) ?? 1
      let sign: Int128 = Bool.random(using: &random) ? 1 : -1
      let places = Int.random(in: 0...6, using: &random)
      let divisor = try #require(ExactDecimal(digits: power * sign, scale: places))
      let triple = try #require(ExactDecimal(digits: power * sign * 3, scale: places))
      for kept in [0, 2, 24, 40] {
        let short = try number.divided(by: divisor, digits: kept)
        let long = try number.multiplied(by: ExactDecimal(3)).divided(by: triple, digits: kept)
        #expect(short.coefficient == long.coefficient && short.scale == long.scale, "\(number) / \(divisor), \(kept)")
      }
    }
  }

  @Test("a number's size as a text is that of its text, and what is written as digits is that text")
  func digits() throws {
    var random = Seeded(13)
    for _ in 0..<4_000 {
      let digits = Int128.random(in: -99_999_999_999_999_999_999...99_999_999_999_999_999_999, using: &random)
      let cut: Int128 = [1, 1_000_000_000, 100_000_000_000_000_000_000].randomElement(using: &random) ?? 1
      let scale = Int.random(in: 0...64, using: &random)
      let number = try #require(ExactDecimal(digits: digits / cut, scale: scale))
      #expect(number.coefficient == digits / cut && number.scale == scale)
      #expect(number.textSize == number.description.utf8.count, "\(number)")
      let made = JSONTree.array([.digits(number), .object([JSONMember("k", .digits(number), isPlain: true)])])
      let plain = JSONTree.array([.string(number.description), .object([JSONMember("k", .string(number.description))])])
      #expect(Self.written(made) == Self.written(plain))
      #expect(made.plain == plain && JSONTree.digits(number).text == number.description)
    }
  }

  @Test(
    "a key is plain where it needs no escapes", arguments: ["", "FNumber", "客户", "a\"b", "a\\b", "a\nb", "a\u{7F}b"])
  func keys(_ key: String) {
    let isPlain = JSONMember.isPlainKey(key)
    #expect(isPlain == (Self.quoted(key) == "\"\(key)\""))
    let made = JSONTree.object([JSONMember(key, .null, isPlain: isPlain)])
    #expect(Self.written(made) == Self.written(.object([JSONMember(key, .null)])))
  }

  private static func written(_ tree: JSONTree) -> String {
    var writer = JSONWriter()
    tree.write(to: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private static func quoted(_ text: String) -> String { written(.string(text)) }
}
