/// The same message parked again is the same letter.
let v0019 = Migration(
  version: 19, name: "letters parked again",
  statements: [
    // Null: an older program has filed it, or nobody can tell what it would be the same as.
    "ALTER TABLE dead_letters ADD COLUMN identity bytea",
    "COMMENT ON COLUMN dead_letters.identity IS 'SHA-256 of stage, message, reason and body, without the moment'",
    "ALTER TABLE dead_letters ADD COLUMN times integer NOT NULL DEFAULT 1",
    "ALTER TABLE dead_letters ADD COLUMN last_parked_at bigint",
    "CREATE INDEX dead_letters_identity ON dead_letters (identity) WHERE state = 'waiting'",
    // The messages of a letter besides its first one, so that each counts once however often it is filed.
    """
    CREATE TABLE dead_letter_repeats (
      fingerprint bytea PRIMARY KEY,
      letter bigint NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE,
      parked_at bigint NOT NULL)
    """,
    "CREATE INDEX dead_letter_repeats_letter ON dead_letter_repeats (letter)",
  ])
