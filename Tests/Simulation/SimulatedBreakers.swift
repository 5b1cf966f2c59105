import Pipeline
import PipelineTesting

/// What the installation knows of partners that are away, asked by one process.
final class SimulatedBreakers: PartnerBreakers, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let database: SimulatedDatabase

  init(_ host: Host, _ database: SimulatedDatabase) {
    self.host = host
    self.database = database
  }

  private func ask<Answer: Sendable>(
    _ statement: @escaping @Sendable (MemoryPartnerBreakers) async throws(LedgerFailure) -> Answer
  ) async throws(LedgerFailure) -> Answer {
    let breakers = database.breakers
    let reply = await host.call(database.server, timeout: 40_000) { () async -> Result<Answer, LedgerFailure> in
      do throws(LedgerFailure) { return .success(try await statement(breakers)) } catch { return .failure(error) }
    }
    guard case .answer(let result) = reply else { throw .unavailable("no answer") }
    return try result.get()
  }

  func standing(of partner: Partner) async throws(LedgerFailure) -> Reason? {
    try await ask { (breakers) async throws(LedgerFailure) in try await breakers.standing(of: partner) }
  }

  func open(_ partner: Partner, _ reason: Reason) async throws(LedgerFailure) {
    try await ask { (breakers) async throws(LedgerFailure) in try await breakers.open(partner, reason) }
  }

  func probe(
    _ partner: Partner, as holder: Int64, seconds: Int64
  ) async throws(LedgerFailure) -> ProbeAnswer {
    try await ask { (breakers) async throws(LedgerFailure) in
      try await breakers.probe(partner, as: holder, seconds: seconds)
    }
  }

  func close(_ partner: Partner) async throws(LedgerFailure) {
    try await ask { (breakers) async throws(LedgerFailure) in try await breakers.close(partner) }
  }
}
