import JSON
import Mapping
import Testing

@Suite("otherRequest and batchArraySave (§2, §11)")
struct BatchTests {
  private static let batch = #""operation":{"rowsKey":"array","rows":2,"method":"batchArraySave"}"#

  private func target(_ more: String, source: StrategyDocument? = nil) throws -> StrategyDocument {
    try document(#""effect":"EXECUTE","request":[\#(field("{{no}}"))],\#(more)"#, source: source)
  }

  private func bodies(_ target: StrategyDocument, _ records: String...) throws -> [String] {
    try target.bodies(of: records.map { try parsed($0) }).map { String(decoding: $0, as: UTF8.self) }
  }

  private func other(_ fields: String...) -> String { #""otherRequest":[\#(fields.joined(separator: ","))]"# }

  @Test("the parameters besides the body are made like the body, from the record")
  func parameters() throws {
    let mapped = try target(other(field("FormId", "SAL_{{kind}}"), field("n", "_function {n}*2", type: "int")))
    let found = try #require(try mapped.parameters(of: parsed(#"{"no":1,"kind":"SaleOrder","n":"4"}"#)))
    #expect(String(decoding: found, as: UTF8.self) == #"{"FormId":"SAL_SaleOrder","n":8}"#)
    #expect(try bodies(mapped, #"{"no":1,"n":1}"#) == [#"{"X":"1"}"#])
    #expect(try target(#""op_bk":1"#).parameters(of: parsed("{}")) == nil)
    #expect(
      try target(#""otherRequest":{"FormId":"a{{no}}"}"#).parameters(of: parsed(#"{"no":1}"#))
        == Array(#"{"FormId":"a1"}"#.utf8))
    let broken = try target(other(field("n", "{{n}}", type: "int")))
    let failures = try #require(throws: MappingFailures.self) { try broken.bodies(of: [parsed(#"{"n":"x"}"#)]) }
    #expect(failures.failures.map(\.target) == ["otherRequest.n"])
    let twice = try document(
      #""effect":"EXECUTE","request":[\#(field("m", "{{n}}", type: "int"))],\#(other(field("n", "{{n}}", type: "int")))"#
    )
    let all = try #require(throws: MappingFailures.self) { try twice.bodies(of: [parsed(#"{"n":"x"}"#)]) }
    #expect(all.failures.map(\.target) == ["m", "otherRequest.n"])
  }

  @Test("its lookups are asked with the others")
  func lookups() throws {
    let mapped = try target(other(field("key", "_findCollection find k from kinds where no={{no}}")))
    let record = try parsed(#"{"no":1}"#)
    let asked = mapped.lookups(of: record)
    #expect(asked == [key("kinds", ("no", "1"))])
    let answers = LookupTable([asked[0]: try MappingTests.record(#"{"k":"Model"}"#)])
    #expect(try mapped.bodies(of: [record], lookups: answers) == [Array(#"{"Model":[{"X":"1"}]}"#.utf8)])
  }

  @Test(
    "its «key» names the array that takes the records, as many as the batch has rows",
    arguments: [
      ("", [#"{"Model":[{"X":"1"}]}"#, #"{"Model":[{"X":"2"}]}"#, #"{"Model":[{"X":"3"}]}"#]),
      (batch, [#"{"Model":[{"X":"1"},{"X":"2"}]}"#, #"{"Model":[{"X":"3"}]}"#]),
      (
        batch.replacing(":2,", with: #":"1","#),
        [#"{"Model":[{"X":"1"}]}"#, #"{"Model":[{"X":"2"}]}"#, #"{"Model":[{"X":"3"}]}"#]
      ),
      (batch.replacing(":2,", with: ":500,"), [#"{"Model":[{"X":"1"},{"X":"2"},{"X":"3"}]}"#]),
    ])
  func wrapped(operation: String, expected: [String]) throws {
    let mapped = try target(other(field("key", "Model")) + (operation.isEmpty ? "" : ",\(operation)"))
    #expect(try bodies(mapped, #"{"no":1}"#, #"{"no":2}"#, #"{"no":3}"#) == expected)
    #expect(mapped.warnings.isEmpty)
  }

  @Test("records of another key begin another body; without one a record is a body by itself")
  func keys() throws {
    let mapped = try target(other(field("key", "{{k}}")) + "," + Self.batch)
    #expect(
      try bodies(
        mapped, #"{"no":1,"k":"A"}"#, #"{"no":2,"k":"B"}"#, #"{"no":3,"k":"B"}"#, #"{"no":4}"#, #"{"no":5,"k":"B"}"#)
        == [
          #"{"A":[{"X":"1"}]}"#, #"{"B":[{"X":"2"},{"X":"3"}]}"#, #"{"X":"4"}"#, #"{"B":[{"X":"5"}]}"#,
        ])
    let keyless = try target(Self.batch)
    #expect(try bodies(keyless, #"{"no":1}"#) == [#"{"X":"1"}"#])
    #expect(keyless.warnings.map(\.sentence) == ["otherRequest has no «key», so a body is one record by itself"])
  }

  @Test("the documents of a flattened record go into one batch, and each is explained")
  func flattened() throws {
    let source = try document(#""effect":"QUERY","beatFlat":["l"]"#)
    let mapped = try document(
      #""effect":"EXECUTE","request":[\#(field("{{l_q}}"))],\#(other(field("key", "M"))),\#(Self.batch)"#,
      source: source)
    guard case .changed(let records) = try mapped.selection(of: parsed(#"{"l":[{"q":1},{"q":2},{"q":3}]}"#)) else {
      Issue.record("whole")
      return
    }
    let explanation = mapped.explain(of: records.map(\.root))
    #expect(
      explanation.fields.map(\.target)
        == (1...3).flatMap { ["document \($0): X", "document \($0): otherRequest.key"] })
    #expect(
      try explanation.documents.get().map { String(decoding: $0, as: UTF8.self) } == [
        #"{"M":[{"X":"1"},{"X":"2"}]}"#, #"{"M":[{"X":"3"}]}"#,
      ])
  }

  @Test(
    "both are checked like the rest of a document",
    arguments: [
      (#""otherRequest":5"#, "otherRequest: must be a list of field descriptors"),
      (#""otherRequest":[{"field":"k","value":"{{x"}]"#, "otherRequest.k: a placeholder is not closed"),
      (#""otherRequest":[{"field":"k","valeu":"x"}]"#, "otherRequest.k.valeu: the key is unknown; is «value» meant?"),
      (#""operation":{"method":"batchArraySave","rows":0}"#, "operation.rows: must be a whole number from 1"),
      (
        #""operation":{"method":"batchArraySave","rowKey":"a"}"#,
        "operation.rowKey: the key is unknown; is «rowsKey» meant?"
      ),
    ])
  func problems(more: String, expected: String) {
    let found = #expect(throws: StrategyProblems.self) { try target(more) }
    #expect(found?.problems.map { "\($0.path): \($0.sentence)" } == [expected])
  }

  @Test("to K/3 each bill goes by itself, so that batches of more and parameters are told not to be used")
  func bills() throws {
    func told(_ more: String) throws -> [String] {
      let target = #"{"api":"/SO/Save",\#(more),"ferry":{"key":"N"},"request":[\#(field("N", "1"))]}"#
      return try Strategy(name: "t", source: Array("{}".utf8), target: Array(target.utf8)).warnings
        .map { "\($0.path): \($0.sentence)" }
    }
    #expect(try told(Self.batch) == ["operation: not used: each bill is a request of its own"])
    #expect(try told(Self.batch.replacing(":2,", with: ":1,")) == [])
    #expect(
      try told(other(field("key", "Data"))) == [#"otherRequest: not used: a bill's body is always {"Data":…}"#])
  }
}
