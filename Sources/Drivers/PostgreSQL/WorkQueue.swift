internal import DriverThread
internal import Synchronization

/// One call waiting for its turn.
struct PostgresJob: Sendable {
  enum Work: Sendable {
    /// Only opens the connection.
    case open
    case run(PostgresStatement)
    case transaction([PostgresStatement])
    case script(String, timeoutMilliseconds: Int)
  }

  typealias Outcome = Result<[PostgresRows], PostgresFailure>

  let work: Work
  let since = ContinuousClock.now
  let continuation: CheckedContinuation<Outcome, Never>
}

/// The calls of one client or session, first in first out, and the worker threads that take them.
/// Its length is bounded by its callers: every job has one that waits for it.
final class WorkQueue: Sendable {
  enum Next {
    case job(PostgresJob)
    /// Nothing to do: wait for the worker's event.
    case idle
    case end
  }

  private struct State {
    var jobs: [PostgresJob] = []
    /// Jobs before this one are taken.
    var head = 0
    var idle: [Int] = []
    var connected: Set<Int> = []
    /// Workers that have had a connection.
    var begun: Set<Int> = []
    var reconnects = 0
    var ended = 0
    var isClosing = false
    var abortAt: ContinuousClock.Instant?
    var waiters: [CheckedContinuation<Void, Never>] = []

    mutating func popJob() -> PostgresJob? {
      guard head < jobs.count else { return nil }
      let job = jobs[head]
      head += 1
      if head == jobs.count || head == 1024 {
        jobs.removeFirst(head)
        head = 0
      }
      return job
    }

    mutating func popAll(since: ContinuousClock.Instant? = nil) -> [PostgresJob] {
      let waiting = jobs[head...]
      let taken = since.map { limit in waiting.filter { $0.since <= limit } } ?? Array(waiting)
      // Jobs stand in the order of their arrival, so those taken are the first ones.
      jobs.removeFirst(head + taken.count)
      head = 0
      return taken
    }
  }

  private let state = Mutex(State())
  /// One for each worker.
  let events: [WakeEvent]

  init(workers: Int) { events = (0..<workers).map { _ in WakeEvent() } }

  // MARK: For callers

  func submit(_ work: PostgresJob.Work) async throws(PostgresFailure) -> [PostgresRows] {
    let outcome = await withCheckedContinuation { continuation in
      let (isAccepted, idle): (Bool, Int?) = state.withLock { state in
        guard !state.isClosing else { return (false, nil) }
        // Made under the lock, so that the queue's order is the order of the times.
        state.jobs.append(PostgresJob(work: work, continuation: continuation))
        // A worker that has a connection before one that would have to open its own.
        let place = state.idle.lastIndex { state.connected.contains($0) } ?? state.idle.indices.last
        return (true, place.map { state.idle.remove(at: $0) })
      }
      // Without the lock, which is the first thing that the worker takes.
      if let idle { events[idle].signal() }
      if !isAccepted { continuation.resume(returning: .failure(.closed)) }
    }
    return try outcome.get()
  }

  /// Ends the queue: waiting jobs end as `.closed`, running ones are aborted when the grace is over.
  /// The waiter is resumed when all workers have ended.
  func close(grace: Duration, waiter: CheckedContinuation<Void, Never>?) {
    let (jobs, isEnded) = state.withLock { state in
      state.isClosing = true
      let at = ContinuousClock.now + grace
      state.abortAt = min(state.abortAt ?? at, at)
      let isEnded = state.ended == events.count
      if !isEnded, let waiter { state.waiters.append(waiter) }
      return (state.popAll(), isEnded)
    }
    for job in jobs { job.continuation.resume(returning: .failure(.closed)) }
    for event in events { event.signal() }
    if isEnded { waiter?.resume() }
  }

  // MARK: For workers

  func take(_ worker: Int) -> Next {
    state.withLock { state in
      state.idle.removeAll { $0 == worker }
      if let job = state.popJob() { return .job(job) }
      if state.isClosing { return .end }
      state.idle.append(worker)
      return .idle
    }
  }

  /// When running work must be given up, nil while the queue is open.
  var abortAt: ContinuousClock.Instant? { state.withLock { $0.abortAt } }

  func note(_ worker: Int, isConnected: Bool) {
    state.withLock { state in
      guard isConnected else {
        state.connected.remove(worker)
        return
      }
      state.connected.insert(worker)
      if !state.begun.insert(worker).inserted { state.reconnects += 1 }
    }
  }

  /// Connections that were made after an earlier one of the same worker was lost.
  var reconnects: Int { state.withLock { $0.reconnects } }

  func isConnected(_ worker: Int) -> Bool { state.withLock { $0.connected.contains(worker) } }

  /// Ends the jobs that were waiting when a failed attempt to connect began: they would each only wait for another
  /// one. Not while some worker has a connection, which serves them.
  func failWaiting(since: ContinuousClock.Instant, _ failure: PostgresFailure) {
    let jobs = state.withLock { state in state.connected.isEmpty ? state.popAll(since: since) : [] }
    for job in jobs { job.continuation.resume(returning: .failure(failure)) }
  }

  /// A worker's last word.
  func noteEnd(_ worker: Int) {
    let waiters = state.withLock { state in
      state.connected.remove(worker)
      state.ended += 1
      guard state.ended == events.count else { return [] as [CheckedContinuation<Void, Never>] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
