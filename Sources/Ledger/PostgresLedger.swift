import Orders
public import Pipeline
import PostgreSQL

/// The loader's memory in PostgreSQL: one row per bill, one statement per batch.
public final class PostgresLedger: SyncLedger {
  let database: LedgerDatabase
  let keys: KeyRule
  private let restore: RestoreWatch

  /// A ledger on a migrated database.
  /// - Parameter keyLimit: longest external key, in UTF-16 units as K/3 counts them, 40...255. At least 40, so that an
  ///   order's id always fits in.
  public convenience init(_ database: LedgerDatabase, keyLimit: Int = 80) {
    self.init(database, keyLimit: keyLimit, now: { ContinuousClock.now })
  }

  /// - Parameter now: what it goes by when it asks anew whether the ledger was restored.
  init(_ database: LedgerDatabase, keyLimit: Int = 80, now: @escaping @Sendable () -> ContinuousClock.Instant) {
    self.database = database
    keys = KeyRule(limit: min(max(keyLimit, 40), 255))
    restore = RestoreWatch(LedgerRestore(database), now: now)
  }

  /// Claims bills, as the port says. Repeating a claim whose answer was lost is harmless: it answers `.busy`. After a restore
  /// nothing is new.
  public func claim(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    let isRestored = try await restore.isOpen()
    let answers = try await restore.watching { () async throws(LedgerFailure) in
      try await grant(requests, leaseSeconds: leaseSeconds)
    }
    return isRestored ? await doubting(answers, to: requests, leaseSeconds: leaseSeconds) : answers
  }

  func grant(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer] {
    var answers: [ClaimAnswer?] = Array(repeating: nil, count: requests.count)
    var failed: LedgerFailure?
    for part in ClaimRounds.parts(of: requests, limit: rowsPerStatement) {
      let asked = part.map { requests[$0] }
      do throws(LedgerFailure) {
        let found = try await claimOnce(asked, leaseSeconds: leaseSeconds)
        for (position, answer) in zip(part, found) { answers[position] = answer }
      } catch {
        // What earlier parts were granted is committed, and would be in doubt for nothing if it were forgotten.
        if !answers.contains(where: { $0 != nil }) { throw error }
        failed = error
        break
      }
    }
    return answers.map { $0 ?? failed.map(Self.rest) ?? .busy(forSeconds: 1) }
  }

