import JSON
import Testing

@testable import VendorStage

/// Answers one text to everything.
private final class TextSite: Site {
  let load = Load()
  let text: String
  init(_ text: String) { self.text = text }
  func answer(_ request: Request) -> Reply { Reply(text, contentType: "text/plain") }
}

@Suite("The judge", .timeLimit(.minutes(2)))
struct JudgeTests {
  private func figure(_ text: String) -> ExactDecimal { ExactDecimal(text) ?? .zero }

  private func facts(_ number: String, total: String = "100") -> BillFacts {
    BillFacts(
      number: number, customer: "C00001", currency: "USD", rate: figure("7.1235"),
      lines: [
        BillLine(
          material: "202400001", unit: "S01", quantity: figure("3"), taxPrice: figure("33.333333"),
          price: figure("29.498525"),
          taxRate: figure("13"), total: figure(total), net: figure("88.5"), tax: figure("11.5"),
          standardTotal: figure("712.35"), delivery: "2024-02-15")
      ])
  }

  private func books() -> Books {
    var books = Books()
    books.orders = (1...3).map { BookedOrder(id: Int64($0), number: "SO-\($0)", fate: .load(facts("SO-\($0)"))) }
    books.orders.append(BookedOrder(id: 4, number: "SO-4", fate: .park(.divisionByZero)))
    books.orders.append(BookedOrder(id: 5, number: "SO-5", fate: .removed))
    books.bills = (1...3).map { BookedBill(key: "SO-\($0)", facts: facts("SO-\($0)")) }
    books.parked = ["division_by_zero": 1]
    return books
  }

  @Test("right books hold; 100.00 and 100 are the same amount")
  func holds() {
    var books = books()
    books.bills[0].facts = facts("SO-1", total: "100.00")
    let verdict = Judge.judge(books)
    #expect(verdict.holds)
    #expect(verdict.right == 3 && verdict.absent == 1)
    #expect(verdict.table.hasSuffix("VERDICT: holds"))
    #expect(verdict.progress == "3 of 3 orders are in K/3 as they must be, 3 bills in \(verdict.saves) Saves")
  }

  @Test("a missing bill is found")
  func missing() {
    var books = books()
    books.bills.remove(at: 1)
    let verdict = Judge.judge(books)
    #expect(verdict.counts == ["missing": 1])
    #expect(verdict.examples.first?.subject == "SO-2")
    #expect(verdict.table.hasSuffix("VERDICT: broken"))
  }

  @Test("a second bill for one order is found, under whatever number")
  func duplicate() {
    var books = books()
    books.bills.append(BookedBill(key: "SO-2", facts: facts("SEORD000001")))
    #expect(Judge.judge(books).counts == ["duplicate": 1])
  }

  @Test("a bill that no order stands behind is found")
  func phantom() {
    var books = books()
    books.bills.append(BookedBill(key: "X", facts: facts("X")))
    #expect(Judge.judge(books).counts == ["phantom": 1])
  }

  @Test("an unmappable order that was written is found")
  func written() {
    var books = books()
    books.bills.append(BookedBill(key: "SO-4", facts: facts("SO-4")))
    #expect(Judge.judge(books).counts == ["written": 1])
  }

  @Test("a deleted order may be there once, not twice")
  func removed() {
    var books = books()
    books.bills.append(BookedBill(key: "SO-5", facts: facts("SO-5")))
    #expect(Judge.judge(books).holds)
    books.bills.append(BookedBill(key: "SO-5", facts: facts("SO-5")))
    #expect(Judge.judge(books).counts == ["duplicate": 1])
  }

  @Test("a bill that is left of a deleted order is found where such bills are deleted")
  func left() {
    var rules = JudgeRules()
    rules.cancels = true
    var books = books()
    #expect(Judge.judge(books, rules).holds)
    books.bills.append(BookedBill(key: "SO-5", facts: facts("SO-5")))
    let verdict = Judge.judge(books, rules)
    #expect(verdict.counts == ["left": 1])
    #expect(verdict.examples.first?.subject == "SO-5")
  }

