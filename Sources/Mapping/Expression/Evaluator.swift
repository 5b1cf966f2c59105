import JSON
import Orders

/// The functions of `_function` expressions, with MySQL's meanings.
enum Function: String, Sendable, CaseIterable {
  /// `ROUND(x[, decimals])`, half away from zero.
  case round = "ROUND"
  /// `ABS(x)`
  case abs = "ABS"
  /// `IFNULL(x, y)`: y where x is nothing.
  case ifNull = "IFNULL"
  /// `NULLIF(x, y)`: nothing where both are equal.
  case nullIf = "NULLIF"
  /// `COALESCE(x, …)`: the first that is not nothing.
  case coalesce = "COALESCE"
  /// `DATE(x)`: the day of a date or date-time, `yyyy-MM-dd`.
  case date = "DATE"

  var arity: ClosedRange<Int> {
    switch self {
    case .round: 1...2
    case .abs, .date: 1...1
    case .ifNull, .nullIf: 2...2
    case .coalesce: 1...16
    }
  }
}

/// Evaluates an expression over the rows that a reader is in. Decimals only, never a binary float.
struct Evaluator {
  /// Decimals that a division keeps (at least 20 reach the field's own rounding).
  static let divisionDigits = 24

  let reader: OrderReader

  func value(_ expression: Expression) throws(ValueError) -> Value {
    switch expression {
    case .number(let number): return .number(number)
    case .text(let template): return .text(try template.text(reader))
    case .operand(let operand): return try reader.value(of: operand)
    case .negate(let operand): return .number(try number(operand).negated())
    case .chain(let first, let steps):
      var result = try number(first)
      for step in steps { result = try apply(step, to: result) }
      return .number(result)
    case .call(let function, let arguments): return try call(function, arguments)
    }
  }

  private func apply(_ step: Expression.Step, to left: ExactDecimal) throws(ValueError) -> ExactDecimal {
    let right = try number(step.operand)
    do throws(ArithmeticError) {
      switch step.symbol {
      case .add: return try left.adding(right)
      case .subtract: return try left.subtracting(right)
      case .multiply: return try left.multiplied(by: right)
      case .divide: return try left.divided(by: right, digits: Self.divisionDigits)
      case .modulo:
        let whole = try left.divided(by: right, digits: 0)
        return try left.subtracting(try whole.multiplied(by: right))
      }
    } catch {
      throw error == .divisionByZero ? .divisionByZero(describe(step.operand)) : .overflow(describe(step.operand))
    }
  }

  /// A number, or a text that is one. Nothing and the empty text are errors: a price must not silently become 0.
  private func number(_ expression: Expression) throws(ValueError) -> ExactDecimal {
    let value = try value(expression)
    if let number = value.number { return number }
    switch value {
    case .nothing: throw .nothing(describe(expression))
    case .text(""): throw .empty(describe(expression))
    default: throw .unfit(describe(expression), wanted: "a number", kind: value.kind)
    }
  }

  private func call(_ function: Function, _ arguments: [Expression]) throws(ValueError) -> Value {
    switch function {
    case .round: return .number(try rounded(arguments))
    case .abs: return .number(try number(arguments[0]).magnitude)
    case .ifNull, .coalesce: return try firstValue(arguments)
    case .nullIf:
      let first = try value(arguments[0])
      return isEqual(first, try value(arguments[1])) ? .nothing : first
    case .date:
      let argument = try value(arguments[0])
      if argument.isEmpty { return .nothing }
      guard let time = BeijingTime(argument.text) else {
        throw .unfit(describe(arguments[0]), wanted: "a date", kind: argument.kind)
      }
      return .text(time.date)
    }
  }

  private func rounded(_ arguments: [Expression]) throws(ValueError) -> ExactDecimal {
    let number = try number(arguments[0])
    guard arguments.count > 1 else { return number.rounded(scale: 0) }
    let places = try self.number(arguments[1])
    // Below 0 MySQL rounds to tens and hundreds; nobody means that for money, and a slip of the pen would be costly.
    guard let scale = places.wholeNumber, (0...38).contains(scale) else {
      throw .unfit(describe(arguments[1]), wanted: "a whole number from 0 to 38", kind: "another number")
    }
    return number.rounded(scale: Int(scale))
  }

  /// Arithmetic with nothing is nothing, as in MySQL: `IFNULL({a}/NULLIF({b},0),0)`.
  private func firstValue(_ arguments: [Expression]) throws(ValueError) -> Value {
    for argument in arguments {
      do throws(ValueError) {
        let candidate = try value(argument)
        if case .nothing = candidate { continue }
        return candidate
      } catch {
        guard case .nothing = error else { throw error }
      }
    }
    return .nothing
  }

  /// MySQL compares a text with a number by value, two texts as text.
  private func isEqual(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.nothing, _), (_, .nothing): false
    case (.text(let a), .text(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.number(let number), .text(let text)), (.text(let text), .number(let number)):
      ExactDecimal(trimmed(text)) == number
    case (.bool(let a), .bool(let b)): a == b
    default: false
    }
  }

  /// What a message calls an operand: the fields it reads, never their values.
  private func describe(_ expression: Expression) -> String {
    reader.names(expression.operands) ?? "a constant"
  }
}
