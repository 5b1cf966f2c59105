import JSON
import Mapping
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("Transform stage", .timeLimit(.minutes(2)))
struct TransformStageTests {
  private let collections = MemoryCollections()

  private let route = BillRoute(strategy: "test", stream: "SO", beside: [])

  private func stage(
    source: String = "{}", more: String = "", untaken: TransformStage.Untaken = .park
  ) async throws -> TransformStage {
    let target = #"""
      {"api":"/SO/Save","ferry":{"key":"Page1.FBillNo"},"request":[{"field":"Page1","type":"array","children":[
        {"field":"FBillNo","type":"string","value":"{order_no}","is_required":true},
        {"field":"FCustID","type":"string","ferry":{"missing":"customer_unmapped"},
         "value":"_findCollection find serial_id from customers where company_id={company_id}"}]}\#(more)]}
      """#
    let customer = CollectionRecord(id: "7", content: Array(#"{"company_id":7,"serial_id":"C7"}"#.utf8))
    try await collections.store([customer], in: "customers")
    let strategy = try Strategy(name: "test", source: Array(source.utf8), target: Array(target.utf8))
    return TransformStage(strategies: try StrategySet([strategy]), collections: collections, untaken: untaken)
  }

  /// Two strategies: sales, and returns of the orders with status 9.
  private func returns(_ rule: String = "", field: String = "order_no") async throws -> TransformStage {
    func strategy(_ name: String, _ source: String, _ head: String, _ field: String) throws -> Strategy {
      let target =
        #"{\#(head),"request":[{"field":"Page1","type":"array","children":["#
        + #"{"field":"FBillNo","value":"{\#(field)}","is_required":true}]}]}"#
      return try Strategy(name: name, source: Array(source.utf8), target: Array(target.utf8))
    }
    let condition = #"{"condition":[[{"field":"status","logic":"eq","value":9}]]}"#
    let own = #""api":"/Goods_Return_Notice/Save","ferry":{"key":"Page1.FBillNo"\#(rule)}"#
    let strategies = try StrategySet([
      strategy("sales", "{}", #""api":"/SO/Save""#, "order_no"), strategy("returns", condition, own, field),
    ])
    return TransformStage(strategies: strategies, collections: collections)
  }

  private func bill(
    _ object: String, _ strategy: String, beside: [String] = [], made: [String]? = nil
  ) -> Envelope {
    let bill = Bill(object: object, number: "A", body: Array(#"{"Data":{"Page1":[{"FBillNo":"A"}]}}"#.utf8))
    return Envelope.order(1)
      .carrying(.bill(bill, BillRoute(strategy: strategy, stream: object, beside: beside, made: made)))
  }

  @Test("an order that several strategies take becomes a bill of each, and each bill may stand beside the others")
  func several() async throws {
    let outcomes = try await returns().handle([.order(1, content: #"{"order_no":"A","status":9}"#)])
    #expect(
      outcomes == [
        .forward([
          bill("Goods_Return_Notice", "returns", beside: ["SO"]), bill("SO", "sales", beside: ["Goods_Return_Notice"]),
        ])
      ])
  }

  @Test("an exclusive strategy keeps its orders from the others")
  func exclusive() async throws {
    let outcomes = try await returns(#","exclusive":true"#).handle([
      .order(1, content: #"{"order_no":"A","status":9}"#), .order(1, content: #"{"order_no":"A","status":1}"#),
    ])
    #expect(outcomes == [.forward([bill("Goods_Return_Notice", "returns")]), .forward([bill("SO", "sales")])])
  }

  @Test("a strategy that follows streams may have its bills beside theirs, and tells which of them have one")
  func follows() async throws {
    func outcome(_ own: String) async throws -> Outcome? {
      try await returns(own).handle([.order(1, content: #"{"order_no":"A","status":9}"#)]).first
    }
    let alone = bill("Goods_Return_Notice", "returns", beside: ["SO", "first"], made: [])
    #expect(try await outcome(#","exclusive":true,"follows":["SO","first"]"#) == .forward([alone]))
    let sales = bill("SO", "sales", beside: ["Goods_Return_Notice"])
    let both = bill("Goods_Return_Notice", "returns", beside: ["SO", "first"], made: ["SO"])
    #expect(try await outcome(#","follows":["SO","first"]"#) == .forward([both, sales]))
    // All that it follows is there.
    let whole = bill("Goods_Return_Notice", "returns", beside: ["SO"])
    #expect(try await outcome(#","follows":"SO""#) == .forward([whole, sales]))
  }

  @Test("an order that two strategies take into one stream is parked, and goes into none")
  func clash() async throws {
    let outcomes = try await returns(#","stream":"SO""#).handle([.order(1, content: #"{"order_no":"A","status":9}"#)])
    #expect(burial(outcomes[0])?.reason.code == .strategyClash)
    #expect(
      burial(outcomes[0])?.reason.sentence.contains("returns and sales both take the order into the stream SO") == true)
  }

  @Test("where one strategy cannot map an order no bill of it goes on, and the reason names the strategy")
  func together() async throws {
    let outcomes = try await returns(field: "return_no").handle([.order(1, content: #"{"order_no":"A","status":9}"#)])
    #expect(burial(outcomes[0])?.reason.code == .fieldMissing)
    #expect(
      burial(outcomes[0])?.reason.sentence.hasPrefix("order 1: returns Page1[0].FBillNo: ") == true, "\(outcomes)")
  }

  @Test("an order that no strategy takes is counted and gone where the site wants that")
  func counted() async throws {
    let source = #"{"condition":[[{"field":"company_id","logic":"eq","value":"7"}]]}"#
    let outcomes = try await stage(source: source, untaken: .count).handle([
      order(1, customer: 8), order(2, customer: 7),
    ])
    #expect(outcomes[0] == .done(.ignored))
    #expect(outcomes[1].label == "forward")
  }

  private func order(_ id: Int64, customer: Int) -> Envelope {
    .order(id, content: #"{"order_no":"SO\#(id)","company_id":\#(customer)}"#)
  }

  private func burial(_ outcome: Outcome) -> Outcome.Burial? {
    if case .dead(let burial) = outcome { burial } else { nil }
  }

  @Test("orders become bills with the records they ask for, each in its place")
  func maps() async throws {
    var first = order(1, customer: 7)
    first.attempt = 3
    first.lastReason = Reason(.ledgerUnavailable, "away")
    let outcomes = try await stage().handle([first, order(2, customer: 7)])
    for (id, outcome) in zip([Int64(1), 2], outcomes) {
      let body = #"{"Data":{"Page1":[{"FBillNo":"SO\#(id)","FCustID":"C7"}]}}"#
      let bill = Bill(object: "SO", number: "SO\(id)", body: Array(body.utf8))
      // Attempts are counted anew at the next stage.
      #expect(outcome == .forward([Envelope.order(id).carrying(.bill(bill, route))]))
    }
  }

  @Test("what cannot become a bill is parked with its reason and its order, and holds up no other")
  func parks() async throws {
    let outcomes = try await stage().handle([
      order(1, customer: 8), .order(2, content: #"{"order_no":"#), .order(3, content: "[]"), .bill(4),
      order(5, customer: 7),
    ])
    let codes = outcomes.map { burial($0)?.reason.code }
    #expect(codes == [.customerUnmapped, .orderMalformed, .orderMalformed, .undecodable, nil])
    for (index, id) in [1, 2, 3].enumerated() {
      #expect(burial(outcomes[index])?.reason.sentence.hasPrefix("order \(id): ") == true)
    }
    #expect(outcomes[4].label == "forward")
  }

  @Test("an order that the strategy's condition does not take stays visible with that reason, and rows are dropped")
  func condition() async throws {
    let source = #"""
      {"condition":[[{"field":"company_id","logic":"eq","value":"7"},{"field":"order_no.x","logic":"isnull"},
        {"field":"lines.no","logic":"eq","value":"1"}]]}
      """#
    let rows = #",{"field":"Page2","type":"array","value":"lines","children":[{"field":"A","value":"{{lines.no}}"}]}"#
    let outcomes = try await stage(source: source, more: rows).handle([
      .order(1, content: #"{"order_no":"SO1","company_id":7,"lines":[{"no":1},{"no":2},{"no":"1"}]}"#),
      order(2, customer: 8), .order(3, content: "[]"),
    ])
    #expect(outcomes.map { burial($0)?.reason.code } == [nil, .noStrategy, .orderMalformed])
    let body = #"{"Data":{"Page1":[{"FBillNo":"SO1","FCustID":"C7"}],"Page2":[{"A":"1"},{"A":"1"}]}}"#
    let bill = Bill(object: "SO", number: "SO1", body: Array(body.utf8))
    #expect(outcomes[0] == .forward([Envelope.order(1).carrying(.bill(bill, route))]))
    #expect(burial(outcomes[1])?.reason.sentence == "order 2: no strategy's condition takes it")
  }

  @Test("while the collections cannot be asked nothing is parked and nothing counted", arguments: [true, false])
  func away(isAway: Bool) async throws {
    let stage = try await stage()
    collections.fail(isAway ? .unavailable("connection refused") : .broken("no table"))
    let code: ReasonCode = isAway ? .ledgerUnavailable : .configuration
    for outcome in await stage.handle([order(1, customer: 7), order(2, customer: 8)]) {
      guard case .outage(let reason) = outcome else {
        Issue.record("an outage is no attempt: \(outcome)")
        return
      }
      #expect(reason.code == code)
    }
  }
}
