/// The poller's lease: until when it lasts, and whether it ends with its holder's connection.
let v0014 = Migration(
  version: 14, name: "poller's lease",
  statements: [
    // An older program raises `fence` alone: then `leased` is another number, and its advisory lock is all there is to it.
    """
    ALTER TABLE poll_lease ADD COLUMN leased bigint, ADD COLUMN until timestamptz,
      ADD COLUMN bound boolean NOT NULL DEFAULT true, ADD COLUMN holder text
    """,
    "COMMENT ON COLUMN poll_lease.leased IS 'the fence that until, bound and holder belong to; nothing else of them counts'",
    "COMMENT ON COLUMN poll_lease.bound IS 'the holder has the advisory lock as well: it leads no longer than its connection'",
  ])
