import JSON
import Orders
import Pipeline

/// What K/3 does to Saves besides what it should.
struct K3Faults {
  /// Written, and then 500, in 1,000.
  var failedAfterCommit = 0
  /// 500, and nothing written.
  var failedBefore = 0
  /// Too many requests.
  var throttled = 0
  /// Done so late that the client has given up.
  var late = 0
  /// A second bill with the same number gets another number instead of being refused.
  var renumbers = false
}

/// K/3 WISE as the protocol sees it: a Save that is not idempotent, and bills that a list shows a little later.
final class SimulatedK3: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.

  struct Stored {
    let order: OrderID
    let object: String
    var version: Int
    /// The body's fingerprint.
    var hash: Int64
    let number: String
    let visibleAt: Int64
  }

  enum SaveReply: Sendable {
    case written(String)
    case taken
    case failed
    case throttled
    case refused
    /// Not to be changed any more, or not there.
    case unchangeable
  }

  let server: Server
  var faults: K3Faults
  private let world: World
  private(set) var bills: [Stored] = []
  private(set) var saves = 0
  private(set) var updates = 0
  private(set) var deletes = 0
  /// Deleted bills, which a list still shows for a while.
  private var ghosts: [(bill: Stored, until: Int64)] = []
  /// Told of each bill before it is saved.
  var onSave: (OrderID, Int) -> Void = { _, _ in }
  /// Whether the first version of an order came to be after the second one.
  var isNewer: (OrderID, Int, Int) -> Bool = { $1 > $2 }
  private(set) var lookUps = 0
  /// All versions that it ever held of each order.
  private(set) var held: [OrderID: Set<Int>] = [:]
  /// Orders whose data K/3 refuses.
  var refused: Set<OrderID> = []
  /// Orders for which K/3 always has too much to do.
  var locked: Set<OrderID> = []
  /// Orders whose bills are audited, now or as soon as they are written.
  var audited: Set<OrderID> = []
  /// How long at most until a list shows a bill.
  let visibleAfter: Int64
  /// See `Plan.showsLittle`.
  let showsLittle: Bool

  init(_ world: World, _ faults: K3Faults, visibleAfter: Int64, showsLittle: Bool) {
    self.showsLittle = showsLittle
    self.world = world
    self.faults = faults
    self.visibleAfter = visibleAfter
    server = Server("K/3", world)
  }

  func save(_ order: OrderID, _ version: Int, _ hash: Int64, as object: String, key: String) -> SaveReply {
    saves += 1
    if locked.contains(order) || world.random.happens(faults.throttled) { return .throttled }
    if world.random.happens(faults.failedBefore) { return .failed }
    if refused.contains(order) { return .refused }
    var number = key
    if place(object, key) != nil {
      guard faults.renumbers else { return .taken }
      number = "\(key)#\(bills.count)"
    }
    world.tell("K/3 writes order \(order) version \(version) as \(object) \(number)")
    onSave(order, version)
    if let other = bills.first(where: { $0.order == order }) {
      world.fail("order \(order) has two bills: \(other.number) and \(number)")
    }
    let delay = Int64(world.random.number(0...Int(visibleAfter)))
    bills.append(
      Stored(
        order: order, object: object, version: version, hash: hash, number: number, visibleAt: world.now + delay))
    held[order, default: []].insert(version)
    return world.random.happens(faults.failedAfterCommit) ? .failed : .written(number)
  }

  /// Each object has numbers of its own.
  private func place(_ object: String, _ number: String) -> Int? {
    bills.firstIndex { $0.object == object && $0.number == number }
  }

  func update(_ order: OrderID, _ version: Int, _ hash: Int64, as object: String, key: String) -> SaveReply {
    updates += 1
    if world.random.happens(faults.throttled) { return .throttled }
    if world.random.happens(faults.failedBefore) { return .failed }
    guard let place = place(object, key), !audited.contains(order) else { return .unchangeable }
    if refused.contains(order) { return .refused }
    world.tell("K/3 changes \(key) of order \(order) from version \(bills[place].version) to \(version)")
    if bills[place].order != order { world.fail("order \(order) changes the bill of order \(bills[place].order)") }
    if isNewer(order, bills[place].version, version) {
      world.fail("order \(order) goes back from version \(bills[place].version) to \(version)")
    }
    (bills[place].version, bills[place].hash) = (version, hash)
    held[order, default: []].insert(version)
    return world.random.happens(faults.failedAfterCommit) ? .failed : .written(key)
  }

  func delete(_ object: String, _ number: String) -> SaveReply {
    deletes += 1
    if world.random.happens(faults.throttled) { return .throttled }
    if world.random.happens(faults.failedBefore) { return .failed }
    guard let place = place(object, number) else { return .failed }
    if audited.contains(bills[place].order) { return .refused }
    world.tell("K/3 deletes \(number) of order \(bills[place].order)")
    let bill = bills.remove(at: place)
    if bill.visibleAt <= world.now {
      ghosts.append((bill, world.now + Int64(world.random.number(0...Int(visibleAfter)))))
    }
    return world.random.happens(faults.failedAfterCommit) ? .failed : .written(number)
  }

  func find(_ object: String, _ key: String) -> Stored? {
    lookUps += 1
    if let place = place(object, key), bills[place].visibleAt <= world.now { return bills[place] }
    return ghosts.first { $0.bill.object == object && $0.bill.number == key && world.now < $0.until }?.bill
  }
}

