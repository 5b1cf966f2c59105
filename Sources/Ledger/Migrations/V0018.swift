/// Which header field of the bill holds the external key.
let v0018 = Migration(
  version: 18, name: "the key's field",
  statements: [
    // Older programs know no other one.
    "ALTER TABLE order_ledger ADD COLUMN key_field text NOT NULL DEFAULT 'FBillNo'",
    "COMMENT ON COLUMN order_ledger.key_field IS 'header field of the bill that holds external_key'",
  ])
