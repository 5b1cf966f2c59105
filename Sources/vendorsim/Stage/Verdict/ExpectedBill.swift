import JSON

/// One line of a bill, as it must be in K/3 or as it is there.
struct BillLine: Equatable {
  var material: String
  var unit: String
  var quantity: ExactDecimal
  var taxPrice: ExactDecimal
  var price: ExactDecimal
  var taxRate: ExactDecimal
  var total: ExactDecimal
  var net: ExactDecimal
  var tax: ExactDecimal
  var standardTotal: ExactDecimal
  var delivery: String
}

/// The facts of one bill.
struct BillFacts: Equatable {
  var number: String
  var customer: String
  var currency: String
  var rate: ExactDecimal
  var lines: [BillLine]
}

/// What must come of an order.
enum Fate {
  case load(BillFacts)
  case park(ParkReason)
  /// Deleted in OKKI: it may have been written before, once, or not at all.
  case removed
}

/// Works out from the text of an order, as OKKI shows it, what must be in K/3: the shipped mapping said a second time, in plain code and
/// without a line of Ferry's.
struct BillRules {
  /// The customer number of a company as company/list shows it; nil when it shows none.
  var customerNumber: (String) -> String?

  func fate(_ order: JSONValue) -> Fate {
    let customer = order["company_id"]?.text.flatMap { customerNumber($0) } ?? ""
    if customer.isEmpty { return .park(.customerUnmapped) }
    do {
      var facts = BillFacts(
        number: order["order_no"]?.text ?? "", customer: customer, currency: currency(order["currency"]?.text ?? ""),
        rate: try figure(order["exchange_rate"]).divided(by: ExactDecimal(100)), lines: [])
      let deadline = date(order["shipment_deadline"])
      let delivery = deadline.isEmpty ? date(order["account_date"]) : deadline
      var sum = ExactDecimal.zero
      for row in order["product_list"].map({ Array($0.elements) }) ?? [] {
        if let reason = defect(row) { return .park(reason) }
        let line = try line(row, rate: facts.rate, delivery: delivery)
        sum = try sum.adding(line.total)
        facts.lines.append(line)
      }
      return sum == figure(order["amount"]) ? .load(facts) : .park(.amountMismatch)
    } catch {
      return .park(.amountMismatch)
    }
  }

  private func defect(_ row: JSONValue) -> ParkReason? {
    if (row["product_no"]?.text ?? "").isEmpty { return .materialMissing }
    return figure(row["count"]).isZero ? .divisionByZero : nil
  }

  private func line(_ row: JSONValue, rate: ExactDecimal, delivery: String) throws(ArithmeticError) -> BillLine {
    let count = figure(row["count"])
    let amount = figure(row["cost_amount"])
    let percent = figure(row["vat_rate"])
    let hundred = ExactDecimal(100)
    let withTax = try hundred.adding(percent)
    let total = amount.rounded(scale: 2)
    let net = try amount.multiplied(by: hundred).divided(by: withTax).rounded(scale: 2)
    return BillLine(
      material: row["product_no"]?.text ?? "", unit: unit(row["unit"]?.text ?? ""), quantity: count.rounded(scale: 4),
      taxPrice: try amount.divided(by: count).rounded(scale: 6),
      price: try amount.multiplied(by: hundred).divided(by: count.multiplied(by: withTax)).rounded(scale: 6),
      taxRate: percent, total: total, net: net, tax: try total.subtracting(net),
      standardTotal: try amount.multiplied(by: rate).rounded(scale: 2), delivery: delivery)
  }

  private func currency(_ code: String) -> String { code == "CNY" ? "RMB" : code }

  private func unit(_ name: String) -> String {
    switch name {
    case "Piece", "": "S01"
    case "Set": "S02"
    case "Pair": "S03"
    case "Carton": "S04"
    case "Kilogram": "S05"
    default: "?"
    }
  }

  private func figure(_ value: JSONValue?) -> ExactDecimal { value?.text.flatMap { ExactDecimal($0) } ?? .zero }

  private func date(_ value: JSONValue?) -> String { String((value?.string ?? "").prefix(10)) }
}

extension BillFacts {
  func write(into writer: inout JSONWriter) {
    writer.member("number", number)
    writer.member("customer", customer)
    writer.member("currency", currency)
    writer.member("rate", rate.normalized.description)
    writer.member(
      "lines",
      array: { list in
        for line in lines {
          list.object { one in
            one.member("material", line.material)
            one.member("unit", line.unit)
            one.member("quantity", line.quantity.normalized.description)
            one.member("tax_price", line.taxPrice.normalized.description)
            one.member("price", line.price.normalized.description)
            one.member("tax_rate", line.taxRate.normalized.description)
            one.member("total", line.total.normalized.description)
            one.member("net", line.net.normalized.description)
            one.member("tax", line.tax.normalized.description)
            one.member("standard_total", line.standardTotal.normalized.description)
            one.member("delivery", line.delivery)
          }
        }
      })
  }

  init?(_ value: JSONValue) {
    guard let number = value["number"]?.string, let customer = value["customer"]?.string,
      let currency = value["currency"]?.string, let rate = BillLine.figure(value, "rate"), let rows = value["lines"]
    else { return nil }
    var lines: [BillLine] = []
    for row in rows.elements {
      guard let line = BillLine(row) else { return nil }
      lines.append(line)
    }
    self.init(number: number, customer: customer, currency: currency, rate: rate, lines: lines)
  }
}

extension BillLine {
  init?(_ row: JSONValue) {
    guard let material = row["material"]?.string, let unit = row["unit"]?.string,
      let delivery = row["delivery"]?.string,
      let quantity = Self.figure(row, "quantity"), let taxPrice = Self.figure(row, "tax_price"),
      let price = Self.figure(row, "price"), let taxRate = Self.figure(row, "tax_rate"),
      let total = Self.figure(row, "total"), let net = Self.figure(row, "net"), let tax = Self.figure(row, "tax"),
      let standardTotal = Self.figure(row, "standard_total")
    else { return nil }
    self.init(
      material: material, unit: unit, quantity: quantity, taxPrice: taxPrice, price: price, taxRate: taxRate,
      total: total,
      net: net, tax: tax, standardTotal: standardTotal, delivery: delivery)
  }

  fileprivate static func figure(_ row: JSONValue, _ name: String) -> ExactDecimal? {
    row[name]?.string.flatMap { ExactDecimal($0) }
  }
}
