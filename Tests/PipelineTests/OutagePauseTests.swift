import Testing

@testable import Pipeline

@Suite("The pause for an outage")
struct OutagePauseTests {
  private let away = Reason(.ledgerUnavailable, "away")

  @Test("an answer of the ledger ends a pause for the ledger, and none for K/3", arguments: [true, false])
  func ledgerAnswers(isDuplicate: Bool) {
    let outcome = isDuplicate ? Outcome.done(.duplicate) : .done(.stale)
    let pause = OutagePause()
    pause.note([.outage(away)])
    pause.note([outcome])
    #expect(!pause.isOn)
    pause.note([.outage(Reason(.k3Unavailable, "away"))])
    pause.note([outcome])
    #expect(pause.isOn)
  }

  @Test("once the wait is over nobody is said to be away; the next batch goes alone all the same")
  func lacksWork() {
    let pause = OutagePause()
    pause.note([.outage(away)])
    #expect(pause.reason == away)
    pause.lookForWork()
    #expect(pause.reason == nil && pause.isOn)
    pause.note([.outage(away)])
    #expect(pause.reason == away)
  }
}
