import JSON
import PCRE2

/// Reads words into a program, with MySQL's ranks: OR, XOR, AND, NOT, comparisons, + −, * /, signs.
struct Parser {
  let tokens: [PlacedToken]
  var at = 0
  var builder = ProgramBuilder()
  private var depth = 0
  var isInAggregate = false
  /// Deeper nesting is refused.
  static let maxDepth = 64

  /// Which words are look-ups.
  let lookups: Set<Int>

  init(tokens: [PlacedToken], lookups: Set<Int> = []) {
    self.tokens = tokens
    self.lookups = lookups
  }

  mutating func whole() throws(ExpressionSyntaxError) -> Int32 {
    let root = try expression()
    guard current == .end else { throw unexpected() }
    return root
  }

  // MARK: Words

  var current: Token { tokens[at].token }
  var start: Int { tokens[at].start }

  mutating func take(_ symbol: Token.Symbol) -> Bool {
    guard current == .symbol(symbol) else { return false }
    at += 1
    return true
  }

  func isWord(_ word: String, ahead: Int = 0) -> Bool {
    guard at + ahead < tokens.count, case .name(_, let upper) = tokens[at + ahead].token else { return false }
    return upper == word
  }

  mutating func take(word: String) -> Bool {
    guard isWord(word) else { return false }
    at += 1
    return true
  }

  mutating func need(_ symbol: Token.Symbol) throws(ExpressionSyntaxError) {
    guard take(symbol) else { throw unexpected(wanted: "«\(symbol.rawValue)»") }
  }

  mutating func need(word: String) throws(ExpressionSyntaxError) {
    guard take(word: word) else { throw unexpected(wanted: word) }
  }

  func failure(_ sentence: String, at offset: Int? = nil) -> ExpressionSyntaxError {
    ExpressionSyntaxError(sentence: sentence, offset: offset ?? start)
  }

  func unexpected(wanted: String? = nil) -> ExpressionSyntaxError {
    let shown: String =
      switch current {
      case .number(let number): "«\(number)» cannot stand here"
      case .text: "a text in quotes cannot stand here"
      case .operand: "a field cannot stand here"
      case .name(let name, _): "«\(name.prefix(40))» cannot stand here"
      case .symbol(let symbol): "«\(symbol.rawValue)» cannot stand here"
      case .end: "the expression ends too early"
      }
    return failure(wanted.map { "\(shown); \($0) is missing" } ?? shown)
  }

  // MARK: Nodes

  mutating func node(
    _ kind: NodeKind, from start: Int, _ places: [Int32] = [], option: UInt8 = 0, negated: Bool = false,
    index: Int32 = 0
  ) throws(ExpressionSyntaxError) -> Int32 {
    let end = at > 0 ? tokens[at - 1].end : start
    var node = Node(kind: kind, option: option, isNegated: negated, index: index)
    node.start = Int32(start)
    node.end = Int32(end)
    guard let place = builder.add(node, places) else { throw failure("the expression is nested too deep", at: start) }
    return place
  }

  mutating func constant(_ value: SQLValue, from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    builder.constants.append(value)
    return try node(.constant, from: start, index: Int32(builder.constants.count - 1))
  }

  mutating func nested<Value>(
    _ body: (inout Parser) throws(ExpressionSyntaxError) -> Value
  ) throws(ExpressionSyntaxError) -> Value {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maxDepth else { throw failure("the expression is nested too deep") }
    return try body(&self)
  }

  // MARK: Ranks

  mutating func expression() throws(ExpressionSyntaxError) -> Int32 {
    try nested { parser throws(ExpressionSyntaxError) in try parser.or() }
  }

