import JSON
import Testing

@testable import VendorStage

/// Orders of three lines, in several bills, in several of K/3's objects, in several revisions.
@Suite("The judge of parts and objects", .timeLimit(.minutes(2)))
struct JudgePartTests {
  private func figure(_ text: String) -> ExactDecimal { ExactDecimal(text) ?? .zero }

  private func line(_ number: Int) -> BillLine {
    BillLine(
      material: "M\(number)", unit: "S01", quantity: figure("\(number)"), taxPrice: figure("10"), price: figure("9"),
      taxRate: figure("13"), total: figure("\(number)0"), net: figure("9"), tax: figure("1"),
      standardTotal: figure("\(number)0"), delivery: "2024-02-15")
  }

  private func facts(_ number: String, _ lines: ClosedRange<Int> = 1...3) -> BillFacts {
    BillFacts(
      number: number, customer: "C1", currency: "USD", rate: figure("7"), lines: lines.map { line($0) })
  }

  private func bill(_ key: String, _ lines: ClosedRange<Int> = 1...3, object: String = "SO") -> BookedBill {
    BookedBill(key: key, facts: facts(key, lines), object: object)
  }

  private func order(_ number: String = "SO-1", _ lines: ClosedRange<Int> = 1...3, earlier: ClosedRange<Int>? = nil)
    -> BookedOrder
  {
    var order = BookedOrder(id: 1, number: number, fate: .load(facts(number, lines)))
    order.earlier = earlier.map { [facts(number, $0)] } ?? []
    return order
  }

  private func verdict(
    _ orders: [BookedOrder], _ bills: [BookedBill], parked: [String: Int]? = nil,
    _ change: (inout JudgeRules) -> Void = { _ in }
  ) -> Verdict {
    var books = Books()
    (books.orders, books.bills, books.parked) = (orders, bills, parked)
    var rules = JudgeRules()
    change(&rules)
    return Judge.judge(books, rules)
  }

  private func parts(_ rules: inout JudgeRules) { rules.allowsParts = true }

  @Test("an order's parts together are the order, in whatever order they were saved")
  func parts() {
    let bills = [bill("SO-1-2", 3...3), bill("SO-1", 1...2)]
    let cut = verdict([order()], bills, parts)
    #expect(cut.holds && cut.right == 1, "\(cut.table)")
    #expect(verdict([order()], bills).counts == ["duplicate": 1])
    #expect(verdict([order()], [bill("SO-1")], parts).holds)
  }

  @Test(
    "a part that is lost, twice, or has another's lines is found",
    arguments: [
      (["SO-1": 1...2], "missing", "add up to 30, the order to 60"),
      (["SO-1": 1...1, "SO-1-3": 3...3], "missing", "its bill 2 is not in K/3"),
      (["SO-1": 1...2, "SO-1-2": 3...3, "SO-1-3": 2...3], "duplicate", "add up to 110, the order to 60"),
      (["SO-1": 1...2, "SO-1-2": 4...4], "differs", "1 lines of its bills are not the order's"),
      ([:], "missing", "is not in K/3"),
    ] as [([String: ClosedRange<Int>], String, String)])
  func wrongParts(lines: [String: ClosedRange<Int>], kind: String, detail: String) {
    let bills = lines.sorted { $0.key < $1.key }.map { bill($0.key, $0.value) }
    let found = verdict([order()], bills, parts)
    #expect(found.counts == [kind: 1] && found.right == 0)
    #expect(found.examples.first?.detail.contains(detail) == true, "\(found.table)")
  }

  @Test("one part under two numbers, a wrong head and a wrong figure of a part are found")
  func wrongPart() {
    let second = bill("SO-1-2", 3...3)
    var renumbered = second
    renumbered.facts.number = "SEORD000001"
    #expect(verdict([order()], [bill("SO-1", 1...2), second, renumbered], parts).counts == ["duplicate": 1])
    #expect(verdict([order()], [bill("SO-1", 1...2), renumbered], parts).counts == ["differs": 1])
    var other = second
    other.facts.customer = "C2"
    #expect(verdict([order()], [bill("SO-1", 1...2), other], parts).counts == ["differs": 1])
    other = second
    other.facts.lines[0].price = figure("8")
    #expect(verdict([order()], [bill("SO-1", 1...2), other], parts).counts == ["differs": 1])
  }

