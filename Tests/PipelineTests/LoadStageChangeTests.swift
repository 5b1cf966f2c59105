import Mapping
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("Load stage: orders that change after they were written", .timeLimit(.minutes(1)))
struct LoadStageChangeTests {
  let clock = ManualClock()
  let ledger: MemoryLedger
  let erp = MemoryBillDestination(unknownCustomers: ["C9"])
  let updating: LoadStage

  init() {
    ledger = MemoryLedger(clock: clock)
    updating = Self.stage(over: ledger, erp, clock, .update)
  }

  static func stage(
    over ledger: any SyncLedger, _ erp: MemoryBillDestination, _ clock: ManualClock, _ changed: ChangedOrders
  ) -> LoadStage {
    LoadStage(
      ledger: ledger, destination: erp,
      times: LoadTimes(leaseSeconds: 160, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 30),
      clock: pipelineClock(clock), changed: changed)
  }

  var row: LedgerRow? { ledger.rows[BillID(OrderID(rawValue: 1), stream: "SO")] }

  func makeDue() { ledger.makeDue(OrderID(rawValue: 1)) }

  /// The order's bill in a revision, for a customer of its own.
  func bill(_ revision: Int64) -> Envelope { .bill(1, revision: revision, customer: "C1\(revision)") }

  func body(_ revision: Int64) -> [UInt8]? {
    if case .bill(let bill, _) = bill(revision).content { bill.body } else { nil }
  }

  func buried(_ outcome: Outcome?) -> Outcome.Burial? {
    if case .dead(let burial) = outcome { burial } else { nil }
  }

