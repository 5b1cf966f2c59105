import CoreMetrics
import Orders

extension Poller {
  /// Publishes; what is larger than the broker takes is parked without its body or its longest headers, so that it holds up
  /// nobody.
  func safe(_ parcels: inout [Parcel]) async -> [PublishResult] {
    var results = await outbox.publish(parcels)
    progress.mark()
    var places: [Int] = []
    for (place, result) in results.enumerated() {
      switch result {
      case .tooLarge(let why): parcels[place] = parcels[place].buried(for: .messageTooLarge, at: .transform, why)
      case .headersTooLarge(let why): parcels[place] = parcels[place].buried(for: .headersTooLarge, at: .transform, why)
      case .confirmed, .unknown, .refused: continue
      }
      places.append(place)
    }
    if places.isEmpty { return results }
    let again = await outbox.publish(places.map { parcels[$0] })
    progress.mark()
    for (place, result) in zip(places, again) { results[place] = result }
    return results
  }

  /// Numbers, publishes with confirms, then records. A crash in between publishes again and skips nothing.
  @discardableResult
  func publish(_ fetched: [Fetched]) async throws(PollInterruption) -> [Finding] {
    if fetched.isEmpty { return [] }
    let answers = try await fromLedger { () async throws(LedgerFailure) in
      try await ledger.number(fetched.map(\.revision))
    }
    if answers.contains(.overtaken) { throw .overtaken }
    FaultPoint.reached(.pollNumbered)
    // Frozen since: it would be known as overtaken only when it records.
    guard mayWork else { throw .overtaken }
    var parcels: [Parcel] = []
    var revisions: [PublishedRevision] = []
    var findings: [Finding?] = []
    for (item, answer) in zip(fetched, answers) {
      guard case .publish(let number) = answer else { continue }
      var envelope = item.envelope
      envelope.revision = number
      if let broken = item.broken {
        envelope.lastReason = broken.reason
        parcels.append(Parcel(to: .dead(.transform), .envelope(envelope), burial: broken))
      } else {
        let queue: QueueName = envelope.content == .removal ? .bills : .orders
        parcels.append(Parcel(to: .queue(queue), .envelope(envelope)))
      }
      revisions.append(
        PublishedRevision(orderID: envelope.orderID, number: number, mayStillChange: item.mayStillChange))
      findings.append(item.finding)
    }
    if parcels.isEmpty { return [] }
    var confirmed: [PublishedRevision] = []
    var parked: [(envelope: Envelope, reason: Reason)] = []
    var failure: String?
    let results = await safe(&parcels)
    for ((revision, parcel), result) in zip(zip(revisions, parcels), results) {
      switch result {
      case .confirmed:
        confirmed.append(revision)
        if let reason = parcel.burial?.reason, case .envelope(let envelope) = parcel.content {
          parked.append((envelope, reason))
        }
      case .unknown(let why), .refused(let why), .tooLarge(let why), .headersTooLarge(let why): failure = why
      }
    }
    FaultPoint.reached(.pollPublished)
    if parcels.contains(where: \.isRemoval) { FaultPoint.reached(.pollRemovalsPublished) }
    for (envelope, reason) in parked {
      metrics.countDeadLetter(reason.code, at: .transform)
      logger.parked(reason, of: envelope, at: .transform)
    }
    let done = confirmed
    if !done.isEmpty {
      let isRecorded = try await fromLedger { () async throws(LedgerFailure) in try await ledger.record(done) }
      guard isRecorded else { throw .overtaken }
      FaultPoint.reached(.pollRecorded)
      let removed = zip(parcels, results).count { $0.isRemoval && $1 == .confirmed }
      removals.increment(by: removed)
      polled.increment(by: done.count - removed)
      if removed > 0 { FaultPoint.reached(.pollRemovalsRecorded) }
    }
    if let failure { throw .broker(failure) }
    hasAnswered(.rabbitmq)
    return findings.compactMap { $0 }
  }
}
