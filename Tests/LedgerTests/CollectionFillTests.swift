import JSON
import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

@Suite("Filling a collection", .timeLimit(.minutes(3)))
struct CollectionFillTests {
  private func record(_ id: Int, _ text: String) -> CollectionRecord {
    CollectionRecord(id: "\(id)", content: Array(#"{"id":\#(id),"t":"\#(text)"}"#.utf8))
  }

  private func texts(_ ids: ClosedRange<Int>, in database: LedgerDatabase) async throws -> [String?] {
    let keys = ids.map { LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "id", value: "\($0)")]) }
    return try await PostgresCollections(database).find(keys).map { $0.record?.root["t"]?.string }
  }

  @Test("all of it is seen at once when it is finished, and nothing before")
  func atOnce() async throws {
    try await withSchema { _, one, other in
      let collections = PostgresCollections(one)
      try await collections.store([record(1, "old"), record(2, "old"), record(3, "old")], in: "c")
      try await collections.store([record(1, "other")], in: "d")
      let fill = try await collections.filling("c")
      try await fill.add([record(1, "new"), record(2, "old")])
      try await fill.add([record(4, "new")])
      #expect(try await texts(1...4, in: other) == ["old", "old", "old", nil])
      let outcome = try await fill.finish(replaces: false)
      #expect(outcome == CollectionFill.Outcome(stored: 3, changed: 2, removed: 0))
      #expect(try await texts(1...4, in: other) == ["new", "old", "old", "new"])
      #expect(try await collections.counts().map { "\($0.name) \($0.records)" } == ["c 4", "d 1"])
      #expect(try await collections.names() == ["c", "d"])
    }
  }

  @Test("what is replaced is the old set until the new one is there")
  func replacing() async throws {
    try await withSchema { _, one, other in
      let collections = PostgresCollections(one)
      try await collections.store((1...5).map { record($0, "old") }, in: "c")
      try await collections.store([record(1, "other")], in: "d")
      let fill = try await collections.filling("c")
      try await fill.add([record(2, "old"), record(3, "new"), record(6, "new")])
      #expect(try await texts(1...6, in: other) == ["old", "old", "old", "old", "old", nil])
      let outcome = try await fill.finish(replaces: true)
      #expect(outcome == CollectionFill.Outcome(stored: 3, changed: 2, removed: 3))
      #expect(try await texts(1...6, in: other) == [nil, "old", "new", nil, nil, "new"])
      #expect(try await collections.names() == ["c", "d"])
    }
  }

  @Test("a filling that is given up, or whose program dies, leaves the collection as it was", arguments: [true, false])
  func abandoned(isKilled: Bool) async throws {
    try await withSchema { schema, one, other in
      let collections = PostgresCollections(one)
      try await collections.store([record(1, "old")], in: "c")
      let fill = try await collections.filling("c")
      try await fill.add([record(1, "new"), record(2, "new")])
      if isKilled {
        let client = schema.client()
        _ = try await client.run(
          PostgresStatement(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = $1::text AND state = 'idle in transaction'
            """, .text(schema.name)))
        await client.close()
        await #expect(throws: LedgerFailure.self) { _ = try await fill.finish(replaces: true) }
      }
      await fill.abandon()
      #expect(try await texts(1...2, in: other) == ["old", nil])
      // Nobody is kept from filling it.
      let next = try await collections.filling("c")
      try await next.add([record(2, "next")])
      _ = try await next.finish(replaces: false)
      #expect(try await texts(1...2, in: other) == ["old", "next"])
    }
  }

  @Test("an id that comes twice is refused with both records' numbers")
  func twice() async throws {
    try await withSchema { _, one, other in
      let fill = try await PostgresCollections(one).filling("c")
      try await fill.add([record(1, "a"), record(2, "a")])
      await #expect(throws: CollectionRefusal(description: "record 5 has the id «4» of record 4")) {
        try await fill.add([record(3, "a"), record(4, "a"), record(4, "b")])
      }
      await #expect(throws: CollectionRefusal(description: "record 4 has the id «2» of record 2")) {
        try await fill.add([record(3, "a"), record(2, "b"), record(1, "b")])
      }
      await fill.abandon()
      #expect(try await texts(1...2, in: other) == [nil, nil])
    }
  }

  @Test("two cannot fill one collection at the same time, and two collections can be")
  func together() async throws {
    try await withSchema { schema, one, _ in
      let hasty = try schema.database(lockTimeoutMilliseconds: 1)
      let fill = try await PostgresCollections(one).filling("c")
      await #expect(throws: CollectionRefusal(description: "c is being filled by somebody else")) {
        _ = try await PostgresCollections(hasty).filling("c")
      }
      let other = try await PostgresCollections(hasty).filling("d")
      await other.abandon()
      await fill.abandon()
      await hasty.close()
    }
  }

  @Test("records of an older program are found by every field once the schema is brought up to date")
  func renewed() async throws {
    let schema = try FreshSchema()
    let database = try schema.database()
    let result: Result<Void, any Error>
    do {
      _ = try await Migrator(database, steps: migrations.filter { $0.version < 4 }).migrate()
      let client = schema.client()
      let content = #"'{"id":' || n || ',"a":{"b":"x' || n || '"}}'"#
      _ = try await client.run(
        PostgresStatement(
          """
          INSERT INTO collection_records (collection, id, content, fields)
          SELECT 'c', n::text, convert_to(\(content), 'UTF8'), '{}' FROM generate_series(1, 1200) AS n
          """))
      await client.close()
      _ = try await Migrator(database).migrate()
      let keys = [1, 700, 1_200].map {
        LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "a.b", value: "x\($0)")])
      }
      let found = try await PostgresCollections(database).find(keys).map { $0.record?.root["id"]?.text }
      result = .success(#expect(found == ["1", "700", "1200"]))
    } catch { result = .failure(error) }
    await database.close()
    try await schema.drop()
    try result.get()
  }
}
