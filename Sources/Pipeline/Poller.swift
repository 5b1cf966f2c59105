public import Logging
import CoreMetrics
public import Orders
public import ServiceLifecycle
import Synchronization

/// How the poller reads.
public struct PollPlan: Sendable {
  /// Seconds between the ends of cycles.
  public var intervalSeconds: Int
  /// Every window starts so many seconds before the watermark.
  public var overlapSeconds: Int
  /// Every window ends so many seconds before the vendor's now.
  public var lagSeconds: Int
  /// Where the first window starts.
  public var since: BeijingTime
  /// Orders a page, 1...500 (vendor-apis.md B-5).
  public var pageSize: Int
  /// A window with more orders is halved.
  public var sliceSize: Int
  /// How often a slice is read again when its count changed meanwhile.
  public var maxPasses: Int
  /// Seconds between two reconciliations by OKKI's clock; 0: none.
  public var reconcileSeconds: Int
  /// Orders that were entered in so many days are reconciled.
  public var reconcileDays: Int

  /// A plan from `since` on with the defaults of nothing-lost-nothing-twice.md §1.
  public init(since: BeijingTime) {
    intervalSeconds = 60
    overlapSeconds = 120
    lagSeconds = 5
    self.since = since
    pageSize = 100
    sliceSize = 10_000
    maxPasses = 5
    reconcileSeconds = 0
    reconcileDays = 7
  }
}

/// Why a cycle ended early. What it had published stays published; the watermark has not passed anything unpublished.
public enum PollInterruption: Error, Sendable, Equatable, CustomStringConvertible {
  /// The CRM.
  case source(SourceFailure)
  /// The ledger.
  case ledger(LedgerFailure)
  /// The broker did not confirm.
  case broker(String)
  /// A slice kept changing while it was read.
  case drift
  /// Another poller was elected, or moved the watermark.
  case overtaken
  /// Shutdown.
  case stopped

  /// One sentence.
  public var description: String {
    switch self {
    case .source(.transient(let why, _)): "OKKI is away or broken for now: \(why)"
    case .source(.throttled(let seconds)):
      seconds.map { "OKKI asks to slow down for \($0) s" } ?? "OKKI asks to slow down"
    case .source(.unauthorized(let why, _)): "OKKI refuses us: \(why)"
    case .source(.absent): "OKKI denies what was asked for"
    case .source(.malformed(let why, _)), .source(.unframed(let why, _)): "OKKI's answer cannot be understood: \(why)"
    case .ledger(.unavailable(let why)): "PostgreSQL is away: \(why)"
    case .ledger(.broken(let why)): "the ledger cannot be used: \(why)"
    case .broker(let why): "RabbitMQ did not confirm: \(why)"
    case .drift: "a slice kept changing while it was read"
    case .overtaken: "another process polls by now"
    case .stopped: "stopped"
    }
  }
}

/// Reads OKKI and publishes new revisions of orders (nothing-lost-nothing-twice.md §1).
///
/// Closed windows by the vendor's clock, overlap, bisected slices, pages from the last to the first, publish with
/// confirm, then the watermark.
public final class Poller: Service {
  /// The collection that `company/list` fills; strategies look customers up in it.
  public static let customersCollection = "customers"

