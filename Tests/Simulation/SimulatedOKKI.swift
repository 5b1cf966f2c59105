import Orders
import Pipeline

/// OKKI as the protocol sees it: a list that is computed anew for each page, newest first, by whole seconds; users who
/// create, change and delete orders while it is read.
final class SimulatedOKKI: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.

  struct Order {
    let created: Int64
    var updated: Int64
    /// Which content it has.
    var version: Int
    /// The last touch, by a number of its own.
    var touches = 0
  }

  let server: Server
  private let world: World
  /// Orders that were deleted at some time.
  private(set) var everDeleted: Set<OrderID> = []
  private(set) var orders: [OrderID: Order] = [:]
  private var touches = 0
  /// When orders were deleted, and their last update time.
  private(set) var deleted: [OrderID: (at: Int64, updated: Int64)] = [:]

  /// By which orders of the same second change their places from page to page; nil leaves them where they are.
  private var tiesMove: SeededRandom?

  init(_ world: World, tiesMove: SeededRandom?) {
    self.world = world
    self.tiesMove = tiesMove
    server = Server("OKKI", world)
  }

  /// How far the clock that answers tell is ahead of the one that orders are stamped by, in seconds; below 0: behind.
  var skew: Int64 = 0

  var now: BeijingTime { BeijingTime(epochSeconds: world.seconds + skew) }

  /// A user creates an order, or changes it.
  func change(_ id: OrderID) {
    if deleted[id] != nil { return }
    let version = (orders[id]?.version ?? 0) + 1
    orders[id] = Order(
      created: orders[id]?.created ?? world.seconds, updated: world.seconds, version: version,
      touches: orders[id]?.touches ?? 0)
    world.tell("order \(id) becomes version \(version)")
  }

  /// One of OKKI's own operations changes an order and leaves its update time as it is.
  func changeSilently(_ id: OrderID) {
    guard let version = orders[id]?.version else { return }
    orders[id]?.version = version + 1
    world.tell("order \(id) becomes version \(version + 1), silently")
  }

  /// A user saves an order with something that no bill shows, or takes its last change back.
  func touch(_ id: OrderID, takesBack: Bool) {
    guard var order = orders[id] else { return }
    order.updated = world.seconds
    touches += 1
    order.touches = touches
    if takesBack, order.version > 1 { order.version -= 1 }
    orders[id] = order
    world.tell("order \(id) is touched, with version \(order.version)")
  }

  func delete(_ id: OrderID) {
    guard let order = orders.removeValue(forKey: id) else { return }
    deleted[id] = (world.seconds, order.updated)
    everDeleted.insert(id)
    world.tell("order \(id) is deleted")
  }

  /// A user takes an order back out of the bin.
  func restore(_ id: OrderID, version: Int) {
    guard let gone = deleted.removeValue(forKey: id) else { return }
    touches += 1
    orders[id] = Order(created: gone.updated, updated: world.seconds, version: version + 1, touches: touches)
    world.tell("order \(id) is back as version \(version + 1)")
  }

  /// An order of long before everything else: where there is none at all that is shown, no deletion is believed.
  private static let old = OrderID(rawValue: 9_000_001)

  func page(of query: OrderQuery, index: Int, size: Int) -> OrderPage {
    var timed: [(id: OrderID, at: Int64, updated: Int64)] =
      switch query {
      case .updated: orders.map { ($0, $1.updated, $1.updated) }
      case .created: orders.map { ($0, $1.created, $1.updated) }
      case .removed: deleted.map { ($0, $1.at, $1.updated) }
      }
    if case .updated = query { timed.append((Self.old, 1, 1)) }
    let window = query.window.from.epochSeconds...query.window.to.epochSeconds
    var found = timed.filter { window.contains($0.at) }.sorted { ($0.at, $0.id.rawValue) > ($1.at, $1.id.rawValue) }
    if let turn = tiesMove?.number(0...1), turn == 1 {
      found.sort { ($0.at, $1.id.rawValue) > ($1.at, $0.id.rawValue) }
    }
    let headlines = found.dropFirst((index - 1) * size).prefix(size).map {
      OrderHeadline(id: $0.id, updateTime: BeijingTime(epochSeconds: $0.updated))
    }
    return OrderPage(total: found.count, headlines: Array(headlines), now: now)
  }

  func details(of id: OrderID) -> Result<SourceOrder, SourceFailure> {
    let old = Order(created: 1, updated: 1, version: 1, touches: 0)
    guard let order = orders[id] ?? (id == Self.old ? old : nil) else { return .failure(.absent) }
    let saved = #""touches":"\#(order.touches)","version":"\#(order.version)""#
    let content = #"{"order_id":\#(id),"order_no":"S\#(id)",\#(saved)}"#
    return .success(
      SourceOrder(
        id: id, number: "S\(id)", updateTime: BeijingTime(epochSeconds: order.updated), content: Array(content.utf8)))
  }
}

/// The CRM, asked by one process.
final class SimulatedOrderSource: OrderSource, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let okki: SimulatedOKKI

  init(_ host: Host, _ okki: SimulatedOKKI) {
    self.host = host
    self.okki = okki
  }

  private func ask<Answer: Sendable>(_ question: @escaping @Sendable () -> Answer) async throws(SourceFailure) -> Answer
  {
    guard case .answer(let answer) = await host.call(okki.server, timeout: 10_000, question) else {
      throw .transient("no answer")
    }
    return answer
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    try await ask { [okki] in okki.page(of: query, index: index, size: size) }
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] {
    await withTaskGroup(of: (Int, Result<SourceOrder, SourceFailure>).self) { group in
      for (index, id) in ids.enumerated() {
        group.addTask { (index, await self.details(of: id)) }
      }
      var results = ids.map { _ in Result<SourceOrder, SourceFailure>.failure(.absent) }
      for await (index, result) in group { results[index] = result }
      return results
    }
  }

  private func details(of id: OrderID) async -> Result<SourceOrder, SourceFailure> {
    do throws(SourceFailure) { return try await ask { [okki] in okki.details(of: id) } } catch {
      return .failure(error)
    }
  }

  func customers(updatedIn window: TimeWindow?, page: Int, size: Int) async throws(SourceFailure) -> CustomerPage {
    CustomerPage(total: 0, records: [], now: okki.now)
  }

  func now() async throws(SourceFailure) -> BeijingTime { try await ask { [okki] in okki.now } }
}
