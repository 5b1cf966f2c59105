import Orders
import Pipeline
import PipelineTesting
import Testing

/// What K/3 may hold × what is claimed now × what the look-up finds × the policy.
@Suite("Load stage: another content while one is in doubt", .timeLimit(.minutes(1)))
struct LoadStageContentTests {
  private let clock = ManualClock()
  private let ledger: MemoryLedger
  private let erp = MemoryBillDestination()
  /// What a look-up says that cannot tell the contents apart.
  private let alike = LookUpAnswer.same(WrittenBill(number: "SO1", internalID: 1))

  init() { ledger = MemoryLedger(clock: clock) }

  private func stage(_ policy: ChangedOrders, _ settles: WatchedLedger.Settles = .kept) -> LoadStage {
    LoadStageChangeTests.stage(over: WatchedLedger(ledger, settles: settles), erp, clock, policy)
  }

  private var row: LedgerRow? { ledger.rows[BillID(OrderID(rawValue: 1), stream: "SO")] }

  /// A bill of the order; its customer is all that differs in content.
  private func bill(_ customer: String, revision: Int64 = 1, object: String = "SO", of parts: Int = 0) -> Envelope {
    .bill(
      1, revision: revision, object: object, part: parts == 0 ? nil : BillRoute.Part(1, of: parts),
      body: #"{"Data":{"Page1":[{"FBillNo":"SO1","FCustID":{"FNumber":"\#(customer)"}}]}}"#)
  }

  private func body(_ customer: String) -> [UInt8]? {
    if case .bill(let bill, _) = bill(customer).content { bill.body } else { nil }
  }

  private func code(_ outcome: Outcome?) -> ReasonCode? {
    if case .dead(let burial) = outcome { burial.reason.code } else { nil }
  }

  /// What becomes of a message whose turn has come.
  private func handled(
    _ message: Envelope, _ policy: ChangedOrders, _ found: LookUpAnswer? = nil, diesOver: Bool = false
  ) async -> Outcome? {
    ledger.makeDue(OrderID(rawValue: 1))
    if let found { erp.next(lookUp: found, key: "SO1") }
    return await stage(policy, diesOver ? .lost : .kept).handle([message]).first
  }

  /// By the policy: parked, updated to B, or left as it is and not taken for B.
  private func expectPolicy(_ policy: ChangedOrders, _ message: Envelope, _ outcome: Outcome?) async {
    switch policy {
    case .hold:
      #expect(code(outcome) == .changedAfterWritten && row?.doubt == true)
    case .ignore:
      #expect(outcome == .done(.resolved) && row?.state == .written)
      // Somebody wants updates from now on: B is none of what is known to stand.
      let next = Envelope.order(1, revision: message.revision + 1).carrying(message.content)
      #expect(await handled(next, .update) == .done(.updated))
      #expect(erp.bodies["SO1"] == body("B"))
    case .update:
      guard case .later = outcome else {
        Issue.record("\(String(describing: outcome))")
        return
      }
      #expect(await handled(message, .update, alike) == .done(.updated))
      #expect(erp.bodies["SO1"] == body("B") && row?.bill?.number == "SO1")
    }
    #expect(erp.saves == ["SO1"])
  }

  @Test(
    "a bill found after a worker died over the second content may be the first one's",
    arguments: ChangedOrders.allCases, [1, 2])
  func death(policy: ChangedOrders, revision: Int64) async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(bill("A"), policy)
    _ = await handled(bill("B", revision: revision), policy, .absent, diesOver: true)
    #expect(row?.state == .writing)
    let again = bill("B", revision: revision)
    await expectPolicy(policy, again, await handled(again, policy, alike))
  }

