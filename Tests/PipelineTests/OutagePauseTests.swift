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

  @Test(
    "what only the ledger or nobody was asked for says nothing of K/3: it neither begins a pause nor goes on with the wait",
    arguments: [
      .later(Reason(.lookUpPending, "too early"), afterSeconds: 1),
      .later(Reason(.leaseBusy, "held"), afterSeconds: 1), .done(.duplicate), .done(.stale),
      .dead(Outcome.Burial(Reason(.undecodable, "not a bill"))),
    ] as [Outcome])
  func saysNothing(outcome: Outcome) {
    let pause = OutagePause()
    pause.note([outcome])
    #expect(!pause.isOn)
    pause.note([.outage(Reason(.k3Unavailable, "away"))])
    #expect(pause.isOn && !pause.looksForWork)
    pause.lookForWork()
    pause.note([outcome])
    #expect(pause.isOn && pause.looksForWork)
    pause.note([.outage(Reason(.k3Unavailable, "away"))])
    #expect(pause.isOn && !pause.looksForWork)
  }

  @Test("who has just written a bill is not locked out; K/3 that is away outweighs what it wrote before")
  func lockOut() {
    let pause = OutagePause()
    let refused = Outcome.outage(Reason(.k3Unauthorized, "refused"))
    pause.note([refused, .done(.written)])
    #expect(!pause.isOn)
    pause.note([refused])
    #expect(pause.reason?.code == .k3Unauthorized)
    pause.note([.done(.updated), .outage(Reason(.k3Unavailable, "away")), refused])
    #expect(pause.reason?.code == .k3Unavailable)
  }

  @Test("the wait grows by probes that fail, asked or sent, and not while another process tries")
  func grows() {
    let pause = OutagePause()
    let k3 = Reason(.k3Unavailable, "away")
    pause.note([.outage(k3)])
    pause.note([.outage(k3)])
    var waits: [Int64] = []
    var news: [Bool] = []
    func wait() {
      guard let next = pause.next() else { return }
      waits.append(next.wait.components.seconds)
      news.append(next.isNew)
    }
    // It is another one's turn.
    wait()
    wait()
    wait()
    pause.probeFailed()
    wait()
    pause.lookForWork()
    pause.note([.outage(k3)])
    wait()
    wait()
    #expect(waits == [1, 1, 1, 2, 4, 4])
    #expect(news == [true, false, false, true, true, false])
    for _ in 0..<9 { pause.probeFailed() }
    #expect(pause.next()?.wait == .seconds(30))
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
