import Expressions
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
  /// K/3's decimals of a formula's field that names none itself. As `decimals`, but a number that fits keeps its zeros.
  var usualDecimals: Int?
  /// The decimals that the field has at most.
  var finalDecimals: Int? { decimals ?? usualDecimals }
  /// The value must fit into `decimals` as the source has it: instead of being rounded it parks the order. For quantities
  /// and amounts that nobody computed.
  var isExact = false
  /// A number below this parks the order (vendor-apis.md C.2: negative costs).
  var minimum: ExactDecimal?
  /// Decimals of a division: exact, or those that MySQL keeps (100/3 is 33.3333 there).
  var division = EvaluationSettings.Division.exact
  /// The clock that moments are written by.
  var zone = Zone()
  /// A failure becomes what the platform makes of it (mapping-language.md §6.1): a formula that fails its own text with
  /// the values filled in, a value that does not fit its type its text, a lookup without a match nothing.
  var isOriginal = false
  /// The field must have a value; the reason when it has none.
  var missing: MappingFailure.Code?
  /// Static mapping table.
  var table: [String: String]?
  var miss = Miss.fail
  var fallback: String?
  /// The field is the number of its row, from 1.
  var isRowNumber = false
  /// A lookup may find nothing: the field is then `default`, or left out.
  var isOptional = false

  /// Whether a division keeps 24 decimals.
  var isDivisionExact: Bool { division == .exact }

  /// Whether there is no rule at all.
  var isNone: Bool {
    decimals == nil && minimum == nil && missing == nil && table == nil && !isOptional && !isRowNumber
  }

  static let none = FieldRules()

  init() {}

  /// No rules but those of the target.
  init(_ defaults: FieldDefaults) {
    division = defaults.division
    isOriginal = defaults.isOriginal
    zone = defaults.zone
  }

  /// Reads the rules.
  /// - Parameters:
  ///   - isScalar: whether the field has a value of its own; only then can it be rounded or looked up in a table.
  ///   - field: its name, by which K/3's decimals are known.
  ///   - defaults: what the target says of all its fields.
  ///   - report: takes a sentence for each problem.
  init(_ value: JSONValue, isScalar: Bool, of field: String, _ defaults: FieldDefaults, report: (String) -> Void) {
    self.init(defaults)
    if value.kind != .object { report("must be an object") }
    for (key, entry) in value.members {
      switch key {
      case "missing":
        let codes = MappingFailure.Code.allCases.filter { ![.noStrategy, .strategyClash, .periodClosed].contains($0) }
        missing = codes.first { $0.rawValue == entry.string }
        if missing == nil {
          let known = codes.map(\.rawValue).joined(separator: ", ")
          report("missing is one of \(known)")
        }
      case "decimals", "exact", "minimum", "table", "miss", "default", "division", "original", "row":
        if isScalar {
          read(key, entry, defaults.classes, report)
        } else {
          report("«\(key)» is only for fields with a value")
        }
      case "optional":
        isOptional = entry.bool ?? false
        if entry.bool == nil || !isScalar { report("optional is true or false, of a field with a lookup") }
      default:
        let known = "decimals, exact, minimum, missing, table, miss, default, optional, division, original, row"
        report("«\(excerpt(key))» is unknown; known are \(known)")
      }
    }
    if isExact, decimals == nil {
      decimals = defaults.isBill ? defaults.classes.usual(of: field)?.decimals : nil
      if decimals == nil { report("exact needs decimals") }
    }
    let hasTable = table != nil || value["table"] != nil
    if !hasTable, value["miss"] != nil || (value["default"] != nil && !isOptional) {
      report("miss and default need a table")
    }
    if miss == .default, fallback == nil { report("miss is default, but there is no «default»") }
  }

  private mutating func read(
    _ key: String, _ entry: JSONValue, _ classes: DecimalClasses, _ report: (String) -> Void
  ) {
    switch key {
    case "decimals":
      decimals = classes.decimals(entry)
      if decimals == nil {
        report(DecimalClasses.sentence)
        // The strategy is refused; that the field names none is not to be told besides.
        decimals = 0
      }
    case "exact":
      isExact = entry.bool ?? false
      if entry.bool == nil { report("exact is true or false") }
    case "minimum":
      minimum = entry.text.flatMap { ExactDecimal($0) }
      if minimum == nil { report("minimum is a number") }
    case "division":
      if let named = FieldDefaults.division(entry) { division = named } else { report(FieldDefaults.divisionSentence) }
    case "original":
      isOriginal = entry.bool ?? false
      if entry.bool == nil { report("original is true or false") }
    case "row":
      isRowNumber = entry.bool ?? false
      if entry.bool == nil { report("row is true or false") }
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
