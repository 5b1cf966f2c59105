import Digests
import JSON

// Functions of texts.
extension Evaluator {
  func callText(_ function: Function, _ node: Node) throws(EvaluationError) -> SQLValue {
    switch function {
    case .concat: return try concat(node)
    case .concatWS: return try concatWithSeparator(node)
    case .uuid: return .text(operands.uuid())
    case .hex: return try hex(node)
    case .space: return try spaces(node)
    case .format: return try format(node)
    case .regexpReplace, .regexpSubstr, .regexpInstr: return try callPattern(function, node)
    default: break
    }
    // The rest begins with a text.
    guard let text = try self.text(child(node, 0)) else { return .null }
    try spend(text.utf8.count)
    switch function {
    case .upper, .lower: return .text(text.cased(upper: function == .upper))
    case .ltrim, .rtrim: return .text(text.trimmed(" ", start: function == .ltrim, end: function == .rtrim))
    case .length: return .init(text.utf8.count)
    case .charLength: return .init(text.characterCount)
    case .reverse: return .text(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
    case .ascii: return .init(Int(text.utf8.first ?? 0))
    case .md5: return try digest(.md5, text)
    case .sha1: return try digest(.sha1, text)
    case .sha2: return try sha2(text, node)
    case .trim: return try trim(text, node)
    case .left, .right: return try side(text, node, function)
    case .substring: return try substring(text, node)
    case .lpad, .rpad: return try pad(text, node, function)
    case .repeated: return try repeated(text, node)
    case .insert: return try insert(text, node)
    case .substringIndex: return try substringIndex(text, node)
    default: return try callTwoTexts(function, text, node)
    }
  }

  private func callTwoTexts(
    _ function: Function, _ text: String, _ node: Node
  ) throws(EvaluationError) -> SQLValue {
    guard let other = try self.text(child(node, 1)) else { return .null }
    switch function {
    case .locate: return try locate(text, in: other, node)
    case .instr: return try locate(other, in: text, node)
    case .strcmp: return .init(Collation.compare(text, other))
    case .findInSet: return try findInSet(text, other)
    default: return try replace(text, other, node)
    }
  }

  // MARK: Putting together

  private func concat(_ node: Node) throws(EvaluationError) -> SQLValue {
    var whole = ""
    var isNull = false
    for index in 0..<Int(node.count) {
      guard let part = try self.text(child(node, index)) else {
        isNull = true
        continue
      }
      if isNull { continue }
      try willBuild(whole.utf8.count + part.utf8.count)
      whole += part
    }
    return isNull ? .null : .text(whole)
  }

  private func concatWithSeparator(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard let separator = try self.text(child(node, 0)) else { return .null }
    var whole: String?
    for index in 1..<Int(node.count) {
      guard let part = text(of: try orNull(child(node, index))) else { continue }
      try willBuild((whole?.utf8.count ?? 0) + separator.utf8.count + part.utf8.count)
      whole = whole.map { $0 + separator + part } ?? part
    }
    return .text(whole ?? "")
  }

  private func repeated(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    guard let count = try int(child(node, 1)) else { return .null }
    let (size, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(count, 0))
    try willBuild(overflow ? Int.max : size)
    return .text(size == 0 ? "" : String(repeating: text, count: count))
  }

  private func spaces(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard let count = try int(child(node, 0)) else { return .null }
    try willBuild(max(count, 0))
    return .text(String(repeating: " ", count: max(count, 0)))
  }

  private func pad(
    _ text: String, _ node: Node, _ function: Function
  ) throws(EvaluationError) -> SQLValue {
    let wanted = try int(child(node, 1))
    let filler = node.count > 2 ? try self.text(child(node, 2)) : " "
    guard let wanted, let filler, wanted >= 0 else { return .null }
    let missing = wanted - text.characterCount
    if missing <= 0 { return .text(text.characters(from: 0, to: wanted)) }
    guard !filler.isEmpty else { return .null }
    // A character has at most 4 bytes.
    try willBuild(missing > settings.maxTextBytes ? missing : text.utf8.count + missing * 4)
    let size = filler.characterCount
    let padding =
      String(repeating: filler, count: missing / size) + filler.characters(from: 0, to: missing % size)
    return .text(function == .lpad ? padding + text : text + padding)
  }

  // MARK: Parts

  private func trim(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    guard let what = node.count > 1 ? try self.text(child(node, 1)) : " " else { return .null }
    return .text(text.trimmed(what, start: node.option != 2, end: node.option != 1))
  }

  private func side(
    _ text: String, _ node: Node, _ function: Function
  ) throws(EvaluationError) -> SQLValue {
    guard let count = try int(child(node, 1)) else { return .null }
    if count <= 0 { return .text("") }
    if function == .left { return .text(text.characters(from: 0, to: count)) }
    return .text(text.characters(from: max(0, text.characterCount - count), to: Int.max))
  }

  private func substring(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    let place = try int(child(node, 1))
    let length = node.count > 2 ? try int(child(node, 2)) : Int.max
    guard let place, let length else { return .null }
    guard place != 0, length > 0 else { return .text("") }
    var first = place - 1
    if place < 0 {
      first = text.characterCount &+ place
      if first < 0 { return .text("") }
    }
    let (end, overflow) = first.addingReportingOverflow(length)
    return .text(text.characters(from: first, to: overflow ? Int.max : end))
  }

  private func insert(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    let place = try int(child(node, 1))
    let length = try int(child(node, 2))
    let other = try self.text(child(node, 3))
    guard let place, let length, let other else { return .null }
    let count = text.characterCount
    guard place >= 1, place <= count else { return .text(text) }
    try willBuild(text.utf8.count + other.utf8.count)
    let left = count - place + 1
    let end = length < 0 || length > left ? count : place - 1 + length
    return .text(text.characters(from: 0, to: place - 1) + other + text.characters(from: end, to: Int.max))
  }

  private func substringIndex(_ text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    let separator = try self.text(child(node, 1))
    let count = try int(child(node, 2))
    guard let separator, let count else { return .null }
    guard count != 0, !separator.isEmpty else { return .text("") }
    let places = try occurrences(of: separator, in: text)
    if count > 0 { return .text(count > places.count ? text : text.bytes(0..<places[count - 1].lowerBound)) }
    // The last ones are found from the end, so that `aaa` holds `aa` at its end.
    guard count.magnitude <= places.count else { return .text(text) }
    let place = places[places.count - Int(count.magnitude)]
    return .text(text.bytes(place.upperBound..<text.utf8.count))
  }

  // MARK: Searching

  /// Where a text stands in another, without overlaps, case counted.
  func occurrences(of what: String, in text: String) throws(EvaluationError) -> [Range<Int>] {
    var searching = Searching(maxWork: settings.maxSteps << 6)
    var (what, text) = (what, text)
    let places = what.withUTF8 { what in
      text.withUTF8 { text in
        var places: [Range<Int>] = []
        var at = 0
        while let found = searching.find(what, in: text, from: at, ignoresCase: false) {
          places.append(found)
          at = found.upperBound
        }
        return places
      }
    }
    try finish(searching)
    return places
  }

  private func finish(_ searching: Searching) throws(EvaluationError) {
    try spend(searching.work)
    if searching.work > searching.maxWork { throw .limit("the search takes too many steps") }
  }

  private func replace(_ text: String, _ what: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    guard let with = try self.text(child(node, 2)) else { return .null }
    guard !what.isEmpty else { return .text(text) }
    let places = try occurrences(of: what, in: text)
    if places.isEmpty { return .text(text) }
    try willBuild(text.utf8.count + places.count * max(0, with.utf8.count - what.utf8.count))
    var result = ""
    var at = 0
    for place in places {
      result += text.bytes(at..<place.lowerBound)
      result += with
      at = place.upperBound
    }
    return .text(result + text.bytes(at..<text.utf8.count))
  }

  private func locate(_ what: String, in text: String, _ node: Node) throws(EvaluationError) -> SQLValue {
    var first = 0
    if node.count > 2 {
      guard let place = try int(child(node, 2)) else { return .null }
      guard place >= 1, place <= text.characterCount else { return .init(0) }
      first = place - 1
    }
    var searching = Searching(maxWork: settings.maxSteps << 6)
    var (what, text) = (what, text)
    let place: Int? = what.withUTF8 { what in
      text.withUTF8 { text in
        let found = searching.find(what, in: text, from: offset(of: first, in: text), ignoresCase: true)
        return found.map { scalarCount(UnsafeBufferPointer(rebasing: text[..<$0.lowerBound])) + 1 }
      }
    }
    try finish(searching)
    return .init(place ?? 0)
  }

  private func findInSet(_ what: String, _ list: String) throws(EvaluationError) -> SQLValue {
    try spend(list.utf8.count)
    if list.isEmpty || what.utf8.contains(0x2C) { return .init(0) }
    let parts = list.split(separator: ",", omittingEmptySubsequences: false)
    let place = parts.firstIndex { Collation.compare(what, String($0)) == 0 }
    return .init(place.map { $0 + 1 } ?? 0)
  }
}
