import Pipeline
import PostgreSQL

/// The election of the one poller: a lease in `poll_lease`, by the database's clock, and an advisory lock on a connection of
/// its own.
///
/// The lock tells at once when the holder's connection has ended: whoever gets it need not wait for the lease's end. The lease
/// ends when it is not renewed, so that a holder that is frozen while its connection lives is followed too. Its successor
/// leads by the lease alone until the lock is free. An older program knows the lock alone: while it holds it, nobody follows.
///
/// Every election raises the fence in `poll_lease`, which every write of a poller names, so whoever was elected last alone
/// writes, whatever the others believe.
actor Leadership {
  private let database: LedgerDatabase
  private var session: PostgresSession?
  /// Whether the session has the lock.
  private var isLocked = false
  private var leads = false
  /// What this poller was elected with last; nil when it never was, has stepped down, or was told of another one's
  /// election. It stays when the connection is lost: until another one is elected the work under way may be ended.
  private(set) var fence: Int64?
  private var isBusy = false
  /// Whether the last answer was no because the ledger was restored.
  private var isRefused = false

  init(_ database: LedgerDatabase) { self.database = database }

  /// - Throws: `.broken` where the ledger was restored and nobody has said so: asked anew with each renewal and election.
  func take() async throws(LedgerFailure) -> Bool {
    // An actor lets others in while it waits; a second asker is told what was true last.
    guard !isBusy else { return leads }
    isBusy = true
    defer { isBusy = false }
    let answer = try await asked()
    if isRefused { throw LedgerRestore.refusal(of: database.schema) }
    return answer
  }

  private func asked() async throws(LedgerFailure) -> Bool {
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
    let session = self.session
    let lease = isLocked ? nil : fence
    leads = false
    isLocked = false
    fence = nil
    self.session = nil
    // A lease that has the lock ends with it; one that stands alone would have to be waited for.
    if let session, let lease, session.isAlive { _ = try? await session.run(Self.return(lease)) }
    await session?.close()
  }

  /// - Parameter answer: false too when this poller stepped down while it asked.
  private func conclude(_ answer: Bool) -> Bool {
    leads = answer && session != nil
    return leads
  }

  private func drop(_ session: PostgresSession) async {
    leads = false
    isLocked = false
    self.session = nil
    await session.close()
  }

  /// Renews the lease, or has this poller elected.
  private func ask(_ session: PostgresSession) async throws(PostgresFailure) -> Bool {
    let isMine = { () -> Bool in self.session === session }
    isRefused = false
    if !isLocked {
      let lock = PostgresStatement(
        "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.poller), .text(database.schema))
      let isGranted = try await session.run(lock).bool(0, 0) == true
      // Stepped down while it asked: the connection is being closed.
      guard isMine() else { return false }
      isLocked = isGranted
    }
    if let fence {
      let isRenewed = try await session.run(Self.renewal(of: fence, bound: isLocked)).count == 1
      guard isMine() else { return false }
      if isRenewed { return true }
      self.fence = nil
    }
    let elected = try await session.run(Self.election(bound: isLocked))
    guard isMine() else { return false }
    if elected.count > 0, let raised = elected.int(0, 0) {
      fence = raised
      return true
    }
    if isLocked {
      isLocked = false
      let unlock = PostgresStatement(
        "SELECT pg_advisory_unlock($1::int, hashtext($2::text))", .int(AdvisoryLock.poller), .text(database.schema))
      _ = try await session.run(unlock)
    }
    let isAccepted = try await session.run(PostgresStatement("SELECT \(LedgerRestore.isAccepted)"))
    isRefused = isMine() && isAccepted.bool(0, 0) != true
    return false
  }

  // MARK: Statements

  private static func renewal(of fence: Int64, bound: Bool) -> PostgresStatement {
    PostgresStatement(
      "UPDATE poll_lease SET until = clock_timestamp() + make_interval(secs => $2::int), bound = $3::boolean "
        + "WHERE fence = $1::bigint AND \(LedgerRestore.isAccepted) RETURNING fence",
      .int(fence), .int(PollLease.seconds), .bool(bound))
  }

  private static func election(bound: Bool) -> PostgresStatement {
    PostgresStatement(
      """
      UPDATE poll_lease SET fence = fence + 1, leased = fence + 1, since = clock_timestamp(), bound = $2::boolean,
        until = clock_timestamp() + make_interval(secs => $1::int),
        holder = (SELECT application_name || ' ' || pid || ' from ' || coalesce(client_addr::text, 'this machine')
          FROM pg_stat_activity WHERE pid = pg_backend_pid())
      WHERE \(LedgerRestore.isAccepted)
        AND CASE WHEN $2::boolean THEN leased IS DISTINCT FROM fence OR bound OR until < clock_timestamp()
          ELSE leased = fence AND until < clock_timestamp() END
      RETURNING fence
      """, .int(PollLease.seconds), .bool(bound))
  }

  private static func `return`(_ fence: Int64) -> PostgresStatement {
    PostgresStatement(
      "UPDATE poll_lease SET until = '-infinity' WHERE fence = $1::bigint RETURNING fence", .int(fence))
  }
}
