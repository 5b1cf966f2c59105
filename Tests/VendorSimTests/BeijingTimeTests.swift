import Testing

@testable import VendorStage

@Suite("Beijing time")
struct BeijingTimeTests {
  @Test(
    "a time is written and read back",
    arguments: [
      (0, "1970-01-01 08:00:00"), (1_705_282_200, "2024-01-15 09:30:00"), (1_709_135_999, "2024-02-28 23:59:59"),
      (1_709_136_000, "2024-02-29 00:00:00"), (-1, "1970-01-01 07:59:59"), (4_102_416_000, "2100-01-01 00:00:00"),
    ])
  func roundTrip(seconds: Int, text: String) {
    #expect(BeijingTime.text(seconds) == text)
    #expect(BeijingTime.seconds(text) == seconds)
  }

  @Test("a bare date is its first second, or its last at the end of a window")
  func bareDates() {
    #expect(BeijingTime.seconds("2024-01-15") == BeijingTime.seconds("2024-01-15 00:00:00"))
    #expect(BeijingTime.seconds("2024-01-15", endOfDay: true) == BeijingTime.seconds("2024-01-15 23:59:59"))
  }

  @Test(
    "what is no time is refused",
    arguments: ["", "2023-02-29", "2024-13-01", "2024-1-5", "15.01.2024", "2024-01-15 24:00:00", "2024-01-15 1:2:3"])
  func refusals(text: String) {
    #expect(BeijingTime.seconds(text) == nil)
  }
}
