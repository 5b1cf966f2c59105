import Expressions
import JSON
import Orders

/// A `_function` as the rest of the mapping sees it: the one place that knows which evaluator runs it.
struct Formula: Sendable {
  static let prefix = "_function"

  private let expression: SQLExpression
  private let readsClock: Bool
  private let readsChance: Bool

  /// What it reads, each once, in order.
  var operands: [Int] { expression.operands }

  /// Decimals that it is rounded to last, where it says so itself.
  var roundedTo: Int? { expression.roundedTo }
  /// Whether a division's decimals may stand in what it makes.
  var mayBeEndless: Bool { expression.mayBeEndless }

  /// Fields without quotes beside texts, each with the text.
  var textsBesideFields: [(operand: Int, text: String)] { expression.textsBesideFields }

  /// Reads what stands behind `_function`.
  init(_ source: Substring, operands table: inout OperandTable) throws(Template.Malformed) {
    var parser = FormulaOperands(table: table)
    let plain: SQLExpression
    do throws(ExpressionSyntaxError) { plain = try SQLExpression(source, operands: &parser) } catch {
      // Where in the expression, as an editor counts: the bytes before the place are whole characters.
      let before = String(decoding: Array(source.utf8.prefix(error.offset)), as: UTF8.self)
      throw Template.Malformed(sentence: "\(error.sentence), at character \(before.count + 1) of the expression")
    }
    if plain.texts.contains(where: Lookup.isMentioned) { throw Lookup.mention }
    table = parser.table
    var shared = table
    expression = plain.sharing { shared.share($0, $1, overRows: $2) }
    table = shared
    readsClock = expression.readsClock
    readsChance = expression.readsChance
  }

  /// Its value in the rows that the reader is in.
  /// - Parameter evaluator: one over the reader.
  func value(
    _ reader: OrderReader, _ evaluator: Evaluator, _ division: EvaluationSettings.Division
  ) throws(ValueError) -> Value {
    if readsClock, reader.inputs.now == nil { throw .unknown("the present time") }
    if readsChance, reader.inputs.randomSeed == nil { throw .unknown("a random text") }
    do throws(EvaluationError) {
      // Past the bound nothing more is tried.
      try reader.spent(0)
      return Value(try evaluator.value(of: expression, reader.evaluation(division)))
    } catch {
      throw reader.failure(behind: error, of: self)
    }
  }

  /// The lookups that it reads in vain on its way, in order.
  fileprivate func missedLookups(_ reader: OrderReader, _ division: EvaluationSettings.Division) -> [Int] {
    // Mostly none of them is empty. A part that was remembered would not be read.
    let mayMiss = operands.contains { reader.lookupNumber(of: $0) != nil && ((try? reader.isBlank($0)) ?? false) }
    guard mayMiss else { return [] }
    let draws = reader.draws
    reader.missed = []
    defer { (reader.missed, reader.draws) = (nil, draws) }
    _ = try? expression.value(reader, reader.evaluation(division))
    return reader.missed ?? []
  }

  /// What each part of it came to, in order; of one that fails those before the failure. Nothing once the accounts of the
  /// order's formulas have taken too many steps.
  func steps(_ reader: OrderReader, _ division: EvaluationSettings.Division) -> [ExplainedField.Part] {
    if readsClock, reader.inputs.now == nil { return [] }
    if readsChance, reader.inputs.randomSeed == nil { return [] }
    // Counted by itself, so that an order maps the same with an account and without.
    reader.isAccounting = true
    defer { reader.isAccounting = false }
    guard reader.spend(0) else { return [] }
    return expression.explained(reader, reader.evaluation(division)).steps.compactMap { step in
      // A placeholder alone is among what went in already.
      let inner = step.text.trimmingPrefix { $0 == "{" }
      if inner.count < step.text.count, inner.allSatisfy({ $0 != "{" }),
        inner.drop(while: { $0 != "}" }).allSatisfy({ $0 == "}" })
      {
        return nil
      }
      return ExplainedField.Part(name: step.text, value: step.value.json)
    }
  }
}

