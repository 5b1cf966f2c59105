/// In which of K/3's objects a bill in doubt is looked for.
let v0020 = Migration(
  version: 20, name: "objects in doubt",
  statements: [
    // Older programs do not write them: absences are of all objects only with the token of the row's last claim.
    "ALTER TABLE order_ledger ADD COLUMN other_objects text[], ADD COLUMN objects_token bigint",
    "COMMENT ON COLUMN order_ledger.other_objects IS 'while in doubt: objects besides object that its claims were of; asked as well'",
    "COMMENT ON COLUMN order_ledger.objects_token IS 'the claim that left other_objects; absences count only while that is token'",
  ])
