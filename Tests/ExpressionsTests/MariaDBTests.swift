import Expressions
import JSON
import Testing

/// Expressions written by hand for each function, operator and coercion.
enum HandWritten {
  static let all = conditions + textsAndNumbers + dates
}

@Suite("Expressions beside a real MariaDB", .timeLimit(.minutes(5)))
struct MariaDBTests {
  static let seeds: [UInt64] = [1, 2, 3, 4]

  /// What ours comes to with MySQL's settings.
  static func ours(_ text: String) -> MariaDB.Answer {
    do {
      return try Compiled(text).value([:], mysql).text.map { .text($0) } ?? .null
    } catch {
      return .refused
    }
  }

  @Test("every expression written by hand comes to the same text, the known differences aside")
  func handWritten() throws {
    #expect(HandWritten.all.count >= 800)
    #expect(Set(HandWritten.all).count == HandWritten.all.count)
    let named = Set(KnownDifference.all.map(\.expression))
    let expressions = HandWritten.all.filter { !named.contains($0) }
    for (expression, answer) in zip(expressions, try MariaDB.answers(to: expressions)) {
      let own = Self.ours(expression)
      #expect(own == answer, "\(expression): ours \(own), MariaDB \(answer)")
    }
  }

  @Test("3,000 generated expressions come to the same text", arguments: seeds)
  func generated(seed: UInt64) throws {
    var generator = ExpressionGenerator(seed: seed)
    let expressions = (0..<750).map { _ in generator.expression() }
    var answered = 0
    for (expression, answer) in zip(expressions, try MariaDB.answers(to: expressions)) {
      let own = Self.ours(expression)
      if answer != .refused { answered += 1 }
      #expect(own == answer, "seed \(seed): \(expression): ours \(own), MariaDB \(answer)")
    }
    // Nearly all of them are expressions for the server too.
    #expect(answered > 735)
  }

  @Test("each known difference is still there, and is what its row says")
  func knownDifferences() throws {
    let answers = try MariaDB.answers(to: KnownDifference.all.map(\.expression))
    for (row, answer) in zip(KnownDifference.all, answers) {
      let own = Self.ours(row.expression)
      #expect(own == row.ours, "\(row.expression): ours \(own)")
      #expect(answer == row.mariaDB, "\(row.expression): MariaDB \(answer)")
      #expect(own != answer, "\(row.expression) is no difference any more")
      #expect(!row.reason.isEmpty)
    }
  }
}
