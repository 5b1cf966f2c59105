import JSON
public import Mapping
import Orders

/// Writes bills to K/3, each once: reads `bills`.
///
/// The order of steps is the protocol (nothing-lost-nothing-twice.md §3): read the bill → claim, committed → ask K/3 where an earlier
/// attempt is in doubt → Save → settle, committed → only then the worker acknowledges.
public struct LoadStage: Stage {
  let ledger: any SyncLedger
  let destination: any BillDestination
  let times: LoadTimes
  let clock: PipelineClock
  private let strategies: StrategySet?
  private let changed: ChangedOrders
  let removed: RemovedOrders

  /// A stage over a ledger and an ERP.
  /// - Parameters:
  ///   - strategies: whose `primaryWriteback` says what is kept of K/3's answers; nil: its number and id alone.
  ///   - changed: what becomes of orders that change after their bills were written.
  ///   - removed: what becomes of the bills of orders that are removed after they were written.
  public init(
    ledger: any SyncLedger, destination: any BillDestination, times: LoadTimes, clock: PipelineClock,
    strategies: StrategySet? = nil, changed: ChangedOrders = .hold, removed: RemovedOrders = .hold
  ) {
    self.ledger = ledger
    self.destination = destination
    self.times = times
    self.clock = clock
    self.strategies = strategies
    self.changed = changed
    self.removed = removed
  }

  /// `load`
  public var name: StageName { .load }

  /// After an unclear Save so many look-ups, spaced by the time after which K/3 must show a bill, find nothing before it
  /// is repeated: a Save may be done after its client has given up, and be shown later still. An unclear Update is repeated
  /// after as many, whatever they show of the bill, so that no older Update comes after a newer one.
  static let absencesBeforeRepeat = 2

  /// K/3 is asked itself, so that a long outage does not send one bill after the other round the delay queues.
  public func answers(_ partner: Partner) async -> Bool? { partner == .k3 ? await destination.isAnswering() : nil }

  /// One message's way through the steps.
  fileprivate struct Work {
    let index: Int
    let envelope: Envelope
    let bill: Bill
    let route: BillRoute
    var claim = Claim(key: "", token: 0)
  }

  /// What a step decided: the outcome, and what the ledger is told first.
  private struct Decision {
    let work: Work
    let outcome: Outcome
    let settlement: Settlement.Result
    /// See `Settlement.followsProof`.
    var followsProof = false
    /// See `Settlement.isOther`.
    var isOther = false
    /// See `Settlement.vendorAnswer`.
    var vendorAnswer: String?
  }

  /// One outcome per bill.
  public func handle(_ batch: [Envelope]) async -> [Outcome] {
    var outcomes = batch.map { _ in Outcome.dead(Outcome.Burial(Reason(.undecodable, "the message is not a bill"))) }
    var work: [Work] = []
    var removals: [(index: Int, envelope: Envelope)] = []
    for (index, envelope) in batch.enumerated() {
      if case .removal = envelope.content { removals.append((index, envelope)) }
      guard case .bill(let bill, let route) = envelope.content else { continue }
      // Before the claim: what nobody can read must leave no trace in the ledger and never reach K/3.
      if let defect = destination.defect(of: bill) {
        outcomes[index] = .dead(
          Outcome.Burial(Reason(.undecodable, "order \(envelope.orderID): the bill's \(defect)")))
      } else {
        work.append(Work(index: index, envelope: envelope, bill: bill, route: route))
      }
    }
    if !work.isEmpty { await write(work, &outcomes) }
    if !removals.isEmpty { await remove(removals, &outcomes) }
    return outcomes
  }

  /// No request leaves after this: what is left of a lease that begins now holds its timeout and the time until K/3 shows it.
  var lastStart: ContinuousClock.Instant {
    clock.now().advanced(by: .seconds(times.longestSeconds - times.saveSeconds))
  }

