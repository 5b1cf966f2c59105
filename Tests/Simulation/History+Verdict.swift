import Orders
import Pipeline
import PipelineTesting

/// What must hold at every step, of messages, and at the end.
extension History {
  func check(published envelope: Envelope) {
    if envelope.attempt > Self.policy.maxAttempts {
      world.fail("order \(envelope.orderID) is tried \(envelope.attempt) times")
    }
  }

  /// What has left its queue is somewhere else, or the ledger has it, in its revision or a newer one.
  func check(gone envelope: Envelope) {
    let (id, revision) = (envelope.orderID, envelope.revision)
    if broker.holds(id, from: revision) || settledRemovals[id] ?? 0 >= revision { return }
    let isWritten = database.ledger.rows.values.contains {
      $0.id.orderID == id && $0.revision >= revision && $0.state == .written
    }
    if !isWritten { world.fail("order \(id) is lost: revision \(revision) is in no queue, and not written") }
  }

  /// What is settled as written is what K/3 holds, to the content that was sent; 0 says that nobody knows.
  func check(settled bill: BillID) {
    // What a process that was frozen sends late is not promised.
    guard plan.freezes == 0, let row = database.ledger.rows[bill], row.state == .written, row.payloadHash != 0,
      let held = k3.bills.first(where: { $0.order == bill.orderID })
    else { return }
    if held.hash != row.payloadHash {
      world.fail(
        "order \(bill.orderID) is taken for written in revision \(row.revision), and K/3 holds another content")
    }
    if held.object != row.object {
      world.fail("order \(bill.orderID) is taken for written as \(row.object), and K/3 holds it as \(held.object)")
    }
  }

  func judge(_ done: Bool) {
    for row in database.ledger.rows.values { check(settled: row.id) }
    for (id, order) in okki.orders.sorted(by: { $0.key < $1.key }) where !isSettled(id, order) {
      let held = k3.bills.filter { $0.order == id }.map(\.version)
      world.fail("order \(id) is lost: version \(order.version) is neither in K/3 (which has \(held)) nor parked")
    }
    for (id, deletion) in okki.deleted where deletion.at >= since.epochSeconds {
      guard let removal = broker.removals[id] else {
        world.fail("the deletion of order \(id) is lost")
        continue
      }
      // Messages before and after: whatever OKKI showed of it while it was there has a smaller number.
      if let later = broker.published[id]?.first(where: { $0.revision > removal && $0.isRead }) {
        world.fail("the deletion of order \(id) has number \(removal), and a content of it \(later.revision)")
      }
    }
    if !areOperatorsServed { world.fail("what an operator asked for is not done") }
    if !done { world.fail("it does not come to an end: \(broker.delayed) messages wait") }
    for (id, count) in broker.handed.sorted(by: { $0.key < $1.key }) where count > Self.mostDeliveries {
      world.fail("order \(id) was handed to workers \(count) times")
    }
    if plan.removed == .cancel {
      for (id, removal) in settledRemovals.sorted(by: { $0.key < $1.key }) where okki.orders[id] == nil {
        let isHeld = broker.dead.contains { $0.envelope.orderID == id && $0.reason == .removedAfterWritten }
        // Back and deleted once more, of which nobody was told, it is not the removal's.
        let isLeft = k3.bills.contains { $0.order == id && broker.revisions[id]?[$0.version] ?? 0 < removal }
        if isLeft, !isHeld { world.fail("removed order \(id) has a bill still") }
      }
    }
    checkTouched()
    for letter in broker.dead where !isRightlyParked(letter) {
      world.fail("order \(letter.envelope.orderID) is parked for \(letter.reason?.rawValue ?? "the delivery limit")")
    }
  }

  /// Whether what the letter says is so: a program that parks whatever comes has lost nothing either. An outage parks
  /// nothing.
  private func isRightlyParked(_ letter: SimulatedBroker.DeadLetter) -> Bool {
    let id = letter.envelope.orderID
    let held = k3.held[id] ?? []
    switch letter.reason {
    case .k3Rejected: return k3.refused.contains(id) || k3.audited.contains(id)
    case .k3Busy: return k3.locked.contains(id) && letter.envelope.attempt == Self.policy.maxAttempts
    case .changedAfterWritten, .removedAfterWritten: return !held.isEmpty
    case .conflict: return held.contains { $0 != Self.version(letter.envelope) }
    case .orderMalformed:
      // The poller could not read it: its questions got lost, or the order came and went.
      let isQuestionLost = plan.network.requestLost + plan.network.replyLost + plan.okkiOutages + plan.freezes > 0
      return letter.envelope.content == .order([]) && (isQuestionLost || okki.everDeleted.contains(id))
    default: return false
    }
  }

  /// Where K/3's bill is never changed nor deleted, and none was in doubt, no order is parked for a change whose bill is
  /// K/3's very bill.
  private func checkTouched() {
    guard plan.changed != .update, plan.removed == .hold else { return }
    for letter in broker.dead where letter.reason == .changedAfterWritten {
      let order = letter.envelope.orderID
      guard case .bill(let bill, _) = letter.envelope.content,
        database.ledger.rows.values.contains(where: { $0.id.orderID == order && $0.state == .written })
      else { continue }
      let hash = fingerprint(bill.body)
      if k3.bills.contains(where: { $0.order == order && $0.object == bill.object && $0.hash == hash }) {
        world.fail("order \(order) is parked as changed in revision \(letter.envelope.revision), which is what K/3 has")
      }
    }
  }
}
