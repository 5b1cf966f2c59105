import Testing

@testable import K3

/// Numbers that look random and are the same for the same seed (SplitMix64).
private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite("How many requests K/3 is given at a time")
struct ConcurrencyGovernorTests {
  private let start = ContinuousClock.now

  /// A round of answers, one after the other, from this moment on.
  private func round(
    _ governor: inout ConcurrencyGovernor, at second: Int, latency: Duration,
    kind: ConcurrencyGovernor.Kind = .write
  ) {
    let sent = start + .seconds(second)
    let before = governor.limit
    for index in 0..<max(ConcurrencyGovernor.leastAnswers, governor.limit * 2) where governor.limit == before {
      governor.note(.answered(kind, after: latency), sent: sent, now: sent + .milliseconds(index))
    }
  }

  private func overload(_ governor: inout ConcurrencyGovernor, at second: Int) {
    governor.note(.overloaded, sent: start + .seconds(second), now: start + .seconds(second) + .milliseconds(1))
  }

  @Test("it begins at the ceiling")
  func beginning() { #expect(ConcurrencyGovernor(1...16).limit == 16) }

  @Test("an overload halves, and the crowd of signs of requests that were sent before does so no further")
  func halves() {
    var governor = ConcurrencyGovernor(1...16)
    for index in 0..<16 {
      governor.note(.overloaded, sent: start, now: start + .milliseconds(100 + index))
    }
    #expect(governor.limit == 8)
    overload(&governor, at: 1)
    #expect(governor.limit == 4)
  }

  @Test("it never goes below the floor")
  func floor() {
    var governor = ConcurrencyGovernor(3...16)
    for second in 1...10 { overload(&governor, at: second) }
    #expect(governor.limit == 3)
  }

  @Test("a round of quick answers is worth one more, up to the ceiling")
  func rises() {
    var governor = ConcurrencyGovernor(1...6)
    round(&governor, at: 0, latency: .milliseconds(300))
    overload(&governor, at: 1)
    var limits: [Int] = []
    for second in 2...6 {
      round(&governor, at: second, latency: .milliseconds(500))
      limits.append(governor.limit)
    }
    #expect(limits == [4, 5, 6, 6, 6])
  }

  @Test("answers sent before the limit changed count for no round")
  func oldAnswers() {
    var governor = ConcurrencyGovernor(1...6)
    round(&governor, at: 0, latency: .milliseconds(300))
    overload(&governor, at: 5)
    for index in 0..<100 {
      governor.note(
        .answered(.write, after: .milliseconds(300)), sent: start + .seconds(4), now: start + .seconds(6 + index))
    }
    #expect(governor.limit == 3)
  }

  @Test("slow rounds are worth nothing, very slow ones one less")
  func slow() {
    var governor = ConcurrencyGovernor(1...8)
    round(&governor, at: 0, latency: .milliseconds(200))
    round(&governor, at: 1, latency: .milliseconds(700))
    #expect(governor.limit == 8)
    round(&governor, at: 2, latency: .milliseconds(1_000))
    #expect(governor.limit == 7)
    overload(&governor, at: 3)
    round(&governor, at: 4, latency: .milliseconds(700))
    #expect(governor.limit == 3)
  }

  @Test("a few large bills among small ones do not make a round slow")
  func mixed() {
    var governor = ConcurrencyGovernor(1...8)
    round(&governor, at: 0, latency: .milliseconds(200))
    overload(&governor, at: 1)
    for index in 0..<8 {
      let latency = Duration.milliseconds(index % 3 == 0 ? 9_000 : 210)
      governor.note(
        .answered(.write, after: latency), sent: start + .seconds(2), now: start + .seconds(3 + index))
    }
    #expect(governor.limit == 5)
  }

  @Test("Saves and look-ups are not held against each other")
  func kinds() {
    var governor = ConcurrencyGovernor(1...8)
    round(&governor, at: 0, latency: .milliseconds(60), kind: .read)
    overload(&governor, at: 1)
    round(&governor, at: 2, latency: .milliseconds(2_000))
    #expect(governor.limit == 4)
    round(&governor, at: 3, latency: .milliseconds(2_000))
    #expect(governor.limit == 5)
  }

  @Test("below 50 milliseconds nothing is slow")
  func quick() {
    var governor = ConcurrencyGovernor(1...8)
    round(&governor, at: 0, latency: .microseconds(200))
    round(&governor, at: 1, latency: .milliseconds(49))
    #expect(governor.limit == 8)
    overload(&governor, at: 2)
    round(&governor, at: 3, latency: .milliseconds(49))
    #expect(governor.limit == 5)
  }

  @Test("a K/3 that has become slower for good is believed after a while")
  func forgets() {
    var governor = ConcurrencyGovernor(1...8)
    round(&governor, at: 0, latency: .milliseconds(100))
    for second in 1...200 { round(&governor, at: second, latency: .milliseconds(1_000)) }
    #expect(governor.limit == 8)
  }

  @Test(
    "whatever comes, the limit stays in its bounds and moves by one or to its half",
    arguments: 0..<200 as Range<UInt64>)
  func bounds(seed: UInt64) {
    var random = Seeded(state: seed)
    let floor = Int.random(in: 1...8, using: &random)
    let ceiling = Int.random(in: floor...64, using: &random)
    var governor = ConcurrencyGovernor(floor...ceiling)
    var now = start
    for _ in 0..<5_000 {
      now += .milliseconds(Int.random(in: 0...50, using: &random))
      let sent = now - .milliseconds(Int.random(in: 0...400, using: &random))
      let before = governor.limit
      let kind: ConcurrencyGovernor.Kind = Bool.random(using: &random) ? .read : .write
      let sign: ConcurrencyGovernor.Sign =
        Int.random(in: 0..<40, using: &random) == 0
        ? .overloaded : .answered(kind, after: .milliseconds(Int.random(in: 1...900, using: &random)))
      governor.note(sign, sent: sent, now: now)
      #expect(floor...ceiling ~= governor.limit)
      #expect([before - 1, before, before + 1, max(before / 2, floor)].contains(governor.limit))
    }
  }

  @Test(
    "against a K/3 that refuses what is beyond its places it settles near them, and few are refused",
    arguments: 0..<50 as Range<UInt64>)
  func settles(seed: UInt64) {
    var random = Seeded(state: seed)
    let places = Int.random(in: 2...12, using: &random)
    var governor = ConcurrencyGovernor(1...32)
    var now = start
    var refused = 0
    var limits = 0
    let turns = 2_000
    for turn in 0..<turns {
      // As many are sent at once as may be; K/3 works on its places and refuses the rest at once.
      let sent = now
      let count = governor.limit
      for index in 0..<count {
        let latency = Duration.milliseconds(Int.random(in: 180...240, using: &random))
        if index < places {
          governor.note(.answered(.write, after: latency), sent: sent, now: sent + latency)
        } else {
          governor.note(.overloaded, sent: sent, now: sent + .milliseconds(5))
        }
      }
      now += .milliseconds(250)
      if turn >= turns / 2 {
        refused += max(0, count - places)
        limits += count
      }
    }
    let mean = limits / (turns / 2)
    #expect(places / 2...places ~= mean)
    #expect(refused * 15 < limits)
  }
}
