import JSON

/// Cuts an expression into words (mapping-language.md §6).
///
/// Placeholders become operands of their own instead of being pasted in as text: a value can then never turn into a part
/// of the formula.
struct Lexer<Operands: OperandParser> {
  private let source: String
  private let bytes: [UInt8]
  private var at = 0
  private var operands: Operands
  private var tokens: [PlacedToken] = []
  /// What each operand looks like in the source, by its number.
  private var spellings: [Int: String] = [:]
  /// Where look-ups stand among the words.
  private var lookups: Set<Int> = []

  /// Longer expressions are refused.
  static var maxBytes: Int { 65_536 }

  /// The words, `.end` the last of them, how each operand is spelled, and which words are look-ups.
  static func tokens(
    of source: String, operands: inout Operands
  ) throws(ExpressionSyntaxError) -> (tokens: [PlacedToken], spellings: [Int: String], lookups: Set<Int>) {
    guard source.utf8.count <= maxBytes else {
      throw ExpressionSyntaxError(sentence: "the expression is longer than \(maxBytes) bytes", offset: maxBytes)
    }
    var lexer = Lexer(source: source, operands: operands)
    while try lexer.next() {}
    operands = lexer.operands
    return (lexer.tokens, lexer.spellings, lexer.lookups)
  }

  private init(source: String, operands: Operands) {
    self.source = source
    bytes = Array(source.utf8)
    self.operands = operands
  }

  private func byte(_ ahead: Int = 0) -> UInt8 { at + ahead < bytes.count ? bytes[at + ahead] : 0 }

  private func failure(_ sentence: String, at offset: Int? = nil) -> ExpressionSyntaxError {
    ExpressionSyntaxError(sentence: sentence, offset: offset ?? at)
  }

  private mutating func add(_ token: Token, from start: Int) {
    tokens.append(PlacedToken(token: token, start: start, end: at))
  }

  private mutating func skipSpaces() {
    while at < bytes.count {
      if bytes[at] == 0x20 || bytes[at] &- 9 < 5 {
        at += 1
      } else if bytes[at] == 0xE3, byte(1) == 0x80, byte(2) == 0x80 {
        // The wide space that Chinese keyboards give.
        at += 3
      } else {
        return
      }
    }
  }

  private mutating func next() throws(ExpressionSyntaxError) -> Bool {
    skipSpaces()
    let start = at
    guard at < bytes.count else {
      add(.end, from: start)
      return false
    }
    switch bytes[at] {
    case UInt8(ascii: "{"):
      let operand = try placeholder()
      add(.operand(operand), from: start)
    case UInt8(ascii: "'"), UInt8(ascii: "\""):
      let parts = try quoted()
      add(.text(parts), from: start)
    case 0x30...0x39: try number(start)
    case UInt8(ascii: ".") where byte(1) &- 0x30 < 10: try number(start)
    case 0x80... where wide != nil: throw wideCharacter()
    case UInt8(ascii: "_"), 0x41...0x5A, 0x61...0x7A, 0x80...: try word(start)
    default: try symbol(start)
    }
    return true
  }

  private mutating func placeholder() throws(ExpressionSyntaxError) -> Int {
    let start = at
    let place = source.utf8.index(source.startIndex, offsetBy: at)
    let (operand, rest): (operand: Int, rest: Substring)
    do throws(ExpressionSyntaxError) {
      (operand, rest) = try operands.placeholder(source[place...])
    } catch {
      throw ExpressionSyntaxError(sentence: error.sentence, offset: start + error.offset)
    }
    at = bytes.count - rest.utf8.count
    guard at > start else { throw failure("the placeholder is empty", at: start) }
    if spellings[operand] == nil { spellings[operand] = String(decoding: bytes[start..<at], as: UTF8.self) }
    return operand
  }

