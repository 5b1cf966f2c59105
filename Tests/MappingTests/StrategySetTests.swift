import JSON
import Mapping
import Orders
import Testing

@Suite("Strategies side by side")
struct StrategySetTests {
  private func strategy(
    _ name: String, status: String?, own: String = "", asIfOn: Bool = false
  ) throws -> Strategy {
    let condition = status.map { #""condition":[[{"field":"status","logic":"eq","value":\#($0)}]]"# } ?? ""
    return try Strategy(
      name: name, source: Array("{\(condition)}".utf8),
      target: Array(
        #"""
        {"api":"/SO/Save","ferry":{"key":"Page1.FBillNo"\#(own)},
         "request":[{"field":"Page1","type":"array","children":[{"field":"FBillNo","value":"{no}"}]}]}
        """#.utf8), asIfOn: asIfOn)
  }

  private func takers(_ order: String, _ strategies: Strategy...) throws -> [String] {
    try StrategySet(strategies).takers(of: try JSONDocument(Array(order.utf8))).map { $0.strategy.name }
  }

  private func refusal(_ order: String, _ strategies: Strategy...) throws -> MappingFailure? {
    let set = try StrategySet(strategies)
    let document = try JSONDocument(Array(order.utf8))
    return #expect(throws: MappingFailures.self) { try set.takers(of: document) }?.failures.first
  }

  @Test("a strategy's stream is K/3's object unless it names one")
  func stream() throws {
    #expect(try strategy("a", status: nil).stream == "SO")
    #expect(try strategy("a", status: nil, own: #","stream":"Returns_2.b-c""#).stream == "Returns_2.b-c")
    for name in [#""""#, "5", #""a b""#, "\"\(String(repeating: "x", count: 65))\""] {
      let found = #expect(throws: StrategyProblems.self) { try strategy("a", status: nil, own: #","stream":\#(name)"#) }
      #expect(found?.problems.map(\.path) == ["ferry.stream"])
    }
    let found = #expect(throws: StrategyProblems.self) { try strategy("a", status: nil, own: #","exclusive":"yes""#) }
    #expect(found?.problems.map(\.path) == ["ferry.exclusive"])
  }

  @Test("a strategy names the streams that it follows; nothing else is taken for one")
  func follows() throws {
    #expect(try strategy("a", status: nil).follows.isEmpty)
    #expect(try strategy("a", status: nil, own: #","follows":"SO""#).follows == ["SO"])
    #expect(try strategy("a", status: nil, own: #","follows":["SO","b"]"#).follows == ["SO", "b"])
    for names in ["true", "[]", #""""#, #"["SO",5]"#, #""a b""#] {
      let found = #expect(throws: StrategyProblems.self) {
        try strategy("a", status: nil, own: #","follows":\#(names)"#)
      }
      #expect(found?.problems.map(\.path) == ["ferry.follows"])
    }
  }

  @Test("conditions decide who takes an order; nobody is an answer")
  func conditions() throws {
    let one = try strategy("one", status: "1")
    let two = try strategy("two", status: "2")
    #expect(try takers(#"{"status":2}"#, two, one) == ["two"])
    #expect(try takers(#"{"status":1}"#, two, one) == ["one"])
    #expect(try takers(#"{"status":3}"#, two, one) == [])
  }

  @Test("who may take an order by one field alone is told; an exclusive one keeps the value from the others")
  func byOneField() throws {
    let set = try StrategySet([
      try strategy("all", status: nil), try strategy("seven", status: "\"7\"", own: #","exclusive":true"#),
      try strategy("eight", status: "\"8\"", own: #","stream":"other""#),
    ])
    func names(_ field: String, _ value: String) throws -> [String] {
      set.mayTake(field, try JSONDocument(Array(value.utf8)).root).map(\.name)
    }
    #expect(try names("status", "\"7\"") == ["seven"])
    #expect(try names("status", "\"8\"") == ["all", "eight"])
    #expect(try names("status", "\"9\"") == ["all"])
  }

  @Test("of two that take an order into one stream neither gets it; into two streams both do")
  func streams() throws {
    let all = try strategy("all", status: nil)
    let one = try strategy("one", status: "1")
    #expect(try refusal(#"{"status":1}"#, one, all)?.code == .strategyClash)
    #expect(try takers(#"{"status":2}"#, one, all) == ["all"])
    let apart = try strategy("one", status: "1", own: #","stream":"apart""#)
    #expect(try takers(#"{"status":1}"#, apart, all) == ["all", "one"])
  }

  @Test("an exclusive one keeps an order from the others, but not from another exclusive one")
  func exclusive() throws {
    let all = try strategy("all", status: nil)
    let one = try strategy("one", status: "1", own: #","exclusive":true"#)
    let again = try strategy("again", status: "1", own: #","exclusive":true,"stream":"apart""#)
    #expect(try takers(#"{"status":1}"#, one, all) == ["one"])
    #expect(try takers(#"{"status":2}"#, one, all) == ["all"])
    #expect(
      try refusal(#"{"status":1}"#, one, again, all)?.sentence == "again, one are exclusive and all take the order")
  }

  @Test("what is no order is told so, and by no strategy's condition")
  func noObject() throws {
    #expect(try refusal("[]", strategy("one", status: "1"))?.code == .orderMalformed)
  }

  @Test("a comparison whose value is null waits for it: the strategy is off, says so, and can be tried all the same")
  func off() throws {
    let waiting = try strategy("one", status: "null")
    #expect(waiting.isOff)
    #expect(waiting.warnings.map(\.path) == ["condition[0][0]"])
    #expect(waiting.warnings.first?.sentence.hasPrefix("has no value yet") == true)
    #expect(try takers(#"{"status":null}"#, waiting) == [])
    #expect(try takers(#"{"no":1}"#, strategy("one", status: "null", asIfOn: true)) == ["one"])
    // Another group can take orders.
    let groups = #"[[{"field":"status","logic":"neq","value":null}],[{"field":"status","logic":"eq","value":1}]]"#
    let half = try Strategy(
      name: "half", source: Array(#"{"condition":\#(groups)}"#.utf8),
      target: Array(
        #"{"api":"/SO/Save","request":[{"field":"Page1","type":"array","children":[{"field":"FBillNo","value":"{no}"}]}]}"#
          .utf8))
    #expect(!half.isOff)
    #expect(try takers(#"{"status":1}"#, half) == ["half"])
    #expect(try takers(#"{"status":2}"#, half) == [])
  }

  @Test("a bill knows which of its fields holds the external key")
  func keyField() throws {
    let fields = #"{"field":"FBillNo","value":"own"},{"field":"FOwn","value":"{no}"}"#
    let target =
      #"{"api":"/SO/Save","ferry":{"key":"Page1.FOwn"},"request":[{"field":"Page1","type":"array","children":[\#(fields)]}]}"#
    let strategy = try Strategy(name: "s", source: Array("{}".utf8), target: Array(target.utf8))
    #expect(strategy.key == "Page1.FOwn" && strategy.keyField == "FOwn")
    let order = try JSONDocument(Array(#"{"no":"A-1"}"#.utf8)).root
    let bill = try #require(try Mapper(strategy).bills(of: [order], from: order, lookups: LookupTable()).first)
    #expect(bill.number == "A-1" && bill.keyField == "FOwn")
    #expect(try self.strategy("one", status: nil).keyField == "FBillNo")
  }

  @Test("isnull and notnull need no value")
  func null() throws {
    for logic in ["isnull", "notnull"] {
      let condition = #"{"condition":[[{"field":"status","logic":"\#(logic)","value":null}]]}"#
      let strategy = try Strategy(
        name: "s", source: Array(condition.utf8),
        target: Array(
          #"{"api":"/SO/Save","request":[{"field":"Page1","type":"array","children":[{"field":"FBillNo","value":"{no}"}]}]}"#
            .utf8))
      #expect(!strategy.isOff && strategy.warnings.isEmpty)
    }
  }
}
