/// When a record was stored, so that a file that is being read does not undo what the poller stores meanwhile.
let v0005 = Migration(
  version: 5, name: "when records were stored",
  statements: [
    // A constant default first: the table is not written anew. Records from before count as older than any filling.
    "ALTER TABLE collection_records ADD COLUMN stored timestamptz NOT NULL DEFAULT '-infinity'",
    "ALTER TABLE collection_records ALTER COLUMN stored SET DEFAULT clock_timestamp()",
    // A row that is left by a program that died does no harm: the next filling writes it anew.
    "CREATE TABLE collection_fills (collection text PRIMARY KEY, began timestamptz NOT NULL)",
    "COMMENT ON TABLE collection_fills IS 'collections that are being filled: what is stored again meanwhile is kept'",
    // An older program makes older entries and does not know of `stored`: its records are to be renewed.
    """
    CREATE FUNCTION collection_record_of_older_program() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.layout := 1;
      NEW.stored := clock_timestamp();
      RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER collection_record_of_older_program BEFORE UPDATE ON collection_records FOR EACH ROW
    WHEN (NEW.stored = OLD.stored AND NEW.content <> OLD.content)
    EXECUTE FUNCTION collection_record_of_older_program()
    """,
  ])
