import Ledger
import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@Suite("The ledger's ports", .timeLimit(.minutes(3)))
struct ContractTests {
  @Test("in PostgreSQL: the loader's ledger", arguments: syncLedgerContract)
  func syncLedger(_ sentence: ContractCase<SyncLedgerSubject>) async throws {
    try await withSchema { schema, one, other in
      let client = schema.client()
      let subject = SyncLedgerSubject(
        ledger: PostgresLedger(one), other: PostgresLedger(other),
        makeDue: { order in
          _ = try await client.run(
            PostgresStatement(
              "UPDATE order_ledger SET due = clock_timestamp() WHERE order_id = $1::bigint", .int(order.rawValue)))
        })
      try await sentence.check(subject)
      await client.close()
    }
  }

  @Test("in memory: the loader's ledger", arguments: syncLedgerContract)
  func syncLedgerInMemory(_ sentence: ContractCase<SyncLedgerSubject>) async throws {
    let ledger = MemoryLedger(clock: ManualClock())
    try await sentence.check(
      SyncLedgerSubject(ledger: ledger, other: ledger, makeDue: { ledger.makeDue($0) }))
  }

  @Test("in PostgreSQL: the poller's memory", arguments: pollLedgerContract)
  func pollLedger(_ sentence: ContractCase<PollLedgerSubject>) async throws {
    try await withSchema { schema, one, other in
      let nowhere = try LedgerDatabase(LedgerOptions(url: "postgresql://nobody@127.0.0.1:1/none"))
      let subject = PollLedgerSubject(
        ledger: PostgresPollLedger(one), other: PostgresPollLedger(other),
        archive: PostgresDeadLetters(other), away: PostgresPollLedger(nowhere),
        collections: PostgresCollections(one), cutOff: { try await schema.endLeadership() },
        expire: { try await schema.run("UPDATE poll_lease SET until = clock_timestamp()") })
      #expect(try await subject.ledger.lead())
      try await sentence.check(subject)
      await nowhere.close()
      await subject.ledger.resign()
      await subject.other.resign()
    }
  }

  @Test("in memory: the poller's memory", arguments: pollLedgerContract)
  func pollLedgerInMemory(_ sentence: ContractCase<PollLedgerSubject>) async throws {
    let books = MemoryPollLedger.Books()
    let away = MemoryPollLedger(books)
    away.fail(.unavailable("connection refused"))
    let subject = PollLedgerSubject(
      ledger: MemoryPollLedger(books), other: MemoryPollLedger(books),
      archive: MemoryDeadLetters(asking: books), away: away, collections: books.collections,
      cutOff: { books.cutOff() }, expire: { books.expire() })
    #expect(try await subject.ledger.lead())
    try await sentence.check(subject)
  }

  @Test("in PostgreSQL: sweeps", arguments: sweepLedgerContract)
  func sweepLedger(_ sentence: ContractCase<SweepLedgerSubject>) async throws {
    try await withSchema { schema, one, other in
      let subject = SweepLedgerSubject(
        sweeps: PostgresPollLedger(one), other: PostgresPollLedger(other), archive: PostgresDeadLetters(other),
        cutOff: { try await schema.endLeadership() })
      #expect(try await subject.sweeps.lead())
      try await sentence.check(subject)
      await subject.sweeps.resign()
      await subject.other.resign()
    }
  }

  @Test("in memory: sweeps", arguments: sweepLedgerContract)
  func sweepLedgerInMemory(_ sentence: ContractCase<SweepLedgerSubject>) async throws {
    let books = MemoryPollLedger.Books()
    let subject = SweepLedgerSubject(
      sweeps: MemoryPollLedger(books), other: MemoryPollLedger(books), archive: MemoryDeadLetters(asking: books),
      cutOff: { books.cutOff() })
    #expect(try await subject.sweeps.lead())
    try await sentence.check(subject)
  }

  @Test("in PostgreSQL: the collections", arguments: collectionsContract + collectionsQueryContract)
  func collections(_ sentence: ContractCase<any Collections>) async throws {
    try await withSchema { _, one, _ in try await sentence.check(PostgresCollections(one)) }
  }

