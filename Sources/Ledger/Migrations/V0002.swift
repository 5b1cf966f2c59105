/// The oldest revision that may be in K/3 while an order is in doubt: another one's bill under the order's number is then
/// ours, and not a stranger's.
let v0002 = Migration(
  version: 2, name: "revisions in doubt",
  statements: ["ALTER TABLE order_ledger ADD COLUMN doubt_revision bigint"])
