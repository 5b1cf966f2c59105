import Orders
public import Pipeline
import PostgreSQL

/// The loader's memory in PostgreSQL: one row per order, one statement per batch.
public final class PostgresLedger: SyncLedger {
  private let database: LedgerDatabase
  private let keys: KeyRule

  /// A ledger on a migrated database.
  /// - Parameter keyLimit: longest external key, in UTF-16 units as K/3 counts them, 40...255. At least 40, so that an
  ///   order's id always fits in.
  public init(_ database: LedgerDatabase, keyLimit: Int = 80) {
    self.database = database
    keys = KeyRule(limit: min(max(keyLimit, 40), 255))
  }

  /// Claims orders, as the port says. Repeating a claim whose answer was lost is harmless: it answers `.busy`.
  public func claim(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    var answers: [ClaimAnswer?] = Array(repeating: nil, count: requests.count)
    for part in parts(of: requests, by: \.orderID) {
      let asked = part.map { requests[$0] }
      let found = try await claimOnce(asked, leaseSeconds: leaseSeconds)
      for (position, answer) in zip(part, found) { answers[position] = answer }
    }
    return answers.map { $0 ?? .busy(forSeconds: 1) }
  }

  /// Claims orders that are all different.
  private func claimOnce(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    var granted = self.granted(try await database.run(claimStatement(requests, leaseSeconds)))
    let others = requests.filter { granted[$0.orderID.rawValue] == nil }
    guard !others.isEmpty else { return requests.map { granted[$0.orderID.rawValue] ?? .busy(forSeconds: 1) } }
    // A refused row does not say why. Asked again together with a look at the rows: the claim holds them all, also
    // those that it may not take, so that the second statement sees what the first one judged.
    let both = try await database.transaction([
      claimStatement(others, leaseSeconds),
      PostgresStatement(Self.lookSQL, .intArray(others.map(\.orderID.rawValue))),
    ])
    granted.merge(self.granted(both[0])) { _, new in new }
    let held = rows(both[1])
    return requests.map { request in
      let id = request.orderID.rawValue
      return granted[id] ?? held[id]?.refusal(of: request) ?? .busy(forSeconds: 1)
    }
  }

  private func claimStatement(_ requests: [ClaimRequest], _ leaseSeconds: Int) -> PostgresStatement {
    let choices = keys.choices(for: requests)
    return PostgresStatement(
      Self.claimSQL,
      .intArray(requests.map(\.orderID.rawValue)), .intArray(requests.map(\.revision)),
      .intArray(requests.map(\.payloadHash)), .textArray(choices.map(\.wanted)),
      .textArray(choices.map { $0.fallback }), .textArray(choices.map { $0.spare }),
      .int(Int64(max(leaseSeconds, 1))))
  }

  private func granted(_ rows: PostgresRows) -> [Int64: ClaimAnswer] {
    var result: [Int64: ClaimAnswer] = [:]
    for row in 0..<rows.count {
      guard let id = rows.int(row, 0), let token = rows.int(row, 1), let key = rows[row, 2] else { continue }
      let claim = Claim(key: key, token: token, doubtfulRevision: rows.int(row, 4))
      result[id] = rows.bool(row, 3) == true ? .inDoubt(claim) : .new(claim)
    }
    return result
  }

  private func rows(_ rows: PostgresRows) -> [Int64: HeldRow] {
    var result: [Int64: HeldRow] = [:]
    for row in 0..<rows.count {
      guard let id = rows.int(row, 0), let state = rows[row, 1], let revision = rows.int(row, 2) else { continue }
      result[id] = HeldRow(state: state, revision: revision, seconds: rows.int(row, 3) ?? 0)
    }
    return result
  }

  /// Records outcomes, as the port says. A settlement may be repeated with its token as long as nobody else has claimed
  /// the order; what is written stays written.
  public func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    var flags = Array(repeating: false, count: settlements.count)
    for part in parts(of: settlements, by: \.orderID) {
      let rows = try await database.run(settleStatement(part.map { settlements[$0] }))
      let done = Set((0..<rows.count).compactMap { rows.int($0, 0) })
      for position in part { flags[position] = done.contains(settlements[position].orderID.rawValue) }
    }
    return flags
  }

  private func settleStatement(_ settlements: [Settlement]) -> PostgresStatement {
    let ends = settlements.map { LedgerEnd($0.result) }
    return PostgresStatement(
      Self.settleSQL,
      .intArray(settlements.map(\.orderID.rawValue)), .intArray(settlements.map(\.token)),
      .textArray(ends.map { $0.state }), .intArray(ends.map(\.seconds)), .boolArray(ends.map(\.doubt)),
      .textArray(ends.map(\.reason)), .textArray(ends.map(\.number)), .textArray(ends.map(\.internalID)))
  }

  /// How many orders are in each state (`writing clean in_doubt written parked`); reads the whole table.
  public func counts() async throws(LedgerFailure) -> [String: Int] {
    let rows = try await database.run(
      PostgresStatement("SELECT state, count(*) FROM order_ledger GROUP BY state"))
    var result: [String: Int] = [:]
    for row in 0..<rows.count {
      guard let state = rows[row, 0], let count = rows.int(row, 1) else { continue }
      result[state] = Int(count)
    }
    return result
  }
}

/// A row that could not be claimed.
private struct HeldRow {
  let state: String
  let revision: Int64
  /// Until the lease ends or a look-up is due.
  let seconds: Int64

  func refusal(of request: ClaimRequest) -> ClaimAnswer {
    let wait = Int(max(seconds, 1))
    if revision > request.revision { return .stale }
    switch state {
    case "written": return revision == request.revision ? .duplicate : .changedAfterWritten
    case "in_doubt": return .tooEarly(forSeconds: wait)
    default: return .busy(forSeconds: wait)
    }
  }
}

/// A settlement's columns.
private struct LedgerEnd {
  var state: String
  var seconds: Int64 = 0
  var doubt = false
  var reason: String?
  var number: String?
  var internalID: String?

  init(_ result: Settlement.Result) {
    switch result {
    case .written(let bill):
      state = "written"
      number = storable(String(bill.number.prefix(255)))
      internalID = bill.internalID.map { String($0) }
    case .clean: state = "clean"
    case .inDoubt(let seconds):
      state = "in_doubt"
      self.seconds = Int64(min(max(seconds, 0), 86_400))
      doubt = true
    case .parked(let code):
      state = "parked"
      reason = code.rawValue
      doubt = code.leavesDoubt
    }
  }
}
