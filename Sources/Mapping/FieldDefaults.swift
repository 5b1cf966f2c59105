import Expressions
import JSON

/// What a target's `ferry` says of all its fields.
struct FieldDefaults: Sendable {
  /// How many decimals K/3 keeps of a kind of number.
  var classes = DecimalClasses()
  /// The target is a bill for K/3: formulas of its prices, quantities and amounts are rounded to K/3's decimals.
  var isBill = false
  /// The clock that moments are written by.
  var zone = Zone()
  /// Decimals of a division; a field may say otherwise.
  var division = EvaluationSettings.Division.exact
  /// Whether failures become what the platform makes of them; a field may say otherwise.
  var isOriginal = false

  /// The house's.
  init() {}

  /// The house's, and what a target's `ferry` changes.
  init(_ own: JSONValue?, _ problems: inout ProblemList) {
    classes = DecimalClasses(own, &problems)
    if let value = own?["division"] {
      if let named = Self.division(value) {
        division = named
      } else {
        problems.report(Self.divisionSentence, at: "ferry.division", value)
      }
    }
    if let value = own?["zone"] {
      if let named = Zone(value) {
        zone = named
      } else {
        problems.report(Zone.sentence, at: "ferry.zone", value)
      }
    }
    if let value = own?["original"] {
      isOriginal = value.bool ?? false
      if value.bool == nil { problems.report("original is true or false", at: "ferry.original", value) }
    }
  }

  /// `exact` or `mysql`.
  static func division(_ value: JSONValue) -> EvaluationSettings.Division? {
    switch value.string {
    case "exact": .exact
    case "mysql": .mysql
    default: nil
    }
  }

  static let divisionSentence = "division is exact or mysql"
}
