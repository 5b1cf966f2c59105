public import Pipeline
import Testing

/// An installation's rate limit under test, as two processes have it.
public struct RateLedgerSubject: Sendable {
  /// One process's.
  public let ledger: any RateLedger
  /// Another one's, over the same books.
  public let other: any RateLedger
  /// One whose database is away.
  public let away: any RateLedger
  /// Lets so many microseconds pass.
  public let pass: @Sendable (Int64) -> Void

  /// A subject.
  public init(
    ledger: any RateLedger, other: any RateLedger, away: any RateLedger, pass: @escaping @Sendable (Int64) -> Void
  ) {
    self.ledger = ledger
    self.other = other
    self.away = away
    self.pass = pass
  }
}

/// Ten a second, at most five at once.
private func ask(_ most: Int, bucket: String = "okki", hasAnswered: Bool = false) -> RateAsk {
  RateAsk(bucket: bucket, microsPerSecond: 10_000_000, burst: 5, most: most, hasAnswered: hasAnswered)
}

/// What every `RateLedger` does.
public let rateLedgerContract: [ContractCase<RateLedgerSubject>] = [
  ContractCase("a new bucket is full, an empty one tells when it is worth asking again") { subject async throws in
    #expect(try await subject.ledger.lease(ask(3)).granted == 3)
    #expect(try await subject.ledger.lease(ask(3)).granted == 2)
    let empty = try await subject.ledger.lease(ask(3))
    #expect(empty == RateLease(granted: 0, waitMicros: 100_000, isPause: false, hasStreak: false))
    subject.pass(99_999)
    #expect(try await subject.ledger.lease(ask(3)).waitMicros == 1)
    subject.pass(1)
    #expect(try await subject.ledger.lease(ask(3)).granted == 1)
  },
  ContractCase("what is not used adds up to the burst and no further") { subject async throws in
    _ = try await subject.ledger.lease(ask(5))
    subject.pass(300_000)
    #expect(try await subject.ledger.lease(ask(5)).granted == 3)
    subject.pass(86_400_000_000 * 3_650)
    #expect(try await subject.ledger.lease(ask(100)).granted == 5)
  },
  ContractCase("one process's requests are missing to the other one") { subject async throws in
    #expect(try await subject.ledger.lease(ask(4)).granted == 4)
    #expect(try await subject.other.lease(ask(4)).granted == 1)
    #expect(try await subject.other.lease(ask(4)).granted == 0)
  },
  ContractCase("processes that ask at the same moment get no more than there is") { subject async throws in
    let granted = try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<20 {
        group.addTask { try await (index % 2 == 0 ? subject.ledger : subject.other).lease(ask(1)).granted }
      }
      return try await group.reduce(0, +)
    }
    #expect(granted == 5)
  },
  ContractCase("each bucket counts for itself") { subject async throws in
    #expect(try await subject.ledger.lease(ask(5)).granted == 5)
    #expect(try await subject.ledger.lease(ask(5, bucket: "other")).granted == 5)
  },
  ContractCase("at a low rate nothing is lost by asking often") { subject async throws in
    let slow = RateAsk(bucket: "slow", microsPerSecond: 500_000, burst: 1, most: 1)
    #expect(try await subject.ledger.lease(slow).granted == 1)
    for _ in 1..<100 {
      subject.pass(20_000)
      #expect(try await subject.other.lease(slow).granted == 0)
    }
    subject.pass(20_000)
    #expect(try await subject.ledger.lease(slow).granted == 1)
  },
  ContractCase("the vendor's pause stops every process, and after it there is no burst") { subject async throws in
    #expect(try await subject.ledger.pause("okki", seconds: 7, jitterPermille: 0) == 7_000_000)
    subject.pass(1_000_000)
    let other = try await subject.other.lease(ask(3))
    #expect(other == RateLease(granted: 0, waitMicros: 6_000_000, isPause: true, hasStreak: false))
    subject.pass(6_000_000)
    #expect(try await subject.other.lease(ask(3)).granted == 0)
    subject.pass(100_000)
    #expect(try await subject.other.lease(ask(3)).granted == 1)
  },
  ContractCase("a shorter pause does not end a longer one") { subject async throws in
    _ = try await subject.ledger.pause("okki", seconds: 60, jitterPermille: 0)
    #expect(try await subject.other.pause("okki", seconds: 1, jitterPermille: 0) == 60_000_000)
    #expect(try await subject.other.pause("okki", seconds: nil, jitterPermille: 1_000) == 60_000_000)
    #expect(try await subject.other.pause("okki", seconds: 0, jitterPermille: 0) == 60_000_000)
    #expect(try await subject.ledger.lease(ask(1)).hasStreak == false)
  },
  ContractCase("pauses without a figure double from 0.2 to 30 seconds, once for each crowd, over all processes") {
    subject async throws in
    var waits: [Int64] = []
    for turn in 0..<10 {
      let (one, two) = turn % 2 == 0 ? (subject.ledger, subject.other) : (subject.other, subject.ledger)
      let wait = try await one.pause("okki", seconds: nil, jitterPermille: 1_000)
      #expect(try await two.pause("okki", seconds: nil, jitterPermille: 1_000) == wait)
      waits.append(wait / 100_000)
      subject.pass(wait)
    }
    #expect(waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    #expect(try await subject.other.pause("okki", seconds: nil, jitterPermille: 0) == 15_000_000)
  },
  ContractCase("a good answer of any process begins the pauses anew, but not one from before the pause") {
    subject async throws in
    for _ in 0..<3 { subject.pass(try await subject.ledger.pause("okki", seconds: nil, jitterPermille: 1_000)) }
    let third = try await subject.ledger.pause("okki", seconds: nil, jitterPermille: 1_000)
    #expect(try await subject.other.lease(ask(1, hasAnswered: true)).hasStreak)
    subject.pass(third)
    #expect(try await subject.other.lease(ask(1)).hasStreak)
    #expect(try await !subject.other.lease(ask(1, hasAnswered: true)).hasStreak)
    #expect(try await subject.ledger.pause("okki", seconds: nil, jitterPermille: 1_000) == 200_000)
  },
  ContractCase("a clock that is set back by hours stops nobody for as long") { subject async throws in
    #expect(try await subject.ledger.lease(ask(5)).granted == 5)
    subject.pass(-7_200_000_000)
    #expect(try await subject.other.lease(ask(5)).granted == 0)
    subject.pass(500_000)
    #expect(try await subject.other.lease(ask(5)).granted == 5)
    _ = try await subject.ledger.pause("okki", seconds: 7, jitterPermille: 0)
    subject.pass(-7_200_000_000)
    #expect(try await subject.other.lease(ask(5)).isPause == false)
    subject.pass(500_000)
    #expect(try await subject.other.lease(ask(5)).granted == 5)
    #expect(try await subject.ledger.pause("okki", seconds: 3, jitterPermille: 0) == 3_000_000)
  },
  ContractCase("a process whose database is away is told so") { subject async throws in
    await #expect(throws: LedgerFailure.self) { try await subject.away.lease(ask(1)) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.pause("okki", seconds: 1, jitterPermille: 0) }
  },
]
