import Foundation
import Mapping
import Testing

/// What is typed wrong and still is a strategy: told before an order comes.
@Suite("Slips in a strategy")
struct SlipTests {
  private static let source = """
    {"response": [
      {"field": "order_no"}, {"field": "exchange_rate"}, {"field": "company", "children": [{"field": "serial_id"}]},
      {"field": "extend.business_id"}, {"field": "anything", "type": "object"},
      {"field": "lines", "type": "array", "children": [{"field": "lines_no"}, {"field": "count"}]}],
     "formatResponse": [{"old": "order_no", "new": "new_no", "format": "string"}]}
    """

  /// What is told of some descriptors: errors first, then warnings, which begin with `~`.
  private func told(
    _ descriptors: String, source: String = SlipTests.source, rules: String = #""key":"N""#, more: String = ""
  ) -> [String] {
    let number = #"{"field":"N","value":"no-1"}"#
    let target = #"{"api":"/SO/Save",\#(more)"ferry":{\#(rules)},"request":[\#(number),\#(descriptors)]}"#
    func shown(_ problem: StrategyProblem) -> String {
      "\(problem.file == "target.json" ? "" : "\(problem.file) ")\(problem.path): \(problem.sentence)"
    }
    do throws(StrategyProblems) {
      return try Strategy(name: "test", source: Array(source.utf8), target: Array(target.utf8))
        .warnings.map { "~" + shown($0) }
    } catch { return error.problems.map(shown) + error.warnings.map { "~" + shown($0) } }
  }

  private let required = #""is_required":true"#

  private func field(_ name: String, _ value: String, _ more: String = "") -> String {
    MappingTests.field(name, value, type: "string", more)
  }

  private func field(_ value: String) -> String { field("X", value) }

  @Test("a misspelt key of a descriptor is refused with the key that was meant, at any depth")
  func keys() {
    #expect(
      told(field("X", "1", #""is_requird":true"#)) == [
        "request.X.is_requird: the key is unknown; is «is_required» meant?"
      ])
    #expect(told(#"{"field":"X","vlaue":"1"}"#) == ["request.X.vlaue: the key is unknown; is «value» meant?"])
    let inner = field("Y", "1", #""parsers":null"#)
    #expect(
      told(#"{"field":"X","type":"object","children":[\#(inner)]}"#)
        == ["request.X.Y.parsers: the key is unknown; is «parser» meant?"])
    let source = #"{"request":[{"field":"a","valeu":"1"}],"response":[{"field":"b","feild":""}]}"#
    #expect(
      told(field("1"), source: source) == [
        "source.json request.a.valeu: the key is unknown; is «value» meant?",
        "source.json response.b.feild: the key is unknown; is «field» meant?",
      ])
  }

  @Test("keys that the platform has for editors are taken without a word, parked copies too; others are warned of")
  func otherKeys() {
    let editors =
      #""label":"标","describe":null,"parent":"P","parent_id":"1","id":"x","display":{},"enableDisplay":true"#
    #expect(told(field("X", "1", editors + #","value_bk":"2""#)).isEmpty)
    #expect(told(field("X", "1", #""colour":"red""#)) == ["~request.X.colour: the key is unknown and has no effect"])
    #expect(
      told(field("X", "1", #""lable":"红""#))
        == ["~request.X.lable: the key is unknown and has no effect; is «label» meant?"])
  }

  @Test("keys of the whole document: what only the platform acts by is warned of, a misspelt one is refused")
  func documentKeys() {
    #expect(
      told(field("1"), more: #""otherResponse":[],"method":"POST","condition_bk":1,"#)
        == ["~otherResponse: the platform knows this key, Ferry does not use it"])
    #expect(
      told(field("1"), source: #"{"formatRespone":[]}"#)
        == ["source.json formatRespone: the key is unknown; is «formatResponse» meant?"])
  }

  @Test(
    "a text that is nearly a directive is refused instead of being sent to K/3 as it stands",
    arguments: [
      ("_functon {exchange_rate}/100", "_function"), ("_Function 1+1", "_function"), (" _function 1+1", "_function"),
      ("_findColection find a from customers where b={order_no}", "_findCollection"),
      ("_findcollection find a from customers where b={order_no}", "_findCollection"),
    ])
  func directives(value: String, meant: String) {
    let found = told(field(value))
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("request.X: «") == true)
    #expect(found.first?.hasSuffix("» would be sent as it stands; is «\(meant)» meant?") == true, "\(found)")
  }

