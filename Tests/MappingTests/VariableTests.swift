import JSON
import Mapping
import Orders
import Testing

@Suite("Variables and filters (§5.3)")
struct VariableTests {
  /// 2024-03-14 16:00:00 in Beijing.
  static let inputs = MappingInputs(
    now: BeijingTime(epochSeconds: 1_710_403_200), lastSync: BeijingTime(epochSeconds: 1_710_399_600), pageSize: 50,
    startRow: 100, startPage: 1, randomSeed: 7)

  private func text(_ value: String, _ inputs: MappingInputs = inputs) throws -> String? {
    try parsed(body(target(field(value)), inputs: inputs))["X"]?.text
  }

  @Test(
    "times are epoch seconds of Beijing's clock, bare or through a filter in any case",
    arguments: [
      ("{{CURRENT_TIME}}", "1710403200"), ("{{CURRENT_TIME|datetime}}", "2024-03-14 16:00:00"),
      ("{{CURRENT_TIME|date}}", "2024-03-14"), ("{{LAST_SYNC_TIME|dateTime}}", "2024-03-14 15:00:00"),
      ("{{LAST_SYNC_TIME}}000", "1710399600000"), ("{{LAST_SYNC_TIME|timestamp_ms}}", "1710399600000"),
      ("FApproveDate>='{{LAST_SYNC_TIME|dateTime}}'", "FApproveDate>='2024-03-14 15:00:00'"),
      ("{{MINUTE_AGO_30|datetime}}", "2024-03-14 15:30:00"), ("{{DAYS_AGO_1|datetime}}", "2024-03-13 16:00:00"),
      ("{{DAYS_AGO_2|date}}", "2024-03-12"), ("{MINUTE_AGO_1}", "1710403140"),
      ("_function {{LAST_SYNC_TIME}} - 600", "1710399000"),
    ])
  func times(value: String, expected: String) throws {
    #expect(try text(value) == expected)
  }

  @Test("pages come from the inputs, with one brace and with two")
  func pages() throws {
    #expect(
      try text("{{PAGINATION_PAGE_SIZE}}/{{PAGINATION_START_ROW}}/{PAGINATION_START_PAGE}") == "50/100/1")
  }

  @Test("random is 32 digits, the same for the same seed and within one order, another for another seed")
  func random() throws {
    let first = try #require(try text("{random}"))
    #expect(first.count == 32 && first.allSatisfy(\.isHexDigit))
    #expect(try text("{{random}}-{{random}}") == "\(first)-\(first)")
    var others = Self.inputs
    others.randomSeed = 8
    #expect(try text("{random}", others) != first)
  }

  @Test(
    "what the inputs do not give fails by name",
    arguments: [
      "LAST_SYNC_TIME", "CURRENT_TIME", "MINUTE_AGO_5", "DAYS_AGO_1", "PAGINATION_PAGE_SIZE", "PAGINATION_START_ROW",
      "PAGINATION_START_PAGE", "random",
    ])
  func unknown(name: String) throws {
    let found = try failure("{{\(name)}}", "{}")
    #expect(found.code == .fieldMissing)
    #expect(found.sentence == "\(name) is not known here")
    #expect(found.remedy.hasPrefix("An order is mapped without it"))
  }

  @Test(
    "names that only look like variables are fields",
    arguments: ["MINUTE_AGO_", "MINUTE_AGO_x", "WEEK_AGO_1", "current_time", "MINUTE_AGO_99999999", "a.random"])
  func fields(name: String) throws {
    #expect(try headText("{{\(name)}}", #"{"\#(name)":"own","a":{"random":"own"}}"#) == "own")
  }

  @Test("the bill's mapper takes the same inputs")
  func bill() throws {
    let mapper = Mapper(try strategy(field("X", "{{CURRENT_TIME|date}}")))
    let bill = try mapper.map(parsed("{}"), lookups: LookupTable(), inputs: Self.inputs)
    #expect(String(decoding: bill.body, as: UTF8.self) == #"{"Data":{"N":"no-1","X":"2024-03-14"}}"#)
  }

  @Test(
    "filters make seconds and milliseconds of a record's dates, as numbers",
    arguments: [
      ("{{x|timestamp}}", #""2024-03-14 16:00:00""#, "1710403200"), ("{{x|timestamp}}", "1710403200", "1710403200"),
      ("{{x|TIMESTAMP_MS}}", #""2024-03-14""#, "1710345600000"),
    ])
  func timestamps(value: String, x: String, expected: String) throws {
    let found = try parsed(body(target(field("X", value, type: "int")), #"{"x":\#(x)}"#))["X"]
    #expect(found?.numberText == expected)
  }
}

@Suite("Types (§4)")
struct TypeTests {
  @Test(
    "times are written in the type's form, whatever case, spaces or dashes its name has",
    arguments: [
      ("datetime", #""2024-03-14""#, #""2024-03-14 00:00:00""#), ("DateTime", "1710403200", #""2024-03-14 16:00:00""#),
      ("long datetime", #""2024-03-14T16:00:00""#, #""2024-03-14 16:00:00""#),
      ("datetime", "20240314160000", #""2024-03-14 16:00:00""#),
      ("datetime", "1710403200999", #""2024-03-14 16:00:00""#),
      ("datetime", #""20240314""#, #""2024-03-14 00:00:00""#), ("date", #""20240314160000""#, #""2024-03-14""#),
      ("date", #""2024-03-14 16:00:00""#, #""2024-03-14""#), ("Short-Date", "1710403200", #""2024-03-14""#),
      ("timestamp", #""2024-03-14 16:00:00""#, "1710403200"), ("second timestamp", "1710403200", "1710403200"),
      ("millisecond_timestamp", #""2024-03-14 16:00:00""#, "1710403200000"),
      ("timestamp_ms", #""2024-03-14 16:00:00""#, "1710403200000"),
      ("SQL statement", #""select 1""#, #""select 1""#), ("FLOAT", #""1.50""#, "1.50"), ("Int", "3.0", "3"),
      ("BOOLEAN", "1", "true"), ("bool", #""False""#, "false"),
    ])
  func written(type: String, x: String, expected: String) throws {
    #expect(try body(target(field("X", "{x}", type: type)), #"{"x":\#(x)}"#) == #"{"X":\#(expected)}"#)
  }

  @Test(
    "a value that a time cannot hold is refused",
    arguments: ["datetime", "date", "timestamp", "timestamp_ms"])
  func unfit(type: String) throws {
    for x in [#""soon""#, "20241314", "170654399900", "true", #""2024-02-30""#] {
      let found = try failure("{x}", #"{"x":\#(x)}"#, type: type)
      #expect(found.code == .valueInvalid)
      #expect(found.sentence.hasPrefix("x should be a date but is"))
    }
    #expect(try head("{x}", #"{"x":""}"#, type: type) == nil)
  }

  @Test("a type that is empty or missing is a text; containers have a second name")
  func others() throws {
    #expect(
      try body(target(#"{"field":"X","type":"","value":"1"},{"field":"Y","value":"2"}"#)) == #"{"X":"1","Y":"2"}"#)
    let object = #"{"field":"O","type":"child-table object","children":[\#(field("1"))]}"#
    let rows = #"{"field":"R","type":"Multi-row entry","value":"l","children":[\#(field("{{l.a}}"))]}"#
    #expect(try body(target(object + "," + rows), #"{"l":[{"a":"1"}]}"#) == #"{"O":{"X":"1"},"R":[{"X":"1"}]}"#)
  }
}
