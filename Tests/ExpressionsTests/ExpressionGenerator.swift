/// Writes expressions that MySQL has a meaning for, from a seed. Each kind keeps to itself where MySQL's result would
/// else hang on the types that columns have, which values here have not: those cases are named in `KnownDifferences`.
struct ExpressionGenerator {
  private var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// An expression of any kind.
  mutating func expression() -> String {
    switch random.number(0...10) {
    case 10: "CAST(CONCAT(\(text(3)), '') AS DECIMAL(20,\(random.number(1...4))))"
    case 0...1: int(4)
    case 2...3: decimal(4)
    case 4...5: text(4)
    case 6...7: condition(4)
    case 8: date(3)
    default: quotient()
    }
  }

  private mutating func isNull() -> Bool { random.number(0...24) == 0 }

  // MARK: Numbers

  private mutating func intLiteral() -> String {
    isNull() ? "NULL" : random.number(0...2) == 0 ? "(\(-random.number(0...40)))" : "\(random.number(0...300))"
  }

  private mutating func positive() -> String { "\(random.number(1...12))" }

  /// A whole number.
  mutating func int(_ depth: Int) -> String {
    guard depth > 0 else { return intLiteral() }
    let d = depth - 1
    switch random.number(0...27) {
    case 0...2: return "(\(int(d)) \(random.pick(["+", "-"])) \(int(d)))"
    case 3: return "(\(intLiteral()) * \(intLiteral()))"
    case 4: return "(\(int(d)) DIV \(random.pick(["3", "7", "-4", "0", "2.5"])))"
    case 5: return "(\(int(d)) \(random.pick(["%", "MOD"])) \(random.pick(["3", "7", "-4", "0"])))"
    case 6: return "\(random.pick(["ABS", "SIGN", "-", "ROUND", "FLOOR"]))(\(int(d)))"
    case 7: return "\(random.pick(["FLOOR", "CEIL", "SIGN"]))(\(decimal(d)))"
    case 8: return "\(random.pick(["LENGTH", "CHAR_LENGTH", "ASCII"]))(\(text(d)))"
    case 9: return "LOCATE(\(needle()), \(text(d)))"
    case 10: return "INSTR(\(text(d)), \(needle()))"
    case 11: return "STRCMP(\(text(d)), \(text(d)))"
    case 12: return "FIELD(\(textLiteral()), \(textLiteral()), \(textLiteral()))"
    case 13: return "FIND_IN_SET(\(random.pick(["'a'", "'B'", "'中'", "'c'"])), \(text(d)))"
    case 14: return "IF(\(condition(d)), \(int(d)), \(int(d)))"
    case 15: return "CASE WHEN \(condition(d)) THEN \(int(d)) ELSE \(int(d)) END"
    case 16: return "CASE \(int(d)) WHEN \(intLiteral()) THEN \(int(d)) WHEN \(int(d)) THEN \(intLiteral()) ELSE 9 END"
    case 17: return "IFNULL(\(int(d)), \(int(d)))"
    case 18: return "COALESCE(NULL, \(int(d)), \(int(d)))"
    case 19: return "NULLIF(\(int(d)), \(int(d)))"
    case 20: return "\(random.pick(["GREATEST", "LEAST"]))(\(int(d)), \(int(d)), \(intLiteral()))"
    case 21: return "\(random.pick(Self.dateParts))(\(date(d)))"
    case 22: return "DATEDIFF(\(date(d)), \(date(d)))"
    case 23: return "TIMESTAMPDIFF(\(random.pick(Self.units)), \(dateTime(d)), \(dateTime(d)))"
    case 24: return "CAST(\(decimal(d)) AS SIGNED)"
    case 25: return "CAST(CONCAT(\(text(d)), '') AS SIGNED)"
    case 26: return "WEEK(\(date(d)), \(random.number(0...7)))"
    default: return "(\(condition(d)) + \(intLiteral()))"
    }
  }

