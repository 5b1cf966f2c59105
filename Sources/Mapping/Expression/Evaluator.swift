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

/// Evaluates an expression over one scope. Decimals only, never a binary float.
struct Evaluator {
  /// Decimals that a division keeps (at least 20 reach the field's own rounding).
  static let divisionDigits = 24

  let scope: Scope

  func value(_ expression: Expression) throws(ValueError) -> Value {
    switch expression {
    case .number(let number): return .number(number)
    case .text(let template): return .text(try template.text(in: scope))
    case .placeholder(let placeholder): return try placeholder.value(in: scope)
    case .negate(let operand): return .number(try number(operand).negated())
    case .binary(let symbol, let left, let right): return .number(try binary(symbol, left, right))
    case .call(let function, let arguments): return try call(function, arguments)
    }
  }

  private func binary(
    _ symbol: Expression.Operator, _ left: Expression, _ right: Expression
  ) throws(ValueError) -> ExactDecimal {
    let a = try number(left)
    let b = try number(right)
    do throws(ArithmeticError) {
      switch symbol {
      case .add: return try a.adding(b)
      case .subtract: return try a.subtracting(b)
      case .multiply: return try a.multiplied(by: b)
      case .divide: return try a.divided(by: b, digits: Self.divisionDigits)
      case .modulo:
        let whole = try a.divided(by: b, digits: 0)
        return try a.subtracting(try whole.multiplied(by: b))
      }
    } catch {
      throw error == .divisionByZero ? .divisionByZero(describe(right)) : .overflow
    }
  }

  /// A number, or a text that is one. Nothing and the empty text are errors: a price must not silently become 0.
  private func number(_ expression: Expression) throws(ValueError) -> ExactDecimal {
    let value = try value(expression)
    switch value {
    case .number(let number): return number
    case .bool(let flag): return flag ? .one : .zero
    case .text(let text):
      if text.isEmpty { throw .empty(describe(expression)) }
      guard let number = ExactDecimal(trimmed(text)) else {
        throw .notANumber(describe(expression), kind: value.kind)
      }
      return number
    case .nothing: throw .empty(describe(expression))
    case .structure: throw .notANumber(describe(expression), kind: value.kind)
    }
  }

  private func call(_ function: Function, _ arguments: [Expression]) throws(ValueError) -> Value {
    switch function {
    case .round:
      let decimals = arguments.count > 1 ? try number(arguments[1]).wholeNumber ?? 0 : 0
      return .number(try number(arguments[0]).rounded(scale: Int(min(max(decimals, 0), 38))))
    case .abs: return .number(try number(arguments[0]).magnitude)
    case .ifNull, .coalesce:
      for argument in arguments {
        let candidate = try value(argument)
        if case .nothing = candidate { continue }
        return candidate
      }
      return .nothing
    case .nullIf:
      let first = try value(arguments[0])
      return isEqual(first, try value(arguments[1])) ? .nothing : first
    case .date:
      let argument = try value(arguments[0])
      if argument.isEmpty { return .nothing }
      guard let time = BeijingTime(argument.text) else {
        throw .notADate(describe(arguments[0]), kind: argument.kind)
      }
      return .text(time.date)
    }
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

  /// What a message calls an operand: the field it reads, never its value.
  private func describe(_ expression: Expression) -> String {
    switch expression {
    case .placeholder(let placeholder): placeholder.path.text
    case .text(let template):
      template.parts.compactMap { part in
        if case .placeholder(let placeholder) = part { return placeholder.path.text }
        return nil
      }.first ?? "a text"
    case .negate(let operand): describe(operand)
    case .call(let function, let arguments): arguments.first.map(describe) ?? function.rawValue
    case .binary(_, let left, let right): "\(describe(left)) with \(describe(right))"
    case .number: "a number"
    }
  }
}
