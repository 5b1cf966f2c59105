/// What the processes of an installation share about the vendors.
let v0010 = Migration(
  version: 10, name: "shared rate",
  statements: [
    // Tokens in millionths; times in microseconds since 1970, all by the database's clock.
    """
    CREATE TABLE rate_buckets (
      bucket text PRIMARY KEY,
      tokens bigint NOT NULL,
      at bigint NOT NULL,
      granted bigint NOT NULL DEFAULT 0,
      not_before bigint NOT NULL DEFAULT 0,
      streak integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 10)
    """,
    "COMMENT ON COLUMN rate_buckets.not_before IS 'the vendor wants nobody to ask before'",
    "COMMENT ON COLUMN rate_buckets.streak IS 'times in a row that it said so without a figure'",
  ])
