internal import CCurl
internal import DriverThread
internal import Synchronization

/// An HTTP client on one thread of its own.
///
/// All callers share one queue, first in first out, and at most `maxConnections` requests are in flight. Connections
/// are kept and used again: libcurl makes them, with TLS and its checks; what goes over them is our own. HTTP/1.1 only;
/// redirects are not followed; proxies of the environment are not used.
/// The queue's length is bounded by its callers: every queued request has a caller that waits for it.
public final class CurlClient: Sendable {
  private let shared: CurlShared
  private let thread: DriverThread

  /// Starts the client's thread. Nothing is connected yet.
  /// - Throws: `HTTPFailure` of kind `.invalid` when an option is out of its range or the CA file cannot be read.
  public init(_ options: CurlOptions) throws {
    try options.check()
    guard CurlShared.globalInit == CURLE_OK else {
      throw HTTPFailure(kind: .invalid, description: "libcurl cannot be initialised")
    }
    shared = CurlShared()
    thread = DriverThread(name: "ferry-curl") { [shared] in CurlEngine(shared, options).run() }
  }

  deinit {
    // Whoever performs holds the client, so nothing is queued or running here.
    shared.stop(after: .zero, waiter: nil)
    thread.join()
  }

  /// Performs requests; the outcomes come in the requests' order, when all are known.
  ///
  /// When the task is cancelled, queued requests end as `.notSent(.cancelled)`, repeatable ones in flight are
  /// aborted (`.uncertain(.cancelled)`), and non-repeatable ones in flight run to their end or timeout: an answer
  /// that is on its way is worth more than a doubt.
  public func perform(_ requests: [HTTPRequest]) async -> [HTTPOutcome] {
    guard !requests.isEmpty else { return [] }
    let batch = CurlBatch(requests)
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        batch.begin(continuation)
        shared.submit(batch)
      }
    } onCancel: {
      batch.isCancelled.store(true, ordering: .releasing)
      shared.noteCancellation()
    }
  }

  /// Performs one request.
  public func perform(_ request: HTTPRequest) async -> HTTPOutcome {
    await perform([request])[0]
  }

  /// Requests handed to the network and not yet answered.
  public var inFlight: Int { shared.inFlight.load(ordering: .relaxed) }

  /// Requests waiting for a free connection.
  public var queued: Int { shared.queued.load(ordering: .relaxed) }

  /// Ends the client: queued requests end as `.notSent(.shutdown)`, running ones may finish within the bound, then
  /// are aborted. Returns when the thread has ended and all callers have their outcomes. May be called repeatedly;
  /// a later, shorter bound wins.
  /// - Parameter graceMilliseconds: the bound for running requests.
  public func shutdown(graceMilliseconds: Int = 20_000) async {
    await withCheckedContinuation { shared.stop(after: .milliseconds(graceMilliseconds), waiter: $0) }
    // The waiters are resumed by the thread's last lines: nothing is left that could block here.
    thread.join()
  }
}

/// One call of `perform`.
///
/// `@unchecked Sendable`: the mutable parts are written by the caller before `CurlShared.submit`, whose mutex hands
/// the batch to the driver thread, and from then on by that thread alone.
final class CurlBatch: @unchecked Sendable {
  let requests: [HTTPRequest]
  /// The first `notAfter` among the requests.
  let earliestExpiry: ContinuousClock.Instant?
  let isCancelled = Atomic(false)
  /// The first request that has not left the queue.
  var next = 0
  private var outcomes: [HTTPOutcome?]
  private var open: Int
  private var continuation: CheckedContinuation<[HTTPOutcome], Never>?

  init(_ requests: [HTTPRequest]) {
    self.requests = requests
    earliestExpiry = requests.lazy.compactMap(\.notAfter).min()
    outcomes = Array(repeating: nil, count: requests.count)
    open = requests.count
  }

  func begin(_ continuation: CheckedContinuation<[HTTPOutcome], Never>) { self.continuation = continuation }

  func isSettled(_ index: Int) -> Bool { outcomes[index] != nil }

  /// Notes one outcome; the last one resumes the caller.
  func settle(_ index: Int, _ outcome: HTTPOutcome) {
    guard outcomes[index] == nil else { return }
    outcomes[index] = outcome
    open -= 1
    if open == 0 {
      continuation?.resume(returning: outcomes.compactMap { $0 })
      continuation = nil
    }
  }

  /// Notes the same kind of end for every request that has not left the queue. Returns how many there were.
  func settleQueued(_ kind: HTTPFailure.Kind, _ text: String) -> Int {
    var count = 0
    let first = next
    next = requests.count
    for index in first..<requests.count where outcomes[index] == nil {
      count += 1
      settle(index, .notSent(failure(requests[index], kind, text)))
    }
    return count
  }
}

/// A failure with the request's method and shown URL before its text.
func failure(_ request: HTTPRequest, _ kind: HTTPFailure.Kind, _ text: String, code: Int = 0) -> HTTPFailure {
  HTTPFailure(
    kind: kind, curlCode: code, description: "\(request.method.rawValue) \(shownURL(request.url)): \(text)")
}

/// What callers and the thread share.
final class CurlShared: Sendable {
  struct State {
    var inbox: [CurlBatch] = []
    /// The thread waits, or is about to, and must be woken.
    var isWaiting = false
    var sawCancellation = false
    var stopAt: ContinuousClock.Instant?
    var isFinished = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  // curl_global_init is not thread-safe; the lazy static runs it once before any other call.
  static let globalInit: CURLcode = curl_global_init(Int(CURL_GLOBAL_ALL))

  let state = Mutex(State())
  let inFlight = Atomic(0)
  let queued = Atomic(0)
  let wake = WakeEvent()

  func submit(_ batch: CurlBatch) {
    let accepted = state.withLock { state in
      guard state.stopAt == nil else { return false }
      queued.add(batch.requests.count, ordering: .relaxed)
      state.inbox.append(batch)
      wake(&state)
      return true
    }
    if !accepted { _ = batch.settleQueued(.shutdown, "the client is shut down") }
  }

  func noteCancellation() {
    state.withLock { state in
      state.sawCancellation = true
      wake(&state)
    }
  }

  func stop(after grace: Duration, waiter: CheckedContinuation<Void, Never>?) {
    let already = state.withLock { state in
      guard !state.isFinished else { return true }
      let at = ContinuousClock.now + grace
      state.stopAt = min(state.stopAt ?? at, at)
      if let waiter { state.waiters.append(waiter) }
      wake(&state)
      return false
    }
    if already { waiter?.resume() }
  }

  private func wake(_ state: inout State) {
    guard state.isWaiting else { return }
    state.isWaiting = false
    wake.signal()
  }
}
