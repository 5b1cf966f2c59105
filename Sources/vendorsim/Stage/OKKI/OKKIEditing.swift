import JSON

/// Enumerations, fields, and the two ways to change an order through the API.
extension OKKISite {
  private static let statuses: [(code: Int64, name: String)] = [
    (1_101_043_687, "草稿"), (OrderMaker.confirmed, "已确认"), (1_101_043_689, "已完成"), (returned, "内贸-退货"),
  ]
  /// The site's own status of an order whose goods came back.
  static let returned: Int64 = 1_101_043_690

  func orderEnums(_ request: Request) -> Reply {
    success(reserving: 1_024) { writer in
      writer.member(
        "currency_list",
        array: { list in
          for currency in Catalogue.currencies {
            list.object { one in
              one.member("code", currency.code)
              one.member("name", currency.name)
            }
          }
        })
      for name in ["pay_list", "country_area_list", "price_contract_list"] { writer.member(name, array: { _ in }) }
      for (name, items) in [
        ("source_type_list", [(1, "CRM"), (2, "信保"), (3, "e收汇")]),
        ("archive_type_list", [(1, "手动"), (2, "AI"), (3, "导入"), (4, "ERP同步"), (5, "阿里同步")]),
        ("order_status_list", Self.statuses.map { (Int($0.code), $0.name) }),
      ] {
        writer.member(
          name,
          array: { list in
            for (code, text) in items {
              list.object { one in
                one.member("code", code)
                one.member("name", text)
              }
            }
          })
      }
    }
  }

  func orderFields(_ request: Request) -> Reply {
    let fields: [(id: String, name: String, base: Int, type: Int, isLine: Int)] = [
      ("order_no", "订单号", 1, 1, 0), ("account_date", "订单日期", 1, 4, 0), ("currency", "币种", 1, 3, 0),
      ("exchange_rate", "汇率", 1, 5, 0), ("product_no", "产品编号", 1, 1, 1), ("count", "数量", 1, 5, 1),
      ("cost_amount", "小计", 1, 24, 1), ("vat_rate", "增值税率", 1, 27, 1), ("1101060384", "客户等级", 0, 1, 0),
      ("1101060401", "行备注", 0, 1, 1),
    ]
    var writer = JSONWriter(reserving: 2_048)
    writer.beginArray()
    for field in fields {
      writer.object { one in
        one.member("id", field.id)
        one.member("name", field.name)
        one.member("base", field.base)
        one.member("field_type", field.type)
        one.member("ext_info", array: { _ in })
        one.member("require", 0)
        one.member("default", "")
        one.member("disable_flag", 0)
        one.member("is_list", field.isLine)
        one.member("group_id", 1)
      }
    }
    writer.endArray()
    return success(writer.bytes)
  }

  /// Creates or edits. Lines without both ids are dropped without a word, an unknown status too.
  func pushOrder(_ request: Request) -> Reply {
    guard let root = (try? JSONDocument(request.body))?.root, root.kind == .object else {
      return failure(400, "参数错误")
    }
    let position: Int
    if let id = root["order_id"]?.text, !id.isEmpty, id != "0" {
      guard let known = Int64(id).flatMap({ store.position(id: $0) }) else { return notFound() }
      position = known
    } else if let known = root["order_no"]?.text.flatMap({ store.position(number: $0) }) {
      position = known
    } else {
      position = store.count
      store.add([empty(number: root["order_no"]?.text ?? "")])
    }
    changes += 1
    let now = stage.clock.seconds
    let lines = root["product_list"].map { self.lines($0, order: position) }
    store.edit(position) { order in
      order.updateTime = now
      edit(&order, root)
      if let lines { order.lines = lines }
    }
    return success(infoText(position))
  }

  func removeOrder(_ request: Request) -> Reply {
    guard let position = position(request.query), store[position].deleteTime == nil else { return notFound() }
    guard store[position].approval != 1 else { return failure(404, "Operation Failed. 审批中的订单不能删除") }
    remove(position)
    return success([UInt8](#""success""#.utf8))
  }

  private func empty(number: String) -> SalesOrder {
    let index = store.count
    let now = stage.clock.seconds
    return SalesOrder(
      id: OrderMaker.firstID + 700_000_000 + Int64(index) * 7, number: number.isEmpty ? "SO-NEW-\(index)" : number,
      name: "",
      companyID: 0, currency: "CNY", exchangeRate: Figure(text: "100"), dollarRate: "14.04",
      accountDate: BeijingTime.date(now), createTime: now, updateTime: now, status: Self.statuses[0].code, approval: -1,
      person: 0, remark: "", lines: [])
  }

  private func edit(_ order: inout SalesOrder, _ root: JSONValue) {
    if let name = root["name"]?.text { order.name = name }
    if let remark = root["remark"]?.text { order.remark = remark }
    if let company = root["company_id"]?.text.flatMap({ Int64($0) }) { order.companyID = company }
    if let date = root["account_date"]?.string, BeijingTime.seconds(date) != nil {
      order.accountDate = String(date.prefix(10))
    }
    if let date = root["shipment_deadline"]?.string { order.shipmentDeadline = String(date.prefix(10)) }
    if let code = root["currency"]?.string, let currency = Catalogue.currencies.first(where: { $0.code == code }) {
      order.currency = code
      order.dollarRate = currency.dollarRate
      order.exchangeRate = Figure(text: currency.rate)
    }
    if let rate = root["exchange_rate"]?.text, ExactDecimal(rate) != nil { order.exchangeRate = Figure(text: rate) }
    if let status = root["status"]?.text.flatMap({ Int64($0) }), Self.statuses.contains(where: { $0.code == status }) {
      order.status = status
    }
    for (key, value) in root.members where key.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      order.customs.removeAll { $0.key == key }
      order.customs.append((key, String(decoding: value.rawBytes, as: UTF8.self)))
    }
  }

  private func lines(_ list: JSONValue, order: Int) -> [SalesOrder.Line] {
    var lines: [SalesOrder.Line] = []
    for (place, line) in list.elements.enumerated() {
      guard let product = line["product_id"]?.text.flatMap({ Int($0) }), line["sku_id"]?.text != nil else { continue }
      let index = min(max(0, (product - 3_495_743_000) / 2), Catalogue.products - 1)
      let figure = { (name: String) in Figure(text: line[name]?.text.flatMap { ExactDecimal($0) }?.description ?? "0") }
      lines.append(
        SalesOrder.Line(
          uniqueID: line["unique_id"]?.text.flatMap { Int64($0) } ?? 5_203_990_000_000 + Int64(order * 100 + place),
          productIndex: index, productNumber: line["product_no"]?.text ?? Catalogue.productNumber(index),
          name: line["product_name"]?.text ?? Catalogue.productName(index), unit: line["unit"]?.text ?? "",
          count: figure("count"), unitPrice: figure("unit_price"), costAmount: figure("cost_amount"),
          otherCost: figure("other_cost"), vatRate: figure("vat_rate"), remark: line["product_remark"]?.text ?? ""))
    }
    return lines
  }
}
