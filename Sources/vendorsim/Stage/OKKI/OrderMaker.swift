import JSON

/// Invents orders: the same ones for the same seed, whatever the day.
struct OrderMaker {
  let seed: UInt64
  let lines: Int
  let companies: Int
  /// Percent of orders that cannot be mapped.
  let unmappable: Double

  static let firstID: Int64 = 52_035_565_020_000
  static let companyBase: Int64 = 3_448_551_000
  static let confirmed: Int64 = 1_101_043_688

  /// The company that is in no list.
  var hiddenCompany: Int64 { Self.companyBase + 40_000 }
  /// The first of three companies without a customer number.
  var namelessCompany: Int64 { Self.companyBase + 30_000 }

  func companyList(now: Int) -> [Company] {
    var list = (0..<companies).map { index in
      Company(
        id: Self.companyBase + Int64(index), index: index, name: Catalogue.companyName(index),
        serial: Catalogue.customerNumber(index), updateTime: now - 86_400 - index)
    }
    for extra in 0..<3 {
      list.append(
        Company(
          id: namelessCompany + Int64(extra), index: 30_000 + extra, name: "新客户 \(extra)", serial: "",
          updateTime: now - 80_000 - extra))
    }
    list.append(
      Company(
        id: hiddenCompany, index: 40_000, name: "已删除客户", serial: "", updateTime: now - 90_000, hidden: true))
    return list
  }

  /// A batch of orders, updated somewhere in `times`, with its share of defects, their kinds in turn.
  func orders(_ range: Range<Int>, times: ClosedRange<Int>) -> [SalesOrder] {
    let defective = Int((Double(range.count) * unmappable / 100).rounded())
    let ranked = range.sorted {
      (Chance.mix(Chance.hash("defect", seed: seed) ^ UInt64($0)), $0) < (
        Chance.mix(Chance.hash("defect", seed: seed) ^ UInt64($1)), $1
      )
    }
    var defects: [Int: Defect] = [:]
    for (turn, index) in ranked.prefix(defective).enumerated() {
      defects[index] = Defect.allCases[turn % Defect.allCases.count]
    }
    return range.map { order($0, times: times, defect: defects[$0]) }
  }

  private func order(_ index: Int, times: ClosedRange<Int>, defect: Defect?) -> SalesOrder {
    var chance = Chance(seed: seed, stream: "order", index: index)
    let currency = Catalogue.currencies[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5][chance.below(12)]]
    let updated = times.lowerBound + chance.below(times.count)
    let created = updated - chance.below(1_800)
    let accountDate = BeijingTime.date(created - 86_400 * [0, 0, 0, 1, 2][chance.below(5)])
    var order = SalesOrder(
      id: Self.firstID + Int64(index) * 7, number: number(index), name: "销售订单 \(index)",
      companyID: Self.companyBase + Int64(chance.below(companies)), currency: currency.code,
      exchangeRate: Figure(text: currency.rate, quoted: chance.once(in: 4)), dollarRate: currency.dollarRate,
      accountDate: accountDate, createTime: created, updateTime: updated, status: Self.confirmed, approval: 2,
      person: chance.below(Catalogue.people.count),
      remark: chance.among(["", "", "", "请尽快发货", "urgent 🚚 \"ASAP\"", "第一行\n第二行", "𠮷野家 / 50% \\ T/T"]),
      lines: [], defect: defect)
    if chance.once(in: 3) {
      order.shipmentDeadline = BeijingTime.date(created + 86_400 * (7 + chance.below(40)))
    }
    order.customs = [("1101060384", chance.among(["\"\"", "\"VIP\"", "7", "[]"]))]
    for position in 0..<lines {
      order.lines.append(line(&chance, order: index, position: position, currency: currency.code))
    }
    if lines > 1, chance.once(in: 10) { repeatProduct(&order) }
    if let defect { spoil(&order, defect, &chance) }
    return order
  }

  private func number(_ index: Int) -> String {
    "SO\(padded(Int(Chance.hash("number", seed: seed) % 10_000), 4))-\(padded(index, 6))"
  }

  private func line(_ chance: inout Chance, order: Int, position: Int, currency: String) -> SalesOrder.Line {
    let product = chance.below(Catalogue.products)
    let unit = Catalogue.productUnit(product)
    // Counts: mostly whole; thirds, sevenths and the like make prices that never end; weights have decimals.
    var count = String(1 + chance.below(500))
    if chance.once(in: 3) { count = chance.among(["3", "7", "9", "11", "13", "21", "333"]) }
    if unit.okki == "Kilogram", chance.once(in: 2) { count = chance.among(["12.5", "0.75", "1.25", "33.3333", "0.3"]) }
    let wholeMoney = currency == "JPY"
    let cents =
      (chance.once(in: 8) ? 10_000 : 1_000 + chance.below(9_000_000)) / (wholeMoney ? 100 : 1) * (wholeMoney ? 100 : 1)
    let other = chance.once(in: 6) ? min(cents / 10, 5_000) / 100 * 100 : 0
    let quantity = ExactDecimal(count) ?? .one
    let goods = ExactDecimal(money(cents - other)) ?? .zero
    let price = (try? goods.divided(by: quantity).rounded(scale: 4)) ?? .zero
    let vat = currency == "CNY" ? chance.among(["13", "13", "13", "9", "6", "0"]) : chance.among(["0", "0", "13"])
    let mood = chance.below(16)
    return SalesOrder.Line(
      uniqueID: 5_203_550_000_000 + Int64(order) * 100 + Int64(position), productIndex: product,
      productNumber: Catalogue.productNumber(product), name: Catalogue.productName(product),
      unit: chance.once(in: 12) && unit.okki == "Piece" ? "" : unit.okki,
      count: Figure(text: count, quoted: mood & 1 == 1),
      unitPrice: Figure(text: price.description, quoted: mood & 2 == 2),
      costAmount: Figure(text: mood & 8 == 8 ? money(cents) : short(money(cents)), quoted: mood & 4 == 4),
      otherCost: Figure(text: short(money(other))), vatRate: Figure(text: vat, quoted: mood & 3 == 3))
  }

  /// Two lines of the same product, as OKKI allows.
  private func repeatProduct(_ order: inout SalesOrder) {
    let first = order.lines[0]
    order.lines[1].productIndex = first.productIndex
    order.lines[1].productNumber = first.productNumber
    order.lines[1].name = first.name
    order.lines[1].unit = first.unit
  }

  private func spoil(_ order: inout SalesOrder, _ defect: Defect, _ chance: inout Chance) {
    let victim = chance.below(max(1, order.lines.count))
    switch defect {
    case .unknownCompany: order.companyID = hiddenCompany
    case .emptyCustomerNumber: order.companyID = namelessCompany + Int64(chance.below(3))
    case .zeroCount: order.lines[victim].count = Figure(text: "0", quoted: chance.once(in: 2))
    case .noProductNumber: order.lines[victim].productNumber = ""
    case .additionalCost:
      order.costs = [SalesOrder.Cost(name: "运费", amount: money(1_000 + chance.below(50_000)), remark: "sea freight")]
    }
  }

  private func money(_ cents: Int) -> String { "\(cents / 100).\(padded(cents % 100, 2))" }

  /// Without zeros at the end: `12.50` → `12.5`, `12.00` → `12`.
  private func short(_ text: String) -> String { (ExactDecimal(text) ?? .zero).normalized.description }
}
