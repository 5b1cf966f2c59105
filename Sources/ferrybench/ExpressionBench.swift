import Expressions
import JSON
import Orders

/// What expressions of real strategies cost once they are compiled.
enum ExpressionBench {
  private struct Parser: OperandParser {
    var names: [String] = []

    mutating func placeholder(_ text: Substring) throws(ExpressionSyntaxError) -> (operand: Int, rest: Substring) {
      let name = text.drop { $0 == "{" }.prefix { $0 != "}" }
      let rest = text[name.endIndex...].drop { $0 == "}" }
      if let known = names.firstIndex(of: String(name)) { return (known, rest) }
      names.append(String(name))
      return (names.count - 1, rest)
    }

    mutating func lookup(_ text: Substring) throws(ExpressionSyntaxError) -> Int {
      throw ExpressionSyntaxError(sentence: "no look-ups here", offset: 0)
    }
  }

  private final class Source: OperandSource {
    let names: [String]
    let values: [SQLValue]

    init(names: [String], values: [SQLValue]) {
      self.names = names
      self.values = values
    }

    func value(of operand: Int) throws(EvaluationError) -> SQLValue { values[operand] }
    func column(of operand: Int) throws(EvaluationError) -> ListColumn {
      ListColumn(list: nil, values: [values[operand]])
    }
    func name(of operand: Int) -> String { names[operand] }
    func uuid() -> String { "" }
  }

  private static let expressions = [
    "{price}", "{price}*{quantity}", "{price}/{quantity}", "round({price}/{quantity},7)",
    "{price}+( {price}/{quantity} )*100/113", "'{code}'", "CONCAT('{code}','-',{quantity})",
    "case when '{code}'>0 then '{code}' else '{price}' end",
    "case '{code}' when 'K1' then 104 when 'K2' then 105 else 103 end",
    "case when '{name}' like '%古神%' then 102 when '{name}' like '%格物%' then 101 else 100 end",
    "IFNULL({none},{price})", "IF('{name}'='' OR {quantity} > 5, {price}, 0)", "LEFT('{name}',4)",
    "DATE_FORMAT('{date}','%Y-%m-%d')", "DATE_ADD('{date}', INTERVAL 1 DAY)", "FROM_UNIXTIME({seconds},'%Y-%m-%d %T')",
    "LOCATE('格','{name}')", "UPPER('{code}')", "'{code}' REGEXP '^K[0-9]+$'",
  ]

  private static let values: [String: SQLValue] = [
    "price": number("199.90"), "quantity": number("12"), "code": .text("K4711"), "name": .text("广州格物贸易有限公司"),
    "date": .text("2024-03-14 16:00:00"), "seconds": number("1710403200"),
  ]

  private static func number(_ text: String) -> SQLValue { ExactDecimal(text).map { .number($0) } ?? .null }

  static func run(_ measure: Measure) throws {
    let settings = EvaluationSettings(now: BeijingTime(epochSeconds: 1_710_403_200))
    print("expressions, compiled; min, median, max of \(measure.rounds) rounds; a document is one evaluation")
    for text in expressions {
      var parser = Parser()
      let expression = try SQLExpression(text[...], operands: &parser)
      let source = Source(names: parser.names, values: parser.names.map { values[$0] ?? .null })
      measure.run(text, bytes: text.utf8.count) { _ in
        guard let value = try? expression.value(source, settings) else { return 0 }
        return value.isNull ? 0 : 1
      }
    }
  }
}
