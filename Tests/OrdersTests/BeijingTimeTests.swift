import Foundation
import Orders
import Testing

/// A random source that gives the same numbers for the same seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// The same calendar from somebody else: Foundation's, eight hours east of Greenwich the whole year round.
private struct Reference {
  private let calendar: Calendar

  init() throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(secondsFromGMT: 8 * 3600))
    self.calendar = calendar
  }

  func text(_ epochSeconds: Int64) -> String {
    let date = Date(timeIntervalSince1970: TimeInterval(epochSeconds))
    let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    return String(
      format: "%04d-%02d-%02d %02d:%02d:%02d", parts.year ?? -1, parts.month ?? -1, parts.day ?? -1, parts.hour ?? -1,
      parts.minute ?? -1, parts.second ?? -1)
  }

  func epochSeconds(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0) -> Int64? {
    let parts = DateComponents(year: year, month: month, day: day, hour: hour, minute: minute)
    guard parts.isValidDate(in: calendar) else { return nil }
    return calendar.date(from: parts).map { Int64($0.timeIntervalSince1970) }
  }
}

@Suite("Beijing time")
struct BeijingTimeTests {
  /// 9999-12-31 23:59:59 in Beijing.
  static let last: Int64 = 253_402_271_999

  @Test("random seconds are written as Foundation's calendar writes them, and read back")
  func randomSeconds() throws {
    let reference = try Reference()
    var random = Seeded(1)
    for _ in 0..<4_000 {
      let seconds = Int64.random(in: -28_800...Self.last, using: &random)
      let time = BeijingTime(epochSeconds: seconds)
      let text = reference.text(seconds)
      #expect(time.description == text)
      #expect(time.date == String(text.prefix(10)))
      #expect(BeijingTime(text)?.epochSeconds == seconds)
      #expect(BeijingTime(text.prefix(10))?.epochSeconds == seconds - (seconds + 28_800) % 86_400)
    }
  }

  @Test(
    "each day from two before the end of a month to two after its beginning exists or not as in Foundation's calendar",
    arguments: [1970, 1972, 1999, 2000, 2023, 2024, 2099, 2100, 2399, 2400, 9998, 9999])
  func monthEnds(year: Int) throws {
    let reference = try Reference()
    for month in 1...12 {
      for day in [1, 2, 27, 28, 29, 30, 31, 32] {
        let text = String(format: "%04d-%02d-%02d", year, month, day)
        #expect(BeijingTime(text)?.epochSeconds == reference.epochSeconds(year, month, day), "\(text)")
      }
    }
  }

  @Test("a few seconds are known by heart")
  func known() {
    #expect(BeijingTime("1970-01-01 08:00:00")?.epochSeconds == 0)
    #expect(BeijingTime("1970-01-01")?.epochSeconds == -28_800)
    #expect(BeijingTime("2024-03-14 15:50:00")?.epochSeconds == 1_710_402_600)
    #expect(BeijingTime("2024-02-29T23:59:59")?.date == "2024-02-29")
    #expect(BeijingTime("9999-12-31 23:59:59")?.epochSeconds == Self.last)
    #expect(BeijingTime(epochSeconds: -28_801).description == "1969-12-31 23:59:59")
  }

  @Test("daylight saving, which China had from 1986 to 1991, is not applied")
  func daylightSaving() {
    #expect(BeijingTime("1988-07-01 12:00:00")?.epochSeconds == 583_732_800)
  }

  @Test(
    "other texts are refused",
    arguments: [
      "", " ", "2024", "2024-01", "20240115", "2024-1-15", "2024-01-1", "2024-001-15", "24-01-15", "2024/01/15",
      "2024-01-15 ", " 2024-01-15", "2024-01-15T", "2024-01-15  10:00:00", "2024-01-15 10:00", "2024-01-15 10:00:0",
      "2024-01-15 24:00:00", "2024-01-15 10:60:00", "2024-01-15 10:00:60", "2024-01-15 10:00:00 ",
      "2024-01-15 10:00:00 2024-01-15", "2024-01-15T10:00:00Z", "2024-01-15 10:00:00.5", "2024-01-15 10:00:00+08:00",
      "1969-12-31", "0000-00-00", "0000-00-00 00:00:00", "2024-00-10", "2024-13-10", "2024-10-00", "10000-01-01",
      "2023-02-29", "2100-02-29", "2024-02-30", "-024-01-15", "+024-01-15", "2024-01--5", "２０２４-01-15", "明天",
      "2024-01-15 -1:00:00", "2024-01-15 1O:00:00", "2024-01-15\n10:00:00",
    ])
  func refused(text: String) {
    #expect(BeijingTime(text) == nil)
  }

  @Test("no number of seconds stops the program", arguments: [Int64.min, .min + 1, -28_801, 0, .max - 1, .max])
  func extremes(seconds: Int64) {
    let time = BeijingTime(epochSeconds: seconds)
    #expect(time.description.hasPrefix(time.date))
  }

  @Test("times are ordered and moved by seconds")
  func arithmetic() throws {
    let time = try #require(BeijingTime("2023-12-31 23:59:59"))
    #expect(time.advanced(bySeconds: 1).description == "2024-01-01 00:00:00")
    #expect(time.advanced(bySeconds: -86_400).description == "2023-12-30 23:59:59")
    #expect(time < time.advanced(bySeconds: 1))
    #expect(!(time < time))
  }
}
