import Mapping
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("Load stage", .timeLimit(.minutes(1)))
struct LoadStageTests {
  let clock = ManualClock()
  let ledger: MemoryLedger
  let erp = MemoryBillDestination(unknownCustomers: ["C9"])
  let stage: LoadStage

  init() {
    ledger = MemoryLedger(clock: clock)
    stage = Self.stage(over: ledger, erp, clock)
  }

  static func stage(
    over ledger: any SyncLedger, _ erp: MemoryBillDestination, _ clock: ManualClock, leaseSeconds: Int = 160
  ) -> LoadStage {
    LoadStage(
      ledger: ledger, destination: erp,
      times: LoadTimes(leaseSeconds: leaseSeconds, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 30),
      clock: pipelineClock(clock))
  }

  func stage(over ledger: any SyncLedger, leaseSeconds: Int = 160) -> LoadStage {
    Self.stage(over: ledger, erp, clock, leaseSeconds: leaseSeconds)
  }

  func row(_ id: Int64) -> LedgerRow? { ledger.rows[BillID(OrderID(rawValue: id), stream: "SO")] }

  @Test("a new bill is claimed, saved once and recorded as written")
  func writes() async {
    #expect(await stage.handle([.bill(1)]) == [.done(.written)])
    #expect(row(1)?.state == .written)
    #expect(row(1)?.bill == WrittenBill(number: "SO1", internalID: 1))
    #expect(erp.saves == ["SO1"])
    #expect(erp.lookUps.isEmpty)
  }

  @Test("a lease that is longer than the broker waits gives the Saves of a batch no more time than the broker does")
  func longLease() async throws {
    let begin = ContinuousClock.now
    _ = await stage(over: ledger, leaseSeconds: 10_800).handle([.bill(1)])
    let time = try #require(erp.lastStart) - begin
    // A Save's minute, and what comes before it and after.
    #expect(time > .seconds(1_000) && time + .seconds(60) <= .seconds(1_600), "\(time)")
    _ = await stage.handle([.bill(2)])
    #expect(try #require(erp.lastStart) - begin < .seconds(160 - 60 - 10 - 30 + 50))
  }

  @Test("as much is lent as ends before the broker takes it back: three rounds of batches, fewer of long ones")
  func lent() {
    let shape = WorkerShape(batchSize: 4, quickBatchSize: 12, concurrentBatches: 4)
    let lent = [1, 170, 500, 501, 750, 751, 1_500, 9_999].map { shape.mostLent(longestSeconds: $0) }
    #expect(lent == [48, 48, 48, 32, 32, 16, 16, 16])
  }

  @Test("the same revision again is a duplicate, also within one batch, and K/3 is not asked")
  func duplicate() async {
    let outcomes = await stage.handle([.bill(1), .bill(1)])
    #expect(outcomes[0] == .done(.written))
    guard case .later(let reason, let seconds) = outcomes[1] else {
      Issue.record("the second one must wait for the first")
      return
    }
    #expect(reason.code == .leaseBusy)
    #expect(seconds == 160)
    #expect(await stage.handle([.bill(1)]) == [.done(.duplicate)])
    #expect(erp.saves == ["SO1"])
  }

  @Test("a lost answer is looked up before anything is repeated")
  func lostAnswer() async {
    erp.next(.lostAnswer, key: "SO1")
    guard case .later(let reason, 30) = await stage.handle([.bill(1)]).first else {
      Issue.record("an uncertain Save must wait until K/3 can show the bill")
      return
    }
    #expect(reason.code == .inDoubt)
    #expect(row(1)?.state == .inDoubt)

    // Too early: neither asked nor repeated.
    guard case .later(let wait, _) = await stage.handle([.bill(1)]).first else {
      Issue.record("a look-up before its time")
      return
    }
    // K/3 was not asked: this says nothing of it.
    #expect(wait.code == .lookUpPending)
    #expect(erp.lookUps.isEmpty)

    ledger.makeDue(OrderID(rawValue: 1))
    #expect(await stage.handle([.bill(1)]) == [.done(.resolved)])
    #expect(erp.lookUps == ["SO1"])
    #expect(erp.saves == ["SO1"])
    #expect(row(1)?.state == .written)
  }

  @Test("a worker that died between Save and settle leaves a doubt, not a second bill")
  func diedAfterSave() async {
    // The first worker: claimed, saved, and never heard of again.
    let dead = stage(over: WatchedLedger(ledger, settles: .lost))
    guard case .outage = await dead.handle([.bill(1)]).first else {
      Issue.record("an unsettled Save is no success")
      return
    }
    guard case .later = await stage.handle([.bill(1)]).first else {
      Issue.record("the lease still runs")
      return
    }
    clock.advance(by: .seconds(161))
    #expect(await stage.handle([.bill(1)]) == [.done(.resolved)])
    #expect(erp.saves == ["SO1"])
  }

