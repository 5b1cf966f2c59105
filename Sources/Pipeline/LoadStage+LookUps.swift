import Orders

/// How the loader asks for bills in doubt, and what it makes of look-ups that tell it nothing.
extension LoadStage {
  /// After an unclear Save so many look-ups, spaced by the time after which K/3 must show a bill, find nothing before it
  /// is repeated: a Save may be done after its client has given up, and be shown later still. An unclear Update is repeated
  /// after as many, whatever they show of the bill, so that no older Update comes after a newer one.
  static let absencesBeforeRepeat = 2

  /// What K/3 says of a bill in doubt.
  struct Found {
    var answer: LookUpAnswer
    /// One of `Claim.otherObjects`, which has a bill under the key.
    var otherObject: String?
  }

  /// Asks for each bill in all objects that it may be in, all at once. It is absent where it is in none of them; what any of them
  /// does not tell nobody knows.
  func lookUp(_ bills: [(bill: KeyedBill, claim: Claim)]) async -> [Found] {
    let others = bills.enumerated().flatMap { index, asked in
      asked.claim.standing == nil ? asked.claim.otherObjects.map { (index, asked.bill.asked(of: $0)) } : []
    }
    let answers = await destination.lookUp(bills.map(\.bill) + others.map(\.1))
    var found = answers.prefix(bills.count).map { Found(answer: $0) }
    for ((index, bill), answer) in zip(others, answers.dropFirst(bills.count)) {
      switch answer {
      case .same, .different, .ambiguous: found[index].otherObject = bill.object
      case .unavailable, .late, .unusable:
        if case .absent = found[index].answer { found[index].answer = answer }
      case .absent: break
      }
    }
    return found
  }

  /// Why a bill is parked that is found in an object that its row does not have, where an older program may have sent it: it is
  /// not to be changed as the row's, nor forgotten whatever the policy, since nobody would delete it with the order.
  func stray(_ bill: BillID, _ claim: Claim, _ object: String) -> Reason {
    Reason(
      .changedAfterWritten,
      "\(bill) is in doubt in K/3's object \(claim.object), and the object \(object) has a bill under its number")
  }

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
