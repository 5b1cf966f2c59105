import Orders
import Pipeline
import PostgreSQL

/// The rows of bills that could not be claimed, and of the other bills of their orders: why they could not.
struct HeldRows {
  private struct Row {
    let id: BillID
    let state: String
    let revision: Int64
    let doubt: Bool
    /// Until the lease ends or a look-up is due; below 0 since.
    let seconds: Int64
    let parts: Int64
    /// While it is in doubt the oldest revision that may be in K/3.
    let doubtfulRevision: Int64?
    /// K/3 has a bill of it; while its state is not `written`, of an older revision.
    let isStanding: Bool
    /// It is being deleted in K/3.
    let isCancelling: Bool

    /// Whether something of it is in K/3, or may be.
    var mayBeWritten: Bool { isStanding || state != "clean" && (state != "parked" || doubt) }
    /// Somebody is at it, or it is being found out about.
    var isOpen: Bool { state == "writing" || state == "in_doubt" }
    var wait: ClaimAnswer {
      let wait = Int(max(seconds, 1))
      return state == "in_doubt" ? .tooEarly(forSeconds: wait) : .busy(forSeconds: wait)
    }
    /// The oldest revision that is or may be in K/3.
    var oldest: Int64 {
      isStanding && state != "written" ? .min : min(revision, doubtfulRevision ?? revision)
    }
  }

  private var rows: [OrderID: [Row]] = [:]
  /// The revision of an order's removal.
  private var removals: [OrderID: Int64] = [:]

  init(_ found: PostgresRows) {
    for index in 0..<found.count {
      if let order = found.int(index, 12), let revision = found.int(index, 11) {
        removals[OrderID(rawValue: order)] = revision
      }
      guard let id = found.bill(index), let state = found[index, 3], let revision = found.int(index, 4) else {
        continue
      }
      let row = Row(
        id: id, state: state, revision: revision, doubt: found.bool(index, 5) ?? false,
        seconds: found.int(index, 6) ?? 0, parts: found.int(index, 7) ?? 0, doubtfulRevision: found.int(index, 8),
        isStanding: found.bool(index, 9) ?? false, isCancelling: found.bool(index, 10) ?? false)
      rows[id.orderID, default: []].append(row)
    }
  }

  /// Nil when no row is in the way any more.
  func refusal(of request: ClaimRequest) -> ClaimAnswer? {
    let rows = rows[request.bill.orderID] ?? []
    let own = rows.first { $0.id == request.bill }
    let isWritten = own?.state == "written"
    // Whatever happened to other bills since.
    if isWritten, own?.revision == request.revision { return .duplicate }
    if let removal = removals[request.bill.orderID], removal > request.revision {
      // Only what is in doubt is found out about.
      guard let own, own.revision <= request.revision, !own.isCancelling, own.isOpen || own.doubt else {
        return .removed
      }
      if own.isOpen, own.seconds > 0 { return own.wait }
    }
    let others = rows.filter { $0.id.stream == request.bill.stream && $0.id != request.bill }
    let elsewhere = rows.filter { row in
      guard let beside = request.beside, row.id.stream != request.bill.stream else { return false }
      return !beside.contains(row.id.stream)
    }
    let compared = [own].compactMap { $0 } + others + elsewhere
    if compared.contains(where: { $0.revision > request.revision }) { return .stale }
    let inTheWay = others.filter {
      $0.mayBeWritten && ($0.oldest < request.revision || $0.parts != Int64(request.parts))
    }
    if let answer = refusal(by: inTheWay) { return answer }
    let isUpdatable = request.change == .update && own?.parts == Int64(request.parts)
    if isWritten, !isUpdatable { return request.change == .ignore ? .ignored : .changedAfterWritten }
    if let answer = refusal(elsewhere: elsewhere.filter(\.mayBeWritten)) { return answer }
    if let own, own.isCancelling, own.seconds <= -Self.patience { return .changedAfterWritten }
    return own?.wait
  }

