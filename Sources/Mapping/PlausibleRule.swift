import JSON

/// A sum that the bill works out must be near one that the order states, such as the amount in the base currency and
/// OKKI's `amount_rmb` (vendor-apis.md C.2): a wrong rate would otherwise go through. A class, as all rules: each order
/// reads them.
final class PlausibleRule: Sendable {
  /// The field of the bill whose values are added up.
  let sum: Path
  /// A field of the bill that each of its values is multiplied by, such as the rate of its currency; nil: none.
  let times: Path?
  /// The order's own figure, an operand of the order. Nothing is compared where it is empty or 0.
  let source: Int
  /// Both are compared without their signs: a return takes back what the order states.
  let hasAnySign: Bool
  /// Largest difference that is let through, 0 or more…
  let tolerance: ExactDecimal
  /// …and this part of the order's figure.
  let relative: ExactDecimal

  private static let known = ["sum", "times", "source", "sign", "tolerance", "relative"]

  private init(
    sum: Path, times: Path?, source: Int, hasAnySign: Bool, tolerance: ExactDecimal, relative: ExactDecimal
  ) {
    self.sum = sum
    self.times = times
    self.source = source
    self.hasAnySign = hasAnySign
    self.tolerance = tolerance
    self.relative = relative
  }

  /// Reads one rule or a list of them.
  static func read(
    _ value: JSONValue, _ request: JSONValue, _ order: inout OperandTable, _ known: KnownData,
    _ problems: inout ProblemList
  ) -> [PlausibleRule] {
    var rules: [PlausibleRule] = []
    for (rule, place) in RuleList.of(value, "ferry.plausible") where !RangeRule.isMeant(by: rule) {
      RuleList.refuseUnknown(rule, Self.known, place, &problems)
      let (sum, source) = (Path(rule["sum"]?.string ?? ""), Path(rule["source"]?.string ?? ""))
      let tolerance = rule["tolerance"].map { RuleList.positive($0) } ?? .zero
      let relative = rule["relative"].map { RuleList.positive($0) } ?? .zero
      guard !sum.segments.isEmpty, !source.segments.isEmpty, let tolerance, let relative,
        rule["tolerance"] != nil || rule["relative"] != nil
      else {
        problems.report(
          "needs «sum», «source», and a «tolerance» or «relative» of 0 or more; or «field» with bounds", at: place, rule
        )
        continue
      }
      let times = rule["times"].map { Path($0.string ?? "") }
      for (name, path) in [("sum", sum), ("times", times)] {
        guard let path, request.kind == .array else { continue }
        let found = RequestField.find(path, in: request)
        if !(found.map { RequestField.isScalar($0.descriptor) } ?? false) {
          problems.report("names no field of the request that has a value", at: "\(place).\(name)", rule[name])
        } else if name == "times", found?.isInRows == true {
          problems.report(
            "is a field of rows; a sum is multiplied by one field of its bill", at: "\(place).times", rule)
        }
      }
      if let sign = rule["sign"], !["same", "any"].contains(sign.string) {
        problems.report("sign is same or any", at: "\(place).sign", sign)
      }
      known.check([source], inside: [], isRequired: true, at: "\(place).source", rule["source"], &problems)
      rules.append(
        PlausibleRule(
          sum: sum, times: times, source: order.field(source), hasAnySign: rule["sign"]?.string == "any",
          tolerance: tolerance, relative: relative))
    }
    return rules
  }
}

extension MappingRun {
  /// Holds the bill's sum against the order's own figure. The documents are all those of one order.
  mutating func check(_ rule: PlausibleRule, in documents: [[JSONMember]]) {
    check(rule) { () throws(ValueError) in try Self.sum(of: rule.sum, times: rule.times, in: documents) }
  }

