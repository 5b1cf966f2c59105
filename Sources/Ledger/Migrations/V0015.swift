/// Since when a bill is in doubt, so that one that nobody resolves is seen.
let v0015 = Migration(
  version: 15, name: "age of doubts",
  statements: [
    "ALTER TABLE order_ledger ADD COLUMN doubt_since timestamptz",
    // Older workers leave it behind: it counts only while `doubt` is set and the row is open.
    "COMMENT ON COLUMN order_ledger.doubt_since IS 'while in doubt: since when; the look-ups since do not change it'",
    "UPDATE order_ledger SET doubt_since = changed WHERE doubt AND state IN ('writing', 'in_doubt')",
    // Rows that never were in doubt are not in it, so that their updates stay in their pages.
    "CREATE INDEX order_ledger_doubt ON order_ledger (doubt_since) WHERE doubt_since IS NOT NULL",
  ])
