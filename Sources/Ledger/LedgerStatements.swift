extension PostgresLedger {
  // Both statements are inserts that meet existing rows on purpose: whatever the planner believes of a young table,
  // each row is found by its index, and rows are locked in the order of their ids, so that batches cannot deadlock.
  // Single-row subselects with LIMIT serve the same end. Times are the database's, read when the row is judged.

  /// Takes what may be taken: free orders, those whose lease is over, those in doubt whose look-up is due.
  static let claimSQL = """
    WITH asked AS (
      SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
        AS asked (order_id, revision, payload_hash, wanted, fallback, spare)
    ),
    batch AS (SELECT nextval('claim_tokens') AS token)
    INSERT INTO order_ledger AS held
      (order_id, state, revision, payload_hash, token, due, doubt, external_key)
    SELECT
      order_id, 'writing', revision, payload_hash, (SELECT token FROM batch),
      clock_timestamp() + $7::bigint * interval '1 second', false,
      CASE
        WHEN wanted IS NOT NULL AND (
          SELECT other.order_id FROM order_ledger other
          WHERE lower(other.external_key COLLATE "C") = lower(wanted COLLATE "C") LIMIT 1
        ) IS NULL THEN wanted
        WHEN (
          SELECT other.order_id FROM order_ledger other
          WHERE lower(other.external_key COLLATE "C") = lower(fallback COLLATE "C") LIMIT 1
        ) IS NULL THEN fallback
        ELSE spare
      END
    FROM asked
    ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE SET
      state = 'writing', revision = EXCLUDED.revision, payload_hash = EXCLUDED.payload_hash, token = EXCLUDED.token,
      due = clock_timestamp() + $7::bigint * interval '1 second',
      doubt = held.state = 'writing' OR held.doubt,
      doubt_revision = CASE WHEN held.state = 'writing' OR held.doubt THEN least(held.doubt_revision, held.revision) END,
      reason = NULL, claims = held.claims + 1, changed = clock_timestamp()
    WHERE held.revision <= EXCLUDED.revision AND (
      held.state IN ('clean', 'parked')
      OR held.state IN ('writing', 'in_doubt') AND held.due <= clock_timestamp())
    RETURNING held.order_id, held.token, held.external_key, held.doubt, held.doubt_revision
    """

  /// What stands in the rows of orders that could not be taken.
  static let lookSQL = """
    SELECT held.order_id, held.state, held.revision,
      ceil(extract(epoch FROM held.due - clock_timestamp()))::bigint
    FROM unnest($1::bigint[]) AS asked (order_id)
    CROSS JOIN LATERAL (SELECT * FROM order_ledger row WHERE row.order_id = asked.order_id LIMIT 1) AS held
    """

  /// Ends claims whose token is still the row's.
  static let settleSQL = """
    WITH ended AS (
      SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::text[], $8::text[]
      ) AS ended (order_id, token, state, seconds, doubt, reason, bill_number, bill_internal_id)
    )
    INSERT INTO order_ledger AS held
      (order_id, state, revision, payload_hash, token, due, doubt, external_key, reason, bill_number, bill_internal_id)
    SELECT
      order_id, state, 0, 0, token, clock_timestamp() + seconds * interval '1 second', doubt, '', reason, bill_number,
      bill_internal_id::bigint
    FROM ended
    WHERE (
      SELECT true FROM order_ledger mine WHERE mine.order_id = ended.order_id AND mine.token = ended.token LIMIT 1)
    ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE SET
      state = EXCLUDED.state, due = EXCLUDED.due, doubt = EXCLUDED.doubt, reason = EXCLUDED.reason,
      bill_number = EXCLUDED.bill_number, bill_internal_id = EXCLUDED.bill_internal_id, changed = clock_timestamp()
    WHERE held.token = EXCLUDED.token AND (held.state <> 'written' OR EXCLUDED.state = 'written')
    RETURNING held.order_id
    """
}
