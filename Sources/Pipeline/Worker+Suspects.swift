import Logging
import Orders

/// What may end, or has ended, the workers that hold it (`Delivery.returns`).
extension Worker {
  /// Publishes the envelopes of a bundle that may end its workers to the same queue, each by itself: only the one that does
  /// comes to the broker's limit then.
  /// - Returns: those that could not be published, such as into a queue that is full. They are worked as they are: to wait
  ///   until there is room would be to wait for ourselves.
  func takeApart(_ pieces: [Delivery]) async -> [Delivery] {
    var parcels: [Parcel] = []
    for piece in pieces {
      guard case .success(let envelope) = piece.envelope else { continue }
      var parcel = Parcel(to: .queue(stage.name.queue), .envelope(envelope))
      parcel.returns = piece.returns
      parcels.append(parcel)
    }
    logger.log(
      .warning, "Taken apart: workers have died or lost their connections while they held these orders together",
      [.stage: stage.name.rawValue, .count: pieces.count, .returns: pieces.first?.returns ?? 0])
    var rest: [Delivery] = []
    var done: [Delivery.Receipt] = []
    for (piece, result) in zip(pieces, await outbox.publish(parcels)) {
      if result == .confirmed { done.append(piece.receipt) } else { rest.append(piece) }
    }
    if !done.isEmpty { acknowledge(done) }
    return rest
  }

  /// Parks what has ended its workers too often, before it ends this one.
  func bury(_ hopeless: [Delivery]) async {
    let reason = Reason(
      .deliveryLimit,
      "workers have died or lost their connections more than \(Delivery.deliveryLimit) times while they held it")
    var parcels: [Parcel] = []
    for delivery in hopeless {
      switch delivery.envelope {
      case .success(var envelope):
        envelope.lastReason = reason
        parcels.append(Parcel(to: .dead(stage.name), .envelope(envelope), burial: Outcome.Burial(reason)))
        logger.parked(reason, of: envelope, at: stage.name)
      case .failure:
        var parcel = Parcel(to: .dead(stage.name), .unreadable(delivery.body), burial: Outcome.Burial(reason))
        parcel.properties = delivery.properties
        parcels.append(parcel)
        logger.parked(reason, of: nil, at: stage.name)
      }
      metrics.count([.dead(Outcome.Burial(reason))], at: stage.name)
    }
    await publish(parcels, thenAcknowledge: hopeless.map(\.receipt), of: hopeless)
  }

  func tell(ofSuspect delivery: Delivery) {
    let envelope = try? delivery.envelope.get()
    logger.log(
      .warning, "Worked alone: workers have died or lost their connections while they held it",
      [
        .stage: stage.name.rawValue, .order: envelope?.orderID.description ?? "unknown",
        .revision: envelope?.revision ?? 0, .returns: delivery.returns,
      ])
  }
}
