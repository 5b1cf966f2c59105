import Foundation
import JSON
import Mapping
import Testing

@Suite("primaryWriteback and callBackStrategy (§13)")
struct WritebackTests {
  private func strategy(_ more: String) throws -> Strategy {
    let target = #"{"api":"/SO/Save",\#(more),"ferry":{"key":"N"},"request":[\#(field("N", "1"))]}"#
    return try Strategy(name: "t", source: Array("{}".utf8), target: Array(target.utf8))
  }

  private func kept(_ more: String, _ answer: String, _ order: String = "{}") throws -> String? {
    try strategy(more).writeback(of: parsed(answer), order: parsed(order)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static let children = #"[{"field":"id","value":"{{Id}}"},{"field":"number","value":"{{Number}}"}]"#

  @Test(
    "the old form, the newer one and the shortest keep the same",
    arguments: [
      #""response":[{"field":"x"},{"field":"primaryWriteback","type":"object","children":\#(children),"value":null}]"#,
      #""primaryWriteback":{"field":"primaryWriteback","type":"object","children":\#(children)}"#,
      #""primaryWriteback":\#(children)"#, #""primaryWriteback":{"id":"{{Id}}","number":"{{Number}}"}"#,
    ])
  func forms(more: String) throws {
    #expect(try kept(more, #"{"Id":5,"Number":"SO-1"}"#) == #"{"id":"5","number":"SO-1"}"#)
    #expect(try kept(more, #"{"Number":"SO-1"}"#) == #"{"number":"SO-1"}"#)
    #expect(try kept(more, "{}") == "{}")
  }

  @Test("the published fragment keeps what it says")
  func published() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "PublishedStrategies/geekdaxue-writeback-response.json")
    let metadata = try #require(try JSONDocument(Array(Data(contentsOf: file))).root["metadata"]?["response"])
    #expect(
      try kept(#""response":\#(String(decoding: metadata.rawBytes, as: UTF8.self))"#, #"{"Id":"100","Number":"X1"}"#)
        == #"{"id":"100","number":"X1"}"#)
  }

  @Test("values are read as everywhere: formulas, types, and the order's fields where the answer has none")
  func values() throws {
    let more =
      #""primaryWriteback":[{"field":"a","type":"int","value":"_function {FInterID}+1"},{"field":"b","value":"{{order_no}}/{{FBillNo}}"}]"#
    #expect(
      try kept(more, #"{"FInterID":1087,"FBillNo":"S1"}"#, #"{"order_no":"O1","FBillNo":"old"}"#)
        == #"{"a":1088,"b":"O1/S1"}"#)
    let failures = try #require(throws: MappingFailures.self) { try kept(more, #"{"FInterID":"x"}"#) }
    #expect(failures.failures.map(\.target) == ["primaryWriteback.a"])
  }

  @Test("without one nothing is kept")
  func none() throws {
    #expect(try kept(#""response":[{"field":"x"}]"#, #"{"Id":5}"#) == nil)
    #expect(try kept(#""primaryWriteback":null"#, #"{"Id":5}"#) == nil)
  }

  @Test("of both forms the old one counts, an empty one keeps nothing, and callBackStrategy is not used: all told")
  func odd() throws {
    let old =
      #""response":[{"field":"primaryWriteback","children":[{"field":"o","value":"{{Id}}"}]},{"field":"callBackStrategy","children":[]}]"#
    let both = old + #","primaryWriteback":{"n":"{{Id}}"},"callBackStrategy":{"strategyId":"x"}"#
    #expect(try kept(both, #"{"Id":5}"#) == #"{"o":"5"}"#)
    #expect(
      try strategy(both).warnings.map(\.path) == ["callBackStrategy", "response.callBackStrategy", "primaryWriteback"])
    #expect(
      try strategy(#""response":[{"field":"primaryWriteback"}]"#).warnings.map(\.sentence)
        == ["names no field, so nothing is kept of an answer"])
  }

  @Test(
    "what cannot be read is told when the strategy is read",
    arguments: [
      (#"[{"field":"a","value":"{{x"}]"#, "primaryWriteback.a: a placeholder is not closed"),
      (#"[{"field":"a","type":"money"}]"#, "primaryWriteback.a: the type «money» is unknown"),
      (
        #"[{"field":"a","value":"_findCollection find x from c where y={{Id}}"}]"#,
        "primaryWriteback: an answer is not looked up"
      ),
    ])
  func problems(children: String, expected: String) {
    let found = #expect(throws: StrategyProblems.self) { try strategy(#""primaryWriteback":\#(children)"#) }
    #expect(found?.problems.map { "\($0.path): \($0.sentence)" } == [expected])
  }
}
