import JSON

/// Ferry's own additions to a descriptor, below its key `ferry`, which the platform's language does not know.
struct FieldRules: Sendable {
  /// What a value that is not in the table becomes.
  enum Miss: String, Sendable {
    /// The order is parked (`value_unmapped`).
    case fail
    /// The value stays as it is.
    case keep
    /// `default` is taken.
    case `default`
  }

  /// Most decimals; rounded half away from zero. K/3's own: price 6, quantity 4, amount 2 (vendor-apis.md A-18).
  var decimals: Int?
  /// The value must fit into `decimals` as the source has it: instead of being rounded it parks the order. For quantities
  /// and amounts that nobody computed.
  var isExact = false
  /// The field must have a value; the reason when it has none.
  var missing: MappingFailure.Code?
  /// Static mapping table.
  var table: [String: String]?
  var miss = Miss.fail
  var fallback: String?
  /// A lookup may find nothing: the field is then `default`, or left out.
  var isOptional = false

  /// Whether there is no rule at all.
  var isNone: Bool { decimals == nil && missing == nil && table == nil && !isOptional }

  static let none = FieldRules()

  init() {}

  /// Reads the rules.
  /// - Parameters:
  ///   - isScalar: whether the field has a value of its own; only then can it be rounded or looked up in a table.
  ///   - report: takes a sentence for each problem.
  init(_ value: JSONValue, isScalar: Bool, report: (String) -> Void) {
    if value.kind != .object { report("must be an object") }
    for (key, entry) in value.members {
      switch key {
      case "missing":
        missing = entry.string.flatMap(MappingFailure.Code.init(rawValue:))
        if missing == nil {
          let known = MappingFailure.Code.allCases.map(\.rawValue).joined(separator: ", ")
          report("missing is one of \(known)")
        }
      case "decimals", "exact", "table", "miss", "default":
        if isScalar { read(key, entry, report) } else { report("«\(key)» is only for fields with a value") }
      case "optional":
        isOptional = entry.bool ?? false
        if entry.bool == nil || !isScalar { report("optional is true or false, of a field with a lookup") }
      default:
        let known = "decimals, exact, missing, table, miss, default, optional"
        report("«\(excerpt(key))» is unknown; known are \(known)")
      }
    }
    if isExact, decimals == nil, value["decimals"] == nil { report("exact needs decimals") }
    let hasTable = table != nil || value["table"] != nil
    if !hasTable, value["miss"] != nil || (value["default"] != nil && !isOptional) {
      report("miss and default need a table")
    }
    if miss == .default, fallback == nil { report("miss is default, but there is no «default»") }
  }

  private mutating func read(_ key: String, _ entry: JSONValue, _ report: (String) -> Void) {
    switch key {
    case "decimals":
      decimals = entry.int64.flatMap { (0...20).contains($0) ? Int($0) : nil }
      if decimals == nil { report("decimals is a whole number from 0 to 20") }
    case "exact":
      isExact = entry.bool ?? false
      if entry.bool == nil { report("exact is true or false") }
    case "table":
      table = Dictionary(entry.members.map { ($0.key, $0.value.text ?? "") }, uniquingKeysWith: { $1 })
      if entry.kind != .object || entry.members.contains(where: { $0.value.text == nil }) {
        report("table is an object whose values are texts")
      }
    case "miss":
      if let known = entry.string.flatMap(Miss.init(rawValue:)) {
        miss = known
      } else {
        report("miss is fail, keep or default")
      }
    default:
      fallback = entry.text
      if fallback == nil { report("default is a text") }
    }
  }
}
