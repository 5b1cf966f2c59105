internal import Synchronization

/// The client's thread: takes batches, keeps at most so many exchanges going as it is steered to, settles them.
/// Lives on the driver thread only.
final class CurlEngine {
  private let shared: CurlShared
  private let options: CurlOptions
  private let watch: SocketWatch
  private let transport: HTTPTransport
  private var requestHead: RequestHead
  private var batches: ArraySlice<CurlBatch> = []
  private var running: [HTTPExchange] = []
  /// Exchanges that may be under way, 1 ... `maxConnections`.
  private var limit: Int
  /// Headers of a request that was found to be in order.
  private var soundHeaders: [HTTPHeader] = []
  /// No queued request expires before this.
  private var nextExpiry: ContinuousClock.Instant?
  /// No running one's time is over before this. It is not put off by what moves: that is looked at when it has come.
  private var nextBound: ContinuousClock.Instant?
  private var stopAt: ContinuousClock.Instant?
  /// How long an exchange may stand still.
  private let slowest: Duration

  init(_ shared: CurlShared, _ options: CurlOptions) {
    self.shared = shared
    self.options = options
    limit = options.maxConnections
    slowest = .seconds(options.lowSpeedSeconds > 0 ? options.lowSpeedSeconds : 3_600)
    requestHead = RequestHead(userAgent: options.userAgent)
    watch = SocketWatch(shared.wake)
    transport = HTTPTransport(options, watch)
  }

  func run() {
    while true {
      takeInbox()
      expireQueued()
      endOverdue()
      startQueued()
      transport.goOn()
      if settleEnded() > 0 { continue }
      if let stopAt {
        if running.isEmpty || ContinuousClock.now >= stopAt { break }
      }
      if mayWait() {
        watch.wait(until: earliest(earliest(nextExpiry, nextBound), earliest(stopAt, transport.dueAt)), transport.take)
      } else {
        watch.poll(transport.take)
      }
      settleEnded()
    }
    finish()
  }

  private func earliest(
    _ one: ContinuousClock.Instant?, _ other: ContinuousClock.Instant?
  ) -> ContinuousClock.Instant? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
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
    for exchange in running where exchange.request.repeatable && exchange.batch.isCancelled.load(ordering: .acquiring) {
      transport.abort(exchange, .cancelled, "the caller was cancelled")
    }
    settleEnded()
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
    var head: [UInt8] = []
    guard let (origin, isTLS) = requestHead.write(request, to: &head) else {
      batch.settle(index, .notSent(failure(request, .invalid, "the URL cannot be read")))
      return
    }
    let exchange = HTTPExchange(
      request, batch, index, head: head, origin: origin, isTLS: isTLS, maxBytes: options.maxResponseBytes, now)
    exchange.place = running.count
    running.append(exchange)
    shared.inFlight.store(running.count, ordering: .relaxed)
    let bound = min(exchange.deadline, now + slowest)
    nextBound = min(nextBound ?? bound, bound)
    transport.start(exchange)
  }

  /// Gives up the running requests whose time is over.
  private func endOverdue() {
    guard let bound = nextBound else { return }
    let now = ContinuousClock.now
    guard bound <= now else { return }
    nextBound = nil
    for exchange in running {
      let bound = transport.bound(exchange)
      if bound <= now {
        transport.abort(
          exchange, .timeout,
          bound == exchange.deadline ? "the request's time is over" : "nothing moved for too long")
      } else {
        // One that is still connecting may have begun to send by then.
        let next = min(bound, now + slowest)
        nextBound = min(nextBound ?? next, next)
      }
    }
    settleEnded()
  }

  /// Settles what has ended; returns how many.
  @discardableResult
  private func settleEnded() -> Int {
    let ended = transport.takeEnded()
    for (exchange, outcome) in ended {
      let last = running.removeLast()
      if last !== exchange {
        last.place = exchange.place
        running[exchange.place] = last
      }
      shared.inFlight.store(running.count, ordering: .relaxed)
      if options.onEnd != nil || options.steer != nil {
        let took = .now - exchange.started
        options.onEnd?(exchange.request.tag, took)
        if let steer = options.steer {
          let transfer = HTTPTransfer(
            request: exchange.request, outcome: outcome, started: exchange.started, took: took)
          limit = min(max(steer(transfer), 1), options.maxConnections)
        }
      }
      exchange.batch.settle(exchange.index, outcome)
    }
    return ended.count
  }

  private func leaveQueue(_ count: Int) { shared.queued.subtract(count, ordering: .relaxed) }

  /// Whether there is nothing new from callers. From then on they wake the thread.
  private func mayWait() -> Bool {
    shared.state.withLock { state in
      state.isWaiting = state.inbox.isEmpty && !state.sawCancellation && state.stopAt == stopAt
      return state.isWaiting
    }
  }

  /// Aborts what still runs, closes all connections and answers who waits for the end.
  private func finish() {
    for exchange in running { transport.abort(exchange, .shutdown, "the client is shut down") }
    settleEnded()
    transport.closeIdle()
    let waiters = shared.state.withLock { state in
      state.isFinished = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
