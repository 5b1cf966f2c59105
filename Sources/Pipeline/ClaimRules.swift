import Orders

/// What the loader's memory knows of one order, and what follows from it for a claim, a settlement and a removal
/// (nothing-lost-nothing-twice.md §3): without I/O, clock or chance. Times are whatever the caller counts in, `now` is given.
///
/// PostgreSQL grants by statements of its own (`Ledger/LedgerStatements.swift`), since a batch must cost one; a refusal is
/// explained by these rules, and a test holds both against each other.
public struct LedgerOrder: Sendable, Equatable {
  /// Its bills' rows.
  public var rows: [LedgerRow] = []
  /// The revision of its removal.
  public var removal: Int64?

  /// An order that nobody has claimed a bill of.
  public init() {}

  /// How long a doubt that could be resolved is waited for, in seconds: longer than any outage. After that its message must
  /// be among the dead, and somebody has to look.
  private static let patience = 86_400

  // MARK: Claims

  /// Claims bills of one round (`ClaimRounds`): first those that are unchanged are recognised, then all are granted that
  /// can be, none of which sees another one, and then the others are told why not.
  /// - Parameters:
  ///   - token: makes a fencing token that was given to no other claim before.
  ///   - key: makes a bill's external key; asked only at the bill's first claim, and where it goes to another object and
  ///     nothing of it may be in K/3.
  ///   - due: the end of the lease.
  public mutating func claim(
    _ requests: [ClaimRequest], token: () -> Int64, key: (ClaimRequest) -> String, due: Duration, now: Duration
  ) -> [ClaimAnswer] {
    for request in requests {
      if let place = unchanged(request) { rows[place].revision = request.revision }
    }
    let before = self
    var granted: [BillID: ClaimAnswer] = [:]
    for request in requests where before.refusal(of: request, now: now) == nil {
      granted[request.bill] = grant(request, token: token(), key: key, due: due)
    }
    return requests.map { granted[$0.bill] ?? refusal(of: $0, now: now) ?? .busy(forSeconds: 1) }
  }

  /// The row of a bill that is written in an older revision, and is just the same in this one. Raised to this one it makes
  /// older contents stale, and the claim a duplicate. The order's other bills in the stream may be of older revisions, but
  /// not of another cut.
  private func unchanged(_ request: ClaimRequest) -> Int? {
    guard let place = rows.firstIndex(where: { $0.id == request.bill }), rows[place].isUnchanged(by: request),
      removal ?? .min <= request.revision
    else { return nil }
    let (others, elsewhere) = (beside(request), elsewhere(request))
    let isInTheWay =
      others.contains { $0.revision > request.revision || $0.mayBeWritten && $0.parts != request.parts }
      || elsewhere.contains { $0.revision > request.revision || $0.mayBeWritten }
    return isInTheWay ? nil : place
  }

  private mutating func grant(
    _ request: ClaimRequest, token: Int64, key: (ClaimRequest) -> String, due: Duration
  ) -> ClaimAnswer {
    let place = rows.firstIndex { $0.id == request.bill }
    var row = place.map { rows[$0] } ?? LedgerRow(request.bill, state: .clean, revision: request.revision)
    // What is or may be in K/3 is found in its own object, under its own key, by them alone.
    let mayBeFound = row.state == .writing || row.doubt || row.bill != nil
    if !mayBeFound, place == nil || row.object != request.object {
      (row.key, row.object) = (key(request), request.object)
    }
    if row.state == .writing {
      // Whoever held it may have sent a Save.
      (row.doubt, row.absences) = (true, 0)
    }
    if row.doubt {
      row.doubt(before: request)
    } else {
      (row.doubtfulRevision, row.doubtfulHash, row.keyField) = (nil, nil, request.keyField)
    }
    (row.state, row.revision, row.payloadHash) = (.writing, request.revision, request.payloadHash)
    (row.token, row.due, row.reason, row.parts) = (token, due, nil, request.parts)
    if let place { rows[place] = row } else { rows.append(row) }
    let claim = Claim(
      key: row.key, token: token, doubtfulRevision: row.olderRevision, absences: row.absences,
      standing: row.bill?.number, isRemoved: removal ?? .min > request.revision, keyField: row.keyField,
      object: row.object)
    return row.doubt ? .inDoubt(claim) : .new(claim)
  }

