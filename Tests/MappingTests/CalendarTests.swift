import JSON
import Mapping
import Orders
import Testing

@Suite("Dates of bills: cut-off, business days, closed periods (跨日结算, vendor-apis.md C.4)")
struct CalendarTests {
  /// A strategy with the bill's date `H.D` and a date `R.E` in its lines.
  private func strategy(_ calendar: String, file: String? = nil) throws -> Strategy {
    let fields = [
      field("N", "no-1"), array("H", nil, field("D", "{day}")), array("R", "lines", field("E", "{{lines.due}}")),
    ].joined(separator: ",")
    let rule = calendar.isEmpty ? "" : #","calendar":\#(calendar)"#
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"\#(rule)},"request":[\#(fields)]}"#
    return try Strategy(
      name: "test", source: Array("{}".utf8), target: Array(target.utf8), calendar: file.map { Array($0.utf8) })
  }

  /// What becomes of an order: its date, the dates of its lines and its notes; or code and place of what is wrong.
  private func outcome(_ strategy: Strategy, _ order: String) throws -> [String] {
    let order = try parsed(order)
    do throws(MappingFailures) {
      let bill = try Mapper(strategy).map(order, lookups: LookupTable())
      let data = try? JSONDocument(bill.body).root["Data"]
      let dates = [data?["H"]?[0]?["D"]?.text ?? "–"] + (data?["R"]?.elements.map { $0["E"]?.text ?? "–" } ?? [])
      return dates + bill.notes.map { "\($0.kind.rawValue) \($0)" }
    } catch { return error.failures.map { "\($0.code.rawValue) \($0.target)" } }
  }

  private func date(_ calendar: String, day: String, made: String = "") throws -> String {
    let order = #"{"day":\#(quoted(day)),"made":\#(quoted(made)),"lines":[]}"#
    return try outcome(strategy(calendar), order).first ?? "–"
  }

  private static let days = #""businessDays":{"holidays":["2024-02-10/2024-02-17"],"workdays":["2024-02-18"]}"#

  @Test(
    "an order that came on its day at or after the cut-off is of the next business day",
    arguments: [
      // Monday.
      ("2024-01-29", "2024-01-29 17:59:59", "2024-01-29"), ("2024-01-29", "2024-01-29 18:00:00", "2024-01-30"),
      ("2024-01-29", "2024-01-29 23:59:59", "2024-01-30"),
      ("2024-01-29 00:00:00", "2024-01-29T18:00:00", "2024-01-30 00:00:00"),
      // Over midnight: dated later already, or dated earlier by a person.
      ("2024-01-30", "2024-01-29 23:59:59", "2024-01-30"), ("2024-01-30", "2024-01-30 00:00:00", "2024-01-30"),
      ("2024-01-29", "2024-01-30 00:00:01", "2024-01-29"), ("2024-01-15", "2024-01-29 19:00:00", "2024-01-15"),
      // Friday, and Saturday itself.
      ("2024-02-02", "2024-02-02 18:00:00", "2024-02-05"), ("2024-02-03", "2024-02-03 19:00:00", "2024-02-05"),
      ("2024-02-03", "2024-02-03 09:00:00", "2024-02-03"),
      // Into the holidays, and a Sunday that is worked.
      ("2024-02-09", "2024-02-09 18:30:00", "2024-02-18"), ("2024-02-18", "2024-02-18 18:30:00", "2024-02-19"),
      // A leap day and the year's end.
      ("2024-02-28", "2024-02-28 20:00:00", "2024-02-29"), ("2024-12-31", "2024-12-31 20:00:00", "2025-01-01"),
      // Beijing's clock counts, whatever clock the source writes by.
      ("2024-01-29", "2024-01-29T10:00:00Z", "2024-01-30"), ("2024-01-29", "2024-01-29T09:59:59Z", "2024-01-29"),
      ("2024-01-29", "2024-01-29T12:00:00+02:00", "2024-01-30"), ("2024-01-30", "2024-01-29T18:00:00Z", "2024-01-30"),
      ("2024-01-29", "1706522400", "2024-01-30"), ("2024-01-29", "1706522399", "2024-01-29"),
      ("2024-01-29", "1706522400000", "2024-01-30"), ("2024-01-29", "20240129180000", "2024-01-30"),
    ])
  func cutOff(day: String, made: String, expected: String) throws {
    let calendar = #"{"date":"H.D","cutOff":{"time":"18:00","from":"made"},\#(Self.days)}"#
    #expect(try date(calendar, day: day, made: made) == expected)
  }

