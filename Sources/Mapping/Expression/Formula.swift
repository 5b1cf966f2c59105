/// A `_function` as the rest of the mapping sees it: the one place that knows which evaluator runs it.
struct Formula: Sendable {
  static let prefix = "_function"

  private let expression: Expression
  /// What it reads, each once, in order.
  let operands: [Int]

  /// Reads what stands behind `_function`.
  init(_ source: Substring, operands table: inout OperandTable) throws(Template.Malformed) {
    expression = try Parser.parse(source, operands: &table)
    operands = expression.operands
  }

  /// Its value in the rows that the reader is in.
  func value(_ reader: OrderReader) throws(ValueError) -> Value { try Evaluator(reader: reader).value(expression) }
}
