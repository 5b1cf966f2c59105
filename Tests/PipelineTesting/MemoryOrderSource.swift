public import Orders
public import Pipeline
import Synchronization

/// A CRM in memory, with failures on demand.
public final class MemoryOrderSource: OrderSource {
  /// Something that can be asked.
  public enum Question: Hashable, Sendable {
    /// A page of orders by update time.
    case orders(page: Int)
    /// A page of orders by creation.
    case created(page: Int)
    /// A page of deleted orders.
    case removed(page: Int)
    /// The details of one order.
    case details(OrderID)
    /// A page of customers.
    case customers
    /// The clock.
    case now
  }

  /// How a row makes each page that holds it unreadable.
  public enum PageFault: Sendable {
    /// The rows cannot be told apart.
    case unframed
    /// The page is larger than is taken.
    case tooLarge
  }

  private struct State {
    var now: BeijingTime
    var orders: [OrderID: SourceOrder] = [:]
    var created: [OrderID: BeijingTime] = [:]
    var removed: [OrderID: (order: SourceOrder, at: BeijingTime)] = [:]
    var customers: [(record: CollectionRecord, updated: BeijingTime)] = []
    var failures: [Question: [SourceFailure]] = [:]
    var asked: [Question] = []
    var mostOnPage = Int.max
    var spoilt: [OrderID: String] = [:]
    var spoiltCustomers: Set<String> = []
    var broken: [String: PageFault] = [:]
    var totalBehindTheEnd: Int?
    var beforeQuestion: (@Sendable (Question) -> Void)?
  }

  private let state: Mutex<State>

  /// An empty CRM whose clock stands at `now`.
  public init(now: BeijingTime) { state = Mutex(State(now: now)) }

  /// Stores an order, new, changed or restored. A new one is created at its update time.
  public func put(_ order: SourceOrder) {
    state.withLock { state in
      state.orders[order.id] = order
      state.removed[order.id] = nil
      if state.created[order.id] == nil { state.created[order.id] = order.updateTime }
    }
  }

  /// Stores a small order.
  public func put(id: Int64, number: String, updated: BeijingTime) {
    let text = #"{"order_id":\#(id),"order_no":"\#(number)","update_time":"\#(updated)"}"#
    put(SourceOrder(id: OrderID(rawValue: id), number: number, updateTime: updated, content: Array(text.utf8)))
  }

  /// Deletes an order.
  /// - Parameter at: when; the list of deleted orders does not show it without.
  public func remove(_ id: OrderID, at time: BeijingTime? = nil) {
    state.withLock { state in
      guard let order = state.orders.removeValue(forKey: id), let time else { return }
      state.removed[id] = (order, time)
    }
  }

  /// Lists an order as deleted that is there all the same.
  public func listAsRemoved(_ id: OrderID, at time: BeijingTime) {
    state.withLock { state in state.removed[id] = state.orders[id].map { ($0, time) } }
  }

  /// Deletes a customer.
  public func removeCustomer(_ id: String) { state.withLock { $0.customers.removeAll { $0.record.id == id } } }

  /// Stores a customer, new or changed.
  public func putCustomer(_ record: CollectionRecord, updated: BeijingTime) {
    state.withLock { state in
      state.customers.removeAll { $0.record.id == record.id }
      state.customers.append((record, updated))
    }
  }

  /// Moves the clock.
  public func setNow(_ now: BeijingTime) { state.withLock { $0.now = now } }

  /// The next time this is asked, it fails; several failures come one after the other.
  public func fail(_ question: Question, with failure: SourceFailure) {
    state.withLock { $0.failures[question, default: []].append(failure) }
  }

  /// Runs before every answer, outside the lock: may change the CRM, as users do while it is read.
  public func beforeEach(_ body: @escaping @Sendable (Question) -> Void) { state.withLock { $0.beforeQuestion = body } }

  /// Everything that was asked, in order.
  public var asked: [Question] { state.withLock { $0.asked } }

  private func ask(_ question: Question) throws(SourceFailure) {
    state.withLock { $0.beforeQuestion }?(question)
    let failure = state.withLock { state -> SourceFailure? in
      state.asked.append(question)
      guard var failures = state.failures[question], !failures.isEmpty else { return nil }
      defer { state.failures[question] = failures }
      return failures.removeFirst()
    }
    if let failure { throw failure }
  }

  /// From now on a list of orders has no page with more than so many: one that was cut cannot be told from one that lacks
  /// some, and is malformed.
  public func cutPages(at most: Int) { state.withLock { $0.mostOnPage = most } }

