/// Orders that OKKI lists as deleted: revisions older than a removal's are not written any more.
let v0008 = Migration(
  version: 8, name: "removals",
  statements: [
    """
    CREATE TABLE order_removals (
      order_id bigint PRIMARY KEY,
      revision bigint NOT NULL,
      at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """
  ])
