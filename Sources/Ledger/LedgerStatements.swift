extension PostgresLedger {
  // Claims and settlements are inserts that meet existing rows on purpose: whatever the planner believes of a young table,
  // each row is found by its index, and rows are locked in the order of their keys, so that batches cannot deadlock.
  // Single-row subselects with LIMIT serve the same end. Times are the database's, read when the row is judged. What is
  // only new, or only written, has statements of its own (`PlainStatements.swift`).

  // Beside another bill of the same order and stream none is taken that is older than it, nor one that would stand
  // beside a bill of an older revision, or of another cut of the order, that is or may be in K/3. While such a bill is
  // in doubt its oldest revision in doubt counts. The order's bills in other streams are in the way whatever their
  // revision, but for the streams that the bill may stand beside. Of an order that is removed only rows in doubt are
  // taken, to be looked up; a row with the reason `removed` that is being written or in doubt is being deleted, which
  // nobody but `remove` goes on with. A row with a bill_number that is not `written` is an older revision's bill that is
  // being changed, or could not be: it stays in the way, whatever revisions its attempts were of. A written bill that
  // the newer revision leaves as it is is not taken: see `recogniseSQL`. Where an order may have several bills it must
  // be locked, or two claims at the same moment do not see each other.

  /// The order has a bill in a stream beside which the asked one may not stand.
  private static let isElsewhere = """
    SELECT true FROM order_ledger other
    WHERE asked.beside IS NOT NULL AND other.order_id = asked.order_id AND other.stream <> asked.stream
      AND other.stream <> ALL (string_to_array(asked.beside, ','))
      AND (other.revision > asked.revision OR other.state IN ('writing', 'in_doubt', 'written') OR other.doubt
        OR other.bill_number IS NOT NULL)
    LIMIT 1
    """

  /// Locks orders until the transaction's end, in one order everywhere.
  static let lockSQL = """
    SELECT count(pg_advisory_xact_lock(hashtextextended('order', order_id)))
    FROM (SELECT order_id FROM unnest($1::bigint[]) AS asked (order_id) ORDER BY order_id OFFSET 0) AS orders
    """

  /// Raises bills that are written in an older revision, and are unchanged in this one, to this one. Runs under the orders'
  /// locks, before a claim; the claim then finds them written in its revision. By `=` the object would be found in the index of
  /// the keys, with all of its rows, in a table that the planner takes for one of one row.
  static let recogniseSQL = """
    WITH asked AS (
      SELECT * FROM unnest(
        $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::text[]
      ) AS asked (order_id, stream, part, revision, payload_hash, object, parts, beside)
    )
    INSERT INTO order_ledger AS held (
      order_id, stream, part, state, revision, payload_hash, token, due, doubt, object, external_key, parts)
    SELECT order_id, stream, part, 'written', revision, payload_hash, 0, clock_timestamp(), false, object, '', parts
    FROM asked
    WHERE (
      SELECT true FROM order_ledger mine
      WHERE mine.order_id = asked.order_id AND mine.stream = asked.stream AND mine.part = asked.part
        AND mine.state = 'written' AND mine.revision < asked.revision AND mine.payload_hash = asked.payload_hash
        AND mine.object IS NOT DISTINCT FROM asked.object AND mine.parts = asked.parts
      LIMIT 1
    ) AND (
      SELECT true FROM order_ledger other
      WHERE other.order_id = asked.order_id AND other.stream = asked.stream AND other.part <> asked.part
        AND (other.revision > asked.revision OR other.parts <> asked.parts AND (
          other.state IN ('writing', 'in_doubt', 'written') OR other.doubt OR other.bill_number IS NOT NULL))
      LIMIT 1
    ) IS NULL AND (
      \(isElsewhere)
    ) IS NULL AND (
      SELECT true FROM order_removals gone
      WHERE gone.order_id = asked.order_id AND gone.revision > asked.revision LIMIT 1
    ) IS NULL
    ORDER BY order_id, stream, part
    ON CONFLICT (order_id, stream, part) DO UPDATE SET revision = EXCLUDED.revision, changed = clock_timestamp()
    WHERE held.state = 'written' AND held.revision < EXCLUDED.revision AND held.payload_hash = EXCLUDED.payload_hash
    """

  /// The fingerprint of all that may be in K/3 of a row in doubt; NULL where that is not one content, or not known. What
  /// was claimed since the doubt began was not sent, or the doubt would be of it alone: but whoever died over it may have,
  /// and a standing bill may have been updated. It may also be another content of the same revision. `doubt_hash` is what the
  /// row's last claim left, or an older program came after.
  private static let contentInDoubt = """
    CASE WHEN held.doubt_revision IS NULL THEN held.payload_hash
      WHEN held.doubt_token = held.token AND held.doubt_hash = held.payload_hash THEN held.payload_hash
      WHEN held.state <> 'writing' AND held.bill_number IS NULL AND held.doubt_token = held.token THEN held.doubt_hash END
    """
  /// Something of the row is in K/3, or may be: it is found in its own object, under its own key, by them alone.
  private static let mayBeFound = "(held.state = 'writing' OR held.doubt OR held.bill_number IS NOT NULL)"
  private static let isSameBill = "(held.object, held.parts) = (EXCLUDED.object, EXCLUDED.parts)"

  /// Takes what may be taken: free bills, those whose lease is over, those in doubt whose look-up is due.
  static let claimSQL = """
    WITH asked AS (
      SELECT * FROM unnest(
        $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::bigint[], $14::text[], $16::text[]
      ) AS asked (
        order_id, stream, part, revision, payload_hash, object, wanted, fallback, spare, strategy, notes, parts, beside,
        key_field)
    ),
    batch AS (SELECT nextval('claim_tokens') AS token)
    INSERT INTO order_ledger AS held (
      order_id, stream, part, state, revision, payload_hash, token, due, doubt, object, external_key, strategy, notes,
      parts, key_field)
    SELECT
      order_id, stream, part, 'writing', revision, payload_hash, (SELECT token FROM batch),
      clock_timestamp() + $13::bigint * interval '1 second', false, object,
      CASE
        WHEN wanted IS NOT NULL AND (
          SELECT other.order_id FROM order_ledger other
          WHERE other.object = asked.object AND lower(other.external_key COLLATE "C") = lower(wanted COLLATE "C") LIMIT 1
        ) IS NULL THEN wanted
        WHEN (
          SELECT other.order_id FROM order_ledger other
          WHERE other.object = asked.object AND lower(other.external_key COLLATE "C") = lower(fallback COLLATE "C") LIMIT 1
        ) IS NULL THEN fallback
        ELSE spare
      END,
      strategy, notes, parts, key_field
    FROM asked
    WHERE (
      SELECT true FROM order_ledger other
      WHERE other.order_id = asked.order_id AND other.stream = asked.stream AND other.part <> asked.part AND (
        other.revision > asked.revision
        OR (other.state IN ('writing', 'in_doubt', 'written') OR other.doubt OR other.bill_number IS NOT NULL) AND (
          other.parts <> asked.parts OR other.revision < asked.revision
          OR other.state <> 'written' AND (other.doubt_revision < asked.revision OR other.bill_number IS NOT NULL)))
      LIMIT 1
    ) IS NULL AND (
      \(isElsewhere)
    ) IS NULL AND (
      (
        SELECT true FROM order_removals gone
        WHERE gone.order_id = asked.order_id AND gone.revision > asked.revision LIMIT 1
      ) IS NULL OR (
        SELECT true FROM order_ledger mine
        WHERE mine.order_id = asked.order_id AND mine.stream = asked.stream AND mine.part = asked.part
          AND (mine.state IN ('writing', 'in_doubt') OR mine.doubt)
        LIMIT 1
      )
    )
    ORDER BY order_id, stream, part
    ON CONFLICT (order_id, stream, part) DO UPDATE SET
      state = 'writing', revision = EXCLUDED.revision, payload_hash = EXCLUDED.payload_hash, token = EXCLUDED.token,
      due = clock_timestamp() + $13::bigint * interval '1 second', strategy = EXCLUDED.strategy, notes = EXCLUDED.notes,
      parts = EXCLUDED.parts,
      object = CASE WHEN \(mayBeFound) THEN held.object ELSE EXCLUDED.object END,
      external_key = CASE WHEN \(mayBeFound) OR held.object = EXCLUDED.object THEN held.external_key
        ELSE EXCLUDED.external_key END,
      -- What is in doubt was written with the old one, and is found by it alone.
      key_field = CASE WHEN held.state = 'writing' OR held.doubt THEN held.key_field ELSE EXCLUDED.key_field END,
      doubt = held.state = 'writing' OR held.doubt,
      absences = CASE WHEN held.state = 'writing' THEN 0 ELSE held.absences END,
      doubt_revision = CASE
        WHEN held.state <> 'writing' AND NOT held.doubt THEN NULL
        -- All that is in doubt is just what this revision makes.
        WHEN \(isSameBill) AND \(contentInDoubt) = EXCLUDED.payload_hash THEN EXCLUDED.revision
        ELSE least(held.doubt_revision, held.revision) END,
      doubt_hash = CASE WHEN (held.state = 'writing' OR held.doubt) AND \(isSameBill)
        THEN \(contentInDoubt) END,
      doubt_token = EXCLUDED.token,
      reason = NULL, claims = held.claims + 1, changed = clock_timestamp()
    WHERE held.revision <= EXCLUDED.revision AND (
      held.reason IS DISTINCT FROM 'removed' OR held.state NOT IN ('writing', 'in_doubt')
    ) AND (
      held.state IN ('clean', 'parked')
      OR held.state IN ('writing', 'in_doubt') AND held.due <= clock_timestamp()
      OR held.state = 'written' AND held.revision < EXCLUDED.revision AND held.parts = EXCLUDED.parts
        AND held.object = EXCLUDED.object AND held.payload_hash <> EXCLUDED.payload_hash
        AND EXCLUDED.order_id = ANY ($15::bigint[]))
    RETURNING held.order_id, held.stream, held.part, held.token, held.external_key, held.doubt,
      -- What is not known to be this very content is as good as an older revision's; other bills go by the row alone.
      CASE WHEN held.doubt AND held.doubt_hash IS DISTINCT FROM held.payload_hash
        THEN least(held.doubt_revision, held.revision - 1) ELSE held.doubt_revision END,
      held.absences, held.bill_number,
      (SELECT gone.revision > held.revision FROM order_removals gone WHERE gone.order_id = held.order_id LIMIT 1),
      held.key_field, held.object
    """

  /// What stands in the rows of bills that could not be taken, and of the other bills of their orders.
  static let lookSQL = """
    SELECT held.order_id, held.stream, held.part, held.state, held.revision, held.doubt,
      ceil(extract(epoch FROM held.due - clock_timestamp()))::bigint, held.parts,
      CASE WHEN held.state <> 'written' THEN held.doubt_revision END, held.bill_number,
      held.reason = 'removed' AND held.state IN ('writing', 'in_doubt'), gone.revision, asked.order_id,
      held.payload_hash, held.object
    FROM (SELECT DISTINCT * FROM unnest($1::bigint[]) AS asked (order_id)) AS asked
    LEFT JOIN LATERAL (
      SELECT * FROM order_ledger row WHERE row.order_id = asked.order_id LIMIT \(mostBills)
    ) AS held ON true
    LEFT JOIN LATERAL (
      SELECT * FROM order_removals row WHERE row.order_id = asked.order_id LIMIT 1
    ) AS gone ON true
    """

  /// More bills the strategies together hardly make of an order.
  private static let mostBills = 4_000

  private static let isCancelled = "EXCLUDED.state = 'clean' AND EXCLUDED.reason IS NOT DISTINCT FROM 'removed'"

  /// Records a removal; a newer one stays.
  static let removeSQL = """
    INSERT INTO order_removals AS gone (order_id, revision) VALUES ($1::bigint, $2::bigint)
    ON CONFLICT (order_id) DO UPDATE SET revision = EXCLUDED.revision, at = clock_timestamp()
    WHERE gone.revision < EXCLUDED.revision
    """

  /// Takes a removed order's standing bills to delete them: those that nobody is at, and those whose deletion is in doubt and
  /// due. None of an order that went on since.
  static let cancelSQL = """
    UPDATE order_ledger held SET
      state = 'writing', revision = $2::bigint, token = nextval('claim_tokens'), reason = 'removed',
      due = clock_timestamp() + $3::bigint * interval '1 second',
      doubt = held.state IN ('writing', 'in_doubt'), doubt_revision = NULL,
      absences = CASE WHEN held.state = 'in_doubt' THEN held.absences ELSE 0 END,
      claims = held.claims + 1, changed = clock_timestamp()
    WHERE held.order_id = $1::bigint AND held.bill_number IS NOT NULL AND (
        held.state IN ('written', 'clean', 'parked')
        OR held.state IN ('writing', 'in_doubt') AND held.reason = 'removed' AND held.due <= clock_timestamp())
      AND NOT EXISTS (
        SELECT 1 FROM order_ledger other WHERE other.order_id = $1::bigint AND other.revision > $2::bigint)
      AND NOT EXISTS (SELECT 1 FROM order_removals gone WHERE gone.order_id = $1::bigint AND gone.revision > $2::bigint)
    RETURNING held.order_id, held.stream, held.part, held.token, held.object, held.bill_number, held.bill_internal_id,
      held.doubt, held.absences
    """

  /// Ends claims whose token is still the row's.
  static let settleSQL = """
    WITH ended AS (
      SELECT * FROM unnest(
        $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::boolean[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::bigint[], $13::boolean[], $14::text[], $15::boolean[]
      ) AS ended (
        order_id, stream, part, token, state, seconds, doubt, reason, bill_number, bill_internal_id, writeback, absences,
        proof, vendor_answer, other)
    )
    INSERT INTO order_ledger AS held (
      order_id, stream, part, state, revision, payload_hash, token, due, doubt, object, external_key, reason,
      bill_number, bill_internal_id, writeback, absences, doubt_revision, doubt_hash, vendor_answer)
    SELECT
      order_id, stream, part, state, 0, 0, token, clock_timestamp() + seconds * interval '1 second', doubt, '', '',
      reason, bill_number, bill_internal_id::bigint, writeback, absences, CASE WHEN proof THEN 0 END,
      CASE WHEN other THEN 0 END, vendor_answer
    FROM ended
    WHERE (
      SELECT true FROM order_ledger mine
      WHERE mine.order_id = ended.order_id AND mine.stream = ended.stream AND mine.part = ended.part
        AND mine.token = ended.token
      LIMIT 1)
    ORDER BY order_id, stream, part
    ON CONFLICT (order_id, stream, part) DO UPDATE SET
      state = EXCLUDED.state, due = EXCLUDED.due, doubt = EXCLUDED.doubt, reason = EXCLUDED.reason,
      bill_number = CASE WHEN \(isCancelled) THEN NULL ELSE coalesce(EXCLUDED.bill_number, held.bill_number) END,
      bill_internal_id =
        CASE WHEN \(isCancelled) THEN NULL ELSE coalesce(EXCLUDED.bill_internal_id, held.bill_internal_id) END,
      writeback = CASE WHEN \(isCancelled) THEN NULL ELSE coalesce(EXCLUDED.writeback, held.writeback) END,
      absences = EXCLUDED.absences,
      doubt_revision = CASE WHEN EXCLUDED.doubt_revision = 0 THEN held.revision ELSE held.doubt_revision END,
      doubt_hash = CASE WHEN EXCLUDED.doubt_revision = 0 THEN held.payload_hash ELSE held.doubt_hash END,
      doubt_token = CASE WHEN EXCLUDED.doubt_revision = 0 THEN held.token ELSE held.doubt_token END,
      -- 0 is no claim's: what nobody knows is not unchanged in any revision.
      payload_hash = CASE WHEN EXCLUDED.doubt_hash = 0
        THEN coalesce(CASE WHEN held.doubt_token = held.token THEN held.doubt_hash END, 0) ELSE held.payload_hash END,
      doubt_since = CASE WHEN EXCLUDED.state = 'in_doubt' THEN
        coalesce(CASE WHEN held.doubt THEN held.doubt_since END, clock_timestamp()) END,
      vendor_answer = coalesce(EXCLUDED.vendor_answer, held.vendor_answer),
      changed = clock_timestamp()
    WHERE held.token = EXCLUDED.token AND (held.state <> 'written' OR EXCLUDED.state = 'written')
    RETURNING held.order_id, held.stream, held.part
    """
}
