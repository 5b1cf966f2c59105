internal import CCurl
internal import Synchronization

/// The client's thread: takes batches, keeps at most so many transfers going as it is steered to, settles them.
/// Lives on the driver thread only.
final class CurlEngine {
  private let shared: CurlShared
  private let options: CurlOptions
  private let watch: SocketWatch
  private var batches: ArraySlice<CurlBatch> = []
  private var free: [CurlTransfer] = []
  private var running: [CurlTransfer] = []
  /// Transfers that may be under way, 1 ... `maxConnections`.
  private var limit: Int
  /// Headers of a request that was found to be in order.
  private var soundHeaders: [HTTPHeader] = []
  /// No queued request expires before this.
  private var nextExpiry: ContinuousClock.Instant?
  private var stopAt: ContinuousClock.Instant?

  init(_ shared: CurlShared, _ options: CurlOptions) {
    self.shared = shared
    self.options = options
    limit = options.maxConnections
    watch = unsafe SocketWatch(shared.multi, shared.wake, pushes: options.joinsHeadersAndBody)
    // SAFETY: the multi handle is alive until finish() and belongs to this thread.
    _ = unsafe ferry_curl_multi_set_long(shared.multi, CURLMOPT_MAXCONNECTS, options.maxConnections)
    _ = unsafe ferry_curl_multi_set_long(shared.multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
  }

  func run() {
    while true {
      takeInbox()
      expireQueued()
      startQueued()
      if watch.takeDue() { act(CURL_SOCKET_TIMEOUT, 0) }
      if settleDone() > 0 { continue }
      if let stopAt {
        if running.isEmpty || ContinuousClock.now >= stopAt { break }
      }
      if mayWait() { watch.wait(until: nextExpiry, or: stopAt, act) }
      settleDone()
    }
    finish()
  }

  /// Lets libcurl go on where it can.
  private func act(_ socket: curl_socket_t, _ bits: Int32) {
    var active: Int32 = 0
    // SAFETY: the multi handle is alive until finish(); the counter outlives the call.
    _ = unsafe curl_multi_socket_action(shared.multi, socket, bits, &active)
  }

  /// Takes what callers left since the last time.
  private func takeInbox() {
    let (inbox, sawCancellation) = shared.state.withLock { state in
      defer {
        state.inbox = []
        state.sawCancellation = false
      }
      state.isWaiting = false
      stopAt = state.stopAt
      return (state.inbox, state.sawCancellation)
    }
    for batch in inbox {
      batches.append(batch)
      if let expiry = batch.earliestExpiry { nextExpiry = min(nextExpiry ?? expiry, expiry) }
    }
    if stopAt != nil {
      for batch in batches { leaveQueue(batch.settleQueued(.shutdown, "the client is shut down")) }
      batches = []
    }
    if sawCancellation { dropCancelled() }
  }

  private func dropCancelled() {
    for batch in batches where batch.isCancelled.load(ordering: .acquiring) {
      leaveQueue(batch.settleQueued(.cancelled, "the caller was cancelled"))
    }
    for transfer in running where transfer.request.repeatable {
      guard transfer.batch?.isCancelled.load(ordering: .acquiring) == true else { continue }
      abort(transfer, .cancelled, "the caller was cancelled")
    }
  }

  private func expireQueued() {
    guard let expiry = nextExpiry else { return }
    let now = ContinuousClock.now
    guard expiry <= now else { return }
    nextExpiry = nil
    for batch in batches where batch.earliestExpiry != nil {
      for index in batch.next..<batch.requests.count where !batch.isSettled(index) {
        guard let notAfter = batch.requests[index].notAfter else { continue }
        if notAfter <= now {
          expire(batch, index)
        } else {
          nextExpiry = min(nextExpiry ?? notAfter, notAfter)
        }
      }
    }
  }

  private func expire(_ batch: CurlBatch, _ index: Int) {
    leaveQueue(1)
    batch.settle(index, .notSent(failure(batch.requests[index], .expired, "it waited too long for a connection")))
  }

  private func startQueued() {
    guard !batches.isEmpty, running.count < limit else { return }
    let now = ContinuousClock.now
    while running.count < limit, let batch = batches.first {
      guard batch.next < batch.requests.count else {
        batches.removeFirst()
        continue
      }
      let index = batch.next
      batch.next += 1
      guard !batch.isSettled(index) else { continue }
      let request = batch.requests[index]
      if let notAfter = request.notAfter, notAfter <= now {
        expire(batch, index)
        continue
      }
      leaveQueue(1)
      start(batch, index, request, now)
    }
    if batches.isEmpty { batches = [] }
  }

  private func start(_ batch: CurlBatch, _ index: Int, _ request: HTTPRequest, _ now: ContinuousClock.Instant) {
    if batch.isCancelled.load(ordering: .acquiring) {
      batch.settle(index, .notSent(failure(request, .cancelled, "the caller was cancelled")))
      return
    }
    if let defect = defect(of: request, allowsPlainHTTP: options.allowsPlainHTTP, soundHeaders: &soundHeaders) {
      batch.settle(index, .notSent(failure(request, .invalid, defect)))
      return
    }
    guard let transfer = free.popLast() ?? CurlTransfer(options) else {
      batch.settle(index, .notSent(failure(request, .invalid, "libcurl has no handle left")))
      return
    }
    let code = transfer.prepare(request, batch, index)
    // SAFETY: both handles are alive and belong to this thread; the transfer is removed before it is freed.
    guard code == CURLE_OK, unsafe curl_multi_add_handle(shared.multi, transfer.easy) == CURLM_OK else {
      batch.settle(index, .notSent(failure(request, .invalid, "libcurl refused the request", code: Int(code.rawValue))))
      transfer.clear()
      free.append(transfer)
      return
    }
    transfer.place = running.count
    transfer.started = now
    running.append(transfer)
    shared.inFlight.store(running.count, ordering: .relaxed)
  }

  /// Settles what has ended; returns how many.
  @discardableResult
  private func settleDone() -> Int {
    var count = 0
    var easy: UnsafeMutableRawPointer?
    var code = CURLE_OK
    // SAFETY: out-parameters outlive the call; the easy handle is one of running, whose private pointer is its
    // CurlTransfer, held by running.
    while unsafe ferry_curl_multi_next_done(shared.multi, &easy, &code) != 0 {
      guard let transfer = unsafe CurlTransfer.owner(of: easy) else { continue }
      count += 1
      release(transfer, transfer.outcome(code))
    }
    return count
  }

  private func abort(_ transfer: CurlTransfer, _ kind: HTTPFailure.Kind, _ text: String) {
    let reason = failure(transfer.request, kind, text)
    release(transfer, transfer.mayHaveBeenSent ? .uncertain(reason) : .notSent(reason))
  }

  /// Takes a transfer out of the multi handle and settles its request.
  private func release(_ transfer: CurlTransfer, _ outcome: HTTPOutcome) {
    // SAFETY: the easy handle was added in start() and is removed once, here.
    _ = unsafe curl_multi_remove_handle(shared.multi, transfer.easy)
    let last = running.removeLast()
    if last !== transfer {
      last.place = transfer.place
      running[transfer.place] = last
    }
    shared.inFlight.store(running.count, ordering: .relaxed)
    let (batch, index) = (transfer.batch, transfer.index)
    if let steer = options.steer {
      let ended = HTTPTransfer(
        request: transfer.request, outcome: outcome, started: transfer.started, took: .now - transfer.started)
      limit = min(max(steer(ended), 1), options.maxConnections)
    }
    transfer.clear()
    // Only after an answer: a handle whose transfer died keeps libcurl's wish to rewind, and would refuse its next request.
    if case .response = outcome { free.append(transfer) }
    batch?.settle(index, outcome)
  }

  private func leaveQueue(_ count: Int) { shared.queued.subtract(count, ordering: .relaxed) }

  /// Whether there is nothing new from callers. From then on they wake the thread.
  private func mayWait() -> Bool {
    shared.state.withLock { state in
      state.isWaiting = state.inbox.isEmpty && !state.sawCancellation && state.stopAt == stopAt
      return state.isWaiting
    }
  }

  /// Aborts what still runs, frees libcurl's handles and answers who waits for the end.
  private func finish() {
    while let transfer = running.last { abort(transfer, .shutdown, "the client is shut down") }
    free = []
    let waiters = shared.state.withLock { state in
      state.isFinished = true
      defer { state.waiters = [] }
      // SAFETY: no easy handle is left inside; isFinished keeps other threads from waking it.
      _ = unsafe curl_multi_cleanup(shared.multi)
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