  /// From now on the row of this order does not tell which order it is of; or it does again.
  /// - Parameter text: what it reads.
  public func spoil(_ id: OrderID, _ isSpoilt: Bool = true, reading text: String? = nil) {
    state.withLock { $0.spoilt[id] = isSpoilt ? text ?? Self.spoiltRow("\(id)") : nil }
  }

  private static func spoiltRow(_ row: String) -> String {
    #"{"order_id":\#(row),"name":"row of \#(row)","note":"3" pipe"}"#
  }

  /// From now on the row of this customer cannot be read.
  public func spoil(customer id: String) { state.withLock { _ = $0.spoiltCustomers.insert(id) } }

  /// From now on no page with the row of this order can be read; or again with nil.
  public func breakPages(of id: OrderID, _ fault: PageFault?) { state.withLock { $0.broken["\(id)"] = fault } }

  /// From now on no page with the row of this customer can be read; or again with nil.
  public func breakPages(ofCustomer id: String, _ fault: PageFault?) {
    state.withLock { $0.broken["customer \(id)"] = fault }
  }

  /// From now on a page behind the end of a list tells so many rows, whatever the list has.
  public func tellBehindTheEnd(_ total: Int) { state.withLock { $0.totalBehindTheEnd = total } }

  private func frame(_ rows: some Sequence<String>) throws(SourceFailure) {
    let faults = state.withLock { state in rows.compactMap { row in state.broken[row].map { (row, $0) } } }
    if faults.contains(where: { $0.1 == .tooLarge }) { throw .unframed("the answer is larger than allowed", rows: nil) }
    if faults.isEmpty { return }
    let text = rows.map(Self.spoiltRow).joined(separator: ",")
    throw .unframed("the answer is no JSON", rows: Array(text.utf8))
  }

  /// Newest first, as OKKI lists.
  public func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    switch query {
    case .updated: try ask(.orders(page: index))
    case .created: try ask(.created(page: index))
    case .removed: try ask(.removed(page: index))
    }
    let page = try listed(query, page: index, size: size)
    if page.headlines.count > state.withLock({ $0.mostOnPage }) { throw .malformed("the page was cut") }
    return page
  }

  private func listed(_ query: OrderQuery, page index: Int, size: Int) throws(SourceFailure) -> OrderPage {
    let (page, ids) = state.withLock { state in
      let timed: [(order: SourceOrder, at: BeijingTime)] =
        switch query {
        case .updated: state.orders.values.map { ($0, $0.updateTime) }
        case .created: state.orders.values.map { ($0, state.created[$0.id] ?? $0.updateTime) }
        case .removed: state.removed.values.map { ($0.order, $0.at) }
        }
      let window = query.window
      let matching = timed.filter { window.from <= $0.at && $0.at <= window.to }
        .sorted { ($0.at, $0.order.id) > ($1.at, $1.order.id) }
        .map { OrderHeadline(id: $0.order.id, updateTime: $0.order.updateTime) }
      let rows = matching.dropFirst((index - 1) * size).prefix(size)
      let total = rows.isEmpty ? state.totalBehindTheEnd ?? matching.count : matching.count
      let page = OrderPage(
        total: total, headlines: rows.filter { state.spoilt[$0.id] == nil }, now: state.now,
        unreadable: rows.compactMap { state.spoilt[$0.id].map { Array($0.utf8) } })
      return (page, rows.map { "\($0.id)" })
    }
    try frame(ids)
    return page
  }

  /// One result each, in order.
  public func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] {
    ids.map { id in
      do throws(SourceFailure) {
        try ask(.details(id))
        guard let order = state.withLock({ $0.orders[id] }) else { throw .absent }
        return .success(order)
      } catch { return .failure(error) }
    }
  }

  /// In the order they were put.
  public func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    try ask(.customers)
    let (page, ids) = state.withLock { state in
      let matching = state.customers.filter { customer in
        window.map { $0.from <= customer.updated && customer.updated <= $0.to } ?? true
      }
      let rows = matching.dropFirst((index - 1) * size).prefix(size).map(\.record)
      let total = rows.isEmpty ? state.totalBehindTheEnd ?? matching.count : matching.count
      let page = CustomerPage(
        total: total, records: rows.filter { !state.spoiltCustomers.contains($0.id) }, now: state.now,
        unreadable: rows.filter { state.spoiltCustomers.contains($0.id) }.map(\.content))
      return (page, rows.map { "customer \($0.id)" })
    }
    try frame(ids)
    return page
  }

  /// As set.
  public func now() async throws(SourceFailure) -> BeijingTime {
    try ask(.now)
    return state.withLock { $0.now }
  }
}