  @Test("a worker whose claim was taken over meanwhile reports nothing as done: the message comes again")
  func takenOver() async {
    let slow = stage(over: WatchedLedger(ledger, settles: .refused))
    guard case .later(let reason, 30) = await slow.handle([.bill(1)]).first else {
      Issue.record("the outcome is somebody else's to find out")
      return
    }
    #expect(reason.code == .leaseBusy)
  }

  @Test("what is left of the lease must hold a Save, the time until K/3 shows it, and the margin; else nothing is sent")
  func shortLease() async {
    guard case .later(let reason, 1) = await stage(over: ledger, leaseSeconds: 100).handle([.bill(1)]).first else {
      Issue.record("a Save must not start so late")
      return
    }
    #expect(reason.code == .k3Busy)
    #expect(erp.saves.isEmpty)
    #expect(row(1)?.state == .clean)
  }

  @Test("a claim names the order, its revision, the mapped number and the body's fingerprint")
  func claims() async throws {
    let watched = WatchedLedger(ledger, settles: .kept)
    let body = #"{"Data":{"Page1":[{"FBillNo":"A-7"}]}}"#
    _ = await stage(over: watched).handle([.bill(7, revision: 3, number: "A-7", body: body)])
    var request = ClaimRequest(
      BillID(OrderID(rawValue: 7), stream: "SO"), revision: 3, object: "SO", billNumber: "A-7",
      payloadHash: fingerprint(body.utf8))
    request.strategy = "sales-order"
    #expect(watched.claims.events == [request])
    let note = BillNote(.residual, place: "Page2[0].FAuxTaxPrice", "0.01")
    var noted = Envelope.bill(7, revision: 3, number: "A-7", body: body)
    noted.content = .bill(
      Bill(object: "SO", number: "A-7", body: Array(body.utf8), notes: [note]),
      BillRoute(strategy: "sales-order", stream: "SO", part: BillRoute.Part(2, of: 2)))
    _ = await stage(over: watched).handle([noted])
    let second = try #require(watched.claims.events.last)
    #expect(second.bill == BillID(OrderID(rawValue: 7), stream: "SO", part: 2) && second.isOneOfSeveral)
    #expect(second.notes.flatMap(NoteText.notes) == [note])
  }

  @Test("what a strategy keeps of K/3's answer is recorded with the bill, and why it cannot be")
  func writeback() async throws {
    func strategy(_ name: String, _ id: String) throws -> Strategy {
      let field = #"{"field":"id","type":"int","value":"\#(id)"},{"field":"number","value":"{{Number}}"}"#
      let target =
        #"{"api":"/SO/Save","request":[{"field":"Page1","type":"array","children":["#
        + #"{"field":"FBillNo","value":"{no}"}]}],"#
        + #""response":[{"field":"primaryWriteback","type":"object","children":[\#(field)]}]}"#
      return try Strategy(
        name: name, source: Array(#"{"condition":[[{"field":"s","logic":"eq","value":"\#(name)"}]]}"#.utf8),
        target: Array(target.utf8))
    }
    let set = try StrategySet([strategy("sales-order", "{{Id}}"), strategy("odd", "{{Number}}")])
    let stage = LoadStage(
      ledger: ledger, destination: erp,
      times: LoadTimes(leaseSeconds: 160, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 30),
      clock: pipelineClock(clock), strategies: set)
    var odd = Envelope.bill(2)
    let body = #"{"Data":{"Page1":[{"FBillNo":"SO2","FCustID":{"FNumber":"C1"}}],"Page2":[]}}"#
    odd.content = .bill(
      Bill(object: "SO", number: "SO2", body: Array(body.utf8)), BillRoute(strategy: "odd", stream: "SO"))
    #expect(await stage.handle([.bill(1), odd]) == [.done(.written), .done(.written)])
    #expect(row(1)?.bill?.writeback == #"{"id":1,"number":"SO1"}"#)
    #expect(row(2)?.bill?.writeback?.hasPrefix(#"{"failed":"primaryWriteback.id: "#) == true)
    // Without strategies nothing is made of it.
    #expect(await self.stage.handle([.bill(3)]) == [.done(.written)])
    #expect(row(3)?.bill?.writeback == nil)
  }

  @Test("a number that another order has is not saved twice: the claim's key is sent")
  func otherKey() async {
    let body = #"{"Data":{"Page1":[{"FBillNo":"SO1"}]}}"#
    #expect(
      await stage.handle([.bill(1), .bill(2, number: "SO1", body: body)]) == [.done(.written), .done(.written)])
    #expect(erp.saves == ["SO1", "SO1-2"])
  }