  let source: any OrderSource
  let ledger: any PollLedger
  let sweeps: (any SweepLedger)?
  let outbox: any Outbox
  let plan: PollPlan
  let clock: PipelineClock
  let leaseClock: PipelineClock
  let logger: Logger
  let polled: Counter
  let pages: Counter
  /// Orders whose details failed alone, and how often in a row.
  let stuck = Mutex<[OrderID: Int]>([:])
  /// After so many failures in a row an order is parked instead of holding up the watermark.
  static let mostFailures = 5
  let metrics: PipelineMetrics
  /// What it gets done while it leads.
  public let progress: PollProgress
  private let ending = Mutex<PollInterruption?>(nil)
  /// Until when this poller works, unless its lease is renewed before; nil before it was first asked for.
  let workEnd = Mutex<ContinuousClock.Instant?>(nil)
  private let cycles: Counter
  /// When a cycle last came to its end, in milliseconds since 1970 UTC; at first when the poller was made.
  private let finished: Mutex<Int64>
  private let failures: Counter
  let drifts: Counter
  let customerDrifts: Counter
  let unreadableOrders: Counter
  let unreadableCustomers: Counter
  /// Fingerprints of rows that were told to be unreadable.
  let toldRows = Mutex<Set<Int64>>([])
  let clockSteps: Counter
  /// Rows that told no order, and in how many cycles; rows of which somebody has been told.
  let stuckRows = Mutex<[Look: Int]>([:])
  /// Watermarks that were found to lie ahead, so that each is told once.
  let toldBack = Mutex<[PollStream: BeijingTime]>([:])
  let roundSize = Mutex(RoundSize())
  /// The customers' list, where the last cycle has not seen all of it.
  let customerScan = Mutex<CustomerScan?>(nil)
  private let leading: Gauge
  private let watermarkGauge: Gauge
  private let windowLag: Gauge
  let alreadyPublished: Counter
  let removals: Counter
  let refetched: Counter
  private let removedFailures: Counter
  private let removedWatermarkGauge: Gauge
  private let customerFailures: Counter
  /// Why a list beside the orders could not be read last, so that the same is told once.
  private let restsUntil = Mutex<[PollStream: ContinuousClock.Instant]>([:])
  private let besides = Mutex<[PollStream: PollInterruption]>([:])

  let foundMissed: Counter
  let foundChanged: Counter
  let sweepFailures: Counter
  /// What this process remembers of its sweeps; where they stand is in the ledger.
  let sweeping = Mutex(SweepMemory())

