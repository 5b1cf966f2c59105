/// The archive of parked messages.
let v0011 = Migration(
  version: 11, name: "dead letters",
  statements: [
    """
    CREATE TABLE dead_letters (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      fingerprint bytea NOT NULL UNIQUE,
      stage text NOT NULL, reason text NOT NULL, sentence text NOT NULL,
      order_id bigint, order_number text, revision bigint, attempts integer,
      first_seen bigint, parked_at bigint NOT NULL,
      vendor_answer text NOT NULL, properties text NOT NULL, body bytea NOT NULL,
      state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
      by_whom text, filed timestamptz NOT NULL DEFAULT clock_timestamp())
    """,
    "COMMENT ON COLUMN dead_letters.first_seen IS 'milliseconds since 1970 UTC, as is parked_at'",
    "CREATE INDEX dead_letters_order ON dead_letters (order_id)",
    "CREATE INDEX dead_letters_state ON dead_letters (state, reason)",
    """
    CREATE TABLE dead_letter_acts (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      letter bigint NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE,
      state text NOT NULL, by_whom text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())
    """,
    "CREATE INDEX dead_letter_acts_letter ON dead_letter_acts (letter)",
  ])