/// The ERP, asked by one process.
final class SimulatedDestination: BillDestination, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let k3: SimulatedK3
  private let saveTimeout: Int64
  /// How late a Save may be done after its timeout.
  private let latest: Int

  init(_ host: Host, _ k3: SimulatedK3, saveTimeout: Int64, latest: Int) {
    self.host = host
    self.k3 = k3
    self.saveTimeout = saveTimeout
    self.latest = latest
  }

  func defect(of bill: Bill) -> String? { nil }

  /// Order and version, as the strategy wrote them.
  static func content(_ bill: Bill) -> (order: OrderID, version: Int)? {
    guard let head = (try? JSONDocument(bill.body))?.root["Data"]?["Page1"]?[0],
      let order = head["FOrder"]?.text.flatMap({ OrderID($0) }),
      let version = head["FVersion"]?.text.flatMap({ Int($0) })
    else { return nil }
    return (order, version)
  }

  func save(_ bills: [KeyedBill]) async -> [SaveAnswer] {
    await each(bills) { bill in
      await self.write(bill) { [k3 = self.k3] in k3.save($0, $1, $2, as: bill.bill.object, key: bill.key) }
    }
  }

  func update(_ bills: [KeyedBill]) async -> [SaveAnswer] {
    await each(bills) { bill in
      await self.write(bill) { [k3 = self.k3] in k3.update($0, $1, $2, as: bill.bill.object, key: bill.key) }
    }
  }

  private func write(
    _ bill: KeyedBill, _ action: @escaping @Sendable (OrderID, Int, Int64) -> SimulatedK3.SaveReply
  ) async -> SaveAnswer {
    guard let (order, version) = Self.content(bill.bill) else {
      host.world.fail("a bill of the transformer cannot be read")
      return .rejected(Reason(.undecodable, "unreadable"), answer: "")
    }
    let hash = fingerprint(bill.bill.body)
    return await write(notAfter: bill.notAfter) { action(order, version, hash) }
  }

  private func write(
    notAfter: ContinuousClock.Instant, _ action: @escaping @Sendable () -> SimulatedK3.SaveReply
  ) async -> SaveAnswer {
    guard host.world.instant < notAfter else { return .notStarted(Reason(.k3Busy, "too late")) }
    // Between the check and the socket a process can be frozen.
    await host.pause(0)
    let isLate = host.world.random.happens(k3.faults.late)
    let lateBy = isLate ? saveTimeout + Int64(host.world.random.number(0...latest)) : 0
    let reply = await host.call(k3.server, timeout: saveTimeout, lateBy: lateBy, action)
    return switch reply {
    case .notSent: .outage(Reason(.k3Unavailable, "connection refused"))
    case .lost, .answer(.failed), .answer(.taken): .uncertain(Reason(.inDoubt, "no clear answer"))
    case .answer(.throttled): .nothingWritten(Reason(.k3Busy, "too many requests"))
    case .answer(.refused): .rejected(Reason(.k3Rejected, "unknown material"), answer: "物料不存在")
    case .answer(.unchangeable):
      .rejected(Reason(.changedAfterWritten, "not to be changed"), answer: "单据已审核,不能修改")
    case .answer(.written(let number)): .written(WrittenBill(number: number, internalID: nil))
    }
  }

  func delete(_ bills: [StandingBill], notAfter: ContinuousClock.Instant) async -> [SaveAnswer] {
    await each(bills) { bill in
      await self.write(notAfter: notAfter) { [k3 = self.k3] in k3.delete(bill.object, bill.number) }
    }
  }

  func find(_ bills: [StandingBill]) async -> [LookUpAnswer] {
    await each(bills) { bill in
      let reply = await self.host.call(self.k3.server, timeout: 10_000) { [k3 = self.k3] in
        k3.find(bill.object, bill.number)
      }
      return switch reply {
      case .notSent, .lost: .unavailable(Reason(.k3Unavailable, "no answer"))
      case .answer(nil): .absent
      case .answer(let found?): .same(WrittenBill(number: found.number, internalID: nil))
      }
    }
  }

  func isAnswering() async -> Bool {
    if case .answer = await host.call(k3.server, timeout: 10_000, {}) { true } else { false }
  }

  func lookUp(_ bills: [KeyedBill]) async -> [LookUpAnswer] { await each(bills) { await self.lookUp($0) } }

  private func lookUp(_ bill: KeyedBill) async -> LookUpAnswer {
    guard let (order, version) = Self.content(bill.bill) else { return .absent }
    let reply = await host.call(k3.server, timeout: 10_000) { [k3] in k3.find(bill.object, bill.key) }
    return switch reply {
    case .notSent, .lost: .unavailable(Reason(.k3Unavailable, "no answer"))
    case .answer(nil): .absent
    case .answer(let found?):
      found.order == order && (found.version == version || k3.showsLittle)
        ? .same(WrittenBill(number: found.number, internalID: nil)) : .different(Reason(.conflict, "another bill"))
    }
  }

  private func each<Question: Sendable, Answer: Sendable>(
    _ bills: [Question], _ ask: @escaping @Sendable (Question) async -> Answer
  ) async -> [Answer] {
    await withTaskGroup(of: (Int, Answer).self) { group in
      for (index, bill) in bills.enumerated() {
        group.addTask {
          let answer = await ask(bill)
          return (index, answer)
        }
      }
      var answers: [Int: Answer] = [:]
      for await (index, answer) in group { answers[index] = answer }
      return bills.indices.compactMap { answers[$0] }
    }
  }
}