  @Test("an order whose number begins another's is not taken for it; a bill of no order is a phantom")
  func numbers() {
    let orders = [order("SO-1"), order("SO-1-2")]
    #expect(verdict(orders, [bill("SO-1"), bill("SO-1-2")], parts).holds)
    #expect(verdict(orders, [bill("SO-1"), bill("SO-1-2"), bill("SO-9-2")], parts).counts == ["phantom": 1])
    #expect(verdict(orders, [bill("SO-1", 1...2), bill("SO-1-2")], parts).counts == ["missing": 1])
  }

  @Test("an earlier revision counts only where a worker holds the newer one; bills of two revisions never do")
  func revisions() {
    let changed = order("SO-1", 1...2, earlier: 1...3)
    for bills in [[bill("SO-1")], [bill("SO-1", 1...2), bill("SO-1-2", 3...3)]] {
      #expect(verdict([changed], bills, parts).counts == ["outdated": 1])
      #expect(verdict([changed], bills, parked: [:], parts).counts == ["parked": 1])
      let held = verdict([changed], bills, parked: ["changed_after_written": 2], parts)
      #expect(held.holds && held.outdated == 1 && held.right == 0, "\(held.table)")
    }
    #expect(verdict([order()], [bill("SO-1")], parked: ["changed_after_written": 1]).counts == ["parked": 1])
    let grown = order("SO-1", 2...4, earlier: 1...3)
    let mixed = verdict(
      [grown], [bill("SO-1", 1...2), bill("SO-1-2", 4...4)], parked: ["changed_after_written": 1], parts)
    #expect(mixed.counts["mixed"] == 1, "\(mixed.table)")
    var back = bill("SO-1")
    back.updates = 1
    #expect(verdict([changed], [back]).counts == ["overtaken": 1])
  }

  @Test("an order that became unfit after it was written may stand as it was")
  func unfit() {
    var order = order("SO-1", 1...2, earlier: 1...3)
    order.fate = .park(.divisionByZero)
    #expect(verdict([order], [bill("SO-1")]).holds)
    #expect(verdict([order], [bill("SO-1", 1...2)]).counts == ["written": 1])
  }

  private func back(_ key: String, _ lines: ClosedRange<Int> = 1...3) -> BookedBill {
    var bill = bill(key, lines, object: "Goods_Return_Notice")
    for place in bill.facts.lines.indices {
      bill.facts.lines[place].quantity = bill.facts.lines[place].quantity.negated()
      bill.facts.lines[place].total = bill.facts.lines[place].total.negated()
      bill.facts.lines[place].net = .zero
      bill.facts.lines[place].tax = .zero
      bill.facts.lines[place].standardTotal = .zero
      bill.facts.lines[place].delivery = ""
    }
    return bill
  }

  @Test("a returned order is a return once, with negative figures, beside the sales order that there may be")
  func returns() {
    var returned = order()
    returned.isReturned = true
    func judged(_ bills: [BookedBill]) -> [String: Int] {
      verdict([returned], bills) { $0.returns = "Goods_Return_Notice" }.counts
    }
    #expect(judged([back("SO-1-R")]) == [:])
    #expect(judged([back("SO-1-R"), bill("SO-1")]) == [:])
    #expect(judged([bill("SO-1")]) == ["missing": 1])
    #expect(judged([back("SO-1-R"), back("SO-1-R")]) == ["duplicate": 1])
    #expect(judged([back("SO-1-R"), bill("SO-1"), bill("SO-1")]) == ["duplicate": 1])
    #expect(judged([back("SO-1-R", 1...2)]) == ["differs": 1])
    #expect(judged([bill("SO-1-R", object: "Goods_Return_Notice")]) == ["differs": 1])
    var nobody = back("SO-1-R")
    nobody.facts.customer = ""
    #expect(judged([nobody]) == ["differs": 1])
    #expect(verdict([returned], [bill("SO-1")]).holds)
    #expect(verdict([returned], [bill("SO-1"), back("SO-1-R")]).counts == ["phantom": 1])
    let sold = verdict([order()], [bill("SO-1"), back("SO-1-R")]) { $0.returns = "Goods_Return_Notice" }
    #expect(sold.counts == ["phantom": 1])
  }

