import JSON
import Orders

/// Price × quantity must be a line's amount (vendor-apis.md A.10, C.2). The price is rounded, so now and then it is not:
/// the amount is sent as it is, what is left over is noted, and what no rounding explains parks the order. So does a line
/// that has one of the three and lacks another: it cannot be checked.
///
/// A class: it is handed on for each line, and a copy of all this would cost more than the check.
final class ResidualRule: Sendable {
  /// The array of lines in the bill.
  let lines: Path
  /// Fields of a line.
  let quantity, price, amount: Field
  /// What messages call price × quantity.
  let product: String
  /// Decimals that both sides are compared with.
  let decimals: Int
  /// Largest difference that is let through, 0 or more…
  let tolerance: ExactDecimal
  /// …and this for each unit of the quantity: half a unit of the price's last decimal is what rounding it can do.
  let perUnit: ExactDecimal
  /// What the three are made of.
  let sources: [String]

  /// A field and what messages call it, which is not put together anew for each line.
  final class Field: Sendable {
    let path: Path
    let name: String

    init(_ path: Path) {
      self.path = path
      name = path.text
    }

    /// Its number in a row; nil when it has none.
    /// - Parameter hint: where the row before had it; nearly always this one has it there as well.
    func number(in row: [JSONMember], _ hint: inout Int) throws(ValueError) -> ExactDecimal? {
      guard path.segments.count == 1 else { return try TargetField.number(TargetField.value(path, in: row), name) }
      if hint >= row.count || row[hint].key != name {
        guard let found = row.firstIndex(where: { $0.key == name }) else { return nil }
        hint = found
      }
      return try TargetField.number(row[hint].value, name)
    }
  }

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
    (lines, quantity, price, amount) = (paths[0], Field(paths[1]), Field(paths[2]), Field(paths[3]))
    product = "\(price.name) × \(quantity.name)"
    self.tolerance = tolerance
    self.perUnit = perUnit ?? .zero
    self.decimals = decimals ?? 2
    sources = RequestField.sources(of: whole, in: bills.fields, bills.table)
  }
}

extension MappingRun {
  /// Holds each line's amount against its price and quantity, as they stand in the bill.
  mutating func check(_ rule: ResidualRule, in document: [JSONMember]) {
    var hints = (0, 0, 0)
    TargetField.rows(rule.lines, in: document) { row, lines, position in
      let here = { TargetPlace.member(.element(lines, position), rule.price.name).text }
      do throws(ValueError) {
        let quantity = try rule.quantity.number(in: row, &hints.0)
        let price = try rule.price.number(in: row, &hints.1)
        let amount = try rule.amount.number(in: row, &hints.2)
        if let quantity, let price, let amount { return try check(rule, quantity, price, amount, at: here) }
        // A line of text has none of them, and nothing to be held against anything.
        if quantity == nil, price == nil, amount == nil { return }
        for (field, number) in [(rule.quantity, quantity), (rule.price, price), (rule.amount, amount)]
        where number == nil {
          lack(field, rule, at: .element(lines, position))
        }
      } catch { fail(error.code, here, error.sentence, rule.sources) }
    }
  }

  /// What a line lacks keeps it from being checked: that is told, unless it has been told why the field has no value.
  private mutating func lack(_ field: ResidualRule.Field, _ rule: ResidualRule, at row: TargetPlace) {
    let place = TargetPlace.member(row, field.name).text
    if failures.contains(where: { $0.target == place }) { return }
    fail(
      .fieldMissing, { place },
      "the line has no \(field.name), so \(rule.product) cannot be held against \(rule.amount.name)",
      rule.sources,
      remedy: "Fill what \(field.name) is made of in OKKI, or let the strategy say what such a line is sent with.")
  }

  /// Holds one line's amount against its price and quantity.
  mutating func check(
    _ rule: ResidualRule, _ quantity: ExactDecimal, _ price: ExactDecimal, _ amount: ExactDecimal, at place: Place
  ) throws(ValueError) {
    do throws(ArithmeticError) {
      let computed = try price.multiplied(by: quantity)
      if computed.rounded(scale: rule.decimals) == amount.rounded(scale: rule.decimals) { return }
      let residual = try amount.subtracting(computed).normalized
      let allowed = try rule.tolerance.adding(rule.perUnit.multiplied(by: quantity.magnitude)).normalized
      if residual.magnitude > allowed {
        let more = rule.perUnit.isZero ? "" : " and \(rule.perUnit) a unit"
        let sentence = "\(rule.product) is not \(rule.amount.name): they differ by more than \(rule.tolerance)\(more)"
        return fail(.amountMismatch, place, sentence, rule.sources)
      }
      notes.add(.residual, place(), "\(rule.amount.name) less \(rule.product) is \(residual)")
    } catch { throw .overflow(rule.product) }
  }
}
