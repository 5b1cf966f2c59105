import JSON
import Mapping
import Testing

@Suite("Placeholders and literals")
struct PlaceholderTests {
  @Test("a literal is sent as it stands", arguments: ["100", "false", "XSDD01_SYS", "销售订单", "a}b", " spaced "])
  func literals(text: String) throws {
    #expect(try headText(text) == text)
  }

  @Test("literals may be numbers and booleans in the file")
  func unquotedLiterals() throws {
    let fields = #"{"field":"A","value":1.50},{"field":"B","value":true},{"field":"C","value":null}"#
    let found = try data(strategy(fields), "{}")
    #expect(found["A"]?.string == "1.50")
    #expect(found["B"]?.string == "true")
    #expect(found["C"] == nil)
  }

  @Test("one and two braces mean the same, and so do spaces inside", arguments: ["{x}", "{{x}}", "{{ x }}"])
  func braces(text: String) throws {
    #expect(try headText(text, #"{"x":"value"}"#) == "value")
  }

  @Test(
    "a surplus brace changes nothing",
    arguments: ["{{{x}}", "{{{x}}}", "{{x}", "{{x}}}", "{x}}", "{{{{x}}"])
  func surplusBrace(text: String) throws {
    #expect(try headText(text, #"{"x":"value"}"#) == "value")
    #expect(try headText("a" + text + "b", #"{"x":"value"}"#) == "avalueb")
    #expect(try headText("_function 2*" + text, #"{"x":"3"}"#) == "6")
  }

  @Test("text with several placeholders is put together, missing ones being empty")
  func text() throws {
    let order = #"{"a":"A","b":2.50,"c":true,"d":null}"#
    #expect(try headText("{{a}}-{b}", order) == "A-2.50")
    #expect(try headText("{{a}}{b}", order) == "A2.50")
    #expect(try headText("旺店通单号{{a}}", order) == "旺店通单号A")
    #expect(try headText("[{a}][{c}][{d}][{e}]", order) == "[A][true][][]")
  }

  @Test("nothing is left out: a missing field, null and the empty text")
  func nothing() throws {
    let order = #"{"a":null,"b":"","c":[],"d":{}}"#
    for name in ["a", "b", "c", "d", "e", "e.f", "a.f"] {
      #expect(try headText("{{\(name)}}", order) == nil)
    }
    #expect(try headText("", order) == nil)
  }

  @Test("an empty filter at the end is ignored")
  func emptyFilter() throws {
    let order = #"{"x":"2024-01-29 10:11:12"}"#
    #expect(try headText("{{x|}}", order) == "2024-01-29 10:11:12")
    #expect(try headText("{{x|date|}}", order) == "2024-01-29")
  }