  @Test("a bill found after two deaths is not a third content's either", arguments: ChangedOrders.allCases)
  func deaths(policy: ChangedOrders) async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(bill("A"), policy, diesOver: true)
    _ = await handled(bill("C"), policy, .absent, diesOver: true)
    await expectPolicy(policy, bill("B"), await handled(bill("B"), policy, alike))
  }

  @Test("a bill found that is not the second content after a death over it is held", arguments: ChangedOrders.allCases)
  func unlike(policy: ChangedOrders) async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(bill("A"), policy)
    _ = await handled(bill("B"), policy, .absent, diesOver: true)
    #expect(code(await handled(bill("B"), policy)) == .changedAfterWritten)
    #expect(row?.doubt == true && erp.saves == ["SO1"] && erp.updates.isEmpty)
  }

  @Test("nothing found twice after a death over the second content: it is saved")
  func neither() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await handled(bill("A"), .hold)
    _ = await handled(bill("B"), .hold, diesOver: true)
    _ = await handled(bill("B"), .hold)
    #expect(await handled(bill("B"), .hold) == .done(.written))
    #expect(erp.bodies["SO1"] == body("B"))
  }

  @Test("a bill found is not that of another cut of the same revision", arguments: ChangedOrders.allCases)
  func cut(policy: ChangedOrders) async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(bill("A", of: 2), policy)
    let other = bill("B", of: 3)
    await expectPolicy(policy, other, await handled(other, policy, alike))
  }

  @Test(
    "what may be in one object is looked for there, and nothing is sent to another one",
    arguments: ChangedOrders.allCases, [1, 2])
  func object(policy: ChangedOrders, revision: Int64) async {
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(bill("A"), policy)
    let moved = bill("A", revision: revision, object: "Delivery")
    let unlike = LookUpAnswer.different(Reason(.conflict, "another"))
    #expect(code(await handled(moved, policy, unlike)) == .changedAfterWritten)
    // K/3 itself shows it, in the first object alone.
    let outcome = await handled(moved, policy)
    if policy == .ignore {
      #expect(outcome == .done(.resolved))
    } else {
      #expect(code(outcome) == .changedAfterWritten && row?.doubt == true)
    }
    #expect(row?.object == "SO")
    #expect(erp.saves == ["SO1"] && erp.updates.isEmpty && erp.bodies.keys.sorted() == ["SO1"])
  }

  @Test("where nothing is in the one object, the bill goes to the other one, once")
  func moves() async {
    erp.next(.answer(.uncertain(Reason(.inDoubt, "reset"))), key: "SO1")
    _ = await handled(bill("A"), .hold)
    let moved = bill("A", object: "Delivery")
    for _ in 1...2 {
      guard case .later = await handled(moved, .hold) else {
        Issue.record("two look-ups in the first object, and no Save yet")
        return
      }
    }
    #expect(erp.saves == ["SO1"] && row?.state == .clean)
    erp.next(.lostAnswer, key: "SO1")
    _ = await handled(moved, .hold, diesOver: true)
    // In doubt in the second object now, for whoever comes from the first one.
    #expect(code(await handled(bill("A"), .hold)) == .changedAfterWritten)
    #expect(await handled(moved, .update, alike).map { code($0) == nil } == true)
    #expect(erp.saves == ["SO1", "SO1"] && erp.bodies.keys.sorted() == ["Delivery/SO1"])
  }

  @Test("a bill that stands in one object is not updated as another one")
  func standing() async {
    #expect(await handled(bill("A"), .update) == .done(.written))
    let moved = bill("B", revision: 2, object: "Delivery")
    #expect(code(await handled(moved, .update)) == .changedAfterWritten)
    // Nor one of which an Update was refused.
    erp.next(.answer(.nothingWritten(Reason(.k3Busy, "busy"))), key: "SO1")
    _ = await handled(bill("B", revision: 2), .update)
    #expect(row?.state == .clean)
    #expect(code(await handled(moved, .update)) == .changedAfterWritten)
    #expect(erp.saves == ["SO1"] && erp.updates == ["SO1"])
  }
}