  @Test("every wrong figure of a bill is found and named", arguments: 0..<16)
  func wrongFigures(which: Int) {
    var books = books()
    var facts = books.bills[2].facts
    let off = figure("0.000001")
    switch which {
    case 0: facts.number = "SO-X"
    case 1: facts.customer = "C00002"
    case 2: facts.currency = "RMB"
    case 3: facts.rate = off
    case 4: facts.lines.append(facts.lines[0])
    case 5: facts.lines[0].material = "202400002"
    case 6: facts.lines[0].unit = "S02"
    case 7: facts.lines[0].quantity = off
    case 8: facts.lines[0].taxPrice = figure("33.333334")
    case 9: facts.lines[0].price = off
    case 10: facts.lines[0].taxRate = off
    case 11: facts.lines[0].total = figure("99.99")
    case 12: facts.lines[0].net = off
    case 13: facts.lines[0].tax = off
    case 14: facts.lines[0].standardTotal = off
    default: facts.lines[0].delivery = "2024-02-16"
    }
    books.bills[2].facts = facts
    let verdict = Judge.judge(books)
    #expect(verdict.counts == ["differs": 1])
    #expect(verdict.right == 2)
    #expect(verdict.examples.first?.detail.contains("expected") == true)
  }

  @Test("parked counts are compared reason by reason, in both directions")
  func parked() {
    var books = books()
    books.parked = ["division_by_zero": 2]
    #expect(Judge.judge(books).counts == ["parked": 1])
    books.parked = [:]
    #expect(Judge.judge(books).counts == ["parked": 1])
    books.parked = ["division_by_zero": 1, "k3_rejected": 1]
    #expect(Judge.judge(books).counts == ["parked": 1])
    // Of a removed order one removal at most is held.
    books.parked = ["division_by_zero": 1, "removed_after_written": 1]
    #expect(Judge.judge(books).holds)
    books.parked = ["division_by_zero": 1, "removed_after_written": 2]
    #expect(Judge.judge(books).counts == ["parked": 1])
    books.parked = nil
    #expect(Judge.judge(books).holds)
    #expect(Judge.judge(books).table.contains("not asked"))
  }

  @Test("the dead-letter counters are summed over stages, and other lines are left alone")
  func counters() {
    let text = """
      # HELP ferry_dead_letters_total Orders parked.
      # TYPE ferry_dead_letters_total counter
      ferry_dead_letters_total{stage="transform",reason="customer_unmapped"} 3
      ferry_dead_letters_total{reason="customer_unmapped",stage="load"} 1 1700000000000
      ferry_dead_letters_total{stage="load",reason="k3_rejected"} 0
      ferry_other_total{reason="customer_unmapped"} 9
      """
    #expect(DeadLetterCounters.read(text) == ["customer_unmapped": 4])
  }

  @Test("amounts are worked out to the last digit: thirds, taxes, rates and half cents")
  func rules() throws {
    let order = try JSONDocument(
      [UInt8](
        """
        {"order_no":"SO-1","company_id":7,"currency":"CNY","exchange_rate":"712.35","account_date":"2024-01-29 00:00:00",
        "shipment_deadline":"","amount":"100.00","product_list":[{"product_no":"P","unit":"","count":"3","cost_amount":100,
        "vat_rate":"13"}]}
        """.utf8)
    ).root
    let rules = BillRules { $0 == "7" ? "C1" : nil }
    guard case .load(let facts) = rules.fate(order) else { throw LinkFailure("not to be loaded") }
    let line = facts.lines[0]
    #expect(facts.currency == "RMB" && facts.customer == "C1" && line.unit == "S01" && line.delivery == "2024-01-29")
    #expect(facts.rate == figure("7.1235"))
    #expect(line.taxPrice == figure("33.333333"))
    // 100 / 3 / 1.13 = 29.49852507…
    #expect(line.price == figure("29.498525"))
    #expect(line.net == figure("88.5") && line.tax == figure("11.5"))
    #expect(line.standardTotal == figure("712.35"))
  }

