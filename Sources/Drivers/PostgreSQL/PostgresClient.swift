internal import DriverThread
internal import Synchronization

/// A few connections to one PostgreSQL database, each on a thread of its own, shared by all callers.
///
/// A connection is opened when it is first needed and again after it is lost; attempts that fail are 0.2 s to 5 s
/// apart, and a call that meets such a pause waits for the attempt at its end. Calls are served first in, first out.
/// A call is not affected by its task's cancellation: it ends with its statement or its time limit, which may take
/// twice `callTimeoutMilliseconds` when it had to wait in the queue.
///
/// Results are held in memory as a whole: a statement that may find many rows needs a LIMIT. Text results of times are
/// in UTC and ISO form.
public final class PostgresClient: Sendable {
  private let target: ConnectionTarget
  private let pool: Workers

  /// Makes a client; nothing is connected yet. Options that cannot be used show as `.invalid` on every call.
  public init(_ options: PostgresOptions) {
    target = ConnectionTarget(options)
    let isUsable = target.defect == nil
    pool = Workers(target, count: isUsable ? options.connections : 1, isSession: false)
  }

  /// Runs one statement, which commits by itself.
  public func run(_ statement: PostgresStatement) async throws(PostgresFailure) -> PostgresRows {
    try await pool.run(statement)
  }

  /// Runs statements as one transaction, in one round trip: all take effect or none. Returns one result for each.
  ///
  /// `.lost` means that the answer to COMMIT is missing: look up what happened.
  public func transaction(_ statements: [PostgresStatement]) async throws(PostgresFailure) -> [PostgresRows] {
    try await pool.transaction(statements)
  }

  /// Runs a text of several statements, for migrations. Without BEGIN in it the text is one transaction.
  ///
  /// What it sets with SET stays set on one of the connections: use SET LOCAL.
  /// - Parameter timeoutMilliseconds: how long to wait for the whole; nil: as for every call.
  public func script(_ sql: String, timeoutMilliseconds: Int? = nil) async throws(PostgresFailure) {
    try await pool.script(sql, timeoutMilliseconds ?? target.options.callTimeoutMilliseconds)
  }

  /// How many connections were made anew after one was lost; sessions are not counted.
  public var reconnects: Int { pool.queue.reconnects }

  /// Opens a connection of its own, for session advisory locks and the like.
  public func session() async throws(PostgresFailure) -> PostgresSession {
    let workers = Workers(target, count: 1, isSession: true)
    do {
      _ = try await workers.queue.submit(.open)
    } catch {
      await workers.close(grace: .zero)
      throw error
    }
    return PostgresSession(workers, timeoutMilliseconds: target.options.callTimeoutMilliseconds)
  }

  /// Closes the connections. Waiting calls end as `.closed`; running ones may finish within the bound and then end as
  /// `.lost`. Sessions are closed on their own.
  public func close(graceMilliseconds: Int = 5_000) async {
    await pool.close(grace: .milliseconds(graceMilliseconds))
  }
}

/// One connection for one holder. It is never opened again: once `isAlive` is false, what it held is gone.
public final class PostgresSession: Sendable {
  private let workers: Workers
  private let timeoutMilliseconds: Int

  init(_ workers: Workers, timeoutMilliseconds: Int) {
    self.workers = workers
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  /// False once the connection is known to be lost or closed. A server that vanishes without a word is noticed by TCP
  /// keepalive after about 25 s.
  public var isAlive: Bool { workers.queue.isConnected(0) }

  /// Runs one statement; outside an open transaction it commits by itself.
  public func run(_ statement: PostgresStatement) async throws(PostgresFailure) -> PostgresRows {
    try await workers.run(statement)
  }

  /// Runs statements as one transaction, as `PostgresClient.transaction`.
  public func transaction(_ statements: [PostgresStatement]) async throws(PostgresFailure) -> [PostgresRows] {
    try await workers.transaction(statements)
  }

  /// Runs a text of several statements, as `PostgresClient.script`.
  public func script(_ sql: String, timeoutMilliseconds: Int? = nil) async throws(PostgresFailure) {
    try await workers.script(sql, timeoutMilliseconds ?? self.timeoutMilliseconds)
  }

  /// Gives back all advisory locks and closes the connection; both have happened when this returns.
  public func close(graceMilliseconds: Int = 5_000) async {
    await workers.close(grace: .milliseconds(graceMilliseconds))
  }
}

/// A queue with its threads.
final class Workers: Sendable {
  let queue: WorkQueue
  private let threads: [DriverThread]

  init(_ target: ConnectionTarget, count: Int, isSession: Bool) {
    let queue = WorkQueue(workers: count)
    self.queue = queue
    threads = (0..<count).map { number in
      DriverThread(name: "ferry-pg-\(number)") {
        Worker(target, queue, number: number, isSession: isSession).run()
      }
    }
  }

  deinit {
    // Whoever calls holds the workers, so nothing is waiting or running here.
    queue.close(grace: .zero, waiter: nil)
    for thread in threads { thread.join() }
  }

  func run(_ statement: PostgresStatement) async throws(PostgresFailure) -> PostgresRows {
    let rows = try await queue.submit(.run(statement))
    guard let first = rows.first else { throw .invalid("the statement gave no result") }
    return first
  }

  func transaction(_ statements: [PostgresStatement]) async throws(PostgresFailure) -> [PostgresRows] {
    guard !statements.isEmpty else { return [] }
    return try await queue.submit(.transaction(statements))
  }

  func script(_ sql: String, _ timeoutMilliseconds: Int) async throws(PostgresFailure) {
    guard 1...86_400_000 ~= timeoutMilliseconds else { throw .invalid("timeoutMilliseconds must be 1 to 86400000") }
    _ = try await queue.submit(.script(sql, timeoutMilliseconds: timeoutMilliseconds))
  }

  func close(grace: Duration) async {
    await withCheckedContinuation { queue.close(grace: grace, waiter: $0) }
    // The waiter is resumed by the last thread's last lines: nothing is left that could block here.
    for thread in threads { thread.join() }
  }
}
