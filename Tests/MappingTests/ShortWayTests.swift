import JSON
import Orders
import Testing

@testable import Mapping

/// What is short because it is done for each order, beside the general ways.
@Suite("short ways of mapping beside the general ones")
struct ShortWayTests {
  private static let document = [
    field("A", "{no}"), field("B", "{company.id}"), field("C", "{day|date}"),
    array(
      "L", "lines", field("D", "{{lines.lines_count}}"), field("E", "{{lines.unit}}"), field("F", "{no}"),
      array("M", "lines.parts", field("G", "{{lines.parts.q}}"))),
    array("O", "others", field("H", "{{others.count}}")),
  ].joined(separator: ",")

  /// An object of some of these members, now and then one of them twice, or with an escape in its key.
  private static func object(_ members: [(String, String)], _ random: inout SplitMix) -> String {
    var chosen = members.filter { _ in random.below(4) > 0 }
    if random.below(3) == 0, let again = members.randomElement(using: &random) { chosen.append(again) }
    return "{"
      + chosen.shuffled(using: &random).map { key, value in
        let spelt =
          random.below(8) == 0 ? "\\u00" + String(Int(key.utf8.first ?? 0x61), radix: 16) + key.dropFirst() : key
        return "\"\(spelt)\":\(value)"
      }.joined(separator: ",") + "}"
  }

  private static func order(_ random: inout SplitMix) -> String {
    let scalars = [
      "1", "1.50", "\"x\"", "\"\"", "null", "true", "[]", "{}", "\"13\"", "12345678901234567890123456789012345678901",
    ]
    func scalar() -> String { scalars.randomElement(using: &random) ?? "0" }
    func rows(_ make: (inout SplitMix) -> String) -> String {
      if random.below(6) == 0 { return make(&random) }
      return "["
        + (0..<random.below(4)).map { _ in random.below(9) == 0 ? scalar() : make(&random) }.joined(separator: ",")
        + "]"
    }
    let lines = rows { random in
      let parts = "[" + (0..<random.below(3)).map { _ in #"{"q":\#(random.below(9))}"# }.joined(separator: ",") + "]"
      return object(
        [
          ("count", "\(random.below(9))"), ("lines_count", "\(random.below(9))"), ("unit", "\"u\""),
          ("lines_unit", "\"v\""),
          ("parts", parts),
        ], &random)
    }
    let others = rows { random in object([("count", "\(random.below(9))"), ("others_count", "2")], &random) }
    return object(
      [
        ("no", scalar()), ("company", #"{"id":\#(scalar())}"#), ("company.id", scalar()),
        ("day", "\"2024-01-29 10:00:00\""),
        ("lines", lines), ("others", others),
      ], &random)
  }

  /// All that the operands read in the order and in all its rows.
  private static func readings(_ reader: OrderReader, _ table: OperandTable, _ lists: [ListReach]) -> [String] {
    var found: [String] = []
    func read(_ levels: ClosedRange<Int>) {
      for (number, operand) in table.operands.enumerated() where levels.contains(operand.level) {
        do throws(ValueError) {
          let value: Value = try reader.value(of: number)
          found.append("\(operand.name): \(value.kind) \(value.text)")
        } catch { found.append("\(operand.name): \(error)") }
      }
    }
    read(0...0)
    for list in lists { reader.forEachRow(of: list) { _ in read(0...1) } }
    return found
  }

  @Test("fields that are found together are those that each would be found by itself, in 600 orders")
  func fields() throws {
    let document = try target(Self.document)
    let plain = document.content.table
    var settled = plain
    settled.settleFields()
    #expect(!settled.fields.isEmpty && plain.fields.isEmpty)
    let lists = ["lines", "others"].map { name in plain.list(Path(name)) }
    var random = SplitMix(state: 41)
    for _ in 0..<600 {
      let text = Self.order(&random)
      let order = try parsed(text)
      func reader(_ table: OperandTable) -> OrderReader {
        OrderReader(order, table, answers: LookupTable(), inputs: MappingInputs())
      }
      #expect(
        Self.readings(reader(settled), settled, lists) == Self.readings(reader(plain), plain, lists), "\(text)")
    }
  }

  @Test("values at a path are the same with and without their places, in 1,000 documents")
  func values() throws {
    var random = SplitMix(state: 42)
    func tree(_ depth: Int) -> JSONTree {
      switch random.below(depth > 0 ? 6 : 3) {
      case 0: .null
      case 1: .digits(ExactDecimal(Int64(random.below(1_000))))
      case 2: .string("\(random.below(9))")
      case 3: .array((0..<random.below(4)).map { _ in tree(depth - 1) })
      default: .object(members(depth - 1))
      }
    }
    func members(_ depth: Int) -> [JSONMember] {
      (0..<random.below(5)).map { _ in JSONMember(["a", "b", "c"].randomElement(using: &random) ?? "a", tree(depth)) }
    }
    for _ in 0..<1_000 {
      let document = members(5)
      for path in [[], ["a"], ["a", "b"], ["b", "a", "c"], ["c", "c", "c", "a"]] {
        var placed: [JSONTree] = []
        TargetField.forEach(path[...], in: document) { value, _ in placed.append(value) }
        var bare: [JSONTree] = []
        try TargetField.values(path, in: document) { bare.append($0) }
        #expect(bare == placed, "\(path) in \(document)")
      }
    }
  }

  @Test("a line that is passed over as no part of a combined product is none")
  func combined() throws {
    let values = [
      "null", "true", "false", "0", "1", "0.0", "-0", "00", "2", "\"\"", "\"0\"", "\"1\"", "\" \"", "\"x\"",
      "\"false\"", "[]",
      "{}", "[1]", "\"\\u0030\"",
    ]
    var passedOver = 0
    for value in values {
      for key in ["is_sub_product", "is_master_product", "lines_is_sub_product"] {
        guard let line = try? parsed(#"{"\#(key)":\#(value)}"#), let flag = line[key] else { continue }
        guard flag.source.isZeroOrNothing(at: flag.place) else { continue }
        passedOver += 1
        for choice in [CombinedLines.Choice.parents, .parts] {
          #expect(try CombinedLines([line], in: "lines").sent(choice).count == 1, "\(key): \(value)")
        }
      }
    }
    #expect(passedOver == 15)
  }
}

/// SplitMix64: the same numbers for the same seed on every machine.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ end: Int) -> Int { Int.random(in: 0..<end, using: &self) }
}
