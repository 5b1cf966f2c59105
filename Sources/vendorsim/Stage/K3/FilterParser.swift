/// A word of a filter.
enum FilterToken: Equatable {
  case name(String)
  case text(String)
  case number(String)
  case sign(String)
  case open, close, comma

  static func scan(_ text: String) throws(Refusal) -> [FilterToken] {
    var tokens: [FilterToken] = []
    var rest = Substring(text)
    while let first = rest.first {
      if first.isWhitespace {
        rest.removeFirst()
      } else if first == "'" {
        tokens.append(.text(try quoted(&rest)))
      } else if first == "N" || first == "n", rest.dropFirst().first == "'" {
        rest.removeFirst()
        tokens.append(.text(try quoted(&rest)))
      } else if first == "[" {
        guard let close = rest.firstIndex(of: "]") else { throw Filter.refusal }
        tokens.append(.name(String(rest[rest.index(after: rest.startIndex)..<close])))
        rest = rest[rest.index(after: close)...]
      } else if first.isLetter || first == "_" {
        let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        tokens.append(.name(String(word)))
        rest = rest[word.endIndex...]
      } else if first.isNumber || first == "-" || first == "." {
        let digits = rest.dropFirst().prefix { $0.isNumber || $0 == "." }
        guard Double(String(first) + digits) != nil else { throw Filter.refusal }
        tokens.append(.number(String(first) + digits))
        rest = rest[digits.endIndex...]
      } else {
        tokens.append(try sign(&rest))
      }
    }
    return tokens
  }

  private static func quoted(_ rest: inout Substring) throws(Refusal) -> String {
    rest.removeFirst()
    var content = ""
    while let character = rest.popFirst() {
      if character != "'" {
        content.append(character)
      } else if rest.first == "'" {
        content.append("'")
        rest.removeFirst()
      } else {
        return content
      }
    }
    throw Filter.refusal
  }

  private static func sign(_ rest: inout Substring) throws(Refusal) -> FilterToken {
    for sign in ["<>", "!=", "<=", ">=", "=", "<", ">"] where rest.hasPrefix(sign) {
      rest = rest.dropFirst(sign.count)
      return .sign(sign)
    }
    switch rest.popFirst() {
    case "(": return .open
    case ")": return .close
    case ",": return .comma
    default: throw Filter.refusal
    }
  }
}

/// Reads the words of a filter: `or` binds loosest, then `and`, then `not`.
struct FilterParser {
  private var tokens: ArraySlice<FilterToken>
  private let field: (String) -> ListSlot?
  private var depth = 0
  private static let deepest = 100

  init(tokens: [FilterToken], field: @escaping (String) -> ListSlot?) {
    self.tokens = tokens[...]
    self.field = field
  }

  mutating func whole() throws(Refusal) -> Filter.Node {
    let node = try either()
    guard tokens.isEmpty else { throw Filter.refusal }
    return node
  }

  private mutating func either() throws(Refusal) -> Filter.Node {
    var node = try both()
    while takeWord("or") { node = .either(node, try both()) }
    return node
  }

  private mutating func both() throws(Refusal) -> Filter.Node {
    var node = try negation()
    while takeWord("and") { node = .both(node, try negation()) }
    return node
  }

  private mutating func negation() throws(Refusal) -> Filter.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw Filter.refusal }
    if takeWord("not") { return .not(try negation()) }
    if take(.open) {
      let node = try either()
      guard take(.close) else { throw Filter.refusal }
      return node
    }
    return try condition()
  }

  private mutating func condition() throws(Refusal) -> Filter.Node {
    let left = try operand()
    if case .sign(let sign)? = tokens.first {
      tokens.removeFirst()
      return .compare(left, sign, try operand())
    }
    if takeWord("is") {
      let negated = takeWord("not")
      guard takeWord("null") else { throw Filter.refusal }
      return negated ? .not(.isNull(left)) : .isNull(left)
    }
    let negated = takeWord("not")
    let node: Filter.Node
    if takeWord("like") {
      guard case .text(let pattern)? = tokens.popFirst() else { throw Filter.refusal }
      node = .like(left, pattern)
    } else if takeWord("in") {
      node = .among(left, try list())
    } else {
      throw Filter.refusal
    }
    return negated ? .not(node) : node
  }

  private mutating func list() throws(Refusal) -> [Filter.Operand] {
    guard take(.open) else { throw Filter.refusal }
    var items = [try operand()]
    while take(.comma) { items.append(try operand()) }
    guard take(.close) else { throw Filter.refusal }
    return items
  }

  private mutating func operand() throws(Refusal) -> Filter.Operand {
    switch tokens.popFirst() {
    case .text(let text)?: return .text(text)
    case .number(let number)?: return .number(number)
    case .name(let name)?:
      guard let slot = field(name) else { throw Filter.refusal }
      return .field(slot)
    default: throw Filter.refusal
    }
  }

  private mutating func take(_ token: FilterToken) -> Bool {
    guard tokens.first == token else { return false }
    tokens.removeFirst()
    return true
  }

  private mutating func takeWord(_ word: String) -> Bool {
    guard case .name(let name)? = tokens.first, name.lowercased() == word else { return false }
    tokens.removeFirst()
    return true
  }
}
