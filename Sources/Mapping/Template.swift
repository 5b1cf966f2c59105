/// Text with placeholders: `{x}`, `{{x}}`, `{{list.x|date}}` (mapping-language.md §5.1).
///
/// Single and double braces mean the same. A surplus brace is tolerated, as published strategies have some.
struct Template: Sendable, Equatable {
  enum Part: Sendable, Equatable {
    case text(String)
    case operand(Int)
  }

  /// A placeholder as written.
  struct Placeholder: Sendable, Hashable {
    let path: Path
    let filter: Filter?
  }

  let parts: [Part]

  /// The one placeholder that is the whole template, if it is so.
  var only: Int? {
    if parts.count == 1, case .operand(let operand) = parts[0] { return operand }
    return nil
  }

  /// The text, when there is nothing but text.
  var literal: String? {
    if parts.count == 1, case .text(let text) = parts[0] { return text }
    return nil
  }

  /// What it reads, each once, in order.
  var operands: [Int] {
    var operands: [Int] = []
    for case .operand(let operand) in parts where !operands.contains(operand) { operands.append(operand) }
    return operands
  }

  /// Why a placeholder cannot be read.
  struct Malformed: Error {
    let sentence: String
  }

  init(_ source: some StringProtocol, operands: inout OperandTable) throws(Malformed) {
    var parts: [Part] = []
    var text = ""
    let whole = Substring(source)
    var rest = whole
    // Braces of a text that is no placeholder, such as JSON's.
    var open = 0
    while let brace = rest.firstIndex(of: "{") {
      text += rest[..<brace]
      open = max(0, open - rest[..<brace].count { $0 == "}" })
      if Self.isPlain(rest[brace...]) {
        text += "{"
        open += 1
        rest = rest[whole.index(after: brace)...]
        continue
      }
      let opened = rest[brace...].prefix { $0 == "{" }.count
      let (operand, after) = try operands.placeholder(rest[brace...])
      if !text.isEmpty { parts.append(.text(text)) }
      text = ""
      parts.append(.operand(operand))
      // A brace too many is tolerated, but not one that closes a brace of the text.
      let closed = whole[..<after.startIndex].reversed().prefix { $0 == "}" }.count
      rest = whole[whole.index(after.startIndex, offsetBy: -min(open, max(0, closed - opened)))...]
    }
    text += rest
    if !text.isEmpty || parts.isEmpty { parts.append(.text(text)) }
    self.parts = parts
  }

  /// Whether the brace at the start of the text opens no placeholder: no name has a quote (mapping-language.md §5.1).
  private static func isPlain(_ text: Substring) -> Bool {
    let content = text.drop { $0 == "{" }.prefix { $0 != "}" && $0 != "{" && $0 != "|" }
    return content.contains("\"")
  }

  /// Reads one placeholder at the start of the text; returns it and what follows it.
  static func placeholder(_ text: Substring) throws(Malformed) -> (Placeholder, Substring) {
    let opened = text.prefix(while: { $0 == "{" })
    let afterOpening = text[opened.endIndex...]
    guard let closing = afterOpening.firstIndex(of: "}") else {
      throw Malformed(sentence: "a placeholder is not closed")
    }
    let content = afterOpening[..<closing]
    if content.contains("{") {
      let sentence =
        "a { stands inside the placeholder «\(excerpt(text[..<closing]))»; a brace of a text stands before a name in quotes, "
        + "such as {\"key\":…"
      throw Malformed(sentence: sentence)
    }
    // All that follow: `{{{a}}`, `{{a}}}` and `{{{a}}}` are one placeholder with a brace too many.
    let rest = afterOpening[closing...].drop(while: { $0 == "}" })
    let pieces = content.split(separator: "|", omittingEmptySubsequences: false)
    let path = Path(pieces.first.map(trimmed) ?? "")
    guard !path.segments.isEmpty else { throw Malformed(sentence: "a placeholder is empty") }
    var filter: Filter?
    for piece in pieces.dropFirst() {
      let filterName = trimmed(piece)
      if filterName.isEmpty { continue }
      guard let known = Filter(rawValue: filterName.lowercased()) else {
        let all = Filter.allCases.map(\.rawValue).joined(separator: ", ")
        throw Malformed(sentence: "the filter «\(excerpt(filterName))» is unknown; known are \(all)")
      }
      filter = known
    }
    return (Placeholder(path: path, filter: filter), rest)
  }

  func text(_ reader: OrderReader) throws(ValueError) -> String {
    if let only { return try Self.text(of: only, reader) }
    var result = ""
    for part in parts {
      switch part {
      case .text(let text): result += text
      case .operand(let operand): result += try Self.text(of: operand, reader)
      }
    }
    return result
  }

  /// A list or an object has no text, and would be gone without a word.
  private static func text(of operand: Int, _ reader: OrderReader) throws(ValueError) -> String {
    let value: Value = try reader.value(of: operand)
    if case .structure = value, !value.isEmpty {
      throw .unfit(reader.title(of: operand), wanted: "a single value", kind: value.kind)
    }
    return value.text
  }
}

func trimmed(_ text: some StringProtocol) -> String {
  if isTight(text) { return String(text) }
  var slice = text[...]
  while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
  while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
  return String(slice)
}

/// Whether a text begins and ends with a visible ASCII character, as nearly all do: asked of bytes, since characters
/// cost a table look-up each. False says nothing.
func isTight(_ text: some StringProtocol) -> Bool {
  text.utf8.withContiguousStorageIfAvailable { bytes in
    guard let first = bytes.first, let last = bytes.last else { return false }
    return (0x21...0x7E).contains(first) && (0x21...0x7E).contains(last)
  } ?? false
}

/// The beginning of a strategy's text, short enough for a message. Counted in scalars: one character may be made of any
/// number of them.
func excerpt(_ text: some StringProtocol) -> String {
  let scalars = text.unicodeScalars
  guard let end = scalars.index(scalars.startIndex, offsetBy: 60, limitedBy: scalars.endIndex) else {
    return String(text)
  }
  return end == scalars.endIndex ? String(text) : "\(text[..<end])…"
}
