/// In which cluster the ledger was made or accepted: a table's number is unique only within one.
let v0021 = Migration(
  version: 21, name: "the ledger's cluster",
  statements: [
    // Any role may ask, unless somebody has forbidden it: then the table's number alone counts, as before.
    """
    CREATE FUNCTION ledger_cluster() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
    BEGIN
      RETURN (SELECT system_identifier FROM pg_control_system());
    EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
      RETURN 0;
    END
    $$
    """,
    // Null: an older program has accepted it.
    "ALTER TABLE ledger_origin ADD COLUMN cluster bigint",
    "COMMENT ON COLUMN ledger_origin.cluster IS 'PostgreSQL''s system identifier; 0: it must not be asked for'",
    "UPDATE ledger_origin SET cluster = ledger_cluster() WHERE ledger = 'order_ledger'::regclass::oid::bigint",
  ], oldest: 19)
