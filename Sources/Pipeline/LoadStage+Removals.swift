import Orders

/// What the loader does about orders that are removed in OKKI.
extension LoadStage {
  /// What became of one bill: the outcome of its order's message as far as this bill goes, and what the ledger is told.
  private struct Ended {
    let message: Int
    let bill: StandingBill
    let outcome: Outcome
    let settlement: Settlement.Result
    var vendorAnswer: String?
  }

  /// Records removals, deletes what stands where that is wanted, and settles.
  func remove(_ removals: [(index: Int, envelope: Envelope)], _ outcomes: inout [Outcome]) async {
    let notAfter = lastStart
    let answers: [RemovalAnswer]
    do throws(LedgerFailure) {
      let requests = removals.map { removal in
        RemovalRequest(removal.envelope.orderID, revision: removal.envelope.revision, cancels: removed == .cancel)
      }
      answers = try await ledger.remove(requests, leaseSeconds: times.leaseSeconds)
    } catch {
      for removal in removals { outcomes[removal.index] = .outage(Reason(error)) }
      return
    }
    var claimed: [(message: Int, bill: StandingBill)] = []
    var envelopes: [Int: Envelope] = [:]
    for (removal, answer) in zip(removals, answers) {
      outcomes[removal.index] = outcome(of: answer, removal.envelope.orderID)
      envelopes[removal.index] = removal.envelope
      claimed += answer.claimed.map { (removal.index, $0) }
    }
    if claimed.isEmpty { return }
    var ended: [Ended] = []
    var toDelete: [(message: Int, bill: StandingBill)] = []
    for (item, answer) in zip(claimed, await destination.find(claimed.map(\.bill))) {
      guard let envelope = envelopes[item.message] else { continue }
      if let end = found(item, answer, envelope) { ended.append(end) } else { toDelete.append(item) }
    }
    if !toDelete.isEmpty {
      FaultPoint.reached(.loadBeforeDelete)
      let deleted = await destination.delete(toDelete.map(\.bill), notAfter: notAfter)
      FaultPoint.reached(.loadAfterDelete)
      for (item, answer) in zip(toDelete, deleted) { ended.append(end(item, answer)) }
    }
    await settle(ended, into: &outcomes)
  }

  /// The outcome as far as bills that are not claimed go.
  private func outcome(of answer: RemovalAnswer, _ order: OrderID) -> Outcome {
    if answer.isStale { return .done(.stale) }
    if let seconds = answer.waitSeconds {
      let reason = Reason(.leaseBusy, "order \(order) is removed in OKKI while a bill of it is being written")
      return .later(reason, afterSeconds: seconds)
    }
    if !answer.held.isEmpty {
      return .dead(Outcome.Burial(held("order \(order)", "K/3 holds its bill, or may hold it")))
    }
    if answer.mayBeUnknown {
      let why = "the ledger was restored from a backup, and K/3 may hold bills of the order that it does not know"
      return .dead(Outcome.Burial(held("order \(order)", why)))
    }
    return .done(answer.claimed.isEmpty ? .removed : .cancelled)
  }

  private func held(_ what: String, _ why: String) -> Reason {
    Reason(.removedAfterWritten, "\(what) is removed in OKKI: \(why)")
  }

  /// What the look-up before a Delete decides; nil: it is there, and ours.
  private func found(
    _ item: (message: Int, bill: StandingBill), _ answer: LookUpAnswer, _ envelope: Envelope
  ) -> Ended? {
    let seen = item.bill.absences + 1
    let isProof = seen >= Self.absencesBeforeRepeat
    let again = Outcome.later(
      Reason(.lookUpPending, "\(item.bill.bill) is to be deleted in K/3; it is asked once more"),
      afterSeconds: times.visibleSeconds)
    let wait = Settlement.Result.cancelling(lookUpAfterSeconds: times.visibleSeconds, absences: seen)
    func ended(_ outcome: Outcome, _ settlement: Settlement.Result) -> Ended {
      Ended(
        message: item.message, bill: item.bill, outcome: outcome, settlement: settlement,
        vendorAnswer: answer.vendorAnswer)
    }
    switch answer {
    // K/3 may show a bill late that it has, and one that it has deleted.
    case .absent: return isProof ? ended(.done(.cancelled), .cancelled) : ended(again, wait)
    case .same: return item.bill.isInDoubt && !isProof ? ended(again, wait) : nil
    case .different(let reason), .ambiguous(let reason):
      let reason = held("\(item.bill.bill)", reason.sentence)
      return ended(.dead(Outcome.Burial(reason)), .parked(reason.code))
    case .unavailable(let reason, _), .late(let reason, _), .unusable(let reason, _):
      let same = Settlement.Result.cancelling(
        lookUpAfterSeconds: times.visibleSeconds, absences: item.bill.absences)
      return ended(unanswered(answer, reason, envelope), same)
    }
  }

  private func end(_ item: (message: Int, bill: StandingBill), _ answer: SaveAnswer) -> Ended {
    let (outcome, settlement): (Outcome, Settlement.Result) =
      switch answer {
      case .written: (.done(.cancelled), .cancelled)
      case .rejected(let reason, let words):
        (
          .dead(Outcome.Burial(held("\(item.bill.bill)", reason.sentence), vendorAnswer: words)),
          .parked(.removedAfterWritten)
        )
      case .nothingWritten(let reason): (.retry(reason), .cancelling(lookUpAfterSeconds: 0))
      case .notStarted(let reason): (.later(reason, afterSeconds: 1), .cancelling(lookUpAfterSeconds: 0))
      case .outage(let reason): (.outage(reason), .cancelling(lookUpAfterSeconds: 0))
      case .uncertain(let reason, _):
        (
          item.bill.isInDoubt ? .retry(reason) : .later(reason, afterSeconds: times.visibleSeconds),
          .cancelling(lookUpAfterSeconds: times.visibleSeconds)
        )
      }
    return Ended(
      message: item.message, bill: item.bill, outcome: outcome, settlement: settlement,
      vendorAnswer: answer.vendorAnswer)
  }

  private func settle(_ ended: [Ended], into outcomes: inout [Outcome]) async {
    let settlements = ended.map { end in
      var settlement = Settlement(end.bill.bill, token: end.bill.token, result: end.settlement)
      settlement.vendorAnswer = end.vendorAnswer
      return settlement
    }
    do throws(LedgerFailure) {
      for (end, isHeld) in zip(ended, try await ledger.settle(settlements)) {
        let outcome =
          isHeld
          ? end.outcome
          : .later(
            Reason(.leaseBusy, "\(end.bill.bill) was taken over by another worker"), afterSeconds: times.visibleSeconds)
        outcomes[end.message] = outcomes[end.message].worse(outcome)
      }
    } catch {
      for end in ended { outcomes[end.message] = .outage(Reason(error)) }
    }
  }
}

extension Outcome {
  /// Of two bills' outcomes the one that says what is left to be done: the message comes again as long as there is anything.
  fileprivate func worse(_ other: Outcome) -> Outcome { other.rank > rank ? other : self }

  private var rank: Int {
    switch self {
    case .forward, .done: 0
    case .dead: 1
    case .later: 2
    case .retry: 3
    case .outage: 4
    }
  }
}
