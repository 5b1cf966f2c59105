public import Orders

/// Records that lookups read.
public protocol Collections: Sendable {
  /// What each question comes to, in order. A question without a condition and without a filter finds nothing.
  func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer]
  /// Stores records; one with a known id replaces the former.
  func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure)
}
