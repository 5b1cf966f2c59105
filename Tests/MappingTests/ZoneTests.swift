import JSON
import Mapping
import Orders
import Testing

@Suite("ferry.zone: the clock that moments are written by")
struct ZoneTests {
  /// 2024-01-29 18:30:00 UTC, the 30th in Beijing.
  private static let moment: Int64 = 1_706_553_000

  private func value(_ value: String, _ zone: String?, _ order: String = "{}", type: String = "string") throws
    -> String?
  {
    let rule = zone.map { #","zone":"\#($0)""# } ?? ""
    let strategy = try strategy(field("X", value, type: type), rules: #""key":"N"\#(rule)"#)
    let inputs = MappingInputs(
      now: BeijingTime(epochSeconds: Self.moment), lastSync: BeijingTime(epochSeconds: Self.moment))
    let bill = try Mapper(strategy).map(parsed(order), lookups: LookupTable(), inputs: inputs)
    return try JSONDocument(bill.body).root["Data"]?["X"]?.text
  }

  @Test(
    "the clock's variables, the formulas' clock and moments of the order follow it",
    arguments: [
      (nil, "2024-01-30 02:30:00"), ("Asia/Shanghai", "2024-01-30 02:30:00"), ("UTC", "2024-01-29 18:30:00"),
      ("+09:00", "2024-01-30 03:30:00"), ("-05:30", "2024-01-29 13:00:00"),
    ])
  func moments(zone: String?, expected: String) throws {
    let day = String(expected.prefix(10))
    let order = #"{"s":1706553000,"ms":"1706553000123","iso":"2024-01-29T18:30:00Z","off":"2024-01-29T20:30:00+02:00"}"#
    for text in [
      "{{CURRENT_TIME|datetime}}", "{{LAST_SYNC_TIME|datetime}}", "{{s|datetime}}", "{{ms|datetime}}",
      "{{iso|datetime}}",
      "{{off|datetime}}", "_function NOW()", "_function FROM_UNIXTIME({{s}})",
      "_function FROM_UNIXTIME({{CURRENT_TIME}},'%Y-%m-%d %H:%i:%s')",
    ] { #expect(try value(text, zone, order) == expected, "\(text)") }
    for text in ["{{CURRENT_TIME|date}}", "{{s|date}}", "_function CURDATE()"] {
      #expect(try value(text, zone, order) == day, "\(text)")
    }
    for text in ["{{CURRENT_TIME}}", "{{s}}"] {
      #expect(try value(text, zone, order, type: "datetime") == expected)
      #expect(try value(text, zone, order, type: "date") == day)
      #expect(try value(text, zone, order, type: "timestamp") == "1706553000")
    }
    #expect(try value("_function UNIX_TIMESTAMP('\(expected)')", zone) == "1706553000")
    for text in ["{{CURRENT_TIME}}", "_function UNIX_TIMESTAMP()", "{{iso|timestamp}}"] {
      #expect(try value(text, zone, order) == "1706553000", "\(text)")
    }
  }

  @Test("days and times without an offset are Beijing's, and stay", arguments: ["UTC", "+09:00"])
  func local(zone: String) throws {
    let order = #"{"d":"2024-01-29","t":"2024-01-29 23:30:00","c":20240129233000,"f":"2024-01-29 23:30:00.5"}"#
    #expect(try value("{{d|date}}", zone, order) == "2024-01-29")
    for text in ["{{t|datetime}}", "{{c|datetime}}", "{{f|datetime}}"] {
      #expect(try value(text, zone, order) == "2024-01-29 23:30:00", "\(text)")
    }
    #expect(try value("{{t|timestamp}}", zone, order) == "1706542200")
  }

  @Test(
    "anything else is refused",
    arguments: [#""Asia/Tokyo""#, #""utc""#, #""+9:00""#, #""+0900""#, #""+14:01""#, #""+09:60""#, #""""#, "8", "null"])
  func refused(zone: String) {
    let target =
      #"{"api":"/SO/Save","ferry":{"key":"N","zone":\#(zone)},"request":[{"field":"N","value":"1"}]}"#
    #expect(
      problems(target: target).map(\.description).first?.hasSuffix(
        "ferry.zone: zone is Asia/Shanghai, UTC or an offset such as +09:00") == true)
  }
}
