import Foundation
import JSON
import Mapping
import Orders
import Testing

@Suite("Beijing dates")
struct BeijingDateTests {
  private static let times: [(String, String)] = [
    (#""2024-01-29""#, "2024-01-29"), (#""2024-01-29 23:59:59""#, "2024-01-29"),
    (#""2024-01-29T15:59:59Z""#, "2024-01-29"), (#""2024-01-29T16:00:00Z""#, "2024-01-30"),
    (#""2024-01-29T15:59:59.999Z""#, "2024-01-29"), (#""2024-02-28T16:00:00+00:00""#, "2024-02-29"),
    (#""2024-01-30T00:30:00+08:00""#, "2024-01-30"), (#""2024-01-30T00:30:00+0800""#, "2024-01-30"),
    (#""2024-01-30T00:30:00+09""#, "2024-01-29"), (#""2023-12-31T11:00:00-05:00""#, "2024-01-01"),
    ("1706543999", "2024-01-29"), ("1706544000", "2024-01-30"), (#""1706544000""#, "2024-01-30"),
  ]

  @Test("a time with an offset or in epoch seconds has the date that Beijing has then", arguments: times)
  func filter(time: String, expected: String) throws {
    let order = #"{"t":\#(time)}"#
    #expect(try headText("{t|date}", order) == expected)
    #expect(try head("{t}", order, type: "date")?.text == expected)
    #expect(try headText("_function CONCAT({t|date},'')", order) == expected)
  }

  @Test("the shipped strategy dates bill and lines so", arguments: times)
  func shipped(time: String, expected: String) throws {
    let order = OKKIOrder.text(
      (#""account_date":"2024-01-29 00:00:00""#, #""account_date":\#(time)"#),
      (#""shipment_deadline":"2024-02-15""#, #""shipment_deadline":\#(time)"#))
    let values = try ShippedStrategy.bill(order).1
    #expect(values["Data.Page1[0].Fdate"] == expected)
    #expect(values["Data.Page2[0].FDate1"] == expected)
  }

  @Test(
    "what only looks like an offset is no time, and is told",
    arguments: ["+8", "+8:00", "08:00", "+0860", "+15:00", "++08:00", "+08:00Z", "z", "+08:0x", " CST"])
  func odd(offset: String) throws {
    #expect(try failure("{t|date}", #"{"t":"2024-01-29T10:00:00\#(offset)"}"#).code == .valueInvalid)
  }
}

@Suite("The runbook's calendar with the shipped strategy")
struct ShippedCalendarTests {
  /// The shipped strategy with the calendar that `deploy/README.md` shows, changed.
  private func strategy(_ changes: (String, String)...) throws -> Strategy {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/README.md")
    let blocks = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "```")
    var calendar = try #require(blocks.first { $0.hasPrefix("json") && $0.contains("closedThrough") }).dropFirst(4)
    for (old, new) in changes {
      #expect(calendar.contains(old))
      calendar = calendar.replacing(old, with: new)[...]
    }
    return try Strategy(
      name: "sales-order", source: Array(ShippedStrategy.text("source.json").utf8),
      target: Array(ShippedStrategy.text("target.json").utf8), calendar: Array(calendar.utf8))
  }

  private func order(day: String, made: String, deadline: String = "2024-03-31") -> String {
    OKKIOrder.text(
      (#""account_date":"2024-01-29 00:00:00""#, #""account_date":"\#(day) 00:00:00""#),
      (#""create_time":"2024-01-29 09:12:44""#, #""create_time":"\#(made)""#),
      (#""shipment_deadline":"2024-02-15""#, #""shipment_deadline":"\#(deadline)""#))
  }

  /// Date of the bill, date of its first line, notes.
  private func dates(_ strategy: Strategy, _ order: String) throws -> [String] {
    let bill = try Mapper(strategy).map(parsed(order), lookups: LookupTable(ShippedStrategy.records()))
    let data = try JSONDocument(bill.body).root["Data"]
    return [data?["Page1"]?[0]?["Fdate"]?.text ?? "–", data?["Page2"]?[0]?["FDate1"]?.text ?? "–"]
      + bill.notes.map(\.description)
  }

  @Test("it has no problems and nothing odd, and an order in time keeps its day")
  func usable() throws {
    let strategy = try strategy()
    #expect(strategy.warnings == [])
    let order = order(day: "2024-01-29", made: "2024-01-29 17:59:59")
    #expect(try dates(strategy, order) == ["2024-01-29", "2024-03-31"])
    let plain = try Mapper(ShippedStrategy.load()).map(parsed(order), lookups: LookupTable(ShippedStrategy.records()))
    let dated = try Mapper(strategy).map(parsed(order), lookups: LookupTable(ShippedStrategy.records()))
    #expect(plain == dated)
  }

  @Test("the evening before the Spring Festival belongs to the Sunday that is worked for it")
  func festival() throws {
    let order = order(day: "2024-02-09", made: "2024-02-09 21:00:00", deadline: "")
    let note = "moved from 2024-02-09 to 2024-02-18"
    #expect(
      try dates(strategy(), order) == [
        "2024-02-18", "2024-02-18",
        "Page1[0].Fdate: \(note): the order came at or after the cut-off time 18:00",
        "Page2[0].FDate1: \(note): Page1.Fdate moved (5 rows)",
      ])
  }

  @Test("an order of a closed period is held; with the other policy it is the first business day's")
  func closed() throws {
    let order = order(day: "2024-02-29", made: "2024-03-02 10:00:00", deadline: "2024-02-29")
    let closing = (#""closedThrough": "2023-12-31""#, #""closedThrough": "2024-02-29""#)
    let held = try failures(strategy(closing), order, ShippedStrategy.records())
    #expect(held.map { "\($0.code.rawValue) \($0.target)" } == ["period_closed Page1[0].Fdate"])
    #expect(held.first?.sources == ["account_date"])
    let moving = try strategy(closing, (#""closed": "hold""#, #""closed": "move""#))
    #expect(
      try dates(moving, order) == [
        "2024-03-01", "2024-03-01",
        "Page1[0].Fdate: moved from 2024-02-29 to 2024-03-01: closed is all through 2024-02-29",
        "Page2[0].FDate1: moved from 2024-02-29 to 2024-03-01: Page1.Fdate moved (5 rows)",
      ])
  }
}

@Suite("The shipped strategy's residuals")
struct ShippedResidualTests {
  private func outcome(count: Int, amount: String, rmb: String = "\"\"") throws -> [String] {
    let order = #"""
      {"order_no":"1","account_date":"2024-01-29","currency":"CNY","exchange_rate":100,"company_id":3448551934,
       "amount":"\#(amount)","amount_rmb":\#(rmb),"product_list":[{"product_no":"P","count":\#(count),
       "cost_amount":"\#(amount)","vat_rate":13}]}
      """#
    let found = try ShippedStrategy.failures(order)
    return found.isEmpty ? try ShippedStrategy.bill(order).0.notes.map(\.place) : found
  }

  @Test("no quantity up to 90,000 is parked for its price, whatever the amount")
  func upToNinetyThousand() throws {
    for count in [3, 7, 999, 7_000, 33_333, 59_999, 89_999, 90_000] {
      for cents in [1, 99, 10_001, 333_333, 1_234_567, 99_999_999] {
        let amount = try #require(ExactDecimal(digits: Int128(cents), scale: 2)).description
        let found = try outcome(count: count, amount: amount)
        #expect(!found.contains { $0.hasPrefix("amount_mismatch") }, "\(count) for \(amount)")
      }
    }
    #expect(try outcome(count: 1_000_000, amount: "33333.33").first == "amount_mismatch Page2[0].FAuxTaxPrice")
  }

  @Test("an amount in yuan that is far from amount_rmb is held, one that is near or not stated is not")
  func plausible() throws {
    for rmb in [#""1000.00""#, "1000", "0", #""""#, "null", "1010", "990.5"] {
      #expect(try outcome(count: 10, amount: "1000.00", rmb: rmb) == [], "\(rmb)")
    }
    for rmb in ["1012", "988.9", #""7183.50""#, "10", "-1000"] {
      #expect(try outcome(count: 10, amount: "1000.00", rmb: rmb) == ["amount_mismatch Page2.FAllStdAmount"], "\(rmb)")
    }
  }
}
