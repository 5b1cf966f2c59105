public import Orders
public import Pipeline
import PostgreSQL

/// What the ledger knows of one order, for people.
public struct OrderRecord: Sendable {
  /// OKKI's id.
  public let id: OrderID
  /// The newest revision that the poller saw; nil where it never saw the order, as after its memory was lost.
  public internal(set) var seen: Seen?
  /// Its bills by stream and part; empty before the first claim.
  public internal(set) var bills: [BillRecord] = []

  /// A revision as the poller saw it.
  public struct Seen: Sendable {
    /// Its number.
    public let revision: Int64
    /// OKKI's `update_time`.
    public let updateTime: BeijingTime
    /// It is the order's deletion.
    public let isRemoval: Bool
    /// It was given to the transformers, or a deletion to the loaders. Of a deletion `backfill start --again` forgets that,
    /// also where OKKI does not list it again.
    public let isPublished: Bool
  }
}

/// A bill's row.
public struct BillRecord: Sendable {
  /// The strategy's stream.
  public let stream: String
  /// Which of the order's bills in the stream, from 1.
  public let part: Int
  /// Into how many the strategy cut the order; 0 from one that cuts none.
  public let parts: Int
  /// `writing`, `clean`, `in_doubt`, `written` or `parked`.
  public let state: String
  /// K/3's object.
  public let object: String
  /// The strategy that claimed it last; nil in rows of earlier programs.
  public let strategy: String?
  /// The order's revision that was claimed last.
  public let revision: Int64
  /// What K/3 is asked for in doubt.
  public let key: String
  /// The header field of the bill that holds the key.
  public let keyField: String
  /// What K/3 called the bill; nil before it is written.
  public let number: String?
  /// K/3's id of it, where K/3 told one.
  public let internalID: Int64?
  /// How often it was claimed.
  public let claims: Int
  /// Why it is parked, a `ReasonCode`'s text.
  public let reason: String?
  /// K/3 is asked before the bill is sent again.
  public let isInDoubt: Bool
  /// While it is in doubt: the oldest revision that may be in K/3.
  public let doubtfulRevision: Int64?
  /// While `writing` the end of the lease, while `in_doubt` when K/3 may be asked.
  public let due: BeijingTime
  /// Its first claim.
  public let firstClaimed: BeijingTime
  /// Its last change.
  public let changed: BeijingTime
  /// What the mapping noted, JSON; nil for nothing.
  public let notes: String?
  /// What `primaryWriteback` made of K/3's answer, JSON; nil where the strategy keeps nothing.
  public let writeback: String?
  /// The last answer of K/3's that was not what was expected: its beginning, secrets masked; nil where there was none.
  public let vendorAnswer: String?

  fileprivate init?(_ rows: PostgresRows, _ row: Int) {
    func int(_ column: Int) -> Int64 { rows.int(row, column) ?? 0 }
    func time(_ column: Int) -> BeijingTime { BeijingTime(epochSeconds: int(column)) }
    guard let stream = rows[row, 1], let state = rows[row, 4], let object = rows[row, 5], let key = rows[row, 8] else {
      return nil
    }
    (self.stream, self.state, self.object, self.key) = (stream, state, object, key)
    (part, parts, claims) = (Int(int(2)), Int(int(3)), Int(int(11)))
    (strategy, number, reason) = (rows[row, 6], rows[row, 9], rows[row, 12])
    keyField = rows[row, 21] ?? Bill.numberField
    (revision, internalID, doubtfulRevision) = (int(7), rows.int(row, 10), rows.int(row, 14))
    isInDoubt = rows.bool(row, 13) ?? false
    (due, firstClaimed, changed) = (time(15), time(16), time(17))
    (notes, writeback, vendorAnswer) = (rows[row, 18], rows[row, 19], rows[row, 20])
  }
}

extension PostgresLedger {
  /// What is known of an order, by OKKI's id or by the number that a bill of it has or would have in K/3. Mostly one; several
  /// where a number is another order's id, or stands in two of K/3's objects; at most 20.
  public func orders(_ text: String) async throws(LedgerFailure) -> [OrderRecord] {
    let name = storable(text)
    let id = Int64(text).map(PostgresValue.int) ?? .null
    let found = try await database.run(PostgresStatement(Self.findSQL, id, .text(name)))
    let ids = (0..<found.count).compactMap { found.int($0, 0) }
    if ids.isEmpty { return [] }
    var orders = ids.map { OrderRecord(id: OrderID(rawValue: $0)) }
    let places = Dictionary(uniqueKeysWithValues: zip(ids, orders.indices))
    let answers = try await database.transaction([
      PostgresStatement(Self.seenSQL, .intArray(ids), .int(FetchedRevision.removalHash)),
      PostgresStatement(Self.billsSQL, .intArray(ids)),
    ])
    for row in 0..<answers[0].count {
      guard let place = answers[0].int(row, 0).flatMap({ places[$0] }), let revision = answers[0].int(row, 1) else {
        continue
      }
      orders[place].seen = OrderRecord.Seen(
        revision: revision, updateTime: BeijingTime(epochSeconds: answers[0].int(row, 2) ?? 0),
        isRemoval: answers[0].bool(row, 4) ?? false, isPublished: answers[0].bool(row, 3) ?? false)
    }
    for row in 0..<answers[1].count {
      guard let place = answers[1].int(row, 0).flatMap({ places[$0] }) else { continue }
      if let bill = BillRecord(answers[1], row) { orders[place].bills.append(bill) }
    }
    return orders
  }

  private static let findSQL = """
    SELECT DISTINCT order_id FROM (
      SELECT order_id FROM order_revisions WHERE order_id = $1::bigint
      UNION ALL
      SELECT order_id FROM order_ledger
      WHERE order_id = $1::bigint OR lower(external_key COLLATE "C") = lower($2::text COLLATE "C") OR bill_number = $2::text
    ) AS found
    ORDER BY order_id LIMIT 20
    """

  private static let seenSQL = """
    SELECT order_id, number, update_time, published, content_hash = $2::bigint
    FROM order_revisions WHERE order_id = ANY ($1::bigint[])
    """

  private static let billsSQL = """
    SELECT order_id, stream, part, parts, state, object, strategy, revision, external_key, bill_number, bill_internal_id,
      claims, reason, doubt, doubt_revision, extract(epoch FROM due)::bigint,
      extract(epoch FROM first_claimed)::bigint, extract(epoch FROM changed)::bigint, notes, writeback,
      vendor_answer, key_field
    FROM order_ledger WHERE order_id = ANY ($1::bigint[]) ORDER BY order_id, stream, part LIMIT 20000
    """
}
