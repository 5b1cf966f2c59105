public import Logging
import CoreMetrics
import Orders
public import ServiceLifecycle
import Synchronization

/// How a worker takes messages.
public struct WorkerShape: Sendable {
  /// Most messages in one batch.
  public var batchSize: Int
  /// Most messages in one batch while batches end at once.
  public var quickBatchSize: Int
  /// Batches under way at a time, so that one slow answer does not idle the rest.
  public var concurrentBatches: Int

  /// A shape; all at least 1.
  /// - Parameter quickBatchSize: nil: as `batchSize`.
  public init(batchSize: Int, quickBatchSize: Int? = nil, concurrentBatches: Int) {
    self.batchSize = batchSize
    self.quickBatchSize = quickBatchSize ?? batchSize
    self.concurrentBatches = concurrentBatches
  }
}

/// Takes batches from an inbox, lets a stage decide, and settles: the only place that does.
///
/// Settling is: publish the successor, get the broker's confirm, then acknowledge. Nothing is ever requeued as an answer
/// to a failure, and a message is never acknowledged before its successor is safe.
public final class Worker: Service {
  let stage: any Stage
  let inbox: any Inbox
  let outbox: any Outbox
  private let policy: RetryPolicy
  private let shape: WorkerShape
  private let clock: PipelineClock
  let logger: Logger
  let metrics = PipelineMetrics()
  private let pause = OutagePause()
  private let breakers: (any PartnerBreakers)?
  /// This worker among those that may try a partner.
  private let holder = Int64.random(in: 1...Int64.max)
  /// Batches of which something waits to be published again.
  private let unpublished = Mutex(0)
  private let underWay = Mutex(UnderWay())
  private let pace: Mutex<BatchPace>

  private struct UnderWay {
    var taken = 0
    var serial = 0
    /// When each batch was taken.
    var batches: [Int: ContinuousClock.Instant] = [:]
  }

  /// A worker for one stage.
  /// - Parameter breakers: what the installation knows of K/3; nil: this worker finds out by itself.
  public init(
    stage: any Stage, inbox: any Inbox, outbox: any Outbox, policy: RetryPolicy, shape: WorkerShape,
    clock: PipelineClock, logger: Logger, breakers: (any PartnerBreakers)? = nil
  ) {
    self.stage = stage
    self.inbox = inbox
    self.outbox = outbox
    self.policy = policy
    self.shape = shape
    pace = Mutex(BatchPace(shape))
    self.clock = clock
    self.logger = logger
    self.breakers = breakers
  }

  /// Who is away by what the worker saw last: a partner that it holds back for, and the broker while it does not take
  /// what must be published. Nobody once the worker has waited and only lacks a message to try with.
  public var absences: Set<Absence> {
    var absences: Set<Absence> = []
    if let reason = pause.reason { absences.insert(reason.absence) }
    if unpublished.withLock({ $0 > 0 }) { absences.insert(Absence(.rabbitmq)) }
    return absences
  }

  /// What it is at, for whoever watches that it works.
  public var activity: WorkerActivity {
    let isHeldBack = !absences.isEmpty || inbox.isStopped || !inbox.isReady
    return underWay.withLock {
      WorkerActivity(isHeldBack: isHeldBack, taken: $0.taken, oldestBatch: $0.batches.values.min())
    }
  }

  /// Works until graceful shutdown: then takes no more, finishes what it holds and gives the rest back.
  public func run() async {
    let watching = breakers.map { breakers in Task { await watch(breakers) } }
    await withGracefulShutdownHandler {
      await consume()
    } onGracefulShutdown: { [inbox] in
      Task { await inbox.stop() }
    }
    watching?.cancel()
    await inbox.close()
    await outbox.close()
  }

