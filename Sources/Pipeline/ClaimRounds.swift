import Orders

/// A batch of claims in rounds that may be claimed by one statement each, which does not see what it does itself.
public enum ClaimRounds {
  private struct Last {
    var round = 0
    var revision: Int64
    var parts: Int
    /// The streams of all takers: two that differ in these look at each other.
    var beside: Set<String>?
    var bills: Set<BillID> = []

    init(_ request: ClaimRequest, round: Int = 0) {
      self.round = round
      (revision, parts) = (request.revision, request.parts)
      beside = request.beside.map { Set($0 + [request.bill.stream]) }
    }

    func agrees(with other: Last, _ bill: BillID) -> Bool {
      revision == other.revision && parts == other.parts && beside == other.beside && !bills.contains(bill)
    }
  }

  /// The positions of the requests. In a round no bill occurs twice, and no order with two revisions or cuts, or of which
  /// one strategy and then another one took the same revision. Each round asks for bills of one kind.
  /// - Parameter limit: most requests of a round.
  public static func parts(of requests: [ClaimRequest], limit: Int) -> [[Int]] {
    // Mostly each bill is another order's.
    let isPlain = !requests.contains(where: \.isOneOfSeveral)
    if isPlain, Set(requests.lazy.map(\.bill.orderID)).count == requests.count {
      return stride(from: 0, to: requests.count, by: limit).map { Array($0..<min($0 + limit, requests.count)) }
    }
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
      stride(from: 0, to: kind.count, by: limit).map { Array(kind[$0..<min($0 + limit, kind.count)]) }
    }
  }
}