  /// Claims, asks, saves and settles.
  private func write(_ work: [Work], _ outcomes: inout [Outcome]) async {
    let notAfter = lastStart
    let answers: [ClaimAnswer]
    do throws(LedgerFailure) {
      let hashes = fingerprints(of: work.map(\.bill.body))
      answers = try await ledger.claim(zip(work, hashes).map(request), leaseSeconds: times.leaseSeconds)
    } catch {
      for item in work { outcomes[item.index] = .outage(Reason(error)) }
      return
    }

    FaultPoint.reached(.loadClaimed)
    var toSave: [Work] = []
    var toUpdate: [Work] = []
    var toLookUp: [Work] = []
    var repeated: Set<Int> = []
    var decisions: [Decision] = []
    for (item, answer) in zip(work, answers) {
      switch answer {
      case .new(let claim) where claim.isRemoved: decisions.append(gone(item.with(claim), .clean))
      case .new(let claim) where claim.standing == nil: toSave.append(item.with(claim))
      case .new(let claim) where changed == .update && !item.with(claim).isElsewhere: toUpdate.append(item.with(claim))
      case .new(let claim): decisions.append(held(item.with(claim)))
      case .inDoubt(let claim): toLookUp.append(item.with(claim))
      default: outcomes[item.index] = unclaimed(answer, item)
      }
    }
    if !toLookUp.isEmpty {
      let found = await destination.lookUp(toLookUp.map { $0.keyed(notAfter) })
      FaultPoint.reached(.loadLookedUp)
      for (item, answer) in zip(toLookUp, found) {
        switch next(item, answer) {
        case .save: toSave.append(item)
        case .update: toUpdate.append(item)
        case .decided(let decision):
          decisions.append(decision)
          continue
        }
        repeated.insert(item.index)
      }
    }
    if !toSave.isEmpty {
      FaultPoint.reached(.loadBeforeSave)
      let saved = await save(toSave.map { $0.keyed(notAfter, followsAbsences: repeated.contains($0.index)) })
      FaultPoint.reached(.loadAfterSave)
      for (item, answer) in zip(toSave, saved) {
        decisions.append(decided(item, answer, .written, isRepeat: repeated.contains(item.index)))
      }
    }
    if !toUpdate.isEmpty {
      FaultPoint.reached(.loadBeforeUpdate)
      let updated = await destination.update(toUpdate.map { $0.keyed(notAfter) })
      FaultPoint.reached(.loadAfterUpdate)
      for (item, answer) in zip(toUpdate, updated) {
        decisions.append(decided(item, answer, .updated, isRepeat: repeated.contains(item.index)))
      }
    }
    await settle(decisions, into: &outcomes)
  }

  private func request(_ work: Work, _ hash: Int64) -> ClaimRequest {
    var request = ClaimRequest(
      work.id, revision: work.envelope.revision, object: work.bill.object, billNumber: work.bill.number,
      payloadHash: hash)
    request.parts = work.route.part?.count ?? 0
    request.beside = work.route.beside
    request.change = changed
    request.keyField = work.bill.keyField
    request.strategy = work.route.strategy
    request.notes = NoteText.json(work.bill.notes)
    return request
  }

  /// The outcome of a claim that was not granted.
  private func unclaimed(_ answer: ClaimAnswer, _ work: Work) -> Outcome {
    switch answer {
    case .busy(let seconds):
      .later(Reason(.leaseBusy, "\(work.id) is held by another worker"), afterSeconds: seconds)
    case .tooEarly(let seconds):
      .later(Reason(.lookUpPending, "\(work.id) is in doubt; K/3 is asked later"), afterSeconds: seconds)
    case .unanswered(let failure): .outage(Reason(failure))
    case .duplicate: .done(.duplicate)
    case .stale: .done(.stale)
    case .ignored: .done(.ignored)
    case .removed: .done(.removed)
    case .changedAfterWritten:
      .dead(
        Outcome.Burial(Reason(.changedAfterWritten, "\(work.id) changed in OKKI after its bill was written")))
    case .writtenElsewhere(let stream):
      .dead(
        Outcome.Burial(
          Reason(
            .streamChanged,
            "\(work.id) of \(work.route.strategy) would go to the stream \(work.route.stream), but K/3 holds, or may hold, "
              + "the order's bill of the stream \(stream)")))
    case .new, .inDoubt: .dead(Outcome.Burial(Reason(.configuration, "a granted claim was not used")))
    }
  }

  /// What follows a look-up.
  private enum Next {
    case save
    case update
    case decided(Decision)
  }