  private func consume() async {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      // Taken in the moment in which another process found a partner away: kept until it is back.
      var kept: [Delivery] = []
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
          guard await mayProbe() else { continue }
          if let partner = pause.reason?.partner, await stage.answers(partner) == false {
            pause.probeFailed()
            continue
          }
          pause.lookForWork()
        }
        let batch = kept.isEmpty ? await inbox.next(max: isProbe ? shape.batchSize : pace.withLock { $0.size }) : kept
        kept = []
        if batch.isEmpty { break }
        if !isProbe, breakers != nil, pause.isOn {
          kept = batch
          continue
        }
        FaultPoint.reached(.taken, at: stage.name)
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
    guard let (wait, reason, isNew) = pause.next() else { return }
    logger.log(
      isNew ? .warning : .debug, "Pausing: a partner is away",
      [
        .stage: stage.name.rawValue, .seconds: wait.components.seconds, .reason: reason.code.rawValue,
        .sentence: reason.logged,
      ])
    await cancelWhenGracefulShutdown { [clock, breakers, pause] in
      // With others in steps of a second, so that their success is not waited out.
      var left = wait
      while left > .zero, pause.isOn, !Task.isCancelled {
        let step = breakers == nil ? left : min(left, .seconds(1))
        await clock.sleep(step)
        left -= step
      }
    }
  }

  // MARK: The installation's breakers. Whatever goes wrong with them, this worker goes by what it sees itself.

  /// Looks once a second what the other processes know.
  private func watch(_ breakers: any PartnerBreakers) async {
    while !Task.isCancelled {
      await clock.sleep(.seconds(1))
      if Task.isCancelled { return }
      do throws(LedgerFailure) { pause.hear(try await breakers.standing(of: .k3), of: .k3) } catch { continue }
    }
  }

  /// How long this worker alone tries, in seconds. One that dies over it keeps the others waiting for no longer; where K/3
  /// takes longer to answer, two try.
  private static let probeSeconds: Int64 = 8

  /// Whether this worker may try the partner that is away; only one of the installation does.
  private func mayProbe() async -> Bool {
    guard let breakers, pause.reason?.partner == .k3 else { return true }
    do throws(LedgerFailure) {
      switch try await breakers.probe(.k3, as: holder, seconds: Self.probeSeconds) {
      case .granted: return true
      case .taken: return false
      case .closed:
        pause.hear(nil, of: .k3)
        return true
      }
    } catch { return true }
  }

  private func tell(_ change: OutagePause.Change?) async {
    guard let breakers else { return }
    switch change {
    case .away(let reason) where reason.partner == .k3:
      do throws(LedgerFailure) {
        try await breakers.open(.k3, Reason(reason.code, reason.logged))
        pause.share()
      } catch { return }
    case .back(let reason) where reason.partner == .k3:
      // Else the others find out by themselves, one after the other.
      do throws(LedgerFailure) { try await breakers.close(.k3) } catch { return }
    case .away, .back, nil: return
    }
  }

  private func process(_ taken: [Delivery]) async {
    // What is suspect comes alone, but for the envelopes of a bundle.
    var batch = taken.filter { !$0.isOfSuspectBundle }
    if batch.count < taken.count { batch += await takeApart(taken.filter(\.isOfSuspectBundle)) }
    let hopeless = batch.filter { $0.returns > Delivery.deliveryLimit }
    if !hopeless.isEmpty {
      batch.removeAll { $0.returns > Delivery.deliveryLimit }
      await bury(hopeless)
    }
    if batch.isEmpty { return }
    if let alone = batch.first, alone.isSuspect, alone.receipt.piece == nil { tell(ofSuspect: alone) }
    let begun = clock.now()
    let serial = underWay.withLock { state in
      state.taken += batch.count
      state.serial += 1
      state.batches[state.serial] = begun
      return state.serial
    }
    var isFruitful = false
    defer {
      underWay.withLock { $0.batches[serial] = nil }
      pace.withLock { $0.note(batch.count, took: begun.duration(to: clock.now()), isFruitful: isFruitful) }
    }
    var envelopes: [Envelope] = []
    envelopes.reserveCapacity(batch.count)
    for delivery in batch {
      if case .success(let envelope) = delivery.envelope { envelopes.append(envelope) }
    }
    FaultPoint.handed(envelopes, to: stage.name)
    let outcomes = envelopes.isEmpty ? [] : await stage.handle(envelopes)
    if outcomes.count != envelopes.count {
      // A stage that breaks its contract must not have messages settled by guess: they are given back at the end.
      logger.log(.critical, "A stage gave the wrong number of outcomes", [.stage: stage.name.rawValue])
      return
    }
    isFruitful = outcomes.contains(where: \.isFruitful)
    FaultPoint.reached(.handled, at: stage.name)
    await tell(pause.note(outcomes))
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
        var parcel = Parcel(to: .dead(stage.name), .unreadable(delivery.body), burial: Outcome.Burial(reason))
        parcel.properties = delivery.properties
        parcels.append(parcel)
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
          var parcel = Parcel(
            to: .retry(stage.name, afterSeconds: seconds), .envelope(again), isSpread: outcome.mayComeEarly)
          parcel.returns = delivery.returns
          parcels.append(parcel)
        case .bury(let last, let burial):
          parcels.append(Parcel(to: .dead(stage.name), .envelope(last), burial: burial))
          logger.parked(burial.reason, of: envelope, at: stage.name, hasVendorWords: !burial.vendorAnswer.isEmpty)
        }
        receipts.append(delivery.receipt)
      }
    }
    if !finished.isEmpty {
      inbox.acknowledge(finished)
      metrics.countSettled(finished.count, at: stage.name)
      FaultPoint.reached(.acknowledged, at: stage.name)
    }
    if !parcels.isEmpty { await publish(parcels, thenAcknowledge: receipts, of: batch) }
  }

  /// What is parked for a parcel that the broker will never take: the delivery as it came, or where that is as large, what is
  /// known of it.
  private func burial(
    of parcel: Parcel, _ receipt: Delivery.Receipt, in batch: [Delivery], _ code: ReasonCode, _ why: String
  ) -> Parcel {
    guard case .queue = parcel.destination,
      case .success(let envelope)? = batch.first(where: { $0.receipt == receipt })?.envelope
    else { return parcel.buried(for: code, at: stage.name, why) }
    return Parcel(to: .dead(stage.name), .envelope(envelope), burial: Outcome.Burial(Reason(code, why)))
  }

  /// Publishes until every parcel is confirmed, acknowledging each round what has no parcel left. Ends early only when the
  /// task is cancelled; what is unacknowledged then is delivered again.
  func publish(
    _ parcels: [Parcel], thenAcknowledge receipts: [Delivery.Receipt], of batch: [Delivery]
  ) async {
    // Which receipt is whose parcel's is told by the place.
    var parcels = parcels
    var receipts = receipts
    var wait = Duration.milliseconds(250)
    var isHeldUp = false
    /// Deliveries that are parked since a successor of theirs is too large.
    var tooLarge: Set<Delivery.Receipt> = []
    defer { if isHeldUp { unpublished.withLock { $0 -= 1 } } }
    while true {
      let results = await outbox.publish(parcels)
      var unconfirmed: [Parcel] = []
      var unconfirmedReceipts: [Delivery.Receipt] = []
      var failure: String?
      for (place, result) in zip(parcels.indices, results) {
        switch result {
        case .confirmed:
          if let burial = parcels[place].burial {
            metrics.countDeadLetter(burial.reason.code, at: stage.name)
            FaultPoint.reached(.buried, at: stage.name)
          }
        case .tooLarge(let why) where !parcels[place].leavesOutBody,
          .headersTooLarge(let why) where !parcels[place].leavesOutHeaders:
          let code: ReasonCode = if case .tooLarge = result { .messageTooLarge } else { .headersTooLarge }
          let (refused, receipt) = (parcels[place], receipts[place])
          // One of several successors is enough to have the delivery parked once.
          if refused.burial == nil, !tooLarge.insert(receipt).inserted { continue }
          let parcel = burial(of: refused, receipt, in: batch, code, why)
          unconfirmed.append(parcel)
          unconfirmedReceipts.append(receipt)
          if refused.burial == nil, case .envelope(let envelope) = parcel.content, let reason = parcel.burial?.reason {
            logger.parked(reason, of: envelope, at: stage.name)
          }
        case .unknown(let why), .refused(let why), .tooLarge(let why), .headersTooLarge(let why):
          unconfirmed.append(parcels[place])
          unconfirmedReceipts.append(receipts[place])
          failure = why
        }
      }
      FaultPoint.reached(.published, at: stage.name)
      // The parcels of a receipt stand together. It may be given back once, and not before its last one is safe.
      let waiting = Set(unconfirmedReceipts)
      var done: [Delivery.Receipt] = []
      done.reserveCapacity(receipts.count)
      for receipt in receipts where receipt != done.last && !waiting.contains(receipt) { done.append(receipt) }
      if !done.isEmpty {
        inbox.acknowledge(done)
        metrics.countSettled(done.count, at: stage.name)
        FaultPoint.reached(.acknowledged, at: stage.name)
      }
      if unconfirmed.isEmpty || Task.isCancelled { return }
      parcels = unconfirmed
      receipts = unconfirmedReceipts
      guard let failure else { continue }
      if !isHeldUp { unpublished.withLock { $0 += 1 } }
      isHeldUp = true
      logger.log(.warning, "Publishing again", [.count: unconfirmed.count, .failure: failure])
      await clock.sleep(wait)
      wait = min(wait * 2, .seconds(15))
    }
  }
}
