import Mapping
import Testing

/// What would be passed over without a word.
@Suite("Keys that stand twice or hold something else")
struct DocumentShapeTests {
  /// What is told of a document whose text is given: errors, and warnings, which begin with `~`.
  private func told(_ text: String) -> [String] {
    func shown(_ problem: StrategyProblem) -> String {
      "\(problem.line ?? 0):\(problem.column ?? 0) \(problem.path): \(problem.sentence)"
    }
    do throws(StrategyProblems) {
      return try StrategyDocument(file: "f", text: Array(text.utf8)).warnings.map { "~" + shown($0) }
    } catch { return error.problems.map(shown) + error.warnings.map { "~" + shown($0) } }
  }

  @Test("a key that stands twice is warned of with the place of the one that counts, at any depth")
  func twice() {
    #expect(
      told("{\"effect\":\"EXECUTE\",\n\"request\":[{\"field\":\"A\",\"value\":\"1\",\n \"value\":\"2\"}]}") == [
        "~3:10 request.A: the key «value» stands here twice; the last one counts"
      ])
    #expect(
      told(
        #"{"effect":"EXECUTE","request":[{"field":"A","type":"object","children":[{"field":"B","value":"1","parser":{"name":"ArrayUnique","name":"ArrayUnique"}}]}]}"#
      ) == ["~1:136 request.A.B.parser: the key «name» stands here twice; the last one counts"])
    #expect(
      told(#"{"effect":"QUERY","request":[],"request":[]}"#)
        == ["~1:42 request: the key «request» stands here twice; the last one counts"])
    #expect(
      told(#"{"effect":"QUERY","condition":[[{"field":"a","logic":"eq","value":"1","value":"2"}]]}"#).map {
        $0.dropFirst(6)
      }
        == ["condition[0].a: the key «value» stands here twice; the last one counts"])
  }

  @Test(
    "keys of a document that hold something else than they are written with are told with their place",
    arguments: [
      (#""idCheck":"x""#, "1:31 idCheck: must be true or false"),
      (#""idCheck":2"#, "1:31 idCheck: must be true or false"),
      (#""id":5"#, "1:26 id: must be a text"), (#""number":["a"]"#, "1:30 number: must be a text"),
      (#""method":{}"#, "1:30 method: must be a text"),
      (#""response":{"a":1}"#, "1:32 response: must be a list of field descriptors"),
      (#""response":"a""#, "1:32 response: must be a list of field descriptors"),
      (
        #""response":{}"#,
        "~1:32 response: is an empty object where a list of field descriptors stands, and declares nothing"
      ),
      (#""groupCalculate":[]"#, "~1:38 groupCalculate: is empty and does nothing"),
      (#""groupCalculate":{}"#, "~1:38 groupCalculate: is empty and does nothing"),
      (#""operation":[]"#, "~1:33 operation: is empty and does nothing"),
    ])
  func shapes(pair: String, expected: String) {
    #expect(told(#"{"effect":"EXECUTE",\#(pair)}"#) == [expected])
  }

  @Test(
    "what people write for true, false and nothing is taken",
    arguments: [
      #""idCheck":true"#, #""idCheck":"true""#, #""idCheck":1"#, #""idCheck":null"#, #""id":"a.b""#, #""id":null"#,
      #""response":[]"#, #""response":null"#, #""number":"""#,
    ])
  func fine(pair: String) { #expect(told(#"{"effect":"EXECUTE",\#(pair)}"#) == []) }
}
