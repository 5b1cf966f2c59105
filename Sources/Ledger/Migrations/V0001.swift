/// The first schema: the loader's rows, the poller's memory, the collections.
///
/// Tables whose rows change leave room in their pages and have no index on what changes, so that an update stays in
/// its page and touches no index (heap-only tuples).
let v0001 = Migration(
  version: 1, name: "ledger, poller, collections",
  statements: [
    // The loader: one row per order, from its first claim on; never deleted.
    //   writing   claimed; `due` is the end of the lease
    //   clean     the last attempt provably wrote nothing
    //   in_doubt  nobody knows; K/3 is asked, not before `due`
    //   written   in K/3 as bill_number
    //   parked    in the dead queue with `reason`
    """
    CREATE TABLE order_ledger (
      order_id bigint PRIMARY KEY,
      state text NOT NULL CHECK (state IN ('writing', 'clean', 'in_doubt', 'written', 'parked')),
      revision bigint NOT NULL,
      payload_hash bigint NOT NULL,
      token bigint NOT NULL,
      due timestamptz NOT NULL,
      doubt boolean NOT NULL,
      external_key text NOT NULL,
      reason text,
      bill_number text,
      bill_internal_id bigint,
      claims integer NOT NULL DEFAULT 1,
      first_claimed timestamptz NOT NULL DEFAULT clock_timestamp(),
      changed timestamptz NOT NULL DEFAULT clock_timestamp()
    ) WITH (fillfactor = 45)
    """,
    "COMMENT ON COLUMN order_ledger.doubt IS 'an earlier attempt''s outcome is unknown: K/3 is asked before a Save'",
    // K/3's collation does not tell upper from lower case, so numbers that differ in nothing else are one number.
    "CREATE UNIQUE INDEX order_ledger_external_key ON order_ledger (lower(external_key))",
    "CREATE SEQUENCE claim_tokens AS bigint",

    // The poller: the newest content seen of each order. `published` and `refetch` speak of that content.
    """
    CREATE TABLE order_revisions (
      order_id bigint PRIMARY KEY,
      number bigint NOT NULL,
      update_time bigint NOT NULL,
      content_hash bigint NOT NULL,
      published boolean NOT NULL,
      refetch boolean NOT NULL
    ) WITH (fillfactor = 45)
    """,
    """
    CREATE TABLE poll_watermarks (
      stream text PRIMARY KEY,
      at bigint NOT NULL,
      moved timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,

    // Records for lookups. `fields` holds a fingerprint of (collection, field, value's text) per scalar member; the
    // content is kept byte for byte, since jsonb would refuse \u0000 and drop repeated keys.
    """
    CREATE TABLE collection_records (
      collection text NOT NULL,
      id text NOT NULL,
      content bytea NOT NULL,
      fields bigint[] NOT NULL,
      PRIMARY KEY (collection, id)
    )
    """,
    // fastupdate would let lookups scan a list of what was stored lately.
    "CREATE INDEX collection_records_fields ON collection_records USING gin (fields) WITH (fastupdate = off)",
  ])