  @Test("in memory: the collections", arguments: collectionsContract + collectionsQueryContract)
  func collectionsInMemory(_ sentence: ContractCase<any Collections>) async throws {
    try await sentence.check(MemoryCollections())
  }

  @Test("in PostgreSQL: the archive of parked messages", arguments: deadLettersContract)
  func deadLetters(_ sentence: ContractCase<any DeadLetters>) async throws {
    try await withSchema { _, one, _ in try await sentence.check(PostgresDeadLetters(one)) }
  }

  @Test("two processes that file what was parked twice, each one copy, file one letter")
  func copies() async throws {
    try await withSchema { schema, one, other in
      let copies = (0..<2).map { copy in
        (Int64(1)...20).map { order in
          var letter = deadLetter(order)
          letter.identity = "\(order)"
          letter.properties += " \(copy)"
          return letter
        }
      }
      let archives = [PostgresDeadLetters(one), PostgresDeadLetters(other)]
      for letter in copies[0].indices {
        async let first = archives[0].file([copies[0][letter]])
        async let second = archives[1].file([copies[1][letter]])
        #expect(try await first.new + second.new == 1)
      }
      let filed = try await archives[0].letters(LetterFilter(), after: 0, limit: 100, withBodies: false)
      #expect(filed.map(\.times) == Array(repeating: 2, count: 20))
    }
  }

  /// Has two statements about the same letter wait for its row, in this order, and frees it.
  private func inTurn<First: Sendable, Second: Sendable>(
    _ schema: FreshSchema, _ first: @escaping @Sendable () async throws -> First,
    _ second: @escaping @Sendable () async throws -> Second
  ) async throws -> (First, Second) {
    let client = schema.client()
    let holder = try await schema.client().session()
    _ = try await holder.run(PostgresStatement("BEGIN"))
    _ = try await holder.run(PostgresStatement("SELECT FROM dead_letters WHERE id = 1 FOR UPDATE"))
    func waiting(_ count: Int64) async throws {
      let question = PostgresStatement(
        """
        SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND application_name = $1::text
        """, .text(schema.name))
      while try await client.run(question).int(0, 0) != count { try Task.checkCancellation() }
    }
    async let one = first()
    try await waiting(1)
    async let other = second()
    try await waiting(2)
    _ = try await holder.run(PostgresStatement("ROLLBACK"))
    await holder.close()
    let results = (try await one, try await other)
    await client.close()
    return results
  }

  /// One message, as it is parked for the first time and again.
  private var parkedTwice: [DeadLetter] {
    ["", " again"].map { words in
      var letter = deadLetter(1)
      letter.identity = "1"
      letter.properties += words
      return letter
    }
  }

  @Test("what is parked again in the moment in which its letter is dealt with is a letter of its own, which waits")
  func markedThenFiled() async throws {
    try await withSchema { schema, one, other in
      let copies = parkedTwice
      let (archive, another) = (PostgresDeadLetters(one), PostgresDeadLetters(other))
      _ = try await archive.file([copies[0]])
      let (marked, filing) = try await inTurn(
        schema, { try await archive.mark([1], .discarded, by: "ann", read: [1]) },
        { try await another.file([copies[1]]) })
      #expect(marked == [1] && filing.new == 1)
      let filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: false)
      #expect(filed.map(\.state) == [.discarded, .waiting] && filed.map(\.times) == [1, 1])
    }
  }

  @Test("a letter that is parked again in the moment in which it is dealt with is left alone, and waits")
  func filedThenMarked() async throws {
    try await withSchema { schema, one, other in
      let copies = parkedTwice
      let (archive, another) = (PostgresDeadLetters(one), PostgresDeadLetters(other))
      _ = try await archive.file([copies[0]])
      let (filing, marked) = try await inTurn(
        schema, { try await another.file([copies[1]]) },
        { try await archive.mark([1], .discarded, by: "ann", read: [1]) })
      #expect(marked == [] && filing.new == 0)
      let filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: false)
      #expect(filed.map(\.state) == [.waiting] && filed.map(\.times) == [2])
    }
  }

  @Test("in memory: the archive of parked messages", arguments: deadLettersContract)
  func deadLettersInMemory(_ sentence: ContractCase<any DeadLetters>) async throws {
    try await sentence.check(MemoryDeadLetters())
  }
}