  /// Why a bill cannot be claimed; nil: it can.
  public func refusal(of request: ClaimRequest, now: Duration) -> ClaimAnswer? {
    let own = rows.first { $0.id == request.bill }
    let isWritten = own?.state == .written
    // Whatever happened to other bills since.
    if isWritten, own?.revision == request.revision { return .duplicate }
    if let removal, removal > request.revision {
      // Only what is in doubt is found out about.
      guard let own, own.revision <= request.revision, !own.isCancelling, own.isOpen || own.doubt else {
        return .removed
      }
      if own.isOpen, own.due > now { return own.wait(now) }
    }
    let (others, elsewhere) = (beside(request), elsewhere(request))
    let compared = [own].compactMap { $0 } + others + elsewhere
    if compared.contains(where: { $0.revision > request.revision }) { return .stale }
    // It was written since the request was to be recognised; the next time it is.
    if unchanged(request) != nil { return .busy(forSeconds: 1) }
    let inTheWay = others.filter {
      $0.mayBeWritten && ($0.oldest < request.revision || $0.parts != request.parts)
    }
    if let answer = refusal(by: inTheWay, now) { return answer }
    let isUpdatable = request.change == .update && own?.parts == request.parts && own?.object == request.object
    if isWritten, !isUpdatable { return request.change == .ignore ? .ignored : .changedAfterWritten }
    if let answer = refusal(elsewhere: elsewhere.filter(\.mayBeWritten), now) { return answer }
    guard let own, own.isOpen else { return nil }
    if own.isCancelling, own.seconds(now) <= -Self.patience { return .changedAfterWritten }
    return own.isCancelling || own.due > now ? own.wait(now) : nil
  }

  /// The order's other bills in the stream.
  private func beside(_ request: ClaimRequest) -> [LedgerRow] {
    rows.filter { $0.id.stream == request.bill.stream && $0.id != request.bill }
  }

  /// The order's bills in streams that this one may not stand beside.
  private func elsewhere(_ request: ClaimRequest) -> [LedgerRow] {
    guard let beside = request.beside else { return [] }
    return rows.filter { $0.id.stream != request.bill.stream && !beside.contains($0.id.stream) }
  }

  private func refusal(elsewhere rows: [LedgerRow], _ now: Duration) -> ClaimAnswer? {
    guard let answer = refusal(by: rows, now) else { return nil }
    guard answer == .changedAfterWritten, let first = rows.map(\.id.stream).min() else { return answer }
    return .writtenElsewhere(stream: first)
  }

  /// What other bills say that must not stand beside the one that is asked for; nil when there are none.
  private func refusal(by rows: [LedgerRow], _ now: Duration) -> ClaimAnswer? {
    if rows.contains(where: { !$0.isOpen || $0.seconds(now) <= -Self.patience }) { return .changedAfterWritten }
    // Its own message finds it out.
    let writing = rows.filter { $0.state == .writing }
    return (writing.isEmpty ? rows : writing).max { $0.due < $1.due }?.wait(now)
  }

  // MARK: Settlements

  /// Records what became of a claim.
  /// - Returns: false when the claim is not the row's any more, or the row is written and would not stay so.
  public mutating func settle(_ settlement: Settlement, now: Duration) -> Bool {
    guard let place = rows.firstIndex(where: { $0.id == settlement.bill }) else { return false }
    return rows[place].settle(settlement, now: now)
  }

  // MARK: Removals

  /// Records a removal, and claims what is to be deleted and may be.
  /// - Parameters:
  ///   - token: makes a fencing token that was given to no other claim before.
  ///   - due: the end of the lease.
  public mutating func remove(
    _ request: RemovalRequest, token: () -> Int64, due: Duration, now: Duration
  ) -> RemovalAnswer {
    removal = max(removal ?? .min, request.revision)
    var claimed: [StandingBill] = []
    guard request.cancels, !isStale(request) else { return answer(to: request, claimed: [], now: now) }
    for place in rows.indices {
      let row = rows[place]
      guard let bill = row.bill, !row.isOpen || row.isCancelling && row.due <= now else { continue }
      var next = row
      next.absences = row.state == .inDoubt ? row.absences : 0
      (next.state, next.revision, next.token, next.due) = (.writing, request.revision, token(), due)
      (next.doubt, next.doubtfulRevision, next.reason, next.isCancelling) = (row.isOpen, nil, nil, true)
      next.doubtfulHash = nil
      rows[place] = next
      claimed.append(
        StandingBill(
          row.id, object: row.object, number: bill.number, internalID: bill.internalID, token: next.token,
          isInDoubt: next.doubt, absences: next.absences))
    }
    return answer(to: request, claimed: claimed, now: now)
  }

  /// What there is of an order whose removal is recorded, beside the bills that were claimed just now.
  public func answer(to request: RemovalRequest, claimed: [StandingBill], now: Duration) -> RemovalAnswer {
    var answer = RemovalAnswer()
    answer.isStale = isStale(request)
    if answer.isStale { return answer }
    answer.claimed = claimed
    for row in rows where row.mayBeWritten && !claimed.contains(where: { $0.bill == row.id }) {
      if row.isOpen, row.seconds(now) > -Self.patience {
        answer.waitSeconds = max(answer.waitSeconds ?? 1, row.seconds(now))
      } else {
        answer.held.append(row.id)
      }
    }
    return answer
  }

  private func isStale(_ request: RemovalRequest) -> Bool {
    removal ?? .min > request.revision || rows.contains { $0.revision > request.revision }
  }
}
