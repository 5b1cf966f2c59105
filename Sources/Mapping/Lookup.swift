public import JSON
public import Orders

/// `_findCollection find <field> from <collection> where <k>=<v> [<k>=<v> …]` (mapping-language.md §6.4).
struct Lookup: Sendable {
  let field: Path
  let collection: String
  let conditions: [(field: String, value: Template)]

  static let prefix = "_findCollection"

  init(_ source: String) throws(Template.Malformed) {
    let words = source.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count >= 7, words[0] == Self.prefix, words[1] == "find", words[3] == "from", words[5] == "where" else {
      throw Template.Malformed(
        sentence: "a lookup is written «_findCollection find FIELD from COLLECTION where KEY=VALUE»")
    }
    field = Path(words[2])
    guard !field.segments.isEmpty else { throw Template.Malformed(sentence: "the lookup finds no field") }
    collection = String(words[4])
    var conditions: [(field: String, value: Template)] = []
    for word in words[6...] {
      guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
        throw Template.Malformed(
          sentence: "«\(excerpt(word))» is no condition; write KEY=VALUE without spaces around =")
      }
      conditions.append((String(word[..<equals]), try Template(word[word.index(after: equals)...])))
    }
    self.conditions = conditions
  }

  /// The fields of the order that it asks by.
  var source: String {
    let paths = conditions.flatMap(\.value.paths)
    return paths.isEmpty ? "a constant" : paths.map(\.text).joined(separator: ", ")
  }

  /// The question, or nil when a value is empty: nothing is found under an empty key, and nothing is asked.
  func key(in scope: Scope) throws(ValueError) -> LookupKey? {
    var filled: [LookupKey.Condition] = []
    for condition in conditions {
      let text = try condition.value.text(in: scope)
      if text.isEmpty { return nil }
      filled.append(LookupKey.Condition(field: condition.field, value: text))
    }
    return LookupKey(collection: collection, conditions: filled)
  }
}

/// Records that the mapper's lookups found, gathered before it runs: the mapping itself does no I/O.
public struct LookupTable: Sendable {
  private let records: [LookupKey: JSONDocument]

  /// A table of what was found; a key without a record found nothing.
  public init(_ records: [LookupKey: JSONDocument] = [:]) { self.records = records }

  func value(_ lookup: Lookup, in scope: Scope) throws(ValueError) -> Value {
    guard let record = try record(lookup, in: scope) else { return .nothing }
    var value = record
    for segment in lookup.field.segments {
      guard let member = value[segment] else { return .nothing }
      value = member
    }
    return try Value(value, path: lookup.field)
  }

  private func record(_ lookup: Lookup, in scope: Scope) throws(ValueError) -> JSONValue? {
    guard let key = try lookup.key(in: scope) else { return nil }
    return records[key]?.root
  }

  /// Why a lookup has no value: for the operator a customer who has not come yet is another matter than one without a
  /// number.
  func reason(_ lookup: Lookup, in scope: Scope) -> String {
    guard let key = try? lookup.key(in: scope) else { return "\(lookup.source) is empty" }
    return records[key] == nil
      ? "\(lookup.collection) has no record by \(lookup.source)"
      : "\(lookup.field.text) is empty in the record of \(lookup.collection) by \(lookup.source)"
  }
}
