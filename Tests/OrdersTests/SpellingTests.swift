import Orders
import Testing

@Suite("Spelling")
struct SpellingTests {
  private let known = ["is_required", "value", "field", "exchange_rate", "id"]

  @Test(
    "a word with a slip is told from what it was meant to be",
    arguments: [
      ("is_requird", "is_required"), ("is_requierd", "is_required"), ("isrequired", "is_required"), ("vlaue", "value"),
      ("Value", "value"), ("valeu", "value"), ("exchange_rte", "exchange_rate"),
      ("exhcange_rtae", "exchange_rate"),
    ])
  func near(word: String, meant: String) {
    #expect(Spelling.nearest(to: word, among: known) == meant)
  }

  @Test(
    "a word that is only a little like a known one is told nothing", arguments: ["ix", "vagoe", "va", "field_x", ""])
  func far(word: String) {
    #expect(Spelling.nearest(to: word, among: known) == nil)
  }

  @Test("of several near words the nearest is told, and very long ones are not compared")
  func nearest() {
    #expect(Spelling.nearest(to: "abcdefgi", among: ["abcdefij", "abcdefgh"]) == "abcdefgh")
    let long = String(repeating: "a", count: 101)
    #expect(Spelling.nearest(to: long, among: [long]) == nil)
  }
}
