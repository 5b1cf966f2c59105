import JSON
import Orders

/// `_mongoQuery <collection> findField=content.<field> where=<MongoDB filter>` (mapping-language.md §6.5).
///
/// The filter is read as JSON before any value is filled in: no value of an order can turn into an operator.
struct MongoQuery {
  let field: Path
  let collection: String
  private(set) var conditions: [(field: String, value: Template)] = []
  private(set) var test: Lookup.Test?

  private static let form = "a query is written «_mongoQuery COLLECTION findField=content.FIELD where={…}»"

  init(_ source: String, operands: inout OperandTable) throws(Template.Malformed) {
    let words = source.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
    guard words.count == 4, words[0] == Lookup.queryPrefix, words[2].hasPrefix("findField="),
      words[3].hasPrefix("where=")
    else { throw Template.Malformed(sentence: Self.form) }
    collection = String(words[1])
    field = Path(try Self.content(words[2].dropFirst("findField=".count)))
    guard !field.segments.isEmpty else { throw Template.Malformed(sentence: "the query finds no field") }
    let text = Array(Self.quotingPlaceholders(words[3].dropFirst("where=".count)).utf8)
    let filter: JSONValue
    do throws(JSONError) { filter = try JSONDocument(text).root } catch {
      throw Template.Malformed(sentence: "the query's filter is not JSON: \(error.kind.rawValue)")
    }
    var tests: [Lookup.Test] = []
    for test in try Self.tests(filter, &operands) {
      // What is equality goes to the collections' index.
      if case .compare(let field, .equal, let values) = test, let value = values.first {
        conditions.append((field, value))
      } else {
        tests.append(test)
      }
    }
    if !tests.isEmpty { test = tests.count == 1 ? tests[0] : .all(tests) }
  }

  /// Ferry keeps of a record what the source sent, which the platform calls its content.
  private static func content(_ path: Substring) throws(Template.Malformed) -> String {
    let prefix = "content."
    guard path.hasPrefix(prefix), path.count > prefix.count else {
      throw Template.Malformed(
        sentence: "«\(excerpt(path))» is not kept; write content.FIELD, since Ferry keeps a record's content alone")
    }
    return String(path.dropFirst(prefix.count))
  }

  /// A placeholder outside quotes is no JSON; in quotes it is a text that is read as a placeholder later.
  private static func quotingPlaceholders(_ text: Substring) -> String {
    var result = ""
    var isQuoted = false
    var rest = text
    while let character = rest.first {
      if !isQuoted, character == "{", let end = placeholderEnd(rest) {
        result += "\"\(rest[..<end])\""
        rest = rest[end...]
        continue
      }
      if character == "\\" {
        result += rest.prefix(2)
        rest = rest.dropFirst(2)
        continue
      }
      if character == "\"" { isQuoted.toggle() }
      result.append(character)
      rest = rest.dropFirst()
    }
    return result
  }

  /// The end of a placeholder at the text's start: `{{x}}` or `{x}`, while an object goes on with a quote, a space or its
  /// end.
  private static func placeholderEnd(_ text: Substring) -> String.Index? {
    let braces = text.prefix(3).prefix { $0 == "{" }.count
    let after = text.dropFirst(braces)
    guard braces <= 2, let next = after.first, next != "\"", next != "}", !next.isWhitespace,
      let closing = after.prefix(200).firstIndex(of: "}")
    else { return nil }
    return text.index(closing, offsetBy: braces, limitedBy: text.endIndex)
  }

  private static func tests(
    _ filter: JSONValue, _ operands: inout OperandTable
  ) throws(Template.Malformed) -> [Lookup.Test] {
    guard filter.kind == .object, filter.count > 0 else {
      throw Template.Malformed(sentence: "the query's filter is an object with a member")
    }
    var tests: [Lookup.Test] = []
    for (key, value) in filter.members {
      switch key {
      case "$and":
        for part in try list(value, of: key) { tests += try Self.tests(part, &operands) }
      case "$or":
        var parts: [Lookup.Test] = []
        for part in try list(value, of: key) { parts.append(.all(try Self.tests(part, &operands))) }
        tests.append(.any(parts))
      default:
        guard !key.hasPrefix("$") else { throw unknown(key) }
        tests += try comparisons(content(key[...]), value, &operands)
      }
    }
    return tests
  }

  private static func comparisons(
    _ field: String, _ value: JSONValue, _ operands: inout OperandTable
  ) throws(Template.Malformed) -> [Lookup.Test] {
    guard value.kind == .object else { return [.compare(field: field, .equal, [try text(value, &operands)])] }
    var tests: [Lookup.Test] = []
    for (key, value) in value.members {
      guard let comparison = LookupFilter.Comparison(rawValue: key) else { throw unknown(key) }
      var values: [Template] = []
      if comparison == .oneOf {
        for element in try list(value, of: key) { values.append(try text(element, &operands)) }
      } else {
        values = [try text(value, &operands)]
      }
      tests.append(.compare(field: field, comparison, values))
    }
    return tests
  }

  private static func unknown(_ name: String) -> Template.Malformed {
    let known = LookupFilter.Comparison.allCases.map(\.rawValue).joined(separator: ", ")
    return Template.Malformed(
      sentence: "the query's operator «\(excerpt(name))» is unknown; known are \(known), $and, $or")
  }

  private static func list(_ value: JSONValue, of key: String) throws(Template.Malformed) -> [JSONValue] {
    guard value.kind == .array, value.count > 0 else {
      throw Template.Malformed(sentence: "the query's «\(key)» is a list with an element")
    }
    return Array(value.elements)
  }

  private static func text(
    _ value: JSONValue, _ operands: inout OperandTable
  ) throws(Template.Malformed) -> Template {
    if let text = value.string { return try Template(text, operands: &operands) }
    guard let text = value.numberText ?? value.bool.map({ $0 ? "true" : "false" }) else {
      throw Template.Malformed(sentence: "the query compares with a text, a number or a boolean")
    }
    return try Template(text, operands: &operands)
  }
}
