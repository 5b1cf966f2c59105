public import Orders
public import Pipeline
import Synchronization

/// A CRM in memory, with failures on demand.
public final class MemoryOrderSource: OrderSource {
  /// Something that can be asked.
  public enum Question: Hashable, Sendable {
    /// A page of orders.
    case orders(page: Int)
    /// The details of one order.
    case details(OrderID)
    /// A page of customers.
    case customers
    /// The clock.
    case now
  }

  private struct State {
    var now: BeijingTime
    var orders: [OrderID: SourceOrder] = [:]
    var customers: [(record: CollectionRecord, updated: BeijingTime)] = []
    var failures: [Question: [SourceFailure]] = [:]
    var asked: [Question] = []
    var beforeQuestion: (@Sendable (Question) -> Void)?
  }

  private let state: Mutex<State>

  /// An empty CRM whose clock stands at `now`.
  public init(now: BeijingTime) { state = Mutex(State(now: now)) }

  /// Stores an order, new or changed.
  public func put(_ order: SourceOrder) { state.withLock { $0.orders[order.id] = order } }

  /// Stores a small order.
  public func put(id: Int64, number: String, updated: BeijingTime) {
    let text = #"{"order_id":\#(id),"order_no":"\#(number)","update_time":"\#(updated)"}"#
    put(SourceOrder(id: OrderID(rawValue: id), number: number, updateTime: updated, content: Array(text.utf8)))
  }

  /// Deletes an order.
  public func remove(_ id: OrderID) { state.withLock { $0.orders[id] = nil } }

  /// Stores a customer.
  public func putCustomer(_ record: CollectionRecord, updated: BeijingTime) {
    state.withLock { $0.customers.append((record, updated)) }
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

  /// Newest first, as OKKI lists.
  public func orders(updatedIn window: TimeWindow, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage
  {
    try ask(.orders(page: index))
    return state.withLock { state in
      let matching = state.orders.values.filter { window.from <= $0.updateTime && $0.updateTime <= window.to }
        .map { OrderHeadline(id: $0.id, updateTime: $0.updateTime) }
        .sorted { ($0.updateTime, $0.id) > ($1.updateTime, $1.id) }
      return OrderPage(
        total: matching.count, headlines: Array(matching.dropFirst((index - 1) * size).prefix(size)), now: state.now)
    }
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
    return state.withLock { state in
      let matching = state.customers.filter { customer in
        window.map { $0.from <= customer.updated && customer.updated <= $0.to } ?? true
      }
      return CustomerPage(
        total: matching.count, records: matching.dropFirst((index - 1) * size).prefix(size).map(\.record),
        now: state.now)
    }
  }

  /// As set.
  public func now() async throws(SourceFailure) -> BeijingTime {
    try ask(.now)
    return state.withLock { $0.now }
  }
}
