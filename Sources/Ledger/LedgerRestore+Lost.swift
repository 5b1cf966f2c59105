import Orders
import Pipeline
import PostgreSQL

/// What a restored ledger takes for published and may have lain in a queue at the backup.
extension LedgerRestore {
  struct Lost {
    /// The time of the last change of the orders.
    let orders: TimeWindow
    /// Deletions in OKKI since then.
    let deletedSince: BeijingTime
  }

  /// A stream of which nobody has claimed any bill leaves no trace: such a bill may have waited so long beside others that
  /// were written.
  private static let leastSeconds: Int64 = 7 * 86_400
  /// Orders that nothing is made of leave no trace either, and must not have all of OKKI read again.
  private static let mostSeconds: Int64 = 30 * 86_400

  /// - Returns: nil where no orders had been polled.
  func lost() async throws(LedgerFailure) -> Lost? {
    let result: Result<PostgresRows, PostgresFailure>
    do throws(PostgresFailure) {
      // It reads whole tables.
      let session = try await database.patientSession()
      do throws(PostgresFailure) {
        result = .success(
          try await session.run(
            PostgresStatement(
              Self.lostSQL, .int(FetchedRevision.removalHash), .int(Self.leastSeconds), .int(Self.mostSeconds))))
      } catch { result = .failure(error) }
      await session.close()
    } catch { throw LedgerFailure(error, schema: database.schema) }
    do throws(PostgresFailure) {
      let rows = try result.get()
      func time(_ column: Int) -> BeijingTime? { rows.int(0, column).map { BeijingTime(epochSeconds: $0) } }
      guard rows.count > 0, let from = time(0), let to = time(1), let deleted = time(2),
        let orders = TimeWindow(from: from, to: to)
      else { return nil }
      return Lost(orders: orders, deletedSince: deleted)
    } catch { throw LedgerFailure(error, schema: database.schema) }
  }

  // An order was carried to its end when of each stream that any order has bills in all its bills are written in its revision
  // or among the letters, and no row of it is open; or when its own letter is there and no bill was claimed. A letter that was
  // replayed was in a queue again. A deletion was when the loader has recorded it and nothing of the order is or may be in K/3,
  // or when its letter is there; OKKI lists it by its own time, which is never before the order's last change.
  private static let lostSQL = """
    WITH letters AS (
      SELECT order_id, revision, stage, told ->> 'type' AS type, told -> 'headers' ->> 'ferry-stream' AS stream,
        \(PostgresPollLedger.letterPart) AS part, \(PostgresPollLedger.letterParts) AS parts
      FROM (
        SELECT order_id, revision, stage, \(PostgresPollLedger.letterTold) AS told FROM dead_letters letter
        WHERE state <> 'replayed'
      ) AS letter
    ),
    seen AS (
      SELECT order_id, number, update_time FROM order_revisions WHERE published AND content_hash <> $1::bigint
    ),
    bills AS (
      SELECT order_id, stream, part, max(parts) AS parts, bool_or(is_ended) AS is_ended
      FROM (
        SELECT order_id, held.stream, held.part, held.parts,
          held.state = 'written' AND held.revision >= seen.number AS is_ended
        FROM seen JOIN order_ledger held USING (order_id)
        UNION ALL
        SELECT seen.order_id, letters.stream, letters.part, letters.parts, true
        FROM seen JOIN letters ON letters.order_id = seen.order_id AND letters.revision = seen.number
        WHERE letters.stage = 'load' AND letters.type = 'bill' AND letters.stream IS NOT NULL
      ) AS known
      GROUP BY order_id, stream, part
    ),
    streams AS (
      SELECT order_id, bool_and(is_ended) AND count(*) >= greatest(max(parts), 1) AS is_ended
      FROM bills GROUP BY order_id, stream
    ),
    ended AS (
      SELECT order_id FROM streams
      GROUP BY order_id HAVING bool_and(is_ended) AND count(*) = (SELECT count(DISTINCT stream) FROM bills)
      UNION
      SELECT seen.order_id FROM seen JOIN letters ON letters.order_id = seen.order_id AND letters.revision = seen.number
      WHERE letters.stage = 'transform' AND NOT EXISTS (
        SELECT FROM order_ledger held
        WHERE held.order_id = seen.order_id AND (held.state <> 'written' OR held.revision >= seen.number))
    ),
    open AS (
      SELECT min(update_time) AS since FROM seen
      WHERE NOT EXISTS (SELECT FROM ended WHERE ended.order_id = seen.order_id)
    ),
    deleted AS (
      SELECT min(update_time) AS since FROM order_revisions gone
      WHERE published AND content_hash = $1::bigint
        AND NOT EXISTS (
          SELECT FROM letters
          WHERE letters.order_id = gone.order_id AND letters.revision = gone.number AND letters.stage = 'load')
        AND NOT EXISTS (
          SELECT FROM order_removals done
          WHERE done.order_id = gone.order_id AND done.revision >= gone.number AND NOT EXISTS (
            SELECT FROM order_ledger held WHERE held.order_id = done.order_id AND (
              held.state IN ('writing', 'in_doubt', 'written') OR held.doubt OR held.bill_number IS NOT NULL)))
    ),
    reach AS (
      SELECT greatest(least(open.since, mark.at - $2::bigint), mark.at - $3::bigint) AS since,
        greatest(mark.at, (SELECT max(update_time) FROM order_revisions)) AS until
      FROM poll_watermarks mark, open WHERE mark.stream = 'orders'
    )
    SELECT reach.since, reach.until, least(
      reach.since,
      CASE WHEN deleted.since IS NOT NULL
        THEN greatest(deleted.since, (SELECT at FROM poll_watermarks WHERE stream = 'removed') - $3::bigint) END)
    FROM reach, deleted
    """
}
