/// The poller's streams: the fence of the one poller that leads.
let v0009 = Migration(
  version: 9, name: "poller's streams",
  statements: [
    // One row. Every election raises the fence, and every write of a poller names the one that it was elected with: what a
    // poller still sends after another one's election does nothing.
    """
    CREATE TABLE poll_lease (
      single boolean PRIMARY KEY DEFAULT true CHECK (single),
      fence bigint NOT NULL,
      since timestamptz NOT NULL DEFAULT clock_timestamp()
    ) WITH (fillfactor = 45)
    """,
    "INSERT INTO poll_lease (fence) VALUES (0) ON CONFLICT DO NOTHING",
  ])
