import JSON

/// The positions of the fields that sums and checks need.
struct FigureFields {
  let number, date, customer, currency, rate: Int
  let material, unit, quantity, price, taxPrice, taxRate, net, tax, total, standardTotal, delivery: Int

  init(header: FieldTable, lines: FieldTable) {
    number = header.position(of: "FBillNo")
    date = header.position(of: "Fdate")
    customer = header.position(of: "FCustID")
    currency = header.position(of: "FCurrencyID")
    rate = header.position(of: "FExchangeRate")
    material = lines.position(of: "FItemID")
    unit = lines.position(of: "FUnitID")
    quantity = lines.position(of: "Fauxqty")
    price = lines.position(of: "Fauxprice")
    taxPrice = lines.position(of: "FAuxTaxPrice")
    taxRate = lines.position(of: "FCess")
    net = lines.position(of: "Famount")
    tax = lines.position(of: "FTaxAmt")
    total = lines.position(of: "FAllAmount")
    standardTotal = lines.position(of: "FAllStdAmount")
    delivery = lines.position(of: "FDate1")
  }

  /// Judges a line's quantity and unit.
  func check(_ line: FieldRow, settings: K3Settings, master: MasterData) throws(Refusal) {
    if !settings.allowsNonPositive, let count = line.decimal(quantity), count <= .zero { throw .data("[Fauxqty]数据无效") }
    guard settings.checksUnitGroup, settings.checksReferences else { return }
    let material = line.text(self.material)
    let own = master["Material"]?.find(number: material, name: "", byName: false)?.unit ?? ""
    let unit = line.text(self.unit)
    // Countable units form one group, weights another.
    if own == "S05", unit != "S05", !unit.isEmpty { throw .data("计量单位[\(unit)]不存在") }
  }

  /// works out the amounts that were not sent.
  func complete(_ line: inout FieldRow, header: FieldRow, settings: K3Settings) {
    let amounts = [taxPrice, price, total, net, tax, standardTotal]
    guard settings.computesAmounts, amounts.contains(where: { line[$0] == nil }), let count = line.decimal(quantity)
    else {
      return
    }
    let hundred = ExactDecimal(100)
    do {
      let factor = try hundred.adding(line.decimal(taxRate) ?? .zero)
      if line[taxPrice] == nil, let bare = line.decimal(price) {
        put(
          &line, taxPrice, try bare.multiplied(by: factor).divided(by: hundred).rounded(scale: settings.priceDecimals))
      }
      guard let gross = line.decimal(taxPrice) else { return }
      put(&line, price, try gross.multiplied(by: hundred).divided(by: factor).rounded(scale: settings.priceDecimals))
      put(&line, total, try gross.multiplied(by: count).rounded(scale: settings.amountDecimals))
      let whole = line.decimal(total) ?? .zero
      put(&line, net, try whole.multiplied(by: hundred).divided(by: factor).rounded(scale: settings.amountDecimals))
      put(&line, tax, try whole.subtracting(line.decimal(net) ?? .zero))
      let exchange = header.decimal(self.rate) ?? .one
      put(&line, standardTotal, try whole.multiplied(by: exchange).rounded(scale: settings.amountDecimals))
    } catch {
      // Out of 38 digits: the line stays as it was sent.
    }
  }

  private func put(_ line: inout FieldRow, _ field: Int, _ value: ExactDecimal) {
    if line[field] == nil { line[field] = .text(value.description) }
  }

  /// The facts of a stored bill for the books; what was never sent counts as 0 or empty.
  func facts(_ bill: Bill) -> BillFacts {
    BillFacts(
      number: bill.number, customer: bill.header.text(customer), currency: bill.header.text(currency),
      rate: bill.header.decimal(rate) ?? .zero,
      lines: bill.lines.map { line in
        let figure = { (field: Int) in line.decimal(field) ?? .zero }
        return BillLine(
          material: line.text(material), unit: line.text(unit), quantity: figure(quantity), taxPrice: figure(taxPrice),
          price: figure(price), taxRate: figure(taxRate), total: figure(total), net: figure(net), tax: figure(tax),
          standardTotal: figure(standardTotal), delivery: String(line.text(delivery).prefix(10)))
      })
  }
}