  private static let dateParts = [
    "YEAR", "QUARTER", "MONTH", "DAY", "DAYOFWEEK", "WEEKDAY", "DAYOFYEAR", "WEEKOFYEAR", "TO_DAYS",
  ]
  private static let units = ["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]

  private mutating func decimalLiteral() -> String {
    let whole = random.number(0...999)
    let decimals = random.number(1...4)
    let digits = (0..<decimals).map { _ in "\(random.number(0...9))" }.joined()
    return random.number(0...3) == 0 ? "(-\(whole).\(digits))" : "\(whole).\(digits)"
  }

  /// A number with decimals.
  mutating func decimal(_ depth: Int) -> String {
    guard depth > 0 else { return decimalLiteral() }
    let d = depth - 1
    switch random.number(0...11) {
    case 0...2: return "(\(decimal(d)) \(random.pick(["+", "-"])) \(decimal(d)))"
    case 3: return "(\(decimalLiteral()) * \(decimal(d)))"
    case 4: return "(\(decimal(d)) + \(intLiteral()))"
    case 5: return "(ABS(\(decimal(d))) % \(random.pick(["3", "2.5", "0.07", "-1.1"])))"
    case 6: return "ROUND(\(decimal(d)), \(random.number(1...5)))"
    case 7: return "TRUNCATE(\(decimal(d)), \(random.number(1...5)))"
    case 8: return "\(random.pick(["ABS", "-"]))(\(decimal(d)))"
    case 9: return "CAST(\(decimal(d)) AS DECIMAL(24,\(random.number(1...6))))"
    case 10:
      // Both of one scale.
      let decimals = random.number(1...4)
      return "IF(\(condition(d)), ROUND(\(decimal(d)), \(decimals)), ROUND(\(decimal(d)), \(decimals)))"
    default: return "(\(decimal(d)) - \(decimalLiteral()))"
    }
  }

  /// Only at the top: MySQL carries more digits inside than it shows.
  private mutating func quotient() -> String { "(\(random.number(0...1) == 0 ? int(2) : decimal(2)) / \(positive()))" }

  // MARK: Texts

  private mutating func shortText() -> String {
    random.pick(["'a'", "'B'", "'中'", "''", "'.'", "'ab'", "'é'", "' '", "'x%'"])
  }

  /// Without accents: the server's search looks through windows of as many bytes as the needle has.
  private mutating func needle() -> String { random.pick(["'a'", "'B'", "'中'", "''", "'.'", "'ab'", "' '"]) }

  private mutating func textLiteral() -> String {
    if isNull() { return "NULL" }
    return random.pick([
      "'abc'", "'ABC'", "'a b'", "' x '", "'中文字符'", "'Été'", "'10'", "'0.50'", "''", "'A,b,c'", "'x%y_z'",
      "'it''s'", "'aaab'", "'a.b.c'", "'-3.7kg'", "'混合mixed'", "'Ж ж'", "'2024-03-05'", "'1e2'", "'b'", "'\\\\'",
    ])
  }

  /// A text.
  mutating func text(_ depth: Int) -> String {
    guard depth > 0 else { return textLiteral() }
    let d = depth - 1
    switch random.number(0...23) {
    case 0...2: return "CONCAT(\(text(d)), \(random.pick([text(d), int(d), decimal(d)])))"
    case 3: return "CONCAT_WS(\(shortText()), \(text(d)), \(text(d)), \(int(d)))"
    case 4: return "SUBSTRING(\(text(d)), \(random.number(-4...5)))"
    case 5: return "SUBSTRING(\(text(d)), \(random.number(-4...5)), \(random.number(-1...4)))"
    case 6: return "SUBSTRING_INDEX(\(text(d)), \(shortText()), \(random.number(-2...2)))"
    case 7: return "\(random.pick(["LEFT", "RIGHT"]))(\(text(d)), \(random.number(-1...4)))"
    case 8: return "\(random.pick(["TRIM", "LTRIM", "RTRIM"]))(\(text(d)))"
    case 9: return "TRIM(\(random.pick(["LEADING", "TRAILING", "BOTH"])) \(shortText()) FROM \(text(d)))"
    case 10: return "\(random.pick(["LPAD", "RPAD"]))(\(text(d)), \(random.number(-1...9)), \(shortText()))"
    case 11...12: return "\(random.pick(["UPPER", "LOWER"]))(\(text(d)))"
    case 13: return "REPLACE(\(text(d)), \(shortText()), \(shortText()))"
    case 14: return "REPEAT(\(text(d)), \(random.number(-1...3)))"
    case 15: return "REVERSE(\(text(d)))"
    case 16: return "INSERT(\(text(d)), \(random.number(0...4)), \(random.number(-1...3)), \(shortText()))"
    case 17: return "IF(\(condition(d)), \(text(d)), \(text(d)))"
    case 18: return "CASE \(text(d)) WHEN \(textLiteral()) THEN \(text(d)) ELSE \(text(d)) END"
    case 19: return "COALESCE(\(text(d)), \(text(d)))"
    case 20: return "NULLIF(\(text(d)), \(text(d)))"
    case 21: return "\(random.pick(["GREATEST", "LEAST"]))(\(text(d)), \(text(d)))"
    case 22: return "\(random.pick(["MD5", "HEX", "SHA1"]))(\(text(d)))"
    default: return "DATE_FORMAT(\(dateTime(d)), '%Y年%m/%d %H:%i:%s %W %j %v %D')"
    }
  }

  // MARK: Conditions

  /// 1, 0 or null.
  mutating func condition(_ depth: Int) -> String {
    guard depth > 0 else { return random.pick(["1", "0", "TRUE", "FALSE", "NULL", "(1 = 1)"]) }
    let d = depth - 1
    let symbol = random.pick(["=", "<>", "<", "<=", ">", ">=", "<=>", "!="])
    let not = random.pick(["", "NOT "])
    switch random.number(0...16) {
    case 0...1: return "(\(int(d)) \(symbol) \(random.pick([int(d), decimal(d)])))"
    case 2: return "(\(decimal(d)) \(symbol) \(decimal(d)))"
    case 3...4: return "(\(text(d)) \(symbol) \(text(d)))"
    case 5: return "('\(random.number(0...20))' \(symbol) \(int(d)))"
    case 6: return "(\(date(d)) \(symbol) \(date(d)))"
    case 7: return "(\(date(d)) \(symbol) '2024-0\(random.number(1...9))-15')"
    case 8: return "(\(condition(d)) AND \(condition(d)))"
    case 9: return "(\(condition(d)) OR \(condition(d)))"
    case 10: return "(\(condition(d)) XOR \(condition(d)))"
    case 11: return "(NOT \(condition(d)))"
    case 12: return "(\(int(d)) \(not)BETWEEN \(int(d)) AND \(int(d)))"
    case 13: return "(\(random.number(0...1) == 0 ? int(d) : text(d)) IS \(not)NULL)"
    case 14: return "(\(text(d)) \(not)IN (\(textLiteral()), \(textLiteral()), \(text(d))))"
    case 15:
      return "(\(text(d)) \(not)LIKE \(random.pick(["'a%'", "'%B%'", "'_b%'", "'%中%'", "'%\\%%'", "''", "'%é'"])))"
    default: return "(\(text(d)) \(not)REGEXP \(random.pick(["'^a'", "'b$'", "'[0-9]+'", "'中|B'", "'a.*c'", "'é'"])))"
    }
  }

  // MARK: Dates

  private mutating func two(_ range: ClosedRange<Int>) -> String {
    let number = random.number(range)
    return number < 10 ? "0\(number)" : "\(number)"
  }

  private mutating func dateText() -> String { "20\(two(0...37))-\(two(1...12))-\(two(1...28))" }

  /// A day.
  mutating func date(_ depth: Int) -> String {
    guard depth > 0 else {
      return random.pick(["DATE('\(dateText())')", "CURDATE()", "MAKEDATE(20\(two(10...30)), 60)"])
    }
    let d = depth - 1
    switch random.number(0...6) {
    case 0...1:
      let unit = random.pick(["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"])
      return "DATE_\(random.pick(["ADD", "SUB"]))(\(date(d)), INTERVAL \(random.number(-9...40)) \(unit))"
    case 2: return "LAST_DAY(\(date(d)))"
    case 3: return "DATE(\(dateTime(d)))"
    case 4: return "STR_TO_DATE('\(dateText())', '%Y-%m-%d')"
    case 5: return "IF(\(condition(d)), \(date(d)), \(date(d)))"
    default: return "(\(date(d)) + INTERVAL \(random.number(-9...40)) DAY)"
    }
  }

  /// A day and a time.
  mutating func dateTime(_ depth: Int) -> String {
    guard depth > 0 else {
      return random.pick(["NOW()", "CAST('\(dateText()) \(two(0...23)):\(two(0...59)):\(two(0...59))' AS DATETIME)"])
    }
    let d = depth - 1
    switch random.number(0...3) {
    case 0...1:
      let unit = random.pick(["SECOND", "MINUTE", "HOUR", "DAY", "MONTH"])
      return "DATE_\(random.pick(["ADD", "SUB"]))(\(dateTime(d)), INTERVAL \(random.number(-90...900)) \(unit))"
    case 2: return "CAST(\(date(d)) AS DATETIME)"
    default: return "FROM_UNIXTIME(\(random.number(0...2_000_000_000)))"
    }
  }
}
