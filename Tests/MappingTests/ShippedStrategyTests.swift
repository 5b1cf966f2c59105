import Foundation
import JSON
import Mapping
import Orders
import Testing

/// A strategy in `deploy/strategies`, as sites get it.
enum ShippedStrategy {
  static func load(_ name: String = "sales-order") throws -> Strategy {
    try Strategy(
      name: name, source: Array(text("source.json", of: name).utf8), target: Array(text("target.json", of: name).utf8),
      asIfOn: true)
  }

  static func text(_ file: String, of name: String = "sales-order") throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/strategies/\(name)")
    return try String(contentsOf: folder.appending(path: file), encoding: .utf8)
  }

  static let customer = key("customers", ("company_id", "3448551934"))

  static func records(_ text: String = #"{"serial_id":"2023670","name":"Muster & Söhne"}"#) throws -> [LookupKey:
    JSONDocument]
  {
    [customer: try record(text)]
  }

  /// What the order fails with: reason and target.
  static func failures(_ order: String, customer: String? = nil) throws -> [String] {
    let found = try customer.map { try records($0) } ?? records()
    return try MappingTests.failures(load(), order, found).map { "\($0.code.rawValue) \($0.target)" }
  }

  /// Each value of the bill by its path.
  static func bill(_ order: String) throws -> (Bill, [String: String]) {
    let bill = try Mapper(load()).map(parsed(order), lookups: LookupTable(records()))
    var values: [String: String] = [:]
    func walk(_ value: JSONValue, _ path: String) {
      switch value.kind {
      case .object: for (key, member) in value.members { walk(member, path.isEmpty ? key : "\(path).\(key)") }
      case .array: for (position, element) in value.elements.enumerated() { walk(element, "\(path)[\(position)]") }
      case .string: values[path] = value.string
      default: values[path] = "\(value.kind)"
      }
    }
    walk(try JSONDocument(bill.body).root, "")
    return (bill, values)
  }
}

/// A line of the bill: what was worked out beside the program, with fractions.
private struct Line {
  let item, unit, quantity, price, taxPrice, cess, amount, tax, total, standard, date: String

  func add(to values: inout [String: String], at position: Int) {
    let fields = [
      "FItemID.FNumber": item, "FUnitID.FNumber": unit, "Fauxqty": quantity, "Fauxprice": price,
      "FAuxTaxPrice": taxPrice,
      "FCess": cess, "Famount": amount, "FTaxAmt": tax, "FAllAmount": total, "FAllStdAmount": standard, "FDate1": date,
      "FPlanMode.FNumber": "MTS",
    ]
    for (field, value) in fields { values["Data.Page2[\(position)].\(field)"] = value }
  }
}

@Suite("The shipped strategy")
struct ShippedStrategyTests {
  private func header(_ changes: [String: String]) -> [String: String] {
    var header = [
      "FCancellation": "false", "FCustID.FNumber": "2023670", "FCustID.FName": "Muster & Söhne", "FAreaPS.FNumber": "1",
      "FAreaPS.FName": "1", "FDeptID.FNumber": "D20", "FEmpID.FNumber": "2747",
    ]
    header.merge(changes) { $1 }
    return Dictionary(uniqueKeysWithValues: header.map { ("Data.Page1[0].\($0)", $1) })
  }

