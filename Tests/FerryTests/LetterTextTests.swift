import ArgumentParser
import Pipeline
import PipelineTesting
import Testing

@testable import ferry

@Suite("Dead letters at the terminal")
struct LetterTextTests {
  @Test("discard tells as JSON what it discarded, and what of the chosen did not wait")
  func discarded() throws {
    #expect(LetterDesk.json(discarded: [3, 9], of: [3, 4, 9]) == #"{"discarded":[3,9],"left":[4]}"#)
    #expect(LetterDesk.json(discarded: [], of: []) == #"{"discarded":[],"left":[]}"#)
  }

  @Test("a letter that stays in its queue is told in one line, with what to do")
  func left() {
    let place = LetterPlace(queue: "bills.dead", position: 3, messageID: "7-4")
    #expect(
      LeftLetter(place, why: "it is larger than 67108864 bytes").text
        == "Left in the queue bills.dead, message 3 (message id 7-4): it is larger than 67108864 bytes. Send its order "
        + "through again by `ferry backfill start`, then take the message off that queue in RabbitMQ's management interface."
    )
  }

  @Test("a letter tells how often it was parked")
  func parkedAgain() {
    var letter = FiledLetter(id: 4, state: .waiting, by: nil, letter: deadLetter(7))
    #expect(!letter.text(acts: []).contains("parked 1 times") && letter.json(acts: nil).contains(#""times":1"#))
    (letter.times, letter.lastParkedAt) = (3, 1_790_000_060_000)
    #expect(letter.text(acts: []).contains("  parked 3 times in the same words, last at 2026-09-21 "))
    #expect(letter.json(acts: nil).contains(#""times":3"#))
  }

  @Test("each command has --json", arguments: [["list"], ["show", "1"], ["replay", "1"], ["discard", "1"]])
  func json(arguments: [String]) throws {
    #expect(throws: Never.self) { try DeadLettersCommand.parseAsRoot(arguments + ["--json"]) }
  }
}
