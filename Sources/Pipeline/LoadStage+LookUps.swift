/// What the loader makes of look-ups that tell it nothing.
extension LoadStage {
  /// The bill stays in doubt. K/3 that is away is waited for; K/3 that does not let us in stops everybody; and what it answers
  /// unusably counts as an attempt, for it would answer so again and again. What it does not answer in time while it answers
  /// others, such as the details of 800 lines, it may by night: it counts once the order is a day old.
  func unanswered(_ answer: LookUpAnswer, _ reason: Reason, _ envelope: Envelope) -> Outcome {
    switch answer {
    case .unusable: return .retry(reason)
    case .late where clock.epochMilliseconds() - envelope.firstSeen >= Self.patience: return .retry(reason)
    // No outage: the others' look-ups go on.
    case .late: return .later(Reason(.lookUpPending, reason.sentence), afterSeconds: times.visibleSeconds)
    default: break
    }
    return reason.code == .k3Unauthorized ? .outage(reason) : .later(reason, afterSeconds: times.visibleSeconds)
  }

  /// How long an order's age excuses late look-ups, in milliseconds.
  static let patience: Int64 = 86_400_000

  /// Saves, and asks for K/3's ids that its answers do not have, where bills may have to be deleted: by the number alone nobody can
  /// tell later whose bill it is. What cannot be learnt now stays unknown, and such a bill is never deleted.
  func save(_ bills: [KeyedBill]) async -> [SaveAnswer] {
    var answers = await destination.save(bills)
    guard removed == .cancel else { return answers }
    let untold = answers.indices.filter { index in
      if case .written(let bill) = answers[index] {
        bill.internalID == nil && (bill.number == bills[index].key || !bills[index].isKeyNumber)
      } else {
        false
      }
    }
    guard !untold.isEmpty else { return answers }
    for (index, found) in zip(untold, await destination.lookUp(untold.map { bills[$0] })) {
      if case .same(let bill) = found, bill.internalID != nil { answers[index] = .written(bill) }
    }
    return answers
  }
}
