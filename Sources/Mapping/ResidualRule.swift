import JSON
import Orders

/// Price × quantity must be a line's amount (vendor-apis.md A.10, C.2). The price is rounded, so now and then it is not:
/// the amount is sent as it is, what is left over is noted, and what no rounding explains parks the order.
struct ResidualRule: Sendable {
  /// The array of lines in the bill.
  let lines: Path
  /// Fields of a line.
  let quantity, price, amount: Path
  /// Decimals that both sides are compared with.
  let decimals: Int
  /// Largest difference that is let through, 0 or more…
  let tolerance: ExactDecimal
  /// …and this for each unit of the quantity: half a unit of the price's last decimal is what rounding it can do.
  let perUnit: ExactDecimal
  /// What the three are made of.
  let sources: [String]

  private static let known = ["lines", "quantity", "price", "amount", "decimals", "tolerance", "perUnit"]

  /// Reads one rule or a list of them.
  static func read(
    _ value: JSONValue, _ request: JSONValue, _ bills: DocumentContent, _ classes: DecimalClasses,
    _ problems: inout ProblemList
  ) -> [ResidualRule] {
    RuleList.of(value, "ferry.residual").compactMap { rule, place in
      ResidualRule(rule, place, request, bills, classes, &problems)
    }
  }

  private init?(
    _ rule: JSONValue, _ place: String, _ request: JSONValue, _ bills: DocumentContent, _ classes: DecimalClasses,
    _ problems: inout ProblemList
  ) {
    RuleList.refuseUnknown(rule, Self.known, place, &problems)
    let paths = ["lines", "quantity", "price", "amount"].map { Path(rule[$0]?.string ?? "") }
    guard paths.allSatisfy({ !$0.segments.isEmpty }), let tolerance = RuleList.positive(rule["tolerance"]) else {
      problems.report(
        "needs «lines», «quantity», «price», «amount» and a «tolerance» of 0 or more", at: place, rule)
      return nil
    }
    let perUnit = rule["perUnit"].map { RuleList.positive($0) } ?? .zero
    if perUnit == nil { problems.report("perUnit is a number of 0 or more", at: place, rule["perUnit"]) }
    let decimals = rule["decimals"].map { classes.decimals($0) } ?? classes.amount
    if decimals == nil { problems.report(DecimalClasses.sentence, at: place, rule["decimals"]) }
    let whole = paths.dropFirst().map { Path(segments: paths[0].segments + $0.segments) }
    if request.kind == .array {
      let array = RequestField.find(paths[0], in: request)?.descriptor
      if !(array.map(RequestField.isArray) ?? false) {
        problems.report("lines names no array of the request", at: "\(place).lines", rule["lines"])
      } else {
        for (name, path) in zip(["quantity", "price", "amount"], whole) {
          let field = RequestField.find(path, in: request)?.descriptor
          if !(field.map(RequestField.isScalar) ?? false) {
            let sentence = "names no field of «\(excerpt(paths[0].text))» that has a value"
            problems.report(sentence, at: "\(place).\(name)", rule[name])
          }
        }
      }
    }
    (lines, quantity, price, amount) = (paths[0], paths[1], paths[2], paths[3])
    self.tolerance = tolerance
    self.perUnit = perUnit ?? .zero
    self.decimals = decimals ?? 2
    sources = RequestField.sources(of: whole, in: bills.fields, bills.table)
  }
}

extension MappingRun {
  /// Holds each line's amount against its price and quantity, as they stand in the bill.
  mutating func check(_ rule: ResidualRule, in document: [JSONMember]) {
    TargetField.rows(rule.lines, in: document) { row, place in
      let here: Place = { "\(place.text).\(rule.price.text)" }
      do throws(ValueError) {
        guard let quantity = try TargetField.number(TargetField.value(rule.quantity, in: row), rule.quantity.text),
          let price = try TargetField.number(TargetField.value(rule.price, in: row), rule.price.text),
          let amount = try TargetField.number(TargetField.value(rule.amount, in: row), rule.amount.text)
        else { return }
        try check(rule, quantity, price, amount, at: here)
      } catch { fail(error.code, here, error.sentence, rule.sources) }
    }
  }

  private mutating func check(
    _ rule: ResidualRule, _ quantity: ExactDecimal, _ price: ExactDecimal, _ amount: ExactDecimal, at place: Place
  ) throws(ValueError) {
    let product = "\(rule.price.text) × \(rule.quantity.text)"
    do throws(ArithmeticError) {
      let computed = try price.multiplied(by: quantity)
      if computed.rounded(scale: rule.decimals) == amount.rounded(scale: rule.decimals) { return }
      let residual = try amount.subtracting(computed).normalized
      let allowed = try rule.tolerance.adding(rule.perUnit.multiplied(by: quantity.magnitude)).normalized
      if residual.magnitude > allowed {
        let more = rule.perUnit.isZero ? "" : " and \(rule.perUnit) a unit"
        let sentence = "\(product) is not \(rule.amount.text): they differ by more than \(rule.tolerance)\(more)"
        return fail(.amountMismatch, place, sentence, rule.sources)
      }
      notes.add(.residual, place(), "\(rule.amount.text) less \(product) is \(residual)")
    } catch { throw .overflow(product) }
  }
}
