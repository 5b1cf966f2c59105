internal import JSON

/// A list whose text is no JSON, taken apart row by row: one name with half a character in it must not make five hundred
/// orders unreadable.
///
/// Only brackets and quotes are followed here, so it is known where each row begins and ends whatever stands in it. A row that is
/// JSON stays as it came; of another one only the members that are asked for are kept, where each stands in it once and can be
/// read. All else of the answer must be JSON as ever.
enum OKKILooseList {
  /// The answer with its unreadable rows made readable, and those rows as they came, by their place.
  /// - Returns: nil where the text is no answer with a `data.list` whose rows can be told apart, or no row is unreadable.
  static func mended(
    _ body: [UInt8], keeping names: [String], limits: JSONLimits
  ) -> (text: [UInt8], rows: [Int: [UInt8]])? {
    guard let data = members(of: body, at: skipSpace(body, 0))?.only("data", in: body),
      let list = members(of: body, at: data.lowerBound)?.only("list", in: body),
      let rows = elements(of: body, at: list.lowerBound)
    else { return nil }
    var text = Array(body[..<list.lowerBound])
    text.reserveCapacity(body.count)
    text.append(UInt8(ascii: "["))
    var unreadable: [Int: [UInt8]] = [:]
    for (place, row) in rows.enumerated() {
      if place > 0 { text.append(UInt8(ascii: ",")) }
      let came = Array(body[row])
      if (try? JSONDocument(came, limits: limits)) != nil {
        text += came
      } else {
        unreadable[place] = came
        text += rest(of: body, row, keeping: names)
      }
    }
    text.append(UInt8(ascii: "]"))
    text += body[list.upperBound...]
    return unreadable.isEmpty ? nil : (text, unreadable)
  }

  /// What stands where the rows should, of an answer whose rows cannot be told apart. It is found without its brackets, so it is
  /// the same in each answer that shows the same: up to the last `}]`, where there is one, for what the answer has behind its
  /// rows may change.
  /// - Returns: nil where the answer has no such place, or has not come whole: it begins as an object, and ends as one.
  static func rows(of body: [UInt8]) -> [UInt8]? {
    let isSpace = { (byte: UInt8) in [32, 9, 10, 13].contains(byte) }
    guard body.first(where: { !isSpace($0) }) == UInt8(ascii: "{"),
      body.last(where: { !isSpace($0) }) == UInt8(ascii: "}")
    else { return nil }
    for name in body.ranges(of: Array("\"list\"".utf8)) {
      let colon = skipSpace(body, name.upperBound)
      guard colon < body.count, body[colon] == UInt8(ascii: ":") else { continue }
      let open = skipSpace(body, colon + 1)
      guard open < body.count, body[open] == UInt8(ascii: "[") else { continue }
      let rows = body[(open + 1)...]
      let ends = rows.indices.filter { rows[$0] == UInt8(ascii: "]") }
      let last = ends.last { end in rows[..<end].last { !isSpace($0) } == UInt8(ascii: "}") } ?? ends.last
      return last.map { Array(rows[..<$0]) }
    }
    return nil
  }

  /// An object of the members that can be read.
  private static func rest(of body: [UInt8], _ row: Range<Int>, keeping names: [String]) -> [UInt8] {
    let members = members(of: body, at: row.lowerBound) ?? []
    let kept = names.compactMap { name -> [UInt8]? in
      guard let value = members.only(name, in: body) else { return nil }
      let text = Array(body[value])
      guard let document = try? JSONDocument(text), document.root.text != nil else { return nil }
      return Array("\"\(name)\":".utf8) + text
    }
    return [UInt8(ascii: "{")] + kept.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
  }

  /// A member's name without its quotes, and its value.
  private typealias Member = (name: Range<Int>, value: Range<Int>)

  /// The members of an object that begins here; nil where it is none.
  private static func members(of body: [UInt8], at start: Int) -> [Member]? {
    guard start < body.count, body[start] == UInt8(ascii: "{") else { return nil }
    var members: [Member] = []
    var at = skipSpace(body, start + 1)
    if at < body.count, body[at] == UInt8(ascii: "}") { return [] }
    while true {
      guard at < body.count, body[at] == UInt8(ascii: "\""), let end = end(of: body, at) else { return nil }
      let name = at + 1..<end - 1
      at = skipSpace(body, end)
      guard at < body.count, body[at] == UInt8(ascii: ":") else { return nil }
      at = skipSpace(body, at + 1)
      guard let valueEnd = self.end(of: body, at) else { return nil }
      members.append((name, at..<valueEnd))
      at = skipSpace(body, valueEnd)
      guard at < body.count else { return nil }
      if body[at] == UInt8(ascii: "}") { return members }
      guard body[at] == UInt8(ascii: ",") else { return nil }
      at = skipSpace(body, at + 1)
    }
  }

  /// The elements of an array that begins here; nil where it is none.
  private static func elements(of body: [UInt8], at start: Int) -> [Range<Int>]? {
    guard start < body.count, body[start] == UInt8(ascii: "[") else { return nil }
    var elements: [Range<Int>] = []
    var at = skipSpace(body, start + 1)
    if at < body.count, body[at] == UInt8(ascii: "]") { return [] }
    while true {
      guard let end = end(of: body, at) else { return nil }
      elements.append(at..<end)
      at = skipSpace(body, end)
      guard at < body.count else { return nil }
      if body[at] == UInt8(ascii: "]") { return elements }
      guard body[at] == UInt8(ascii: ",") else { return nil }
      at = skipSpace(body, at + 1)
    }
  }

  /// Where the value that begins here ends: brackets match, and none inside a text counts. Nil where it does not end.
  private static func end(of body: [UInt8], _ start: Int) -> Int? {
    var open: [UInt8] = []
    var at = start
    while at < body.count {
      switch body[at] {
      case UInt8(ascii: "\""):
        at += 1
        while at < body.count, body[at] != UInt8(ascii: "\"") { at += body[at] == UInt8(ascii: "\\") ? 2 : 1 }
        if at >= body.count { return nil }
        if open.isEmpty { return at + 1 }
      case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
      case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
      case let byte where byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]"):
        // The end of what a bare value stands in.
        if open.isEmpty { return at > start ? at : nil }
        guard open.removeLast() == byte else { return nil }
        if open.isEmpty { return at + 1 }
      case let byte where open.isEmpty && (byte == UInt8(ascii: ",") || byte <= 32):
        return at > start ? at : nil
      default: break
      }
      at += 1
    }
    return nil
  }

  private static func skipSpace(_ body: [UInt8], _ start: Int) -> Int {
    var at = start
    while at < body.count, [32, 9, 10, 13].contains(body[at]) { at += 1 }
    return at
  }
}

extension Array where Element == (name: Range<Int>, value: Range<Int>) {
  /// The value of the one member with this name; nil where there is none, or several.
  fileprivate func only(_ name: String, in body: [UInt8]) -> Range<Int>? {
    let named = filter { body[$0.name].elementsEqual(name.utf8) }
    return named.count == 1 ? named[0].value : nil
  }
}
