/// What a vendor answered, where it was not what was expected, for people.
let v0016 = Migration(
  version: 16, name: "vendors' answers",
  statements: [
    "ALTER TABLE order_ledger ADD COLUMN vendor_answer text CHECK (length(vendor_answer) <= 200)",
    "COMMENT ON COLUMN order_ledger.vendor_answer IS 'the last unexpected answer, its beginning, secrets masked'",
  ])