  /// - Parameter sum: what the bill comes to.
  mutating func check(_ rule: PlausibleRule, _ sum: () throws(ValueError) -> ExactDecimal) {
    let name = whole.name(of: rule.source)
    do throws(ValueError) {
      let stated: Value = try whole.value(of: rule.source)
      if stated.isBlank { return }
      guard var figure = stated.number else { throw .unfit(name, wanted: "a number", kind: stated.kind) }
      if figure.isZero { return }
      var sum = try sum()
      if rule.hasAnySign { (sum, figure) = (sum.magnitude, figure.magnitude) }
      do throws(ArithmeticError) {
        let allowed = try rule.tolerance.adding(figure.magnitude.multiplied(by: rule.relative))
        if try sum.subtracting(figure).magnitude <= allowed { return }
      } catch { throw .overflow(rule.sum.text) }
      fail(.amountMismatch, { rule.sum.text }, "the sum of \(rule.sum.text) is not near \(name)", [name])
    } catch { fail(error.code, { rule.sum.text }, error.sentence, [name]) }
  }

  /// Holds the bill's amounts against the order's; the documents are all those of one order.
  mutating func check(_ rule: AmountRule, bill field: Path, in documents: [[JSONMember]]) {
    check(rule, bill: field) { () throws(ValueError) in try Self.sum(of: field, in: documents) }
  }

  /// - Parameter sum: what the bill comes to.
  mutating func check(_ rule: AmountRule, bill field: Path, _ sum: () throws(ValueError) -> ExactDecimal) {
    let name = whole.name(of: rule.order)
    do throws(ValueError) {
      let stated = try whole === reader ? self.stated(rule) : MappingRun(whole).stated(rule)
      let sum = try sum()
      do throws(ArithmeticError) {
        if try sum.magnitude.subtracting(stated.magnitude).magnitude <= rule.tolerance { return }
      } catch { throw .overflow(field.text) }
      fail(.amountMismatch, { field.text }, "the sum of \(field.text) is not \(name), whatever its sign", [name])
    } catch { fail(error.code, { field.text }, error.sentence, [name]) }
  }

  private static func sum(
    of path: Path, times factor: Path? = nil, in documents: [[JSONMember]]
  ) throws(ValueError) -> ExactDecimal {
    var sum = ExactDecimal.zero
    let name = path.text
    for document in documents {
      let times = try factor.map { path throws(ValueError) in try Self.factor(path, in: document) }
      try TargetField.values(path.segments, in: document) { value throws(ValueError) in
        let number = try TargetField.number(value, name) ?? .zero
        do throws(ArithmeticError) {
          if let times { sum = try sum.adding(number.multiplied(by: times)) } else { sum = try sum.adding(number) }
        } catch {
          throw .overflow(name)
        }
      }
    }
    return sum
  }

  /// The one value of a field of a bill.
  private static func factor(_ path: Path, in document: [JSONMember]) throws(ValueError) -> ExactDecimal {
    var found: JSONTree?
    TargetField.forEach(path.segments[...], in: document) { value, _ in found = found ?? value }
    guard let number = try TargetField.number(found, path.text) else { throw .empty(path.text) }
    return number
  }
}

/// What rules of `ferry` that may be given one by one or as a list have in common.
enum RuleList {
  /// The rules with their places.
  static func of(_ value: JSONValue, _ place: String) -> [(JSONValue, String)] {
    guard value.kind == .array else { return [(value, place)] }
    return value.elements.enumerated().map { ($0.element, "\(place)[\($0.offset)]") }
  }

  static func refuseUnknown(
    _ rule: JSONValue, _ known: [String], _ place: String, _ problems: inout ProblemList
  ) {
    for (name, value) in rule.members where !known.contains(name) {
      let sentence = "«\(excerpt(name))» is unknown; known are \(known.joined(separator: ", "))"
      problems.report(sentence, at: place, value)
    }
  }

  /// A number of 0 or more; nil for anything else.
  static func positive(_ value: JSONValue?) -> ExactDecimal? {
    value?.text.flatMap { ExactDecimal($0) }.flatMap { $0.isNegative ? nil : $0 }
  }
}
