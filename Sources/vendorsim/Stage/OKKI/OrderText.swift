import JSON

/// Writes an order as `order/list` and `order/info` show it, with the types of the vendor's recorded examples: ids as numbers here and
/// strings there, `[]` for an empty object, dates with and without time.
struct OrderText {
  var settings: OKKISettings
  var company: (Int64) -> Company?

  private var strict: Bool { settings.strictTypes }

  // MARK: order/list

  func listItem(_ order: SalesOrder) -> [UInt8] {
    var writer = JSONWriter(reserving: 1_536)
    writer.object { item in
      head(order, into: &item, date: order.accountDate, deadline: order.shipmentDeadline)
      if settings.listIncludesStatus { item.member("status", order.status) }
      let person = Catalogue.people[order.person]
      item.member(
        "users",
        array: { list in
          list.object { user in
            user.member("user_id", person.user)
            user.member("rate", strict ? "100%" : "100")
          }
        })
      item.member(
        "users_info",
        array: { list in
          list.object { user in
            user.member("user_id", person.user)
            user.member("rate", "100")
            user.member("nickname", person.nickname)
          }
        })
      item.member(
        "departments_info",
        array: { list in
          list.object { department in
            department.member("department_id", 148)
            department.member("rate", "100")
            department.member("name", "外贸部")
          }
        })
      companyObject(order, into: &item, archive: false)
      tail(order, into: &item)
    }
    return writer.bytes
  }

  // MARK: order/info

  func info(_ order: SalesOrder) -> [UInt8] {
    var writer = JSONWriter(reserving: 2_560)
    writer.object { item in
      head(
        order, into: &item, date: order.accountDate + " 00:00:00",
        deadline: order.shipmentDeadline.isEmpty ? "" : order.shipmentDeadline + " 00:00:00")
      item.member("status", order.status)
      item.member("status_name", "待回款")
      item.member("approval_status", order.approval)
      if strict {
        item.member("company_id", String(order.companyID))
      } else {
        item.member("company_id", order.companyID)
      }
      companyObject(order, into: &item, archive: true)
      let person = Catalogue.people[order.person]
      item.member(
        "users",
        array: { list in
          list.object { user in
            user.member("user_id", String(person.user))
            user.key("rate")
            if strict { user.string("100%") } else { user.integer(100) }
            user.member("nickname", person.nickname)
          }
        })
      item.member("user_id", array: { $0.integer(Int64(person.user)) })
      tail(order, into: &item)
      item.member(
        "product_list",
        array: { list in
          for line in order.lines { list.object { write(line, into: &$0) } }
        })
      item.member(
        "cost_list",
        array: { list in
          for cost in order.costs { list.object { write(cost, into: &$0) } }
        })
      if settings.detail == .full { OrderExtras.write(order, strict: strict, into: &item) }
      for (key, value) in order.customs {
        item.key(key)
        item.raw(value.utf8)
      }
    }
    return writer.bytes
  }

  // MARK: parts

  private func head(_ order: SalesOrder, into item: inout JSONWriter, date: String, deadline: String) {
    let sums = OrderSums(order)
    item.member("order_id", order.id)
    item.member("order_no", order.number)
    item.member("name", order.name)
    item.member("account_date", date)
    item.member("currency", order.currency)
    item.member("exchange_rate", order.exchangeRate, plain: strict)
    item.member("exchange_rate_usd", Figure(text: order.dollarRate), plain: true)
    item.member("amount", number: sums.amount)
    item.member("amount_rmb", number: sums.amountRMB)
    item.member("amount_usd", number: sums.amountUSD)
    item.member("addition_cost_amount", number: sums.additions)
    item.member("product_total_amount", number: sums.products)
    item.member("product_total_count", number: sums.count)
    item.member("shipment_deadline", deadline)
    item.member("company_name", company(order.companyID)?.name ?? "")
  }

  private func companyObject(_ order: SalesOrder, into item: inout JSONWriter, archive: Bool) {
    guard let company = company(order.companyID), !company.hidden else {
      return item.member("company", array: { _ in })
    }
    item.member(
      "company",
      object: { one in
        one.member("company_id", company.id)
        one.member("name", company.name)
        if archive { one.member("is_archive", 1) }
        one.member("serial_id", company.serial)
      })
  }

  private func tail(_ order: SalesOrder, into item: inout JSONWriter) {
    item.member("create_user", Catalogue.people[order.person].user)
    item.member("create_time", BeijingTime.text(order.createTime))
    item.member("update_user", Catalogue.people[0].user)
    item.member("update_time", BeijingTime.text(order.updateTime))
    item.member("archive_type", 1)
    item.member("source_type", 0)
    item.member("remark", order.remark)
    item.member("quotation_info", array: { _ in })
  }

  private func write(_ line: SalesOrder.Line, into item: inout JSONWriter) {
    if strict { item.member("unique_id", String(line.uniqueID)) } else { item.member("unique_id", line.uniqueID) }
    item.member("product_id", String(3_495_743_000 + line.productIndex * 2))
    item.member("sku_id", 3_495_743_001 + line.productIndex * 2)
    item.member("product_no", line.productNumber)
    item.member("product_name", line.name)
    item.member("unit", line.unit)
    item.member("count", line.count, plain: strict)
    item.member("unit_price", line.unitPrice, plain: strict)
    item.member("cost_amount", line.costAmount, plain: strict)
    item.member("other_cost", line.otherCost, plain: strict)
    item.member("vat_rate", line.vatRate, plain: strict)
    item.member("is_sub_product", 0)
    if settings.detail == .full { OrderExtras.write(line, into: &item) }
  }

  private func write(_ cost: SalesOrder.Cost, into item: inout JSONWriter) {
    item.member("cost_name", cost.name)
    item.member("percent_type", "0")
    item.member("percent_amount", 0)
    item.member("cost", Figure(text: cost.amount), plain: true)
    item.member("cost_remark", cost.remark)
    item.member("cost_description", "")
  }
}

/// The sums at the head of an order.
struct OrderSums {
  var products = ExactDecimal.zero
  var additions = ExactDecimal.zero
  var amount = ExactDecimal.zero
  var count = ExactDecimal.zero
  var amountRMB = ExactDecimal.zero
  var amountUSD = ExactDecimal.zero

  init(_ order: SalesOrder) {
    // Figures have a few decimals and at most ten digits, so none of this overflows 38 digits; were it to, the order shows zeros.
    do {
      for line in order.lines {
        products = try products.adding(line.costAmount.value)
        count = try count.adding(line.count.value)
      }
      for cost in order.costs { additions = try additions.adding(ExactDecimal(cost.amount) ?? .zero) }
      amount = try products.adding(additions)
      let hundred = ExactDecimal(100)
      amountRMB = try amount.multiplied(by: order.exchangeRate.value).divided(by: hundred).rounded(scale: 2)
      amountUSD = try amount.multiplied(by: ExactDecimal(order.dollarRate) ?? .zero).divided(by: hundred).rounded(
        scale: 2)
    } catch {
      products = .zero
    }
  }
}