  private mutating func or() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    var places = [try xor()]
    while take(word: "OR") || take(.or) { places.append(try xor()) }
    return places.count == 1 ? places[0] : try node(.or, from: start, places)
  }

  private mutating func xor() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    var places = [try and()]
    while take(word: "XOR") { places.append(try and()) }
    return places.count == 1 ? places[0] : try node(.xor, from: start, places)
  }

  private mutating func and() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    var places = [try not()]
    while take(word: "AND") || take(.and) { places.append(try not()) }
    return places.count == 1 ? places[0] : try node(.and, from: start, places)
  }

  private mutating func not() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    guard take(word: "NOT") else { return try comparison() }
    let operand = try nested { parser throws(ExpressionSyntaxError) in try parser.not() }
    return try node(.not, from: start, [operand])
  }

  private var comparisonSymbol: Comparison? {
    guard case .symbol(let symbol) = current else { return nil }
    return switch symbol {
    case .equal: .equal
    case .safeEqual: .safeEqual
    case .notEqual: .notEqual
    case .less: .less
    case .lessOrEqual: .lessOrEqual
    case .greater: .greater
    case .greaterOrEqual: .greaterOrEqual
    default: nil
    }
  }

  private mutating func comparison() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    var left = try predicate()
    while true {
      var places = [left]
      while let symbol = comparisonSymbol {
        at += 1
        places += [symbol.rawValue, try predicate()]
      }
      if places.count > 1 { left = try node(.comparison, from: start, places) }
      guard take(word: "IS") else { return left }
      let negated = take(word: "NOT")
      let truth: Truth
      if take(word: "NULL") || take(word: "UNKNOWN") {
        truth = .null
      } else if take(word: "TRUE") {
        truth = .isTrue
      } else if take(word: "FALSE") {
        truth = .isFalse
      } else {
        throw unexpected(wanted: "NULL, TRUE or FALSE")
      }
      left = try node(.isTruth, from: start, [left], option: truth.rawValue, negated: negated)
    }
  }

  private mutating func predicate() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    let left = try sum()
    let isNegated =
      isWord("NOT") && ["LIKE", "IN", "BETWEEN", "REGEXP", "RLIKE"].contains { isWord($0, ahead: 1) }
    if isNegated { at += 1 }
    if take(word: "LIKE") {
      var places = [left, try sum()]
      if take(word: "ESCAPE") { places.append(try primary()) }
      return try node(.like, from: start, places, negated: isNegated)
    }
    if take(word: "REGEXP") || take(word: "RLIKE") { return try regexp(left, start, isNegated) }
    if take(word: "IN") {
      try need(.open)
      return try node(.inList, from: start, [left] + list(), negated: isNegated)
    }
    if take(word: "BETWEEN") {
      let lower = try sum()
      try need(word: "AND")
      // What follows AND is a predicate of its own.
      let upper = try nested { parser throws(ExpressionSyntaxError) in try parser.predicate() }
      return try node(.between, from: start, [left, lower, upper], negated: isNegated)
    }
    return left
  }

  private mutating func regexp(_ left: Int32, _ start: Int, _ negated: Bool) throws(ExpressionSyntaxError) -> Int32 {
    let place = self.start
    let pattern = try sum()
    return try node(.regexp, from: start, [left, pattern], negated: negated, index: try compiled(pattern, at: place))
  }

  /// The number of the compiled pattern when it is written out, −1 when it has to be computed.
  mutating func compiled(_ pattern: Int32, at place: Int) throws(ExpressionSyntaxError) -> Int32 {
    let node = builder.nodes[Int(pattern)]
    guard node.kind == .constant, case .text(let text) = builder.constants[Int(node.index)] else { return -1 }
    do throws(PatternError) {
      builder.patterns.append(try Pattern(text, ignoresCase: true))
    } catch {
      throw failure("the pattern cannot be used: \(error.message)", at: place)
    }
    return Int32(builder.patterns.count - 1)
  }

  /// Arguments up to the closing parenthesis; none are allowed here.
  mutating func list() throws(ExpressionSyntaxError) -> [Int32] {
    var places: [Int32] = []
    repeat { places.append(try expression()) } while take(.comma)
    try need(.close)
    return places
  }

  // MARK: Arithmetic

  mutating func sum() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    if isInterval { return try intervalFirst() }
    var places = [try product()]
    while true {
      let isPlus = current == .symbol(.plus)
      guard isPlus || current == .symbol(.minus) else { break }
      at += 1
      if isInterval {
        let left = places.count == 1 ? places[0] : try node(.arithmetic, from: start, places)
        places = [try interval(of: left, isPlus ? .dateAdd : .dateSub, from: start)]
      } else {
        places += [(isPlus ? Arithmetic.add : .subtract).rawValue, try product()]
      }
    }
    return places.count == 1 ? places[0] : try node(.arithmetic, from: start, places)
  }

  private mutating func product() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    var places = [try unary()]
    while let symbol = productSymbol {
      at += 1
      places += [symbol.rawValue, try unary()]
    }
    return places.count == 1 ? places[0] : try node(.arithmetic, from: start, places)
  }

  private var productSymbol: Arithmetic? {
    switch current {
    case .symbol(.times): .multiply
    case .symbol(.divide): .divide
    case .symbol(.modulo), .name(_, upper: "MOD"): .modulo
    case .name(_, upper: "DIV"): .divideWhole
    default: nil
    }
  }

  mutating func unary() throws(ExpressionSyntaxError) -> Int32 {
    let start = start
    if take(.minus) {
      let operand = try nested { parser throws(ExpressionSyntaxError) in try parser.unary() }
      let node = builder.nodes[Int(operand)]
      if node.kind == .constant, case .number(let number) = builder.constants[Int(node.index)], !number.isNegative {
        return try constant(.number(number.negated()), from: start)
      }
      return try self.node(.negate, from: start, [operand])
    }
    if take(.plus) { return try nested { parser throws(ExpressionSyntaxError) in try parser.unary() } }
    if take(.not) {
      let operand = try nested { parser throws(ExpressionSyntaxError) in try parser.unary() }
      return try node(.not, from: start, [operand])
    }
    return try primary()
  }
}