  private func next(_ work: Work, _ answer: LookUpAnswer) -> Next {
    let isLast = work.claim.absences + 1 >= Self.absencesBeforeRepeat
    if work.claim.isRemoved { return .decided(found(work, answer, isLast: isLast)) }
    guard work.claim.standing != nil else {
      if case .absent = answer, isLast { return work.isElsewhere ? .decided(free(work)) : .save }
      if case .same(let bill) = answer, work.mayBeOther { return .decided(alike(work, bill)) }
      return .decided(resolved(work, answer))
    }
    // What is compared of a bill is not all that an Update may have changed, so that the bill looks as it should is no proof:
    // the Update is sent again, which changes nothing where it was done.
    switch answer {
    case .ambiguous, .unavailable, .late, .unusable: return .decided(resolved(work, answer))
    case .same, .different, .absent: break
    }
    guard changed == .update, !work.isElsewhere else { return .decided(held(work)) }
    guard isLast else { return .decided(resolved(work, .absent)) }
    if case .absent = answer { return .decided(held(work, "; K/3 does not show its bill any more")) }
    return .update
  }

  /// What a removed order's look-up says; nothing is sent for it.
  private func found(_ work: Work, _ answer: LookUpAnswer, isLast: Bool) -> Decision {
    switch (answer, work.claim.standing) {
    case (.absent, _) where isLast: return gone(work, .cancelled)
    // The bill stands, but whether the Update in doubt was done is not known, nor will be.
    case (.same, _?), (.different, _?): return Decision(work: work, outcome: .done(.resolved), settlement: .clean)
    default: return resolved(work, answer)
    }
  }

  /// The order is removed, and nothing of this bill is in K/3.
  private func gone(_ work: Work, _ settlement: Settlement.Result) -> Decision {
    Decision(work: work, outcome: .done(.removed), settlement: settlement)
  }

  /// An older revision's bill stands, and nothing may be done about it.
  private func held(_ work: Work, _ why: String = "") -> Decision {
    let reason = Reason(.changedAfterWritten, "\(work.id) changed in OKKI after its bill was written\(why)")
    return Decision(work: work, outcome: .dead(Outcome.Burial(reason)), settlement: .parked(reason.code))
  }

  /// Nothing is in the object that the bill was first to be written in, so that the next claim is of the object that it is made of
  /// now. Saved at once, it would be in doubt in two objects if this worker died.
  private func free(_ work: Work) -> Decision {
    let reason = Reason(
      .lookUpPending, "\(work.id) is not found in K/3's object \(work.claim.object); it goes to another one now")
    return Decision(work: work, outcome: .later(reason, afterSeconds: 1), settlement: .clean)
  }

  private func resolved(_ work: Work, _ answer: LookUpAnswer) -> Decision {
    switch answer {
    case .same(let bill):
      Decision(
        work: work, outcome: .done(.resolved), settlement: .written(kept(bill, of: work)), isOther: work.mayBeOther)
    case .different(let reason), .ambiguous(let reason): different(work, reason)
    case .unavailable(let reason, let words), .late(let reason, let words), .unusable(let reason, let words):
      Decision(
        work: work, outcome: unanswered(answer, reason, work.envelope),
        settlement: .inDoubt(lookUpAfterSeconds: times.visibleSeconds, absences: work.claim.absences),
        vendorAnswer: words)
    case .absent:
      Decision(
        work: work,
        outcome: .later(
          Reason(.lookUpPending, "\(work.id) is not found in K/3 as it was sent; it is asked once more"),
          afterSeconds: times.visibleSeconds),
        settlement: .inDoubt(lookUpAfterSeconds: times.visibleSeconds, absences: work.claim.absences + 1))
    }
  }

  /// Where another content's Save is in doubt, a bill that looks like this one's may be that one's: not all is compared.
  private func alike(_ work: Work, _ bill: WrittenBill) -> Decision {
    switch changed {
    case .ignore: return resolved(work, .same(bill))
    case .hold: return held(work, ", or while that was in doubt: K/3 may hold its older content")
    case .update where work.isElsewhere:
      return held(work, ", or while that was in doubt: K/3 may hold it as another object, \(work.claim.object)")
    case .update:
      let standing = Settlement.Result.standing(bill, lookUpAfterSeconds: times.visibleSeconds, absences: 1)
      return Decision(work: work, outcome: resolved(work, .absent).outcome, settlement: standing)
    }
  }

  /// Where another content's Save is in doubt the bill under the order's number is taken for that one's.
  private func different(_ work: Work, _ reason: Reason) -> Decision {
    var reason = reason
    if work.mayBeOther {
      reason = Reason(
        .changedAfterWritten,
        "\(work.id) changed while the Save of an older content was in doubt; K/3 holds a bill "
          + "under its number that is not this content's: \(reason.sentence)")
    }
    return Decision(work: work, outcome: .dead(Outcome.Burial(reason)), settlement: .parked(reason.code))
  }

