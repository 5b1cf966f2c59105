import ArgumentParser
import Pipeline
import Testing

@testable import ferry

@Suite("Dead letters at the terminal")
struct LetterTextTests {
  @Test("discard tells as JSON what it discarded, and what of the chosen did not wait")
  func discarded() throws {
    #expect(LetterDesk.json(discarded: [3, 9], of: [3, 4, 9]) == #"{"discarded":[3,9],"left":[4]}"#)
    #expect(LetterDesk.json(discarded: [], of: []) == #"{"discarded":[],"left":[]}"#)
  }

  @Test("each command has --json", arguments: [["list"], ["show", "1"], ["replay", "1"], ["discard", "1"]])
  func json(arguments: [String]) throws {
    #expect(throws: Never.self) { try DeadLettersCommand.parseAsRoot(arguments + ["--json"]) }
  }
}
