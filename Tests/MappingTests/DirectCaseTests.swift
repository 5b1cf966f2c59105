import JSON
import Orders
import Testing

@testable import Mapping

/// Rules and shapes of bills that are written while they are mapped, each held against the tree's way.
@Suite("bills that are written while they are mapped, case by case")
struct DirectCaseTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let fields: String
    var rules = ""
    /// Orders that become bills, with how many notes each has.
    let good: [(order: String, notes: Int)]
    /// Orders that do not.
    let bad: [String]

    var testDescription: String { name }
  }

  private static func object(_ name: String, _ children: String...) -> String {
    #"{"field":"\#(name)","type":"object","children":[\#(children.joined(separator: ","))]}"#
  }

  private static func required(_ name: String, _ list: String?, _ child: String) -> String {
    array(name, list, child).replacing(#""type":"array""#, with: #""type":"array","is_required":true"#)
  }

  private static func residual(_ lines: String, _ quantity: String, _ price: String, _ amount: String, _ more: String)
    -> String
  {
    #","residual":{"lines":"\#(lines)","quantity":"\#(quantity)","price":"\#(price)","amount":"\#(amount)",\#(more)}"#
  }

  private static func lines(_ rows: String...) -> String { #"{"lines":[\#(rows.joined(separator: ","))]}"# }

  private static let three = [field("Q", "{{lines.q}}"), field("P", "{{lines.p}}"), field("A", "{{lines.a}}")]
    .joined(separator: ",")
  private static let exact = #"{"q":2,"p":3,"a":6}"#
  private static let near = #"{"q":2,"p":3,"a":"6.02"}"#
  private static let far = #"{"q":2,"p":3,"a":7}"#

  private static let residuals = [
    Case(
      name: "a residual's fields lie in objects of a row",
      fields: array(
        "L", "lines", object("O", field("Q", "{{lines.q}}"), object("I", field("P", "{{lines.p}}"))),
        field("A", "{{lines.a}}")),
      rules: residual("L", "O.Q", "O.I.P", "A", #""tolerance":"0.05""#),
      good: [(lines(exact, near), 1), (lines("{}", near, "{}", near), 2), (lines(), 0)],
      bad: [lines(near, far), lines(near, #"{"q":2,"a":7}"#), lines(#"{"a":7}"#)]),
    Case(
      name: "a residual's lines are an array without a list",
      fields: array("L", nil, field("Q", "{q}"), field("P", "{p}"), field("A", "{a}")),
      rules: residual("L", "Q", "P", "A", #""tolerance":"0.05""#),
      good: [(exact, 0), (near, 1), ("{}", 0)], bad: [far, #"{"q":2}"#]),
    Case(
      name: "a residual with so much a unit",
      fields: array("L", "lines", three),
      rules: residual("L", "Q", "P", "A", #""tolerance":"0.005","perUnit":"0.01""#),
      good: [(lines(near, exact, #"{"q":-2,"p":3,"a":"-6.02"}"#), 2)],
      bad: [lines(#"{"q":1,"p":6,"a":"6.02"}"#), lines(#"{"q":2,"p":3,"a":"6.03"}"#)]),
    Case(
      name: "two fields of a residual are the same",
      fields: array("L", "lines", three),
      rules: residual("L", "Q", "Q", "A", #""tolerance":"0.05""#),
      good: [(lines(#"{"q":3,"a":"9.01"}"#, #"{"q":3,"a":9}"#), 1)], bad: [lines(exact), lines(#"{"q":3}"#)]),
    Case(
      name: "the amount of a residual is its price",
      fields: array("L", "lines", three),
      rules: residual("L", "Q", "A", "A", #""tolerance":"0.05""#),
      good: [(lines(#"{"q":1,"a":9}"#, #"{"q":"1.001","a":9}"#), 1)], bad: [lines(exact)]),
    Case(
      name: "more than a hundred notes",
      fields: array("L", "lines", three),
      rules: residual("L", "Q", "P", "A", #""tolerance":"0.05""#),
      good: [100, 101, 250].map { (#"{"lines":[\#(Array(repeating: near, count: $0).joined(separator: ","))]}"#, 100) },
      bad: [#"{"lines":[\#(Array(repeating: near, count: 150).joined(separator: ",")),\#(far)]}"#]),
    Case(
      name: "rows of an inner list stand between a residual's fields",
      fields: array(
        "L", "lines", field("Q", "{{lines.q}}"), array("M", "lines.m", field("N", "{{lines.m.n}}")),
        field("P", "{{lines.p}}"), field("A", "{{lines.a}}")),
      rules: residual("L", "Q", "P", "A", #""tolerance":"0.05""#),
      good: [(lines(exact, #"{"q":2,"p":3,"a":"6.02","m":[{"n":1},{},{}]}"#, near), 2)],
      bad: [lines(near, #"{"q":2,"p":3,"a":7,"m":[{},{},{}]}"#)]),
    Case(
      name: "two residuals of the same rows",
      fields: array("L", "lines", three),
      rules: #","residual":[{"lines":"L","quantity":"Q","price":"P","amount":"A","tolerance":"0.05"},"#
        + #"{"lines":"L","quantity":"P","price":"Q","amount":"A","tolerance":1}]"#,
      good: [(lines(exact, near), 2)], bad: [lines(far)]),
  ]

  private static let ranges = [
    Case(
      name: "a watched constant in an object of constants inside rows",
      fields: array("L", "lines", object("O", field("C", "7"), field("D", "x")), object("R", field("C", "9"))),
      rules: #","plausible":{"field":"L.O.C","maximum":7}"#,
      good: [(lines("{}", "{}"), 0), (lines(), 0)], bad: [#"{"lines":7}"#]),
    Case(
      name: "a watched constant in an object of constants inside rows, which is too large",
      fields: array("L", "lines", object("O", field("C", "7"), field("D", "x"))),
      rules: #","plausible":{"field":"L.O.C","maximum":6}"#, good: [(lines(), 0)], bad: [lines("{}", "{}")]),
    Case(
      name: "the sum of a constant in rows",
      fields: array("L", "lines", object("O", field("C", "7"))),
      rules: #","plausible":{"sum":"L.O.C","source":"s","tolerance":0}"#,
      good: [(#"{"s":14,"lines":[{},{}]}"#, 0)], bad: [#"{"s":14,"lines":[{}]}"#]),
    Case(
      name: "rules through two nested lists",
      fields: array("L", "lines", array("M", "lines.m", field("P", "{{lines.m.p}}"), field("U", "{{lines.m.u}}")))
        + "," + field("F", "{f}"),
      rules: #","plausible":[{"sum":"L.M.P","times":"F","source":"s","tolerance":0},{"field":"L.M.U","maximum":5}]"#,
      good: [
        (#"{"f":2,"s":12,"lines":[{"m":[{"p":1,"u":5},{"p":2}]},{"m":[]},{"m":[{"p":"3","u":""}]}]}"#, 0),
        (#"{"lines":[{"m":[{"u":5}]}]}"#, 0),
      ],
      bad: [
        #"{"f":2,"s":12,"lines":[{"m":[{"p":1},{"p":2}]}]}"#, #"{"s":6,"lines":[{"m":[{"p":1},{"p":2}]}]}"#,
        #"{"lines":[{"m":[{"u":5}]},{"m":[{"u":5},{"u":6}]}]}"#, #"{"lines":[{"m":7}]}"#,
      ]),
    Case(
      name: "a range holds where a field in rows says so",
      fields: array("L", "lines", field("C", "{{lines.c}}"), field("X", "{{lines.x}}")) + "," + field("Y", "{y}"),
      rules: #","plausible":[{"field":"Y","maximum":1,"when":{"L.C":["a","b"],"L.X":"1"}}]"#,
      good: [
        (#"{"y":5,"lines":[{"c":"c","x":1}]}"#, 0), (#"{"y":1,"lines":[{"c":"a","x":1}]}"#, 0),
        (#"{"y":5,"lines":[{"c":"a","x":2},{"c":"d"}]}"#, 0), (#"{"y":5,"lines":[]}"#, 0),
      ],
      bad: [
        #"{"y":5,"lines":[{"c":"c","x":1},{"c":"b"}]}"#, #"{"y":"5","lines":[{"c":"a"},{"x":"1"}]}"#,
        #"{"y":"q","lines":[{"c":"a","x":1}]}"#,
      ]),
    Case(
      name: "failures become the value's text, and rules look at that",
      fields: array("L", "lines", field("Q", "_function {{lines.q}}/{{lines.z}}"), field("P", "{{lines.p}}"))
        + "," + field("Y", "_function 6/{y}") + "," + field("T", "t-{t}"),
      rules: #","original":true,"plausible":[{"field":"Y","maximum":3},{"field":"L.Q","maximum":9}]"#,
      good: [
        (#"{"y":2,"t":"x","lines":[{"q":6,"z":1,"p":1}]}"#, 0), (#"{"y":3,"lines":[]}"#, 0),
      ],
      bad: [#"{"y":0,"lines":[]}"#, #"{"y":2,"lines":[{"q":1,"z":0}]}"#, #"{"y":1,"lines":[{"q":9,"z":1}]}"#]),
  ]

  private static let shapes = [
    Case(
      name: "a parser of a value makes a list or an object, with siblings behind it",
      fields: [
        field("X", "{x}", #""parser":{"name":"StringToArray","params":","}"#), field("S", "{s}"),
        field("O", "{x}", #""parser":{"name":"ConvertObjectParser","params":"V"}"#), field("C", "7"),
        array("L", "lines", field("M", "{{lines.m}}", #""parser":{"name":"StringToArray","params":","}"#)),
        field("Y", "{y}", #""parser":{"name":"ConvertObjectParser","params":"V"}"#), field("Z", "{s}"),
      ].joined(separator: ","),
      good: [
        (#"{"x":"a,b","s":"s","lines":[{"m":"1"},{},{"m":"1,2"}]}"#, 0), (#"{"x":"","y":7}"#, 0), ("{}", 0),
        (#"{"s":"\"","y":"é\n"}"#, 0),
      ],
      bad: [#"{"x":{"a":1},"s":"s"}"#, #"{"s":"s","lines":[{"m":"1"},{"m":{"a":1}}]}"#]),
    Case(
      name: "a required array that is empty",
      fields: required("L", "lines", field("Q", "{{lines.q}}")) + "," + field("Y", "{y}"),
      good: [(lines("{}"), 0), (lines(#"{"q":1}"#), 0)], bad: [lines(), "{}", #"{"lines":null,"y":1}"#]),
    Case(
      name: "a required array in rows that is empty",
      fields: array("L", "lines", required("M", "lines.m", field("P", "{{lines.m.p}}"))),
      good: [(lines(#"{"m":[{}]}"#), 0), (lines(), 0)], bad: [lines(#"{"m":[{"p":1}]}"#, #"{"m":[]}"#)]),
    Case(
      name: "a required array without a list whose row is empty",
      fields: required("L", nil, field("Q", "{q}")),
      good: [(#"{"q":1}"#, 0)], bad: ["{}"]),
  ]

  @Test("each makes the same bill, notes and failures", arguments: residuals + ranges + shapes)
  func cases(_ one: Case) throws {
    let strategy = try strategy(one.fields, rules: #""key":"N"\#(one.rules)"#)
    let plan = try #require(strategy.direct)
    for (text, notes) in one.good {
      let order = try parsed(text)
      #expect(try failures(strategy, text) == [], "\(text)")
      var run = MappingRun(OrderReader(order, strategy.table, answers: LookupTable(), inputs: MappingInputs()))
      #expect(run.written(strategy.fields, plan, strategy.amounts) != nil, "\(text)")
      #expect(run.notes.notes.count == notes, "\(text)")
    }
    for text in one.bad { #expect(try !failures(strategy, text).isEmpty, "\(text)") }
  }
}