  /// - Parameter isRepeat: the Save follows a look-up that found nothing. Ending in doubt again, it counts as an attempt:
  ///   a K/3 that takes bills and never shows them must not be sent one after the other.
  private func decided(_ work: Work, _ answer: SaveAnswer, _ done: Outcome.Done, isRepeat: Bool) -> Decision {
    switch answer {
    case .written(let bill): Decision(work: work, outcome: .done(done), settlement: .written(kept(bill, of: work)))
    case .rejected(let reason, let words):
      Decision(
        work: work, outcome: .dead(Outcome.Burial(reason, vendorAnswer: words)), settlement: .parked(reason.code),
        vendorAnswer: words)
    case .nothingWritten(let reason): Decision(work: work, outcome: .retry(reason), settlement: .clean)
    case .notStarted(let reason):
      Decision(work: work, outcome: .later(reason, afterSeconds: 1), settlement: .clean)
    case .outage(let reason): Decision(work: work, outcome: .outage(reason), settlement: .clean)
    case .uncertain(let reason, let words):
      Decision(
        work: work, outcome: isRepeat ? .retry(reason) : .later(reason, afterSeconds: times.visibleSeconds),
        settlement: .inDoubt(lookUpAfterSeconds: times.visibleSeconds), followsProof: isRepeat && done == .written,
        vendorAnswer: words)
    }
  }

  /// The bill with what its strategy wants to be kept of the answer. That it cannot be made is kept instead: the bill is
  /// written, and stays so.
  private func kept(_ bill: WrittenBill, of work: Work) -> WrittenBill {
    guard let strategies, let answer = bill.answer else { return bill }
    var bill = bill
    do throws(MappingFailures) {
      bill.writeback = try strategies.writeback(by: work.route.strategy, of: answer.root)
    } catch {
      var writer = JSONWriter()
      writer.beginObject()
      writer.key("failed")
      writer.string(error.description)
      writer.endObject()
      bill.writeback = String(decoding: writer.bytes, as: UTF8.self)
    }
    return bill
  }

  private func settle(_ decisions: [Decision], into outcomes: inout [Outcome]) async {
    if decisions.isEmpty { return }
    let settlements = decisions.map { decision in
      var settlement = Settlement(decision.work.id, token: decision.work.claim.token, result: decision.settlement)
      settlement.followsProof = decision.followsProof
      settlement.isOther = decision.isOther
      settlement.vendorAnswer = decision.vendorAnswer
      return settlement
    }
    do throws(LedgerFailure) {
      let answers = try await ledger.settle(settlements)
      FaultPoint.reached(.loadSettled)
      for (decision, held) in zip(decisions, answers) {
        // Without the claim the outcome is somebody else's to find out; this message comes again and learns it.
        outcomes[decision.work.index] =
          held
          ? decision.outcome.keyed(decision.work.claim.key)
          : .later(
            Reason(.leaseBusy, "\(decision.work.id) was taken over by another worker"),
            afterSeconds: times.visibleSeconds)
      }
    } catch {
      // The rows stay claimed; when their leases end they are in doubt, and K/3 is asked.
      for decision in decisions { outcomes[decision.work.index] = .outage(Reason(error)) }
    }
  }
}

extension Outcome {
  /// With a burial the number of the bill in K/3 is kept.
  fileprivate func keyed(_ key: String) -> Outcome {
    guard case .dead(var burial) = self else { return self }
    burial.key = key
    return .dead(burial)
  }
}

extension LoadStage.Work {
  fileprivate var id: BillID {
    BillID(envelope.orderID, stream: route.stream, part: route.part?.number ?? 1)
  }

  /// What was sent before may be in another object of K/3.
  fileprivate var isElsewhere: Bool { claim.object != bill.object }

  /// What was sent before, and may be in K/3, may be another content than this one.
  fileprivate var mayBeOther: Bool { (claim.doubtfulRevision ?? .max) < envelope.revision }

  fileprivate func with(_ claim: Claim) -> Self {
    var next = self
    next.claim = claim
    return next
  }

  fileprivate func keyed(_ notAfter: ContinuousClock.Instant, followsAbsences: Bool = false) -> KeyedBill {
    var keyed = KeyedBill(
      bill, key: claim.key, keyField: claim.keyField, object: claim.object, standing: claim.standing,
      notAfter: notAfter)
    keyed.followsAbsences = followsAbsences
    return keyed
  }
}
