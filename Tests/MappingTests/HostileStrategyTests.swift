import JSON
import Mapping
import Testing

/// Strategies that try to exhaust the stack, the memory or the log. Reading them must end with a strategy or with
/// problems, and every problem must be short enough to be read.
@Suite("Hostile strategies")
struct HostileStrategyTests {
  private func read(_ value: String) throws -> [StrategyProblem] {
    let found = problems(target: #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[\#(field("N", value))]}"#)
    for problem in found { #expect(problem.description.utf8.count < 600) }
    return found
  }

  @Test(
    "nesting is refused at some depth, whatever it is made of",
    arguments: [
      ("(", "1", ")"), ("ABS(", "1", ")"), ("-(", "1", ")"), ("IFNULL(1,", "2", ")"), ("(", "", ""),
      ("ROUND(-", "", ""),
    ])
  func nesting(open: String, middle: String, close: String) throws {
    let count = 60_000 / (open + close).utf8.count
    let text = String(repeating: open, count: count) + middle + String(repeating: close, count: count)
    #expect(try read("_function " + text).first?.sentence.hasPrefix("the expression is nested too deep") == true)
    let fine = String(repeating: open, count: 20) + "1" + String(repeating: close, count: 20)
    if !close.isEmpty { #expect(try read("_function " + fine).isEmpty) }
  }

  @Test("a sum and a product of many thousand terms are no deeper than a short one")
  func length() throws {
    let count = 30_000
    #expect(try headText("_function 0" + String(repeating: "+1", count: count)) == String(count))
    #expect(try headText("_function 1" + String(repeating: "*1/1", count: count / 2)) == "1")
    #expect(try headText("_function COALESCE(" + String(repeating: "-", count: 21) + "1)") == "-1")
  }

  @Test(
    "a long text of one kind is taken or refused with a short sentence",
    arguments: [
      "{", "}", "'", "_", "a", "9", ".", "(", ")", ",", "-", " ", "{a}", "{{a}}", "{a|", "''", "1 ", "a(", "*", "订",
      "\u{301}", "\\", "\"",
    ])
  func size(unit: String) throws {
    let text = String(repeating: unit, count: 100_000 / unit.utf8.count)
    for prefix in [
      "", "_function ", "_findCollection ", "_findCollection find a from b where c=", "{{", "'", "_mongoQuery ",
      "_mongoQuery a findField=content.b where={\"content.c\":", "_function _findCollection ",
    ] {
      _ = try read(prefix + text)
    }
  }

  @Test("a text that fills the file is taken or refused", arguments: ["+1", "(", "\u{301}"])
  func fullSize(unit: String) throws {
    let text = String(repeating: unit, count: ((1 << 20) - 200) / unit.utf8.count)
    _ = try read("_function 1" + text)
  }

  @Test("files above 1 MiB, and documents nested too deep, are refused")
  func files() {
    let big = #"{"request":[],"note":"\#(String(repeating: "x", count: 1 << 20))"}"#
    #expect(problems(source: big, target: big).map(\.sentence) == Array(repeating: "is not JSON: too large", count: 2))
    let deep = #"{"request":"# + String(repeating: #"[{"field":"a","type":"object","children":"#, count: 10_000)
    #expect(problems(target: deep).map(\.sentence) == ["is not JSON: nested too deep"])
  }

  @Test("as many fields, duplicates and problems as fit into 1 MiB are read")
  func many() throws {
    let duplicates = Array(repeating: #"{"field":"a","value":"1"}"#, count: 30_000).joined(separator: ",")
    #expect(try data(strategy(duplicates), "{}").count == 2)
    let broken = Array(repeating: #"{"field":"a","value":"{"}"#, count: 30_000).joined(separator: ",")
    let found = problems(target: #"{"api":"/SO/Save","ferry":{"key":"a"},"request":[\#(broken)]}"#)
    #expect(found.count == 1_000)
  }

  @Test("long names of fields, types, keys and filters are not repeated in full")
  func longNames() {
    let long = String(repeating: "长", count: 50_000)
    for descriptor in [
      #"{"field":"\#(long)","value":"1"}"#, #"{"field":"a","type":"\#(long)"}"#,
      #"{"field":"a","ferry":{"\#(long)":1}}"#,
      #"{"field":"a","value":"{x|\#(long)}"}"#, #"{"field":"a","value":"_function \#(long)()"}"#,
      #"{"field":"a","value":"_function 1 \#(long)"}"#,
      #"{"field":"a","value":"_findCollection find a from b where \#(long)"}"#,
    ] {
      let error = #expect(throws: StrategyProblems.self) { try strategy(descriptor) }
      #expect((error?.description.utf8.count ?? 0) < 600)
    }
    let rules = problems(target: #"{"api":"/SO/Save","ferry":{"\#(long)":1,"amounts":{"\#(long)":1}},"request":[]}"#)
    for problem in rules { #expect(problem.description.utf8.count < 600) }
  }

  @Test("an order of many thousand rows and of the deepest nesting is mapped")
  func largeOrder() throws {
    let lines = Array(repeating: #"{"a":"1.5"}"#, count: 20_000).joined(separator: ",")
    #expect(try rows("_function {{lines.a}}*2", #"{"lines":[\#(lines)]}"#).count == 20_000)
    let deep = String(repeating: #"{"x":"#, count: 60) + "1" + String(repeating: "}", count: 60)
    #expect(try failure("{x}", deep).code == .valueInvalid)
  }
}
