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

  /// The fields that it reads, each once, in order.
  var paths: [Path] {
    var paths: [Path] = []
    for case .placeholder(let placeholder) in parts where !paths.contains(placeholder.path) {
      paths.append(placeholder.path)
    }
    return paths
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
        throw Malformed(sentence: "the filter «\(excerpt(filterName))» is unknown; known are date and datetime")
      }
      filter = known
    }
    return (Placeholder(path: path, filter: filter), rest)
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
  /// Seconds since 1970 have ten digits from 2001 to 2286. Fewer or more (`20240115`, milliseconds) are no second that
  /// an order could mean, and a wrong date is worse than none.
  private static let epochSeconds: ClosedRange<Int64> = 1_000_000_000...9_999_999_999

  func value(in scope: Scope) throws(ValueError) -> Value {
    let value = try scope.value(at: path)
    guard let filter, !value.isEmpty else { return value }
    var time: BeijingTime?
    if case .text(let text) = value { time = BeijingTime(text) }
    if time == nil, let seconds = value.number?.wholeNumber, Self.epochSeconds.contains(seconds) {
      time = BeijingTime(epochSeconds: seconds)
    }
    guard let time else { throw .unfit(path.text, wanted: "a date", kind: value.kind) }
    return .text(filter == .date ? time.date : time.description)
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
