import JSON
import Mapping
import Testing

/// SUM and its like over the rows of a list: whatever a row lacks, its fields stay side by side (§6.2).
@Suite("List functions over an order's rows")
struct ListFunctionTests {
  private static let order = #"""
    {"rate":2,"L":[{"q":1,"n":"1.9"},{"q":2,"p":10},{"q":3,"p":"100","k":"a","n":"2"},{"q":"4","L_w":7}],
     "one":[{"q":5}],"none":[],"M":[{"q":1,"S":[{"v":1},{"v":2,"f":2}]},{"q":2},{"q":3,"S":null},{"q":4,"S":[{"f":9}]}],
     "tags":["a","b"],"flat.key":"f"}
    """#

  @Test(
    "a field that only some rows have belongs to those rows",
    arguments: [
      ("SUM({L.q})", "10"), ("SUM(CASE WHEN {L.k}='a' THEN {L.q} ELSE 0 END)", "3"),
      ("SUM({L.q}*IFNULL({L.p},0))", "320"), ("SUM(IFNULL({L.p},7))", "124"), ("COUNT({L.k})", "1"),
      ("COUNT({L.q})", "4"), ("GROUP_CONCAT(IFNULL({L.k},'-'))", "-,-,a,-"), ("SUM({L.q}*{rate})", "20"),
      ("SUM({one.q}*{rate})", "10"), ("COUNT({none.q})", "0"), ("COUNT({gone.q})", "0"),
      // Of a row of a list that is in rows; rows without that list have none.
      ("COUNT({M.S.v})", "2"), ("SUM(IFNULL({M.S.v},0)*IFNULL({M.S.f},1))", "5"), ("COUNT(IFNULL({M.S.v},0))", "3"),
      // The name of the list before the field's, and without.
      ("SUM({L.L_q})", "10"), ("COUNT({L.w})", "0"), ("COUNT({L.L_w})", "1"),
      ("COUNT({tags})", "2"), ("GROUP_CONCAT({tags})", "a,b"),
      ("CONCAT({flat.key},'!')", "f!"),
    ])
  func aligned(formula: String, expected: String) throws {
    #expect(try headText("_function \(formula)", Self.order) == expected, "\(formula)")
  }

  @Test("a field that formatResponse makes is made in every row")
  func made() throws {
    let source = #"{"formatResponse":[{"old":"L.n","new":"whole","format":"intval"}]}"#
    let fields = field("X", "_function SUM(IFNULL({L.whole},0)*{L.q})") + "," + field("Y", "_function COUNT({L.whole})")
    let found = try data(strategy(fields, source: source), Self.order)
    #expect(found["X"]?.text == "7" && found["Y"]?.text == "2")
  }

  @Test("a row without a value that is reckoned with fails, and so do fields of different lists, however long they are")
  func refused() throws {
    #expect(try failure("_function SUM({L.q}*{L.p})", Self.order).sources.contains("L.p"))
    let sentence = try failure("_function SUM({L.q}*{M.q})", Self.order).sentence
    #expect(sentence.contains("different lists"))
  }

  @Test("a look-up is asked once, so it cannot stand in a list function")
  func lookUp() {
    let found = problem("_function SUM({L.q}*_findCollection find v from c where k={L.q} _endFind)")
    #expect(found?.contains("a look-up cannot stand in a list function") == true)
    #expect(problem("_function SUM({L.q})*_findCollection find v from c where k={k} _endFind") == nil)
  }

  @Test("a rule of formatResponse that reads what another one makes is told")
  func chain() throws {
    let source =
      #"{"formatResponse":[{"old":"n","new":"y","format":"string"},{"old":"y","new":"z","format":"round(0)"}]}"#
    let warnings = try strategy(field("X", "{z}"), source: source).warnings.map(\.description)
    #expect(warnings.contains { $0.contains("formatResponse[1]: «y» is made by an earlier rule") }, "\(warnings)")
  }
}
