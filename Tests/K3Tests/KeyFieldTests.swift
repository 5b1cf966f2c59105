import JSON
import Orders
import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import K3

@Suite("A key in another field than the number", .timeLimit(.minutes(2)))
struct KeyFieldTests {
  private static let field = "FHeadSelfS0143"
  private static let empty = #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"DATA":[]}}"#

  private func keyed(_ key: String, standing: String? = nil) -> KeyedBill {
    KeyedBill(bill(key), key: key, standing: standing, notAfter: .now + .seconds(3600))
  }

  private func bill(_ number: String) -> Bill {
    let text = body(number).replacing("FBillNo", with: Self.field)
    return Bill(object: "SO", number: number, body: Array(text.utf8), keyField: Self.field)
  }

  private func list(_ rows: String...) -> String {
    #"{"StatusCode":200,"Data":{"ROWCOUNT":\#(rows.count),"DATA":[\#(rows.joined(separator: ","))]}}"#
  }

  private func row(_ key: String, _ number: String, id: Int? = nil) -> String {
    #"{"\#(Self.field)":"\#(key)","FBillNo":"\#(number)"\#(id.map { ",\"FInterID\":\($0)" } ?? "")}"#
  }

  private func details(_ number: String, key: String) -> String {
    #"""
    {"StatusCode":200,"Data":{"Page1":[{"FBillNo":"\#(number)","\#(Self.field)":"\#(key)","FInterID":7,
    "FCustID":{"FNumber":"C00001"}}],"Page2":[{"FItemID":{"FNumber":"202400000"},"Fauxqty":10,"FAuxTaxPrice":2.5,
    "FAllAmount":25}]}}
    """#
  }

  @Test("the list is asked by the field, quoted, and shows the number by which the details are asked for")
  func question() async throws {
    let answers = [list(row("O'Neil", "SEORD5")), details("SEORD5", key: "O'Neil")]
    try await withK3 { request in
      .ok(request.path == listPath ? answers[0] : answers[1])
    } test: { destination, server in
      let found = await destination.lookUp([keyed("O'Neil")])
      #expect(found == [.same(WrittenBill(number: "SEORD5", internalID: 7))])
      let asked = try server.requests.filter { [listPath, detailPath].contains($0.path) }
        .map { try JSONDocument(Array($0.body.utf8)).root["Data"] }
      #expect(asked.first??["Filter"]?.string == "[\(Self.field)]='O''Neil'")
      #expect(asked.first??["Fields"]?.string == "\(Self.field),FBillNo")
      #expect(asked.last??["FBillNo"]?.string == "SEORD5")
    }
  }

  @Test("a bill that may be in another object than it is made of now is looked for there")
  func object() async throws {
    let answers = [list(row("A-1", "SEORD5")), details("SEORD5", key: "A-1")]
    try await withK3 { request in
      .ok(request.path.hasSuffix("/GetList") ? answers[0] : answers[1])
    } test: { destination, server in
      let moved = KeyedBill(bill("A-1"), key: "A-1", object: "Delivery", notAfter: .now + .seconds(3600))
      #expect(await destination.lookUp([moved]) == [.same(WrittenBill(number: "SEORD5", internalID: 7))])
      let paths = server.requests.map(\.path).filter { $0.contains("/Get") }
      #expect(paths == [listPath, detailPath].map { $0.replacing("/SO/", with: "/Delivery/") })
    }
  }

  @Test("several bills, another spelling, no number, and details with another key are no look-up that finds ours")
  func doubts() async throws {
    func answer(_ list: String, _ detail: String = "") async throws -> String {
      try await withK3 { request in
        .ok(request.path == listPath ? list : detail)
      } test: { destination, _ in
        await destination.lookUp([keyed("A-1")])[0].label
      }
    }
    // K/3 takes a second bill with the same text: a person has to look.
    #expect(try await answer(list(row("A-1", "SEORD5", id: 5), row("A-1", "SEORD6", id: 6))) == "different conflict")
    #expect(try await answer(list(row("a-1", "SEORD5"))) == "different conflict")
    #expect(try await answer(list(row("B-1", "SEORD5"))) == "unusable in_doubt")
    #expect(try await answer(list(row("A-1", ""))) == "unusable in_doubt")
    #expect(try await answer(list(row("A-1", "SEORD5")), details("SEORD5", key: "B-1")) == "unusable in_doubt")
    #expect(try await answer(list(row("A-1", "SEORD5")), details("SEORD6", key: "A-1")) == "unusable in_doubt")
    #expect(try await answer(Self.empty) == "absent")
  }

  @Test("a bill whose number is known is asked for by it")
  func standing() async throws {
    let list = #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"DATA":[{"FBillNo":"SEORD5"}]}}"#
    let detail = details("SEORD5", key: "somebody changed it")
    try await withK3 { request in
      .ok(request.path == listPath ? list : detail)
    } test: { destination, server in
      let found = await destination.lookUp([keyed("A-1", standing: "SEORD5")])
      #expect(found == [.same(WrittenBill(number: "SEORD5", internalID: 7))])
      #expect(server.requests.contains { $0.body.contains("[FBillNo]='SEORD5'") })
    }
  }

  /// A loader's stage at a K/3 that keeps the first bill and loses its answer.
  private func withLoader(
    _ test: (LoadStage, MemoryLedger, _ url: String) async throws -> Void
  ) async throws {
    let simulator = try await Stage.k3(K3Plan(), host: "127.0.0.1", port: 0)
    let url = "http://127.0.0.1:\(simulator.port)"
    try await admin(url, "faults", #"{"save_then_drop":{"next":1}}"#)
    let destination = try K3BillDestination(options(url))
    let ledger = MemoryLedger(clock: ManualClock())
    let stage = LoadStage(
      ledger: ledger, destination: destination,
      times: LoadTimes(leaseSeconds: 240, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 60),
      clock: PipelineClock(now: { .now }, epochMilliseconds: { 1 }, sleep: { _ in }))
    try await test(stage, ledger, url)
    await destination.close()
    await simulator.stop()
  }

  private static let order = OrderID(rawValue: 1)

  private func message(_ bill: Bill, revision: Int64 = 1) -> Envelope {
    Envelope(
      orderID: Self.order, orderNumber: "A-1", revision: revision,
      updateTime: BeijingTime(epochSeconds: 1_770_000_000), firstSeen: 1,
      content: .bill(bill, BillRoute(strategy: "s", stream: "SO")))
  }

  @Test("after a lost answer the look-up finds the bill by its key, and K/3's number is kept: no second Save")
  func lostAnswer() async throws {
    try await withLoader { stage, ledger, url in
      let message = message(bill("A-1"))
      guard case .later(let doubt, _) = await stage.handle([message])[0] else {
        Issue.record("a lost answer leaves a doubt")
        return
      }
      #expect(doubt.code == .inDoubt)
      ledger.makeDue(Self.order)
      #expect(await stage.handle([message]) == [.done(.resolved)])
      #expect(await stage.handle([message]) == [.done(.duplicate)])
      let row = try #require(ledger.rows[BillID(Self.order, stream: "SO")])
      #expect(row.state == .written && row.key == "A-1" && row.keyField == Self.field)
      #expect(row.bill?.number.hasPrefix("SEORD") == true && row.bill?.internalID != nil)
      #expect(try await stored(url) == 1)
      #expect(try await requests(url, "SO/Save") == 1)
    }
  }

  @Test(
    "a strategy that names another field meanwhile does not make a bill in doubt be looked for in vain, and saved again"
  )
  func changedStrategy() async throws {
    try await withLoader { stage, ledger, url in
      let before = Bill(object: "SO", number: "A-1", body: Array(body("A-1").utf8))
      for message in [message(before), message(bill("A-1"), revision: 2)] {
        _ = await stage.handle([message])
        ledger.makeDue(Self.order)
      }
      let row = try #require(ledger.rows[BillID(Self.order, stream: "SO")])
      #expect(row.state == .parked && row.reason == .changedAfterWritten && row.keyField == "FBillNo")
      #expect(try await stored(url) == 1)
    }
  }

  @Test(
    "a number that another bill has is a conflict where K/3 twice showed none with the key; before, a look-up tells")
  func takenNumber() async throws {
    let refusal = #"{"StatusCode":201,"Message":"Faild","Data":"单据号[A-1]已存在"}"#
    let numbered = Bill(
      object: "SO", number: "A-1",
      body: Array(body("A-1").replacing(#""FBillNo""#, with: #""\#(Self.field)":"A-1","FBillNo""#).utf8),
      keyField: Self.field)
    for (bill, last) in [(numbered, "dead conflict"), (bill("A-1"), "retry in_doubt")] {
      try await withK3 { request in
        .ok(request.path == listPath ? Self.empty : refusal)
      } test: { destination, server in
        let ledger = MemoryLedger(clock: ManualClock())
        let stage = LoadStage(
          ledger: ledger, destination: destination,
          times: LoadTimes(leaseSeconds: 240, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 60),
          clock: PipelineClock(now: { .now }, epochMilliseconds: { 1 }, sleep: { _ in }))
        var outcomes: [Outcome] = []
        for _ in 1...3 {
          outcomes += await stage.handle([message(bill)])
          ledger.makeDue(Self.order)
        }
        #expect(outcomes.map(label) == ["later in_doubt", "later look_up_pending", last])
        #expect(server.requests.count { $0.path == savePath } == 2)
        let row = try #require(ledger.rows[BillID(Self.order, stream: "SO")])
        #expect(row.doubt)
        guard case .dead(let burial) = outcomes[2] else { return }
        #expect(burial.reason.sentence.contains("FBillNo") && !burial.reason.sentence.contains("A-1"))
        #expect(burial.vendorAnswer.contains("已存在"))
      }
    }
  }

  private func label(_ outcome: Outcome) -> String {
    switch outcome {
    case .later(let reason, _): "later \(reason.code.rawValue)"
    case .retry(let reason): "retry \(reason.code.rawValue)"
    case .dead(let burial): "dead \(burial.reason.code.rawValue)"
    default: "\(outcome)"
    }
  }
}