  @Test(
    "at cut-off 00:00 every order of the day is late, at 23:59:59 only those of its last second",
    arguments: [
      ("00:00", "2024-01-29 00:00:00", "2024-01-30"), ("23:59:59", "2024-01-29 23:59:58", "2024-01-29"),
      ("23:59:59", "2024-01-29 23:59:59", "2024-01-30"),
    ])
  func extremes(time: String, made: String, expected: String) throws {
    let calendar = #"{"date":"H.D","cutOff":{"time":"\#(time)","from":"made"}}"#
    #expect(try date(calendar, day: "2024-01-29", made: made) == expected)
  }

  @Test(
    "an order that does not tell when it came is held: nobody knows whether it was late",
    arguments: [
      ("", "field_missing"), (" ", "field_missing"), ("1970-01-01 08:00:00", "field_missing"),
      ("1970-01-01 00:00:00", "field_missing"), ("1970-01-01T00:00:00Z", "field_missing"),
      ("0", "field_missing"), ("0000-00-00 00:00:00", "field_missing"), ("0000-00-00", "field_missing"),
      ("2024-01-29", "value_invalid"), ("20240129", "value_invalid"),
      ("today", "value_invalid"),
    ])
  func unknownTime(made: String, code: String) throws {
    let calendar = #"{"date":"H.D","cutOff":{"time":"18:00","from":"made"}}"#
    #expect(try date(calendar, day: "2024-01-29", made: made) == "\(code) H[0].D")
  }

