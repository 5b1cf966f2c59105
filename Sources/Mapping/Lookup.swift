import JSON
import Orders

/// A lookup in a collection: `_findCollection find <field> from <collection> where <k>=<v> [<k>=<v> …]`
/// (mapping-language.md §6.4) or `_mongoQuery <collection> findField=content.<field> where=<filter>` (§6.5).
struct Lookup: Sendable {
  /// What a record must be like.
  indirect enum Test: Sendable {
    case compare(field: String, LookupFilter.Comparison, [Template])
    case all([Test])
    case any([Test])
  }

  static let prefix = "_findCollection"
  static let queryPrefix = "_mongoQuery"
  /// Ends a lookup that stands in a formula.
  static let end = "_endFind"

  /// Whether a text holds a lookup, which would be sent as it stands.
  static func isMentioned(in text: String) -> Bool {
    text.contains("\(prefix) ") || text.contains("\(queryPrefix) ")
  }

  static let mention = Template.Malformed(
    sentence:
      "a lookup stands inside a text and would be sent as it stands; it begins a value, or stands in a formula without quotes and ends with \(end)"
  )

  let field: Path
  let collection: String
  /// Fields that must have these values; the collections' index answers them.
  let conditions: [(field: String, value: Template)]
  /// What must hold besides.
  let test: Test?
  /// What its conditions read, each once, in order.
  let operands: [Int]

  init(_ source: String, operands table: inout OperandTable) throws(Template.Malformed) {
    if source.hasPrefix(Self.queryPrefix) {
      let query = try MongoQuery(source, operands: &table)
      (field, collection, conditions, test) = (query.field, query.collection, query.conditions, query.test)
    } else {
      (field, collection, conditions) = try Self.find(source, &table)
      test = nil
    }
    var seen: Set<Int> = []
    let read = conditions.flatMap(\.value.operands) + (test.map(Self.operands) ?? [])
    operands = read.filter { seen.insert($0).inserted }
  }

  private static func find(
    _ source: String, _ table: inout OperandTable
  ) throws(Template.Malformed) -> (Path, String, [(field: String, value: Template)]) {
    let words = Self.words(source)
    guard words.count >= 7, words[0] == Self.prefix, words[1] == "find", words[3] == "from", words[5] == "where" else {
      throw Template.Malformed(
        sentence: "a lookup is written «_findCollection find FIELD from COLLECTION where KEY=VALUE»")
    }
    let field = Path(words[2])
    guard !field.segments.isEmpty else { throw Template.Malformed(sentence: "the lookup finds no field") }
    var conditions: [(field: String, value: Template)] = []
    for word in words[6...] {
      guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
        throw Template.Malformed(
          sentence: "«\(excerpt(word))» is no condition; write KEY=VALUE without spaces around =")
      }
      let value = unquoted(word[word.index(after: equals)...])
      conditions.append((String(word[..<equals]), try Template(value, operands: &table)))
    }
    return (field, String(words[4]), conditions)
  }

  /// Cut at spaces, except between the quotes of `KEY='A B'` and the braces of a placeholder.
  private static func words(_ source: String) -> [Substring] {
    var words: [Substring] = []
    var start = source.startIndex
    var closing: Character?
    for index in source.indices {
      let character = source[index]
      if character == closing {
        closing = nil
      } else if closing == nil, character == "{" {
        closing = "}"
      } else if closing == nil, character == "'" || character == "\"", index > start,
        source[source.index(before: index)] == "="
      {
        closing = character
      } else if closing == nil, character == " " {
        if index > start { words.append(source[start..<index]) }
        start = source.index(after: index)
      }
    }
    if start < source.endIndex { words.append(source[start...]) }
    return words
  }

  /// The quotes around a constant are not part of it.
  private static func unquoted(_ text: Substring) -> Substring {
    guard text.count > 1, let first = text.first, first == "'" || first == "\"", text.last == first else { return text }
    return text.dropFirst().dropLast()
  }

  private static func operands(of test: Test) -> [Int] {
    switch test {
    case .compare(_, _, let values): values.flatMap(\.operands)
    case .all(let tests), .any(let tests): tests.flatMap(operands)
    }
  }

  /// The fields of the order that it asks by.
  func asked(_ all: [Operand]) -> String {
    operands.isEmpty ? "a constant" : operands.map { all[$0].title }.joined(separator: ", ")
  }

  /// What a message calls it.
  func name(_ all: [Operand]) -> String { "\(field.text) from \(collection) by \(asked(all))" }

  /// The question, or nil when a value is empty: nothing is found under an empty key, and nothing is asked.
  func key(_ reader: OrderReader) throws(ValueError) -> LookupKey? {
    var filled: [LookupKey.Condition] = []
    for condition in conditions {
      guard let text = try Self.text(condition.value, reader) else { return nil }
      filled.append(LookupKey.Condition(field: condition.field, value: text))
    }
    guard let test else { return LookupKey(collection: collection, conditions: filled) }
    guard let filter = try Self.filter(test, reader) else { return nil }
    return LookupKey(collection: collection, conditions: filled, filter: filter)
  }

  /// A value of the order must not be empty; a constant may.
  private static func text(_ value: Template, _ reader: OrderReader) throws(ValueError) -> String? {
    let text = try value.text(reader)
    return text.isEmpty && value.literal == nil ? nil : text
  }

  private static func filter(_ test: Test, _ reader: OrderReader) throws(ValueError) -> LookupFilter? {
    switch test {
    case .compare(let field, let comparison, let templates):
      var values: [String] = []
      for template in templates {
        guard let text = try text(template, reader) else { return nil }
        values.append(text)
      }
      return .compare(field: field, comparison, values: values)
    case .all(let tests): return try filters(tests, reader).map { .all($0) }
    case .any(let tests): return try filters(tests, reader).map { .any($0) }
    }
  }

  private static func filters(_ tests: [Test], _ reader: OrderReader) throws(ValueError) -> [LookupFilter]? {
    var filters: [LookupFilter] = []
    for test in tests {
      guard let filter = try filter(test, reader) else { return nil }
      filters.append(filter)
    }
    return filters
  }
}
