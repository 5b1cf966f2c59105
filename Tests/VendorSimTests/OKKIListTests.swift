import JSON
import Testing

@testable import VendorStage

@Suite("OKKI order/list", .timeLimit(.minutes(2)))
struct OKKIListTests {
  private let path = "/v1/invoices/order/list"

  private func page(_ desk: Desk, _ query: String) throws -> (count: Int64, ids: [Int64], items: [JSONValue]) {
    let reply = try desk.get("\(path)?\(query)").json()
    #expect(reply["code"]?.int64 == 200)
    let items = reply.at("data.list")?.list ?? []
    return (reply.at("data.count")?.int64 ?? -1, items.compactMap { $0["order_id"]?.int64 }, items)
  }

  private func encoded(_ time: String) -> String { time.replacing(" ", with: "%20") }

  @Test("start_index is a page number from 1, count is the size, data.count the number of all")
  func pages() async throws {
    try await withOKKI { desk in
      let first = try page(desk, "count=25&start_index=1")
      let second = try page(desk, "count=25&start_index=2")
      let third = try page(desk, "count=25&start_index=3")
      #expect([first.count, second.count, third.count] == [60, 60, 60])
      #expect([first.ids.count, second.ids.count, third.ids.count] == [25, 25, 10])
      #expect(Set(first.ids + second.ids + third.ids).count == 60)
      #expect(try page(desk, "count=25&start_index=4").ids.isEmpty)
      #expect(try page(desk, "").ids.count == 10)
    }
  }

  @Test("the newest comes first, equals by id; with newestFirst off the other way round")
  func order() async throws {
    try await withOKKI { desk in
      let all = try page(desk, "count=60")
      let keys = all.items.map { ($0["update_time"]?.string ?? "", $0["order_id"]?.int64 ?? 0) }
      #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 > $1 })
      try desk.sim("settings", #"{"newestFirst":false}"#)
      #expect(try page(desk, "count=60").ids == all.ids.reversed())
    }
  }

  @Test("both ends of the window belong to it, to the second")
  func window() async throws {
    try await withOKKI { desk in
      let all = try page(desk, "count=60").items
      let time = all[30]["update_time"]?.string ?? ""
      let same = all.filter { $0["update_time"]?.string == time }.count
      #expect(try page(desk, "start_time=\(encoded(time))&end_time=\(encoded(time))").count == Int64(same))
      let seconds = try #require(BeijingTime.seconds(time))
      let after = BeijingTime.text(seconds + 1)
      let older = try page(desk, "end_time=\(encoded(time))").count
      let newer = try page(desk, "start_time=\(encoded(after))").count
      #expect(older + newer == 60)
    }
  }

  @Test("a bare date as end includes its day, unless switched off")
  func bareEnd() async throws {
    try await withOKKI { desk in
      #expect(try page(desk, "start_time=2024-01-15&end_time=2024-01-15").count == 60)
      try desk.sim("settings", #"{"bareEndDateInclusive":false}"#)
      #expect(try page(desk, "start_time=2024-01-15&end_time=2024-01-15").count == 0)
    }
  }

  @Test("all generated orders were updated within the hour before the start")
  func oneWindow() async throws {
    try await withOKKI { desk in
      let from = encoded(BeijingTime.text(noon - 3_600))
      let to = encoded(BeijingTime.text(noon - 60))
      let hour = try page(desk, "start_time=\(from)&end_time=\(to)")
      #expect(hour.count == 60)
    }
  }

  @Test("a page above the cap is clamped, or refused when switched so")
  func cap() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"pageCap":20}"#)
      #expect(try page(desk, "count=500").ids.count == 20)
      try desk.sim("settings", #"{"oversizePage":"error"}"#)
      #expect(try desk.get("\(path)?count=500").json()["code"]?.int64 == 400)
    }
  }

