import Orders
import Pipeline
import PipelineTesting
import Testing

/// A ledger that was restored from a backup older than each removal.
private struct RestoredLedger: SyncLedger {
  let inner: MemoryLedger

  func claim(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer] {
    try await inner.claim(requests, leaseSeconds: leaseSeconds)
  }

  func remove(_ requests: [RemovalRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [RemovalAnswer] {
    try await inner.remove(requests, leaseSeconds: leaseSeconds).map { answer in
      var answer = answer
      answer.mayBeUnknown = true
      return answer
    }
  }

  func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    try await inner.settle(settlements)
  }
}

@Suite("Load stage: orders that are removed in OKKI", .timeLimit(.minutes(1)))
struct LoadStageRemovalTests {
  let clock = ManualClock()
  let ledger: MemoryLedger
  let erp = MemoryBillDestination()

  init() { ledger = MemoryLedger(clock: clock) }

  func stage(_ removed: RemovedOrders, isRestored: Bool = false) -> LoadStage {
    LoadStage(
      ledger: isRestored ? RestoredLedger(inner: ledger) : ledger, destination: erp,
      times: LoadTimes(leaseSeconds: 160, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 30),
      clock: pipelineClock(clock), removed: removed)
  }

  func removal(_ revision: Int64) -> Envelope { Envelope.order(1, revision: revision).carrying(.removal) }

  var row: LedgerRow? { ledger.rows[BillID(OrderID(rawValue: 1), stream: "SO")] }

  func code(_ outcome: Outcome?) -> ReasonCode? {
    switch outcome {
    case .dead(let burial): burial.reason.code
    case .later(let reason, _): reason.code
    default: nil
    }
  }

  @Test("what is removed before it was written is never written; back in OKKI it is")
  func before() async {
    #expect(await stage(.hold).handle([removal(2), removal(2)]) == [.done(.removed), .done(.removed)])
    #expect(await stage(.hold).handle([.bill(1)]) == [.done(.removed)])
    #expect(erp.saves.isEmpty && ledger.rows.isEmpty)
    #expect(await stage(.hold).handle([.bill(1, revision: 3)]) == [.done(.written)])
    #expect(await stage(.hold).handle([removal(2)]) == [.done(.stale)])
  }

  @Test("a ledger that was restored may not know the order's bills: its removal is parked, whatever else is done")
  func restored() async {
    for removed in [RemovedOrders.hold, .cancel] {
      let outcome = await stage(removed, isRestored: true).handle([removal(2)]).first
      guard case .dead(let burial)? = outcome else {
        Issue.record("\(String(describing: outcome))")
        return
      }
      #expect(burial.reason.code == .removedAfterWritten && burial.reason.sentence.contains("restored from a backup"))
    }
    #expect(erp.lookUps.isEmpty && erp.deletes.isEmpty)
    // What it knows is deleted all the same.
    #expect(await stage(.hold).handle([.bill(1, revision: 3)]) == [.done(.written)])
    #expect(await stage(.cancel, isRestored: true).handle([removal(2)]) == [.done(.stale)])
    #expect(code(await stage(.cancel, isRestored: true).handle([removal(4)]).first) == .removedAfterWritten)
    #expect(erp.deletes == ["SO1"] && erp.bodies.isEmpty)
  }

  @Test("held, the bill stays, and the removal is parked")
  func held() async {
    _ = await stage(.hold).handle([.bill(1)])
    #expect(code(await stage(.hold).handle([removal(2)]).first) == .removedAfterWritten)
    #expect(erp.deletes.isEmpty && row?.state == .written)
  }

  @Test("cancelled, the bill is looked for and deleted once, and the order may come back under its key")
  func cancelled() async {
    _ = await stage(.cancel).handle([.bill(1)])
    #expect(await stage(.cancel).handle([removal(2)]) == [.done(.cancelled)])
    #expect(await stage(.cancel).handle([removal(2)]) == [.done(.removed)])
    #expect(erp.lookUps == ["SO1"] && erp.deletes == ["SO1"] && erp.bodies.isEmpty)
    #expect(await stage(.cancel).handle([.bill(1, revision: 3)]) == [.done(.written)])
    #expect(erp.saves == ["SO1", "SO1"])
  }

