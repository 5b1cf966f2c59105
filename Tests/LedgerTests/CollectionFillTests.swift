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
            WHERE application_name = $1::text AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
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

  @Test("while records are gathered no transaction is open, so that any time may pass")
  func noTransaction() async throws {
    try await withSchema { schema, one, _ in
      let fill = try await PostgresCollections(one).filling("c")
      try await fill.add([record(1, "a")])
      let client = schema.client()
      let open = try await client.run(
        PostgresStatement(
          "SELECT count(*), count(xact_start) FROM pg_stat_activity WHERE application_name = $1::text",
          .text(schema.name)))
      await client.close()
      #expect(try #require(open.int(0, 0)) > 0 && open.int(0, 1) == 0)
      await fill.abandon()
    }
  }

  @Test(
    "who stores into a collection that is being filled does not wait, and what was stored meanwhile stays",
    arguments: [CollectionFill.Manner.atOnce, .inPortions])
  func storedMeanwhile(manner: CollectionFill.Manner) async throws {
    try await withSchema { schema, one, other in
      let hasty = try schema.database(lockTimeoutMilliseconds: 1)
      let poller = PostgresCollections(hasty)
      try await poller.store((1...5).map { record($0, "old") }, in: "c")
      let fill = try await PostgresCollections(one).filling("c", manner)
      try await fill.add([record(1, "file"), record(2, "file"), record(6, "file")])
      // Changed, as it was but seen again, new: of those in the file and of those that are not.
      try await poller.store([record(2, "poller"), record(3, "old"), record(7, "poller")], in: "c")
      try await fill.add([record(8, "file")])
      let outcome = try await fill.finish(replaces: true)
      #expect(outcome == CollectionFill.Outcome(stored: 4, changed: 3, removed: 2))
      #expect(try await texts(1...8, in: other) == ["file", "poller", "old", nil, nil, "file", "poller", "file"])
      // After it the poller's store changes nothing that is as it was, and the next file wins again.
      let next = try await PostgresCollections(one).filling("c", manner)
      try await next.add([record(2, "next")])
      #expect(try await next.finish(replaces: true).removed == 5)
      #expect(try await texts(1...8, in: other) == [nil, "next", nil, nil, nil, nil, nil, nil])
      await hasty.close()
    }
  }

  @Test(
    "one that fails at its end leaves all as it was, or, in portions, says that part is done", arguments: [false, true])
  func failing(isInPortions: Bool) async throws {
    try await withSchema { schema, one, other in
      let collections = PostgresCollections(one)
      try await collections.store([record(1, "old"), record(2, "old")], in: "c")
      let client = schema.client()
      for statement in [
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER no BEFORE DELETE ON collection_records FOR EACH ROW EXECUTE FUNCTION no()",
      ] { _ = try await client.run(PostgresStatement(statement)) }
      let fill = try await collections.filling("c", isInPortions ? .inPortions : .atOnce)
      try await fill.add([record(1, "new")])
      await #expect(throws: LedgerFailure.self) { _ = try await fill.finish(replaces: true) }
      #expect(await fill.isPartlyDone == isInPortions)
      await fill.abandon()
      #expect(try await texts(1...2, in: other) == [isInPortions ? "new" : "old", "old"])
      _ = try await client.run(PostgresStatement("DROP TRIGGER no ON collection_records"))
      await client.close()
      let next = try await collections.filling("c")
      try await next.add([record(1, "new")])
      _ = try await next.finish(replaces: true)
      #expect(try await texts(1...2, in: other) == ["new", nil])
    }
  }

  @Test("more records than a portion holds are all brought in, and all that are gone are removed")
  func portions() async throws {
    try await withSchema { _, one, other in
      let collections = PostgresCollections(one)
      try await collections.store((1...6_000).map { record($0, "old") }, in: "c")
      for (manner, first) in [(CollectionFill.Manner.inPortions, 2_500), (.atOnce, 1)] {
        let fill = try await collections.filling("c", manner)
        for start in stride(from: first, to: 8_500, by: 2_000) {
          try await fill.add((start..<min(start + 2_000, 8_500)).map { record($0, "\(first)") })
        }
        let outcome = try await fill.finish(replaces: true)
        #expect(outcome.stored == 8_500 - first && outcome.changed == outcome.stored)
        #expect(outcome.removed == (first == 1 ? 0 : 2_499))
        #expect(try await collections.counts().map(\.records) == [8_500 - first])
        #expect(try await texts(8_499...8_499, in: other) == ["\(first)"])
      }
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
}
