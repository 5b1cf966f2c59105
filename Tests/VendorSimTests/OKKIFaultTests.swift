import JSON
import Testing

@testable import VendorStage

@Suite("OKKI faults", .timeLimit(.minutes(2)))
struct OKKIFaultTests {
  private let info = "/v1/invoices/order/info?order_id=\(OrderMaker.firstID)"

  @Test(
    "a fault with next = 1 strikes the next request and no other",
    arguments: [
      (OKKIFault.serverError, 502), (.limited, 429), (.accessDenied, 401), (.tokenRevoked, 401), (.missingScope, 403),
    ])
  func statusFaults(fault: OKKIFault, status: Int) async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"\#(fault.rawValue)":{"next":1}}"#)
      #expect(try desk.get(info).status == status)
      desk.headers = [try "Authorization: Bearer \(okkiToken(desk))"]
      #expect(try desk.get(info).status == 200)
      #expect(try desk.stats().at("faults.\(fault.rawValue)")?.int64 == 1)
    }
  }

  @Test("dropped closes the connection without a byte")
  func dropped() async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"dropped":{"next":1}}"#)
      #expect(throws: LinkFailure.self) { try desk.get(info) }
      try desk.reconnect()
      #expect(try desk.get(info).status == 200)
    }
  }

  @Test("truncated is a whole reply with half a document; empty_body is 200 with nothing")
  func spoiltBodies() async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"truncated":{"next":1}}"#)
      let cut = try desk.get(info)
      #expect(cut.status == 200 && !cut.body.isEmpty)
      #expect(throws: JSONError.self) { try JSONDocument(cut.body) }
      try desk.sim("faults", #"{"empty_body":{"next":1}}"#)
      let empty = try desk.get(info)
      #expect(empty.status == 200 && empty.body.isEmpty)
    }
  }

  @Test("business_error is HTTP 200 with a code that says no")
  func businessError() async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"business_error":{"next":1}}"#)
      let answer = try desk.get(info)
      #expect(answer.status == 200)
      #expect(try answer.json()["code"]?.int64 == 500)
    }
  }

  @Test("slow is answered all the same")
  func slow() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"slowMilliseconds":20}"#)
      try desk.sim("faults", #"{"slow":{"next":1}}"#)
      #expect(try desk.get(info).status == 200)
      #expect(try desk.get("/_sim/journal?last=1").json().at("entries.0.fault")?.string == "slow")
    }
  }

  @Test("changed_between edits the order before its first look, and the book follows")
  func changedBetween() async throws {
    try await withOKKI { desk in
      let listed = try desk.get("/v1/invoices/order/list?count=60").json().at("data.list")?.list
        .first { $0["order_id"]?.int64 == OrderMaker.firstID }
      try desk.sim("clock", #"{"advance_seconds":7}"#)
      try desk.sim("faults", #"{"changed_between":1}"#)
      let first = try desk.get(info).json()
      #expect(first.at("data.update_time")?.string == BeijingTime.text(noon + 7))
      #expect(first.at("data.update_time")?.string != listed?["update_time"]?.string)
      #expect(first.at("data.product_list")?.count == 4)
      #expect(try desk.get(info).json().at("data.product_list")?.count == 4)
      let book = try desk.get("/_sim/orders?count=1").json()
      #expect(book.at("orders.0.bill.lines")?.count == 4)
    }
  }

  @Test("changed_silently edits without moving update_time")
  func changedSilently() async throws {
    try await withOKKI { desk in
      let before = try desk.get(info).json().at("data.update_time")?.string
      try desk.sim("clock", #"{"advance_seconds":7}"#)
      try desk.sim("orders", #"{"touch_silently":\#(OrderMaker.firstID)}"#)
      let after = try desk.get(info).json()
      #expect(after.at("data.update_time")?.string == before)
      #expect(after.at("data.product_list")?.count == 4)
    }
  }

  @Test("mend_silently gives an order its product number without moving update_time, and no order that has it")
  func mendedSilently() async throws {
    try await withOKKI({ $0.unmappable = 100 }) { desk in
      func orders() throws -> [JSONValue] {
        Array(try #require(try desk.get("/_sim/orders").json()["orders"]).elements)
      }
      let bad = try #require(try orders().first { $0["reason"]?.string == "material_missing" }?["id"]?.int64)
      let other = try #require(try orders().first { $0["reason"]?.string == "division_by_zero" }?["id"]?.int64)
      let info = "/v1/invoices/order/info?order_id=\(bad)"
      let before = try desk.get(info).json().at("data.update_time")?.string
      try desk.sim("clock", #"{"advance_seconds":7}"#)
      try desk.sim("orders", #"{"mend_silently":\#(bad)}"#)
      #expect(try desk.get(info).json().at("data.update_time")?.string == before)
      #expect(try orders().first { $0["id"]?.int64 == bad }?["fate"]?.string == "load")
      #expect(try desk.post("/_sim/orders", #"{"mend_silently":\#(other)}"#).status == 400)
    }
  }

  @Test("deleted_between answers code 404 and the order is in the removed list")
  func deletedBetween() async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"deleted_between":{"next":1}}"#)
      #expect(try desk.get(info).json()["code"]?.int64 == 404)
      let removed = try desk.get("/v1/invoices/order/list?removed=1").json()
      #expect(removed.at("data.list.0.order_id")?.int64 == OrderMaker.firstID)
      #expect(try desk.get("/_sim/orders?count=1").json().at("orders.0.fate")?.string == "removed")
    }
  }

  @Test("shifting touches an order of the window while its pages are read")
  func shifting() async throws {
    try await withOKKI { desk in
      let end = BeijingTime.text(noon - 1).replacing(" ", with: "%20")
      try desk.sim("faults", #"{"shifting":{"next":1}}"#)
      _ = try desk.get("/v1/invoices/order/list?end_time=\(end)")
      #expect(try desk.get("/v1/invoices/order/list?end_time=\(end)").json().at("data.count")?.int64 == 59)
    }
  }

  @Test("the rate limit refuses in three forms and refills with the clock")
  func rateLimit() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"rateLimit":true,"rateBurst":2,"ratePerSecond":1,"retryAfterSeconds":3}"#)
      #expect(try desk.get(info).status == 200)
      #expect(try desk.get(info).status == 200)
      let refusal = try desk.get(info)
      #expect(refusal.status == 429)
      #expect(refusal[header: "retry-after"] == "3")
      try desk.sim("settings", #"{"limitForm":"code429"}"#)
      let soft = try desk.get(info)
      #expect(soft.status == 200)
      #expect(try soft.json()["message"]?.string == "请求过于频繁")
      try desk.sim("settings", #"{"limitForm":"http503"}"#)
      #expect(try desk.get(info).status == 503)
      try desk.sim("clock", #"{"advance_seconds":1}"#)
      #expect(try desk.get(info).status == 200)
    }
  }

  @Test(
    "a refusal says when to come again in every form there is",
    arguments: [
      ("seconds", nil, "3"), ("date", "Mon, 15 Jan 2024 04:00:00 GMT", "Mon, 15 Jan 2024 04:00:03 GMT"),
      ("past", "Mon, 15 Jan 2024 04:00:00 GMT", "Mon, 15 Jan 2024 03:00:00 GMT"), ("absent", nil, nil),
      ("words", nil, "in a moment"),
    ] as [(String, String?, String?)])
  func retryAfterForms(form: String, date: String?, told: String?) async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"retryAfterSeconds":3,"retryAfterForm":"\#(form)","dateSkewSeconds":7200}"#)
      try desk.sim("faults", #"{"limited":{"next":1}}"#)
      let refusal = try desk.get(info)
      #expect(refusal.status == 429)
      #expect(refusal[header: "date"] == date && refusal[header: "retry-after"] == told)
    }
  }

  @Test("the cap per minute holds beside the bucket")
  func perMinute() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"rateLimit":true,"rateBurst":100,"ratePerSecond":100,"ratePerMinute":3}"#)
      for _ in 0..<3 { #expect(try desk.get(info).status == 200) }
      #expect(try desk.get(info).status == 429)
      try desk.sim("clock", #"{"advance_seconds":60}"#)
      #expect(try desk.get(info).status == 200)
    }
  }

  @Test("clock skew shows in `now` only")
  func skew() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"clockSkewSeconds":-90}"#)
      #expect(try desk.get(info).json()["now"]?.string == BeijingTime.text(noon - 90))
    }
  }

  @Test("a row of a list is no JSON when the switch says so")
  func spoiltRow() async throws {
    try await withOKKI { desk in
      let list = "/v1/invoices/order/list?count=5"
      #expect(try !desk.get(list).text.contains(#"\ud83d""#))
      try desk.sim("settings", #"{"spoiltRowEvery":1}"#)
      #expect(try desk.get(list).text.contains(#","remark":"\ud83d"}"#))
    }
  }

  @Test("one row of a list, of orders or of companies, makes its page unreadable or huge when a switch names it")
  func spoiltPages() async throws {
    try await withOKKI { desk in
      for (list, name) in [("/v1/invoices/order/list", "order_id"), ("/v1/company/list", "company_id")] {
        let rows = try desk.get("\(list)?count=5").json().at("data.list")
        let id = try #require(rows.flatMap { Array($0.elements).dropFirst().first?[name]?.text })
        try desk.sim("settings", #"{"strayQuoteEvery":\#(id)}"#)
        #expect(throws: JSONError.self) { try JSONDocument(desk.get("\(list)?count=5").body) }
        // The first row alone is as ever.
        #expect(try desk.get("\(list)?count=1").json().at("data.list")?.count == 1)
        try desk.sim("settings", #"{"strayQuoteEvery":0,"hugeRowEvery":\#(id)}"#)
        #expect(try desk.get("\(list)?count=5").body.count > 8 << 20)
        #expect(try desk.get("\(list)?count=1").body.count < 8 << 10)
        try desk.sim("settings", #"{"hugeRowEvery":0}"#)
      }
    }
  }

  @Test("an unknown setting or fault is refused with the known ones, and nothing of the request is done")
  func unknownNames() async throws {
    try await withOKKI { desk in
      let setting = try desk.post("/_sim/settings", #"{"pageCap":7,"pageCup":7}"#)
      #expect(setting.status == 400)
      #expect(setting.text.contains("pageCup: no such name; known are strictTypes"))
      #expect(try desk.get("/_sim/settings").json()["pageCap"]?.int64 == 500)
      let fault = try desk.post("/_sim/faults", #"{"dropped":1,"exploded":1}"#)
      #expect(fault.status == 400)
      #expect(fault.text.contains("exploded: no such fault; known are server_error"))
      #expect(try desk.get("/_sim/faults").json().at("dropped.probability")?.numberText == "0.0")
      #expect(try desk.post("/_sim/faults", #"{"dropped":1.5}"#).status == 400)
      #expect(try desk.post("/_sim/faults", #"{"profile":"hurricane"}"#).status == 400)
    }
  }

  @Test("a profile sets all its faults, and reset starts the books anew")
  func profiles() async throws {
    try await withOKKI { desk in
      try desk.sim("faults", #"{"profile":"storm"}"#)
      let storm = try desk.get("/_sim/faults").json()
      #expect(storm["profile"]?.string == "storm")
      #expect(storm.at("dropped.probability")?.numberText == "0.02")
      try desk.sim("faults", #"{"profile":"off"}"#)
      try desk.sim("orders", #"{"add":5,"remove":\#(OrderMaker.firstID)}"#)
      #expect(try desk.stats()["orders"]?.int64 == 65)
      // The demo takes these off what must arrive, or it would wait for them for ever.
      #expect(try desk.stats()["removed"]?.int64 == 1)
      try desk.sim("reset", "")
      #expect(try desk.stats()["orders"]?.int64 == 60)
      #expect(try desk.get(info).status == 401)
    }
  }
}

@Suite("Fault plan", .timeLimit(.minutes(2)))
struct FaultPlanTests {
  private func hits(_ keys: [String], seed: UInt64) -> Set<String> {
    var plan = FaultPlan<OKKIFault>(seed: seed)
    plan.set([.dropped: 0.3])
    return Set(keys.filter { plan.strikes(.dropped, plan.draw("info", key: $0)) })
  }

  @Test("the same requests are struck however they arrive")
  func orderOfArrival() {
    let keys = (0..<500).map { "order \($0)" }
    let forward = hits(keys, seed: 9)
    #expect(forward == hits(keys.reversed(), seed: 9))
    #expect(forward != hits(keys, seed: 10))
    #expect((100...200).contains(forward.count))
  }

  @Test("a second attempt at the same request is drawn anew, and the same in every run")
  func attempts() {
    let draw = { () -> [Bool] in
      var plan = FaultPlan<OKKIFault>(seed: 4)
      plan.set([.dropped: 0.5])
      return (0..<64).map { _ in plan.strikes(.dropped, plan.draw("info", key: "1")) }
    }
    #expect(draw() == draw())
    #expect(Set(draw()) == [true, false])
  }

  @Test("every and match strike by count and by key")
  func everyAndMatch() throws {
    var plan = FaultPlan<OKKIFault>(seed: 4)
    let wish = try JSONDocument([UInt8](#"{"dropped":{"every":3,"match":"7"}}"#.utf8)).root
    #expect(plan.change(wish).isEmpty)
    let struck = (0..<100).filter { plan.strikes(.dropped, plan.draw("info", key: "\($0)")) }
    #expect(struck.prefix(3) == [27, 57, 71])
  }
}