  @Test("without business days every day is one; a weekend may lie otherwise")
  func weekends() throws {
    func cutOff(_ days: String) -> String { #"{"date":"H.D","cutOff":{"time":"18:00","from":"made"}\#(days)}"# }
    let friday = (day: "2024-02-02", made: "2024-02-02 19:00:00")
    for (days, expected) in [
      ("", "2024-02-03"), (#","businessDays":{}"#, "2024-02-05"), (#","businessDays":{"weekend":[7]}"#, "2024-02-03"),
      (#","businessDays":{"weekend":[]}"#, "2024-02-03"), (#","businessDays":{"weekend":[5,6]}"#, "2024-02-04"),
      (#","businessDays":{"workdays":["2024-02-04"]}"#, "2024-02-04"),
      (#","businessDays":{"holidays":["2024-02-05","2024-02-06"]}"#, "2024-02-07"),
    ] {
      #expect(try date(cutOff(days), day: friday.day, made: friday.made) == expected, "\(days)")
    }
  }

  @Test(
    "a date in a closed period is held, or moved to the first business day after it",
    arguments: [
      ("2024-01-30", "period_closed H[0].D", "2024-02-01"), ("2024-01-31", "period_closed H[0].D", "2024-02-01"),
      ("2024-02-01", "2024-02-01", "2024-02-01"), ("1970-01-02", "period_closed H[0].D", "2024-02-01"),
      ("2024-01-31 23:59:59", "period_closed H[0].D", "2024-02-01 23:59:59"),
    ])
  func closed(day: String, held: String, moved: String) throws {
    for (policy, expected) in [("", held), (#","closed":"hold""#, held), (#","closed":"move""#, moved)] {
      let calendar = #"{"date":"H.D","closedThrough":"2024-01-31"\#(policy),\#(Self.days)}"#
      #expect(try date(calendar, day: day) == expected, "\(policy)")
    }
    // A period need not end with a month, and its end may be followed by days off.
    let calendar = #"{"date":"H.D","closedThrough":"2024-02-09","closed":"move",\#(Self.days)}"#
    #expect(try date(calendar, day: "2024-02-09") == "2024-02-18")
  }

  @Test("what the cut-off moves out of a closed period is not held, what it moves within one is")
  func both() throws {
    let calendar = #"{"date":"H.D","closedThrough":"2024-01-31","cutOff":{"time":"18:00","from":"made"}}"#
    #expect(try date(calendar, day: "2024-01-31", made: "2024-01-31 18:00:00") == "2024-02-01")
    #expect(try date(calendar, day: "2024-01-31", made: "2024-01-31 17:00:00") == "period_closed H[0].D")
    let moving = calendar.dropLast() + #","closed":"move"}"#
    let order = #"{"day":"2024-01-29","made":"2024-01-29 18:00:00","lines":[]}"#
    #expect(
      try outcome(strategy(String(moving)), order) == [
        "2024-02-01",
        "moved_date H[0].D: moved from 2024-01-29 to 2024-01-30: the order came at or after the cut-off time 18:00",
        "moved_date H[0].D: moved from 2024-01-30 to 2024-02-01: closed is all through 2024-01-31",
      ])
  }

  @Test("dates that follow are raised where they would be left behind the bill's, with one note for each day")
  func follow() throws {
    let calendar = #"{"date":"H.D","follow":["R.E"],"closedThrough":"2024-01-31","closed":"move"}"#
    let dues = [
      "2024-01-29", "2024-01-28", "2024-01-31", "2024-02-01", "2024-01-29 08:00:00", "2024-03-01", "soon", "",
    ]
    let rows = dues.map { #"{"due":"\#($0)"}"# }.joined(separator: ",")
    #expect(
      try outcome(strategy(calendar), #"{"day":"2024-01-29","lines":[\#(rows),{}]}"#) == [
        "2024-02-01", "2024-02-01", "2024-01-28", "2024-02-01", "2024-02-01", "2024-02-01 08:00:00", "2024-03-01",
        "soon", "–", "–",
        "moved_date H[0].D: moved from 2024-01-29 to 2024-02-01: closed is all through 2024-01-31",
        "moved_date R[0].E: moved from 2024-01-29 to 2024-02-01: H.D moved (2 rows)",
        "moved_date R[2].E: moved from 2024-01-31 to 2024-02-01: H.D moved",
      ])
    // Nothing moves when the bill's date stays.
    #expect(
      try outcome(strategy(calendar), #"{"day":"2024-02-05","lines":[{"due":"2024-01-29"}]}"#) == [
        "2024-02-05", "2024-01-29",
      ])
  }

  @Test("a bill without a date stays without; one that is written otherwise cannot be judged and is held")
  func otherDates() throws {
    let calendar = #"{"date":"H.D","closedThrough":"2024-01-31"}"#
    #expect(try date(calendar, day: "") == "–")
    for day in ["20240129", "1706486400", "2024/01/29", "29.01.2024"] {
      #expect(try date(calendar, day: day) == "value_invalid H[0].D", "\(day)")
    }
  }

  @Test("the failure of a closed period names the field and what mends it, and no other data")
  func sentence() throws {
    let calendar = #"{"date":"H.D","closedThrough":"2024-01-31"}"#
    let failure = try #require(try failures(strategy(calendar), #"{"day":"2024-01-29"}"#).first)
    #expect(failure.sentence == "the bill's date lies in a closed period; closed is all through 2024-01-31")
    #expect(failure.sources == ["day"])
    #expect(failure.remedy.contains("closedThrough"))
    // No formula stands between the rule and the order's own field.
    let cutOff = #"{"date":"H.D","cutOff":{"time":"18:00","from":"made"}}"#
    let unknown = try #require(try failures(strategy(cutOff), #"{"day":"2024-01-29","made":""}"#).first)
    #expect(unknown.remedy.hasPrefix("Correct made in OKKI, or let «cutOff.from»"))
  }

  @Test("the calendar may lie in a file of its own, whole or in part")
  func file() throws {
    let order = #"{"day":"2024-01-29","lines":[]}"#
    let whole = #"{"date":"H.D","closedThrough":"2024-01-31","closed":"move"}"#
    #expect(try outcome(strategy("", file: whole), order).first == "2024-02-01")
    #expect(
      try outcome(strategy(#"{"date":"H.D"}"#, file: #"{"closedThrough":"2024-01-31","closed":"move"}"#), order).first
        == "2024-02-01")
    // Without either nothing is done.
    #expect(try outcome(strategy(""), order) == ["2024-01-29"])
  }

  @Test("no business day before the end of all years is a failure, not a search without end")
  func endOfYears() throws {
    let calendar = #"{"date":"H.D","cutOff":{"time":"00:00","from":"made"}}"#
    #expect(try date(calendar, day: "9999-12-31", made: "9999-12-31 10:00:00") == "value_invalid H[0].D")
  }
}

@Suite("Calendars that cannot be used")
struct CalendarProblemTests {
  private func found(_ calendar: String?, file: String?, source: String = "{}") -> [String] {
    let fields = [
      field("N", "no-1"), array("H", nil, field("D", "{day}")), array("R", "lines", field("E", "{{lines.due}}")),
    ].joined(separator: ",")
    let rule = calendar.map { ",\n\"calendar\":\($0)" } ?? ""
    let target = #"{"api":"/SO/Save","ferry":{"key":"N"\#(rule)},"request":[\#(fields)]}"#
    do throws(StrategyProblems) {
      let strategy = try Strategy(
        name: "test", source: Array(source.utf8), target: Array(target.utf8), calendar: file.map { Array($0.utf8) })
      return strategy.warnings.map { "warning: \($0)" }
    } catch { return error.problems.map(\.description) }
  }

  private static let keys = "known are date, follow, cutOff, businessDays, closedThrough, closed"
  private static let cutOff = "needs «time», such as 18:00, and «from», the order's field that tells when it came"
  private static let days = "is a list of days such as \"2024-05-01\" or \"2024-02-10/2024-02-17\", at most 5000 in all"

  @Test(
    "every problem is told with file, line and column",
    arguments: [
      (
        "5",
        [
          "2:12: ferry.calendar: must be an object",
          "2:12: ferry.calendar: the calendar needs «date», the field with the bill's date, such as Page1.Fdate",
        ]
      ),
      (
        #"{"date":"H.D","closedTrough":"2024-01-31","closedThrough":"2024-01-31"}"#,
        ["2:41: ferry.calendar: «closedTrough» is unknown; \(keys)"]
      ),
      (
        #"{"date":"H.X","closedThrough":"2024-01-31"}"#,
        ["2:20: ferry.calendar.date: names no field of the request that has a value"]
      ),
      (
        #"{"date":"R.E","closedThrough":"2024-01-31"}"#,
        ["2:20: ferry.calendar.date: is a field of rows; a bill has one date, and «follow» names dates that follow it"]
      ),
      (
        #"{"date":"H.D","follow":["R.F","H"],"closedThrough":"2024-02-30","closed":"park"}"#,
        [
          "2:36: ferry.calendar.follow: names no field of the request that has a value",
          "2:42: ferry.calendar.follow: names no field of the request that has a value",
          "2:63: ferry.calendar.closedThrough: is the last closed day, such as 2024-01-31",
          "2:85: ferry.calendar.closed: is hold or move",
        ]
      ),
      (
        #"{"date":"H.D","cutOff":{"time":"24:00","from":"made","zone":"UTC"}}"#,
        [
          "2:72: ferry.calendar.cutOff: «zone» is unknown; known are time, from",
          "2:35: ferry.calendar.cutOff: \(cutOff)",
        ]
      ),
      (
        #"{"date":"H.D","closedThrough":"2024-01-31","businessDays":{"weekend":[1,2,3,4,5,6,7],"#
          + #""holidays":["soon","2024-02-17/2024-02-10"],"off":1}}"#,
        [
          "2:147: ferry.calendar.businessDays: «off» is unknown; known are weekend, holidays, workdays",
          "2:81: ferry.calendar.businessDays: weekend is a list of days from 1 (Monday) to 7 (Sunday), not all of them",
          "2:109: ferry.calendar.businessDays: \(days)", "2:116: ferry.calendar.businessDays: \(days)",
        ]
      ),
    ])
  func inTarget(calendar: String, expected: [String]) {
    #expect(found(calendar, file: nil) == expected.map { "target.json:" + $0 })
  }

  @Test(
    "problems of the file are told in the file",
    arguments: [
      ("{\n", "2:1: is not JSON: the text ends too early"),
      ("[]", " must hold a JSON object"),
      ("{\n  \"closedThrough\": \"January\"}", "2:20: closedThrough: is the last closed day, such as 2024-01-31"),
      ("{\n  \"date\": \"H.D\"}", "2:11: date: stands in target.json, too; only one of them can be meant"),
      ("{\"shut\":\"2024-01-31\"}", "1:9: «shut» is unknown; \(keys)"),
      (
        #"{"closedThrough":"2024-01-31","cutOff":{"time":"18:00","from":"create_tme"}}"#,
        "1:63: cutOff.from: source.json's response declares no field «create_tme»; is «create_time» meant? If not, "
          + "declare it"
      ),
      (
        #"{"closedThrough":"2024-01-31","businessDays":{"holidays":["1990-01-01/2024-01-01"]}}"#,
        "1:59: businessDays: \(days)"
      ),
    ])
  func inFile(text: String, expected: String) {
    let lines = #"{"field":"lines","type":"array","children":[{"field":"due"}]}"#
    let source = #"{"response":[{"field":"create_time"},{"field":"day"},\#(lines)]}"#
    #expect(found(#"{"date":"H.D"}"#, file: text, source: source) == ["calendar.json:" + expected])
  }

  @Test("a calendar that moves and holds nothing is odd")
  func idle() {
    let sentence = "the calendar has neither «cutOff» nor «closedThrough»: it moves and holds nothing"
    #expect(found(#"{"date":"H.D"}"#, file: nil) == ["warning: target.json:2:20: ferry.calendar: \(sentence)"])
    #expect(found(nil, file: #"{"date":"H.D"}"#) == ["warning: calendar.json:1:9: \(sentence)"])
    #expect(found(#"{"date":"H.D"}"#, file: #"{"closedThrough":"2024-01-31"}"#) == [])
    #expect(found(nil, file: #"{"closedThrough":"2024-01-31"}"#).count == 1)
  }
}