/// Numbers the placeholders and lookups of an expression.
private struct FormulaOperands: OperandParser {
  var table: OperandTable

  mutating func placeholder(_ text: Substring) throws(ExpressionSyntaxError) -> (operand: Int, rest: Substring) {
    do throws(Template.Malformed) { return try table.placeholder(text) } catch {
      throw ExpressionSyntaxError(sentence: error.sentence, offset: 0)
    }
  }

  mutating func lookup(_ text: Substring) throws(ExpressionSyntaxError) -> Int {
    do throws(Template.Malformed) { return try table.lookup(text) } catch {
      throw ExpressionSyntaxError(sentence: error.sentence, offset: 0)
    }
  }
}

extension OrderReader: OperandSource {
  func value(of operand: Int) throws(EvaluationError) -> SQLValue {
    do throws(ValueError) {
      let value: Value = try self.value(of: operand)
      if missed != nil, value.isBlank, let number = lookupNumber(of: operand) { missed?.append(number) }
      return try sql(value, operand)
    } catch {
      throw noted(error, operand)
    }
  }

  func number(of operand: Int) -> ExactDecimal? {
    guard let value = try? self.value(of: operand) as Value else { return nil }
    switch value {
    case .number(let number): return number
    case .text(let text): return missed == nil ? Self.plainNumber(text) : nil
    default: return nil
    }
  }

  func missedLookups(of formula: Formula, _ division: EvaluationSettings.Division) -> [Int] {
    formula.missedLookups(self, division)
  }

  fileprivate func isBlank(_ operand: Int) throws(ValueError) -> Bool { (try value(of: operand) as Value).isBlank }

  func uuid() -> String {
    draws += 1
    return Variable.uuid(inputs.randomSeed ?? 0, draw: draws)
  }

  func spent(_ steps: Int) throws(EvaluationError) {
    if !spend(steps) { throw .limit("the formulas of the order take too many steps") }
  }

  func remembers(_ share: Int) -> Bool { isRemembered(part: share) }

  func remembered(_ share: Int, _ variant: Int) -> SQLValue? {
    missed == nil ? remembered(part: share, variant) : nil
  }

  func remember(_ value: SQLValue, as share: Int, _ variant: Int) { remember(value, part: share, variant) }

  func rememberedFailure(_ share: Int, _ variant: Int) -> EvaluationError? {
    guard missed == nil, let failed = rememberedFailure(part: share, variant) else { return nil }
    refusal = failed.refusal
    return failed.error
  }

  func remember(failure: EvaluationError, as share: Int, _ variant: Int) {
    remember(failure: failure, part: share, variant)
  }

  func column(of operand: Int) throws(EvaluationError) -> ListColumn {
    do throws(ValueError) {
      let (list, found) = try values(of: operand)
      var values: [SQLValue] = []
      values.reserveCapacity(found.count)
      for value in found { values.append(try sql(value, operand)) }
      return ListColumn(list: list, values: values)
    } catch {
      throw noted(error, operand)
    }
  }

  /// Why a formula came to nothing: the fields that are empty, or else those that are 0, which formulas make nothing of
  /// with NULLIF, or else what it does with those that are neither. With a remedy where something is there to correct.
  func emptiness(of formula: Formula) -> (sentence: String, remedy: String?) {
    let empty = formula.operands.filter { operand in
      guard let value = try? self.value(of: operand) as Value else { return true }
      return value.isBlank
    }
    if formula.operands.isEmpty {
      return ("the formula makes nothing, whatever the order has", ValueError.formulaRemedy)
    }
    if !empty.isEmpty { return ("\(empty.map(title(of:)).joined(separator: ", ")) is empty", nil) }
    let zeros = zeros(formula.operands)
    if !zeros.isEmpty {
      let zero = ValueError.zero(zeros.map(title(of:)).joined(separator: ", "))
      return (zero.sentence, zero.remedy)
    }
    let names = formula.operands.map(title(of:)).joined(separator: ", ")
    return ("what the formula makes of \(names) is empty", ValueError.correction)
  }

