public import JSON
public import Mapping
public import Orders
import PCRE2

/// Collections from files: one JSON array of records per collection.
public struct FileCollections: Sendable {
  private var records: [String: [JSONDocument]] = [:]
  /// Where a collection's file must be; nil where collections are given otherwise, and one that is not is empty.
  private var folder: String?

  /// No collections.
  public init() {}

  /// Every `*.json` of a folder; a file's name is its collection's. A collection without a file is not empty but unknown.
  /// - Throws: `UnusableFile` for a folder or file that cannot be read, or that is no array of objects.
  public init(folder: String) throws(UnusableFile) {
    guard let names = Files.names(in: folder) else { throw UnusableFile("\(folder) is not a folder that can be read") }
    self.folder = folder
    for name in names where name.hasSuffix(".json") {
      let array = try Files.json("\(folder)/\(name)")
      try add(array.root, as: String(name.dropLast(5)), "\(folder)/\(name)")
    }
  }

  /// Adds a collection.
  /// - Parameter place: what a message calls it.
  /// - Throws: `UnusableFile` when it is no array of objects.
  public mutating func add(_ array: JSONValue, as collection: String, _ place: String) throws(UnusableFile) {
    var documents: [JSONDocument] = []
    for element in array.elements where element.kind == .object {
      if let document = try? JSONDocument(Array(element.rawBytes)) { documents.append(document) }
    }
    guard array.kind == .array, documents.count == array.count else {
      throw UnusableFile("\(place) is not a JSON array of objects")
    }
    records[collection] = documents
  }

  /// What these questions come to: of several records the first.
  public func answers(to keys: [LookupKey]) -> LookupTable {
    var search = PatternSearch()
    return LookupTable(keys, answers: keys.map { answer(to: $0, &search) })
  }

  private func answer(to key: LookupKey, _ search: inout PatternSearch) -> LookupAnswer {
    let records = records[key.collection]
    if records == nil, let folder {
      return .unanswered("\(folder) has no file \(key.collection).json, so nobody knows what is in the collection")
    }
    do throws(PatternTrouble) {
      for record in records ?? [] {
        let isAnswer = try key.isAnswered(by: record.root) { (pattern, text) throws(PatternTrouble) in
          try search.finds(pattern, in: text)
        }
        if isAnswer { return .found(record) }
      }
      return .nothing
    } catch {
      return .unanswered(error.sentence)
    }
  }
}
