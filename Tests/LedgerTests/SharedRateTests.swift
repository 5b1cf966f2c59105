import Ledger
import Pipeline
import PipelineTesting
import PostgreSQL
import Synchronization
import Testing

/// Microseconds that pass when a test says so.
final class ManualMicros: Sendable {
  private let passed = Mutex<Int64>(1_700_000_000_000_000)

  var now: Int64 { passed.withLock { $0 } }
  func pass(_ micros: Int64) { passed.withLock { $0 += micros } }
}

@Suite("The installation's rate limit", .timeLimit(.minutes(3)))
struct SharedRateTests {
  @Test("in PostgreSQL", arguments: rateLedgerContract)
  func inPostgreSQL(_ sentence: ContractCase<RateLedgerSubject>) async throws {
    try await withSchema { _, one, other in
      let nowhere = try LedgerDatabase(LedgerOptions(url: "postgresql://nobody@127.0.0.1:1/none"))
      let time = ManualMicros()
      try await sentence.check(
        RateLedgerSubject(
          ledger: PostgresRateLedger(one) { time.now }, other: PostgresRateLedger(other) { time.now },
          away: PostgresRateLedger(nowhere), pass: { time.pass($0) }))
      await nowhere.close()
    }
  }

  @Test("in memory", arguments: rateLedgerContract)
  func inMemory(_ sentence: ContractCase<RateLedgerSubject>) async throws {
    let time = ManualMicros()
    let (books, away) = (MemoryRateLedger { time.now }, MemoryRateLedger { time.now })
    away.fail(.unavailable("connection refused"))
    try await sentence.check(
      RateLedgerSubject(ledger: books, other: books, away: away, pass: { time.pass($0) }))
  }

  @Test("by the database's own clock a bucket fills, and no process's clock counts")
  func databaseClock() async throws {
    try await withSchema { schema, one, _ in
      let ledger = PostgresRateLedger(one)
      let ask = RateAsk(bucket: "okki", microsPerSecond: 1, burst: 10, most: 10)
      #expect(try await ledger.lease(ask).granted == 10)
      #expect(try await ledger.lease(ask).granted == 0)
      let client = schema.client()
      // A million seconds ago.
      _ = try await client.run(PostgresStatement("UPDATE rate_buckets SET at = at - 1000000::bigint * 1000000"))
      #expect(try await ledger.lease(ask).granted == 1)
      await client.close()
    }
  }

  /// The most of these moments, in microseconds, growing, that lie within 10 seconds, both ends counted.
  private func most(_ moments: [Int64]) -> Int {
    var from = 0
    var most = 0
    for (index, moment) in moments.enumerated() {
      while moments[from] < moment - 10_000_000 { from += 1 }
      most = max(most, index - from + 1)
    }
    return most
  }

  /// Each client is a process with connections of its own. What it leases it sends at some moment within the lease's validity.
  @Test(
    "several processes together send at most 5 % more than the limit in any 10 seconds, and hardly less",
    arguments: [(clients: 4, perSecond: 5), (6, 20), (3, 500)])
  func together(clients: Int, perSecond: Int) async throws {
    try await withSchema { schema, _, _ in
      let time = ManualMicros()
      let databases = try (0..<clients).map { _ in try schema.database(connections: 1) }
      let ledgers = databases.map { PostgresRateLedger($0) { time.now } }
      let ask = RateAsk(
        bucket: "okki", microsPerSecond: Int64(perSecond) * 1_000_000, burst: max(1, perSecond / 5),
        most: max(1, perSecond / 10))
      let start = time.now
      let validity: Int64 = 250_000
      var sent: [Int64] = []
      var granted: [Int64] = []
      var (isRush, rush) = (false, 0)
      // Nobody asks for anything in the 20 seconds in the middle: the bucket is full then, and no fuller.
      while time.now < start + 40_000_000 {
        if time.now >= start + 10_000_000, time.now < start + 30_000_000 {
          time.pass(20_000_000)
          isRush = true
        }
        let now = time.now
        let leases = try await withThrowingTaskGroup(of: RateLease.self) { group in
          for ledger in ledgers { group.addTask { try await ledger.lease(ask) } }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        // Who got nothing comes back when it was told to.
        let given = leases.map(\.granted).reduce(0, +)
        if isRush { rush += given }
        isRush = isRush && given > 0
        if !isRush { time.pass(leases.map(\.waitMicros).filter { $0 > 0 }.min() ?? 10_000) }
        for (index, count) in leases.map(\.granted).enumerated() {
          granted += Array(repeating: now, count: count)
          // Single requests go at once; the rest of a larger lease is spread, the worst case included.
          for request in 0..<count {
            let delay = count == 1 ? 0 : validity * Int64((request + index) % count) / Int64(count - 1)
            sent.append(now + min(delay, validity))
          }
        }
      }
      #expect(most(sent.sorted()) * 100 <= perSecond * 10 * 105)
      // A full bucket gives what it holds, not one more, and what runs into it.
      #expect(rush == max(1, perSecond / 5))
      #expect(most(granted) <= perSecond * 10 + max(1, perSecond / 5))
      let seconds = (time.now - start) / 1_000_000 - 20
      #expect(sent.count * 100 >= Int(seconds) * perSecond * 95)
      for database in databases { await database.close() }
    }
  }
}
