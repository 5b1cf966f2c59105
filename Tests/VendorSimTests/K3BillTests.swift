import JSON
import Testing

@testable import VendorStage

@Suite("K/3 bills", .timeLimit(.minutes(2)))
struct K3BillTests {
  private func save(_ desk: Desk, _ bill: BillText) throws -> JSONValue {
    try desk.post("/K3API/SO/Save", bill.text).json()
  }

  private func refusal(_ desk: Desk, _ bill: BillText) throws -> String {
    let reply = try save(desk, bill)
    #expect(reply["StatusCode"]?.int64 == 201)
    let reason = reply["Data"]?.string ?? ""
    return reason.isEmpty ? reply["Message"]?.string ?? "" : reason
  }

  @Test("a good bill is stored and answered with number and internal id")
  func saving() async throws {
    try await withK3 { desk in
      let reply = try save(desk, BillText())
      #expect(reply["StatusCode"]?.int64 == 200)
      #expect(reply["Message"]?.string == "Successful")
      #expect(reply.at("Data.BillNo")?.string == "SO-1")
      #expect(reply.at("Data.BillInterID")?.int64 == 1_001)
      #expect(try desk.stats()["bills"]?.int64 == 1)
    }
  }

  @Test("the legacy dialect puts the number into Message")
  func legacy() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"saveDialect":"legacy","statusCodeAsString":true}"#)
      let reply = try save(desk, BillText())
      #expect(reply["Message"]?.string == "SO-1")
      #expect(reply["Data"]?.kind == .string)
      #expect(reply["StatusCode"]?.string == "200")
    }
  }

  @Test("an empty number gets one from the rule")
  func numbering() async throws {
    try await withK3 { desk in
      for (asked, given) in [("", "SEORD000001"), ("SEORD000002", "SEORD000002"), ("", "SEORD000003")] {
        let reply = try save(desk, BillText(number: asked))
        #expect(reply.at("Data.BillNo")?.string == given)
      }
    }
  }

  @Test("a second bill with the number is refused, renumbered or accepted, and the book counts")
  func duplicates() async throws {
    try await withK3 { desk in
      _ = try save(desk, BillText())
      #expect(try refusal(desk, BillText()) == "单据编号[SO-1]已存在")
      #expect(try desk.stats()["refused_duplicates"]?.int64 == 1)
      try desk.sim("settings", #"{"duplicates":"renumber"}"#)
      #expect(try save(desk, BillText()).at("Data.BillNo")?.string == "SEORD000001")
      try desk.sim("settings", #"{"duplicates":"accept"}"#)
      #expect(try save(desk, BillText()).at("Data.BillNo")?.string == "SO-1")
      let book = try desk.link.exchange("GET", "/_sim/bills").json()
      #expect(book["stored"]?.int64 == 3)
      #expect(book["bills"]?.list.allSatisfy { $0["key"]?.string == "SO-1" } == true)
      #expect(book.at("bills.0.saves")?.int64 == 4)
      #expect(book.at("bills.0.refused")?.int64 == 1)
    }
  }

  @Test("amounts that are missing are worked out from the tax price, or from the price")
  func computedAmounts() async throws {
    try await withK3 { desk in
      var bill = BillText(quantity: "3500")
      bill.line = #","Fauxprice":9.46,"FCess":17"#
      _ = try save(desk, bill)
      let line = try desk.link.exchange("GET", "/_sim/bills").json().at("bills.0.bill.lines.0")
      #expect(line?["tax_price"]?.string == "11.0682")
      #expect(line?["total"]?.string == "38738.7")
      #expect(line?["net"]?.string == "33110")
      #expect(line?["tax"]?.string == "5628.7")
    }
  }

  @Test("amounts that are sent are stored as sent")
  func sentAmounts() async throws {
    try await withK3 { desk in
      var bill = BillText()
      bill.line = #","FAuxTaxPrice":"33.333333","FAllAmount":"100.00","FCess":0"#
      bill.quantity = "3"
      _ = try save(desk, bill)
      let line = try desk.link.exchange("GET", "/_sim/bills").json().at("bills.0.bill.lines.0")
      #expect(line?["tax_price"]?.string == "33.333333")
      #expect(line?["total"]?.string == "100")
    }
  }

  @Test("what K/3 would refuse is refused with its reason")
  func refusals() async throws {
    try await withK3 { desk in
      let reference = { (number: String) in #"{"FNumber":"\#(number)","FName":""}"# }
      let wrong: [(bill: BillText, reason: String)] = [
        (BillText(customer: reference("C99999")), "客户[C99999]不存在"),
        (BillText(customer: reference("")), "[FCustID]不能为空"),
        (BillText(material: reference("X")), "物料[X]不存在"),
        (BillText(unit: reference("S99")), "计量单位[S99]不存在"),
        (BillText(head: #","FCurrencyID":{"FNumber":"XXX"}"#), "[FCurrencyID]的值[XXX]不存在"),
        (BillText(quantity: "0"), "[Fauxqty]数据无效"),
        (BillText(quantity: "-1"), "[Fauxqty]数据无效"),
        (BillText(quantity: #""ten""#), "[Fauxqty]数据无效"),
        (BillText(date: "soon"), "[Fdate]数据无效"),
        (BillText(date: "2019-12-31"), "单据日期不能小于当前会计期间"),
        (BillText(head: #","FManagerID":"x""#), "字段[FManagerID]不存在或未授权"),
        (BillText(lines: 1_001), "分录行数超过1000"),
      ]
      for (bill, reason) in wrong {
        let told = try refusal(desk, bill)
        #expect(told == reason)
      }
      #expect(try desk.stats()["bills"]?.int64 == 0)
    }
  }

  @Test("each refusal has its switch")
  func switches() async throws {
    try await withK3 { desk in
      try desk.sim(
        "settings",
        #"{"allowsNonPositive":true,"checksPeriod":false,"unknownFieldFails":false,"checksReferences":false,"requiredHeader":[]}"#
      )
      var bill = BillText(date: "2001-01-01", customer: #"{"FNumber":""}"#, head: #","FManagerID":"x""#, quantity: "-1")
      bill.material = #"{"FNumber":"X"}"#
      #expect(try save(desk, bill)["StatusCode"]?.int64 == 200)
    }
  }

  @Test("a weight cannot be sold by the piece")
  func unitGroup() async throws {
    try await withK3 { desk in
      let bill = BillText(material: #"{"FNumber":"202400004"}"#)
      #expect(Catalogue.productUnit(4).number == "S05")
      #expect(try refusal(desk, bill) == "计量单位[S01]不存在")
      try desk.sim("settings", #"{"checksUnitGroup":false}"#)
      #expect(try save(desk, bill)["StatusCode"]?.int64 == 200)
    }
  }

  @Test("names in any case, references by name, lenient dates, booleans as they come")
  func leniency() async throws {
    try await withK3 { desk in
      let body = """
        {"data":{"page1":[{"FDate":"2024-01-1500: 00: 00","FBILLNO":"A","FCustID":{"FNumber":"","FName":"海蓝电子 00001"},
        "FDeptID":{"FNumber":"D20"},"FEmpID":{"FNumber":"2747"},"FCancellation":false}],"page2":[{"FITEMID":{"FNumber":"202400000"},
        "FUnitID":{"FNumber":"","FName":"PCS"},"FAuxQty":"1","FDate1":"2024-02-15 00:00:00","FAuxTaxPrice":5}]}}
        """
      let reply = try desk.post("/K3API/SO/Save", body).json()
      #expect(reply["StatusCode"]?.int64 == 200)
      let stored = try desk.link.exchange("GET", "/_sim/bills").json()
      #expect(stored.at("bills.0.bill.customer")?.string == "C00001")
      try desk.sim("settings", #"{"anyCaseInput":false}"#)
      #expect(try desk.post("/K3API/SO/Save", body).json()["Message"]?.string == "参数错误")
    }
  }

  @Test("a body that is no JSON, lacks Data or has two headers is 参数错误")
  func badBodies() async throws {
    try await withK3 { desk in
      for body in [
        "", "{", "[]", "{}", #"{"Data":{}}"#, #"{"Data":{"Page1":[{},{}],"Page2":[{}]}}"#,
        #"{"Data":{"Page1":[{}],"Page2":[]}}"#,
      ] {
        let reply = try desk.post("/K3API/SO/Save", body).json()
        #expect(reply["StatusCode"]?.int64 == 201)
        #expect(reply["Message"]?.string == "参数错误")
      }
    }
  }

  @Test("any content type is taken")
  func contentTypes() async throws {
    try await withK3 { desk in
      for (place, type) in ["application/x-www-form-urlencoded", "text/plain", "text/json"].enumerated() {
        desk.headers = ["Content-Type: \(type)"]
        let reply = try save(desk, BillText(number: "N\(place)"))
        #expect(reply["StatusCode"]?.int64 == 200)
      }
    }
  }

  @Test("disabled master data is refused, and can be enabled again")
  func masterChanges() async throws {
    try await withK3 { desk in
      try desk.sim("master", #"{"object":"Customer","number":"C00001","disabled":true}"#)
      #expect(try refusal(desk, BillText()) == "客户[C00001]已禁用")
      try desk.sim("master", #"{"object":"Customer","number":"C00001","remove":true}"#)
      #expect(try refusal(desk, BillText()) == "客户[C00001]不存在")
      try desk.sim("master", #"{"object":"Customer","number":"C00001"}"#)
      #expect(try save(desk, BillText())["StatusCode"]?.int64 == 200)
    }
  }

  @Test("Update replaces the lines, CheckBill audits, and an audited bill is neither changed nor deleted")
  func lifecycle() async throws {
    try await withK3 { desk in
      _ = try save(desk, BillText(lines: 3))
      var change = BillText(quantity: "7")
      change.head = #","FExplanation":"second""#
      #expect(try desk.post("/K3API/SO/Update", change.text).json()["StatusCode"]?.int64 == 200)
      let key = #"{"Data":{"FBillNo":"SO-1"},"GetProperty":false}"#
      let detail = try desk.post("/K3API/SO/GetDetail", key).json()
      #expect(detail.at("Data.Page2")?.count == 1)
      #expect(detail.at("Data.Page2.0.Fauxqty")?.numberText == "7")
      #expect(detail.at("Data.Page1.0.FExplanation")?.string == "second")
      #expect(detail.at("Data.Page1.0.FCustID.FName")?.string == "海蓝电子 00001")
      let check = #"{"Data":{"FBillNo":"SO-1","FChecker":"王五","FCheckDirection":"2"}}"#
      #expect(try desk.post("/K3API/SO/CheckBill", check).json()["StatusCode"]?.int64 == 200)
      #expect(try desk.post("/K3API/SO/Update", change.text).json()["Data"]?.string == "单据已审核,不能修改")
      #expect(try desk.post("/K3API/SO/Delete", key).json()["Data"]?.string == "单据已审核,不能修改")
      try desk.sim("settings", #"{"deletesAudited":true}"#)
      #expect(try desk.post("/K3API/SO/Delete", key).json()["StatusCode"]?.int64 == 200)
      #expect(try desk.post("/K3API/SO/GetDetail", key).json()["Message"]?.string == "单据不存在")
    }
  }

  @Test("with updateReplacesLines off, lines merge by FEntryID2")
  func merging() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"updateReplacesLines":false}"#)
      _ = try save(desk, BillText(lines: 2))
      var change = BillText(quantity: "7")
      change.line += #","FEntryID2":2"#
      _ = try desk.post("/K3API/SO/Update", change.text)
      let detail = try desk.post("/K3API/SO/GetDetail", #"{"Data":{"FBillNo":"SO-1"}}"#).json()
      #expect(detail.at("Data.Page2")?.list.map { $0["Fauxqty"]?.numberText } == ["10", "7"])
    }
  }

  @Test("the template lists the fields, nested twice, misspellings kept")
  func template() async throws {
    try await withK3 { desk in
      let reply = try desk.get("/K3API/SO/GetTemplate").json()
      let head = reply.at("Data.Data.Page1.0")
      #expect(head?["FMangerID"]?.kind == .object)
      #expect(head?["FManagerID"] == nil)
      #expect(head?["Fdate"] != nil)
      #expect(reply.at("Data.Data.Page2.0.FCess") != nil)
    }
  }

  @Test("deliveries and returns are kept as they came, once under a number, and can be found by it")
  func others() async throws {
    try await withK3 { desk in
      let reply = try desk.post("/K3API/Sales_Delivery/Save", #"{"Data":{"Page1":[{"FROB":-1}],"Page2":[{}]}}"#).json()
      #expect(reply.at("Data.BillNo")?.string == "XOUT000001")
      #expect(try desk.stats().at("others.Sales_Delivery")?.int64 == 1)
      let notice = #"{"Data":{"Page1":[{"FBillNo":"R-1"}],"Page2":[{"Fauxqty":"-3"}]}}"#
      #expect(try desk.post("/K3API/Goods_Return_Notice/Save", notice).json().at("Data.BillNo")?.string == "R-1")
      let again = try desk.post("/K3API/Goods_Return_Notice/Save", notice).json()
      #expect(again["StatusCode"]?.int64 == 201)
      #expect(try desk.stats().at("others.Goods_Return_Notice")?.int64 == 1)
      for (number, count) in [("R-1", Int64(1)), ("R-2", 0)] {
        let ask =
          #"{"Data":{"PageSize":10,"PageIndex":1,"SelectPage":1,"Fields":"FBillNo","Filter":"[FBillNo]='\#(number)'"}}"#
        let list = try desk.post("/K3API/Goods_Return_Notice/GetList", ask).json()
        #expect(list.at("Data.ROWCOUNT")?.int64 == count)
      }
      let shown = try desk.post("/K3API/Goods_Return_Notice/GetDetail", #"{"Data":{"FBillNo":"R-1"}}"#).json()
      #expect(shown.at("Data.Page1.0.FBillNo")?.string == "R-1")
      #expect(shown.at("Data.Page2.0.Fauxqty")?.string == "-3")
      #expect(
        try desk.get("/K3API/Goods_Return_Notice/GetTemplate").json().at("Data.Data.Page2.0.FSourceBillNo") != nil)
      #expect(try desk.get("/K3API/Goods_Return_Notice/Update").status == 404)
    }
  }

  @Test("base data can be listed, shown and saved; a failed row hides below \"Successful\"")
  func baseData() async throws {
    try await withK3 { desk in
      let ask = #"{"Data":{"PageSize":10,"PageIndex":1,"Fields":"FNumber,FName","Filter":"FNumber like '2024%'"}}"#
      let list = try desk.post("/K3API/Material/GetList", ask).json()
      #expect(list.at("Data.RowCount")?.int64 == 1_000)
      #expect(list.at("Data.Data")?.count == 10)
      let detail = try desk.post("/K3API/Material/GetDetail", #"{"Data":{"FNumber":"202400003"}}"#).json()
      #expect(detail.at("Data.0.Data.FUnitID.FNumber")?.string == "S04")
      let saved = try desk.post("/K3API/Customer/Save", #"{"data":[{"FNumber":"N1","FName":"neu"},{"FName":"x"}]}"#)
        .json()
      #expect(saved["Message"]?.string == "Successful")
      #expect(saved.at("Data.0.FStatus")?.bool == true)
      #expect(saved.at("Data.1.FStatus")?.bool == false)
      #expect(saved.at("Data.1.FItemID")?.int64 == 0)
    }
  }

  @Test("objects and actions that are not there are 404 pages as IIS sends them")
  func unknownPaths() async throws {
    try await withK3 { desk in
      for path in ["/K3API/SO/Audit", "/K3API/SEOrder/GetList", "/K3API/Login", "/K3API/SO", "/"] {
        let answer = try desk.get(path)
        #expect(answer.status == 404)
        #expect(answer[header: "content-type"]?.hasPrefix("text/html") == true)
      }
    }
  }

  @Test("an action that is not authorised says so")
  func denied() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"denied":["SO/Save"]}"#)
      #expect(try refusal(desk, BillText()) == "模块未授权")
    }
  }

  @Test("Data goes DES encrypted when a key is set")
  func encryption() async throws {
    #expect(
      DES(key: [0x13, 0x34, 0x57, 0x79, 0x9B, 0xBC, 0xDF, 0xF1])
        .encrypted([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]).prefix(8)
        == [0x85, 0xE8, 0x13, 0x54, 0x0F, 0x0A, 0xB4, 0x05])
    try await withK3 { desk in
      try desk.sim("settings", #"{"encryptionKey":"8bytekey"}"#)
      #expect(try save(desk, BillText())["Data"]?.string == "T8poGyOpCephxEq79YhaSk999LFqleEJTN9H4ir+rjtXamh8bA9Qog==")
    }
  }
}