  /// What there is of an order that is removed, but for what has just been claimed.
  func removal(_ request: RemovalRequest, claimed: [StandingBill]) -> RemovalAnswer {
    var answer = RemovalAnswer()
    let rows = rows[request.order] ?? []
    answer.isStale =
      removals[request.order] ?? 0 > request.revision || rows.contains { $0.revision > request.revision }
    if answer.isStale { return answer }
    answer.claimed = claimed
    for row in rows where !claimed.contains(where: { $0.bill == row.id }) && row.mayBeWritten {
      if row.isOpen, row.seconds > -Self.patience {
        answer.waitSeconds = max(answer.waitSeconds ?? 1, Int(row.seconds))
      } else {
        answer.held.append(row.id)
      }
    }
    return answer
  }

  /// What bills in streams that this one may not stand beside say.
  private func refusal(elsewhere rows: [Row]) -> ClaimAnswer? {
    guard let answer = refusal(by: rows) else { return nil }
    guard answer == .changedAfterWritten, let first = rows.map(\.id.stream).min() else { return answer }
    return .writtenElsewhere(stream: first)
  }

  /// What other bills say that must not stand beside the one that is asked for; nil when there are none.
  private func refusal(by rows: [Row]) -> ClaimAnswer? {
    let isBeingFoundOut = { (row: Row) in ["writing", "in_doubt"].contains(row.state) && row.seconds > -Self.patience }
    if rows.contains(where: { !isBeingFoundOut($0) }) { return .changedAfterWritten }
    // Its own message finds it out.
    if let row = rows.first(where: { $0.state == "writing" }) { return .busy(forSeconds: Int(max(row.seconds, 1))) }
    return rows.first.map { .tooEarly(forSeconds: Int(max($0.seconds, 1))) }
  }

  /// How long a doubt that could be resolved is waited for, in seconds: longer than any outage. After that its message must
  /// be among the dead, and somebody has to look.
  private static let patience: Int64 = 86_400
}

/// A batch of claims in parts for one statement each.
enum ClaimRounds {
  private struct Last {
    var round = 0
    var revision: Int64
    /// The streams of all takers: two that differ in these look at each other.
    var beside: Set<String>?
    var bills: Set<BillID> = []

    init(_ request: ClaimRequest, round: Int = 0) {
      self.round = round
      revision = request.revision
      beside = request.beside.map { Set($0 + [request.bill.stream]) }
    }

    func agrees(with other: Last, _ bill: BillID) -> Bool {
      revision == other.revision && beside == other.beside && !bills.contains(bill)
    }
  }

  /// The positions of the requests. In a part no bill occurs twice, and no order of which there may be several bills with
  /// two revisions, or of which one strategy and then another one took the same revision: a statement does not see what it
  /// does itself. Each part asks for bills of one kind.
  static func parts(of requests: [ClaimRequest]) -> [[Int]] {
    var rounds: [[[Int]]] = []
    var last: [OrderID: Last] = [:]
    last.reserveCapacity(requests.count)
    for (position, request) in requests.enumerated() {
      let order = request.bill.orderID
      var next = Last(request)
      if let known = last[order] {
        next.round = known.agrees(with: next, request.bill) ? known.round : known.round + 1
        if next.round == known.round { next.bills = known.bills }
      }
      next.bills.insert(request.bill)
      last[order] = next
      let round = next.round
      if round == rounds.count { rounds.append([[], []]) }
      rounds[round][request.isOneOfSeveral ? 1 : 0].append(position)
    }
    return rounds.flatMap { $0 }.flatMap { kind in
      stride(from: 0, to: kind.count, by: rowsPerStatement).map {
        Array(kind[$0..<min($0 + rowsPerStatement, kind.count)])
      }
    }
  }
}

extension PostgresRows {
  /// The bill in the first three columns.
  func bill(_ row: Int) -> BillID? {
    guard let order = int(row, 0), let stream = self[row, 1], let part = int(row, 2) else { return nil }
    return BillID(OrderID(rawValue: order), stream: stream, part: Int(part))
  }
}
