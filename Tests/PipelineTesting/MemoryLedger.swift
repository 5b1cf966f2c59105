public import Orders
public import Pipeline
import Synchronization

/// The loader's memory in memory, on a clock that the test moves.
public final class MemoryLedger: SyncLedger {
  /// A bill's row.
  public struct Row: Sendable, Equatable {
    /// Where it stands.
    public enum State: String, Sendable {
      /// Claimed.
      case writing
      /// Provably nothing written.
      case clean
      /// Nobody knows.
      case inDoubt
      /// In K/3.
      case written
      /// In the dead queue.
      case parked
    }

    /// Where it stands.
    public var state: State
    /// The revision claimed last.
    public var revision: Int64
    /// The fencing token of the claim.
    public var token: Int64
    /// End of the lease, or when a look-up is due.
    public var due: ManualClock.Instant
    /// Whether K/3 must be asked before a Save.
    public var doubt: Bool
    /// While in doubt: the oldest revision that may be in K/3.
    public var doubtfulRevision: Int64?
    /// Look-ups in a row that found nothing.
    public var absences = 0
    /// The external key.
    public var key: String
    /// Into how many bills the order was cut.
    public var parts = 0
    /// What K/3 made of it, at last or in an older revision.
    public var bill: WrittenBill?
    /// It is being deleted in K/3.
    public var isCancelling = false
    /// K/3's object.
    public var object = ""
    /// Why it is parked.
    public var reason: ReasonCode?
  }

  private struct State {
    var rows: [BillID: Row] = [:]
    var removals: [OrderID: Int64] = [:]
    var keys: Set<String> = []
    var tokens: Int64 = 0
    var failure: LedgerFailure?
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
  public var rows: [BillID: Row] { state.withLock(\.rows) }

  /// Answers everything with a failure from now on; nil ends that.
  public func fail(_ failure: LedgerFailure?) { state.withLock { $0.failure = failure } }

  /// Ends the leases of an order's bills, or makes their look-ups due, now.
  public func makeDue(_ order: OrderID) {
    let now = clock.now
    state.withLock { state in
      for id in state.rows.keys where id.orderID == order { state.rows[id]?.due = now }
    }
  }

  /// Claims orders, as the port says.
  public func claim(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    let now = clock.now
    let result: Result<[ClaimAnswer], LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      let due = now.advanced(by: .seconds(leaseSeconds))
      return .success(requests.map { Self.claim($0, now: now, due: due, keyLimit, &state) })
    }
    return try result.get()
  }

  private static func claim(
    _ request: ClaimRequest, now: ManualClock.Instant, due: ManualClock.Instant, _ keyLimit: Int,
    _ state: inout State
  ) -> ClaimAnswer {
    let own = state.rows[request.bill]
    if let own, own.state == .written, own.revision == request.revision { return .duplicate }
    let isRemoved = state.removals[request.bill.orderID] ?? 0 > request.revision
    if isRemoved {
      guard let own, own.revision <= request.revision, !own.isCancelling, own.isOpen || own.doubt else {
        return .removed
      }
      if own.isOpen, own.due > now { return own.wait(now) }
    }
    let (others, elsewhere) = others(of: request, state)
    let bills = ([own].compactMap { $0 } + others + elsewhere.map(\.row))
    if bills.contains(where: { $0.revision > request.revision }) { return .stale }
    if let answer = refusal(by: others, request, now) { return answer }
    if let own, own.state == .written, request.change != .update || own.parts != request.parts {
      return request.change == .ignore ? .ignored : .changedAfterWritten
    }
    if let answer = refusal(by: elsewhere.map(\.row).filter(\.mayBeWritten), now) {
      let first = elsewhere.filter(\.row.mayBeWritten).map(\.stream).min() ?? ""
      return answer == .changedAfterWritten ? .writtenElsewhere(stream: first) : answer
    }
    guard var row = state.rows[request.bill] else {
      state.tokens += 1
      let key = Self.key(for: request, limit: keyLimit, taken: state.keys)
      state.keys.insert(folded(key, request))
      state.rows[request.bill] = Row(
        state: .writing, revision: request.revision, token: state.tokens, due: due, doubt: false, key: key,
        parts: request.parts, object: request.object)
      return .new(Claim(key: key, token: state.tokens))
    }
    if row.isCancelling, now.duration(to: row.due) <= .seconds(-86_400) { return .changedAfterWritten }
    if row.isOpen, row.due > now || row.isCancelling { return row.wait(now) }
    switch row.state {
    case .writing:
      row.doubt = true
      // Whoever held it may have sent a Save.
      row.absences = 0
    case .inDoubt: row.doubt = true
    case .clean, .parked, .written: break
    }
    state.tokens += 1
    row.doubtfulRevision = row.doubt ? min(row.doubtfulRevision ?? row.revision, row.revision) : nil
    row.state = .writing
    row.revision = request.revision
    row.token = state.tokens
    row.due = due
    row.reason = nil
    row.parts = request.parts
    state.rows[request.bill] = row
    let claim = Claim(
      key: row.key, token: row.token, doubtfulRevision: row.doubtfulRevision, absences: row.absences,
      standing: row.bill?.number, isRemoved: isRemoved)
    return row.doubt ? .inDoubt(claim) : .new(claim)
  }

