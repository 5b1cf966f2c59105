import JSON
import Testing

@testable import VendorStage

@Suite("OKKI orders", .timeLimit(.minutes(2)))
struct OKKIOrderTests {
  private func info(_ desk: Desk, _ index: Int) throws -> JSONValue {
    let reply = try desk.get("/v1/invoices/order/info?order_id=\(OrderMaker.firstID + Int64(index) * 7)").json()
    return try #require(reply["data"])
  }

  @Test("an order is found by id and by number; an unknown one is code 404 with HTTP 200")
  func finding() async throws {
    try await withOKKI { desk in
      let byID = try info(desk, 5)
      let number = byID["order_no"]?.string ?? ""
      let byNumber = try desk.get("/v1/invoices/order/info?order_no=\(number)").json()
      #expect(byNumber.at("data.order_id")?.int64 == byID["order_id"]?.int64)
      let unknown = try desk.get("/v1/invoices/order/info?order_id=1")
      #expect(unknown.status == 200)
      #expect(try unknown.json()["code"]?.int64 == 404)
      #expect(try unknown.json()["message"]?.string == "Not Found Resource")
    }
  }

  @Test("types are as dirty as in the vendor's recorded example, or strict when switched")
  func dirtyTypes() async throws {
    try await withOKKI { desk in
      let dirty = try info(desk, 1)
      #expect(dirty["company_id"]?.kind == .number)
      #expect(dirty.at("users.0.user_id")?.kind == .string)
      #expect(dirty.at("users.0.rate")?.kind == .number)
      #expect(dirty.at("product_list.0.product_id")?.kind == .string)
      #expect(dirty.at("product_list.0.sku_id")?.kind == .number)
      #expect(dirty["quotation_info"]?.kind == .array)
      #expect(dirty["account_date"]?.string?.hasSuffix(" 00:00:00") == true)
      #expect(dirty["1101060384"] != nil)
      let counts = try (0..<60).flatMap { try info(desk, $0)["product_list"]?.list ?? [] }.compactMap {
        $0["count"]?.kind
      }
      #expect(counts.contains(.string) && counts.contains(.number))
      try desk.sim("settings", #"{"strictTypes":true}"#)
      let strict = try info(desk, 1)
      #expect(strict["company_id"]?.kind == .string)
      #expect(strict.at("users.0.rate")?.string == "100%")
      let plain = try (0..<60).flatMap { try info(desk, $0)["product_list"]?.list ?? [] }.compactMap {
        $0["count"]?.kind
      }
      #expect(!plain.contains(.string))
    }
  }

  @Test("compact orders of five lines are about 2 KB, full ones show the fields of the reference")
  func sizes() async throws {
    try await withOKKI { desk in
      let size = try info(desk, 1).rawBytes.count
      #expect((1_700...2_500).contains(size))
      try desk.sim("settings", #"{"detail":"full"}"#)
      let full = try info(desk, 1)
      for name in ["link_status", "departments", "handler", "file_list", "ali_status_info", "tax_refund_type"] {
        #expect(full[name] != nil)
      }
      #expect(full.at("product_list.0.tax_refund_rate")?.int64 == 15)
    }
  }

  @Test("the traps are there: repeating decimals, double products, other cost, several currencies, text beyond the BMP")
  func traps() async throws {
    try await withOKKI({ $0.orders = 300 }) { desk in
      let orders = try (0..<300).map { try info(desk, $0) }
      let lines = orders.map { $0["product_list"]?.list ?? [] }
      let repeating = lines.joined().contains { line in
        guard let amount = line["cost_amount"]?.text.flatMap({ ExactDecimal($0) }),
          let count = line["count"]?.text.flatMap({ ExactDecimal($0) }), !count.isZero,
          let price = try? amount.divided(by: count), let back = try? price.rounded(scale: 12).multiplied(by: count)
        else { return false }
        return back != amount
      }
      #expect(repeating)
      #expect(lines.contains { Set($0.compactMap { $0["product_no"]?.string }).count < $0.count })
      #expect(lines.joined().contains { $0["other_cost"]?.text != "0" })
      #expect(Set(orders.compactMap { $0["currency"]?.string }).count == Catalogue.currencies.count)
      #expect(Set(orders.compactMap { $0["exchange_rate"]?.kind }) == [.string, .number])
      #expect(orders.contains { ($0["remark"]?.string ?? "").unicodeScalars.contains { $0.value > 0xFFFF } })
      #expect(lines.joined().contains { $0["unit"]?.string == "" })
    }
  }

  @Test("the same seed makes the same orders, another seed others")
  func determinism() {
    var plan = OKKIPlan()
    plan.orders = 50
    plan.unmappable = 10
    plan.now = noon
    let book = { (plan: OKKIPlan) in
      OKKISite(plan).admin(Request(method: "GET", path: "/_sim/orders")).body
    }
    let first = book(plan)
    #expect(first == book(plan))
    plan.seed = 2
    #expect(first != book(plan))
    plan.seed = 1
    plan.now = noon + 86_400 * 400
    let site = OKKISite(plan)
    #expect((0..<50).allSatisfy { site.store[$0].number == OKKISite(plan).store[$0].number })
  }

  @Test("the fates worked out from the text are those that were planted, every kind of defect among them")
  func fates() async throws {
    try await withOKKI({
      $0.orders = 200
      $0.unmappable = 10
    }) { desk in
      let book = try desk.get("/_sim/orders?count=5000").json()
      let stats = try desk.stats()
      var parked: [String: Int64] = [:]
      var load: Int64 = 0
      for order in book["orders"]?.list ?? [] {
        if let reason = order["reason"]?.string { parked[reason, default: 0] += 1 } else { load += 1 }
      }
      #expect(load == 180)
      #expect(stats["expected_load"]?.int64 == load)
      #expect(parked == ["customer_unmapped": 8, "division_by_zero": 4, "material_missing": 4, "amount_mismatch": 4])
      for (reason, count) in parked { #expect(stats["expected_park"]?[reason]?.int64 == count) }
    }
  }

  @Test("companies: the nameless are listed with an empty number, the hidden one is nowhere")
  func companies() async throws {
    try await withOKKI { desk in
      let reply = try desk.get("/v1/company/list?count=100").json()
      #expect(reply.at("data.totalItem")?.int64 == 23)
      let list = reply.at("data.list")?.list ?? []
      #expect(list.filter { $0["serial_id"]?.string == "" }.count == 3)
      let hidden = OrderMaker.companyBase + 40_000
      #expect(!list.contains { $0["company_id"]?.int64 == hidden })
      #expect(try desk.get("/v1/company/info?company_id=\(hidden)").json()["code"]?.int64 == 404)
      let one = try desk.get("/v1/company/info?serial_id=C00003").json()
      #expect(one.at("data.company_id")?.int64 == OrderMaker.companyBase + 3)
      #expect(
        try desk.get("/v1/company/query?word=C00003&search_field=serial_id").json().at("data.totalItem")?.int64 == 1)
      let second = try desk.get("/v1/company/list?count=20&start_index=2").json()
      #expect(second.at("data.list")?.count == 3)
    }
  }

  @Test("push edits and creates; lines without both ids are dropped without a word; it touches update_time")
  func pushing() async throws {
    try await withOKKI { desk in
      let number = try info(desk, 2)["order_no"]?.string ?? ""
      try desk.sim("clock", #"{"advance_seconds":60}"#)
      let reply = try desk.post(
        "/v1/invoices/order/push",
        """
        {"order_no":"\(number)","status":5,"1101060384":"K3-77","product_list":[
        {"product_id":"3495743002","sku_id":3495743003,"product_no":"202400001","count":"3","cost_amount":100,"unit":"Piece"},
        {"product_id":"3495743002","product_no":"202400001","count":"3","cost_amount":100}]}
        """
      ).json()
      #expect(reply.at("data.product_list")?.count == 1)
      #expect(reply.at("data.1101060384")?.string == "K3-77")
      #expect(reply.at("data.status")?.int64 == OrderMaker.confirmed)
      #expect(reply.at("data.update_time")?.string == BeijingTime.text(noon + 60))
      #expect(reply.at("data.amount")?.numberText == "100")
      let created = try desk.post("/v1/invoices/order/push", #"{"name":"neu"}"#).json()
      #expect(created.at("data.order_no")?.string?.hasPrefix("SO-NEW-") == true)
      #expect(try desk.stats()["orders"]?.int64 == 61)
    }
  }

  @Test(
    "every other endpoint answers",
    arguments: [
      ("/v1/invoices/order/orderEnums", "data.order_status_list"), ("/v1/invoices/order/fields", "data.0.id"),
      ("/v1/product/list", "data.list"), ("/v1/product/info?product_no=202400007", "data.product_id"),
      ("/v1/user/list", "data.0.employee_no"), ("/v1/user/departmentList", "data.0.department_id"),
    ])
  func others(path: String, member: String) async throws {
    try await withOKKI { desk in
      let reply = try desk.get(path).json()
      #expect(reply.at(member) != nil)
    }
  }

  @Test("an unknown path is 404 with HTML")
  func unknownPath() async throws {
    try await withOKKI { desk in
      let answer = try desk.get("/v1/nothing")
      #expect(answer.status == 404)
      #expect(answer[header: "content-type"]?.hasPrefix("text/html") == true)
    }
  }

  @Test("webhook and subscription settings are kept")
  func webhooks() async throws {
    try await withOKKI { desk in
      let token = try desk.post("/v1/oauth2/access_token", okkiLogin + "&scope=webhook").json()["access_token"]?.string
      desk.headers = ["Authorization: Bearer \(token ?? "")"]
      #expect(try desk.get("/v1/webhook").json()["code"]?.int64 == 404)
      #expect(try desk.post("/v1/webhook", #"{"callback_url":"http://x"}"#).json().at("data.security_config") != nil)
      #expect(try desk.get("/v1/webhook").json().at("data.callback_url")?.string == "http://x")
      let wish = #"{"subscribe_type":"crm.order","subscribe_configs":[{"biz_type":"xiaoman.crm.order.create"}]}"#
      #expect(try desk.post("/v1/subscribe", wish).json()["code"]?.int64 == 200)
      let list = try desk.get("/v1/subscribe").json()
      #expect(list.at("data.list.0.subscribe_configs.0.biz_type")?.string == "xiaoman.crm.order.create")
      #expect(list.at("data.list.0.subscribe_type")?.string == "crm.order")
    }
  }
}
