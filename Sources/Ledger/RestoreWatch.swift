import Orders
import Pipeline
import PostgreSQL
import Synchronization

/// What a loader knows of the restore: asked at its first claim or removal, and then once in 10 s at most.
final class RestoreWatch: Sendable {
  /// So soon a loader hears of a restore that it was alive all through, though none may be.
  static let pause = Duration.seconds(10)

  private let restore: LedgerRestore
  private let now: @Sendable () -> ContinuousClock.Instant
  private let known = Mutex<(isOpen: Bool, asked: ContinuousClock.Instant)?>(nil)

  /// - Parameter now: what its pause goes by.
  init(_ restore: LedgerRestore, now: @escaping @Sendable () -> ContinuousClock.Instant) {
    self.restore = restore
    self.now = now
  }

  /// As `LedgerRestore.isOpen` had it within the last 10 s.
  func isOpen() async throws(LedgerFailure) -> Bool {
    let now = now()
    if let known = known.withLock({ $0 }), known.asked + Self.pause > now { return known.isOpen }
    let isOpen = try await restore.isOpen()
    known.withLock { $0 = (isOpen, now) }
    return isOpen
  }

  /// Runs a statement of the ledger. One that fails may have met another ledger than the one that was asked about.
  func watching<Answer: Sendable>(
    _ run: () async throws(LedgerFailure) -> Answer
  ) async throws(LedgerFailure) -> Answer {
    do throws(LedgerFailure) { return try await run() } catch {
      known.withLock { $0 = nil }
      throw error
    }
  }
}

extension PostgresLedger {
  /// In a ledger that was restored: what was granted as new is claimed again as what a loader left that died with it, so that
  /// K/3 is asked first.
  func doubting(
    _ answers: [ClaimAnswer], to requests: [ClaimRequest], leaseSeconds: Int
  ) async -> [ClaimAnswer] {
    var answers = answers
    var fresh: [(place: Int, token: Int64)] = []
    for (place, answer) in answers.enumerated() {
      if case .new(let claim) = answer, claim.standing == nil, !claim.isRemoved { fresh.append((place, claim.token)) }
    }
    if fresh.isEmpty { return answers }
    let asked = fresh.map { requests[$0.place] }
    do throws(LedgerFailure) {
      _ = try await database.run(
        PostgresStatement(
          Self.forsakeSQL, .intArray(asked.map(\.bill.orderID.rawValue)), .textArray(asked.map(\.bill.stream)),
          .intArray(asked.map { Int64($0.bill.part) }), .intArray(fresh.map(\.token))))
      let again = try await grant(asked, leaseSeconds: leaseSeconds)
      for ((place, _), answer) in zip(fresh, again) { answers[place] = answer }
    } catch {
      // They are in doubt when their leases are over.
      for (place, _) in fresh { answers[place] = Self.rest(error) }
    }
    return answers
  }

  private static let forsakeSQL = """
    UPDATE order_ledger held SET due = clock_timestamp()
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS mine (order_id, stream, part, token)
    WHERE held.order_id = mine.order_id AND held.stream = mine.stream AND held.part = mine.part
      AND held.token = mine.token AND held.state = 'writing'
    """

  /// Whether an order's removal was first told since the restore that is under way began: the backup knows nothing of what the
  /// order went through before it.
  static let newerThanBackupSQL = """
    SELECT EXISTS (
      SELECT FROM order_removals gone JOIN ledger_restores restored ON gone.at >= restored.began
      WHERE gone.order_id = $1::bigint AND restored.ended IS NULL)
    """
}
