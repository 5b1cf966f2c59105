import Expressions
import JSON
import Testing

/// Whatever the text, it is an expression or an error, and an expression has a value or an error, within its limits.
@Suite("Fuzzing of expressions", .timeLimit(.minutes(5)))
struct FuzzTests {
  static let seed: UInt64 = 271_828

  private static let settings: [EvaluationSettings] = {
    var (first, second) = (strict, mysql)
    // Few steps: what matters here is that nothing crashes.
    first.maxSteps = 20_000
    second.maxSteps = 20_000
    return [first, second]
  }()

  /// Reads, prints, reads again and computes a text; tells whether it is an expression.
  @discardableResult
  private static func exercise(_ text: String, _ random: inout SeededGenerator) throws -> Bool {
    let compiled: Compiled
    do {
      compiled = try Compiled(text)
    } catch {
      #expect((0...text.utf8.count).contains(error.offset), "seed \(seed): \(text)")
      #expect(!error.sentence.isEmpty)
      return false
    }
    let printed = compiled.expression.description
    // Parentheses of its own can take the printed text over the limit of nesting.
    if let again = try? Compiled(printed) { #expect(again.expression.description == printed, "seed \(seed): \(text)") }
    var values: [String: SQLValue] = [:]
    var lists: [String: [SQLValue]] = [:]
    for name in compiled.names {
      values[name] = random.pick(Self.values)
      lists[name] = (0..<random.number(0...3)).map { _ in random.pick(Self.values) }
    }
    for settings in settings {
      _ = try? compiled.value(values, lists: lists, settings)
      let source = TestSource(names: compiled.names, values: values, lists: lists)
      _ = compiled.expression.explained(source, settings)
    }
    return true
  }

  private static let values: [SQLValue] = [
    .null, .bool(true), .bool(false), decimal("0"), decimal("-1.50"), decimal("99999999999999999999999999999999999999"),
    decimal("0.0000000000000000000000000000000000001"), decimal("20240305"), decimal("-9223372036854775808"),
    decimal("9223372036854775807"), .text(""), .text("abc"), .text("12.5kg"), .text("2024-03-05"),
    .text("-838:59:59.999999"),
    .text("2024-02-30 25:61:61"), .text("中文😀é\u{0}"), .text("%_%"), .text("((a+)+"),
    .text("9999-12-31 23:59:59.999999"),
    .text(String(repeating: "ab", count: 500)), .date(SQLDate(year: 9999, month: 12, day: 31)!),
    .date(SQLDate(year: 1, month: 1, day: 1)!),
    .dateTime(
      SQLDateTime(date: SQLDate(year: 2024, month: 3, day: 5)!, second: 86399, microseconds: 999_999, digits: 6)),
    .time(SQLTime(isNegative: true, seconds: 3_020_399)),
  ]

  @Test("4,000 texts of random bytes")
  func bytes() throws {
    var random = SeededGenerator(seed: Self.seed)
    for _ in 0..<4_000 {
      let bytes = (0..<random.number(0...60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try Self.exercise(String(decoding: bytes, as: UTF8.self), &random)
    }
  }

  @Test("4,000 texts of random words")
  func words() throws {
    var random = SeededGenerator(seed: Self.seed + 1)
    let words = [
      "1", "2.5", "'a'", "''", "{x}", "{{y.z}}", "'{{x}}'", "(", ")", ",", "+", "-", "*", "/", "%", "=", "<", ">",
      "<=>", "!", "AND",
      "OR", "NOT", "XOR", "IS", "NULL", "LIKE", "IN", "BETWEEN", "REGEXP", "CASE", "WHEN", "THEN", "ELSE", "END",
      "INTERVAL", "DAY",
      "MONTH", "DIV", "MOD", "TRUE", "CAST(", "AS", "SIGNED", "DECIMAL(5,2)", "IF(", "CONCAT(", "SUM(", "DATE_ADD(",
      "NOW()", "TRIM(",
      "BOTH", "FROM", "SUBSTRING(", "ROUND(", "ESCAPE", "'(['", "1e3", "_findCollection a where b=c _endFind",
      "SEPARATOR", "{", "}",
    ]
    for _ in 0..<4_000 {
      let text = (0..<random.number(1...14)).map { _ in random.pick(words) }.joined(separator: " ")
      try Self.exercise(text, &random)
    }
  }

  @Test("4,000 real expressions with damage")
  func mutations() throws {
    var random = SeededGenerator(seed: Self.seed + 2)
    let originals = Published.all + HandWritten.all
    var survivors = 0
    for _ in 0..<4_000 {
      var bytes = Array(random.pick(originals).utf8)
      for _ in 0..<random.number(1...3) {
        let place = random.number(0...max(0, bytes.count - 1))
        switch random.number(0...4) {
        case 0 where !bytes.isEmpty: bytes.remove(at: place)
        case 1: bytes.insert(UInt8(random.number(32...126)), at: min(place, bytes.count))
        case 2 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 3:
          let other = Array(random.pick(originals).utf8)
          bytes = Array(bytes.prefix(place) + other.suffix(from: min(place, other.count)))
        default: bytes = bytes + bytes.prefix(place)
        }
      }
      if try Self.exercise(String(decoding: bytes, as: UTF8.self), &random) { survivors += 1 }
    }
    // The damage is mild enough to reach the evaluator.
    #expect(survivors > 400)
  }

  @Test("1,000 generated expressions over hostile values")
  func hostileValues() throws {
    var random = SeededGenerator(seed: Self.seed + 3)
    var generator = ExpressionGenerator(seed: Self.seed + 3)
    for _ in 0..<1000 {
      // Every other literal becomes a field.
      var count = 0
      let text = generator.expression().replacing(/\b[0-9]+(?:\.[0-9]+)?\b/) { match in
        count += 1
        return count % 2 == 0 ? "{f\(count % 5)}" : String(match.output)
      }
      try Self.exercise(text, &random)
    }
  }
}
