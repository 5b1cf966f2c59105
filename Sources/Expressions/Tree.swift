/// What a node does with its children.
enum NodeKind: UInt8, Sendable {
  /// `option` none; `index` in the constants.
  case constant
  /// `index` is the host's operand; `option` 1: the answer to a look-up.
  case operand
  /// The operand between quotes: its text, '' for null.
  case quoted
  /// The texts of all children, put together.
  case template
  /// Children: first, then (operator, operand)… from left to right; an operator is an `Arithmetic`. `option`:
  /// `Node.fraction` for a product that is exact only when it is divided once, at its end.
  case arithmetic
  /// As `arithmetic`, with `Comparison`s.
  case comparison
  case and, or, xor, not, negate
  /// `option`: a `Truth`; `isNegated`.
  case isTruth
  /// Text, pattern, perhaps escape; `isNegated`.
  case like
  /// Text, pattern; `isNegated`; `index`: the compiled pattern, −1 for one that is computed.
  case regexp
  /// Value, then the list; `isNegated`.
  case inList
  /// Value, lower, upper; `isNegated`.
  case between
  /// Value, (when, then)…, perhaps else.
  case simpleCase
  /// (when, then)…, perhaps else.
  case searchedCase
  /// `index`: the `Function`; `option`: a unit or a side, when the function takes one.
  case call
  /// `index`: in the types.
  case cast
}

enum Arithmetic: Int32, Sendable {
  case add, subtract, multiply, divide, divideWhole, modulo

  var text: String { ["+", "-", "*", "/", "DIV", "%"][Int(rawValue)] }
}

enum Comparison: Int32, Sendable {
  case equal, safeEqual, notEqual, less, lessOrEqual, greater, greaterOrEqual

  var text: String { ["=", "<=>", "<>", "<", "<=", ">", ">="][Int(rawValue)] }

  func holds(_ order: Int) -> Bool {
    switch self {
    case .equal, .safeEqual: order == 0
    case .notEqual: order != 0
    case .less: order < 0
    case .lessOrEqual: order <= 0
    case .greater: order > 0
    case .greaterOrEqual: order >= 0
    }
  }
}

enum Truth: UInt8, Sendable {
  case null, isTrue, isFalse

  var text: String { ["NULL", "TRUE", "FALSE"][Int(rawValue)] }
}

enum TimeUnit: UInt8, Sendable, CaseIterable {
  case microsecond, second, minute, hour, day, week, month, quarter, year
  // Of several parts, the largest first.
  case yearMonth, dayHour, dayMinute, daySecond, dayMicrosecond, hourMinute, hourSecond, hourMicrosecond
  case minuteSecond, minuteMicrosecond, secondMicrosecond

  /// The name in the language, such as `DAY_HOUR`.
  var text: String {
    "\(self)".reduce(into: "") { text, letter in
      if letter.isUppercase { text += "_" }
      text += letter.uppercased()
    }
  }

  static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.text, $0) })

  var isComposite: Bool { rawValue >= Self.yearMonth.rawValue }

  /// The parts of a unit, the largest first.
  var parts: [TimeUnit] {
    let day: [TimeUnit] = [.day, .hour, .minute, .second, .microsecond]
    return switch self {
    case .yearMonth: [.year, .month]
    case .dayHour: Array(day[0...1])
    case .dayMinute: Array(day[0...2])
    case .daySecond: Array(day[0...3])
    case .dayMicrosecond: day
    case .hourMinute: Array(day[1...2])
    case .hourSecond: Array(day[1...3])
    case .hourMicrosecond: Array(day[1...4])
    case .minuteSecond: Array(day[2...3])
    case .minuteMicrosecond: Array(day[2...4])
    case .secondMicrosecond: Array(day[3...4])
    default: [self]
    }
  }
}

/// What CAST makes.
enum CastType: Sendable, Hashable {
  case signed, unsigned
  case decimal(digits: Int, decimals: Int)
  case char(Int?)
  case date
  case dateTime(Int), time(Int)

  var text: String {
    switch self {
    case .signed: "SIGNED"
    case .unsigned: "UNSIGNED"
    case .decimal(let digits, let decimals): "DECIMAL(\(digits),\(decimals))"
    case .char(let length): length.map { "CHAR(\($0))" } ?? "CHAR"
    case .date: "DATE"
    case .dateTime(let digits): digits > 0 ? "DATETIME(\(digits))" : "DATETIME"
    case .time(let digits): digits > 0 ? "TIME(\(digits))" : "TIME"
    }
  }
}

/// A node without references, so that reading one costs nothing.
struct Node: Sendable {
  var kind: NodeKind
  var option: UInt8 = 0
  var isNegated = false
  var index: Int32 = 0
  /// The first of its places in the program's links, and how many.
  var first: Int32 = 0
  var count: Int32 = 0
  /// Bytes of the source.
  var start: Int32 = 0
  var end: Int32 = 0
  /// The host's number for its value, where others have the same; below 0: none.
  var share: Int32 = -1

  static let fraction: UInt8 = 1

  /// A function over the rows of a list.
  var isOverRows: Bool { kind == .call && index >= Function.sum.rawValue }
  /// A placeholder without quotes, no look-up.
  var isField: Bool { kind == .operand && option == 0 }
  /// Whether the operator at this place of a chain of comparisons is the one that knows null.
  func knowsNull(_ program: Program, _ index: Int) -> Bool {
    index < Int(count) && program.child(self, index) == Comparison.safeEqual.rawValue
  }

  /// Factors and divisors, not terms.
  func isProduct(_ program: Program) -> Bool {
    kind == .arithmetic && program.child(self, 1) >= Arithmetic.multiply.rawValue
  }
}