  /// A poller.
  /// - Parameters:
  ///   - sweeps: where sweeps stand; nil where there are none.
  ///   - metrics: counts what it parks, and a list or a clock that does not keep still.
  ///   - leaseClock: what its lease goes by, where that is not `clock`.
  ///   - progress: marked with each answer; where the source marks it too, a call of many requests is not taken for stuck.
  public init(
    source: any OrderSource, ledger: any PollLedger, outbox: any Outbox, plan: PollPlan, clock: PipelineClock,
    logger: Logger, metrics: PipelineMetrics = PipelineMetrics(), sweeps: (any SweepLedger)? = nil,
    leaseClock: PipelineClock? = nil, progress: PollProgress? = nil
  ) {
    self.progress = progress ?? PollProgress(clock)
    self.sweeps = sweeps
    self.leaseClock = leaseClock ?? clock
    self.metrics = metrics
    let factory = metrics.factory
    func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
      Counter(label: label, dimensions: dimensions, factory: factory)
    }
    for reason in [ReasonCode.orderMalformed, .messageTooLarge, .headersTooLarge] {
      metrics.begin(burialFor: reason, at: .transform)
    }
    polled = counter("ferry_polled_total")
    cycles = counter("ferry_poll_cycles_total")
    failures = counter("ferry_poll_failures_total")
    drifts = counter("ferry_page_drift_total")
    unreadableOrders = counter("ferry_unreadable_rows_total", [("list", "orders")])
    unreadableCustomers = counter("ferry_unreadable_rows_total", [("list", "customers")])
    leading = Gauge(label: "ferry_poll_leader", factory: factory)
    watermarkGauge = Gauge(label: "ferry_watermark_epoch_seconds", factory: factory)
    windowLag = Gauge(label: "ferry_poll_window_lag_seconds", factory: factory)
    alreadyPublished = PipelineMetrics.dedupHits("listed", factory)
    removals = counter("ferry_removals_polled_total")
    refetched = counter("ferry_refetched_total")
    removedFailures = counter("ferry_removed_poll_failures_total")
    removedWatermarkGauge = Gauge(label: "ferry_removed_watermark_epoch_seconds", factory: factory)
    customerFailures = counter("ferry_customer_poll_failures_total")
    foundMissed = counter("ferry_reconcile_found_total", [("what", "missed")])
    foundChanged = counter("ferry_reconcile_found_total", [("what", "changed")])
    sweepFailures = counter("ferry_sweep_failures_total")
    pages = counter("ferry_polled_pages_total")
    finished = Mutex(clock.epochMilliseconds())
    customerDrifts = counter("ferry_customer_drift_total")
    clockSteps = counter("ferry_okki_clock_back_total")
    self.source = source
    self.ledger = ledger
    self.outbox = outbox
    self.plan = plan
    self.clock = clock
    self.logger = logger
  }

  /// How the last cycle ended early; nil when it did not, when another process leads, or when the partner that ended it
  /// has answered since.
  public var interruption: PollInterruption? { ending.withLock { $0 } }

  /// Whether it leads and its lease lasts, by this process' own clock. No two pollers do at a time.
  public var isLeading: Bool { progress.leads && mayWork }

  /// When a cycle last came to its end, in milliseconds since 1970 UTC; before the first, when the poller was made.
  public var lastProgress: Int64 { finished.withLock { $0 } }

  /// Cycles until graceful shutdown. A failed cycle is tried again after a growing pause; while another process polls,
  /// this one looks every 15 s at most whether it has gone.
  public func run() async {
    var pause = Duration.seconds(1)
    var standsBy = false
    while !Task.isCancelled, !Task.isShuttingDownGracefully {
      var wait = Duration.seconds(plan.intervalSeconds)
      var leads = false
      do throws(PollInterruption) {
        leads = try await lead()
        leading.record(leads ? 1 : 0)
        if leads {
          standsBy = false
          progress.work(true)
          defer { progress.work(false) }
          try await renewing { () async throws(PollInterruption) in try await self.cycle() }
          let due = clock.now() + wait
          await keepingLease { await self.sweep(until: due) }
          wait = max(.zero, due - clock.now())
        } else {
          if !standsBy { logger.info("Another process polls; this one stands by") }
          standsBy = true
          wait = min(wait, .seconds(15))
        }
        ending.withLock { $0 = nil }
        pause = .seconds(1)
      } catch {
        if error == .stopped { break }
        ending.withLock { $0 = error }
        leads = leads && error != .overtaken
        if !leads { progress.stepDown() }
        if case .ledger = error { leading.record(0) }
        if error == .overtaken { leading.record(0) }
        failures.increment()
        logger.log(.warning, "The poll cycle ended early", [.failure: error])
        wait = pause
        pause = min(pause * 2, .seconds(15))
      }
      await rest(wait, leads: leads)
    }
    leading.record(0)
    progress.stepDown()
    await ledger.resign()
    await outbox.close()
  }

  /// One cycle as the elected poller, which steps down after it.
  /// - Returns: false when another process polls; nothing was read then.
  @discardableResult
  public func once() async throws(PollInterruption) -> Bool {
    let leads = try await lead()
    let result: Result<Void, PollInterruption>
    do throws(PollInterruption) {
      if leads { try await renewing { () async throws(PollInterruption) in try await self.cycle() } }
      result = .success(())
    } catch { result = .failure(error) }
    await ledger.resign()
    try result.get()
    return leads
  }

  /// One cycle over customers, orders, deleted orders, and those that somebody wants to be read anew.
  func cycle() async throws(PollInterruption) {
    let now = try await fromSource { () async throws(SourceFailure) in try await source.now() }
    let end = PollEnd(time: now.advanced(bySeconds: -Int64(plan.lagSeconds)), heard: clock.now())
    try await onlyTelling(.customers) { () async throws(PollInterruption) in try await readCustomers(until: end) }
    try await read(.orders, until: end) { .updated($0) }
    // After the orders themselves: what was read of an order before its deletion has the smaller number.
    try await onlyTelling(.removed) { () async throws(PollInterruption) in
      try await read(.removed, until: end) { .removed($0) }
    }
    try await readAnew(at: now)
    cycles.increment()
    let moment = clock.epochMilliseconds()
    finished.withLock { $0 = moment }
  }

  /// Reads customers or deleted orders, which must not hold up the orders.
  ///
  /// Not every OKKI lists deleted orders, a right may be taken away, and one customer may make a list unreadable. What OKKI
  /// answers then is only told; the watermark stays, and the next cycle asks again. An order whose customer is not there yet
  /// waits for it (`MasterDataWait`).
  private func onlyTelling(
    _ stream: PollStream, _ read: () async throws(PollInterruption) -> Void
  ) async throws(PollInterruption) {
    let begun = clock.now()
    if let due = restsUntil.withLock({ $0[stream] }), begun < due { return }
    do throws(PollInterruption) {
      try await read()
      besides.withLock { $0[stream] = nil }
    } catch {
      switch error {
      case .source, .drift: break
      case .ledger, .broker, .overtaken, .stopped: throw error
      }
      // A list that takes minutes to fail takes a fifth of the time at most.
      let now = clock.now()
      restsUntil.withLock { $0[stream] = now + (now - begun) * 4 }
      (stream == .removed ? removedFailures : customerFailures).increment()
      let isNew = besides.withLock { told in
        defer { told[stream] = error }
        return told[stream] != error
      }
      let text: Logger.Message =
        stream == .removed
        ? "Deleted orders cannot be read; orders can"
        : "Customers cannot be read; orders go on without what is new of them"
      logger.log(isNew ? .warning : .debug, text, [.failure: error])
    }
  }

  /// Reads a stream from its watermark to `end`, slice by slice.
  private func read(
    _ stream: PollStream, until end: PollEnd, _ query: (TimeWindow) -> OrderQuery
  ) async throws(PollInterruption) {
    let start = try await start(of: stream, until: end, since: plan.since)
    var watermark = start.watermark
    let gauge = stream == .removed ? removedWatermarkGauge : watermarkGauge
    if start.isBack, let passed = start.passed { gauge.record(passed.epochSeconds) }
    func tellLag(after read: BeijingTime) {
      if stream == .orders { windowLag.record(max(end.time.epochSeconds - read.epochSeconds, 0)) }
    }
    tellLag(after: start.passed ?? plan.since)
    guard
      var work = WindowPlan(
        watermark: start.passed, isBack: start.isBack, overlapSeconds: plan.overlapSeconds, since: plan.since,
        end: end.time, sliceSize: plan.sliceSize, pageSize: plan.pageSize, maxPasses: plan.maxPasses)
    else {
      logger.log(.warning, "Polling begins after OKKI's now; nothing is read", [.watermark: watermark ?? plan.since])
      return
    }
    while let slice = try await nextSlice(of: &work, start.isBack ? .again : .live, query) {
      guard slice.moves else { continue }
      // Moved back, it would not be known to lie ahead any more, and the rest would not be read again.
      if start.isBack, work.step != .finished { continue }
      let old = watermark
      let moved = try await fromLedger { () async throws(LedgerFailure) in
        try await ledger.advance(stream, from: old, to: slice.window.to)
      }
      guard moved else { throw .overtaken }
      FaultPoint.reached(.pollWatermarkMoved)
      if stream == .removed, slice.findings.read > 0 { FaultPoint.reached(.pollRemovalsPassed) }
      watermark = slice.window.to
      gauge.record(slice.window.to.epochSeconds)
      tellLag(after: slice.window.to)
    }
  }

  func fromSource<Answer: Sendable>(
    _ ask: () async throws(SourceFailure) -> Answer
  ) async throws(PollInterruption) -> Answer {
    defer { progress.mark() }
    do throws(SourceFailure) {
      let answer = try await ask()
      hasAnswered(.okki)
      return answer
    } catch { throw .source(error.bare) }
  }

  /// - Parameter isWork: whether the answer is one that the work waits for.
  func fromLedger<Answer: Sendable>(
    isWork: Bool = true, _ ask: () async throws(LedgerFailure) -> Answer
  ) async throws(PollInterruption) -> Answer {
    defer { if isWork { progress.mark() } }
    do throws(LedgerFailure) {
      let answer = try await ask()
      hasAnswered(.postgresql)
      return answer
    } catch { throw .ledger(error) }
  }

  /// A partner that ended the last cycle is away no longer, however long the next cycle takes. The ledger that answers is
  /// also set up.
  func hasAnswered(_ partner: Partner) {
    ending.withLock { ending in
      guard let away = ending?.absence?.partner else { return }
      if away == partner || away == .setup && partner == .postgresql { ending = nil }
    }
  }
}
