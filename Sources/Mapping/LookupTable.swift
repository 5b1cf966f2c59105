public import JSON
public import Orders

/// Records that the mapper's lookups found, gathered before it runs: the mapping itself does no I/O.
public struct LookupTable: Sendable {
  private let records: [LookupKey: JSONDocument]
  /// Why, of those that nobody can answer.
  private let unanswered: [LookupKey: String]

  /// A table of what was found; a key without a record found nothing.
  public init(_ records: [LookupKey: JSONDocument] = [:]) {
    self.records = records
    unanswered = [:]
  }

  /// A table of what questions came to.
  public init(_ keys: some Sequence<LookupKey>, answers: some Sequence<LookupAnswer>) {
    var records: [LookupKey: JSONDocument] = [:]
    var unanswered: [LookupKey: String] = [:]
    for (key, answer) in zip(keys, answers) {
      switch answer {
      case .found(let record): records[key] = record
      case .nothing: break
      case .unanswered(let why): unanswered[key] = why
      }
    }
    self.records = records
    self.unanswered = unanswered
  }

  func value(_ lookup: Lookup, _ reader: OrderReader) throws(ValueError) -> Value {
    guard let key = try lookup.key(reader) else { return .nothing }
    // Not the same as no record: neither a default nor IFNULL may stand in.
    if let why = unanswered[key] { throw .unanswered("\(lookup.collection) cannot be asked: \(why)") }
    guard let record = records[key] else { return .nothing }
    // A flattened record has dots in its keys, another one objects on the way.
    if lookup.field.segments.count > 1, let found = record.root[lookup.field.text] {
      return try Value(found, name: lookup.field.text)
    }
    var value = record.root
    for segment in lookup.field.segments {
      guard let member = value[segment] else { return .nothing }
      value = member
    }
    return try Value(value, name: lookup.field.text)
  }

  func hasRecord(_ lookup: Lookup, _ reader: OrderReader) throws(ValueError) -> Bool {
    try lookup.key(reader).map { records[$0] != nil } ?? false
  }

  /// Why a lookup has no value: for the operator a customer who has not come yet is another matter than one without a
  /// number.
  func miss(_ lookup: Lookup, asked: String, _ reader: OrderReader) -> LookupMiss {
    guard let key = try? lookup.key(reader) else { return LookupMiss(cause: .key, sentence: "\(asked) is empty") }
    return records[key] == nil
      ? LookupMiss(cause: .record, sentence: "\(lookup.collection) has no record by \(asked)")
      : LookupMiss(
        cause: .field, sentence: "\(lookup.field.text) is empty in the record of \(lookup.collection) by \(asked)")
  }
}

/// A lookup without a value.
struct LookupMiss {
  enum Cause {
    /// What it asks by is empty in the order.
    case key
    /// There is no such record.
    case record
    /// The record does not have the field.
    case field
  }

  let cause: Cause
  let sentence: String

  /// The reason, given the field's own. That a field must have a value says nothing of why a lookup has none.
  func code(_ own: MappingFailure.Code?) -> MappingFailure.Code {
    guard let own, own != .fieldMissing || cause == .key else { return .lookupFailed }
    return own
  }

  /// What mends it; nil: what mends the reason.
  func remedy(_ code: MappingFailure.Code) -> String? {
    switch cause {
    case .key: "Fill the field in OKKI, or declare the lookup optional."
    case .record: nil
    // A customer's or material's number has a place of its own.
    case .field where code == .lookupFailed:
      "Fill the field in the record of the collection, or declare the lookup optional; then replay the order."
    case .field: nil
    }
  }
}
