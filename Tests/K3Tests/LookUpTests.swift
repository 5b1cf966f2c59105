import JSON
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import K3

@Suite("Looking a bill up in K/3", .timeLimit(.minutes(2)))
struct LookUpTests {
  private static let found =
    #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"PAGESIZE":10,"PAGEINDEX":1,"DATA":[{"FBillNo":"SO-1"}]}}"#

  /// Details as K/3 shows them; each part can be replaced.
  private static func details(
    customer: String = #"{"FNumber":"C00001","FName":"甲"}"#, item: String = #"{"FNumber":"202400000"}"#,
    quantity: String = "10.0000", price: String = "2.5", amount: String = "25.00", lines: Int = 1,
    number: String = "SO-1"
  ) -> String {
    let line =
      #"{"FEntryID2":1,"FItemID":\#(item),"Fauxqty":\#(quantity),"FAuxTaxPrice":\#(price),"FAllAmount":\#(amount)}"#
    let page = Array(repeating: line, count: lines).joined(separator: ",")
    return #"""
      {"StatusCode":"200","Message":"Successful","Data":{"Page1":[{"FBillNo":"\#(number)","FInterID":1456,
      "FCustID":\#(customer)}],"Page2":[\#(page)]}}
      """#
  }

  private func lookUp(
    list: String = found, detail: ScriptedServer.Answer = .ok(details()), body text: String? = nil
  ) async throws -> LookUpAnswer {
    try await withK3 { request in
      request.path == listPath ? .ok(list) : detail
    } test: { destination, _ in
      await destination.lookUp([bill("SO-1", body: text)])[0]
    }
  }

  @Test("the question is one filter on the number, headers only, first page")
  func question() async throws {
    try await withK3 { _ in
      .ok(#"{"StatusCode":200,"Data":{"ROWCOUNT":0,"DATA":[]}}"#)
    } test: { destination, server in
      #expect(await destination.lookUp([bill("O'Neil"), bill("b")]).map(\.label) == ["absent", "absent"])
      let asked = try server.requests.filter { $0.path == listPath }.map {
        try JSONDocument(Array($0.body.utf8)).root["Data"]
      }
      let filters = Set(asked.compactMap { $0?["Filter"]?.string })
      #expect(filters == ["[FBillNo]='O''Neil'", "[FBillNo]='b'"])
      #expect(asked.allSatisfy { $0?["SelectPage"]?.string == "1" && $0?["PageIndex"]?.string == "1" })
      #expect(server.count(detailPath) == 0)
    }
  }

  static let absentLists = [
    #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"PAGESIZE":10,"PAGEINDEX":1,"DATA":[]}}"#,
    #"{"StatusCode":"200","Data":{"RowCount":"0","PageSize":"10","PageIndex":"1","Data":null}}"#,
    #"{"StatusCode":200,"Data":{"ROWCOUNT":0}}"#,
  ]

  @Test("an empty list is absence, in both spellings", arguments: absentLists)
  func absent(list: String) async throws { #expect(try await lookUp(list: list) == .absent) }

  static let unclearLists = [
    #"{"StatusCode":200,"Data":{"ROWCOUNT":30134,"PAGESIZE":0,"PAGEINDEX":0,"DATA":null}}"#,
    #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"PAGESIZE":10,"PAGEINDEX":1,"DATA":null}}"#,
    #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"PAGESIZE":10,"PAGEINDEX":2,"DATA":[]}}"#,
    #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"PAGESIZE":5,"PAGEINDEX":1,"DATA":[]}}"#,
    #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"DATA":[{"FBillNo":"SO-2"}]}}"#,
    #"{"StatusCode":200,"Data":{"DATA":[]}}"#, #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"DATA":"x"}}"#,
    #"{"StatusCode":200,"Data":null}"#, #"{"StatusCode":200,"Data":[]}"#, #"{"StatusCode":200,"Data":"x"}"#,
    #"{"StatusCode":201,"Message":"Faild","Data":"过滤条件错误"}"#,
  ]

  @Test(
    "an answer that contradicts itself or the question is none: absence would mean another Save",
    arguments: unclearLists)
  func unclear(list: String) async throws {
    #expect(try await lookUp(list: list).label == "unusable in_doubt")
  }

  @Test(
    "what K/3 answered to a look-up, where it tells nothing, is kept for the bill's row, without secrets and in no sentence"
  )
  func kept() async throws {
    let empty = #"{"StatusCode":200,"Data":{"DATA":[]}}"#
    let refused = #"{"StatusCode":201,"Message":"Faild","Data":"客户[甲公司]不存在 \#(authorityCode)"}"#
    let pageless = #"{"StatusCode":200,"Data":{"Page1":"甲公司"}}"#
    let answers: [(LookUpAnswer, String)] = [
      (try await lookUp(list: empty), "unusable \(empty)"),
      (try await lookUp(list: "<html>甲公司"), "unavailable <html>甲公司"),
      (try await lookUp(list: refused), "unusable Faild | 客户[甲公司]不存在 ***"),
      (try await lookUp(detail: .ok(pageless)), "unusable \(pageless)"),
      (try await lookUp(detail: .status(502, "<h1>甲公司")), "unavailable <h1>甲公司"),
    ]
    for (answer, words) in answers {
      switch answer {
      case .unusable(_, let told): #expect("unusable \(told ?? "nothing")" == words)
      case .unavailable(_, let told): #expect("unavailable \(told ?? "nothing")" == words)
      default: Issue.record("\(answer)")
      }
      #expect(!answer.sentence.contains("甲公司"))
    }
  }

  static let missingLists = [
    "", "<html>", #"{"StatusCode":200,"Data":{"ROWCOUNT":0"#, #"{"StatusCode":201,"Message":"系统繁忙,请稍后再试"}"#,
  ]

  @Test("what is not K/3's answer, or that of a busy K/3, is waited for", arguments: missingLists)
  func missing(list: String) async throws {
    #expect(try await lookUp(list: list).label == "unavailable k3_unavailable")
  }

  @Test("who may not ask for the list is locked out; who may not ask for a bill's details is so for this bill alone")
  func lockedOut() async throws {
    let refused = #"{"StatusCode":201,"Message":"模块未授权"}"#
    #expect(try await lookUp(list: refused).label == "unavailable k3_unauthorized")
    #expect(try await lookUp(detail: .ok(refused)).label == "unusable in_doubt")
  }

  @Test("several bills, or one whose number differs by case or spaces only, are a conflict")
  func conflictingRows() async throws {
    let two = #"{"StatusCode":200,"Data":{"ROWCOUNT":2,"DATA":[{"FBillNo":"SO-1"},{"FBillNo":"SO-1"}]}}"#
    #expect(try await lookUp(list: two).label == "different conflict")
    for number in ["so-1", "SO-1 "] {
      let other = #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"DATA":[{"FBillNo":"\#(number)"}]}}"#
      #expect(try await lookUp(list: other).label == "different conflict")
    }
  }

  @Test("a bill of which the list shows a row for each line is one bill, where K/3's ids say so")
  func rowsOfOneBill() async throws {
    func answer(_ ids: [String]) async throws -> String {
      let rows = ids.map { #"{"FBillNo":"SO-1"\#($0.isEmpty ? "" : #","FInterID":\#($0)"#)}"# }.joined(separator: ",")
      return try await withK3 { request in
        if request.path == detailPath { return .ok(Self.details()) }
        let page = request.body.contains("FInterID") ? 1_000 : 10
        let shown = page == 10 ? #"{"FBillNo":"SO-1"},{"FBillNo":"SO-1"}"# : rows
        return .ok(
          #"{"StatusCode":200,"Data":{"ROWCOUNT":2,"PAGESIZE":\#(page),"PAGEINDEX":1,"DATA":[\#(shown)]}}"#)
      } test: { destination, server in
        let label = await destination.lookUp([bill("SO-1")])[0].label
        #expect(server.count(listPath) == 2)
        return label
      }
    }
    #expect(try await answer(["1456", #""1456""#]) == "same")
    for several in [["1456", "1457"], ["", ""], ["1456", ""], ["0", "0"], ["1456"], ["1456", "1456", "1456"]] {
      #expect(try await answer(several) == "different conflict")
    }
  }

  @Test("the same bill is found with its id, in whatever spelling its values are shown")
  func same() async throws {
    let shown = [
      Self.details(), Self.details(customer: #""C00001""#, item: #""202400000""#),
      Self.details(customer: #"{"fnumber":"C00001"}"#, quantity: #""10""#, price: #""2.500000""#, amount: #""25""#),
      Self.details().replacing("Fauxqty", with: "FAUXQTY").replacing("Page1", with: "page1"),
      Self.details().replacing(#""Data":{"#, with: #""Data":{"Data":{"#).replacing("]}}", with: "]}}}"),
    ]
    for detail in shown {
      #expect(try await lookUp(detail: .ok(detail)) == .same(WrittenBill(number: "SO-1", internalID: 1456)))
    }
  }

  @Test("a text that is the name that was sent counts as the reference; another text does not")
  func flattened() async throws {
    let named = body("SO-1").replacing(#""FName":"1""#, with: #""FName":"甲公司""#)
    #expect(try await lookUp(detail: .ok(Self.details(customer: #""甲公司""#)), body: named).label == "same")
    #expect(try await lookUp(detail: .ok(Self.details(customer: #""乙公司""#)), body: named).label == "different conflict")
    // An empty name that was sent matches nothing.
    #expect(try await lookUp(detail: .ok(Self.details(item: #""""#))).label == "different conflict")
  }

  @Test("the first field that differs is named, without its values")
  func different() async throws {
    let cases = [
      (Self.details(customer: #"{"FNumber":"C00002"}"#), "Page1.FCustID:"),
      (Self.details(lines: 2), "Page2 (number of lines):"),
      (Self.details(item: #"{"FNumber":"202400001"}"#), "Page2 line 1 FItemID:"),
      (Self.details(quantity: "10.0001"), "Page2 line 1 Fauxqty:"),
      (Self.details(quantity: "null"), "Page2 line 1 Fauxqty:"),
      (Self.details(price: "2.500001"), "Page2 line 1 FAuxTaxPrice:"),
      (Self.details(amount: "25.01"), "Page2 (sum of FAllAmount):"),
      (Self.details(lines: 0), "Page2 (number of lines):"),
    ]
    for (detail, field) in cases {
      let answer = try await lookUp(detail: .ok(detail))
      #expect(answer.label == "different conflict")
      #expect(answer.sentence.hasPrefix(field) && !answer.sentence.contains("C0000") && !answer.sentence.contains("25"))
    }
  }

  @Test("a red delivery is compared by its own fields: customer in FSupplyID, negative quantity, price and amount")
  func delivery() async throws {
    let line = #""FItemID":{"FNumber":"M"},"Fauxqty":"-3","FConsignPrice":"2.5","FConsignAmount":"-7.5""#
    let head = #""FBillNo":"SO-1","FSupplyID":{"FNumber":"C1","FName":"甲"}"#
    let sent = #"{"Data":{"Page1":[{\#(head)}],"Page2":[{\#(line)}]}}"#
    func shown(_ old: String = "", _ new: String = "") -> ScriptedServer.Answer {
      let pages = #""Page1":[{\#(head),"FInterID":1456}],"Page2":[{\#(line)}]"#
      return .ok(#"{"StatusCode":200,"Data":{\#(old.isEmpty ? pages : pages.replacing(old, with: new))}}"#)
    }
    #expect(try await lookUp(detail: shown(), body: sent).label == "same")
    for (old, new, field) in [
      (#""C1""#, #""C2""#, "Page1.FSupplyID:"), ("-3", "3", "Page2 line 1 Fauxqty:"),
      (#""2.5""#, #""2.6""#, "Page2 line 1 FConsignPrice:"), ("-7.5", "7.5", "Page2 line 1 FConsignAmount:"),
    ] {
      #expect(try await lookUp(detail: shown(old, new), body: sent).sentence.hasPrefix(field))
    }
  }

  @Test("amounts that were sent are compared line by line too, beyond the digits of a Double")
  func exact() async throws {
    let sent = body("SO-1", quantity: "10").replacing(
      #""FDate1""#, with: #""FAllAmount":"12345678901234567.89","FDate1""#)
    let right = Self.details(amount: "12345678901234567.890")
    let wrong = Self.details(amount: "12345678901234567.88")
    #expect(try await lookUp(detail: .ok(right), body: sent).label == "same")
    #expect(try await lookUp(detail: .ok(wrong), body: sent).label == "different conflict")
  }

  @Test("lines are compared in the order of their numbers")
  func order() async throws {
    func line(_ number: Int, _ quantity: Int) -> String {
      #"{"FEntryID2":\#(number),"FItemID":{"FNumber":"M"},"Fauxqty":\#(quantity),"FAuxTaxPrice":1,"FAllAmount":\#(quantity)}"#
    }
    let sent = #"{"Data":{"Page1":[{"FBillNo":"SO-1"}],"Page2":[\#(line(1, 5)),\#(line(2, 6))]}}"#
    let shown = #"{"StatusCode":200,"Data":{"Page1":[{"FInterID":"1"}],"Page2":[\#(line(2, 6)),\#(line(1, 5))]}}"#
    #expect(try await lookUp(detail: .ok(shown), body: sent).label == "same")
    let swapped = #"{"StatusCode":200,"Data":{"Page1":[{}],"Page2":[\#(line(2, 5)),\#(line(1, 6))]}}"#
    #expect(try await lookUp(detail: .ok(swapped), body: sent).sentence.hasPrefix("Page2 line 1 Fauxqty"))
  }

  @Test(
    "details that cannot be had leave the doubt", arguments: [.drop, .status(500), .ok("")] as [ScriptedServer.Answer])
  func missingDetails(detail: ScriptedServer.Answer) async throws {
    #expect(try await lookUp(detail: detail).label == "unavailable k3_unavailable")
  }

  static let unclearDetailCases: [ScriptedServer.Answer] = [
    .ok(#"{"StatusCode":201,"Message":"单据不存在"}"#),
    .ok(#"{"StatusCode":200,"Data":null}"#),
    .ok(#"{"StatusCode":200,"Data":{"Page1":[],"Page2":[]}}"#), .ok(#"{"StatusCode":200,"Data":{"Page1":[{}]}}"#),
    .ok(details(number: "SO-2")),
  ]

  @Test("details that cannot be read leave the doubt", arguments: unclearDetailCases)
  func unclearDetails(detail: ScriptedServer.Answer) async throws {
    #expect(try await lookUp(detail: detail).label == "unusable in_doubt")
  }

  @Test("a token that ends midway is renewed for look-ups too")
  func token() async throws {
    try await withK3 { request in
      request.query.hasPrefix("Token=A1") ? .ok(#"{"StatusCode":201,"Message":"Token无效"}"#) : .ok(Self.absentLists[0])
    } test: { destination, server in
      #expect(await destination.lookUp([bill("a"), bill("b")]) == [.absent, .absent])
      #expect(server.count(tokenPath) == 2)
    }
  }
}
