import CoreMetrics
import Logging
import Orders
import ServiceLifecycle
import Synchronization

/// What a poller remembers of sweeps from slice to slice.
struct SweepMemory: Sendable {
  /// The rest of a sweep's window, cut already: without it each slice would be looked for anew.
  var plans: [Int64: (next: BeijingTime, work: WindowPlan)] = [:]
  /// The sweep that had its turn last.
  var last: Int64 = 0
  /// No slice before: sweeps have used their half of the rate.
  var rest: ContinuousClock.Instant?
  /// Why a sweep was interrupted last, so that the same is told once.
  var trouble: PollInterruption?
}

extension Poller {
  /// Sweeps in what is left of the interval between two live cycles: after each slice a pause as long as the slice took,
  /// so that sweeps use half of the rate at most. A slice that is begun before `due` is ended after it.
  ///
  /// Whatever fails here must not hold up the live streams: it is told, and tried again after the next cycle.
  func sweep(until due: ContinuousClock.Instant) async {
    if sweeps == nil { return }
    while !Task.isCancelled, !Task.isShuttingDownGracefully {
      if let rest = sweeping.withLock({ $0.rest }), rest > clock.now() {
        if rest >= due { return }
        let pause = rest - clock.now()
        progress.work(false)
        await cancelWhenGracefulShutdown { [clock] in await clock.sleep(pause) }
        progress.work(true)
        continue
      }
      let start = clock.now()
      let goesOn: Bool
      do throws(PollInterruption) {
        goesOn = try await sweep()
        sweeping.withLock { $0.trouble = nil }
      } catch {
        goesOn = false
        tell(error)
      }
      let end = clock.now()
      sweeping.withLock { $0.rest = end + (end - start) }
      if !goesOn { return }
    }
  }

  private func tell(_ trouble: PollInterruption) {
    if trouble == .stopped { return }
    sweepFailures.increment()
    let isNew = sweeping.withLock { memory in
      defer { memory.trouble = trouble }
      return memory.trouble != trouble
    }
    logger.log(
      isNew ? .warning : .debug, "A sweep was interrupted; it goes on after the next cycle", [.failure: trouble])
  }

  /// Begins a reconciliation where one is due, and reads one slice of one sweep: they take turns.
  /// - Returns: false when there is nothing to sweep now, or this process does not poll.
  public func sweep() async throws(PollInterruption) -> Bool {
    guard let sweeps else { return false }
    let leads = try await fromLedger { () async throws(LedgerFailure) in try await ledger.lead() }
    guard leads else { return false }
    if plan.reconcileSeconds == 0 {
      let some = try await fromLedger { () async throws(LedgerFailure) in try await sweeps.runningSweeps() }
      if some.isEmpty { return false }
    }
    let now = try await fromSource { () async throws(SourceFailure) in try await source.now() }
    let end = now.advanced(bySeconds: -Int64(plan.lagSeconds))
    if plan.reconcileSeconds > 0 {
      // Orders that are older than `since` are carried when they are changed after it, or filled in.
      let start = end.advanced(bySeconds: -Int64(plan.reconcileDays) * 86_400)
      if let window = TimeWindow(from: start, to: end) {
        try await fromLedger { () async throws(LedgerFailure) in
          try await sweeps.startReconcile(window, everySeconds: plan.reconcileSeconds)
        }
      }
    }
    let running = try await fromLedger { () async throws(LedgerFailure) in try await sweeps.runningSweeps() }
    // One whose window ends in the future waits for it.
    let ready = running.filter { $0.next <= end }
    let last = sweeping.withLock { memory in
      memory.plans = memory.plans.filter { known in running.contains { $0.id == known.key } }
      return memory.last
    }
    guard let sweep = ready.first(where: { $0.id > last }) ?? ready.first else { return false }
    sweeping.withLock { $0.last = sweep.id }
    try await work(on: sweep, in: sweeps, until: end)
    return true
  }

  /// Reads the next slice of a sweep, and moves it on.
  private func work(
    on sweep: Sweep, in sweeps: any SweepLedger, until end: BeijingTime
  ) async throws(PollInterruption) {
    guard let window = TimeWindow(from: sweep.next, to: min(sweep.window.to, end)) else { return }
    let known = sweeping.withLock { $0.plans.removeValue(forKey: sweep.id) }
    // No more than a page at a time: the next live cycle does not wait long.
    var work =
      known.flatMap { $0.next == sweep.next ? $0.work : nil }
      ?? WindowPlan(window, sliceSize: plan.pageSize, pageSize: plan.pageSize, maxPasses: plan.maxPasses)
    let reading: Reading =
      switch sweep.kind {
      case .backfill: .filling
      case .reconcile:
        .comparing(
          passed: try await fromLedger { () async throws(LedgerFailure) in try await ledger.watermark(of: .orders) })
      }
    let before = work
    let found: ReadSlice?
    do throws(PollInterruption) { found = try await nextSlice(of: &work, reading, sweep.query) } catch {
      // The slice is read again from its beginning.
      sweeping.withLock { $0.plans[sweep.id] = (sweep.next, before) }
      throw error
    }
    guard let slice = found else { return }
    if sweep.kind == .reconcile {
      foundMissed.increment(by: slice.findings.missed)
      foundChanged.increment(by: slice.findings.changed)
    }
    FaultPoint.reached(.pollSweepPublished)
    let isMoved = try await fromLedger { () async throws(LedgerFailure) in
      try await sweeps.advance(sweep, past: slice.window.to, slice.findings)
    }
    // Cancelled meanwhile, or another one's to go on with.
    guard isMoved else { return }
    FaultPoint.reached(.pollSweepMoved)
    let next = slice.window.to.advanced(bySeconds: 1)
    if work.step != .finished { sweeping.withLock { [work] in $0.plans[sweep.id] = (next, work) } }
    if slice.window.to >= sweep.window.to { tellEnd(of: sweep, sweep.findings + slice.findings) }
  }

  private func tellEnd(of sweep: Sweep, _ findings: SweepFindings) {
    let text: Logger.Message = sweep.kind == .reconcile ? "A reconciliation is done" : "A backfill is done"
    logger.log(
      findings.failed == 0 ? .info : .warning, text,
      [
        .sweep: sweep.id, .windowFrom: sweep.window.from, .windowTo: sweep.window.to, .count: findings.read,
        .missed: findings.missed, .changed: findings.changed, .failed: findings.failed,
      ])
  }
}
