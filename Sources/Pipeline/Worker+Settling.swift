import Logging
import Orders
import Synchronization

/// How a batch ends: publish the successor, get the confirm, acknowledge.
extension Worker {
  /// The one switch that turns outcomes into publishes and acknowledgements.
  func settle(_ batch: [Delivery], _ outcomes: [Outcome]) async {
    var finished: [Delivery.Receipt] = []
    var receipts: [Delivery.Receipt] = []
    var parcels: [Parcel] = []
    var outcomeIndex = 0
    let now = clock.epochMilliseconds()
    metrics.count(outcomes, at: stage.name)
    for delivery in batch {
      switch delivery.envelope {
      case .failure(let reason):
        receipts.append(delivery.receipt)
        var parcel = Parcel(to: .dead(stage.name), .unreadable(delivery.body), burial: Outcome.Burial(reason))
        parcel.properties = delivery.properties
        parcels.append(parcel)
        metrics.count([.dead(Outcome.Burial(reason))], at: stage.name)
        logger.parked(reason, of: nil, at: stage.name)
      case .success(let envelope):
        let outcome = outcomes[outcomeIndex]
        outcomeIndex += 1
        if outcome.isWritten { metrics.delivered(envelope.firstSeen, now: now) }
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
          retries.count(afterSeconds: seconds)
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
      acknowledge(finished)
      FaultPoint.reached(.acknowledged, at: stage.name)
    }
    if !parcels.isEmpty { await publish(parcels, thenAcknowledge: receipts, of: batch) }
  }

  /// Settles messages whose successors are safe.
  func acknowledge(_ receipts: [Delivery.Receipt]) {
    inbox.acknowledge(receipts)
    metrics.countSettled(receipts.count, at: stage.name)
    let now = clock.epochMilliseconds()
    underWay.withLock { $0.progress = now }
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
    defer {
      if isHeldUp {
        unpublished.withLock { $0 -= 1 }
        let now = clock.now()
        underWay.withLock { $0.business.begin(at: now) }
      }
    }
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
        acknowledge(done)
        FaultPoint.reached(.acknowledged, at: stage.name)
      }
      if unconfirmed.isEmpty || Task.isCancelled { return }
      parcels = unconfirmed
      receipts = unconfirmedReceipts
      guard let failure else { continue }
      if !isHeldUp {
        unpublished.withLock { $0 += 1 }
        let now = clock.now()
        underWay.withLock { $0.business.end(at: now) }
      }
      isHeldUp = true
      logger.log(.warning, "Publishing again", [.count: unconfirmed.count, .failure: failure])
      await clock.sleep(wait)
      wait = min(wait * 2, .seconds(15))
    }
  }
}