  @Test("bills of another object beside each order are judged, their parts too")
  func beside() {
    let delivery = { (key: String, lines: ClosedRange<Int>) in bill(key, lines, object: "Sales_Delivery") }
    func judged(_ bills: [BookedBill], parts: Bool = false) -> [String: Int] {
      let found = verdict([order()], bills + [bill("SO-1")]) {
        $0.beside = ["Sales_Delivery"]
        $0.allowsParts = parts
      }
      #expect(found.objects["SO"] == 1)
      return found.counts
    }
    #expect(judged([delivery("SO-1", 1...3)]) == [:])
    #expect(judged([]) == ["missing": 1])
    #expect(judged([delivery("SO-1", 1...3), delivery("SO-1-2", 1...3)]) == ["duplicate": 1])
    #expect(judged([delivery("SO-1-D", 1...2), delivery("SO-1-D-2", 3...3)], parts: true) == [:])
    #expect(judged([delivery("SO-1-D", 1...2), delivery("SO-1-D-2", 2...3)], parts: true) == ["duplicate": 1])
    #expect(judged([delivery("SO-1-D", 1...2)], parts: true) == ["missing": 1])
  }

  @Test("the books tell other objects' figures by their own names, and what an order was before it changed")
  func books() async throws {
    var plan = OKKIPlan()
    plan.orders = 2
    plan.now = noon
    let okki = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let k3 = try await Stage.k3(K3Plan(), host: "127.0.0.1", port: 0)
    let result = Result { () throws -> Books in
      let target = try Desk(k3)
      let token = try "?Token=" + k3Token(target)
      for (object, body) in [
        (
          "Sales_Delivery",
          #"{"Data":{"Page1":[{"FBillNo":"A-R","FSupplyID":{"FNumber":"C1"}}],"Page2":[{"FItemID":{"FNumber":"M1"},"#
            + #""FUnitID":{"FNumber":"S01"},"Fauxqty":"-2","FConsignPrice":"5","FConsignAmount":"-10"}]}}"#
        ),
        ("Goods_Return_Notice", #"{"Data":{"Page1":[{"FBillNo":"B-R","FCustID":{"FNumber":"C2"}}],"Page2":[]}}"#),
      ] {
        _ = try target.link.exchange("POST", "/K3API/\(object)/Save\(token)", body: Array(body.utf8))
      }
      let source = try Desk(okki)
      source.headers = [try "Authorization: Bearer \(okkiToken(source))"]
      let id = try #require(try source.get("/_sim/orders").json().at("orders.0.id")?.int64)
      _ = try source.get("/v1/invoices/order/info?order_id=\(id)")
      _ = try source.post("/_sim/orders", #"{"return":\#(id)}"#)
      return try Books.read(
        okki: "http://127.0.0.1:\(okki.port)", k3: "http://127.0.0.1:\(k3.port)", workers: [])
    }
    for server in [okki, k3] { await server.stop() }
    let books = try result.get()
    #expect(books.bills.map(\.object) == ["Goods_Return_Notice", "Sales_Delivery"])
    #expect(books.bills.map(\.facts.customer) == ["C2", "C1"])
    let line = try #require(books.bills[1].facts.lines.first)
    #expect(line.material == "M1" && line.quantity == figure("-2") && line.total == figure("-10"))
    #expect(line.taxPrice == figure("5"))
    #expect(books.orders.map(\.isReturned) == [true, false])
    #expect(books.orders.map(\.earlier.count) == [1, 0])
    guard case .load(let facts) = books.orders[0].fate else { throw LinkFailure("not to be loaded") }
    #expect(books.orders[0].earlier[0].lines.count == facts.lines.count + 1)
  }
}