  /// Claims bills that are all different, and of one revision where they are several of an order.
  private func claimOnce(
    _ requests: [ClaimRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [ClaimAnswer] {
    var answers: [ClaimAnswer?] = Array(repeating: nil, count: requests.count)
    // Mostly all are new, and nobody has to be told why not.
    if requests.first?.isOneOfSeveral == false {
      answers = try await claimFresh(requests, leaseSeconds: leaseSeconds)
    }
    let left = answers.indices.filter { answers[$0] == nil }
    if !left.isEmpty {
      let others = left.map { requests[$0] }
      let found: [PostgresRows]
      // A refused row does not say why. Asked again together with a look at the rows: the claim holds them all, also
      // those that it may not take, so that the second statement sees what the first one judged. The other bills of an
      // order are held by the order's lock.
      let first = lock(others) + [recogniseStatement(others)]
      let look = PostgresStatement(Self.lookSQL, .intArray(others.map(\.bill.orderID.rawValue)))
      do throws(PostgresFailure) {
        found = try await database.attempt(first + [claimStatement(others, leaseSeconds), look])
      } catch {
        // Many lost races are no defect, but a crowd.
        if LedgerDatabase.lostRace(error) { return answers.map { $0 ?? .busy(forSeconds: 1) } }
        let failure = LedgerFailure(error, schema: database.schema)
        // What is granted is committed, as above.
        if left.count == requests.count { throw failure }
        return answers.map { $0 ?? Self.rest(failure) }
      }
      let granted = granted(found[first.count])
      let held = HeldRows(found[first.count + 1])
      for (place, request) in zip(left, others) { answers[place] = granted[request.bill] ?? held.refusal(of: request) }
    }
    return answers.map { $0 ?? .busy(forSeconds: 1) }
  }

  /// What is said of bills that a failure left without an answer beside others: what a person must mend is told, what may be
  /// over at the next try is not waited for by all.
  static func rest(_ failure: LedgerFailure) -> ClaimAnswer {
    if case .broken = failure { .unanswered(failure) } else { .busy(forSeconds: 1) }
  }

  /// Each claim takes the order's lock: it must see the order's other bills, and a removal.
  func lock(_ requests: [ClaimRequest]) -> [PostgresStatement] {
    requests.isEmpty ? [] : [PostgresStatement(Self.lockSQL, .intArray(requests.map(\.bill.orderID.rawValue)))]
  }

  private func recogniseStatement(_ requests: [ClaimRequest]) -> PostgresStatement {
    PostgresStatement(
      Self.recogniseSQL,
      .intArray(requests.map(\.bill.orderID.rawValue)), .textArray(requests.map(\.bill.stream)),
      .intArray(requests.map { Int64($0.bill.part) }), .intArray(requests.map(\.revision)),
      .intArray(requests.map(\.payloadHash)), .textArray(requests.map(\.object)),
      .intArray(requests.map { Int64($0.parts) }), .textArray(requests.map { $0.beside?.joined(separator: ",") }))
  }

  /// Records removals, as the port says; few enough to go one by one. After a restore some may be unknown.
  public func remove(
    _ requests: [RemovalRequest], leaseSeconds: Int
  ) async throws(LedgerFailure) -> [RemovalAnswer] {
    let isRestored = try await restore.isOpen()
    var answers: [RemovalAnswer] = []
    for request in requests {
      let order = PostgresValue.int(request.order.rawValue)
      let orders = PostgresValue.intArray([request.order.rawValue])
      var statements = [
        PostgresStatement(Self.lockSQL, orders), PostgresStatement(Self.removeSQL, order, .int(request.revision)),
      ]
      if request.cancels {
        statements.append(
          PostgresStatement(Self.cancelSQL, order, .int(request.revision), .int(Int64(max(leaseSeconds, 1)))))
      }
      let look = [PostgresStatement(Self.lookSQL, orders), PostgresStatement(Self.newerThanBackupSQL, order)]
      let all = statements + look.prefix(isRestored ? 2 : 1)
      let found = try await restore.watching { () async throws(LedgerFailure) in try await database.transaction(all) }
      let claimed = request.cancels ? standing(found[2]) : []
      var answer = HeldRows(found[statements.count]).removal(request, claimed: claimed)
      answer.mayBeUnknown = isRestored && found[statements.count + 1].bool(0, 0) == true
      answers.append(answer)
    }
    return answers
  }

  private func standing(_ rows: PostgresRows) -> [StandingBill] {
    (0..<rows.count).compactMap { row in
      guard let id = rows.bill(row), let token = rows.int(row, 3), let object = rows[row, 4], let number = rows[row, 5]
      else { return nil }
      return StandingBill(
        id, object: object, number: number, internalID: rows.int(row, 6), token: token,
        isInDoubt: rows.bool(row, 7) ?? false, absences: Int(rows.int(row, 8) ?? 0))
    }
  }

  func claimStatement(_ requests: [ClaimRequest], _ leaseSeconds: Int) -> PostgresStatement {
    let choices = keys.choices(for: requests)
    return PostgresStatement(
      Self.claimSQL,
      .intArray(requests.map(\.bill.orderID.rawValue)), .textArray(requests.map(\.bill.stream)),
      .intArray(requests.map { Int64($0.bill.part) }), .intArray(requests.map(\.revision)),
      .intArray(requests.map(\.payloadHash)), .textArray(requests.map(\.object)), .textArray(choices.map(\.wanted)),
      .textArray(choices.map { $0.fallback }), .textArray(choices.map { $0.spare }),
      .textArray(requests.map { storable($0.strategy) }), .textArray(requests.map { $0.notes.map(storable) }),
      .intArray(requests.map { Int64($0.parts) }),
      .int(Int64(max(leaseSeconds, 1))), .textArray(requests.map { $0.beside?.joined(separator: ",") }),
      .intArray(requests.filter { $0.change == .update }.map(\.bill.orderID.rawValue)),
      .textArray(requests.map { storable($0.keyField) }))
  }

  private func granted(_ rows: PostgresRows) -> [BillID: ClaimAnswer] {
    var result: [BillID: ClaimAnswer] = [:]
    for row in 0..<rows.count {
      guard let id = rows.bill(row), let token = rows.int(row, 3), let key = rows[row, 4] else { continue }
      let claim = Claim(
        key: key, token: token, doubtfulRevision: rows.int(row, 6), absences: Int(rows.int(row, 7) ?? 0),
        standing: rows[row, 8], isRemoved: rows.bool(row, 9) ?? false, keyField: rows[row, 10] ?? Bill.numberField,
        object: rows[row, 11] ?? "")
      result[id] = rows.bool(row, 5) == true ? .inDoubt(claim) : .new(claim)
    }
    return result
  }

  /// Records outcomes, as the port says. A settlement may be repeated with its token as long as nobody else has claimed
  /// the bill; what is written stays written.
  public func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    var flags = Array(repeating: false, count: settlements.count)
    for part in parts(of: settlements, by: \.bill) {
      let batch = part.map { settlements[$0] }
      let rows = try await restore.watching { () async throws(LedgerFailure) in
        try await database.run(settleWritten(batch) ?? settleStatement(batch))
      }
      let isAll = rows.count == part.count
      let done = isAll ? [] : Set((0..<rows.count).compactMap { rows.bill($0) })
      for position in part { flags[position] = isAll || done.contains(settlements[position].bill) }
    }
    return flags
  }

  func settleStatement(_ settlements: [Settlement]) -> PostgresStatement {
    let ends = settlements.map { LedgerEnd($0.result) }
    return PostgresStatement(
      Self.settleSQL,
      .intArray(settlements.map(\.bill.orderID.rawValue)), .textArray(settlements.map(\.bill.stream)),
      .intArray(settlements.map { Int64($0.bill.part) }), .intArray(settlements.map(\.token)),
      .textArray(ends.map { $0.state }), .intArray(ends.map(\.seconds)), .boolArray(ends.map(\.doubt)),
      .textArray(ends.map(\.reason)), .textArray(ends.map(\.number)), .textArray(ends.map(\.internalID)),
      .textArray(ends.map(\.writeback)), .intArray(ends.map(\.absences)),
      .boolArray(settlements.map(\.followsProof)),
      .textArray(settlements.map { $0.vendorAnswer.map { storable(String($0.prefix(200))) } }),
      .boolArray(settlements.map(\.isOther)))
  }

  /// How many bills are in each state (`writing clean in_doubt written parked`); reads the whole table.
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

/// A settlement's columns.
private struct LedgerEnd {
  var state: String
  var seconds: Int64 = 0
  var doubt = false
  var absences: Int64 = 0
  var reason: String?
  var number: String?
  var internalID: String?
  var writeback: String?

  init(_ result: Settlement.Result) {
    switch result {
    case .written(let bill):
      state = "written"
      number = bill.storedNumber
      internalID = bill.internalID.map { String($0) }
      writeback = bill.writeback.map(storable)
    case .clean: state = "clean"
    case .inDoubt(let seconds, let absences):
      state = "in_doubt"
      self.absences = Int64(min(max(absences, 0), 1_000))
      self.seconds = Int64(min(max(seconds, 0), 86_400))
      doubt = true
    case .standing(let bill, let seconds, let absences):
      self = LedgerEnd(.written(bill))
      let end = LedgerEnd(.inDoubt(lookUpAfterSeconds: seconds, absences: absences))
      (state, doubt, self.seconds, self.absences) = (end.state, end.doubt, end.seconds, end.absences)
    case .cancelled:
      state = "clean"
      reason = "removed"
    case .cancelling(let seconds, let absences):
      state = "in_doubt"
      self.absences = Int64(min(max(absences, 0), 1_000))
      self.seconds = Int64(min(max(seconds, 0), 86_400))
      doubt = true
      reason = "removed"
    case .parked(let code):
      state = "parked"
      reason = code.rawValue
      doubt = code.leavesDoubt
    }
  }
}
