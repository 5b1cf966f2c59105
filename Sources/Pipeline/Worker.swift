public import Logging
import CoreMetrics
import Orders
public import ServiceLifecycle
import Synchronization

/// How a worker takes messages.
public struct WorkerShape: Sendable {
  /// Most messages in one batch.
  public var batchSize: Int
  /// Batches under way at a time, so that one slow answer does not idle the rest.
  public var concurrentBatches: Int

  /// A shape; both at least 1.
  public init(batchSize: Int, concurrentBatches: Int) {
    self.batchSize = batchSize
    self.concurrentBatches = concurrentBatches
  }
}

/// Takes batches from an inbox, lets a stage decide, and settles: the only place that does.
///
/// Settling is: publish the successor, get the broker's confirm, then acknowledge. Nothing is ever requeued as an answer
/// to a failure, and a message is never acknowledged before its successor is safe.
public final class Worker: Service {
  private let stage: any Stage
  private let inbox: any Inbox
  private let outbox: any Outbox
  private let policy: RetryPolicy
  private let shape: WorkerShape
  private let clock: PipelineClock
  private let logger: Logger
  private let metrics = PipelineMetrics()
  private let pause = OutagePause()
  /// Batches of which something waits to be published again.
  private let unpublished = Mutex(0)

  /// A worker for one stage.
  public init(
    stage: any Stage, inbox: any Inbox, outbox: any Outbox, policy: RetryPolicy, shape: WorkerShape,
    clock: PipelineClock, logger: Logger
  ) {
    self.stage = stage
    self.inbox = inbox
    self.outbox = outbox
    self.policy = policy
    self.shape = shape
    self.clock = clock
    self.logger = logger
  }

  /// Who is away by what the worker saw last: a partner that it holds back for, and the broker while it does not take
  /// what must be published. Nobody once the worker has waited and only lacks a message to try with.
  public var absences: Set<Absence> {
    var absences: Set<Absence> = []
    if let reason = pause.reason { absences.insert(reason.absence) }
    if unpublished.withLock({ $0 > 0 }) { absences.insert(Absence(.rabbitmq)) }
    return absences
  }

  /// Works until graceful shutdown: then takes no more, finishes what it holds and gives the rest back.
  public func run() async {
    await withGracefulShutdownHandler {
      await consume()
    } onGracefulShutdown: { [inbox] in
      Task { await inbox.stop() }
    }
    await inbox.close()
    await outbox.close()
  }

