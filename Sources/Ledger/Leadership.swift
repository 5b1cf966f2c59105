import Pipeline
import PostgreSQL

/// The election of the one poller: an advisory lock, held by a connection of its own.
///
/// A leader that is cut off or frozen may believe in its lock for as long as it takes to notice. Every election raises the
/// fence in `poll_lease`, which every write of a poller names, so whoever was elected last alone writes.
actor Leadership {
  private let database: LedgerDatabase
  private var session: PostgresSession?
  private var leads = false
  /// What this poller was elected with last; nil when it never was, or has stepped down. It stays when the connection is
  /// lost: until another one is elected the work under way may be ended.
  private(set) var fence: Int64?
  private var isBusy = false

  init(_ database: LedgerDatabase) { self.database = database }

  func take() async throws(LedgerFailure) -> Bool {
    // An actor lets others in while it waits; a second asker is told what was true last.
    guard !isBusy else { return leads }
    isBusy = true
    defer { isBusy = false }
    if let session {
      do throws(PostgresFailure) { return conclude(try await ask(session)) } catch {
        // The connection is gone, and the lock with it; a new one is asked at once.
        await drop(session)
      }
    }
    do throws(PostgresFailure) {
      let session = try await database.client.session()
      self.session = session
      return conclude(try await ask(session))
    } catch {
      if let session { await drop(session) }
      throw LedgerFailure(error, schema: database.schema)
    }
  }

  func give() async {
    leads = false
    fence = nil
    let session = self.session
    self.session = nil
    await session?.close()
  }

  /// - Parameter answer: false too when this poller stepped down while it asked.
  private func conclude(_ answer: Bool) -> Bool {
    leads = answer && session != nil
    return leads
  }

  private func drop(_ session: PostgresSession) async {
    leads = false
    self.session = nil
    await session.close()
  }

  /// Whether the lock is ours.
  private func ask(_ session: PostgresSession) async throws(PostgresFailure) -> Bool {
    // A session gets a lock that it holds a second time: whoever leads asks for something that changes nothing.
    if leads { return try await session.run(PostgresStatement("SELECT true")).bool(0, 0) ?? false }
    let lock = PostgresStatement(
      "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.poller), .text(database.schema))
    guard try await session.run(lock).bool(0, 0) == true else { return false }
    let raise = PostgresStatement(
      "UPDATE poll_lease SET fence = fence + 1, since = clock_timestamp() RETURNING fence")
    guard let raised = try await session.run(raise).int(0, 0) else { return false }
    // Stepped down while it asked: the connection is being closed.
    if self.session === session { fence = raised }
    return true
  }
}
