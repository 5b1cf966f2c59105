import Logging
import Mapping
import Orders
import Pipeline
import PipelineTesting

/// One history: some orders, Ferry's processes, trouble by the seed, and the end that must come all the same.
final class History: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.

  /// How it went.
  struct Result {
    let seed: UInt64
    let violation: String?
    let story: [String]
    let trace: UInt64
    let steps: Int
    /// What there was of what.
    let counts: [String: Int]
  }

  private static let times = LoadTimes(leaseSeconds: 240, saveSeconds: 60, marginSeconds: 10, visibleSeconds: 60)
  static let policy = RetryPolicy(ladder: [10, 60, 600, 3_600], maxAttempts: 8)
  private static let patience: Int64 = 48 * 3_600_000
  /// Most times that one message is handed out: K/3 that is away is asked itself, so more is a circle without an end.
  static let mostDeliveries = 500

  private let seed: UInt64
  /// The strategy's editions: the usual one, one with another content, and one of another object.
  private let editions: [StrategySet]
  let world: World
  let plan: Plan
  let broker: SimulatedBroker
  let database: SimulatedDatabase
  let okki: SimulatedOKKI
  let k3: SimulatedK3
  private var hosts: [String: Host] = [:]
  private var inboxes: [String: SimulatedInbox] = [:]
  private var starts = 0
  private var later: SeededRandom
  private var silent: SeededRandom
  /// Orders that only reconciliations found.
  private var reconciled = 0
  private var touches: SeededRandom
  private var editing: SeededRandom
  var operating: SeededRandom
  private var clocks: SeededRandom
  private var moving: SeededRandom
  /// Orders that were read anew.
  var refetched = 0
  /// When somebody asked last for an order to be read anew.
  var askedAnew: [OrderID: Int64] = [:]
  /// Removals that are settled: nothing older is written afterwards.
  var settledRemovals: [OrderID: Int64] = [:]
  private var isOver = false
  private var arePollersNeeded = true

  init(seed: UInt64, editions: [StrategySet], tells: Bool) {
    self.seed = seed
    self.editions = editions
    world = World(seed: seed, tells: tells)
    later = SeededRandom(seed: seed ^ 0x1A7E)
    silent = SeededRandom(seed: seed ^ 0x51E7)
    touches = SeededRandom(seed: seed ^ 0x70C4)
    operating = SeededRandom(seed: seed ^ 0x0BE7)
    editing = SeededRandom(seed: seed ^ 0xED17)
    clocks = SeededRandom(seed: seed ^ 0xC10C)
    moving = SeededRandom(seed: seed ^ 0x0B1E)
    plan = Plan(
      &world.random, later: &later, silent: &silent, operating: &operating, editing: &editing, clocks: &clocks,
      moving: &moving)
    broker = SimulatedBroker(world, ladder: Self.policy.ladder)
    database = SimulatedDatabase(world)
    okki = SimulatedOKKI(world, tiesMove: plan.tiesMove ? SeededRandom(seed: seed ^ 0x71E5) : nil)
    k3 = SimulatedK3(world, plan.k3, visibleAfter: 60_000, showsLittle: plan.showsLittle)
  }

  func run() -> Result {
    Scheduler.shared.random = SeededRandom(seed: seed ^ 0x5EED)
    let before = Scheduler.shared.steps
    world.tell("\(plan)")
    k3.onSave = { [unowned self] in checkSave($0, $1) }
    k3.isNewer = { [unowned self] order, one, other in
      // A version that was taken back to was published in several revisions.
      broker.firstRevisions[order]?[one] ?? 0 > broker.revisions[order]?[other] ?? 0
    }
    broker.onPublish = { [unowned self] in check(published: $0) }
    broker.onGone = { [unowned self] in check(gone: $0) }
    users()
    operators()
    for number in 1...plan.pollers { start("poller \(number)") }
    for number in 1...plan.transformers { start("transformer \(number)") }
    for number in 1...plan.loaders { start("loader \(number)") }
    trouble()
    world.after(plan.chaosEnds) { self.heal() }
    _ = world.run(until: { false }, limit: plan.chaosEnds)
    var nextLook = world.now
    let isDone = world.run(
      until: {
        guard self.world.now >= nextLook else { return false }
        nextLook = self.world.now + 5_000
        return self.isFinished
      }, limit: plan.chaosEnds + Self.patience)
    if world.violation == nil { judge(isDone || isFinished) }
    end()
    let counts = [
      "bills": k3.bills.count, "saves": k3.saves, "updates": k3.updates, "deletes": k3.deletes, "look-ups": k3.lookUps,
      "parked": broker.dead.count, "reconciled": reconciled, "orders": plan.orders, "unread": unread,
      "backfilled": backfilled, "read anew": refetched,
      "process starts": starts, "deliveries": broker.handed.values.reduce(0, +),
    ]
    return Result(
      seed: seed, violation: world.violation, story: world.story, trace: world.trace,
      steps: Scheduler.shared.steps - before, counts: counts)
  }

  // MARK: Users

  private func users() {
    for number in 1...plan.orders {
      let id = OrderID(rawValue: Int64(number))
      var at = Int64(world.random.number(0...60_000))
      world.after(at) { self.okki.change(id) }
      for _ in 0..<world.random.pick([0, 0, 1, 1, 2, 3]) {
        // Sometimes within the same second.
        at += Int64(world.random.happens(400) ? world.random.number(0...900) : world.random.number(0...90_000))
        at = min(at, plan.chaosEnds - 10_000)
        world.after(at) { self.okki.change(id) }
      }
      if world.random.happens(100) {
        // While pollers are still at work.
        world.after(min(at + Int64(world.random.number(0...60_000)), plan.chaosEnds - 1)) { self.okki.delete(id) }
      }
      if world.random.happens(100) { k3.refused.insert(id) }
      if plan.locksOrders, operating.happens(300) { k3.locked.insert(id) }
      if touches.happens(400) {
        for _ in 1...touches.number(1...3) {
          let takesBack = touches.happens(400)
          world.after(Int64(touches.number(0...Int(plan.chaosEnds) - 10_000))) {
            self.okki.touch(id, takesBack: takesBack)
          }
        }
      }
      if plan.hasRemovals, later.happens(600) { remove(id) }
      if plan.hasSilentChanges { changeSilently(id) }
      if later.happens(plan.audited) {
        world.after(Int64(later.number(0...Int(plan.chaosEnds)))) { self.k3.audited.insert(id) }
      }
    }
  }

  private func changeSilently(_ id: OrderID) {
    for _ in 0..<silent.pick([0, 1, 1, 2]) {
      world.after(Int64(silent.number(0...Int(plan.chaosEnds) - 1))) { self.okki.changeSilently(id) }
    }
  }

  /// An order is deleted, and perhaps comes back.
  private func remove(_ id: OrderID) {
    let at = Int64(later.number(0...Int(plan.chaosEnds) - 130_000))
    let comesBack: Int64? = later.happens(400) ? Int64(later.number(1_000...60_000)) : nil
    world.after(at) {
      guard let version = self.okki.orders[id]?.version else { return }
      self.okki.delete(id)
      if let comesBack { self.world.after(comesBack) { self.restore(id, version) } }
    }
  }

  /// Once the poller has seen it gone: else there is nothing to tell.
  private func restore(_ id: OrderID, _ version: Int) {
    if isOver || !arePollersNeeded { return }
    guard isRemovalPublished(id) else { return world.after(5_000) { self.restore(id, version) } }
    okki.restore(id, version: version)
  }

  // MARK: Processes

  private func start(_ name: String) {
    if isOver || !arePollersNeeded && name.hasPrefix("poller") { return }
    starts += 1
    let host = Host(name, world, plan.network)
    host.skew = plan.skew == 0 ? 0 : Int64(world.random.number(-plan.skew...plan.skew))
    if world.now >= plan.chaosEnds { host.faults = NetworkFaults() }
    hosts[name] = host
    host.onExit = { self.world.after(Int64(self.world.random.number(100...5_000))) { self.start(name) } }
    let ledger = SimulatedLedger(
      host, database, onAdvance: { [weak self] in self?.check($0, $1) },
      onRemoval: { [weak self] in self?.note($0, $1) },
      onSweep: { [weak self] in if $0 == .reconcile { self?.reconciled += $1.missed + $1.changed } },
      onReadAnew: { [weak self] in self?.check(readAnew: $0) }, onSettle: { [weak self] in self?.check(settled: $0) })
    let outbox = SimulatedOutbox(host, broker)
    let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    if name.hasPrefix("poller") {
      let poller = Poller(
        source: SimulatedOrderSource(host, okki), ledger: ledger, outbox: outbox, plan: pollPlan,
        clock: host.clock, logger: logger, sweeps: plan.sweeps ? ledger : nil)
      return host.start { await poller.run() }
    }
    let isLoader = name.hasPrefix("loader")
    let inbox = SimulatedInbox(host, broker, isLoader ? .load : .transform)
    inboxes[name] = inbox
    let stage: any Stage =
      isLoader
      ? LoadStage(
        ledger: ledger,
        destination: SimulatedDestination(
          host, k3, saveTimeout: Int64(Self.times.saveSeconds) * 1_000, latest: Self.times.visibleSeconds * 900),
        times: Self.times, clock: host.clock, changed: plan.changed,
        removed: plan.removed)
      : TransformStage(strategies: edition, collections: ledger)
    let worker = Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: Self.policy,
      shape: WorkerShape(batchSize: 4, concurrentBatches: 2), clock: host.clock, logger: logger,
      breakers: isLoader && plan.sharesBreaker ? SimulatedBreakers(host, database) : nil)
    host.start { await worker.run() }
  }

  /// The edition of the strategy that a transformer starts with.
  private var edition: StrategySet {
    let edition = plan.editsStrategy ? editing.pick([editions[0], editions[1]]) : editions[0]
    return plan.movesObject && moving.happens(500) ? editions[2] : edition
  }

  private var pollPlan: PollPlan {
    var plan = PollPlan(since: since)
    plan.pageSize = 2
    plan.sliceSize = 3
    if self.plan.hasSilentChanges {
      plan.reconcileSeconds = 120
      plan.reconcileDays = 3
    }
    return plan
  }

  // MARK: Trouble

  private func trouble() {
    func sometime(_ count: Int, _ body: @escaping () -> Void) {
      for _ in 0..<count { world.after(Int64(world.random.number(0...Int(plan.chaosEnds) - 1)), body) }
    }
    func anyone() -> (String, Host) { world.random.pick(hosts.sorted { $0.key < $1.key }) }
    sometime(plan.kills) {
      let (name, host) = anyone()
      guard host.isAlive else { return }
      host.kill()
      self.world.after(Int64(self.world.random.number(500...20_000))) { self.start(name) }
    }
    sometime(plan.terminations) {
      let (name, host) = anyone()
      guard host.isAlive, let inbox = self.inboxes[name] else { return }
      self.world.tell("\(name) gets SIGTERM")
      Task { await inbox.stop() }
    }
    sometime(plan.freezes) { anyone().1.freeze(for: Int64(self.world.random.number(1_000...600_000))) }
    sometime(plan.brokerRestarts) { self.broker.restart(for: Int64(self.world.random.number(500...30_000))) }
    sometime(plan.databaseRestarts) { self.database.restart(for: Int64(self.world.random.number(500...60_000))) }
    sometime(plan.k3Outages) {
      self.k3.server.goDown(for: Int64(self.world.random.pick(Plan.outages)))
    }
    for _ in 0..<plan.clockJumps { jumpClock() }
    sometime(plan.okkiOutages) { self.okki.server.goDown(for: Int64(self.world.random.number(1_000...600_000))) }
  }

  /// One of OKKI's machines tells a wrong time for a while, or for one answer. Orders bear right times, so it lasts for less
  /// than the overlap: a longer one no window can allow for.
  private func jumpClock() {
    let ahead = Int64(clocks.pick([-86_400, -600, -150, -20, 4, 20, 150, 600, 7_200, 86_400]))
    let lasts = Int64(clocks.pick([500, 5_000, 20_000, 60_000]))
    world.after(Int64(clocks.number(0...Int(plan.chaosEnds) - 1))) {
      self.okki.skew = ahead
      self.world.tell("OKKI's clock is \(ahead) s ahead")
      self.world.after(lasts) {
        self.okki.skew = 0
        self.world.tell("OKKI's clock is right")
      }
    }
  }

  private func heal() {
    world.tell("all is healed")
    for host in hosts.values { host.faults = NetworkFaults() }
    let renumbers = k3.faults.renumbers
    k3.faults = K3Faults()
    k3.faults.renumbers = renumbers
  }

  // MARK: What must hold

  /// The watermark says that everything up to it is safe.
  private func check(_ stream: PollStream, _ watermark: BeijingTime) {
    if stream == .removed { return checkRemovals(watermark) }
    guard stream == .orders else { return }
    if isAhead(watermark) { return }
    for (id, order) in okki.orders where isPolled(order.updated, until: watermark) {
      let isSafe = broker.published[id]?.contains { $0.updateTime.epochSeconds >= order.updated } ?? false
      if !isSafe { world.fail("the watermark passed order \(id), which is not published") }
    }
  }

  /// What is older than Ferry no watermark speaks of.
  private func isPolled(_ second: Int64, until watermark: BeijingTime) -> Bool {
    second >= since.epochSeconds && second <= watermark.epochSeconds
  }

  /// Set by a wrong clock: what it hides is to be found once the clock is right, or the history does not come to its end.
  private func isAhead(_ watermark: BeijingTime) -> Bool {
    watermark.epochSeconds > world.seconds - Int64(pollPlan.lagSeconds)
  }

  private func checkRemovals(_ watermark: BeijingTime) {
    if isAhead(watermark) { return }
    for (id, deletion) in okki.deleted where isPolled(deletion.at, until: watermark) && broker.removals[id] == nil {
      world.fail("the watermark passed the deletion of order \(id), which is not published")
    }
  }

  /// A removal after which nothing older may be written.
  private func note(_ request: RemovalRequest, _ answer: RemovalAnswer) {
    guard !answer.isStale, answer.waitSeconds == nil else { return }
    settledRemovals[request.order] = max(settledRemovals[request.order] ?? 0, request.revision)
  }

  private func checkSave(_ id: OrderID, _ version: Int) {
    // A process frozen on its way to the socket may come after the removal: that is not promised.
    guard plan.freezes == 0, let removal = settledRemovals[id],
      let revision = broker.revisions[id]?[version]
    else { return }
    if revision < removal { world.fail("order \(id) is written in revision \(revision) after its removal \(removal)") }
  }

  /// Nothing is on its way any more, and the poller has seen everything.
  private var isFinished: Bool {
    retirePollers()
    guard broker.isEmpty, okki.server.isUp, k3.server.isUp, database.server.isUp, broker.server.isUp else {
      return false
    }
    return !arePollersNeeded && okki.orders.allSatisfy { isSettled($0, $1) }
  }

  /// Once everything is published pollers have nothing more to do than to make the history long.
  private func retirePollers() {
    guard arePollersNeeded, okki.orders.allSatisfy({ isPublished($0, $1) }), areOperatorsServed,
      okki.deleted.allSatisfy({ $1.at < since.epochSeconds || isRemovalPublished($0) })
    else { return }
    arePollersNeeded = false
    for (name, host) in hosts.sorted(by: { $0.key < $1.key }) where name.hasPrefix("poller") { host.kill() }
  }

  /// Under a number that no content of it exceeds.
  private func isRemovalPublished(_ id: OrderID) -> Bool {
    guard let removal = broker.removals[id] else { return false }
    return broker.published[id]?.allSatisfy { $0.revision <= removal || !$0.isRead } ?? true
  }

  private func isPublished(_ id: OrderID, _ order: SimulatedOKKI.Order) -> Bool {
    broker.editions[id]?.contains([order.touches, order.version]) ?? false || isParkedUnread(id, order)
  }

  func isSettled(_ id: OrderID, _ order: SimulatedOKKI.Order) -> Bool {
    k3.bills.contains { $0.order == id && $0.version == order.version }
      || broker.dead.contains { $0.envelope.orderID == id && Self.version($0.envelope) == order.version }
      || isParkedUnread(id, order)
  }

  /// The poller parks an order whose details alone fail again and again: such a message has no content, only the time.
  private func isParkedUnread(_ id: OrderID, _ order: SimulatedOKKI.Order) -> Bool {
    broker.dead.contains { letter in
      letter.envelope.orderID == id && letter.envelope.content == .order([])
        && letter.envelope.updateTime.epochSeconds >= order.updated
    }
  }

  /// All processes end, and their tasks with them.
  private func end() {
    isOver = true
    for host in hosts.sorted(by: { $0.key < $1.key }).map(\.value) { host.kill() }
    Scheduler.shared.drain()
  }
}
