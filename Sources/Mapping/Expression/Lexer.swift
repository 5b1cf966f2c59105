import JSON

/// A word of an expression.
enum Token: Sendable, Equatable {
  case number(ExactDecimal)
  /// Between single quotes; may hold placeholders.
  case text(Template)
  /// A placeholder or a lookup.
  case operand(Int)
  case name(String)
  /// One of `+ - * / % ( ) ,`
  case symbol(Character)
}

/// Cuts an expression into tokens (mapping-language.md §6.1).
///
/// Placeholders become operands of their own instead of being pasted in as text: a value can then never turn into a
/// formula, and what is missing is nothing instead of a gap.
struct Lexer {
  private var rest: Substring

  static func tokens(
    of source: some StringProtocol, operands: inout OperandTable
  ) throws(Template.Malformed) -> [Token] {
    var lexer = Lexer(rest: Substring(source))
    var tokens: [Token] = []
    while let token = try lexer.next(&operands) { tokens.append(token) }
    return tokens
  }

  private mutating func next(_ operands: inout OperandTable) throws(Template.Malformed) -> Token? {
    while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
    guard let first = rest.first else { return nil }
    switch first {
    case "{":
      let (operand, after) = try operands.placeholder(rest)
      rest = after
      return .operand(operand)
    case "'": return try quoted(&operands)
    case "+", "-", "*", "/", "%", "(", ")", ",":
      rest = rest.dropFirst()
      return .symbol(first)
    case "0"..."9", ".": return try number()
    case "_" where rest.hasPrefix(Lookup.prefix): return try lookup(&operands)
    default: return try name()
    }
  }

  private mutating func quoted(_ operands: inout OperandTable) throws(Template.Malformed) -> Token {
    rest = rest.dropFirst()
    var content = ""
    while let quote = rest.firstIndex(of: "'") {
      content += rest[..<quote]
      rest = rest[rest.index(after: quote)...]
      // Two quotes stand for one.
      guard rest.first == "'" else { return .text(try Template(content, operands: &operands)) }
      content += "'"
      rest = rest.dropFirst()
    }
    throw Template.Malformed(sentence: "a text in quotes is not closed")
  }

  /// `_findCollection … _endFind`
  private mutating func lookup(_ operands: inout OperandTable) throws(Template.Malformed) -> Token {
    guard let end = rest.firstRange(of: Lookup.end) else {
      throw Template.Malformed(sentence: "a lookup inside a formula ends with \(Lookup.end)")
    }
    let text = rest[..<end.lowerBound]
    rest = rest[end.upperBound...]
    return .operand(try operands.lookup(text))
  }

  private mutating func number() throws(Template.Malformed) -> Token {
    let digits = rest.prefix(while: { $0.isASCII && ($0.isNumber || $0 == ".") })
    rest = rest[digits.endIndex...]
    guard let value = ExactDecimal(digits.first == "." ? "0" + digits : digits[...]) else {
      throw Template.Malformed(sentence: "«\(excerpt(digits))» is not a number")
    }
    return .number(value)
  }

  private mutating func name() throws(Template.Malformed) -> Token {
    let word = rest.prefix(while: { $0 == "_" || $0.isLetter || $0.isNumber })
    guard !word.isEmpty else {
      throw Template.Malformed(sentence: "«\(rest.prefix(1))» is not part of any expression")
    }
    rest = rest[word.endIndex...]
    return .name(String(word))
  }
}
