import JSON
import Testing

@testable import VendorStage

@Suite("K/3 GetList", .timeLimit(.minutes(2)))
struct K3ListTests {
  /// Five bills SO-1 … SO-5 with one to five lines and quantities 10, 20, …
  private func fill(_ desk: Desk) throws {
    for number in 1...5 {
      let bill = BillText(
        number: "SO-\(number)", date: "2024-01-1\(number)", customer: #"{"FNumber":"C0000\#(number)"}"#,
        head: number == 3 ? #","FExplanation":"it's"# + #"""# : "", quantity: "\(number * 10)", lines: number)
      let reply = try desk.post("/K3API/SO/Save", bill.text).json()
      guard reply["StatusCode"]?.int64 == 200 else { throw LinkFailure("not saved: \(reply["Data"]?.string ?? "")") }
    }
  }

  private func list(_ desk: Desk, _ data: String) throws -> JSONValue {
    try desk.post("/K3API/SO/GetList", #"{"Data":{\#(data)}}"#).json()
  }

  private func numbers(_ desk: Desk, _ filter: String) throws -> [String] {
    let escaped = filter.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    let reply = try list(desk, #""PageSize":100,"SelectPage":1,"Fields":"FBillNo","Filter":"\#(escaped)""#)
    guard reply["StatusCode"]?.int64 == 200 else { return [reply["Message"]?.string ?? ""] }
    return reply.at("Data.DATA")?.list.compactMap { $0["FBillNo"]?.string } ?? []
  }

  @Test("one row per line, unless page 1 is selected; counts are rows")
  func rows() async throws {
    try await withK3 { desk in
      try fill(desk)
      let lines = try list(desk, #""PageSize":"4","PageIndex":"1","Fields":"FBillNo,Fauxqty""#)
      #expect(lines.at("Data.ROWCOUNT")?.int64 == 15)
      #expect(lines.at("Data.DATA")?.count == 4)
      #expect(lines.at("Data.PAGESIZE")?.int64 == 4)
      let last = try list(desk, #""PageSize":4,"PageIndex":4,"Fields":"FBillNo""#)
      #expect(last.at("Data.DATA")?.count == 3)
      let heads = try list(desk, #""PageSize":10,"SelectPage":"1","Fields":"FBillNo""#)
      #expect(heads.at("Data.ROWCOUNT")?.int64 == 5)
      #expect(try list(desk, #""PageSize":10,"Top":2,"SelectPage":1,"Fields":"*""#).at("Data.DATA")?.count == 2)
    }
  }

  @Test(
    "filters of the grammar",
    arguments: [
      ("[FBillNo]='SO-2'", ["SO-2"]), ("FBillNo = N'SO-2'", ["SO-2"]), ("[FBillNo] like '%-3'", ["SO-3"]),
      ("FBillNo like 'SO-[2-4]' and not FBillNo='SO-3'", ["SO-2", "SO-4"]), ("FBillNo like 'S__[^1-4]'", ["SO-5"]),
      ("1=1 and [Fdate] <= '2024-01-12'", ["SO-1", "SO-2"]), ("Fauxqty > 30 and Fauxqty<50", ["SO-4"]),
      ("FBillNo in ('SO-1','SO-5')", ["SO-1", "SO-5"]),
      ("FBillNo not in ('SO-1','SO-5') and FStatus=0", ["SO-2", "SO-3", "SO-4"]),
      ("FExplanation is null and FBillNo <> 'SO-1'", ["SO-2", "SO-4", "SO-5"]), ("FExplanation is not null", ["SO-3"]),
      ("FExplanation = 'it''s'", ["SO-3"]), ("FExplanation <> 'x'", ["SO-3"]), ("not FExplanation = 'x'", ["SO-3"]),
      ("(FBillNo='SO-1' or FBillNo='SO-2') and FCustID='C00002'", ["SO-2"]),
      ("FBillNo='SO-1' or FBillNo='SO-2' and FCustID='C00003'", ["SO-1"]), ("FBillNo='SO-9'", []),
      ("FBillNo != 'SO-1' AND Fdate >= '2024-01-14'", ["SO-4", "SO-5"]),
    ])
  func filters(filter: String, expected: [String]) async throws {
    try await withK3 { desk in
      try fill(desk)
      #expect(try numbers(desk, filter) == expected)
    }
  }

  @Test(
    "what is not of the grammar is 过滤条件错误",
    arguments: [
      "FBillNo", "FBillNo=", "FBillNo='SO-1", "FNothing='1'", "FBillNo='a' or", "FBillNo='1'; drop table SEOrder",
      "(FBillNo='1'",
      "FBillNo like 1", "FBillNo = 'a' 'b'", "FBillNo in ()", "exists (select 1)", "FBillNo='a' union", "-- x",
      "[FBillNo='1'",
      String(repeating: "(", count: 5_000),
    ])
  func badFilters(filter: String) async throws {
    try await withK3 { desk in
      try fill(desk)
      #expect(try numbers(desk, filter) == ["过滤条件错误"])
    }
  }

  @Test("rows are sorted as asked")
  func sorting() async throws {
    try await withK3 { desk in
      try fill(desk)
      let reply = try list(desk, #""PageSize":9,"SelectPage":1,"Fields":"FBillNo","OrderBy":"[Fdate] desc""#)
      #expect(
        reply.at("Data.DATA")?.list.compactMap { $0["FBillNo"]?.string } == ["SO-5", "SO-4", "SO-3", "SO-2", "SO-1"])
    }
  }

  @Test("references are flattened to the name, or shown by number or whole when switched")
  func references() async throws {
    try await withK3 { desk in
      try fill(desk)
      let ask = #""PageSize":1,"SelectPage":1,"Fields":"FCustID""#
      #expect(try list(desk, ask).at("Data.DATA.0.FCustID")?.string == Catalogue.companyName(1))
      try desk.sim("settings", #"{"listReferences":"number"}"#)
      #expect(try list(desk, ask).at("Data.DATA.0.FCustID")?.string == "C00001")
      try desk.sim("settings", #"{"listReferences":"object"}"#)
      #expect(try list(desk, ask).at("Data.DATA.0.FCustID.FNumber")?.string == "C00001")
    }
  }

  @Test("an unknown field in Fields fails, unless switched off")
  func unknownFields() async throws {
    try await withK3 { desk in
      try fill(desk)
      let ask = #""PageSize":1,"Fields":"FBillNo,FNothing""#
      #expect(try list(desk, ask)["Message"]?.string == "字段[FNothing]不存在或未授权")
      try desk.sim("settings", #"{"unknownListFieldFails":false}"#)
      #expect(try list(desk, ask).at("Data.DATA.0")?.count == 1)
    }
  }

  @Test("the page size is capped")
  func cap() async throws {
    try await withK3 { desk in
      try fill(desk)
      try desk.sim("settings", #"{"pageCap":2}"#)
      let reply = try list(desk, #""PageSize":999999,"Fields":"FBillNo""#)
      #expect(reply.at("Data.DATA")?.count == 2)
      #expect(reply.at("Data.PAGESIZE")?.int64 == 2)
    }
  }

  @Test("paging keys beside Data bring a null page with a positive row count, as a real server did")
  func misplaced() async throws {
    try await withK3 { desk in
      try fill(desk)
      let reply = try desk.post("/K3API/SO/GetList", #"{"Data":{"Fields":"FBillNo"},"PageSize":10,"PageIndex":1}"#)
        .json()
      #expect(reply["StatusCode"]?.int64 == 200)
      #expect(reply.at("Data.ROWCOUNT")?.int64 == 15)
      #expect(reply.at("Data.PAGESIZE")?.int64 == 0)
      #expect(reply.at("Data.DATA")?.isNull == true)
    }
  }

  @Test("a new bill stands in lists only after the set time")
  func staleness() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"visibleAfterMilliseconds":5000}"#)
      try fill(desk)
      #expect(try numbers(desk, "FBillNo='SO-1'").isEmpty)
      try desk.sim("clock", #"{"advance_seconds":4}"#)
      #expect(try numbers(desk, "FBillNo='SO-1'").isEmpty)
      try desk.sim("clock", #"{"advance_seconds":1}"#)
      #expect(try numbers(desk, "FBillNo='SO-1'") == ["SO-1"])
    }
  }
}