  private mutating func number(_ start: Int) throws(ExpressionSyntaxError) {
    func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    if byte() == 0x30, byte(1) | 0x20 == 0x78 || byte(1) | 0x20 == 0x62, byte(2) | 0x20 != 0x20 {
      throw failure("numbers are written in decimal digits here, not as 0x… or 0b…")
    }
    while isDigit(byte()) { at += 1 }
    if byte() == 0x2E {
      at += 1
      while isDigit(byte()) { at += 1 }
    }
    if byte() | 0x20 == 0x65, isDigit(byte(1)) || (byte(1) == 0x2B || byte(1) == 0x2D) && isDigit(byte(2)) {
      at += 2
      while isDigit(byte()) { at += 1 }
    }
    if byte() == 0x5F || byte() | 0x20 &- 0x61 < 26 || byte() >= 0x80 {
      throw failure("letters directly behind a number")
    }
    let value = bytes[start..<at].withUnsafeBufferPointer { NumericPrefix(utf8: $0) }
    guard value.isWhole, !value.isTooLong else {
      throw failure("a number has at most 38 digits and 64 decimals", at: start)
    }
    add(.number(value.value), from: start)
  }

  private mutating func word(_ start: Int) throws(ExpressionSyntaxError) {
    let first = bytes[at]
    if byte(1) == 0x27, [0x78, 0x62, 0x6E].contains(first | 0x20) {
      throw failure("texts are written '…' here, without a letter before the quote")
    }
    while at < bytes.count {
      let byte = bytes[at]
      guard byte == 0x5F || byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte >= 0x80 else { break }
      if byte == 0xE3, self.byte(1) == 0x80, self.byte(2) == 0x80 { break }
      if byte >= 0x80, wide != nil { break }
      at += 1
    }
    let name = String(decoding: bytes[start..<at], as: UTF8.self)
    if name == "_findCollection" { return try lookup(start) }
    if name == "_mongoQuery" {
      throw failure("a _mongoQuery cannot stand in a formula; a _findCollection … _endFind can", at: start)
    }
    add(.name(name, upper: name.uppercased()), from: start)
  }

  /// A character here that Chinese keyboards give for one of ASCII's, and that one. Letters and digits in full width are among
  /// them.
  private var wide: (character: Character, meant: Character)? {
    guard byte() >= 0xE2, byte() <= 0xEF, at + 3 <= bytes.count,
      let character = String(decoding: bytes[at..<(at + 3)], as: UTF8.self).first,
      let scalar = character.unicodeScalars.first
    else { return nil }
    if 0xFF01...0xFF5E ~= scalar.value, let meant = Unicode.Scalar(scalar.value - 0xFEE0) {
      return (character, Character(meant))
    }
    let others: [Character: Character] = ["“": "'", "”": "'", "‘": "'", "’": "'", "、": ",", "。": "."]
    return others[character].map { (character, $0) }
  }

  private func wideCharacter() -> ExpressionSyntaxError {
    guard let wide else { return failure("this character is not part of any expression") }
    return failure("«\(wide.character)» is a full-width character; an expression has «\(wide.meant)» there")
  }

  /// A look-up goes to `_endFind`; without it, as manuals print it inside calls, to a comma or parenthesis of its own.
  private mutating func lookup(_ start: Int) throws(ExpressionSyntaxError) {
    let marker = Array("_endFind".utf8)
    var end = start
    while end + marker.count <= bytes.count, !bytes[end...].starts(with: marker) { end += 1 }
    if end + marker.count <= bytes.count {
      at = end + marker.count
    } else {
      end = unmarkedEnd(from: start)
      at = end
    }
    var last = end
    while last > start, bytes[last - 1] <= 0x20 { last -= 1 }
    let from = source.utf8.index(source.startIndex, offsetBy: start)
    let to = source.utf8.index(source.startIndex, offsetBy: last)
    let operand: Int
    do throws(ExpressionSyntaxError) {
      operand = try operands.lookup(source[from..<to])
    } catch {
      throw ExpressionSyntaxError(sentence: error.sentence, offset: start + error.offset)
    }
    if spellings[operand] == nil { spellings[operand] = "\(source[from..<to]) _endFind" }
    lookups.insert(tokens.count)
    add(.operand(operand), from: start)
  }

