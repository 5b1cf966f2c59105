import JSON
import Orders

/// A record as its index sees it.
enum IndexedRecord {
  /// How `fields` is made: 1 held the scalars of the record itself, 2 also those of objects in it, and truth values.
  /// A record of an older layout is brought up to date by `ferry migrate`.
  static let layout: Int64 = 2
  /// Fields of a record that can be asked for; those behind are kept but not found.
  private static let fieldsPerRecord = 1_000

  /// The index's entries of a record, as a text of PostgreSQL's `bigint[]`. What is no JSON object has none.
  static func entries(of content: [UInt8], in collection: String) -> String {
    guard let document = document(content) else { return "{}" }
    var prints: Set<Int64> = []
    RecordFields.forEach(of: document.root, limit: fieldsPerRecord) { field, text in
      prints.insert(print(collection, field, text))
    }
    return arrayText(prints.sorted())
  }

  /// The entries that a record with these fields has.
  static func entries(asked conditions: [LookupKey.Condition], in collection: String) -> String {
    arrayText(conditions.map { print(collection, $0.field, $0.value) })
  }

  /// A record's object; nil when it is none.
  static func document(_ content: [UInt8]) -> JSONDocument? {
    do throws(JSONError) {
      let document = try JSONDocument(content)
      return document.root.kind == .object ? document : nil
    } catch {
      return nil
    }
  }

  private static func arrayText(_ values: [Int64]) -> String {
    "{" + values.map { String($0) }.joined(separator: ",") + "}"
  }

  /// The entry for a field with a value.
  private static func print(_ collection: String, _ field: String, _ value: String) -> Int64 {
    // 0xFF never stands in UTF-8, so that the parts cannot run into each other.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(collection.utf8.count + field.utf8.count + value.utf8.count + 2)
    bytes.append(contentsOf: collection.utf8)
    bytes.append(0xff)
    bytes.append(contentsOf: field.utf8)
    bytes.append(0xff)
    bytes.append(contentsOf: value.utf8)
    return fingerprint(bytes)
  }
}