  /// Records removals, as the port says.
  public func remove(
    _ requests: [RemovalRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [RemovalAnswer] {
    let now = clock.now
    let result: Result<[RemovalAnswer], LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      let due = now.advanced(by: .seconds(leaseSeconds))
      return .success(requests.map { Self.remove($0, now: now, due: due, &state) })
    }
    return try result.get()
  }

  private static func remove(
    _ request: RemovalRequest, now: ManualClock.Instant, due: ManualClock.Instant, _ state: inout State
  ) -> RemovalAnswer {
    var answer = RemovalAnswer()
    let removal = max(state.removals[request.order] ?? 0, request.revision)
    state.removals[request.order] = removal
    let rows = state.rows.filter { $0.key.orderID == request.order }
    answer.isStale = removal > request.revision || rows.values.contains { $0.revision > request.revision }
    if answer.isStale { return answer }
    for (id, row) in rows where row.mayBeWritten {
      let seconds = Int(now.duration(to: row.due).components.seconds)
      let isFree = !row.isOpen || row.isCancelling && row.due <= now
      if request.cancels, isFree, let bill = row.bill {
        state.tokens += 1
        answer.claimed.append(
          StandingBill(
            id, object: row.object, number: bill.number, internalID: bill.internalID, token: state.tokens,
            isInDoubt: row.isOpen, absences: row.state == .inDoubt ? row.absences : 0))
        var next = row
        next.absences = row.state == .inDoubt ? row.absences : 0
        (next.state, next.revision, next.token, next.due) = (.writing, request.revision, state.tokens, due)
        (next.doubt, next.doubtfulRevision, next.reason, next.isCancelling) = (row.isOpen, nil, nil, true)
        state.rows[id] = next
      } else if row.isOpen, seconds > -86_400 {
        answer.waitSeconds = max(answer.waitSeconds ?? 1, seconds)
      } else {
        answer.held.append(id)
      }
    }
    return answer
  }

  /// The order's other bills: those in its stream, and those in streams that this one may not stand beside.
  private static func others(
    of request: ClaimRequest, _ state: State
  ) -> (beside: [Row], elsewhere: [(stream: String, row: Row)]) {
    let id = request.bill
    let others = state.rows.filter { $0.key.orderID == id.orderID && $0.key != id }
    let elsewhere = others.filter { other, _ in
      guard let beside = request.beside, other.stream != id.stream else { return false }
      return !beside.contains(other.stream)
    }
    return (others.filter { $0.key.stream == id.stream }.map(\.value), elsewhere.map { ($0.key.stream, $0.value) })
  }

  /// What other bills of the stream say: an older revision that is or may be in K/3, or another cut.
  private static func refusal(
    by others: [Row], _ request: ClaimRequest, _ now: ManualClock.Instant
  ) -> ClaimAnswer? {
    let inTheWay = others.filter { row in
      let standing = row.bill == nil ? row.revision : .min
      let oldest = row.state == .written ? row.revision : min(standing, row.doubtfulRevision ?? row.revision)
      return row.mayBeWritten && (oldest < request.revision || row.parts != request.parts)
    }
    return refusal(by: inTheWay, now)
  }

  private static func refusal(by inTheWay: [Row], _ now: ManualClock.Instant) -> ClaimAnswer? {
    func seconds(_ row: Row) -> Int { Int(now.duration(to: row.due).components.seconds) }
    if inTheWay.contains(where: { ![.writing, .inDoubt].contains($0.state) || seconds($0) <= -86_400 }) {
      return .changedAfterWritten
    }
    if let row = inTheWay.first(where: { $0.state == .writing }) { return .busy(forSeconds: max(1, seconds(row))) }
    return inTheWay.first.map { .tooEarly(forSeconds: max(1, seconds($0))) }
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

  /// Records outcomes, as the port says.
  public func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    let now = clock.now
    let result: Result<[Bool], LedgerFailure> = state.withLock { state in
      if let failure = state.failure { return .failure(failure) }
      return .success(
        settlements.map { settlement in
          guard var row = state.rows[settlement.bill], row.token == settlement.token else { return false }
          guard row.apply(settlement.result, now: now) else { return false }
          if settlement.followsProof { row.doubtfulRevision = row.revision }
          state.rows[settlement.bill] = row
          return true
        })
    }
    return try result.get()
  }
}

extension MemoryLedger.Row {
  fileprivate var mayBeWritten: Bool { bill != nil || state != .clean && (state != .parked || doubt) }

  fileprivate var isOpen: Bool { state == .writing || state == .inDoubt }

  fileprivate func wait(_ now: ManualClock.Instant) -> ClaimAnswer {
    let wait = max(1, Int(now.duration(to: due).components.seconds))
    return state == .inDoubt ? .tooEarly(forSeconds: wait) : .busy(forSeconds: wait)
  }

  /// False when the row is written and would not stay so.
  fileprivate mutating func apply(_ result: Settlement.Result, now: ManualClock.Instant) -> Bool {
    if case .written = result {} else if state == .written { return false }
    absences = 0
    isCancelling = false
    switch result {
    case .cancelled:
      state = .clean
      bill = nil
      doubt = false
    case .cancelling(let seconds, let absences):
      state = .inDoubt
      self.absences = absences
      (doubt, isCancelling) = (true, true)
      due = now.advanced(by: .seconds(seconds))
    case .written(let bill):
      state = .written
      self.bill = bill
      doubt = false
    case .clean:
      state = .clean
      doubt = false
    case .inDoubt(let seconds, let absences):
      state = .inDoubt
      self.absences = absences
      doubt = true
      due = now.advanced(by: .seconds(seconds))
    case .standing(let bill, let seconds, let absences):
      state = .inDoubt
      self.bill = bill
      self.absences = absences
      doubt = true
      due = now.advanced(by: .seconds(seconds))
    case .parked(let code):
      state = .parked
      reason = code
      doubt = code.leavesDoubt
    }
    return true
  }
}
