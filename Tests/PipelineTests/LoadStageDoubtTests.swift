import Mapping
import Orders
import Pipeline
import PipelineTesting
import Testing

/// What the loader does about a Save whose answer never came.
extension LoadStageTests {
  /// A bill whose Save had no clear answer, and which one look-up did not find; the second one is due.
  private func onceAbsent() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await stage.handle([.bill(1)])
    ledger.makeDue(OrderID(rawValue: 1))
    guard case .later(let reason, 30) = await stage.handle([.bill(1)]).first else {
      Issue.record("one look-up that finds nothing is no proof")
      return
    }
    #expect(reason.code == .lookUpPending)
    #expect(row(1)?.state == .inDoubt)
    guard case .later = await stage.handle([.bill(1)]).first else {
      Issue.record("the second look-up must be spaced from the first")
      return
    }
    #expect(erp.lookUps == ["SO1"])
    #expect(erp.saves == ["SO1"])
    ledger.makeDue(OrderID(rawValue: 1))
  }

  @Test("what K/3 said to a Save in doubt, or to one that it refused, stays with the bill")
  func answers() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "HTTP 502"), answer: "<html>")), key: "SO1")
    erp.next(.answer(.rejected(Reason(.k3Rejected, "refused"), answer: "客户不存在")), key: "SO2")
    _ = await stage.handle([.bill(1), .bill(2)])
    #expect(row(1)?.vendorAnswer == "<html>")
    #expect(row(2)?.vendorAnswer == "客户不存在")
    ledger.makeDue(OrderID(rawValue: 1))
    _ = await stage.handle([.bill(1)])
    #expect(row(1)?.vendorAnswer == "<html>")
  }

  @Test("what K/3 said to a look-up that told nothing stays with the bill, also while it is to be deleted")
  func lookUpAnswers() async throws {
    for id in 1...2 { erp.next(.lostAnswer, key: "SO\(id)") }
    _ = await stage.handle([.bill(1), .bill(2), .bill(3)])
    for id in 1...2 { ledger.makeDue(OrderID(rawValue: Int64(id))) }
    erp.next(lookUp: .unusable(Reason(.inDoubt, "no page"), answer: "[]"), key: "SO1")
    erp.next(lookUp: .unavailable(Reason(.k3Unavailable, "HTTP 502"), answer: "<html>"), key: "SO2")
    erp.next(lookUp: .unusable(Reason(.inDoubt, "no page"), answer: "{}"), key: "SO3")
    _ = await stage.handle([.bill(1), .bill(2)])
    let cancelling = LoadStage(
      ledger: ledger, destination: erp,
      times: LoadTimes(leaseSeconds: 120, saveSeconds: 60, marginSeconds: 5, visibleSeconds: 30),
      clock: pipelineClock(clock), removed: .cancel)
    _ = await cancelling.handle([Envelope.order(3, revision: 2).carrying(.removal)])
    #expect((1...3).map { row($0)?.vendorAnswer } == ["[]", "<html>", "{}"])
  }

  @Test("in doubt and twice not in K/3: it is saved after the second look-up")
  func absent() async {
    await onceAbsent()
    #expect(await stage.handle([.bill(1)]) == [.done(.written)])
    #expect(erp.lookUps == ["SO1", "SO1"])
    #expect(erp.saves == ["SO1", "SO1"])
  }

  @Test("a bill that K/3 shows only to the second look-up is not saved again")
  func late() async {
    erp.next(.lostAnswer, key: "SO1")
    erp.next(lookUp: .absent, key: "SO1")
    _ = await stage.handle([.bill(1)])
    for _ in 0..<2 {
      ledger.makeDue(OrderID(rawValue: 1))
      _ = await stage.handle([.bill(1)])
    }
    #expect(row(1)?.state == .written)
    #expect(erp.saves == ["SO1"])
  }

  @Test("a look-up that K/3 does not answer neither counts as an absence nor takes one back")
  func absenceKept() async {
    await onceAbsent()
    erp.next(lookUp: .unavailable(Reason(.k3Unavailable, "away")), key: "SO1")
    _ = await stage.handle([.bill(1)])
    #expect(row(1)?.absences == 1)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(await stage.handle([.bill(1)]) == [.done(.written)])
    #expect(erp.saves == ["SO1", "SO1"])
  }

  @Test("after a repeated Save whose answer is unclear, too, two absences are needed again")
  func absencesAnew() async {
    await onceAbsent()
    erp.next(.lostAnswer, key: "SO1")
    erp.next(lookUp: .absent, key: "SO1")
    erp.next(lookUp: .absent, key: "SO1")
    _ = await stage.handle([.bill(1)])
    #expect(row(1)?.absences == 0)
    ledger.makeDue(OrderID(rawValue: 1))
    _ = await stage.handle([.bill(1)])
    #expect(erp.saves == ["SO1", "SO1"])
  }

  @Test("a look-up that is late while others are answered is waited for, until the order is a day old; then it counts")
  func lookUpLate() async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1)])
    let late = Reason(.inDoubt, "too late")
    for milliseconds in [Int64(0), 86_399_999, 86_400_000] {
      ledger.makeDue(OrderID(rawValue: 1))
      erp.next(lookUp: .late(late, answer: "<html>"), key: "SO1")
      var envelope = Envelope.bill(1)
      envelope.firstSeen = pipelineClock(clock).epochMilliseconds() - milliseconds
      let outcome = await stage.handle([envelope]).first
      // Not as an outage: it would stop everybody.
      let waits = Outcome.later(Reason(.lookUpPending, "too late"), afterSeconds: 30)
      #expect(outcome == (milliseconds < 86_400_000 ? waits : .retry(late)))
      #expect(row(1)?.state == .inDoubt)
    }
    #expect(row(1)?.vendorAnswer == "<html>")
    #expect(erp.saves == ["SO1"])
  }

  @Test("in doubt and K/3 cannot be asked: nothing is sent")
  func lookUpAway() async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1)])
    ledger.makeDue(OrderID(rawValue: 1))
    erp.next(lookUp: .unavailable(Reason(.k3Unavailable, "away")), key: "SO1")
    guard case .later = await stage.handle([.bill(1)]).first else {
      Issue.record("no look-up, no Save")
      return
    }
    #expect(erp.saves == ["SO1"])
    #expect(row(1)?.state == .inDoubt)
  }

  @Test("what is found after a Save that followed two absences is that Save's, not an older revision's")
  func provenRevision() async {
    await onceAbsent()
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1, revision: 2)])
    #expect(erp.saves == ["SO1", "SO1"] && row(1)?.state == .inDoubt)
    ledger.makeDue(OrderID(rawValue: 1))
    #expect(await stage.handle([.bill(1, revision: 2)]) == [.done(.resolved)])
  }

  @Test("a bill in doubt that looks like another content of its revision (an edited strategy) is not taken for it")
  func editedStrategy() async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1)])
    for _ in 1...2 {
      ledger.makeDue(OrderID(rawValue: 1))
      erp.next(lookUp: .same(WrittenBill(number: "SO1", internalID: 1)), key: "SO1")
      guard case .dead(let burial) = await stage.handle([.bill(1, customer: "C2")]).first else {
        Issue.record("K/3 holds what was sent first, which is not all compared")
        return
      }
      #expect(burial.reason.code == .changedAfterWritten && row(1)?.doubt == true)
    }
    // What is in doubt comes again: that is its bill.
    #expect(await stage.handle([.bill(1)]) == [.done(.resolved)])
    #expect(erp.saves == ["SO1"])
  }

  @Test("a look-up that K/3 answers unusably counts as an attempt, and the bill stays in doubt")
  func lookUpUnusable() async {
    let reason = Reason(.inDoubt, "K/3's list counts 1 rows and shows none")
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1)])
    ledger.makeDue(OrderID(rawValue: 1))
    erp.next(lookUp: .unusable(reason), key: "SO1")
    #expect(await stage.handle([.bill(1)]) == [.retry(reason)])
    #expect(erp.saves == ["SO1"] && row(1)?.state == .inDoubt)
  }

  @Test("a look-up that K/3 does not let us make is an outage, and the bill stays in doubt")
  func lookUpLockedOut() async {
    let reason = Reason(.k3Unauthorized, "refused")
    erp.next(.lostAnswer, key: "SO1")
    _ = await stage.handle([.bill(1)])
    ledger.makeDue(OrderID(rawValue: 1))
    erp.next(lookUp: .unavailable(reason), key: "SO1")
    #expect(await stage.handle([.bill(1)]) == [.outage(reason)])
    #expect(erp.saves == ["SO1"] && row(1)?.state == .inDoubt)
  }

  @Test("in doubt again after a look-up that found nothing: counted, so that it ends")
  func doubtRepeated() async {
    let doubt = Reason(.inDoubt, "reset")
    await onceAbsent()
    erp.next(.answer(.uncertain(doubt)), key: "SO1")
    #expect(await stage.handle([.bill(1)]) == [.retry(doubt)])
    #expect(row(1)?.state == .inDoubt)
  }
}
