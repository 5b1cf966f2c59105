/// What tells a ledger that was restored from a backup from the one that was backed up.
let v0020 = Migration(
  version: 20, name: "restores",
  statements: [
    // A table that is made anew from a dump gets another number from PostgreSQL. One row.
    "CREATE TABLE ledger_origin (single boolean PRIMARY KEY DEFAULT true CHECK (single), ledger bigint NOT NULL)",
    "COMMENT ON TABLE ledger_origin IS 'the oid of order_ledger, where the ledger was made or accepted as restored'",
    "INSERT INTO ledger_origin (ledger) VALUES ('order_ledger'::regclass::oid::bigint)",
    """
    CREATE TABLE ledger_restores (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      began timestamptz NOT NULL DEFAULT clock_timestamp(),
      ended timestamptz)
    """,
    "COMMENT ON COLUMN ledger_restores.ended IS 'NULL: K/3 is asked for each bill before it is first saved'",
  ], oldest: 19)
