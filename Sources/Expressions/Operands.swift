public import JSON
public import Orders

/// The host's part of the grammar: the expression language knows its operands only by numbers that the host gives.
public protocol OperandParser {
  /// Reads a placeholder.
  /// - Parameter text: begins with `{` and goes to the expression's end.
  /// - Returns: the operand, and what follows the placeholder, surplus braces taken.
  /// - Throws: an error whose offset counts from the start of `text`.
  mutating func placeholder(_ text: Substring) throws(ExpressionSyntaxError) -> (operand: Int, rest: Substring)

  /// Reads a look-up that stands inside an expression.
  /// - Parameter text: from `_findCollection` on, without `_endFind` and without spaces around it.
  /// - Throws: an error whose offset counts from the start of `text`.
  mutating func lookup(_ text: Substring) throws(ExpressionSyntaxError) -> Int
}

/// What an operand has in the rows of a list.
public struct ListColumn: Sendable {
  /// Which list the rows are of: operands with the same name here have as many values, row by row. Nil for an operand
  /// outside of lists.
  public let list: String?
  /// One a row, null where the row has none; a single one for an operand outside of lists.
  public let values: [SQLValue]

  /// A column.
  public init(list: String?, values: [SQLValue]) {
    self.list = list
    self.values = values
  }
}

/// The host's values. A class: an evaluation hands it on, and one reference is cheaper to keep than any structure.
public protocol OperandSource: AnyObject {
  /// The operand's value.
  func value(of operand: Int) throws(EvaluationError) -> SQLValue
  /// The operand's value where that is a number, and nothing else is to be said of it; nil for all else, and for what fails. May
  /// be nil for a number, too.
  func number(of operand: Int) -> ExactDecimal?
  /// The operand's value in every row of its list, for SUM and its like.
  func column(of operand: Int) throws(EvaluationError) -> ListColumn
  /// What messages call the operand: its path, never a value.
  func name(of operand: Int) -> String
  /// A new UUID at each call, for `UUID()`.
  func uuid() -> String
  /// Hears how many steps an expression took.
  /// - Throws: `.limit` when all expressions of the host together took too many.
  func spent(_ steps: Int) throws(EvaluationError)
  /// Whether values are remembered under a number of `SQLExpression.sharing` at all; the same for all evaluations.
  func remembers(_ share: Int) -> Bool
  /// The value that was remembered under a number of `SQLExpression.sharing`, while it is still right.
  /// - Parameter variant: 0...3, for the way in which it was reckoned: the same part may come to something else in another
  ///   one. Parts that are not over rows are asked for in variant 0 alone.
  func remembered(_ share: Int, _ variant: Int) -> SQLValue?
  /// Remembers a value as long as none of the operands below it changes.
  func remember(_ value: SQLValue, as share: Int, _ variant: Int)
  /// Why a part over rows has no value, which takes as many steps to find out; as `remembered`.
  func rememberedFailure(_ share: Int, _ variant: Int) -> EvaluationError?
  /// Remembers why a part over rows has no value, as long as a value.
  func remember(failure: EvaluationError, as share: Int, _ variant: Int)
}

extension OperandSource {
  /// Nothing is known to be a number unless a host says so.
  public func number(of operand: Int) -> ExactDecimal? { nil }
  /// Each expression has its own bound unless a host has one for all.
  public func spent(_ steps: Int) throws(EvaluationError) {}
  /// Nothing is remembered unless a host does it.
  public func remembers(_ share: Int) -> Bool { true }
  /// Nothing is remembered unless a host does it.
  public func remembered(_ share: Int, _ variant: Int) -> SQLValue? { nil }
  /// Nothing is remembered unless a host does it.
  public func remember(_ value: SQLValue, as share: Int, _ variant: Int) {}
  /// Nothing is remembered unless a host does it.
  public func rememberedFailure(_ share: Int, _ variant: Int) -> EvaluationError? { nil }
  /// Nothing is remembered unless a host does it.
  public func remember(failure: EvaluationError, as share: Int, _ variant: Int) {}
}

/// How expressions are evaluated. Holds no references: each evaluation copies it.
public struct EvaluationSettings: Sendable {
  /// What arithmetic does with nothing and with texts that are no numbers.
  public enum Arithmetic: Sendable {
    /// Fails, and fails on a division by zero too. Only inside of IFNULL, COALESCE, ISNULL and IS NULL both make
    /// nothing, as MySQL has it. A text that is no number fails beside a number or boolean and where true or false is
    /// needed, one that is no date beside a date; the empty one counts as 0. A field without quotes that is missing
    /// fails wherever null is not awaited. Never comes to another value than `mysql`, save that a text's exponent counts
    /// in casts, and that the text of a boolean is true or false.
    case strict
    /// As MySQL: nothing makes nothing, a text counts by the digits it begins with, a division by zero gives nothing.
    case mysql
  }

  /// How many decimals a division keeps.
  public enum Division: Sendable {
    /// 24, cut off there, zeros at the end dropped.
    case exact
    /// Those of the left side and 4 more, rounded, as MySQL shows them.
    case mysql
  }

  /// The present moment.
  public var now: BeijingTime
  /// What clocks show beyond UTC, for what turns a moment into a day and time and back: Beijing's unless set otherwise.
  public var secondsFromUTC = 8 * 3600
  /// What arithmetic does with nothing.
  public var arithmetic = Arithmetic.strict
  /// How many decimals a division keeps.
  public var division = Division.exact
  /// Most steps of an evaluation: one a value, and one for each 64 bytes of text that are built or searched. What a list
  /// function reckons in its rows has the bound for each row; all of it is told to the host (`OperandSource.spent`).
  public var maxSteps = 100_000
  /// Longest text that may be built, in bytes.
  public var maxTextBytes = 1 << 20

  /// The house's settings: strict, exact division.
  public init(now: BeijingTime) { self.now = now }
}
