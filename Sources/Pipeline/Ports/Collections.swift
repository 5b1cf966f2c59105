public import JSON
public import Orders

/// Records that lookups read.
public protocol Collections: Sendable {
  /// The record each question finds (of several the one with the smallest id), or nil, in order.
  func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [JSONDocument?]
  /// Stores records; one with a known id replaces the former.
  func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure)
}
