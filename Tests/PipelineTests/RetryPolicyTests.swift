import Pipeline
import Testing

@Suite("Retry policy")
struct RetryPolicyTests {
  private let policy = RetryPolicy(ladder: [10, 60, 600], maxAttempts: 5)
  private let reason = Reason(.k3Busy, "busy")

  @Test("attempts climb the ladder and stay on its last rung")
  func ladder() {
    var envelope = Envelope.order(1)
    var delays: [Int] = []
    for _ in 1...4 {
      guard case .delay(let next, let seconds) = policy.resolve(.retry(reason), of: envelope) else {
        Issue.record("a retry within its attempts must be delayed")
        return
      }
      delays.append(seconds)
      envelope = next
    }
    #expect(delays == [10, 60, 600, 600])
    #expect(envelope.attempt == 5)
    #expect(envelope.lastReason == reason)
  }

  @Test("the last attempt is buried under the reason it failed with")
  func exhausted() {
    var envelope = Envelope.order(1)
    envelope.attempt = 5
    guard case .bury(_, let burial) = policy.resolve(.retry(reason), of: envelope) else {
      Issue.record("attempts had run out")
      return
    }
    #expect(burial.reason.code == .k3Busy)
    #expect(burial.reason.sentence.contains("5 attempts"))
  }

  @Test("waiting and outages are no attempts")
  func uncounted() {
    let envelope = Envelope.order(1)
    guard case .delay(let later, 7) = policy.resolve(.later(reason, afterSeconds: 7), of: envelope),
      case .delay(let outage, 10) = policy.resolve(.outage(reason), of: envelope)
    else {
      Issue.record("both must be delayed")
      return
    }
    #expect(later.attempt == 1)
    #expect(outage.attempt == 1)
  }
}
