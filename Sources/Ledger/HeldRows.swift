import Orders
import Pipeline
import PostgreSQL

/// What `lookSQL` found of orders whose bills could not be claimed, or that are removed.
struct HeldRows {
  private var orders: [OrderID: LedgerOrder] = [:]
  /// Times in `orders` are counted from the moment of the look.
  private static let now = Duration.zero

  init(_ found: PostgresRows) {
    for index in 0..<found.count {
      if let order = found.int(index, 12), let revision = found.int(index, 11) {
        orders[OrderID(rawValue: order), default: LedgerOrder()].removal = revision
      }
      guard let id = found.bill(index), let state = found[index, 3].flatMap(LedgerRow.State.init(rawValue:)),
        let revision = found.int(index, 4)
      else { continue }
      var row = LedgerRow(id, state: state, revision: revision)
      row.doubt = found.bool(index, 5) ?? false
      row.due = Self.now + .seconds(found.int(index, 6) ?? 0)
      row.parts = Int(found.int(index, 7) ?? 0)
      row.doubtfulRevision = found.int(index, 8)
      row.bill = found[index, 9].map { WrittenBill(number: $0, internalID: nil) }
      row.isCancelling = found.bool(index, 10) ?? false
      row.payloadHash = found.int(index, 13) ?? 0
      row.object = found[index, 14] ?? ""
      orders[id.orderID, default: LedgerOrder()].rows.append(row)
    }
  }

  /// Nil when no row is in the way any more.
  func refusal(of request: ClaimRequest) -> ClaimAnswer? {
    (orders[request.bill.orderID] ?? LedgerOrder()).refusal(of: request, now: Self.now)
  }

  /// What there is of an order that is removed, but for what has just been claimed.
  func removal(_ request: RemovalRequest, claimed: [StandingBill]) -> RemovalAnswer {
    (orders[request.order] ?? LedgerOrder()).answer(to: request, claimed: claimed, now: Self.now)
  }
}

extension PostgresRows {
  /// The bill in the first three columns.
  func bill(_ row: Int) -> BillID? {
    guard let order = int(row, 0), let stream = self[row, 1], let part = int(row, 2) else { return nil }
    return BillID(OrderID(rawValue: order), stream: stream, part: Int(part))
  }
}
