public import Orders
public import Pipeline
import PostgreSQL

extension PostgresPollLedger {
  /// Begins to publish again, as the port says. Deletions have no time of their own here; those of before the window are
  /// not listed again, and stay as they are.
  public func startRepublishing(_ window: TimeWindow) async throws(LedgerFailure) -> Sweep {
    let from = window.from.epochSeconds
    let results = try await database.transaction([
      PostgresStatement(
        Self.forgetSQL, .int(from), .int(window.to.epochSeconds), .int(FetchedRevision.removalHash)),
      PostgresStatement(
        "UPDATE poll_watermarks SET at = $1::bigint, moved = clock_timestamp() "
          + "WHERE stream = $2::text AND at > $1::bigint", .int(from), .text(PollStream.removed.rawValue)),
      beginning(of: window, .update),
    ])
    return try begun(results[2])
  }

  /// The properties of a letter, where they are JSON. Texts of messages that somebody else made may be anything.
  static let letterTold = """
    CASE WHEN letter.properties LIKE '{%' AND position('\\u0000' IN letter.properties) = 0
      THEN letter.properties::json END
    """
  /// Which of its order's bills in its stream a letter is.
  static let letterPart = """
    CASE WHEN told -> 'headers' ->> 'ferry-part' ~ '^[0-9]{1,9}$'
      THEN (told -> 'headers' ->> 'ferry-part')::bigint ELSE 1 END
    """
  /// How many those are; 0: the strategy cuts none.
  static let letterParts = """
    CASE WHEN told -> 'headers' ->> 'ferry-parts' ~ '^[0-9]{1,9}$'
      THEN (told -> 'headers' ->> 'ferry-parts')::bigint ELSE 0 END
    """

  // Left out is what somebody has put an end to: each letter of the order's newest revision is discarded, and there is nothing
  // else of that revision that could have been lost. That is so of an order's own letter (`transform`) where no bill of it was
  // claimed, of a deletion's, and of bills' letters where, in each stream that the strategies made a bill of, as many bills as
  // the order was cut into are discarded or written. Streams that are merely followed are none of them, where a bill tells so
  // (`ferry-made`). Of bills that do not tell their streams nobody knows how many there are.
  private static let forgetSQL = """
    WITH ended AS (
      SELECT letter.order_id, letter.revision, letter.stage, \(letterTold) AS told
      FROM dead_letters letter
      JOIN order_revisions seen ON seen.order_id = letter.order_id AND seen.number = letter.revision AND seen.published
      WHERE letter.state = 'discarded' AND NOT EXISTS (
        SELECT FROM dead_letters other
        WHERE other.order_id = letter.order_id AND other.revision = letter.revision AND other.state <> 'discarded')
    ),
    bills AS (
      SELECT order_id, revision, told -> 'headers' ->> 'ferry-stream' AS stream,
        told -> 'headers' ->> 'ferry-beside' AS beside, told -> 'headers' ->> 'ferry-made' AS made,
        \(letterPart) AS part, \(letterParts) AS parts
      FROM ended WHERE stage = 'load' AND told ->> 'type' = 'bill'
    ),
    settled AS (
      SELECT order_id, stream, part, parts FROM bills
      UNION
      SELECT held.order_id, held.stream, held.part, held.parts
      FROM (SELECT DISTINCT order_id, revision FROM bills) AS bills
      JOIN order_ledger held ON held.order_id = bills.order_id AND held.revision >= bills.revision
      WHERE held.state = 'written'
    ),
    streams AS (
      SELECT DISTINCT order_id, unnest(string_to_array(coalesce(made, beside), ',') || stream) AS stream FROM bills
    ),
    open AS (
      SELECT order_id FROM bills WHERE stream IS NULL OR beside IS NULL
      UNION
      SELECT streams.order_id FROM streams LEFT JOIN settled USING (order_id, stream)
      GROUP BY streams.order_id, stream
      HAVING count(DISTINCT settled.part) < greatest(max(settled.parts), 1)
    ),
    left_out AS (
      SELECT order_id FROM bills WHERE order_id NOT IN (SELECT order_id FROM open)
      UNION
      SELECT order_id FROM ended WHERE stage = 'load' AND told ->> 'type' = 'removal'
      UNION
      SELECT order_id FROM ended WHERE stage = 'transform' AND NOT EXISTS (
        SELECT FROM order_ledger held WHERE held.order_id = ended.order_id AND held.revision >= ended.revision)
    )
    UPDATE order_revisions SET published = false
    WHERE published AND (update_time BETWEEN $1::bigint AND $2::bigint OR content_hash = $3::bigint)
      AND order_id NOT IN (SELECT order_id FROM left_out)
    """
}
