public import Pipeline
import Testing

/// An installation's tokens under test, as two processes have them.
public struct TokenStoreSubject: Sendable {
  /// One process's.
  public let store: any TokenStore
  /// Another one's, over the same books.
  public let other: any TokenStore
  /// One whose database is away.
  public let away: any TokenStore
  /// Lets so many seconds pass.
  public let pass: @Sendable (Int64) -> Void

  /// A subject.
  public init(
    store: any TokenStore, other: any TokenStore, away: any TokenStore, pass: @escaping @Sendable (Int64) -> Void
  ) {
    self.store = store
    self.other = other
    self.away = away
    self.pass = pass
  }

  /// Asks for the permit, which must be free.
  func permit(_ name: String = "k3", insteadOf refused: Int64? = nil) async throws -> Int64 {
    guard case .fetch(let permit) = try await store.token(name, insteadOf: refused) else {
      throw TestSetupError("there is no permit to be had")
    }
    return permit
  }
}

/// What every `TokenStore` does.
public let tokenStoreContract: [ContractCase<TokenStoreSubject>] = [
  ContractCase("the first one fetches, the others wait, and all use what it keeps") { subject async throws in
    let permit = try await subject.permit()
    #expect(try await subject.other.token("k3", insteadOf: nil) == .wait(milliseconds: 100))
    let generation = try #require(try await subject.store.keep("k3", "T1", seconds: 3_600, permit: permit))
    let token = StoredToken(generation: generation, text: "T1", seconds: 3_600)
    #expect(try await subject.other.token("k3", insteadOf: nil) == .token(token))
    #expect(try await subject.store.token("k3", insteadOf: nil) == .token(token))
  },
  ContractCase("a refused token is fetched anew once, and who was refused later takes the new one") {
    subject async throws in
    let first = try #require(try await subject.store.keep("k3", "T1", seconds: 60, permit: subject.permit()))
    let permit = try await subject.permit(insteadOf: first)
    #expect(try await subject.other.token("k3", insteadOf: first) == .wait(milliseconds: 100))
    let second = try #require(try await subject.store.keep("k3", "T2", seconds: 60, permit: permit))
    #expect(second > first)
    let answer = try await subject.other.token("k3", insteadOf: first)
    #expect(answer == .token(StoredToken(generation: second, text: "T2", seconds: 60)))
  },
  ContractCase("a token that is used up is fetched anew") { subject async throws in
    _ = try await subject.store.keep("k3", "T1", seconds: 60, permit: subject.permit())
    subject.pass(59)
    #expect(
      try await subject.other.token("k3", insteadOf: nil) == .token(StoredToken(generation: 1, text: "T1", seconds: 1)))
    subject.pass(1)
    _ = try await subject.permit()
  },
  ContractCase("who got none lets the next one try at once") { subject async throws in
    try await subject.store.giveUp("k3", permit: subject.permit())
    guard case .fetch = try await subject.other.token("k3", insteadOf: nil) else {
      Issue.record("it has to wait")
      return
    }
  },
  ContractCase("the permit of a process that died is over after twenty seconds, and what it still brings is not kept") {
    subject async throws in
    let dead = try await subject.permit()
    subject.pass(19)
    #expect(try await subject.other.token("k3", insteadOf: nil) == .wait(milliseconds: 100))
    subject.pass(1)
    let permit = try await subject.permit()
    #expect(try await subject.store.keep("k3", "late", seconds: 60, permit: dead) == nil)
    try await subject.store.giveUp("k3", permit: dead)
    #expect(try await subject.other.token("k3", insteadOf: nil) == .wait(milliseconds: 100))
    #expect(try await subject.store.keep("k3", "T2", seconds: 60, permit: permit) != nil)
  },
  ContractCase("a permit of a process that died is over, too, when the clock was set back") { subject async throws in
    let dead = try await subject.permit()
    subject.pass(-7_200)
    let permit = try await subject.permit()
    #expect(try await subject.other.token("k3", insteadOf: nil) == .wait(milliseconds: 100))
    #expect(try await subject.store.keep("k3", "late", seconds: 60, permit: dead) == nil)
    #expect(try await subject.store.keep("k3", "T2", seconds: 60, permit: permit) != nil)
  },
  ContractCase("of many that ask at the same moment one fetches") { subject async throws in
    let fetchers = try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<20 {
        group.addTask {
          let answer = try await (index % 2 == 0 ? subject.store : subject.other).token("k3", insteadOf: nil)
          if case .fetch = answer { return 1 }
          return 0
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(fetchers == 1)
  },
  ContractCase("each name has a token of its own") { subject async throws in
    _ = try await subject.store.keep("k3", "T1", seconds: 60, permit: subject.permit())
    _ = try await subject.permit("okki")
  },
  ContractCase("a process whose database is away is told so") { subject async throws in
    await #expect(throws: LedgerFailure.self) { try await subject.away.token("k3", insteadOf: nil) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.keep("k3", "T", seconds: 1, permit: 1) }
    await #expect(throws: LedgerFailure.self) { try await subject.away.giveUp("k3", permit: 1) }
  },
]