  private func unmarkedEnd(from start: Int) -> Int {
    var end = start
    var depth = 0
    while end < bytes.count {
      switch bytes[end] {
      case UInt8(ascii: "("), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: ")") where depth == 0, UInt8(ascii: ",") where depth == 0: return end
      case UInt8(ascii: ")"), UInt8(ascii: "}"): depth = max(0, depth - 1)
      default: break
      }
      end += 1
    }
    return end
  }

  private mutating func symbol(_ start: Int) throws(ExpressionSyntaxError) {
    let next = byte(1)
    switch (bytes[at], next) {
    case (UInt8(ascii: "-"), UInt8(ascii: "-")) where at + 2 == bytes.count || byte(2) <= 0x20,
      (UInt8(ascii: "#"), _), (UInt8(ascii: "/"), UInt8(ascii: "*")):
      throw failure("comments have no place in an expression")
    case (UInt8(ascii: "`"), _): throw failure("`…` names a column; a field is written {{field}}")
    case (UInt8(ascii: "="), UInt8(ascii: "=")): throw failure("equality is written with one =")
    case (UInt8(ascii: "?"), _): throw failure("a choice is written IF(condition, then, else) or CASE … END")
    case (UInt8(ascii: "}"), _): throw failure("a } without its {")
    default: break
    }
    for size in [3, 2, 1] where at + size <= bytes.count {
      let text = String(decoding: bytes[at..<(at + size)], as: UTF8.self)
      guard let symbol = text == "!=" ? .notEqual : Token.Symbol(rawValue: text) else { continue }
      at += size
      return add(.symbol(symbol), from: start)
    }
    let shown = bytes[at] > 0x20 && bytes[at] < 0x7F ? "«\(Character(Unicode.Scalar(bytes[at])))»" : "this character"
    throw failure("\(shown) is not part of any expression")
  }
}

// MARK: - Texts in quotes

extension Lexer {
  private mutating func quoted() throws(ExpressionSyntaxError) -> [TextPart] {
    let start = at
    let quote = bytes[at]
    let isPattern = tokens.last.map { Self.isPatternWord($0.token) } ?? false
    at += 1
    var parts: [TextPart] = []
    var content: [UInt8] = []
    func flush(_ parts: inout [TextPart], _ content: inout [UInt8]) {
      if !content.isEmpty { parts.append(.text(String(decoding: content, as: UTF8.self))) }
      content = []
    }
    while at < bytes.count {
      let byte = bytes[at]
      switch byte {
      case quote where self.byte(1) == quote:
        content.append(quote)
        at += 2
      case quote:
        at += 1
        flush(&parts, &content)
        return parts
      case UInt8(ascii: "\\"): escaped(into: &content)
      case UInt8(ascii: "{") where !(isPattern && (isQuantifier || Self.endsInClass(content))):
        flush(&parts, &content)
        parts.append(.operand(try placeholder()))
      default:
        content.append(byte)
        at += 1
      }
    }
    throw failure("a text in quotes is not closed", at: start)
  }

  private static func isPatternWord(_ token: Token) -> Bool {
    if case .name(_, let upper) = token { upper == "REGEXP" || upper == "RLIKE" } else { false }
  }

  /// Behind `\\x` and `\\p` of a pattern a brace holds a character's number or a class.
  private static func endsInClass(_ content: [UInt8]) -> Bool {
    let end = content.suffix(2)
    return end.first == 0x5C && [0x78, 0x70, 0x50].contains(end.last)
  }

  /// Whether a repetition such as `{3}` or `{1,4}` stands here. Field names of digits alone are longer.
  private var isQuantifier: Bool {
    var end = at + 1
    while end < bytes.count, end - at <= 8, bytes[end] &- 0x30 < 10 || bytes[end] == 0x2C { end += 1 }
    return end > at + 1 && end < bytes.count && bytes[end] == 0x7D
  }

  private mutating func escaped(into content: inout [UInt8]) {
    at += 1
    guard at < bytes.count else { return }
    switch bytes[at] {
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "0"): content.append(0x00)
    case UInt8(ascii: "Z"): content.append(0x1A)
    // LIKE has its own use for these two.
    case UInt8(ascii: "%"), UInt8(ascii: "_"): content += [0x5C, bytes[at]]
    default: content.append(bytes[at])
    }
    at += 1
  }
}