  @Test("a Save that never began is no attempt")
  func notStarted() async {
    let reason = Reason(.k3Busy, "too late")
    erp.next(.answer(.notStarted(reason)), key: "SO1")
    #expect(await stage.handle([.bill(1)]) == [.later(reason, afterSeconds: 1)])
    #expect(row(1)?.state == .clean)
  }

  @Test("another bill under the number is a conflict and parked")
  func conflict() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await stage.handle([.bill(1)])
    ledger.makeDue(OrderID(rawValue: 1))
    erp.plant([9], key: "SO1")
    guard case .dead(let burial) = await stage.handle([.bill(1)]).first else {
      Issue.record("a foreign bill must not count as ours")
      return
    }
    #expect(burial.reason.code == .conflict)
    #expect(row(1)?.state == .parked)
    #expect(row(1)?.reason == .conflict)
    // A replay asks again before it sends anything.
    _ = await stage.handle([.bill(1)])
    #expect(erp.lookUps == ["SO1", "SO1"])
    #expect(erp.saves == ["SO1"])
  }

  @Test("the bill of an older revision whose answer was lost is no stranger's: the order changed after it was written")
  func olderInDoubt() async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1, customer: "C1")])
    ledger.makeDue(OrderID(rawValue: 1))
    guard case .dead(let burial) = await stage.handle([.bill(1, revision: 2, customer: "C2")]).first else {
      Issue.record("another revision's bill must not count as this one's")
      return
    }
    #expect(burial.reason.code == .changedAfterWritten)
    #expect(row(1)?.reason == .changedAfterWritten)
    #expect(await stage.handle([.bill(1, customer: "C1")]) == [.done(.stale)])
    // A replay asks again before it sends anything, and finds the same.
    guard case .dead(let again) = await stage.handle([.bill(1, revision: 2, customer: "C2")]).first else {
      Issue.record("a replay must not be written over it")
      return
    }
    #expect(again.reason.code == .changedAfterWritten)
    #expect(erp.lookUps == ["SO1", "SO1"])
    #expect(erp.saves == ["SO1"])
  }

  @Test("a refusal is parked with K/3's answer; the claim is free for a replay")
  func rejected() async {
    guard case .dead(let burial) = await stage.handle([.bill(1, customer: "C9")]).first else {
      Issue.record("a refusal is final")
      return
    }
    #expect(burial.reason.code == .k3Rejected)
    #expect(burial.vendorAnswer == "客户不存在")
    #expect(burial.key == "SO1")
    #expect(row(1)?.state == .parked)
    #expect(await stage.handle([.bill(1)]) == [.done(.written)])
  }

  @Test("provably nothing written: counted and tried again; an outage is not counted")
  func nothingWritten() async {
    let busy = Reason(.k3Busy, "busy")
    let away = Reason(.k3Unavailable, "connection refused")
    erp.next(.answer(.nothingWritten(busy)), key: "SO1")
    erp.next(.answer(.outage(away)), key: "SO2")
    #expect(await stage.handle([.bill(1), .bill(2)]) == [.retry(busy), .outage(away)])
    #expect(row(1)?.state == .clean)
    #expect(row(2)?.state == .clean)
    #expect(await stage.handle([.bill(1), .bill(2)]) == [.done(.written), .done(.written)])
    #expect(erp.lookUps.isEmpty)
  }

  @Test("older revisions are stale, newer ones that make the same bill duplicates, and those that make another held")
  func revisions() async {
    #expect(await stage.handle([.bill(1, revision: 2)]) == [.done(.written)])
    #expect(await stage.handle([.bill(1, revision: 1)]) == [.done(.stale)])
    #expect(await stage.handle([.bill(1, revision: 4)]) == [.done(.duplicate)])
    #expect(await stage.handle([.bill(1, revision: 3, customer: "C2")]) == [.done(.stale)])
    guard case .dead(let burial) = await stage.handle([.bill(1, revision: 5, customer: "C2")]).first else {
      Issue.record("a change after writing is held")
      return
    }
    #expect(burial.reason.code == .changedAfterWritten)
    #expect(erp.saves == ["SO1"])
  }

  @Test("an order that went over to another stream after its bill was written is held, unless the strategy follows")
  func moved() async {
    func bill(_ revision: Int64, _ stream: String, beside: [String]) -> Envelope {
      var envelope = Envelope.bill(1, revision: revision)
      if case .bill(let bill, _) = envelope.content {
        envelope.content = .bill(bill, BillRoute(strategy: "s", stream: stream, beside: beside))
      }
      return envelope
    }
    #expect(await stage.handle([bill(1, "SO", beside: [])]) == [.done(.written)])
    guard case .dead(let burial) = await stage.handle([bill(2, "apart", beside: ["other"])]).first else {
      Issue.record("two bills of one order")
      return
    }
    #expect(burial.reason.code == .streamChanged)
    #expect(burial.reason.sentence.contains("the order's bill of the stream SO"), "\(burial.reason)")
    #expect(erp.saves.count == 1)
    guard case .done = await stage.handle([bill(3, "returns", beside: ["SO"])]).first else {
      Issue.record("a return follows")
      return
    }
    #expect(ledger.rows[BillID(OrderID(rawValue: 1), stream: "returns")]?.state == .written)
  }

  @Test("without the ledger nothing reaches K/3")
  func ledgerAway() async {
    ledger.fail(.unavailable("connection refused"))
    guard case .outage(let reason) = await stage.handle([.bill(1)]).first else {
      Issue.record("no claim, no Save")
      return
    }
    #expect(reason.code == .ledgerUnavailable)
    #expect(erp.saves.isEmpty)
  }

  @Test("where the ledger fails over a part of a batch, the other part is written, and the failure is told")
  func ledgerFailsHalfway() async {
    let outcomes = await stage(over: WatchedLedger(ledger, settles: .kept, failsAfter: 1)).handle([.bill(1), .bill(2)])
    #expect(outcomes[0] == .done(.written))
    guard case .outage(let reason) = outcomes[1] else {
      Issue.record("nothing is known of it: \(outcomes[1])")
      return
    }
    #expect(reason.code == .configuration)
    #expect(reason.sentence.contains("no disk"))
    #expect(erp.saves == ["SO1"])
  }

  @Test("a message that is no bill is parked, the others of its batch are not held up")
  func noBill() async {
    let outcomes = await stage.handle([.order(1), .bill(2)])
    guard case .dead(let burial) = outcomes[0] else {
      Issue.record("an order is no bill")
      return
    }
    #expect(burial.reason.code == .undecodable)
    #expect(outcomes[1] == .done(.written))
  }

  @Test(
    "a bill whose body is broken, or is another bill's, is parked before it is claimed, and its neighbour is written",
    arguments: ["no JSON", #"{"Data":{"Page1":[{"FBillNo":"SO1""#, "[]", #"{"Data":{"Page1":[{"FBillNo":"SO7"}]}}"#])
  func broken(body: String) async {
    let outcomes = await stage.handle([.bill(1, body: body), .bill(2)])
    guard case .dead(let burial) = outcomes[0] else {
      Issue.record("it must not go to K/3: \(outcomes[0])")
      return
    }
    #expect(burial.reason.code == .undecodable)
    #expect(burial.reason.sentence.hasPrefix("order 1: the bill's "))
    #expect(!["SO1", "SO7", "no JSON"].contains { burial.reason.sentence.contains($0) })
    #expect(row(1) == nil)
    #expect(outcomes[1] == .done(.written))
    #expect(erp.saves == ["SO2"])
    #expect(erp.lookUps.isEmpty)
  }
}

/// A ledger that reports claims, and whose settles may be lost or refused.
final class WatchedLedger: SyncLedger {
  enum Settles { case kept, lost, refused }

  let claims = Probe<ClaimRequest>()
  private let inner: MemoryLedger
  private let settles: Settles
  private let failsAfter: Int

  /// - Parameter failsAfter: so many of a batch are claimed, of the others nothing is known.
  init(_ inner: MemoryLedger, settles: Settles, failsAfter: Int = .max) {
    self.inner = inner
    self.settles = settles
    self.failsAfter = failsAfter
  }

  func claim(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer] {
    for request in requests { claims.report(request) }
    let answers = try await inner.claim(Array(requests.prefix(failsAfter)), leaseSeconds: leaseSeconds)
    return answers + requests.dropFirst(failsAfter).map { _ in .unanswered(.broken("no disk")) }
  }

  func remove(_ requests: [RemovalRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [RemovalAnswer] {
    try await inner.remove(requests, leaseSeconds: leaseSeconds)
  }

  func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    switch settles {
    case .kept: return try await inner.settle(settlements)
    case .lost: throw .unavailable("the connection broke")
    case .refused: return settlements.map { _ in false }
    }
  }
}
