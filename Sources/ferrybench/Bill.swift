import JSON

/// A document of about 3 KB from an order, as the transform makes one: what the hot path asks of this module.
enum Bill {
  static func write(_ root: JSONValue) throws -> [UInt8] {
    guard let order = root["data"], let products = order["product_list"] else { return [] }
    let rate = order["exchange_rate"]?.decimal ?? .one
    let hundred = ExactDecimal(100)
    let exchange = try rate.divided(by: hundred)
    var writer = JSONWriter(reserving: 4096)
    writer.beginObject()
    writer.key("Data")
    writer.beginObject()
    writer.key("Page1")
    writer.beginArray()
    head(order, exchange, &writer)
    writer.endArray()
    writer.key("Page2")
    writer.beginArray()
    for product in products.elements { try line(product, exchange, &writer) }
    writer.endArray()
    writer.endObject()
    writer.endObject()
    return writer.bytes
  }

  private static func head(_ order: JSONValue, _ exchange: ExactDecimal, _ writer: inout JSONWriter) {
    writer.beginObject()
    for (field, key) in [
      ("FBillNo", "order_no"), ("FNote", "name"), ("FDate", "account_date"), ("FSettleDate", "update_time"),
      ("FExplanation", "remark"),
    ] {
      writer.key(field)
      writer.string(order[key]?.text ?? "")
    }
    writer.key("FExchangeRate")
    writer.number(exchange)
    item("FCustID", order["company"]?["serial_id"]?.text, order["company"]?["name"]?.text, &writer)
    item("FCurrencyID", order["currency"]?.text, order["currency"]?.text, &writer)
    writer.endObject()
  }

  private static func line(
    _ product: JSONValue, _ exchange: ExactDecimal, _ writer: inout JSONWriter
  ) throws {
    let count = product["count"]?.decimal ?? .zero
    let amount = product["cost_amount"]?.decimal ?? .zero
    let tax = product["vat_rate"]?.decimal ?? .zero
    let price = try amount.divided(by: count)
    let factor = try ExactDecimal.one.adding(tax.divided(by: ExactDecimal(100)))
    writer.beginObject()
    item("FItemID", product["product_no"]?.text, product["product_name"]?.text, &writer)
    item("FUnitID", product["unit"]?.text, product["unit"]?.text, &writer)
    let fields: [(String, ExactDecimal)] = [
      ("Fauxqty", count), ("FAuxTaxPrice", price.rounded(scale: 6)),
      ("Fauxprice", try price.divided(by: factor).rounded(scale: 6)), ("FTaxAmount", amount),
      ("FAllAmount", try amount.multiplied(by: exchange).rounded(scale: 2)), ("FCess", tax),
      ("FAmount", try amount.divided(by: factor).rounded(scale: 2)), ("FTranLeadTime", .zero), ("FInForecast", .zero),
    ]
    for (field, value) in fields {
      writer.key(field)
      writer.number(value)
    }
    for field in ["FNote", "FMapNumber", "FMapName", "FSourceBillNo", "FContractBillNo", "FMTONo"] {
      writer.key(field)
      writer.string("")
    }
    item("FPlanMode", "MTS", "MTS计划模式", &writer)
    item("FBOMCategory", "BZBOM", "标准BOM", &writer)
    writer.endObject()
  }

  private static func item(_ field: String, _ number: String?, _ name: String?, _ writer: inout JSONWriter) {
    writer.key(field)
    writer.beginObject()
    writer.key("FNumber")
    writer.string(number ?? "")
    writer.key("FName")
    writer.string(name ?? "")
    writer.endObject()
  }
}
