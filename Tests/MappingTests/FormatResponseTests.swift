import JSON
import Mapping
import Testing

@Suite("formatResponse (§9)")
struct FormatResponseTests {
  private func made(_ format: String, _ x: String, _ type: String = "string") throws -> String? {
    let source = try document(
      #""type":"QUERY","formatResponse":[{"old":"x","new":"x_new","format":\#(quoted(format))}]"#)
    let found = try parsed(body(target(field("X", "{x_new}", type: type), source: source), #"{"x":\#(x)}"#))["X"]
    return found.map { String(decoding: $0.rawBytes, as: UTF8.self) }
  }

  @Test(
    "every format makes its form",
    arguments: [
      ("string", "7", #""7""#), ("date", #""2024-01-29 08:05:03""#, #""2024-01-29""#),
      ("time", #""2024-01-29 08:05:03""#, #""08:05:03""#),
      ("dateTime", #""2024-01-29""#, #""2024-01-29 00:00:00""#),
      ("shortDate", #""2024-01-29 08:05:03""#, #""01-29""#), ("shortTime", #""2024-01-29 08:05:03""#, #""08:05""#),
      ("shortDateTime", #""2024-01-29 08:05:03""#, #""01-29 08:05""#),
      ("dateDescription", #""2024-01-09 08:05:03""#, #""2024年1月9日""#),
      ("longText", #""0123456789abcdefg""#, #""0123456789abcde…""#), ("longText(3)", #""订单编号""#, #""订单编…""#),
      ("longText(4)", #""订单编号""#, #""订单编号""#), ("intval", "12.99", #""12""#), ("intval", #""-12.99""#, #""-12""#),
      ("round", "2.345", #""2.35""#), ("round(1)", #""2.25""#, #""2.3""#), ("round(0)", "2.5", #""3""#),
      ("amount", "1000000", #""￥1,000,000.00""#), ("amount", #""-999.5""#, #""-￥999.50""#),
      ("amount", "1234.567", #""￥1,234.57""#), ("implode", #"["a",1]"#, #""a,1""#),
      ("implode('; ')", #"["a","b"]"#, #""a; b""#), ("implode", #""a""#, #""a""#),
      ("DATETIME", "1706486400", #""2024-01-29 08:00:00""#),
    ])
  func formats(format: String, x: String, expected: String) throws {
    #expect(try made(format, x) == expected)
  }

  @Test("intval and round make numbers")
  func numbers() throws {
    #expect(try made("intval", #""12.9""#, "int") == "12")
    #expect(try made("round(1)", #""12.96""#, "float") == "13.0")
  }

  @Test(
    "dates may be ISO with an offset, epoch seconds, epoch milliseconds or compact",
    arguments: [
      #""2024-01-29T08:05:03""#, #""2024-01-29T00:05:03Z""#, #""2024-01-29T00:05:03.123Z""#,
      #""2024-01-29T08:05:03+08:00""#, #""2024-01-28T19:05:03-05:00""#, "1706486703", #""1706486703""#,
      "1706486703999", #""20240129080503""#, "20240129080503",
    ])
  func inputs(x: String) throws {
    #expect(try made("dateTime", x) == #""2024-01-29 08:05:03""#)
    #expect(try made("date", "20240129") == #""2024-01-29""#)
  }

  @Test("nothing stays nothing, and what a format cannot hold is a failure of the field that reads it")
  func unfit() throws {
    for format in ["date", "round", "amount", "implode", "longText"] {
      #expect(try made(format, "null") == nil)
      #expect(try made(format, #""""#) == nil)
    }
    for (format, wanted) in [("date", "a date"), ("intval", "a number"), ("amount", "a number")] {
      let source = #"{"formatResponse":[{"old":"x","new":"y","format":"\#(format)"}]}"#
      let found = try failures(strategy(field("{y}"), source: source), #"{"x":"soon"}"#)
      #expect(found.map(\.sentence) == ["y (made of x) should be \(wanted) but is a text of 4 characters"])
      #expect(try data(strategy(field("{z}"), source: source), #"{"x":"soon"}"#)["X"] == nil)
    }
  }

  @Test("a field made of a row's field stands in the row, beside it, and one of an object's also beside it")
  func places() throws {
    let source = try document(
      #"""
      "type":"QUERY","formatResponse":[
        {"old":"lines.price","new":"new_price","format":"round(1)"},
        {"old":"lines.day","new":"lines.new_day","format":"date"},{"old":"company.id","new":"made","format":"string"}]
      """#)
    let fields = [
      array(
        "E", "lines", field("A", "_function {{lines.new_price}}*2"), field("B", "{{lines.new_day}}"),
        field("C", "{{lines.lines_new_price}}"), field("D", "{{made}}")), field("F", "{{company.made}}{{made}}"),
    ].joined(separator: ",")
    let order = #"{"company":{"id":5},"lines":[{"price":"1.26","day":"2024-01-29 01:00:00"},{"price":2,"day":""}]}"#
    #expect(
      try body(target(fields, source: source), order)
        == #"{"E":[{"A":"2.6","B":"2024-01-29","C":"1.3","D":"5"},{"A":"4","C":"2","D":"5"}],"F":"55"}"#)
  }

  @Test(
    "a format that is not known, or whose number is not one, is told when the strategy is read",
    arguments: ["money", "longText(0)", "longText(x)", "round(-1)", "round(21)", "date(1)", "round(2", ""])
  func unknown(format: String) {
    let found = problems(
      source: #"{"formatResponse":[{"old":"a","new":"b","format":"\#(format)"}]}"#,
      target: #"{"api":"/SO/Save","ferry":{"key":"N"},"request":[\#(field("N", "1"))]}"#)
    #expect(found.map(\.path) == ["formatResponse[0]"])
    #expect(found.first?.sentence.hasPrefix("the format is one of string, date") == true)
  }
}
