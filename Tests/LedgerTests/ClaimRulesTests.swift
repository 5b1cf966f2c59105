import Foundation
import Ledger
import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

/// PostgreSQL's statements and the rules in memory, held against each other over seeded sequences.
@Suite("The rules of claims", .timeLimit(.minutes(5)))
struct ClaimRulesTests {
  /// `deploy/test --claims-seed N` tells one sequence, step by step.
  private static let replayed = ProcessInfo.processInfo.environment["FERRY_TEST_CLAIMS_SEED"].flatMap(UInt64.init)

  @Test("in PostgreSQL are those in memory: 2,400 sequences of claims, settlements, removals and expiries")
  func differential() async throws {
    let seeds = Self.replayed.map { [$0] } ?? Array(1...2_400)
    try await withSchema { schema, one, _ in
      let client = schema.client()
      let clock = ManualClock()
      let (real, rules) = (PostgresLedger(one), MemoryLedger(clock: clock))
      var sequences = seeds.map(ClaimSequence.init)
      for _ in 0..<ClaimSequence.length {
        let steps = sequences.indices.map { sequences[$0].next() }
        for step in 0..<ClaimSequence.kinds {
          let here = sequences.indices.filter { steps[$0].kind == step }
          switch step {
          case 0:
            // By themselves those that are alike, which have a statement of their own.
            let kinds = Dictionary(grouping: here) { $0.isMultiple(of: 2) ? steps[$0].kindOfClaims : nil }
            for kind in kinds.values { try await claim(&sequences, steps, kind, real, rules) }
          case 1:
            // By themselves those that are written, as above.
            let ends = Dictionary(grouping: here) { steps[$0].isWritten }
            for kind in ends.values { try await settle(&sequences, steps, kind, real, rules) }
          case 2: try await remove(&sequences, steps, here, real, rules)
          default:
            for days in [0, 2] {
              let due = here.filter { steps[$0].days == days }.map { steps[$0].order }
              _ = try await client.run(
                PostgresStatement(
                  "UPDATE order_ledger SET due = clock_timestamp() - $2::bigint * interval '1 day' "
                    + "WHERE order_id = ANY ($1::bigint[])", .intArray(due.map(\.rawValue)), .int(Int64(days))))
              for order in due { rules.makeDue(order, secondsAgo: days * 86_400) }
            }
          }
        }
      }
      await client.close()
      for sequence in sequences {
        if Self.replayed != nil { print(sequence.story.joined(separator: "\n")) }
        guard let difference = sequence.difference else { continue }
        Issue.record("\(difference); deploy/test --claims-seed \(sequence.seed) tells the sequence")
      }
    }
  }

  private func claim(
    _ sequences: inout [ClaimSequence], _ steps: [ClaimSequence.Step], _ here: [Int], _ real: PostgresLedger,
    _ rules: MemoryLedger
  ) async throws {
    let requests = here.flatMap { steps[$0].claims }
    let (left, right) = (
      try await real.claim(requests, leaseSeconds: 3_600), try await rules.claim(requests, leaseSeconds: 3_600)
    )
    var place = 0
    for index in here {
      for request in steps[index].claims {
        sequences[index].note(request, left[place], right[place])
        place += 1
      }
    }
  }

  private func settle(
    _ sequences: inout [ClaimSequence], _ steps: [ClaimSequence.Step], _ here: [Int], _ real: PostgresLedger,
    _ rules: MemoryLedger
  ) async throws {
    let pairs = here.map { sequences[$0].settlement(steps[$0]) }
    let left = try await real.settle(pairs.map(\.0))
    let right = try await rules.settle(pairs.map(\.1))
    for (place, index) in here.enumerated() {
      sequences[index].note("settle \(pairs[place].0)", "\(left[place])", "\(right[place])")
    }
  }

  private func remove(
    _ sequences: inout [ClaimSequence], _ steps: [ClaimSequence.Step], _ here: [Int], _ real: PostgresLedger,
    _ rules: MemoryLedger
  ) async throws {
    let requests = here.compactMap { steps[$0].removal }
    let left = try await real.remove(requests, leaseSeconds: 3_600)
    let right = try await rules.remove(requests, leaseSeconds: 3_600)
    for (place, index) in here.enumerated() { sequences[index].note(requests[place], left[place], right[place]) }
  }
}
