import Orders

/// Which entries of the index can lead to a question's answer.
enum LookupProbes {
  /// A question with more of them is answered by reading the collection.
  private static let most = 1_000

  /// Equalities, each list of which all must hold; the answer is among the records of one list at least. Nil when the
  /// index does not help.
  static func of(_ key: LookupKey) -> [[LookupKey.Condition]]? {
    if let filter = key.filter, let ways = ways(filter) { return ways.map { key.conditions + $0 } }
    return key.conditions.isEmpty ? nil : [key.conditions]
  }

  private static func ways(_ filter: LookupFilter) -> [[LookupKey.Condition]]? {
    switch filter {
    case .compare(let field, .equal, let values):
      return values.prefix(1).map { [LookupKey.Condition(field: field, value: $0)] }
    case .compare(let field, .oneOf, let values):
      let values = Set(values)
      return values.count > most ? nil : values.map { [LookupKey.Condition(field: field, value: $0)] }
    case .compare: return nil
    case .all(let parts): return all(parts)
    case .any(let parts):
      var found: [[LookupKey.Condition]] = []
      for part in parts {
        guard let ways = ways(part), found.count + ways.count <= most else { return nil }
        found += ways
      }
      return found
    }
  }

  /// What has one way only is asked together; of several with more, the one with the fewest is enough.
  private static func all(_ parts: [LookupFilter]) -> [[LookupKey.Condition]]? {
    var fixed: [LookupKey.Condition] = []
    var fewest: [[LookupKey.Condition]]?
    for part in parts {
      guard let ways = ways(part) else { continue }
      if ways.count == 1 { fixed += ways[0] } else if ways.count < fewest?.count ?? .max { fewest = ways }
    }
    if let fewest { return fewest.map { fixed + $0 } }
    return fixed.isEmpty ? nil : [fixed]
  }
}
