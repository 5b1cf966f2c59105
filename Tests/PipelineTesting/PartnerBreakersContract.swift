public import Pipeline
import Testing

/// An installation's breakers under test, as two processes have them.
public struct PartnerBreakersSubject: Sendable {
  /// One process's.
  public let breakers: any PartnerBreakers
  /// Another one's, over the same books.
  public let other: any PartnerBreakers
  /// One whose database is away.
  public let away: any PartnerBreakers
  /// Lets so many seconds pass.
  public let pass: @Sendable (Int64) -> Void

  /// A subject.
  public init(
    breakers: any PartnerBreakers, other: any PartnerBreakers, away: any PartnerBreakers,
    pass: @escaping @Sendable (Int64) -> Void
  ) {
    self.breakers = breakers
    self.other = other
    self.away = away
    self.pass = pass
  }
}

private let refused = Reason(.k3Unavailable, "connection refused")

/// What every `PartnerBreakers` does.
public let partnerBreakersContract: [ContractCase<PartnerBreakersSubject>] = [
  ContractCase("what one process finds out stops the others, with the newest reason, until one finds the partner back")
  {
    subject async throws in
    #expect(try await subject.other.standing(of: .k3) == nil)
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.other.standing(of: .k3) == refused)
    let unauthorized = Reason(.k3Unauthorized, "授权码无效")
    try await subject.other.open(.k3, unauthorized)
    #expect(try await subject.breakers.standing(of: .k3) == unauthorized)
    try await subject.other.close(.k3)
    #expect(try await subject.breakers.standing(of: .k3) == nil)
  },
  ContractCase("one tries at a time, and again when it is asked by the same one") { subject async throws in
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .taken)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
  },
  ContractCase("of many that ask at the same moment one tries") { subject async throws in
    try await subject.breakers.open(.k3, refused)
    let granted = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 1...20 {
        group.addTask {
          let breakers = index % 2 == 0 ? subject.breakers : subject.other
          return try await breakers.probe(.k3, as: Int64(index), seconds: 30) == .granted
        }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(granted == 1)
  },
  ContractCase("who dies while it tries keeps the others from it for as long as it had, and no longer") {
    subject async throws in
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
    subject.pass(29)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .taken)
    subject.pass(1)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .granted)
  },
  ContractCase("a permit of a process that died is over, too, when the clock was set back") { subject async throws in
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
    subject.pass(-7_200)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .granted)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .taken)
  },
  ContractCase("an outage that others still see takes nobody's permit away") { subject async throws in
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
    try await subject.other.open(.k3, refused)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .taken)
  },
  ContractCase("nobody needs to try a partner that is back, and the next outage begins anew") { subject async throws in
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .closed)
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.probe(.k3, as: 1, seconds: 30) == .granted)
    try await subject.breakers.close(.k3)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .closed)
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.other.probe(.k3, as: 2, seconds: 30) == .granted)
  },
  ContractCase("each partner has a breaker of its own") { subject async throws in
    try await subject.breakers.open(.k3, refused)
    #expect(try await subject.breakers.standing(of: .okki) == nil)
  },
  ContractCase("a process whose database is away is told so") { subject async throws in
    await #expect(throws: LedgerFailure.self) { try await subject.away.standing(of: .k3) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.open(.k3, refused) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.probe(.k3, as: 1, seconds: 1) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.close(.k3) }
  },
]
