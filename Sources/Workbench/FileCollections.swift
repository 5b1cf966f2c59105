public import JSON
public import Mapping
public import Orders
import PCRE2

/// Collections from files: one JSON array of records per collection.
public struct FileCollections: Sendable {
  private var records: [String: [JSONDocument]] = [:]

  /// No collections.
  public init() {}

  /// Every `*.json` of a folder; a file's name is its collection's.
  /// - Throws: `UnusableFile` for a folder or file that cannot be read, or that is no array of objects.
  public init(folder: String) throws(UnusableFile) {
    guard let names = Files.names(in: folder) else { throw UnusableFile("\(folder) is not a folder that can be read") }
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

  /// The records that answer these questions: of several the first.
  public func answers(to keys: [LookupKey]) -> LookupTable {
    var found: [LookupKey: JSONDocument] = [:]
    for key in keys { found[key] = records[key.collection]?.first { Self.answers($0.root, key) } }
    return LookupTable(found)
  }

  private static func answers(_ record: JSONValue, _ key: LookupKey) -> Bool {
    let equal = key.conditions.map { LookupFilter.compare(field: $0.field, .equal, values: [$0.value]) }
    return LookupFilter.all(equal + [key.filter].compactMap { $0 }).holds(for: record, finds: finds)
  }

  /// A pattern that is none finds nothing.
  private static func finds(_ pattern: String, _ text: String) -> Bool {
    guard let pattern = try? Pattern(pattern, ignoresCase: false) else { return false }
    var text = text
    return text.withUTF8 { bytes in
      if case .found = unsafe pattern.firstMatch(in: bytes) { true } else { false }
    }
  }
}