  @Test(
    "a look-up before the Delete that K/3 answers unusably counts as an attempt; one that it does not let us make stops"
  )
  func lookUpUnusable() async {
    _ = await stage(.cancel).handle([.bill(1)])
    let unusable = Reason(.inDoubt, "no pages")
    erp.next(lookUp: .unusable(unusable), key: "SO1")
    #expect(await stage(.cancel).handle([removal(2)]) == [.retry(unusable)])
    ledger.makeDue(OrderID(rawValue: 1))
    let refused = Reason(.k3Unauthorized, "refused")
    erp.next(lookUp: .unavailable(refused), key: "SO1")
    #expect(await stage(.cancel).handle([removal(2)]) == [.outage(refused)])
    #expect(erp.deletes.isEmpty && row?.state == .inDoubt)
  }

  @Test("a bill whose id K/3 does not tell is asked for it at once, and is deleted by it")
  func idLearnt() async {
    erp.next(.untoldID, key: "SO1")
    #expect(await stage(.cancel).handle([.bill(1)]) == [.done(.written)])
    #expect(erp.lookUps == ["SO1"] && row?.bill?.internalID == 1)
    #expect(await stage(.cancel).handle([removal(2)]) == [.done(.cancelled)])
    #expect(erp.deletes == ["SO1"])
  }

  @Test("a bill whose id was never told is not deleted: another one may have its number by now")
  func idUnknown() async {
    erp.next(.untoldID, key: "SO1")
    erp.next(lookUp: .absent, key: "SO1")
    #expect(await stage(.cancel).handle([.bill(1)]) == [.done(.written)])
    #expect(code(await stage(.cancel).handle([removal(2)]).first) == .removedAfterWritten)
    #expect(erp.deletes.isEmpty && row?.state == .parked)
  }

  @Test("a lost answer to a Delete is looked up, twice, and not sent again where the bill is gone")
  func lostAnswer() async {
    _ = await stage(.cancel).handle([.bill(1)])
    erp.next(.lostAnswer, key: "SO1")
    #expect(code(await stage(.cancel).handle([removal(2)]).first) == .inDoubt)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(code(await stage(.cancel).handle([removal(2)]).first) == .lookUpPending)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(await stage(.cancel).handle([removal(2)]) == [.done(.cancelled)])
    #expect(erp.deletes == ["SO1"])
  }

  @Test("an audited bill, and another one under its number, are left alone, and the removal is parked")
  func refused() async {
    _ = await stage(.cancel).handle([.bill(1)])
    erp.next(lookUp: .different(Reason(.conflict, "another bill")), key: "SO1")
    #expect(code(await stage(.cancel).handle([removal(2)]).first) == .removedAfterWritten)
    #expect(erp.deletes.isEmpty)
    erp.audit("SO1")
    guard case .dead(let burial) = await stage(.cancel).handle([removal(2)]).first else {
      Issue.record("K/3 did not let us")
      return
    }
    #expect(burial.reason.code == .removedAfterWritten && burial.vendorAnswer == "单据已审核")
    #expect(row?.state == .parked && erp.bodies.count == 1)
  }

  @Test("a removed order's Update in doubt leaves an unknown content, whatever is found: back, it is changed again")
  func updateInDoubt() async {
    let stage = LoadStage(
      ledger: ledger, destination: erp,
      times: LoadTimes(leaseSeconds: 160, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 30),
      clock: pipelineClock(clock), changed: .update)
    _ = await stage.handle([.bill(1)])
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await stage.handle([.bill(1, revision: 2, customer: "C2")])
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(code(await stage.handle([removal(3)]).first) == .leaseBusy)
    #expect(await stage.handle([.bill(1, revision: 2, customer: "C2")]) == [.done(.resolved)])
    #expect(code(await stage.handle([removal(3)]).first) == .removedAfterWritten)
    #expect(await stage.handle([.bill(1, revision: 4, customer: "C2")]) == [.done(.updated)])
    #expect(erp.saves == ["SO1"])
  }

  @Test("a Save in doubt of a removed order is looked up and never repeated")
  func inDoubt() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await stage(.hold).handle([.bill(1)])
    #expect(code(await stage(.hold).handle([removal(2)]).first) == .leaseBusy)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(code(await stage(.hold).handle([.bill(1)]).first) == .lookUpPending)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(await stage(.hold).handle([.bill(1)]) == [.done(.removed)])
    #expect(await stage(.hold).handle([removal(2)]) == [.done(.removed)])
    #expect(erp.saves == ["SO1"])
  }
}
