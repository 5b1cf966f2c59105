/// Several bills of an order: of several strategies, and of one that splits orders.
///
/// Rows from before are sales orders, the only bills that a shipped strategy wrote.
let v0003 = Migration(
  version: 3, name: "several bills of an order",
  statements: [
    """
    ALTER TABLE order_ledger
      ADD COLUMN stream text NOT NULL DEFAULT 'SO',
      ADD COLUMN part bigint NOT NULL DEFAULT 1,
      ADD COLUMN parts bigint NOT NULL DEFAULT 0,
      ADD COLUMN object text NOT NULL DEFAULT 'SO',
      ADD COLUMN strategy text,
      ADD COLUMN notes text,
      ADD COLUMN writeback text
    """,
    "ALTER TABLE order_ledger ALTER COLUMN stream DROP DEFAULT, ALTER COLUMN object DROP DEFAULT",
    "ALTER TABLE order_ledger DROP CONSTRAINT order_ledger_pkey, ADD PRIMARY KEY (order_id, stream, part)",
    // K/3 numbers each kind of bill by itself (vendor-apis.md A.12).
    "DROP INDEX order_ledger_external_key",
    "CREATE UNIQUE INDEX order_ledger_external_key ON order_ledger (object, lower(external_key COLLATE \"C\"))",
    "COMMENT ON COLUMN order_ledger.stream IS 'the strategy''s ferry.stream, K/3''s object unless set'",
    "COMMENT ON COLUMN order_ledger.parts IS 'into how many bills the strategy cut the order; 0: it cuts none'",
    "COMMENT ON COLUMN order_ledger.writeback IS 'what the strategy''s primaryWriteback makes of K/3''s answer; JSON'",
    "COMMENT ON COLUMN order_ledger.notes IS 'what the mapping noted of the bill: residuals, moved dates; JSON'",
  ])
