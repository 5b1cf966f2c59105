/// What a sub-expression came to.
public struct ExplainedStep: Sendable, Equatable {
  /// The sub-expression as it stands in the source.
  public let text: String
  /// Its value.
  public let value: SQLValue
}

/// An expression of MySQL's language over exact decimals, compiled once.
public struct SQLExpression: Sendable {
  let program: Program

  init(_ program: Program) { self.program = program }

  /// Compiles a text, without the word `_function`.
  /// - Throws: `ExpressionSyntaxError` with the place in bytes from the start of `source`.
  public init(_ source: Substring, operands: inout some OperandParser) throws(ExpressionSyntaxError) {
    let text = String(source)
    let (tokens, spellings, lookups) = try Lexer.tokens(of: text, operands: &operands)
    var parser = Parser(tokens: tokens, lookups: lookups)
    let root = try parser.whole()
    program = Program(parser.builder, root: root, source: text, spellings: spellings)
  }

  /// The texts that stand in it.
  public var texts: [String] { program.constants.compactMap { if case .text(let text) = $0 { text } else { nil } } }

  /// The operands that it reads, each once, in order.
  public var operands: [Int] { program.operands }

  /// Whether its value depends on the settings' `now`.
  public var readsClock: Bool {
    program.calls { function, count in
      switch function {
      case .now, .curDate, .curTime: true
      case .unixTimestamp: count == 0
      default: false
      }
    }
  }

  /// Whether its value depends on the host's `uuid()`.
  public var readsChance: Bool { program.calls { function, _ in function == .uuid } }

  /// Computes the value.
  /// - Throws: `EvaluationError`; see `EvaluationSettings.Arithmetic` for what is an error.
  public func value(
    _ operands: any OperandSource, _ settings: EvaluationSettings
  ) throws(EvaluationError) -> SQLValue {
    try Evaluator(operands).value(of: self, settings)
  }

  /// Computes the value and tells what each sub-expression that was needed came to, in order; literals are left out.
  public func explained(
    _ operands: any OperandSource, _ settings: EvaluationSettings
  ) -> (result: Result<SQLValue, EvaluationError>, steps: [ExplainedStep]) {
    let evaluator = Evaluator(program: program, operands: operands, settings: settings)
    evaluator.trace = []
    let result: Result<SQLValue, EvaluationError>
    do throws(EvaluationError) {
      let value = try evaluator.value(program.root)
      try operands.spent(evaluator.steps)
      result = .success(value)
    } catch {
      result = .failure(error)
    }
    return (result, evaluator.trace ?? [])
  }
}
