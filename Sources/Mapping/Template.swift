import JSON
import Orders

/// Text with placeholders: `{x}`, `{{x}}`, `{{list.x|date}}` (mapping-language.md §5.1).
///
/// Single and double braces mean the same. A surplus brace is tolerated, as published strategies have some.
struct Template: Sendable, Equatable {
  /// What a filter makes of a value.
  enum Filter: String, Sendable {
    /// `yyyy-MM-dd HH:mm:ss`
    case datetime
    /// `yyyy-MM-dd`
    case date
  }

  struct Placeholder: Sendable, Hashable {
    let path: Path
    let filter: Filter?
  }

  enum Part: Sendable, Equatable {
    case text(String)
    case placeholder(Placeholder)
  }

  let parts: [Part]

  /// The one placeholder that is the whole template, if it is so.
  var only: Placeholder? {
    if parts.count == 1, case .placeholder(let placeholder) = parts[0] { return placeholder }
    return nil
  }

  var isPlain: Bool {
    parts.allSatisfy { part in
      if case .text = part { return true }
      return false
    }
  }

  /// Why a placeholder cannot be read.
  struct Malformed: Error {
    let sentence: String
  }

  init(_ source: some StringProtocol) throws(Malformed) {
    var parts: [Part] = []
    var text = ""
    var rest = Substring(source)
    while let brace = rest.firstIndex(of: "{") {
      text += rest[..<brace]
      let (placeholder, after) = try Self.placeholder(rest[brace...])
      if !text.isEmpty { parts.append(.text(text)) }
      text = ""
      parts.append(.placeholder(placeholder))
      rest = after
    }
    text += rest
    if !text.isEmpty || parts.isEmpty { parts.append(.text(text)) }
    self.parts = parts
  }

  /// Reads one placeholder at the start of the text; returns it and what follows it.
  static func placeholder(_ text: Substring) throws(Malformed) -> (Placeholder, Substring) {
    let opened = text.prefix(while: { $0 == "{" })
    let afterOpening = text[opened.endIndex...]
    guard let closing = afterOpening.firstIndex(of: "}") else {
      throw Malformed(sentence: "a placeholder is not closed")
    }
    let content = afterOpening[..<closing]
    var rest = afterOpening[closing...]
    // No more than were opened: `{{{a}}` closes with two, and what follows two may be text.
    var left = min(opened.count, 2)
    while left > 0, rest.first == "}" {
      rest = rest.dropFirst()
      left -= 1
    }
    let pieces = content.split(separator: "|", omittingEmptySubsequences: false)
    let name = pieces.first.map(trimmed) ?? ""
    guard !name.isEmpty else { throw Malformed(sentence: "a placeholder is empty") }
    var filter: Filter?
    for piece in pieces.dropFirst() {
      let filterName = trimmed(piece)
      if filterName.isEmpty { continue }
      guard let known = Filter(rawValue: filterName.lowercased()) else {
        throw Malformed(sentence: "the filter «\(filterName)» is unknown; known are date and datetime")
      }
      filter = known
    }
    return (Placeholder(path: Path(name), filter: filter), rest)
  }

  /// A single placeholder keeps its value's kind; anything else becomes text.
  func value(in scope: Scope) throws(ValueError) -> Value {
    if let only { return try only.value(in: scope) }
    return .text(try text(in: scope))
  }

  func text(in scope: Scope) throws(ValueError) -> String {
    var result = ""
    for part in parts {
      switch part {
      case .text(let text): result += text
      case .placeholder(let placeholder): result += try placeholder.value(in: scope).text
      }
    }
    return result
  }
}

extension Template.Placeholder {
  func value(in scope: Scope) throws(ValueError) -> Value {
    let value = try scope.value(at: path)
    guard let filter, !value.isEmpty else { return value }
    let time: BeijingTime? =
      switch value {
      case .text(let text): BeijingTime(text)
      case .number(let number): number.wholeNumber.map(BeijingTime.init(epochSeconds:))
      default: nil
      }
    guard let time else { throw .notADate(path.text, kind: value.kind) }
    return .text(filter == .date ? time.date : time.description)
  }
}

func trimmed(_ text: some StringProtocol) -> String {
  var slice = text[...]
  while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
  while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
  return String(slice)
}
