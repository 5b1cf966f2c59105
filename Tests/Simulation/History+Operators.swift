import Orders
import Pipeline
import PipelineTesting

/// What operators do: they fill in what lies before Ferry's beginning, and have orders read anew.
extension History {
  /// From where on orders are polled.
  var since: BeijingTime { BeijingTime(epochSeconds: World.epoch + (plan.startsLate ?? -10)) }

  /// Orders that the poller parked without having read them.
  var unread: Int { broker.dead.count { $0.envelope.content == .order([]) } }

  /// Orders that backfills published.
  var backfilled: Int {
    database.books.allSweeps.filter { $0.kind == .backfill }.map { $0.findings.missed + $0.findings.changed }.reduce(
      0, +)
  }

  func operators() {
    if let late = plan.startsLate { backfill(late) }
    guard plan.readsAnew else { return }
    for number in 1...plan.orders {
      for _ in 0..<operating.pick([0, 1, 1, 2]) {
        let id = OrderID(rawValue: Int64(number))
        world.after(Int64(operating.number(0...Int(plan.chaosEnds) - 1))) {
          guard self.okki.orders[id] != nil else { return }
          self.world.tell("order \(id) is to be read anew")
          self.askedAnew[id] = self.world.now
          self.database.books.ask([id])
        }
      }
    }
  }

  /// All that is older than Ferry, by either time; sometimes it is paused in the middle.
  private func backfill(_ late: Int64) {
    let basis: Sweep.Basis = operating.pick([.create, .update])
    let pauses = operating.happens(300)
    let pause = Int64(operating.number(100...20_000))
    let start = Int64(operating.number(Int(late) * 1_000...Int(plan.chaosEnds) - 1))
    let window = TimeWindow(from: BeijingTime(epochSeconds: World.epoch - 10), to: since)
    let desk = MemoryPollLedger(database.books)
    world.after(start) {
      guard let window else { return }
      Task {
        guard let sweep = try? await desk.startBackfill(window, basis) else { return }
        self.world.tell("backfill \(sweep.id) begins")
        if pauses { self.pause(sweep, desk, after: pause) }
      }
    }
  }

  private func pause(_ sweep: Sweep, _ desk: MemoryPollLedger, after pause: Int64) {
    world.after(pause) {
      Task {
        guard case .changed? = try? await desk.change(sweep.id, to: .paused) else { return }
        self.world.tell("backfill \(sweep.id) is paused")
        self.world.after(30_000) { Task { _ = try? await desk.change(sweep.id, to: .running) } }
      }
    }
  }

  /// Orders that are read anew by now must have been published since somebody asked for them.
  func check(readAnew orders: [OrderID]) {
    let left = database.books.toReadAnew
    for id in orders where !left.contains(id) {
      guard let asked = askedAnew.removeValue(forKey: id) else { continue }
      refetched += 1
      if broker.lastPublished[id] ?? -1 < asked { world.fail("order \(id) was to be read anew and is not published") }
    }
  }

  /// Whether backfills are done, and orders read anew.
  var areOperatorsServed: Bool {
    let books = database.books
    return books.toReadAnew.isEmpty && books.allSweeps.allSatisfy { $0.kind != .backfill || $0.state == .done }
  }
}
