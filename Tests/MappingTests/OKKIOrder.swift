/// An order as `order/info` shows it (vendor-apis.md B.6), with its dirty types: ids as numbers here and strings there,
/// numbers in quotes, `[]` for empty objects, dates with and without time, fields named by numbers.
enum OKKIOrder {
  static let head = #"""
    "order_id":52035565020013,"order_no":"SO2024-000017","name":"示例订单","account_date":"2024-01-29 00:00:00",
    "currency":"USD","exchange_rate":718.35,"exchange_rate_usd":"100","amount":"123456789014680.33",
    "product_total_amount":123456789014680.33,"addition_cost_amount":0,"amount_rmb":"886851843886956.15",
    "amount_usd":123456789014680.33,"cost_with_tax_total":"0","product_total_count":"7016.8333",
    "status":1101043688,"status_name":"待回款","approval_status":-1,"link_status":[20,30,40,60,50,10],
    "company_id":3448551934,"company":{"company_id":3448551934,"name":"Muster & Söhne","is_archive":1,"serial_id":"2023670"},
    "company_name":"Muster & Söhne","company_phone":"","customer_id":"3448551935","customer_name":"示例 🚚",
    "users":[{"user_id":"11858712","rate":100,"nickname":"示例业务员"}],"user_id":[11858712,11858711],
    "departments":[{"rate":"100","department_id":"148","name":"外贸部"}],"shipment_deadline":"2024-02-15",
    "quotation_id":0,"quotation_info":[],"alibaba_order_info":[],"file_list":[],"tax_refund_type":0,
    "create_time":"2024-01-29 09:12:44","update_time":"2024-01-29 10:00:01","archive_type":1,"source_type":0,
    "remark":"第一行\n第二行 \"ASAP\" \\ T/T","1101060384":"VIP","6940373023933":[],"cost_list":[]
    """#

  static let lines = [
    #"""
    {"unique_id":5203556547,"product_id":"3495743811","sku_id":3495743812,"product_no":"2024031221684",
     "product_name":"CABLE ASSY","unit":"Piece","count":3,"unit_price":"33.3333","cost_amount":100,"other_cost":0,
     "vat_rate":0,"tax_refund_rate":15,"is_sub_product":0,"6936878031302":""}
    """#,
    #"""
    {"unique_id":"5203556548","product_no":"A-7","unit":"Set","count":"7000","unit_price":0.1428,
     "cost_amount":"1000.00","other_cost":"0","vat_rate":"","is_sub_product":"0"}
    """#,
    #"""
    {"unique_id":5203556549,"product_no":"B 9","unit":"Kilogram","count":"12.5","unit_price":98.7648,
     "cost_amount":1234.56,"other_cost":0,"vat_rate":"13"}
    """#,
    #"""
    {"unique_id":5203556550,"product_no":"2024031221684","unit":"","count":0.3333,"unit_price":"0.3",
     "cost_amount":"0.10","other_cost":0,"vat_rate":null}
    """#,
    #"""
    {"unique_id":5203556551,"product_no":88001,"unit":"Carton","count":"1","unit_price":"123456789012345.67",
     "cost_amount":123456789012345.67,"other_cost":0,"vat_rate":6}
    """#,
  ]

  /// The order, with texts of it replaced; each of them must stand in it.
  static func text(lines: [String] = lines, _ changes: (String, String)...) -> String {
    var text = "{\(head),\"product_list\":[\(lines.joined(separator: ","))]}"
    for (old, new) in changes {
      precondition(text.contains(old), "the sample does not hold \(old)")
      text = text.replacing(old, with: new)
    }
    return text
  }

  /// An order in yuan, dated on a leap day.
  static let yuan = #"""
    {"order_id":"52035565020014","order_no":20240130001,"account_date":"2024-02-29","currency":"CNY",
     "exchange_rate":"100","amount":349.99,"addition_cost_amount":"0.00","company_id":"3448551934","company":[],
     "shipment_deadline":"1970-01-01 00:00:00","product_list":[
      {"product_no":"P1","unit":"Pair","count":"9","cost_amount":"250.00","vat_rate":13},
      {"product_no":"P2","unit":"Piece","count":2.5,"cost_amount":99.99,"vat_rate":"9"}]}
    """#
}