  /// Which of the fields that a part of a formula reads are 0, where it came to nothing although they are there.
  private func zeros(among source: String, of formula: Formula) -> String? {
    let parts = source.split(separator: " ").map { $0.hasSuffix(",") ? $0.dropLast() : $0 }
    let zeros = zeros(formula.operands.filter { parts.count > 1 && parts.contains(name(of: $0)[...]) })
    return zeros.isEmpty ? nil : zeros.map(name(of:)).joined(separator: ", ")
  }

  private func zeros(_ operands: [Int]) -> [Int] {
    operands.filter { (try? value(of: $0) as Value)?.number?.isZero ?? false }
  }

  private func noted(_ error: ValueError, _ operand: Int) -> EvaluationError {
    refusal = error
    return .operand(operand, error.sentence)
  }

  /// A bare placeholder stands for what the source sent as it stands, so digits are a number there, whether OKKI sends them
  /// as a text or not (mapping-language.md §6.1): 10 is more than 9, and so are true and false booleans. Only digits that a
  /// number is written with: `007` is a code, and between quotes every text stays what it is.
  private static func plainNumber(_ text: String) -> ExactDecimal? {
    var rest = text.utf8[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    guard let first = rest.first, first &- 0x30 < 10 else { return nil }
    let whole = rest.prefix { $0 &- 0x30 < 10 }
    rest = rest.dropFirst(whole.count)
    if whole.count > 1, first == 0x30 { return nil }
    if !rest.isEmpty {
      guard rest.removeFirst() == UInt8(ascii: "."), !rest.isEmpty, rest.allSatisfy({ $0 &- 0x30 < 10 }) else {
        return nil
      }
    }
    guard let number = ExactDecimal(text), !(isNegative && number.isZero) else { return nil }
    return number
  }

  private func sql(_ value: Value, _ operand: Int) throws(ValueError) -> SQLValue {
    switch value {
    case .nothing: return .null
    case .bool(let flag): return .bool(flag)
    case .number(let number): return .number(number)
    case .text(let text):
      if let number = Self.plainNumber(text) { return .number(number) }
      return text == "true" ? .bool(true) : text == "false" ? .bool(false) : .text(text)
    case .structure:
      // OKKI writes an empty object as [] (vendor-apis.md B.11).
      if value.isEmpty { return .null }
      throw .unfit(name(of: operand), wanted: "a single value", kind: value.kind)
    }
  }

  /// What a field's failure says of an evaluation that came to nothing.
  fileprivate func failure(behind error: EvaluationError, of formula: Formula) -> ValueError {
    switch error {
    case .nothing(let source): zeros(among: source, of: formula).map { .zero($0) } ?? .nothing(source)
    case .empty(let source): .empty(source)
    case .unfit(let source, let wanted, let kind): .unfit(source, wanted: wanted, kind: kind)
    case .divisionByZero(let source): .divisionByZero(source)
    case .overflow(let source): .overflow(source)
    case .limit(let sentence), .invalid(let sentence): .invalid(sentence)
    case .operand(_, let sentence): refusal ?? .invalid(sentence)
    }
  }
}

extension SQLValue {
  /// As JSON; nil for NULL.
  fileprivate var json: String? {
    var writer = JSONWriter()
    switch self {
    case .null: return nil
    case .bool(let flag): writer.bool(flag)
    case .number(let number): writer.number(number)
    case .text, .date, .dateTime, .time: writer.string(text ?? "")
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension Value {
  /// What an expression came to. Dates become texts: JSON has no other.
  fileprivate init(_ value: SQLValue) {
    switch value {
    case .null: self = .nothing
    case .bool(let flag): self = .bool(flag)
    case .number(let number): self = .number(number)
    case .text(let text): self = .text(text)
    case .date, .dateTime, .time: self = .text(value.text ?? "")
    }
  }
}
