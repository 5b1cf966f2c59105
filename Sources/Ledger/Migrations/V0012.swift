/// Passes over windows of orders beside the live streams.
let v0012 = Migration(
  version: 12, name: "sweeps",
  statements: [
    """
    CREATE TABLE sweeps (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      kind text NOT NULL CHECK (kind IN ('reconcile', 'backfill')),
      basis text NOT NULL CHECK (basis IN ('create', 'update')),
      from_at bigint NOT NULL,
      to_at bigint NOT NULL CHECK (to_at >= from_at),
      next_at bigint NOT NULL,
      state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
      orders_read bigint NOT NULL DEFAULT 0,
      missed bigint NOT NULL DEFAULT 0,
      changed bigint NOT NULL DEFAULT 0,
      failed bigint NOT NULL DEFAULT 0,
      started timestamptz NOT NULL DEFAULT clock_timestamp(),
      moved timestamptz NOT NULL DEFAULT clock_timestamp())
    """,
    "COMMENT ON COLUMN sweeps.next_at IS 'OKKI''s seconds since 1970 UTC, as are from_at and to_at; all before it is read'",
    "CREATE INDEX sweeps_open ON sweeps (state) WHERE state IN ('running', 'paused')",
  ])
