/// Orders as OKKI answers them, made from a number so that every run measures the same bytes.
enum SampleOrders {
  /// One `order/info` answer.
  static func answer(number: Int, lines: Int) -> [UInt8] {
    let products = (0..<lines).map { line(order: number, line: $0) }.joined(separator: ",")
    let sum = (0..<lines).reduce(0) { $0 + cents(order: number, line: $1) }
    let time = "2024-05-20 10:15:30"
    return Array(
      """
      {"code":200,"message":"success","now":"\(time)","data":{"order_id":\(5_203_556_502 + number * 7),\
      "order_no":"SO240520-\(padded(number, to: 6))","name":"order \(number)","account_date":"2024-05-20 00:00:00",\
      "currency":"USD","exchange_rate":712.35,"amount":\(money(sum)),"status":1101043688,"approval_status":2,\
      "company_id":\(3_448_551_000 + number % 500),"company":{"company_id":\(3_448_551_000 + number % 500),\
      "name":"示例客户\(number % 500) Ltd.","serial_id":"C\(padded(number % 500, to: 5))"},\
      "users":[{"user_id":"11858712","rate":100,"nickname":"user"}],"remark":"","create_time":"\(time)",\
      "update_time":"\(time)","product_list":[\(products)],"cost_list":[]}}
      """.utf8)
  }

  private static func line(order: Int, line: Int) -> String {
    let count = 3 + (order * 7 + line * 13) % 497
    let cents = cents(order: order, line: line)
    let price = cents * 100 / count
    return """
      {"unique_id":\(5_203_550_000_000 + order * 100 + line),"product_id":"\(3_495_740_000 + line)",\
      "product_no":"2024\(padded((order + line) % 1000, to: 5))","product_name":"连接线 CABLE \(line)",\
      "product_model":"670-00\(line)","unit":"Piece","count":\(count),\
      "unit_price":\(price / 10_000).\(padded(price % 10_000, to: 4)),\
      "cost_amount":\(money(cents)),"other_cost":0,"vat_rate":13,"product_type":1,\
      "is_sub_product":0,"product_remark":""}
      """
  }

  private static func cents(order: Int, line: Int) -> Int { 1000 + (order * 7919 + line * 104_729) % 9_000_000 }

  private static func money(_ cents: Int) -> String { "\(cents / 100).\(padded(cents % 100, to: 2))" }

  private static func padded(_ number: Int, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(width - digits.count, 0)) + digits
  }
}