  private func consume() async {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      while true {
        if running == shape.concurrentBatches || running > 0 && pause.isOn {
          await group.next()
          running -= 1
          continue
        }
        // Nothing runs any more: after the wait the partner is asked itself where it can be, and then one batch goes alone,
        // and its answer decides. One that says nothing of the partner is followed by the next at once.
        let isProbe = pause.isOn
        if isProbe, !pause.looksForWork {
          await waitOutOutage()
          if Task.isCancelled || Task.isShuttingDownGracefully || inbox.isStopped { break }
          if let partner = pause.reason?.partner, await stage.answers(partner) == false { continue }
          pause.lookForWork()
        }
        let batch = await inbox.next(max: shape.batchSize)
        if batch.isEmpty { break }
        if isProbe {
          await process(batch)
          continue
        }
        group.addTask { await self.process(batch) }
        running += 1
      }
    }
  }

  private func waitOutOutage() async {
    guard let (wait, reason) = pause.next() else { return }
    logger.log(
      .warning, "Pausing: a partner is away",
      [
        .stage: stage.name.rawValue, .seconds: wait.components.seconds, .reason: reason.code.rawValue,
        .sentence: reason.sentence,
      ])
    await cancelWhenGracefulShutdown { [clock] in await clock.sleep(wait) }
  }

  private func process(_ batch: [Delivery]) async {
    var envelopes: [Envelope] = []
    envelopes.reserveCapacity(batch.count)
    for delivery in batch {
      if case .success(let envelope) = delivery.envelope { envelopes.append(envelope) }
    }
    let outcomes = envelopes.isEmpty ? [] : await stage.handle(envelopes)
    if outcomes.count != envelopes.count {
      // A stage that breaks its contract must not have messages settled by guess: they are given back at the end.
      logger.log(.critical, "A stage gave the wrong number of outcomes", [.stage: stage.name.rawValue])
      return
    }
    pause.note(outcomes)
    await settle(batch, outcomes)
  }

  /// The one switch that turns outcomes into publishes and acknowledgements.
  private func settle(_ batch: [Delivery], _ outcomes: [Outcome]) async {
    var finished: [Delivery.Receipt] = []
    var receipts: [Delivery.Receipt] = []
    var parcels: [Parcel] = []
    var outcomeIndex = 0
    for delivery in batch {
      switch delivery.envelope {
      case .failure(let reason):
        receipts.append(delivery.receipt)
        parcels.append(
          Parcel(to: .dead(stage.name), .unreadable(delivery.body), burial: Outcome.Burial(reason)))
        metrics.count(.dead(Outcome.Burial(reason)), at: stage.name)
        logger.parked(reason, of: nil, at: stage.name)
      case .success(let envelope):
        let outcome = outcomes[outcomeIndex]
        outcomeIndex += 1
        metrics.count(outcome, at: stage.name)
        switch policy.resolve(outcome, of: envelope) {
        case .finish:
          finished.append(delivery.receipt)
          continue
        case .forward(let next):
          for envelope in next {
            receipts.append(delivery.receipt)
            parcels.append(Parcel(to: .queue(.bills), .envelope(envelope)))
          }
          continue
        case .delay(let again, let seconds):
          parcels.append(Parcel(to: .retry(stage.name, afterSeconds: seconds), .envelope(again)))
        case .bury(let last, let burial):
          parcels.append(Parcel(to: .dead(stage.name), .envelope(last), burial: burial))
          logger.parked(burial.reason, of: envelope, at: stage.name, hasVendorWords: !burial.vendorAnswer.isEmpty)
        }
        receipts.append(delivery.receipt)
      }
    }
    if !finished.isEmpty { inbox.acknowledge(finished) }
    if !parcels.isEmpty { await publish(parcels, thenAcknowledge: receipts) }
  }

  /// Publishes until every parcel is confirmed, acknowledging each round what has no parcel left. Ends early only when the
  /// task is cancelled; what is unacknowledged then is delivered again.
  private func publish(_ parcels: [Parcel], thenAcknowledge receipts: [Delivery.Receipt]) async {
    var left = Array(zip(parcels, receipts))
    var wait = Duration.milliseconds(250)
    var isHeldUp = false
    defer { if isHeldUp { unpublished.withLock { $0 -= 1 } } }
    while true {
      let results = await outbox.publish(left.map(\.0))
      var confirmed: [Delivery.Receipt] = []
      var waiting: Set<Delivery.Receipt> = []
      var unconfirmed: [(Parcel, Delivery.Receipt)] = []
      var failure = ""
      for (entry, result) in zip(left, results) {
        switch result {
        case .confirmed:
          confirmed.append(entry.1)
          if let burial = entry.0.burial { metrics.countDeadLetter(burial.reason.code, at: stage.name) }
        case .unknown(let why), .refused(let why):
          unconfirmed.append(entry)
          waiting.insert(entry.1)
          failure = why
        }
      }
      // The parcels of a receipt stand together. It may be given back once, and not before its last one is safe.
      var done: [Delivery.Receipt] = []
      for receipt in confirmed where receipt != done.last && !waiting.contains(receipt) { done.append(receipt) }
      if !done.isEmpty { inbox.acknowledge(done) }
      if unconfirmed.isEmpty || Task.isCancelled { return }
      if !isHeldUp { unpublished.withLock { $0 += 1 } }
      isHeldUp = true
      logger.log(.warning, "Publishing again", [.count: unconfirmed.count, .failure: failure])
      await clock.sleep(wait)
      wait = min(wait * 2, .seconds(15))
      left = unconfirmed
    }
  }
}

/// Holds a worker back while a partner is away: 1 s, doubling with each failed probe to 30 s.
final class OutagePause: Sendable {
  private struct State {
    var reason: Reason?
    var wait = Duration.seconds(1)
    /// The wait is over, and no message yet has told of the partner.
    var looksForWork = false
  }

  private let state = Mutex(State())

  /// Why nothing goes on; nil when all is well, or nobody knows: the wait is over and there was nothing to try with.
  var reason: Reason? { state.withLock { $0.looksForWork ? nil : $0.reason } }

  /// Whether the wait is over and no batch since has told of the partner.
  var looksForWork: Bool { state.withLock { $0.looksForWork } }

  /// The wait is over: the next batch decides.
  func lookForWork() { state.withLock { $0.looksForWork = $0.reason != nil } }

  /// Whether a partner is away.
  var isOn: Bool { state.withLock { $0.reason != nil } }

  /// How long to wait before the next probe, and why; nil when all is well. The wait after it will be longer.
  func next() -> (wait: Duration, reason: Reason)? {
    state.withLock { state in
      guard let reason = state.reason else { return nil }
      defer { state.wait = min(state.wait * 2, .seconds(30)) }
      return (state.wait, reason)
    }
  }

  /// A batch in which something is an outage, or in which nothing got a clear answer from K/3, starts or keeps the pause;
  /// one that got an answer ends it; one that says nothing of the partners changes nothing.
  func note(_ outcomes: [Outcome]) {
    var outage: Reason?
    var doubt: Reason?
    var isAnswered = false
    var isLedgerBack = false
    for outcome in outcomes {
      switch outcome {
      case .outage(let reason): outage = reason
      case .later(let reason, _) where reason.code == .inDoubt || reason.code == .k3Unavailable: doubt = reason
      // The ledger alone has answered.
      case .later, .done(.duplicate), .done(.stale), .done(.ignored), .done(.removed): isLedgerBack = true
      // Parked before anybody was asked.
      case .dead(let burial) where burial.reason.code == .undecodable: break
      case .forward, .done, .retry, .dead: isAnswered = true
      }
    }
    let reason = outage ?? (isAnswered ? nil : doubt)
    state.withLock { state in
      if let reason {
        state.reason = reason
        state.looksForWork = false
      } else if isAnswered || isLedgerBack && state.reason?.partner != .k3 {
        state = State()
      }
    }
  }
}
