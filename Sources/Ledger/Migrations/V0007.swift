/// How many look-ups in a row have found nothing: a Save without a clear answer is repeated only after the second.
let v0007 = Migration(
  version: 7, name: "absences",
  statements: ["ALTER TABLE order_ledger ADD COLUMN absences smallint NOT NULL DEFAULT 0"])