  @Test(
    "other texts with an underscore are texts",
    arguments: ["_", "_x", "XSDD01_SYS", "__FUNC__", "_widget_16", "a _function"])
  func texts(value: String) {
    #expect(told(field(value)).isEmpty)
  }

  @Test(
    "a field that the source does not declare is told with the nearest one",
    arguments: [
      ("{exchange_rte}", "exchange_rte", "exchange_rate"),
      ("_function {exchange_rte}/100", "exchange_rte", "exchange_rate"),
      ("a{{company.serail_id}}", "company.serail_id", "company.serial_id"),
      ("_findCollection find a from customers where b={oder_no}", "oder_no", "order_no"),
      ("{{lines.coutn}}", "lines.coutn", "lines.count"), ("{new_on}", "new_on", "new_no"),
      ("{extend.bussiness_id}", "extend.bussiness_id", "extend.business_id"),
      ("{weather}", "weather", ""),
    ])
  func fields(value: String, path: String, meant: String) {
    let what = "source.json's response declares no field «\(path)»"
    #expect(told(field(value)) == ["~request.X: \(what)\(meant.isEmpty ? "" : "; is «\(meant)» meant?")"])
    #expect(
      told(field("X", value, required))
        == [meant.isEmpty ? "~request.X: \(what)" : "request.X: \(what); is «\(meant)» meant? If not, declare it"])
  }

  @Test("in a list's rows its fields are read with and without the list's prefix, and the order's own beside them")
  func rows() {
    func array(_ value: String, _ list: String = "lines") -> String {
      #"{"field":"R","type":"array","value":"\#(list)","children":[\#(field(value))]}"#
    }
    for value in [
      "{{lines.lines_no}}", "{{lines.no}}", "{{lines.lines_count}}", "{{lines.count}}", "{order_no}", "{new_no}",
    ] {
      #expect(told(array(value)).isEmpty, "\(value)")
    }
    #expect(
      told(array("{{lines.lines_cuont}}"))
        == ["~request.R.X: source.json's response declares no field «lines.lines_cuont»; is «lines.count» meant?"])
    #expect(
      told(array("1", "lnies")) == ["~request.R: source.json's response declares no field «lnies»; is «lines» meant?"])
  }

  @Test("what is declared without its parts may have any, and a source that declares nothing is not compared")
  func undeclared() {
    #expect(told(field("{anything.at.all}")).isEmpty)
    #expect(told(field("{exchange_rte}"), source: "{}").isEmpty)
    #expect(told(field("{exchange_rte}"), source: #"{"response":[]}"#).isEmpty)
  }

  @Test("the amounts' fields are compared, too")
  func amounts() {
    let rule = #""key":"N","amounts":{"order":"exchange_rtae","lines":"lines","line":"cuont","tolerance":0}"#
    #expect(
      told(field("1"), rules: rule) == [
        "ferry.amounts: source.json's response declares no field «exchange_rtae»; is «exchange_rate» meant? If not, declare it",
        "ferry.amounts: source.json's response declares no field «lines.cuont»; is «lines.count» meant? If not, declare it",
      ])
  }

  @Test("a field that stands twice at one level is warned of")
  func twice() {
    #expect(
      told(field("X", "1") + "," + field("X", "2")) == ["~request.X: the field stands here twice; the last one counts"])
  }

  @Test("the shipped strategy has no warning, and its source declares what it reads")
  func shipped() throws {
    #expect(try ShippedStrategy.load().warnings == [])
    let target = try ShippedStrategy.text("target.json").replacing("{exchange_rate}", with: "{exchange_rte}")
    let found = problems(source: Array(try ShippedStrategy.text("source.json").utf8), target: Array(target.utf8))
    #expect(found.map(\.path) == ["request.Page1.FExchangeRate", "request.Page2.FAllStdAmount"])
  }
}
