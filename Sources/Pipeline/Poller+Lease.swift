import ServiceLifecycle
import Synchronization

extension Poller {
  /// Becomes or stays the one that polls.
  func lead() async throws(PollInterruption) -> Bool {
    let asked = leaseClock.now()
    let leads = try await fromLedger(isWork: false) { () async throws(LedgerFailure) in try await ledger.lead() }
    progress.asked(leads: leads)
    // From the question on: the ledger's lease begins later.
    workEnd.withLock { $0 = leads ? asked + PollLease.work : asked }
    return leads
  }

  /// Whether the lease lasts by this process' own clock, which goes on while the process is frozen or cut off.
  var mayWork: Bool { workEnd.withLock { end in end.map { leaseClock.now() < $0 } ?? true } }

  private enum Ending: Sendable {
    case worked(Result<Void, PollInterruption>)
    case lost(PollInterruption)
    case cancelled
  }

  /// Works as the elected poller; beside it the lease is renewed, however long the work takes.
  ///
  /// The work is cancelled when another poller has been elected, or when the lease could not be renewed in time.
  func renewing(
    _ work: @escaping @Sendable () async throws(PollInterruption) -> Void
  ) async throws(PollInterruption) {
    let result = await withTaskGroup(of: Ending.self) { group -> Result<Void, PollInterruption> in
      group.addTask {
        do throws(PollInterruption) {
          try await work()
          return .worked(.success(()))
        } catch { return .worked(.failure(error)) }
      }
      group.addTask { await self.renewals() }
      group.addTask { await self.leaseEnd() }
      var lost: PollInterruption?
      var result: Result<Void, PollInterruption> = .failure(.stopped)
      for await ending in group {
        switch ending {
        case .worked(let end): result = end
        case .lost(let why): if lost == nil || why == .overtaken { lost = why }
        case .cancelled: continue
        }
        group.cancelAll()
      }
      if let lost, case .failure = result { return .failure(lost) }
      return result
    }
    try result.get()
  }

  /// Waits until the next cycle, and keeps the lease meanwhile.
  func rest(_ pause: Duration, leads: Bool) async {
    let wait = { @Sendable [clock] in await cancelWhenGracefulShutdown { await clock.sleep(pause) } }
    guard leads else { return await wait() }
    await keepingLease(wait)
  }

  /// Does what need not come to an end, and keeps the lease meanwhile. Whoever has lost it is told when it asks next.
  func keepingLease(_ work: @escaping @Sendable () async -> Void) async {
    do throws(PollInterruption) { try await renewing { () async throws(PollInterruption) in await work() } } catch {}
  }

  private func renewals() async -> Ending {
    var pause = PollLease.renewal
    while true {
      await leaseClock.sleep(pause)
      if Task.isCancelled { return .cancelled }
      do throws(PollInterruption) {
        if try await !lead() { return .lost(.overtaken) }
        pause = PollLease.renewal
      } catch { pause = PollLease.retry }
    }
  }

  /// Ends when the lease is over by this process' own clock, also while a renewal is under way that nobody answers.
  private func leaseEnd() async -> Ending {
    while !Task.isCancelled {
      guard let end = workEnd.withLock({ $0 }) else { return .cancelled }
      let left = leaseClock.now().duration(to: end)
      if left <= .zero {
        return .lost(.ledger(.unavailable("the poller's lease could not be renewed in time")))
      }
      await leaseClock.sleep(left)
    }
    return .cancelled
  }
}