  @Test("held, a change is parked; ignored, it is counted; K/3 hears of neither")
  func policies() async {
    for (policy, code) in [(ChangedOrders.hold, ReasonCode.changedAfterWritten), (.ignore, nil)] {
      let stage = Self.stage(over: ledger, erp, clock, policy)
      _ = await stage.handle([bill(1)])
      let outcome = await stage.handle([bill(2)]).first
      #expect(buried(outcome)?.reason.code == code)
      if code == nil { #expect(outcome == .done(.ignored)) }
    }
    #expect(erp.saves == ["SO1"] && erp.updates.isEmpty && erp.lookUps.isEmpty)
    #expect(row?.state == .written && row?.revision == 1)
  }

  @Test("updated, the bill has the newer revision's content and number, once, and older revisions are stale")
  func updates() async {
    _ = await updating.handle([bill(1)])
    #expect(await updating.handle([bill(3)]) == [.done(.updated)])
    #expect(await updating.handle([bill(3), bill(2)]) == [.done(.duplicate), .done(.stale)])
    #expect(erp.saves == ["SO1"] && erp.updates == ["SO1"] && erp.lookUps.isEmpty)
    #expect(erp.bodies == ["SO1": body(3) ?? []])
    #expect(row?.state == .written && row?.bill == WrittenBill(number: "SO1", internalID: 1))
  }

  @Test("a bill that K/3 numbered otherwise is changed under K/3's number")
  func renumbered() async {
    let other = WrittenBill(number: "SEORD7", internalID: 7)
    erp.next(.answer(.written(other)), key: "SO1")
    erp.plant(body(1) ?? [], key: "SEORD7")
    _ = await updating.handle([bill(1)])
    #expect(await updating.handle([bill(2)]) == [.done(.updated)])
    #expect(erp.updates == ["SEORD7"])
  }

  @Test("a lost answer to an Update: two look-ups, then it is sent again, whatever they show")
  func lostAnswer() async {
    _ = await updating.handle([bill(1)])
    erp.next(.lostAnswer, key: "SO1")
    guard case .later(let reason, 30) = await updating.handle([bill(2)]).first else {
      Issue.record("an unclear Update must wait")
      return
    }
    #expect(reason.code == .inDoubt && row?.state == .inDoubt)
    makeDue()
    guard case .later(let wait, 30) = await updating.handle([bill(2)]).first else {
      Issue.record("one look-up is not enough")
      return
    }
    #expect(wait.code == .lookUpPending && erp.updates.count == 1)
    makeDue()
    #expect(await updating.handle([bill(2)]) == [.done(.updated)])
    #expect(erp.lookUps == ["SO1", "SO1"] && erp.updates == ["SO1", "SO1"] && erp.saves == ["SO1"])
    #expect(erp.bodies == ["SO1": body(2) ?? []])
  }

  /// The first revision's Save has lost its answer; K/3 has its bill, and that is like the second's in all that is compared.
  private func alike(_ policy: ChangedOrders) async -> (LoadStage, Outcome?) {
    let stage = Self.stage(over: ledger, erp, clock, policy)
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([bill(1)])
    makeDue()
    erp.next(lookUp: .same(WrittenBill(number: "SO1", internalID: 1)), key: "SO1")
    return (stage, await stage.handle([bill(2)]).first)
  }

  @Test("a bill in doubt that looks like a newer revision's is none of it: held, the change is parked")
  func alikeHeld() async {
    let (_, outcome) = await alike(.hold)
    #expect(buried(outcome)?.reason.code == .changedAfterWritten)
    #expect(row?.state == .parked && row?.doubt == true && erp.saves == ["SO1"])
  }

  @Test("an order that goes back to what is in doubt is resolved by its bill; only the change is parked")
  func backAgain() async {
    for isAlike in [true, false] {
      let id: Int64 = isAlike ? 1 : 2
      let key = "SO\(id)"
      let stage = Self.stage(over: ledger, erp, clock, .hold)
      erp.next(.lostAnswer, key: key)
      _ = await stage.handle([.bill(id, customer: "C1")])
      ledger.makeDue(OrderID(rawValue: id))
      if isAlike { erp.next(lookUp: .same(WrittenBill(number: key, internalID: id)), key: key) }
      let change = Envelope.bill(id, revision: 2, customer: "C2")
      #expect(buried(await stage.handle([change]).first)?.reason.code == .changedAfterWritten)
      #expect(await stage.handle([.bill(id, revision: 3, customer: "C1")]) == [.done(.resolved)])
      // Of the letter, too, nothing comes any more.
      #expect(await stage.handle([change]) == [.done(.stale)])
    }
    #expect(erp.saves == ["SO1", "SO2"] && erp.updates.isEmpty)
  }

  @Test("an order in doubt that was only saved again in OKKI is resolved by its bill, whatever becomes of changed ones")
  func touched() async {
    for (index, policy) in ChangedOrders.allCases.enumerated() {
      let (id, key) = (Int64(index + 1), "SO\(index + 1)")
      let stage = Self.stage(over: ledger, erp, clock, policy)
      erp.next(.lostAnswer, key: key)
      _ = await stage.handle([.bill(id)])
      ledger.makeDue(OrderID(rawValue: id))
      erp.next(lookUp: .same(WrittenBill(number: key, internalID: 1)), key: key)
      #expect(await stage.handle([.bill(id, revision: 2)]) == [.done(.resolved)])
    }
    #expect(erp.saves.count == ChangedOrders.allCases.count && erp.updates.isEmpty)
  }

  @Test("a bill in doubt that looks like a newer revision's is updated to it, under its number, after a second look-up")
  func alikeUpdated() async {
    let (stage, outcome) = await alike(.update)
    guard case .later(let reason, 30) = outcome else {
      Issue.record("an older revision's bill was taken for a newer one's")
      return
    }
    #expect(reason.code == .lookUpPending && row?.bill?.number == "SO1" && erp.updates.isEmpty)
    makeDue()
    #expect(await stage.handle([bill(2), bill(1)]) == [.done(.updated), .done(.stale)])
    #expect(erp.bodies == ["SO1": body(2) ?? []] && erp.saves == ["SO1"] && erp.updates == ["SO1"])
  }

  @Test("ignored, a bill in doubt that looks like a newer revision's is enough")
  func alikeIgnored() async {
    #expect(await alike(.ignore).1 == .done(.resolved))
  }

  @Test("a worker that died over an Update leaves a doubt that the newest revision resolves; none is saved")
  func died() async {
    _ = await updating.handle([bill(1)])
    let dead = Self.stage(over: WatchedLedger(ledger, settles: .lost), erp, clock, .update)
    _ = await dead.handle([bill(2)])
    clock.advance(by: .seconds(161))
    for _ in 0..<2 {
      _ = await updating.handle([bill(3)])
      makeDue()
    }
    #expect(await updating.handle([bill(3), bill(2)]) == [.done(.duplicate), .done(.stale)])
    #expect(erp.bodies == ["SO1": body(3) ?? []] && erp.saves == ["SO1"])
  }

  @Test("a bill that K/3 does not let be changed is parked with K/3's words, and replayed when it does")
  func audited() async {
    _ = await updating.handle([bill(1)])
    erp.audit("SO1")
    let burial = buried(await updating.handle([bill(2)]).first)
    #expect(burial?.reason.code == .changedAfterWritten && burial?.vendorAnswer == "单据已审核")
    #expect(row?.state == .parked && erp.bodies == ["SO1": body(1) ?? []])
    // Held from now on: neither saved nor changed.
    let held = buried(await Self.stage(over: ledger, erp, clock, .hold).handle([bill(3)]).first)
    #expect(held?.reason.code == .changedAfterWritten && erp.saves == ["SO1"] && erp.updates == ["SO1"])
  }

  @Test("a bill that somebody took out of K/3 is not saved again: the change is parked")
  func gone() async {
    _ = await updating.handle([bill(1)])
    erp.next(.lostAnswer, key: "SO1")
    _ = await updating.handle([bill(2)])
    erp.remove("SO1")
    var last: Outcome?
    for _ in 0..<2 {
      makeDue()
      last = await updating.handle([bill(2)]).first
    }
    #expect(buried(last)?.reason.code == .changedAfterWritten)
    #expect(erp.saves == ["SO1"] && erp.bodies.isEmpty)
  }

  @Test("where K/3 holds several bills under the number none is changed; where it cannot be asked all waits")
  func ambiguous() async {
    _ = await updating.handle([bill(1)])
    erp.next(.lostAnswer, key: "SO1")
    _ = await updating.handle([bill(2)])
    makeDue()
    erp.next(lookUp: .unavailable(Reason(.k3Unavailable, "away")), key: "SO1")
    guard case .later = await updating.handle([bill(2)]).first else {
      Issue.record("no look-up, no Update")
      return
    }
    makeDue()
    erp.next(lookUp: .ambiguous(Reason(.conflict, "two bills")), key: "SO1")
    #expect(buried(await updating.handle([bill(2)]).first)?.reason.code == .conflict)
    #expect(erp.updates == ["SO1"])
  }

  @Test("an Update that wrote nothing is tried again as an Update, also by who holds what changes: then it is parked")
  func nothingWritten() async {
    _ = await updating.handle([bill(1)])
    let busy = Reason(.k3Busy, "busy")
    erp.next(.answer(.nothingWritten(busy)), key: "SO1")
    #expect(await updating.handle([bill(2)]) == [.retry(busy)])
    #expect(row?.state == .clean)
    let holding = Self.stage(over: ledger, erp, clock, .hold)
    #expect(buried(await holding.handle([bill(2)]).first)?.reason.code == .changedAfterWritten)
    #expect(erp.saves == ["SO1"] && erp.updates == ["SO1"])
  }
}