  @Test(
    "date and datetime take dates, date-times, compact ones, epoch seconds and milliseconds, in any case of their names",
    arguments: [
      ("{{x|date}}", #""2024-01-29 10:11:12""#, "2024-01-29"), ("{x|Date}", #""2024-01-29""#, "2024-01-29"),
      ("{{x|datetime}}", #""2024-01-29""#, "2024-01-29 00:00:00"),
      ("{{x|dateTime}}", #""2024-01-29 10:11:12""#, "2024-01-29 10:11:12"),
      // 16:00:00 UTC is midnight in Beijing.
      ("{{x|date}}", "1706544000", "2024-01-30"), ("{{x|datetime}}", "1706543999", "2024-01-29 23:59:59"),
      ("{{x|date}}", #""1706543999""#, "2024-01-29"), ("on {{x|date}}.", "1706543999", "on 2024-01-29."),
      ("{{x|datetime}}", "1706543999000", "2024-01-29 23:59:59"), ("{{x|date}}", #""1706544000999""#, "2024-01-30"),
      ("{{x|date}}", "20240129", "2024-01-29"), ("{{x|datetime}}", #"" 20240129101112 ""#, "2024-01-29 10:11:12"),
      ("{{x|timestamp}}", "20240129235959", "1706543999"), ("{{x|timestamp_ms}}", "1706543999123", "1706543999000"),
    ])
  func dates(value: String, x: String, expected: String) throws {
    #expect(try headText(value, #"{"x":\#(x)}"#) == expected)
  }

  @Test(
    "what is no date is refused instead of being guessed at",
    arguments: [
      "20240230", #""202401291011""#, "20240129241112", #""0000000000000""#, "99999999999999", "0", "-1",
      "1e400", "9223372036854775807", #""soon""#, "true",
      #"["2024-01-29"]"#, #""2024-02-30""#, "1706543999.5",
    ])
  func noDates(x: String) throws {
    let failure = try failure("{{x|date}}", #"{"x":\#(x)}"#)
    #expect(failure.code == .valueInvalid)
    #expect(failure.target == "X")
    #expect(failure.sentence.hasPrefix("x "))
  }

  @Test("a filter leaves an empty field empty")
  func filterOfNothing() throws {
    #expect(try headText("{{x|date}}", #"{"x":""}"#) == nil)
    #expect(try headText("{{x|date}}") == nil)
  }

  @Test(
    "fields may be named in Chinese, by numbers, with an underscore, with an asterisk or with an exclamation mark",
    arguments: ["单据编号", "6940373023933", "_widget_1683509935530", "交货方式*", "orderPrices!currency", "a b"])
  func names(name: String) throws {
    #expect(try headText("{{\(name)}}", #"{"\#(name)":"here"}"#) == "here")
    #expect(try rows("{{lines.\(name)}}", #"{"lines":[{"\#(name)":"row"}]}"#) == ["row"])
  }

  @Test("dots lead into objects, and outside its array into the first element of a list")
  func dottedPaths() throws {
    let order = #"{"company":{"serial_id":7},"users":[{"nickname":"A"},{"nickname":"B"}],"none":[]}"#
    #expect(try headText("{{company.serial_id}}", order) == "7")
    #expect(try headText("{{users.nickname}}", order) == "A")
    #expect(try headText("{{none.nickname}}", order) == nil)
  }

  @Test("names are read in their own case")
  func caseOfNames() throws {
    #expect(try headText("{{goodsDetail.x}}", #"{"GoodsDetail":[{"x":1}]}"#) == nil)
  }

  @Test("a value never turns into a placeholder, a formula or a lookup of its own")
  func values() throws {
    for text in ["{{secret}}", "_function 1+1", "_findCollection find a from b where c=1", "1+1", "' or 1"] {
      let order = #"{"x":\#(quoted(text)),"secret":"S"}"#
      #expect(try headText("{{x}}", order) == text)
      #expect(try headText("_function IFNULL({x},'')", order) == text)
      #expect(try headText("_function IFNULL('{x}','')", order) == text)
    }
  }

  @Test("formatResponse makes fields as text, which win over fields of the order")
  func madeFields() throws {
    let source = #"{"formatResponse":[{"old":"company.id","new":"made","format":"string"}]}"#
    let made = try strategy(field("{{made}}") + "," + field("Y", "_function {made}+1"), source: source)
    let found = try data(made, #"{"company":{"id":3448551934},"made":"own"}"#)
    #expect(found["X"]?.string == "3448551934")
    #expect(found["Y"]?.string == "3448551935")
    #expect(try data(strategy(field("{{made}}"), source: source), #"{"company":[],"made":"own"}"#)["X"] == nil)
  }

  @Test(
    "placeholders that cannot be read are told when the strategy is read",
    arguments: [
      ("{{x", "is not closed"), ("{", "is not closed"), ("a{}b", "is empty"), ("{{}}", "is empty"),
      ("{{|date}}", "is empty"),
      ("{{.}}", "is empty"), ("{{x|money}}", "the filter «money» is unknown"), ("{{x|date('Y')}}", "is unknown"),
    ])
  func malformed(value: String, sentence: String) throws {
    #expect(try #require(problem(value)).contains(sentence))
  }
}