  @Test("the judge reads all books over HTTP: what was saved as booked holds, and one spoilt price breaks it")
  func overHTTP() async throws {
    var plan = OKKIPlan()
    plan.orders = 40
    plan.unmappable = 12.5
    plan.now = noon
    let okki = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let k3 = try await Stage.k3(K3Plan(), host: "127.0.0.1", port: 0)
    let counters = """
      ferry_dead_letters_total{stage="t",reason="customer_unmapped"} 2
      ferry_dead_letters_total{stage="t",reason="division_by_zero"} 1
      ferry_dead_letters_total{stage="t",reason="material_missing"} 1
      ferry_dead_letters_total{stage="t",reason="amount_mismatch"} 1
      """
    let worker = try await SimServer.start(host: "127.0.0.1", port: 0) { TextSite(counters) }
    let result = Result { () throws -> (Verdict, Verdict) in
      let source = try Desk(okki)
      let target = try Desk(k3)
      target.suffix = try "?Token=" + k3Token(target)
      let book = try source.get("/_sim/orders?count=5000").json()
      var bills = book["orders"]?.list.compactMap { $0["bill"].flatMap { BillFacts($0) } } ?? []
      let last = bills.removeLast()
      for bill in bills { try save(bill, target) }
      var spoilt = last
      spoilt.lines[0].taxPrice = figure("0.000001")
      try save(spoilt, target)
      let urls = [okki, k3, worker].map { "http://127.0.0.1:\($0.port)" }
      let broken = try Verdict.reached(okki: urls[0], k3: urls[1], workers: [urls[2] + "/"])
      _ = try target.post("/K3API/SO/Delete", #"{"Data":{"FBillNo":"\#(last.number)"}}"#)
      try save(last, target)
      return (broken, try Verdict.reached(okki: urls[0], k3: urls[1], workers: [urls[2]]))
    }
    for server in [okki, k3, worker] { await server.stop() }
    let (broken, whole) = try result.get()
    #expect(broken.counts == ["differs": 1])
    #expect(whole.holds, "\(whole.table)")
    #expect(whole.toLoad == 35 && whole.right == 35 && whole.toPark == 5)
    let json = try JSONDocument([UInt8](whole.json.utf8)).root
    #expect(json["holds"]?.bool == true && json["reasons"]?.count == 4)
  }

  @Test("a server that is not there is told in one sentence")
  func unreachable() async throws {
    let k3 = try await Stage.k3(K3Plan(), host: "127.0.0.1", port: 0)
    let port = k3.port
    await k3.stop()
    #expect(throws: LinkFailure.self) { try Verdict.reached(okki: "http://127.0.0.1:\(port)", k3: "", workers: []) }
  }

  private func save(_ bill: BillFacts, _ desk: Desk) throws {
    var writer = JSONWriter(reserving: 2_048)
    let reference = { (writer: inout JSONWriter, key: String, number: String) in
      writer.member(key, object: { $0.member("FNumber", number) })
    }
    writer.object { root in
      root.member(
        "Data",
        object: { data in
          data.member(
            "Page1",
            array: { list in
              list.object { head in
                head.member("FBillNo", bill.number)
                head.member("Fdate", "2024-01-15")
                reference(&head, "FCustID", bill.customer)
                reference(&head, "FCurrencyID", bill.currency)
                reference(&head, "FDeptID", "D20")
                reference(&head, "FEmpID", "2700")
                head.member("FExchangeRate", bill.rate.description)
              }
            })
          data.member(
            "Page2",
            array: { list in
              for line in bill.lines {
                list.object { row in
                  reference(&row, "FItemID", line.material)
                  reference(&row, "FUnitID", line.unit)
                  row.member("FDate1", line.delivery)
                  for (name, value) in [
                    ("Fauxqty", line.quantity), ("FAuxTaxPrice", line.taxPrice), ("Fauxprice", line.price),
                    ("FCess", line.taxRate), ("Famount", line.net), ("FTaxAmt", line.tax), ("FAllAmount", line.total),
                    ("FAllStdAmount", line.standardTotal),
                  ] {
                    row.member(name, value.description)
                  }
                }
              }
            })
        })
    }
    let reply = try desk.link.exchange("POST", "/K3API/SO/Save" + desk.suffix, body: writer.bytes).json()
    guard reply["StatusCode"]?.int64 == 200 else { throw LinkFailure("not saved: \(reply["Data"]?.string ?? "")") }
  }
}
