import Foundation
import PipelineTesting
import PostgreSQL
import Testing

/// `ferry collection` as a process, in a schema of its own.
@Suite("The commands for collections", .timeLimit(.minutes(10)))
struct CollectionCommandTests {
  private let word = TestServers.freshWord()
  private let settings: [String: String]

  init() throws {
    settings = ["FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": "e2e_\(word)"]
  }

  private func ferry(_ arguments: String...) async throws -> (status: Int32, output: String) {
    let program = try Program("ferry", arguments, environment: settings)
    return (await program.exit(), program.output)
  }

  /// Runs a test in a migrated schema, with a folder for files; both are removed at the end.
  private func withSchema(_ body: (_ folder: URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(word)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Nobody listens there: the schema is made all the same.
    let migrate = try Program(
      "ferry", ["migrate"],
      environment: settings.merging([
        "FERRY_RABBITMQ_URL": "amqp://a:b@127.0.0.1:1/", "FERRY_RABBITMQ_MANAGEMENT_URL": "http://a:b@127.0.0.1:1",
      ]) { $1 })
    _ = await migrate.exit()
    try #require(migrate.output.contains("PostgreSQL: applied 1"), "\(migrate.output)")
    let result: Result<Void, any Error>
    do { result = .success(try await body(folder)) } catch { result = .failure(error) }
    let client = PostgresClient(PostgresOptions(url: try TestServers.postgres()))
    _ = try await client.run(PostgresStatement("DROP SCHEMA \"e2e_\(word)\" CASCADE"))
    await client.close()
    try result.get()
  }

  private func file(_ name: String, _ text: String, in folder: URL) throws -> String {
    let file = folder.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  @Test("a file's records are put, listed, shown and replaced")
  func whole() async throws {
    try await withSchema { folder in
      let units = try file(
        "units.json", #"[{"id":1,"no":"PCS","n":5},{"id":2,"no":"KG","n":"6","a":{"b":"x"}}]"#, in: folder)
      let put = try await ferry("collection", "put", "9f1f2c6e-units", units)
      #expect(put == (0, "9f1f2c6e-units: 2 records stored, 2 new or changed, 0 as they were\n"))
      let list = try await ferry("collection", "list")
      #expect(list == (0, "9f1f2c6e-units\t2\n"))
      let show = try await ferry("collection", "show", "9f1f2c6e-units", "--where", "n=6", "--where", "a.b=x")
      #expect(show == (0, #"{"id":2,"no":"KG","n":"6","a":{"b":"x"}}"# + "\n"))
      let none = try await ferry("collection", "show", "9f1f2c6e-units", "--where", "n=6.0")
      #expect(none == (1, "9f1f2c6e-units has no such record\n"))
      let lines = try file("lines.jsonl", "{\"no\":\"KG\",\"n\":6}\n{\"no\":\"M\"}\n", in: folder)
      let replaced = try await ferry("collection", "put", "9f1f2c6e-units", lines, "--id", "no", "--replace")
      #expect(replaced == (0, "9f1f2c6e-units: 2 records stored, 2 new or changed, 0 as they were, 2 removed\n"))
      let again = try await ferry("collection", "put", "9f1f2c6e-units", lines, "--id", "no")
      #expect(again == (0, "9f1f2c6e-units: 2 records stored, 0 new or changed, 2 as they were\n"))
    }
  }

  @Test("of a file that cannot be used nothing is stored, and the record at fault is named")
  func faults() async throws {
    try await withSchema { folder in
      let first = try file("first.json", #"[{"id":1,"a":"old"}]"#, in: folder)
      #expect(try await ferry("collection", "put", "c", first).status == 0)
      // Far enough behind that records before it have been given to the database.
      let many = (1...3_000).map { #"{"id":\#($0),"a":"new"}"# }.joined(separator: "\n")
      for (name, tail, sentence) in [
        ("broken", "\n{\"id\":", ":3001: record 3001 has no end. Nothing was stored."),
        ("twice", "\n{\"id\":\"17\"}", ": record 3001 has the id «17» of record 17. Nothing was stored."),
        ("nameless", "\n{\"ID\":5}", ":3001: record 3001 has no text or number in its field «id», which is its id. N"),
      ] {
        let path = try file(name, many + tail, in: folder)
        let put = try await ferry("collection", "put", "c", path, "--replace")
        #expect(put.status == 66 && put.output.hasPrefix("\(path)\(sentence)"), "\(put)")
      }
      let empty = try file("empty.json", "[]", in: folder)
      let put = try await ferry("collection", "put", "c", empty, "--replace")
      #expect(put == (66, "\(empty) holds no record. Nothing was stored.\n"))
      #expect(try await ferry("collection", "list") == (0, "c\t1\n"))
      #expect(try await ferry("collection", "show", "c", "--where", "a=old").status == 0)
    }
  }

  @Test("ferry check tells of collections that nobody filled, until somebody has")
  func check() async throws {
    try await withSchema { folder in
      let strategy = folder.appendingPathComponent("strategies/one")
      try FileManager.default.createDirectory(at: strategy, withIntermediateDirectories: true)
      _ = try file(
        "target.json",
        #"{"api":"/SO/Save","ferry":{"key":"Page1.FBillNo"},"request":[{"field":"Page1","type":"array","children":["#
          + #"{"field":"FBillNo","value":"{order_no}"},"#
          + #"{"field":"FUnit","value":"_findCollection find no from units where id={unit}"}]}]}"#, in: strategy)
      _ = try file("source.json", #"{"api":"/v1/invoices/order/list"}"#, in: strategy)
      let environment = settings.merging(["FERRY_STRATEGIES": folder.appendingPathComponent("strategies").path]) { $1 }
      let (sentence, ok) = ("warning  collections: The collection «units» holds no record", "ok       collections")
      let before = try Program("ferry", ["check"], environment: environment)
      _ = await before.exit()
      #expect(before.output.contains(sentence), "\(before.output)")
      _ = try await ferry("collection", "put", "units", try file("units.json", #"[{"id":1,"no":"PCS"}]"#, in: folder))
      let after = try Program("ferry", ["check"], environment: environment)
      _ = await after.exit()
      #expect(after.output.contains(ok) && !after.output.contains(sentence), "\(after.output)")
    }
  }

  @Test("ferry check tells of records that an older program stored, until ferry migrate has run again")
  func olderRecords() async throws {
    try await withSchema { folder in
      _ = try await ferry("collection", "put", "units", try file("units.json", #"[{"id":1,"no":"PCS"}]"#, in: folder))
      let client = PostgresClient(PostgresOptions(url: try TestServers.postgres()))
      _ = try await client.run(PostgresStatement("UPDATE \"e2e_\(word)\".collection_records SET layout = 1"))
      await client.close()
      let sentence = "PROBLEM  PostgreSQL: An older program has stored records"
      for (command, isTold) in [("check", true), ("migrate", false), ("check", false)] {
        let program = try Program(
          "ferry", [command],
          environment: settings.merging([
            "FERRY_RABBITMQ_URL": "amqp://a:b@127.0.0.1:1/", "FERRY_RABBITMQ_MANAGEMENT_URL": "http://a:b@127.0.0.1:1",
          ]) { $1 })
        _ = await program.exit()
        #expect(program.output.contains(sentence) == isTold, "\(command): \(program.output)")
      }
    }
  }

  @Test("names, conditions and settings that cannot be used are told", arguments: [true, false])
  func wrong(isSet: Bool) async throws {
    for arguments in [
      ["put", "a b", "f"], ["put", String(repeating: "a", count: 101), "f"], ["put", "", "f"],
      ["show", "名", "--where", "a=b"], ["show", "c"], ["show", "c", "--where", "ab"], ["show", "c", "--where", "=b"],
    ] {
      let program = try Program("ferry", ["collection"] + arguments, environment: settings)
      #expect(await program.exit() == 64, "\(arguments): \(program.output)")
    }
    let program = try Program(
      "ferry", ["collection", "list"], environment: isSet ? ["FERRY_POSTGRES_URL": "http://x"] : [:])
    #expect(await program.exit() == 78)
    #expect(program.output.hasPrefix("FERRY_POSTGRES_URL"), "\(program.output)")
  }
}
