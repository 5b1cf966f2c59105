internal import CPostgreSQL
internal import DriverThread

#if canImport(Glibc)
  import Glibc
#endif

/// One thread with one connection: takes jobs from its queue. Lives on that thread only.
final class Worker {
  private let target: ConnectionTarget
  private let queue: WorkQueue
  private let number: Int
  /// A session's connection is never opened again: what it held is gone with it.
  private let isSession: Bool
  private let wake: WakeEvent
  private var connection: Connection?
  private var failures = 0
  private var nextAttempt: ContinuousClock.Instant?

  init(_ target: ConnectionTarget, _ queue: WorkQueue, number: Int, isSession: Bool) {
    self.target = target
    self.queue = queue
    self.number = number
    self.isSession = isSession
    wake = queue.events[number]
  }

  func run() {
    loop: while true {
      switch queue.take(number) {
      case .job(let job): serve(job)
      case .idle: idle()
      case .end: break loop
      }
    }
    if isSession, let connection {
      // Locks are given back before the caller of close() goes on, not some time after the server sees the end.
      let unlock = PostgresStatement("select pg_catalog.pg_advisory_unlock_all()")
      _ = try? connection.run([unlock], inTransaction: false, by: .now + .seconds(2))
    }
    drop()
    queue.noteEnd(number)
  }

  private func idle() {
    let state = waitFor(socket: connection?.socket ?? -1, events: Int32(POLLIN), wake: wake, until: nil)
    if state.isReady, connection?.absorb() == false { drop() }
  }

  private func drop() {
    connection = nil
    queue.note(number, isConnected: false)
  }

  // MARK: Jobs

  private func serve(_ job: PostgresJob) {
    let outcome: PostgresJob.Outcome
    do throws(PostgresFailure) {
      outcome = .success(try perform(job))
    } catch {
      outcome = .failure(error)
    }
    job.continuation.resume(returning: outcome)
  }

  private func perform(_ job: PostgresJob) throws(PostgresFailure) -> [PostgresRows] {
    let bound = Duration.milliseconds(target.options.callTimeoutMilliseconds)
    guard ContinuousClock.now - job.since < bound else { throw .timedOut }
    let connection = try ready()
    defer { if connection.isBroken { drop() } }
    do {
      let deadline = ContinuousClock.now + bound
      switch job.work {
      case .open: return []
      case .run(let statement):
        let rows = try connection.run([statement], inTransaction: false, by: deadline)
        try checkIdle(connection, by: deadline)
        return rows
      case .transaction(let statements):
        return try connection.run(statements, inTransaction: true, by: deadline)
      case .script(let sql, let timeout):
        try connection.script(sql, by: .now + .milliseconds(timeout))
        return []
      }
    } catch {
      if case .lost = error { drop() }
      throw error
    }
  }

  /// A shared connection must not stay in a transaction: the next caller's statements would be part of it.
  private func checkIdle(_ connection: Connection, by deadline: ContinuousClock.Instant) throws(PostgresFailure) {
    guard !isSession, !connection.isIdle else { return }
    connection.rollBack(by: deadline)
    throw .invalid("run() does not begin transactions")
  }

  // MARK: Connecting

  /// The open connection, or a new one.
  private func ready() throws(PostgresFailure) -> Connection {
    if let connection {
      if connection.absorb() { return connection }
      drop()
    }
    if let defect = target.defect { throw defect }
    if isSession, failures > 0 || nextAttempt != nil { throw .closed }
    try pause()
    let began = ContinuousClock.now
    do {
      let made = try Connection(target, Connection.Waiter(wake: wake) { [queue] in queue.abortAt })
      connection = made
      failures = 0
      nextAttempt = isSession ? began : nil
      queue.note(number, isConnected: true)
      return made
    } catch {
      failures += 1
      nextAttempt = .now + backoff()
      queue.failWaiting(since: began, error)
      throw error
    }
  }

  /// Waits until the next attempt to connect is due.
  private func pause() throws(PostgresFailure) {
    guard let nextAttempt else { return }
    while ContinuousClock.now < nextAttempt {
      if queue.abortAt != nil { throw .closed }
      _ = waitFor(socket: -1, events: 0, wake: wake, until: nextAttempt)
    }
  }

  /// 0.2 s, doubled with each failure up to 5 s, and up to a fifth off, so that many clients do not come at once.
  private func backoff() -> Duration {
    let full = min(5_000, 200 << min(failures - 1, 5))
    return .milliseconds(full - Int.random(in: 0...full / 5))
  }
}
