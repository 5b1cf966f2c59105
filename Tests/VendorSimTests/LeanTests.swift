import JSON
import Testing

@testable import VendorStage

@Suite("The lean stand-ins", .timeLimit(.minutes(2)))
struct LeanTests {
  private func withOKKI(_ orders: Int, _ body: (Desk) throws -> Void) async throws {
    var plan = LeanPlan()
    plan.orders = orders
    plan.companies = 3
    let server = try await Stage.leanOKKI(plan, host: "127.0.0.1", port: 0)
    do { try body(try Desk(server)) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  private func withK3(_ body: (Desk) throws -> Void) async throws {
    let server = try await Stage.leanK3(latencyMilliseconds: 0, host: "127.0.0.1", port: 0)
    do { try body(try Desk(server)) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  private let list = "/v1/invoices/order/list?start_index="

  @Test("order/list pages through all orders, the newest first, and order/info has each")
  func orders() async throws {
    try await withOKKI(11) { desk in
      let pages = try (1...4).map { try desk.get("\(list)\($0)&count=4").json() }
      #expect(pages.allSatisfy { $0.at("data.count")?.int64 == 11 })
      let rows = pages.flatMap { $0.at("data.list")?.list ?? [] }
      #expect(rows.count == 11)
      #expect(Set(rows.compactMap { $0["order_no"]?.string }).count == 11)
      let times = rows.compactMap { $0["update_time"]?.string }
      #expect(times == times.sorted(by: >) && Set(times).count == 3)
      for row in rows {
        let order = try desk.get("/v1/invoices/order/info?order_id=\(row["order_id"]?.int64 ?? 0)").json()
        #expect(order.at("data.order_no")?.string == row["order_no"]?.string)
        let lines = order.at("data.product_list")?.list ?? []
        let cents = lines.compactMap { $0["cost_amount"]?.text }.map { Int($0.filter { $0 != "." }) ?? 0 }
        #expect(lines.count == 5)
        #expect(order.at("data.amount")?.text?.filter { $0 != "." } == "\(cents.reduce(0, +))")
      }
      #expect(try desk.get("/v1/invoices/order/info?order_id=1").json()["code"]?.int64 == 404)
    }
  }

  @Test("both ends of a window belong to it, and nothing is removed")
  func window() async throws {
    try await withOKKI(11) { desk in
      let all = try desk.get("\(list)1&count=11").json().at("data.list")?.list ?? []
      let time = (all[5]["update_time"]?.string ?? "").replacing(" ", with: "%20")
      let second = try desk.get("\(list)1&count=11&start_time=\(time)&end_time=\(time)").json()
      let shown = (second.at("data.list")?.list ?? []).compactMap { $0["order_id"]?.int64 }
      #expect(shown == all[4..<8].compactMap { $0["order_id"]?.int64 })
      #expect(try desk.get("\(list)1&count=11&start_time=\(time)").json().at("data.count")?.int64 == 8)
      #expect(try desk.get("\(list)1&count=11&end_time=\(time)").json().at("data.count")?.int64 == 7)
      #expect(try desk.get("\(list)1&removed=1").json().at("data.count")?.int64 == 0)
    }
  }

  @Test("company/list has the companies that orders name")
  func companies() async throws {
    try await withOKKI(5) { desk in
      let rows = try desk.get("/v1/company/list?count=500&start_index=1").json().at("data.list")?.list ?? []
      let ids = Set(rows.compactMap { $0["company_id"]?.int64 })
      #expect(ids.count == 3)
      let orders = try desk.get("\(list)1&count=5").json().at("data.list")?.list ?? []
      let named = Set(orders.compactMap { $0["company_id"]?.int64 })
      #expect(named == ids)
    }
  }

  @Test("a bill number is taken once, found afterwards, and forgotten by a reset; the journal tells when")
  func bills() async throws {
    try await withK3 { desk in
      let bill = #"{"Data":{"Page1":[{"FBillNo":"SO-1"}]}}"#
      #expect(try desk.post("/K3API/SO/Save?Token=x", bill).json()["StatusCode"]?.int64 == 200)
      #expect(try desk.post("/K3API/SO/Save?Token=x", bill).json()["StatusCode"]?.int64 == 201)
      let filter = #"{"Data":{"Filter":"[FBillNo] = 'SO-1'"}}"#
      #expect(try desk.post("/K3API/SO/GetList?Token=x", filter).json().at("Data.DATA.0.FBillNo")?.string == "SO-1")
      let journal = try desk.get("/_lean/journal").text.split(separator: " ")
      #expect(journal.first == "SO-1" && journal.count == 2)
      _ = try desk.post("/_admin/reset", "{}")
      #expect(try desk.get("/_lean").json()["bills"]?.int64 == 0)
      #expect(try desk.post("/K3API/SO/Save?Token=x", bill).json()["StatusCode"]?.int64 == 200)
    }
  }

  @Test("requests that come in pieces or together are answered in their order")
  func pieces() async throws {
    try await withK3 { desk in
      func save(_ number: String) -> [UInt8] {
        let body = #"{"FBillNo":"\#(number)"}"#
        return [UInt8]("POST /K3API/SO/Save HTTP/1.1\r\ncontent-LENGTH: \(body.utf8.count)\r\n\r\n\(body)".utf8)
      }
      let first = save("A")
      for byte in first { try desk.link.send([byte]) }
      #expect(try desk.link.receive().json().at("Data.BillNo")?.string == "A")
      try desk.link.send(save("B") + save("C") + save("D").dropLast(3))
      #expect(try desk.link.receive().json().at("Data.BillNo")?.string == "B")
      #expect(try desk.link.receive().json().at("Data.BillNo")?.string == "C")
      try desk.link.send(Array(save("D").suffix(3)))
      #expect(try desk.link.receive().json().at("Data.BillNo")?.string == "D")
    }
  }
}
