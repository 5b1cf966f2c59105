import JSON
import Mapping
import Orders
import Testing

@Suite("Additional costs and combined products (vendor-apis.md B.6, C.2)")
struct PreparationTests {
  private func strategy(_ rules: String) throws -> Strategy {
    let line = field("A", "{{lines.a}}") + "," + field("P", "{{lines.no}}")
    return try MappingTests.strategy(array("R", "lines", line), rules: #""key":"N","# + rules)
  }

  private func amounts(_ costs: String) -> String {
    #""amounts":{"order":"amount","lines":"lines","line":"a","additions":"extra","tolerance":0,"costs":\#(costs)}"#
  }

  /// The lines of the bill as `number:amount`, or the codes of what is wrong.
  private func lines(_ rules: String, _ order: String) throws -> [String] {
    let mapper = Mapper(try strategy(rules))
    var order = try parsed(order)
    if case .changed(let documents) = try mapper.selection(of: order) { order = try #require(documents.first).root }
    do throws(MappingFailures) {
      let body = try mapper.map(order, lookups: LookupTable()).body
      let rows = try? JSONDocument(body).root["Data"]?["R"]
      return rows.map { $0.elements.map { "\($0["P"]?.text ?? "–"):\($0["A"]?.text ?? "–")" } } ?? []
    } catch { return error.failures.map(\.code.rawValue) }
  }

  @Test("an amount that lacks is mended in OKKI or in the rule that names it, not by a formula")
  func remedies() throws {
    for (order, sentence) in [
      (#"{"amount":"","lines":[{"a":1}]}"#, "amount is empty"),
      (#"{"amount":1,"lines":[{"a":null}]}"#, "lines.a is empty"),
    ] {
      let found = try #require(try failures(strategy(amounts(#""hold""#)), order).first)
      #expect(found.sentence == sentence)
      #expect(found.remedy.contains("let «ferry.amounts» name the fields") && !found.remedy.contains("IFNULL"))
    }
  }

  private static let order = #"{"amount":"120.00","extra":"20.00","lines":[{"no":"a","a":60},{"no":"b","a":"40"}]}"#

  @Test("costs beside the lines hold the order, unless a policy says what becomes of them")
  func policies() throws {
    for (costs, expected) in [
      (#""hold""#, ["amount_mismatch"]), (#""ignore""#, ["a:60", "b:40"]), (#""spread""#, ["a:72", "b:48"]),
      (#"{"line":{"no":"SVC-1","unit":"Piece"}}"#, ["a:60", "b:40", "SVC-1:20"]),
    ] {
      let found = try lines(amounts(costs), Self.order)
      #expect(found.map { $0.replacing(".00", with: "") } == expected, "\(costs)")
    }
    // The order's amount is still held against what is sent.
    let wrong = Self.order.replacing("120.00", with: "120.01")
    for costs in [#""ignore""#, #""spread""#, #"{"line":{"no":"SVC-1"}}"#] {
      #expect(try lines(amounts(costs), wrong) == ["amount_mismatch"])
    }
  }

  @Test("without costs nothing is done")
  func none() throws {
    for extra in ["0", "null", #""""#, "\"0.00\""] {
      let order = #"{"amount":100,"extra":\#(extra),"lines":[{"no":"a","a":60},{"no":"b","a":"40"}]}"#
      for costs in [#""spread""#, #"{"line":{"no":"SVC-1"}}"#] {
        #expect(try lines(amounts(costs), order) == ["a:60", "b:40"])
      }
    }
  }

  @Test(
    "spread costs add up to the last cent, whatever their sign; the cents left over go where most was cut",
    arguments: [
      ("0.01", [10, 10, 10], ["10.01", "10", "10"]), ("0.02", [10, 10, 10], ["10.01", "10.01", "10"]),
      ("-0.01", [10, 10, 10], ["9.99", "10", "10"]), ("1", [1, 2, 4], ["1.14", "2.29", "4.57"]),
      ("10", [0, 5], ["0", "15"]), ("-100", [10], ["-90"]),
    ] as [(String, [Int], [String])])
  func cents(extra: String, amounts: [Int], expected: [String]) throws {
    let rows = amounts.map { #"{"no":"x","a":\#($0)}"# }.joined(separator: ",")
    let whole = try #require(ExactDecimal(extra)).adding(ExactDecimal(Int64(amounts.reduce(0, +))))
    let order = #"{"amount":"\#(whole)","extra":"\#(extra)","lines":[\#(rows)]}"#
    let found = try lines(self.amounts(#""spread""#), order)
    #expect(found.map { ExactDecimal($0.dropFirst(2)) } == expected.map { ExactDecimal($0) }, "\(found)")
  }

  @Test(
    "costs that cannot be spread hold the order",
    arguments: [
      #"{"amount":20,"extra":20,"lines":[]}"#, #"{"amount":20,"extra":20,"lines":[{"a":0}]}"#,
      #"{"amount":20,"extra":20,"lines":[{"a":5},{"a":-5}]}"#, #"{"amount":"5.005","extra":"0.005","lines":[{"a":5}]}"#,
    ])
  func unspreadable(order: String) throws {
    #expect(try lines(amounts(#""spread""#), order) == ["amount_mismatch"])
  }

  @Test("of a combined product its parents or its parts are sent, never both")
  func combined() throws {
    let order = #"""
      {"lines":[{"no":"set","a":10,"is_master_product":"1","is_sub_product":0},{"no":"part","a":0,"is_sub_product":1},
       {"no":"alone","a":5,"is_master_product":0,"is_sub_product":"0"}]}
      """#
    func combined(_ send: String) -> String { #""combined":{"list":"lines","send":"\#(send)"}"# }
    #expect(try lines(combined("parents"), order) == ["set:10", "alone:5"])
    #expect(try lines(combined("parts"), order) == ["part:0", "alone:5"])
    let both = amounts(#""spread""#) + "," + combined("parents")
    let costly = order.replacing("{\"lines\"", with: #"{"amount":18,"extra":3,"lines""#)
    #expect(try lines(both, costly).map { $0.replacing(".00", with: "") } == ["set:12", "alone:6"])
  }

  @Test(
    "a flag of combined products that says neither yes nor no holds the order",
    arguments: [
      ("1", true), ("0", false), (#""1""#, true), (#"" TRUE ""#, true), (#""false""#, false), ("true", true),
      ("false", false), ("null", false), (#""""#, false), ("[]", false), ("1.0", true), (#""0.0""#, false),
      (#""yes""#, nil), ("2", nil), (#""Y""#, nil), ("-1", nil), ("[1]", nil), (#""是""#, nil),
    ] as [(String, Bool?)])
  func flags(value: String, isPart: Bool?) throws {
    let order = #"{"lines":[{"no":"set","a":1,"is_master_product":1},{"no":"x","a":1,"is_sub_product":\#(value)}]}"#
    let combined = #""combined":{"list":"lines","send":"parents"}"#
    if let isPart {
      #expect(try lines(combined, order) == (isPart ? ["set:1"] : ["set:1", "x:1"]))
    } else {
      let error = try #require(throws: MappingFailures.self) { try lines(combined, order) }
      #expect(error.failures.map(\.code) == [.valueInvalid])
      #expect(error.failures.map(\.sentence) == ["lines[1].is_sub_product should be 1 or 0 but is neither"])
      #expect(error.failures.map(\.sources) == [["lines.is_sub_product"]])
    }
  }

  @Test("costs without lines make no line of their own: the order is held")
  func costsAlone() throws {
    for costs in [#"{"line":{"no":"SVC-1"}}"#, #""spread""#] {
      #expect(try lines(amounts(costs), #"{"amount":20,"extra":20,"lines":[]}"#) == ["amount_mismatch"])
    }
  }

  @Test(
    "a part without its product's line, or a product without its parts, holds the order: it would be lost",
    arguments: [
      // No line of a product at all, and one that is another's.
      ("parents", #"[{"no":"a"},{"no":"p","is_sub_product":1}]"#, ["lines[1]"]),
      ("parents", #"[{"is_sub_product":"1"},{"no":"a"},{"is_sub_product":true}]"#, ["lines[0]", "lines[2]"]),
      (
        "parents",
        #"[{"unique_id":7,"is_master_product":1},{"is_sub_product":1,"master_id":"7"},{"is_sub_product":1,"master_id":8}]"#,
        ["lines[2]"]
      ),
      // The line says whose part it is: another line of the same product does not stand in.
      (
        "parents",
        #"[{"unique_id":7,"product_id":5,"is_master_product":1},{"is_sub_product":1,"master_id":8,"combine_product_id":5}]"#,
        ["lines[1]"]
      ),
      ("parents", #"[{"product_no":"S","is_master_product":1},{"is_sub_product":1,"combine_product_no":"S"}]"#, []),
      ("parents", #"[{"product_id":5},{"is_sub_product":1,"master_id":0,"combine_product_id":"5"}]"#, []),
      ("parents", #"[{"is_master_product":1},{"is_sub_product":1,"master_id":""}]"#, []),
      ("parents", #"[{"lines_unique_id":7},{"lines_is_sub_product":1,"lines_master_id":7}]"#, []),
      ("parts", #"[{"unique_id":7,"is_master_product":1},{"no":"a"}]"#, ["lines[0]"]),
      (
        "parts",
        #"[{"unique_id":7,"is_master_product":1},{"is_sub_product":1,"master_id":7},{"unique_id":8,"is_master_product":1}]"#,
        ["lines[2]"]
      ),
      ("parts", #"[{"is_master_product":1},{"is_sub_product":1}]"#, []),
    ] as [(String, String, [String])])
  func orphans(send: String, rows: String, lost: [String]) throws {
    let strategy = try strategy(#""combined":{"list":"lines","send":"\#(send)"}"#)
    let order = try parsed(#"{"lines":\#(rows)}"#)
    do throws(MappingFailures) {
      _ = try Mapper(strategy).selection(of: order)
      #expect(lost.isEmpty, "the order is taken")
    } catch {
      #expect(error.failures.map { String($0.sentence.prefix { $0 != " " }) } == lost)
      for failure in error.failures {
        #expect(failure.code == .valueInvalid)
        #expect(failure.sources == [send == "parents" ? "lines.is_sub_product" : "lines.is_master_product"])
        #expect(failure.remedy.contains("«ferry.combined»"))
      }
    }
  }

  @Test(
    "rules that cannot be meant are told",
    arguments: [
      (#""combined":"parents""#, "ferry.combined"), (#""combined":{"list":"l","send":"all"}"#, "ferry.combined"),
      (
        #""amounts":{"order":"a","lines":"l","line":"b","tolerance":0,"costs":"spread"}"#, "ferry.amounts"
      ),
      (
        #""amounts":{"order":"a","lines":"l","line":"b","tolerance":0,"additions":"c","costs":"share"}"#,
        "ferry.amounts"
      ),
      (
        #""amounts":{"order":"a","lines":"l","line":"b","tolerance":0,"additions":"c","costs":{"line":{}}}"#,
        "ferry.amounts"
      ),
      (
        #""amounts":{"order":"a","lines":"x.l","line":"b","tolerance":0,"additions":"c","costs":"spread"}"#,
        "ferry.amounts"
      ),
    ])
  func malformed(rules: String, path: String) {
    let target = #"{"api":"/SO/Save","ferry":{"key":"N",\#(rules)},"request":[\#(field("N", "1"))]}"#
    #expect(problems(target: target).map(\.path) == [path])
  }
}
