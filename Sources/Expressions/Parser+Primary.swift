import JSON

// Values, CASE, texts in quotes, dates with intervals.
extension Parser {
  /// Words that stand for no value.
  private static let reserved: Set = [
    "AND", "OR", "XOR", "NOT", "WHEN", "THEN", "ELSE", "END", "BETWEEN", "IN", "LIKE", "REGEXP", "RLIKE", "ESCAPE",
    "IS",
    "DIV", "FROM", "FOR", "AS", "USING", "SEPARATOR", "SELECT", "WHERE", "DISTINCT",
  ]

  mutating func primary() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    switch current {
    case .number(let number):
      at += 1
      return try constant(.number(number), from: start)
    case .text: return try text(from: start)
    case .operand(let operand):
      at += 1
      return try node(.operand, from: start, option: lookups.contains(at - 1) ? 1 : 0, index: Int32(operand))
    case .symbol(.open):
      at += 1
      let inner = try expression()
      try need(.close)
      return inner
    case .name(let name, let upper):
      if Self.reserved.contains(upper) { throw unexpected() }
      at += 1
      return try named(name, upper, from: start)
    case .symbol, .end: throw unexpected()
    }
  }

  private mutating func named(_ name: String, _ upper: String, from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    switch upper {
    case "NULL": return try constant(.null, from: start)
    case "TRUE": return try constant(.bool(true), from: start)
    case "FALSE": return try constant(.bool(false), from: start)
    case "CASE": return try choice(from: start)
    case "BINARY": throw failure("BINARY is not known here; texts are compared without case", at: start)
    case "CURRENT_DATE", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_TIME":
      if current == .symbol(.open) { break }
      let function: Function = upper == "CURRENT_DATE" ? .curDate : upper == "CURRENT_TIME" ? .curTime : .now
      return try node(.call, from: start, index: function.rawValue)
    default: break
    }
    guard take(.open) else {
      let isKnown = FunctionTable.byName[upper] != nil
      throw failure(
        isKnown
          ? "\(upper) needs its arguments in parentheses"
          : "«\(name.prefix(40))» is no word of an expression; a field is written {{field}}, a text 'text'", at: start)
    }
    return try call(name, upper, from: start)
  }

  private mutating func text(from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    var parts: [TextPart] = []
    // Texts side by side are one.
    while case .text(let more) = current {
      parts += more
      at += 1
    }
    if parts.isEmpty { return try constant(.text(""), from: start) }
    if parts.count == 1, case .operand(let operand) = parts[0] {
      return try node(.quoted, from: start, index: Int32(operand))
    }
    if parts.allSatisfy({ if case .text = $0 { true } else { false } }) {
      var whole = ""
      for case .text(let text) in parts { whole += text }
      return try constant(.text(whole), from: start)
    }
    var places: [Int32] = []
    for part in parts {
      switch part {
      case .text(let text): places.append(try constant(.text(text), from: start))
      case .operand(let operand): places.append(try node(.quoted, from: start, index: Int32(operand)))
      }
    }
    return try node(.template, from: start, places)
  }

  private mutating func choice(from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    var places: [Int32] = []
    let isSimple = !isWord("WHEN")
    if isSimple { places.append(try expression()) }
    guard isWord("WHEN") else { throw unexpected(wanted: "WHEN") }
    while take(word: "WHEN") {
      places.append(try expression())
      try need(word: "THEN")
      places.append(try expression())
    }
    if take(word: "ELSE") { places.append(try expression()) }
    try need(word: "END")
    return try node(isSimple ? .simpleCase : .searchedCase, from: start, places)
  }

  // MARK: Intervals

  var isInterval: Bool { isWord("INTERVAL") }

  /// `n unit` behind the word INTERVAL.
  mutating func amount() throws(ExpressionSyntaxError) -> (Int32, TimeUnit) {
    try need(word: "INTERVAL")
    let amount = try expression()
    return (amount, try unit())
  }

  /// - Parameter isSingle: units of several parts are none here.
  mutating func unit(isSingle: Bool = false) throws(ExpressionSyntaxError) -> TimeUnit {
    guard case .name(_, let upper) = current else { throw unexpected(wanted: "a unit of time") }
    let name = upper.hasPrefix("SQL_TSI_") ? String(upper.dropFirst(8)) : upper
    guard let unit = TimeUnit.byName[name], !(isSingle && unit.isComposite) else {
      let known = TimeUnit.allCases.filter { !(isSingle && $0.isComposite) }.map(\.text).joined(separator: ", ")
      throw failure("«\(upper.prefix(40))» is no unit of time; known are \(known)")
    }
    at += 1
    return unit
  }

  mutating func interval(
    of left: Int32, _ function: Function, from start: Int
  ) throws(ExpressionSyntaxError) -> Int32 {
    let (amount, unit) = try amount()
    return try node(.call, from: start, [left, amount], option: unit.rawValue, index: function.rawValue)
  }

  /// `INTERVAL n unit + date`
  mutating func intervalFirst() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    let (amount, unit) = try amount()
    try need(.plus)
    let date = try nested { parser throws(ExpressionSyntaxError) in try parser.sum() }
    return try node(.call, from: start, [date, amount], option: unit.rawValue, index: Function.dateAdd.rawValue)
  }
}
