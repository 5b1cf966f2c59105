import Orders
import Pipeline
import PostgreSQL

// Nearly every batch is of new bills, and then of written ones. Each has a statement of its own, which does nothing that
// the general ones (`LedgerStatements.swift`) would not do. What all bills of a batch share is sent as one value.

extension PostgresLedger {
  /// Takes bills of orders of which nothing is written down, nor a removal, and whose numbers nobody has: nearly all. What
  /// it leaves out is for `claimSQL`, which grants all that this grants.
  ///
  /// No ON CONFLICT, which would cost a tenth more: under the orders' locks only a row with the same number can come between
  /// the look and the insert. The statement then did nothing, and all are for `claimSQL`, which tells them apart row by row.
  private static func claimFreshSQL(of asked: String) -> String {
    """
    INSERT INTO order_ledger (
      order_id, stream, part, state, revision, payload_hash, token, due, doubt, object, external_key, strategy, notes,
      parts, key_field)
    SELECT
      order_id, stream, part, 'writing', revision, payload_hash, (SELECT nextval('claim_tokens')),
      clock_timestamp() + $11::bigint * interval '1 second', false, target, wanted, strategy, notes, 0, key_field
    FROM \(asked)
    WHERE wanted IS NOT NULL
      AND (SELECT true FROM order_ledger other WHERE other.order_id = asked.order_id LIMIT 1) IS NULL
      AND (SELECT true FROM order_removals gone WHERE gone.order_id = asked.order_id LIMIT 1) IS NULL
      AND (
        SELECT true FROM order_ledger other
        WHERE other.object = target AND lower(other.external_key COLLATE "C") = lower(wanted COLLATE "C") LIMIT 1
      ) IS NULL
    ORDER BY order_id, stream, part
    RETURNING order_id, stream, part, token
    """
  }

  private static let claimFreshSQL = claimFreshSQL(
    of: """
      unnest(
        $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[],
        $10::text[]
      ) AS asked (order_id, revision, payload_hash, wanted, notes, stream, part, target, strategy, key_field)
      """)
  private static let claimFreshAlikeSQL = claimFreshSQL(
    of: """
      unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
        AS asked (order_id, revision, payload_hash, wanted, notes),
      (SELECT $6::text, $7::bigint, $8::text, $9::text, $10::text) AS shared (stream, part, target, strategy, key_field)
      """)

  /// The answers to those that it takes; nil for the others, and for all when a race was lost.
  func claimFresh(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer?] {
    let keys = keys.wanted(by: requests)
    let statement = claimFreshStatement(requests, keys, leaseSeconds)
    let rows: PostgresRows?
    do throws(PostgresFailure) {
      rows = try await database.attempt(lock(requests) + [statement], tries: 1).last
    } catch {
      guard LedgerDatabase.lostRace(error) else { throw LedgerFailure(error, schema: database.schema) }
      return requests.map { _ in nil }
    }
    // The token is the statement's.
    guard let rows, rows.count > 0, let token = rows.int(0, 3) else { return requests.map { _ in nil } }
    let isAll = rows.count == requests.count
    let taken = isAll ? [] : Set((0..<rows.count).compactMap { rows.bill($0) })
    return zip(requests, keys).map { request, key in
      guard let key, isAll || taken.contains(request.bill) else { return nil }
      return .new(Claim(key: key, token: token, keyField: storable(request.keyField), object: request.object))
    }
  }

  private func claimFreshStatement(
    _ requests: [ClaimRequest], _ keys: [String?], _ leaseSeconds: Int
  ) -> PostgresStatement {
    let own: [PostgresValue] = [
      .intArray(requests.map(\.bill.orderID.rawValue)), .intArray(requests.map(\.revision)),
      .intArray(requests.map(\.payloadHash)), .textArray(keys), .textArray(requests.map { $0.notes.map(storable) }),
    ]
    let lease = PostgresValue.int(Int64(max(leaseSeconds, 1)))
    if let one = requests.first, requests.allSatisfy({ $0.isAlike(one) }) {
      let shared: [PostgresValue] = [
        .text(one.bill.stream), .int(Int64(one.bill.part)), .text(one.object), .text(storable(one.strategy)),
        .text(storable(one.keyField)),
      ]
      return PostgresStatement(Self.claimFreshAlikeSQL, parameters: own + shared + [lease])
    }
    let others: [PostgresValue] = [
      .textArray(requests.map(\.bill.stream)), .intArray(requests.map { Int64($0.bill.part) }),
      .textArray(requests.map(\.object)), .textArray(requests.map { storable($0.strategy) }),
      .textArray(requests.map { storable($0.keyField) }),
    ]
    return PostgresStatement(Self.claimFreshSQL, parameters: own + others + [lease])
  }

  /// Ends claims whose bills are written, as `settleSQL` does.
  ///
  /// An insert that meets each row, as there, would cost as much again. The LIMIT, which limits nothing, makes the planner
  /// expect one row, and so go by the order of the keys. The ANY of one leaves it the index as the one way to a row: `=`
  /// may be merged as well, with all of a table that it takes for one of no row or one.
  private static let settleWrittenSQL = """
    UPDATE order_ledger held SET
      state = 'written', due = clock_timestamp(), doubt = false, reason = NULL, bill_number = ended.bill_number,
      bill_internal_id = coalesce(ended.bill_internal_id::bigint, held.bill_internal_id),
      writeback = coalesce(ended.writeback, held.writeback), absences = 0, doubt_since = NULL, changed = clock_timestamp()
    FROM (
      SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
        AS each (order_id, stream, part, token, bill_number, bill_internal_id, writeback)
      ORDER BY order_id, stream, part LIMIT cardinality($1::bigint[])
    ) AS ended
    WHERE held.order_id = ANY (ARRAY[ended.order_id]) AND held.stream = ended.stream AND held.part = ended.part
      AND held.token = ended.token
    RETURNING held.order_id, held.stream, held.part
    """

  /// The statement for settlements that are all of written bills, and of nothing else; nil for others.
  func settleWritten(_ settlements: [Settlement]) -> PostgresStatement? {
    var bills: [WrittenBill] = []
    bills.reserveCapacity(settlements.count)
    for settlement in settlements {
      guard case .written(let bill) = settlement.result, !settlement.isOther, !settlement.followsProof,
        settlement.vendorAnswer == nil
      else { return nil }
      bills.append(bill)
    }
    return PostgresStatement(
      Self.settleWrittenSQL,
      .intArray(settlements.map(\.bill.orderID.rawValue)), .textArray(settlements.map(\.bill.stream)),
      .intArray(settlements.map { Int64($0.bill.part) }), .intArray(settlements.map(\.token)),
      .textArray(bills.map(\.storedNumber)), .textArray(bills.map { $0.internalID.map { String($0) } }),
      .textArray(bills.map { $0.writeback.map(storable) }))
  }
}

extension WrittenBill {
  /// The number as the row keeps it.
  var storedNumber: String { storable(String(number.prefix(255))) }
}

extension ClaimRequest {
  /// In all that a claim of new bills sends once where it is the same.
  fileprivate func isAlike(_ other: ClaimRequest) -> Bool {
    bill.stream == other.bill.stream && bill.part == other.bill.part && object == other.object
      && strategy == other.strategy && keyField == other.keyField
  }
}
