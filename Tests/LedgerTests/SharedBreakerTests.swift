import Ledger
import Pipeline
import PipelineTesting
import Testing

@Suite("The installation's breakers", .timeLimit(.minutes(2)))
struct SharedBreakerTests {
  @Test("in PostgreSQL", arguments: partnerBreakersContract)
  func inPostgreSQL(_ sentence: ContractCase<PartnerBreakersSubject>) async throws {
    try await withSchema { _, one, other in
      let nowhere = try LedgerDatabase(LedgerOptions(url: "postgresql://nobody@127.0.0.1:1/none"))
      let time = ManualMicros()
      try await sentence.check(
        PartnerBreakersSubject(
          breakers: PostgresPartnerBreakers(one) { time.now }, other: PostgresPartnerBreakers(other) { time.now },
          away: PostgresPartnerBreakers(nowhere), pass: { time.pass($0 * 1_000_000) }))
      await nowhere.close()
    }
  }

  @Test("in memory", arguments: partnerBreakersContract)
  func inMemory(_ sentence: ContractCase<PartnerBreakersSubject>) async throws {
    let time = ManualMicros()
    let (breakers, away) = (MemoryPartnerBreakers { time.now }, MemoryPartnerBreakers { time.now })
    away.fail(.unavailable("connection refused"))
    try await sentence.check(
      PartnerBreakersSubject(breakers: breakers, other: breakers, away: away, pass: { time.pass($0 * 1_000_000) }))
  }
}
