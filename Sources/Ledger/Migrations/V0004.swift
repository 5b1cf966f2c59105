/// Lookups by any operator: the order that collections are read in, and how a record's index entries were made.
let v0004 = Migration(
  version: 4, name: "collections in order",
  statements: [
    // Ids ordered by length, then by bytes: numbers in their order, whatever the database's collation is.
    """
    CREATE INDEX collection_records_order ON collection_records (collection, length(id), (id COLLATE "C"))
    """,
    // 1: scalars of the record itself; 2: also those of objects in it, and truth values.
    "ALTER TABLE collection_records ADD COLUMN layout smallint NOT NULL DEFAULT 1",
    // Empty once all are of the newest layout.
    "CREATE INDEX collection_records_layout ON collection_records (collection, id) WHERE layout < 2",
  ])
