/// What content is in doubt, so that an order that goes back to it is recognised.
let v0017 = Migration(
  version: 17, name: "contents in doubt",
  statements: [
    // Older programs do not write them: the hash counts only with the token of the row's last claim.
    "ALTER TABLE order_ledger ADD COLUMN doubt_hash bigint, ADD COLUMN doubt_token bigint",
    "COMMENT ON COLUMN order_ledger.doubt_hash IS 'while in doubt: payload_hash of what the claims before the last may have written'",
    "COMMENT ON COLUMN order_ledger.doubt_token IS 'the claim that left doubt_hash; it counts only while that is token'",
  ])