  @Test("items carry no lines and no status; the switch adds the status")
  func itemShape() async throws {
    try await withOKKI { desk in
      let item = try page(desk, "count=1").items[0]
      #expect(item["product_list"] == nil)
      #expect(item["status"] == nil)
      #expect(item.at("users.0.rate")?.kind == .string)
      #expect(item["account_date"]?.string?.count == 10)
      try desk.sim("settings", #"{"listIncludesStatus":true,"countAsString":true,"successCode":0}"#)
      let reply = try desk.get("\(path)?count=1").json()
      #expect(reply.at("data.list.0.status")?.int64 == OrderMaker.confirmed)
      #expect(reply.at("data.count")?.string == "60")
      #expect(reply["code"]?.int64 == 0)
    }
  }

  @Test("removed=1 shows only deleted orders, and time_type=4 goes by the time of deletion")
  func removed() async throws {
    try await withOKKI { desk in
      let id = OrderMaker.firstID + 21
      try desk.sim("clock", #"{"advance_seconds":100}"#)
      #expect(try desk.post("/v1/invoices/order/remove?order_id=\(id)", "").json()["code"]?.int64 == 200)
      #expect(try page(desk, "").count == 59)
      #expect(try page(desk, "removed=1").ids == [id])
      let now = encoded(BeijingTime.text(noon + 100))
      #expect(try page(desk, "removed=1&time_type=4&start_time=\(now)&end_time=\(now)").ids == [id])
      #expect(try page(desk, "removed=1&time_type=4&end_time=\(encoded(BeijingTime.text(noon + 99)))").count == 0)
      try desk.sim("settings", #"{"removedShowsOnlyDeleted":false}"#)
      #expect(try page(desk, "removed=1").count == 60)
    }
  }

  @Test("status filters by one or several ids, 0 filters nothing")
  func status() async throws {
    try await withOKKI { desk in
      #expect(try page(desk, "status=0").count == 60)
      #expect(try page(desk, "status=1").count == 0)
      #expect(try page(desk, "status=1,\(OrderMaker.confirmed)").count == 60)
      try desk.sim("settings", #"{"statusZeroIsNoFilter":false}"#)
      #expect(try page(desk, "status=0").count == 0)
    }
  }

  @Test("approval=1 shows approved orders only")
  func approval() async throws {
    try await withOKKI { desk in
      #expect(try desk.post("/v1/invoices/order/push", #"{"order_no":"NEW-1"}"#).json()["code"]?.int64 == 200)
      #expect(try page(desk, "approval=0").count == 61)
      #expect(try page(desk, "approval=1").count == 60)
      try desk.sim("settings", #"{"approvalFiltersApproved":false}"#)
      #expect(try page(desk, "approval=1").count == 61)
    }
  }

  @Test("pages are worked out anew: an order updated meanwhile jumps to page 1 and pushes the others on")
  func shifting() async throws {
    try await withOKKI { desk in
      let first = try page(desk, "count=10&start_index=1").ids
      let last = try page(desk, "count=10&start_index=6").ids
      try desk.sim("orders", #"{"touch":\#(last[9])}"#)
      #expect(try page(desk, "count=10&start_index=1").ids == [last[9]] + first.dropLast())
      #expect(try page(desk, "count=10&start_index=2").ids.first == first.last)
      let closed = encoded(BeijingTime.text(noon - 1))
      #expect(try page(desk, "end_time=\(closed)").count == 59)
    }
  }

  @Test("many touched orders keep the index in order")
  func manyTouches() async throws {
    try await withOKKI { desk in
      var chance = Chance(seed: 3)
      for _ in 0..<200 {
        try desk.sim("clock", #"{"advance_seconds":\#(chance.below(3) - 1)}"#)
        try desk.sim("orders", #"{"touch":\#(OrderMaker.firstID + Int64(chance.below(60)) * 7)}"#)
      }
      let items = try page(desk, "count=60").items
      let keys = items.map { ($0["update_time"]?.string ?? "", $0["order_id"]?.int64 ?? 0) }
      #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 > $1 })
      #expect(Set(keys.map(\.1)).count == 60)
    }
  }

  @Test("a time that is none and an unknown time_type are refused")
  func badQuery() async throws {
    try await withOKKI { desk in
      for query in ["start_time=yesterday", "time_type=9"] {
        let reply = try desk.get("\(path)?\(query)").json()
        #expect(reply["code"]?.int64 == 400)
      }
    }
  }
}
