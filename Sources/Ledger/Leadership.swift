import Pipeline
import PostgreSQL
import Synchronization

/// The election of the one poller: an advisory lock, held by a connection of its own.
///
/// A leader that is cut off may believe in its lock for as long as it takes to notice; the compare-and-set of the
/// watermark makes that harmless.
actor Leadership {
  private let database: LedgerDatabase
  private var session: PostgresSession?
  private var leads = false
  private var isBusy = false
  /// Whether the last try found nobody to ask.
  private nonisolated let away = Mutex(false)

  init(_ database: LedgerDatabase) { self.database = database }

  nonisolated var isAway: Bool { away.withLock { $0 } }

  func take() async -> Bool {
    // An actor lets others in while it waits; a second asker is told what was true last.
    guard !isBusy else { return leads }
    isBusy = true
    defer { isBusy = false }
    if let session {
      if let answer = await ask(session) { return conclude(answer) }
      // The connection is gone, and the lock with it.
      await session.close()
      self.session = nil
      leads = false
    }
    do throws(PostgresFailure) { session = try await database.client.session() } catch {
      away.withLock { $0 = true }
      return conclude(false)
    }
    guard let session else { return conclude(false) }
    let answer = await ask(session)
    away.withLock { $0 = answer == nil }
    return conclude(answer ?? false)
  }

  func give() async {
    leads = false
    let session = self.session
    self.session = nil
    await session?.close()
  }

  private func conclude(_ answer: Bool) -> Bool {
    leads = answer && session != nil
    return leads
  }

  /// Whether the lock is ours; nil when the connection does not answer.
  private func ask(_ session: PostgresSession) async -> Bool? {
    // A session gets a lock that it holds a second time: whoever leads asks for something that changes nothing.
    let statement =
      leads
      ? PostgresStatement("SELECT true")
      : PostgresStatement(
        "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.poller), .text(database.schema))
    do throws(PostgresFailure) { return try await session.run(statement).bool(0, 0) ?? false } catch { return nil }
  }
}
