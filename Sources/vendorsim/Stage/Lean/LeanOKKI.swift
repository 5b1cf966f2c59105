import NIOCore

/// How many orders a lean OKKI has.
public struct LeanPlan: Sendable {
  /// Orders, four a second of `update_time`, the newest an hour old.
  public var orders = 10_000
  /// Lines of an order.
  public var lines = 5
  /// Companies in company/list.
  public var companies = 300

  /// A plan.
  public init() {}
}

/// A lean OKKI. Orders are made of their place in the list, the newest first, so a million of them cost nothing; answers
/// for up to 100,000 are prepared.
final class LeanOKKI: LeanSite {
  private static let firstOrder = 5_203_556_502
  private static let firstCompany = 3_448_551_000
  private static let mostPrepared = 100_000
  private static let perSecond = 4
  private static let units = ["Piece", "Set", "Pair", "Carton"]
  private static let infoPath = "/v1/invoices/order/info?order_id="

  private let plan: LeanPlan
  /// When the newest order was changed.
  private let newest: Int
  private let number: String
  private var prepared: [LeanReply] = []
  private var calls = 0
  private var firstCall = 0

  init(_ plan: LeanPlan) {
    self.plan = plan
    newest = epochSeconds() - 3_600
    number = "SO" + BeijingTime.date(newest).dropFirst(2).filter { $0 != "-" } + "-"
    if plan.orders <= Self.mostPrepared { prepared = (0..<plan.orders).map(info) }
  }

  func answer(_ method: String, _ target: String, body: ByteBufferView) -> LeanReply {
    if target.hasPrefix("/_lean") { return admin(method, target) }
    calls += 1
    if calls == 1 { firstCall = monotonicNanoseconds() }
    if target.hasPrefix(Self.infoPath) {
      guard let id = Int(target.dropFirst(Self.infoPath.utf8.count)), id >= Self.firstOrder,
        (id - Self.firstOrder) % 7 == 0, (id - Self.firstOrder) / 7 < plan.orders
      else { return .json(#"{"code":404,"message":"Not Found Resource","data":[]}"#) }
      let place = (id - Self.firstOrder) / 7
      return prepared.isEmpty ? info(place) : prepared[place]
    }
    let cut = target.firstIndex(of: "?") ?? target.endIndex
    let query = Query(target[cut...].dropFirst())
    switch target[..<cut] {
    case "/v1/oauth2/access_token":
      return .json(#"{"token_type":"Bearer","expires_in":28800,"access_token":"lean"}"#)
    case "/v1/invoices/order/list": return list(query)
    case "/v1/company/list": return companies(query)
    default: return .missing
    }
  }

  private func admin(_ method: String, _ target: String) -> LeanReply {
    if method == "POST" { (calls, firstCall) = (0, 0) }
    return .json(#"{"orders":\#(plan.orders),"calls":\#(calls),"first_call_ns":\#(firstCall)}"#)
  }

  // MARK: Lists

  private func list(_ query: Query) -> LeanReply {
    let removed = query["removed"] == "1"
    let shown = removed ? 0..<0 : places(in: query)
    let (page, size) = paging(query)
    let first = min(shown.lowerBound + (page - 1) * size, shown.upperBound)
    let rows = (first..<min(first + size, shown.upperBound)).map { "{\(head($0))}" }
    return envelope(#""count":\#(shown.count),"list":[\#(rows.joined(separator: ","))]"#)
  }

  /// The orders whose time lies in the window, both ends included.
  private func places(in query: Query) -> Range<Int> {
    let from = query["start_time"].flatMap { BeijingTime.seconds($0) } ?? 0
    let to = query["end_time"].flatMap { BeijingTime.seconds($0, endOfDay: true) } ?? Int.max / 8
    let first = max(0, newest - to) * Self.perSecond
    let end = min(plan.orders, max(0, newest - from + 1) * Self.perSecond)
    return min(first, end)..<end
  }

  private func companies(_ query: Query) -> LeanReply {
    let from = query["start_time"].flatMap { BeijingTime.seconds($0) } ?? 0
    let count = from <= newest ? plan.companies : 0
    let (page, size) = paging(query)
    let first = min((page - 1) * size, count)
    let rows = (first..<min(first + size, count)).map {
      "{\(company($0)),\"short_name\":\"客户\($0)\",\"update_time\":\"\(BeijingTime.text(newest))\"}"
    }
    return envelope(#""totalItem":\#(count),"count":\#(rows.count),"list":[\#(rows.joined(separator: ","))]"#)
  }

  private func paging(_ query: Query) -> (page: Int, size: Int) {
    (max(1, query.whole("start_index") ?? 1), min(500, max(1, query.whole("count") ?? 10)))
  }

  private func envelope(_ data: String) -> LeanReply {
    .json(#"{"code":200,"message":"success","now":"\#(BeijingTime.text(epochSeconds()))","data":{\#(data)}}"#)
  }

  // MARK: Records

  private func company(_ index: Int) -> String {
    #""company_id":\#(Self.firstCompany + index),"serial_id":"C\#(padded(index, 5))","name":"示例客户\#(index) Ltd.""#
  }

  private func cents(_ place: Int, _ line: Int) -> Int { 1_000 + (place * 7_919 + line * 104_729) % 9_000_000 }

  private func amount(_ cents: Int) -> String { "\(cents / 100).\(padded(cents % 100, 2))" }

  /// What both lists and details show.
  private func head(_ place: Int) -> String {
    let time = BeijingTime.text(newest - place / Self.perSecond)
    let index = place % plan.companies
    let dollars = place % 3 != 0
    let sum = (0..<plan.lines).reduce(0) { $0 + cents(place, $1) }
    return #""order_id":\#(Self.firstOrder + place * 7),"order_no":"\#(number)\#(padded(place, 6))","name":"order \#(place)","#
      + #""account_date":"\#(time.prefix(10)) 00:00:00","currency":"\#(dollars ? "USD" : "CNY")","#
      + #""exchange_rate":\#(dollars ? "712.35" : "100"),"amount":\#(amount(sum)),"approval_status":2,"#
      + #""company_id":\#(Self.firstCompany + index),"company":{\#(company(index))},"#
      + #""users":[{"user_id":"11858712","rate":100,"nickname":"user"}],"remark":"","#
      + #""create_time":"\#(time)","update_time":"\#(time)""#
  }

  private func info(_ place: Int) -> LeanReply {
    let lines = (0..<plan.lines).map { line in
      let count = 3 + (place * 7 + line * 13) % 497
      let cents = cents(place, line)
      // Four decimals, half up: what OKKI shows of a price is rounded.
      let price = (cents * 100 + count / 2) / count
      return #"{"unique_id":\#(5_203_550_000_000 + place * 100 + line),"product_id":"\#(3_495_740_000 + line)","#
        + #""product_no":"2024\#(padded((place + line) % 1_000, 5))","product_name":"连接线 CABLE \#(line)","#
        + #""product_model":"670-00\#(line)","unit":"\#(Self.units[line % 4])","count":\#(count),"#
        + #""unit_price":\#(price / 10_000).\#(padded(price % 10_000, 4)),"cost_amount":\#(amount(cents)),"#
        + #""other_cost":0,"vat_rate":13,"product_type":1,"is_sub_product":0,"product_remark":""}"#
    }
    return envelope(
      head(place) + #","status":1101043688,"product_list":[\#(lines.joined(separator: ","))],"cost_list":[]"#)
  }
}
