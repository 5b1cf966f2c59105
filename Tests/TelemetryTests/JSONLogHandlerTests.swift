import Foundation
import JSON
import Logging
import Testing

@testable import Telemetry

@Suite("JSON log lines")
struct JSONLogHandlerTests {
  private struct Refusal: Error { let secret = "s3cret" }

  private func line(
    _ message: Logger.Message, _ metadata: Logger.Metadata? = nil, own: Logger.Metadata = [:], error: (any Error)? = nil
  ) throws -> (String, JSONValue) {
    var handler = JSONLogHandler(label: "ferry.load")
    handler.metadata = own
    let event = LogEvent(
      level: .warning, message: message, error: error, metadata: metadata, source: "S", file: "F", function: "f",
      line: 1)
    let bytes = handler.line(event, time: "2024-01-29T02:03:04.005Z")
    // One line: its end is the only one, whatever the event holds.
    #expect(bytes.last == 0x0A)
    #expect(bytes.dropLast().allSatisfy { $0 >= 0x20 })
    return (String(decoding: bytes, as: UTF8.self), try JSONDocument(Array(bytes.dropLast())).root)
  }

  @Test("a line holds time, level, logger, message and the metadata sorted by key")
  func wholeLine() throws {
    let (text, _) = try line(
      "orders loaded", ["order.id": "7", "attempt": "\(2)"], own: ["stage": "load", "attempt": "1"])
    #expect(
      text == #"{"time":"2024-01-29T02:03:04.005Z","level":"warning","logger":"ferry.load","message":"orders loaded","#
        + #""attempt":"2","order.id":"7","stage":"load"}"# + "\n")
  }

  @Test(
    "control characters, quotes and line ends are escaped and come back whole",
    arguments: [
      "a\nb", "a\r\nb", "\u{0}\u{1}\u{1f}\u{7f}", "\"quoted\" \\ back", "中文 🚚 e\u{301}", "\u{2028}\u{2029}", "\t",
      "\u{1b}[31mred",
    ])
  func escaping(text: String) throws {
    let (_, found) = try line("\(text)", ["\(text)": "\(text)", "list": ["\(text)", "b"], "table": ["k": "\(text)"]])
    #expect(found["message"]?.string.map { Array($0.utf8) } == Array(text.utf8))
    #expect(found[text]?.string.map { Array($0.utf8) } == Array(text.utf8))
    // Both libraries read the line.
    let bytes = Array(found.rawBytes)
    #expect((try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: String])?.count == 7)
  }

  @Test(
    "metadata named like the line's own keys stays apart from them",
    arguments: ["time", "level", "logger", "message", "error"])
  func reservedKeys(key: String) throws {
    let (_, found) = try line("m", [key: "mine"], error: Refusal())
    #expect(found["\(key)_"]?.string == "mine")
    #expect(found.members.map(\.key).count == Set(found.members.map(\.key)).count)
    #expect(found["message"]?.string == "m")
  }

  @Test("of an error only its kind is written, never what it carries")
  func errors() throws {
    let (text, found) = try line("failed", error: Refusal())
    #expect(found["error"]?.string == "Refusal")
    #expect(!text.contains("s3cret"))
  }

  @Test("a logger's own metadata is read and set by key, and its level is kept")
  func logger() {
    var handler = JSONLogHandler(label: "x")
    handler[metadataKey: "a"] = "1"
    #expect(handler[metadataKey: "a"] == "1")
    handler[metadataKey: "a"] = nil
    #expect(handler.metadata.isEmpty)
    #expect(handler.logLevel == .info)
    handler.logLevel = .error
    #expect(handler.logLevel == .error)
  }

  @Test(
    "times are written in UTC with milliseconds",
    arguments: [
      (0, 0, "1970-01-01T00:00:00.000Z"), (1_709_251_199, 999_999_999, "2024-02-29T23:59:59.999Z"),
      (1_706_493_784, 5_000_000, "2024-01-29T02:03:04.005Z"), (951_782_400, 1_000, "2000-02-29T00:00:00.000Z"),
    ])
  func times(seconds: Int, nanoseconds: Int, expected: String) {
    #expect(utcText(timespec(tv_sec: seconds, tv_nsec: nanoseconds)) == expected)
  }

  @Test("the time of now has the same shape")
  func now() {
    #expect(utcNow().wholeMatch(of: #/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ/#) != nil)
  }
}
