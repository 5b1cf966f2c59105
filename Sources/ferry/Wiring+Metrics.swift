import Ledger
import Pipeline
import Queue
import Synchronization
import Telemetry

/// What is asked for when metrics are read.
extension Wiring {
  /// What a worker tells.
  func observe(_ worker: Worker, _ stage: StageName, _ inbox: RabbitInbox, _ outbox: RabbitOutbox) {
    let labels = [("stage", stage.rawValue)]
    observe(role: stage.rawValue, outbox) { worker.lastProgress }
    registry.observe("ferry_in_flight", labels: labels) { Double(worker.inFlight) }
    registry.observe("ferry_lent_messages", labels: labels) { Double(inbox.lentMessages) }
    registry.observe("ferry_busy_seconds_total", labels: labels, as: .counter) { worker.busy / .seconds(1) }
  }

  /// What a poller tells, whether it leads or not.
  func observe(_ poller: Poller, _ outbox: RabbitOutbox) {
    observe(role: Role.poll.rawValue, outbox) { poller.lastProgress }
    let interval = Double(settings.whole(.pollInterval))
    registry.observe("ferry_poll_interval_seconds") { interval }
  }

  /// - Parameter progress: in milliseconds since 1970 UTC.
  private func observe(role: String, _ outbox: RabbitOutbox, progress: @escaping @Sendable () -> Int64) {
    ProcessMetrics.observe(in: registry)
    registry.observe("ferry_info", labels: [("version", Ferry.version), ("role", role)]) { 1 }
    registry.observe("ferry_last_progress_epoch_seconds", labels: [("stage", role)]) { Double(progress()) / 1_000 }
    registry.observe("ferry_broker_blocked", labels: [("stage", role)]) { outbox.standing == .blocked ? 1 : 0 }
    let all = { @Sendable [self] in databases.withLock { $0 } }
    registry.observe("ferry_reconnects_total", labels: [("partner", Partner.postgresql.rawValue)], as: .counter) {
      Double(all().reduce(0) { $0 + $1.reconnects })
    }
  }

  /// Adds the series of a partner's certificate, absent before it has shown one.
  /// - Returns: takes when it ends, in seconds since 1970 UTC.
  func certificateWatch(_ partner: Partner) -> @Sendable (Int64) -> Void {
    registry.observe("ferry_certificate_expiry_epoch_seconds", labels: [("partner", partner.rawValue)]) { [self] in
      certificateEnds.withLock { $0[partner] }.map { Double($0) }
    }
    return { [self] end in certificateEnds.withLock { $0[partner] = end } }
  }

  /// Asks how long the oldest doubt has lasted, and adds the series.
  func doubtLook(_ ledger: PostgresLedger) -> LastLook<Int64> {
    let look = LastLook(clock: clock) {
      do throws(LedgerFailure) { return try await ledger.oldestDoubtSeconds() } catch { return nil }
    }
    registry.observe("ferry_oldest_doubt_seconds") { look.value.map { Double($0) } }
    return look
  }

  /// Asks what waits in ledger and queues while the poller leads, and adds the series.
  func backlogWatch(of poller: Poller, _ database: LedgerDatabase) throws -> BacklogWatch {
    let lengths = RabbitQueueLengths(try rabbit(), topology: try topology())
    onClose { await lengths.close() }
    let (letters, ledger) = (PostgresDeadLetters(database), PostgresLedger(database))
    let watch = BacklogWatch(
      clock: clock, leads: { poller.isLeading },
      letters: { () async throws(LedgerFailure) in try await letters.waiting() },
      doubts: { () async throws(LedgerFailure) in try await ledger.openDoubts() },
      lengths: { await lengths.ready() }, rest: { await lengths.rest() })
    watch.observe(in: registry, queues: lengths.names)
    return watch
  }
}
