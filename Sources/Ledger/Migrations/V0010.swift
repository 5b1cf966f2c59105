/// What the processes of an installation share about the vendors.
let v0010 = Migration(
  version: 10, name: "shared rate, tokens and breakers",
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
    """
    CREATE TABLE vendor_tokens (
      name text PRIMARY KEY,
      generation bigint NOT NULL DEFAULT 0,
      secret bytea,
      renew_at bigint NOT NULL DEFAULT 0,
      permit bigint NOT NULL,
      permit_until bigint NOT NULL
    )
    """,
    "COMMENT ON COLUMN vendor_tokens.secret IS 'the token, sealed with a key made of the login'",
    "COMMENT ON COLUMN vendor_tokens.permit_until IS 'until then the process with this permit, and no other, gets a new one'",
    """
    CREATE TABLE partner_breakers (
      partner text PRIMARY KEY,
      open_since timestamptz,
      reason text NOT NULL,
      sentence text NOT NULL,
      probe_holder bigint NOT NULL DEFAULT 0,
      probe_until bigint NOT NULL DEFAULT 0
    )
    """,
    "COMMENT ON COLUMN partner_breakers.open_since IS 'since when nobody goes to this partner; NULL: all may'",
  ])
