import JSON
import Orders
import Pipeline
import PostgreSQL
import Testing

@testable import Ledger

@Suite("Records of an older program", .timeLimit(.minutes(3)))
struct RenewedEntriesTests {
  private func withOldSchema(
    _ body: (FreshSchema, LedgerDatabase, PostgresClient) async throws -> Void
  ) async throws {
    let schema = try FreshSchema()
    let database = try schema.database()
    let client = schema.client()
    let result: Result<Void, any Error>
    do {
      _ = try await Migrator(database, steps: migrations.filter { $0.version < 4 }).migrate()
      let content = #"'{"id":' || n || ',"a":{"b":"x' || n || '"}}'"#
      _ = try await client.run(
        PostgresStatement(
          """
          INSERT INTO collection_records (collection, id, content, fields)
          SELECT 'c', n::text, convert_to(\(content), 'UTF8'), '{}' FROM generate_series(1, 1200) AS n
          """))
      result = .success(try await body(schema, database, client))
    } catch { result = .failure(error) }
    await client.close()
    await database.close()
    try await schema.drop()
    try result.get()
  }

  private func found(_ numbers: [Int], _ database: LedgerDatabase) async throws -> [String] {
    let keys = numbers.map {
      LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "a.b", value: "x\($0)")])
    }
    return try await PostgresCollections(database).find(keys).compactMap { $0.record?.root["id"]?.text }
  }

  @Test("they are found by every field once the schema is brought up to date")
  func renewed() async throws {
    try await withOldSchema { _, database, _ in
      _ = try await Migrator(database).migrate()
      #expect(try await found([1, 700, 1_200], database) == ["1", "700", "1200"])
      #expect(try await !Migrator(database).hasOlderRecords())
    }
  }

  @Test("a renewal that is cut off leaves the schema too old to work with, and the next migration goes on")
  func cutOff() async throws {
    try await withOldSchema { _, database, client in
      // Content that the renewal of the second portion meets with a failure.
      _ = try await client.run(
        PostgresStatement(
          "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"))
      _ = try await client.run(
        PostgresStatement(
          """
          CREATE TRIGGER no BEFORE UPDATE ON collection_records FOR EACH ROW WHEN (OLD.id = '999') EXECUTE FUNCTION no()
          """))
      await #expect(throws: LedgerFailure.self) { _ = try await Migrator(database).migrate() }
      await #expect(throws: LedgerFailure.self) { try await Migrator(database).check() }
      // Nobody is told «not found» of a record whose entries are to come.
      await #expect(throws: LedgerFailure.self) { _ = try await found([999], database) }
      let done = try await client.run(PostgresStatement("SELECT count(*) FROM collection_records WHERE layout = 2"))
      #expect(try (1..<1_200).contains(Int(#require(done.int(0, 0)))))
      _ = try await client.run(PostgresStatement("DROP TRIGGER no ON collection_records"))
      #expect(try await Migrator(database).migrate().first == "6 (index entries renewed)")
      try await Migrator(database).check()
      #expect(try await found([1, 700, 999, 1_200], database) == ["1", "700", "999", "1200"])
    }
  }

  @Test("what an older program stores after the migration is noticed, and the next one renews it")
  func leftovers() async throws {
    try await withOldSchema { _, database, client in
      _ = try await Migrator(database).migrate()
      // As an older program stores: a new record, and one that it changes.
      let store = """
        INSERT INTO collection_records AS stored (collection, id, content, fields)
        SELECT 'c', n::text, convert_to('{"id":' || n || ',"a":{"b":"y' || n || '"}}', 'UTF8'), '{}'
        FROM unnest($1::bigint[]) AS n
        ON CONFLICT (collection, id) DO UPDATE SET content = EXCLUDED.content, fields = EXCLUDED.fields
        WHERE stored.content <> EXCLUDED.content
        """
      for number in [5, 5_000] {
        _ = try await client.run(PostgresStatement(store, .intArray([Int64(number)])))
        #expect(try await Migrator(database).hasOlderRecords(), "\(number)")
        #expect(try await Migrator(database).migrate().isEmpty)
        #expect(try await !Migrator(database).hasOlderRecords(), "\(number)")
        let key = LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "a.b", value: "y\(number)")])
        #expect(try await PostgresCollections(database).find([key])[0].record?.root["id"]?.text == "\(number)")
      }
    }
  }

  @Test("a step may take as long as it needs")
  func patience() async throws {
    try await withOldSchema { _, database, client in
      let step = Migration(
        version: 1, name: "x",
        statements: ["CREATE TABLE seen AS SELECT current_setting('statement_timeout') AS limits"])
      _ = try await client.run(PostgresStatement("DELETE FROM schema_versions"))
      _ = try await Migrator(database, steps: [step]).migrate()
      #expect(try await client.run(PostgresStatement("SELECT limits FROM seen"))[0, 0] == "0")
    }
  }
}