  @Test("an order of five lines in dollars becomes this bill, field by field")
  func dollars() throws {
    let (bill, values) = try ShippedStrategy.bill(OKKIOrder.text())
    #expect(bill.object == "SO")
    #expect(bill.number == "SO2024-000017")
    var expected = header([
      "FBillNo": "SO2024-000017", "Fdate": "2024-01-29", "FCurrencyID.FNumber": "USD", "FExchangeRate": "7.1835",
    ])
    let lines = [
      Line(
        item: "2024031221684", unit: "S01", quantity: "3", price: "33.333333", taxPrice: "33.333333", cess: "0",
        amount: "100", tax: "0", total: "100", standard: "718.35", date: "2024-02-15"),
      Line(
        item: "A-7", unit: "S02", quantity: "7000", price: "0.142857", taxPrice: "0.142857", cess: "0", amount: "1000",
        tax: "0", total: "1000", standard: "7183.5", date: "2024-02-15"),
      Line(
        item: "B 9", unit: "S05", quantity: "12.5", price: "87.402478", taxPrice: "98.7648", cess: "13",
        amount: "1092.53", tax: "142.03", total: "1234.56", standard: "8868.46", date: "2024-02-15"),
      Line(
        item: "2024031221684", unit: "S01", quantity: "0.3333", price: "0.30003", taxPrice: "0.30003", cess: "0",
        amount: "0.1", tax: "0", total: "0.1", standard: "0.72", date: "2024-02-15"),
      Line(
        item: "88001", unit: "S04", quantity: "1", price: "116468668879571.386792", taxPrice: "123456789012345.67",
        cess: "6", amount: "116468668879571.39", tax: "6988120132774.28", total: "123456789012345.67",
        standard: "886851843870185.12", date: "2024-02-15"),
    ]
    for (position, line) in lines.enumerated() { line.add(to: &expected, at: position) }
    #expect(values == expected)
  }

  @Test("an order in yuan has currency RMB, rate 1 and its own day where OKKI's zero date stands for none")
  func yuan() throws {
    let (bill, values) = try ShippedStrategy.bill(OKKIOrder.yuan)
    #expect(bill.number == "20240130001")
    var expected = header([
      "FBillNo": "20240130001", "Fdate": "2024-02-29", "FCurrencyID.FNumber": "RMB", "FExchangeRate": "1",
    ])
    Line(
      item: "P1", unit: "S03", quantity: "9", price: "24.582104", taxPrice: "27.777778", cess: "13", amount: "221.24",
      tax: "28.76", total: "250", standard: "250", date: "2024-02-29"
    ).add(to: &expected, at: 0)
    Line(
      item: "P2", unit: "S01", quantity: "2.5", price: "36.693578", taxPrice: "39.996", cess: "9", amount: "91.73",
      tax: "8.26", total: "99.99", standard: "99.99", date: "2024-02-29"
    ).add(to: &expected, at: 1)
    #expect(values == expected)
  }

