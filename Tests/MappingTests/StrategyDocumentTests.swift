import Foundation
import JSON
import Mapping
import Orders
import Testing

@Suite("Documents by themselves (§1–§3, §17)")
struct StrategyDocumentTests {
  private func told(_ pairs: String) throws -> [String] {
    try document(pairs).warnings.map { "\($0.path): \($0.sentence)" }
  }

  @Test(
    "effect, or type, says which document it is; without them what it holds",
    arguments: [
      (#""effect":"QUERY""#, .source), (#""type":"QUERY""#, .source), (#""effect":"execute""#, .target),
      (#""type":"WebAPI","effect":"QUERY""#, .source), (#""type":"EXECUTE""#, .target),
      (#""pagination":{"pageSize":50}"#, .source), (#""params":{}"#, .source), (#""request":[]"#, .target),
    ] as [(String, StrategyDocument.Kind)])
  func kind(pairs: String, expected: StrategyDocument.Kind) throws {
    #expect(try document(pairs).kind == expected)
  }

  @Test("a document may lie in a wrapper, and problems are counted in the whole file")
  func wrapper() throws {
    let inner = #"{"effect":"EXECUTE","request":[\#(field("1"))]}"#
    let wrapped = try StrategyDocument(file: "f", text: Array(#"{"title":"x","metadata":\#(inner)}"#.utf8))
    #expect(try body(wrapped) == #"{"X":"1"}"#)
    let broken = "{\"title\":\"x\",\n\"metadata\":{\"request\":[\n {\"field\":\"A\",\"value\":\"{x\"}]}}"
    let found = #expect(throws: StrategyProblems.self) { try StrategyDocument(file: "f", text: Array(broken.utf8)) }
    #expect(found?.description == "f:3:23: request.A: a placeholder is not closed")
  }

  @Test("a source's request, flat or as params, is made from the variables")
  func request() throws {
    let inputs = VariableTests.inputs
    let request =
      #""effect":"QUERY","request":[\#(field("from", "{{LAST_SYNC_TIME|datetime}}")),\#(field("n", "10", type: "int"))]"#
    #expect(try body(document(request), inputs: inputs) == #"{"from":"2024-03-14 15:00:00","n":10}"#)
    let params = #""params":{"from":"{{LAST_SYNC_TIME|datetime}}","n":10,"off":"0"}"#
    #expect(try body(document(params), inputs: inputs) == #"{"from":"2024-03-14 15:00:00","n":"10","off":"0"}"#)
    #expect(try told(params) == [])
  }

  @Test("what only the platform acts by is taken with a note, whatever it holds")
  func unused() throws {
    let note = "the platform knows this key, Ferry does not use it"
    for key in [
      "otherResponse", "pagination", "omissionRemedy", "autoCheck", "distributionOrg", "isUploadFile",
      "callBackStrategy",
    ] {
      for value in ["true", "[]", #"{"a":[{"field":5}]}"#, #""x""#] {
        #expect(try told(#""effect":"QUERY","\#(key)":\#(value)"#) == ["\(key): \(note)"])
      }
    }
    #expect(try told(#""effect":"EXECUTE","idCheck":false,"id":"a","number":"b","name":"{random}""#) == [])
    #expect(
      try told(#""effect":"EXECUTE","operation":{"method":"none"},"weather":1,"condition_bk":[]"#) == [
        "weather: the key is unknown and has no effect"
      ])
  }

  @Test("of a field twice at one level the last one counts, with a warning; paths that lead nowhere are empty")
  func odd() throws {
    let twice = try target(field("A", "1") + "," + field("A", "2"))
    #expect(try body(twice) == #"{"A":"2"}"#)
    #expect(twice.warnings.map(\.line) == [1])
    #expect(
      try body(
        target(array("E", "details_list", field("{{detail_list.remark}}"), field("Y", "{{details_list.a}}"))),
        #"{"details_list":[{"a":1}]}"#) == #"{"E":[{"Y":"1"}]}"#)
  }

  @Test("in a source an object without children is passed over")
  func sourceChildren() throws {
    #expect(
      try told(#""effect":"QUERY","request":[{"field":"filter","type":"object"}]"#) == [
        "request.filter: has no «children»"
      ])
  }
}

/// The strategies that people published, read as they stand.
@Suite("Published strategies")
struct PublishedStrategyTests {
  private static func files() throws -> [URL] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "PublishedStrategies")
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "json" }.sorted { $0.path() < $1.path() }
  }

  private static func read(_ file: URL) throws -> StrategyDocument {
    try StrategyDocument(file: file.lastPathComponent, text: Array(try Data(contentsOf: file)))
  }

  @Test("all thirty are read without an error")
  func all() throws {
    let files = try Self.files()
    #expect(files.count == 30)
    for file in files { #expect(throws: Never.self, "\(file.lastPathComponent)") { _ = try Self.read(file) } }
  }

  @Test("their kinds are those that the collector noted")
  func kinds() throws {
    for file in try Self.files() {
      guard let document = try? Self.read(file) else { continue }
      #expect(
        try document.kind.rawValue == JSONDocument(Array(try Data(contentsOf: file))).root["kind"]?.string, "\(file)")
    }
  }

  @Test("the case study's target makes its bill")
  func caseStudy() throws {
    let file = try #require(try Self.files().first { $0.lastPathComponent == "case-study-okki-k3wise-target.json" })
    let document = try Self.read(file)
    let order = #"""
      {"account_date":"2024-01-29","exchange_rate":725,"new_customerid":7,
       "product_list":[{"product_list_product_no":"A","product_list_count":4,"product_list_cost_amount":10}]}
      """#
    let asked = document.lookups(of: try parsed(order))
    #expect(asked == [key("...", ("company_id", "7"))])
    let question = try #require(asked.first)
    let found = try parsed(body(document, order, [question: record(#"{"serial_id":"C7"}"#)]))
    #expect(found["Page1"]?[0]?["FExchangeRate"]?.string == "7.25")
    #expect(found["Page1"]?[0]?["FCustID"]?["FNumber"]?.string == "C7")
    #expect(found["Page2"]?[0]?["FAuxTaxPrice"]?.string == "2.5")
  }
}
