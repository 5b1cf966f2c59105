public import Orders
public import Pipeline
import Synchronization

/// The loader's memory in memory, on a clock that the test moves: a store around `LedgerOrder`.
public final class MemoryLedger: SyncLedger {
  private struct State {
    var orders: [OrderID: LedgerOrder] = [:]
    var keys: Set<String> = []
    var tokens: Int64 = 0
    var failure: LedgerFailure?

    mutating func nextToken() -> Int64 {
      tokens += 1
      return tokens
    }
  }

  private let clock: ManualClock
  private let keyLimit: Int
  private let state = Mutex(State())

  /// An empty ledger.
  public init(clock: ManualClock, keyLimit: Int = 80) {
    self.clock = clock
    self.keyLimit = keyLimit
  }

  /// All rows.
  public var rows: [BillID: LedgerRow] {
    let rows = state.withLock { state in state.orders.values.flatMap(\.rows) }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0) })
  }

  /// Answers everything with a failure from now on; nil ends that.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// Ends the leases of an order's bills, or makes their look-ups due: now, or so many seconds ago.
  public func makeDue(_ order: OrderID, secondsAgo: Int = 0) {
    let due = now - .seconds(secondsAgo)
    state.withLock { state in
      guard var known = state.orders[order] else { return }
      for place in known.rows.indices { known.rows[place].due = due }
      state.orders[order] = known
    }
  }

  private var now: Duration { clock.now.offset }

  private func run<Answer: Sendable>(
    _ body: @Sendable (inout State, _ now: Duration) -> Answer
  ) throws(LedgerFailure) -> Answer {
    let now = now
    let result: Result<Answer, LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      return .success(body(&state, now))
    }
    return try result.get()
  }

  /// Claims orders, as the port says.
  public func claim(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    try run { [keyLimit] state, now in
      var answers = requests.map { _ in ClaimAnswer.busy(forSeconds: 1) }
      for round in ClaimRounds.parts(of: requests, limit: .max) {
        var places: [OrderID: [Int]] = [:]
        for place in round { places[requests[place].bill.orderID, default: []].append(place) }
        // In the order of the requests, for their keys' sake.
        for (id, places) in places.sorted(by: { $0.value[0] < $1.value[0] }) {
          var order = state.orders[id] ?? LedgerOrder()
          let found = order.claim(
            places.map { requests[$0] }, token: { state.nextToken() },
            key: { [old = order.rows] request in
              // A bill that goes to another object leaves its key.
              if let row = old.first(where: { $0.id == request.bill }) {
                state.keys.remove("\(row.object)/\(row.key.lowercased())")
              }
              let key = Self.key(for: request, limit: keyLimit, taken: state.keys)
              state.keys.insert(Self.folded(key, request))
              return key
            }, due: now + .seconds(leaseSeconds), now: now)
          for (place, answer) in zip(places, found) { answers[place] = answer }
          state.orders[id] = order
        }
      }
      return answers
    }
  }

  /// Records removals, as the port says.
  public func remove(
    _ requests: [RemovalRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [RemovalAnswer] {
    try run { state, now in
      requests.map { request in
        var order = state.orders[request.order] ?? LedgerOrder()
        defer { state.orders[request.order] = order }
        return order.remove(
          request, token: { state.nextToken() }, due: now + .seconds(leaseSeconds), now: now)
      }
    }
  }

  /// Records outcomes, as the port says.
  public func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    try run { state, now in
      settlements.map { state.orders[$0.bill.orderID]?.settle($0, now: now) ?? false }
    }
  }

  private static func folded(_ key: String, _ request: ClaimRequest) -> String {
    "\(request.object)/\(key.lowercased())"
  }

  private static func key(for request: ClaimRequest, limit: Int, taken: Set<String>) -> String {
    let scalars = request.billNumber.unicodeScalars.filter { $0.properties.generalCategory != .control }
    let number = String(String.UnicodeScalarView(scalars))
    if !number.isEmpty, number.utf16.count <= limit, !taken.contains(folded(number, request)) { return number }
    var head = Substring(number)
    let part = request.bill.part
    var suffix = part == 1 ? "\(request.bill.orderID)" : "\(request.bill.orderID)-\(part)"
    while true {
      while !head.isEmpty, head.utf16.count + 1 + suffix.utf16.count > limit { head.removeLast() }
      let key = head.isEmpty ? suffix : "\(head)-\(suffix)"
      if !taken.contains(folded(key, request)) { return key }
      suffix += "-x"
    }
  }
}