  @Test("for amounts and rates of all kinds the tax is the total less the amount, to the cent")
  func taxIsTheDifference() throws {
    for (amount, rate) in [
      ("0.01", "13"), ("0.05", "6"), ("1.15", "13"), ("999.99", "9"), ("33.33", "0.5"), ("1e3", "7"),
    ] {
      let order = #"""
        {"order_no":"1","account_date":"2024-01-29","currency":"USD","exchange_rate":700,"company_id":3448551934,
         "amount":"\#(amount)","product_list":[{"product_no":"P","count":7,"cost_amount":"\#(amount)","vat_rate":\#(rate)}]}
        """#
      let (_, values) = try ShippedStrategy.bill(order)
      func number(_ field: String) throws -> ExactDecimal {
        try #require(values["Data.Page2[0].\(field)"].flatMap { ExactDecimal($0) })
      }
      #expect(try number("FTaxAmt") == number("FAllAmount").subtracting(number("Famount")))
      #expect(try number("FAllStdAmount") == number("FAllAmount").multiplied(by: ExactDecimal(7)))
    }
  }

  @Test(
    "the delivery date is the deadline, or the day of the order where there is none",
    arguments: [
      ("2024-02-15", "2024-02-15"), ("2024-02-15 23:59:59", "2024-02-15"), ("", "2024-01-29"),
      ("1970-01-01 00:00:00", "2024-01-29"), ("1970-01-01", "2024-01-29"),
    ])
  func deliveryDate(deadline: String, expected: String) throws {
    let order = OKKIOrder.text((#""shipment_deadline":"2024-02-15""#, #""shipment_deadline":"\#(deadline)""#))
    #expect(try ShippedStrategy.bill(order).1["Data.Page2[4].FDate1"] == expected)
  }

  @Test("the customer is the only question, asked once and by the number as text")
  func questions() throws {
    let mapper = Mapper(try ShippedStrategy.load())
    for order in [OKKIOrder.text(), OKKIOrder.yuan] {
      #expect(Set(mapper.lookups(of: try parsed(order))) == [ShippedStrategy.customer])
    }
    #expect(mapper.lookups(of: try parsed("{}")).isEmpty)
  }

  @Test("two readings of the order give the same bytes")
  func determinism() throws {
    #expect(try ShippedStrategy.bill(OKKIOrder.text()).0 == ShippedStrategy.bill(OKKIOrder.text()).0)
  }
}

@Suite("Orders that the shipped strategy holds back")
struct HeldOrderTests {
  @Test("a customer without record, without number or without id")
  func customer() throws {
    let target = "customer_unmapped Page1[0].FCustID.FNumber"
    let order = OKKIOrder.text()
    #expect(try failures(ShippedStrategy.load(), order).map(\.code) == [.customerUnmapped])
    for record in ["{}", #"{"serial_id":""}"#, #"{"serial_id":null}"#, #"{"serial_id":[]}"#, #"{"serial_id":" "}"#] {
      #expect(try ShippedStrategy.failures(order, customer: record) == [target])
    }
    for id in [#""""#, "null", "[]", "3448551935"] {
      let changed = OKKIOrder.text((#""company_id":3448551934"#, #""company_id":\#(id)"#))
      #expect(try ShippedStrategy.failures(changed) == [target])
    }
  }

  @Test("a line without material number", arguments: [#""""#, "null", #""  ""#, "[]"])
  func material(number: String) throws {
    let order = OKKIOrder.text((#""product_no":"A-7""#, #""product_no":\#(number)"#))
    #expect(try ShippedStrategy.failures(order) == ["material_missing Page2[1].FItemID.FNumber"])
  }

  @Test("a line with count 0", arguments: ["0", "\"0\"", "0.000", "-0", "0e5"])
  func countZero(count: String) throws {
    let order = OKKIOrder.text((#""count":"12.5""#, #""count":\#(count)"#))
    #expect(
      try ShippedStrategy.failures(order) == [
        "division_by_zero Page2[2].Fauxprice", "division_by_zero Page2[2].FAuxTaxPrice",
      ])
  }

  @Test(
    "a line whose count is missing or no number",
    arguments: [("null", "field_missing"), (#""a dozen""#, "value_invalid")])
  func noCount(count: String, reason: String) throws {
    let order = OKKIOrder.text((#""count":"12.5""#, #""count":\#(count)"#))
    let expected = ["Fauxqty", "Fauxprice", "FAuxTaxPrice"].map { "\(reason) Page2[2].\($0)" }
    #expect(try ShippedStrategy.failures(order) == expected)
  }

  @Test("amounts that contradict each other", arguments: ["100", "\"123456789014680.34\"", "0", "-123456789014680.33"])
  func contradiction(amount: String) throws {
    let order = OKKIOrder.text((#""amount":"123456789014680.33""#, #""amount":\#(amount)"#))
    #expect(try ShippedStrategy.failures(order) == ["amount_mismatch "])
  }

  @Test(
    "an order without its own amount: nobody could say whether the lines are all",
    arguments: [#""amount":null,"#, #""amount":"","#, ""])
  func noAmount(member: String) throws {
    let order = OKKIOrder.text((#""amount":"123456789014680.33","#, member))
    #expect(try ShippedStrategy.failures(order) == ["field_missing "])
  }

  @Test("costs beside the lines, whether the order's amount holds them or not")
  func additionalCosts() throws {
    let costs = (#""addition_cost_amount":0"#, #""addition_cost_amount":"20.00""#)
    #expect(try ShippedStrategy.failures(OKKIOrder.text(costs)) == ["amount_mismatch "])
    let whole = (#""amount":"123456789014680.33""#, #""amount":"123456789014700.33""#)
    #expect(try ShippedStrategy.failures(OKKIOrder.text(costs, whole)) == ["amount_mismatch "])
  }

  @Test(
    "a quantity, an amount or a tax rate that K/3's decimals cannot hold is not rounded",
    arguments: [
      (#""count":"12.5""#, #""count":"12.50001""#, "Fauxqty"),
      (#""count":"12.5""#, #""count":"0.00004""#, "Fauxqty"),
      (#""vat_rate":"13""#, #""vat_rate":"13.005""#, "FCess"),
    ])
  func precision(old: String, new: String, field: String) throws {
    #expect(try ShippedStrategy.failures(OKKIOrder.text((old, new))) == ["value_invalid Page2[2].\(field)"])
  }

  @Test("an amount of half a cent is not rounded, and a cent between the order and its lines is not let through")
  func cents() throws {
    let half = OKKIOrder.text((#""cost_amount":1234.56"#, #""cost_amount":1234.565"#))
    #expect(try ShippedStrategy.failures(half) == ["value_invalid Page2[2].FAllAmount", "amount_mismatch "])
    let cent = OKKIOrder.text((#""amount":"123456789014680.33""#, #""amount":"123456789014680.34""#))
    #expect(try ShippedStrategy.failures(cent) == ["amount_mismatch "])
  }

  @Test("an order whose lines were left at 0 by an integration")
  func amountsLeftAtZero() throws {
    let order = OKKIOrder.text((#""cost_amount":1234.56"#, #""cost_amount":0"#))
    #expect(try ShippedStrategy.failures(order) == ["amount_mismatch "])
  }

  @Test("an order without lines", arguments: ["[]", "null", #""""#, "{}"])
  func noLines(list: String) throws {
    let order = #"{\#(OKKIOrder.head),"product_list":\#(list)}"#
    let found = try ShippedStrategy.failures(order)
    if list == "{}" {
      #expect(found.contains("material_missing Page2[0].FItemID.FNumber"))
    } else {
      #expect(found == ["field_missing Page2", "amount_mismatch "])
    }
  }

  @Test("an order without number, day, currency or rate")
  func header() throws {
    for (member, target) in [
      (#""order_no":"SO2024-000017""#, "FBillNo"), (#""account_date":"2024-01-29 00:00:00""#, "Fdate"),
      (#""currency":"USD""#, "FCurrencyID.FNumber"),
    ] {
      let empty = (member, member.prefix(while: { $0 != ":" }) + #":"""#)
      #expect(
        try ShippedStrategy.failures(OKKIOrder.text((empty.0, String(empty.1)))) == ["field_missing Page1[0].\(target)"]
      )
    }
    let zeroDate = OKKIOrder.text(("2024-01-29 00:00:00", "1970-01-01 00:00:00"))
    #expect(try ShippedStrategy.failures(zeroDate) == ["field_missing Page1[0].Fdate"])
    let noRate = try ShippedStrategy.failures(OKKIOrder.text((#""exchange_rate":718.35"#, #""exchange_rate":"""#)))
    #expect(noRate.first == "field_missing Page1[0].FExchangeRate")
    let rateZero = try ShippedStrategy.failures(OKKIOrder.text((#""exchange_rate":718.35"#, #""exchange_rate":0"#)))
    #expect(rateZero.first == "value_invalid Page1[0].FExchangeRate")
    #expect(Array(rateZero.dropFirst()) == (0..<5).map { "field_missing Page2[\($0)].FAllStdAmount" })
  }

  @Test("a unit that no table knows, or that is no text", arguments: [#""Dozen""#, #"{"name":"Piece"}"#, #""piece""#])
  func unit(unit: String) throws {
    let order = OKKIOrder.text((#""unit":"Set""#, #""unit":\#(unit)"#))
    #expect(try ShippedStrategy.failures(order) == ["value_unmapped Page2[1].FUnitID.FNumber"])
  }

  @Test("a tax rate that is no number, or that divides by zero")
  func taxRate() throws {
    let percent = OKKIOrder.text((#""vat_rate":"13""#, #""vat_rate":"13%""#))
    #expect(try ShippedStrategy.failures(percent).allSatisfy { $0.hasPrefix("value_invalid Page2[2].") })
    let minus = OKKIOrder.text((#""vat_rate":"13""#, #""vat_rate":-100"#))
    let found = try ShippedStrategy.failures(minus)
    #expect(found.filter { $0.hasPrefix("division_by_zero Page2[2].") }.count == 3)
    // A negative rate is none, whatever it divides by.
    #expect(found.filter { !$0.hasPrefix("division_by_zero") } == ["value_invalid Page2[2].FCess"])
    let rate = OKKIOrder.text((#""exchange_rate":718.35"#, #""exchange_rate":-718.35"#))
    #expect(try ShippedStrategy.failures(rate).first == "value_invalid Page1[0].FExchangeRate")
  }
}
