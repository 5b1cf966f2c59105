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

    /// Whether something of it is in K/3, or may be.
    var mayBeWritten: Bool { state != "clean" && (state != "parked" || doubt) }
    /// The oldest revision that is or may be in K/3.
    var oldest: Int64 { min(revision, doubtfulRevision ?? revision) }
  }

  private struct Order: Hashable {
    let id: OrderID
    let stream: String
  }

  private var rows: [Order: [Row]] = [:]

  init(_ found: PostgresRows) {
    for index in 0..<found.count {
      guard let id = found.bill(index), let state = found[index, 3], let revision = found.int(index, 4) else {
        continue
      }
      let row = Row(
        id: id, state: state, revision: revision, doubt: found.bool(index, 5) ?? false,
        seconds: found.int(index, 6) ?? 0, parts: found.int(index, 7) ?? 0, doubtfulRevision: found.int(index, 8))
      rows[Order(id: id.orderID, stream: id.stream), default: []].append(row)
    }
  }

  /// Nil when no row is in the way any more.
  func refusal(of request: ClaimRequest) -> ClaimAnswer? {
    let rows = rows[Order(id: request.bill.orderID, stream: request.bill.stream)] ?? []
    let others = rows.filter { $0.id != request.bill }
    if others.contains(where: { $0.revision > request.revision }) { return .stale }
    let inTheWay = others.filter {
      $0.mayBeWritten && ($0.oldest < request.revision || $0.parts != Int64(request.parts))
    }
    if let answer = refusal(by: inTheWay) { return answer }
    guard let own = rows.first(where: { $0.id == request.bill }) else { return nil }
    let wait = Int(max(own.seconds, 1))
    if own.revision > request.revision { return .stale }
    switch own.state {
    case "written": return own.revision == request.revision ? .duplicate : .changedAfterWritten
    case "in_doubt": return .tooEarly(forSeconds: wait)
    default: return .busy(forSeconds: wait)
    }
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
  private struct Order: Hashable {
    let id: OrderID
    let stream: String
  }

  private struct Last {
    var round = 0
    var revision: Int64
    var parts: Set<Int>
  }

  /// The positions of the requests. In a part no bill occurs twice, and no order of which there may be several bills with
  /// two revisions: a statement does not see what it does itself. Each part asks for bills of one kind.
  static func parts(of requests: [ClaimRequest]) -> [[Int]] {
    var rounds: [[[Int]]] = []
    var last: [Order: Last] = [:]
    last.reserveCapacity(requests.count)
    for (position, request) in requests.enumerated() {
      let order = Order(id: request.bill.orderID, stream: request.bill.stream)
      var round = 0
      if var known = last[order] {
        if known.revision != request.revision || known.parts.contains(request.bill.part) {
          known = Last(round: known.round + 1, revision: request.revision, parts: [])
        }
        known.parts.insert(request.bill.part)
        round = known.round
        last[order] = known
      } else {
        last[order] = Last(revision: request.revision, parts: [request.bill.part])
      }
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
