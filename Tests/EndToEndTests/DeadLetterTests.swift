import Curl
import Foundation
import JSON
import PipelineTesting
import PostgreSQL
import Testing

/// Parked orders on real processes.
@Suite("Parked orders", .serialized, .timeLimit(.minutes(10)))
struct DeadLetterTests {
  /// Runs a command of `ferry dead-letters`.
  private func letters(_ stage: Stage, _ arguments: String...) async throws -> (status: Int32, output: String) {
    try await letters(stage, arguments)
  }

  private func letters(_ stage: Stage, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    let program = try stage.ferry(["dead-letters"] + arguments)
    return (await program.exit(), program.output)
  }

  /// Waits until so many letters of a reason wait.
  private func waiting(_ stage: Stage, _ reason: String, count: Int) async throws -> [JSONValue] {
    while true {
      let list = try await letters(stage, "list", "--reason", reason, "--json")
      try #require(list.status == 0, "\(list.output)")
      let lines = list.output.split(separator: "\n")
      if lines.count >= count { return try lines.map { try JSONDocument(Array($0.utf8)).root } }
    }
  }

  /// The customers as the poller has stored them, in a file; they are gone from the collection then.
  private func withoutCustomers(_ client: PostgresClient) async throws -> URL {
    let taken = try await client.run(
      PostgresStatement("DELETE FROM collection_records WHERE collection = 'customers' RETURNING content"))
    let records = (0..<taken.count).compactMap { taken.bytes($0, 0) }
    try #require(!records.isEmpty)
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(TestServers.freshWord()).json")
    try Data(records.joined(separator: [UInt8(ascii: "\n")])).write(to: file)
    return file
  }

  /// The orders of the stage in the queue, and a client of its ledger.
  private func polled(_ stage: Stage) async throws -> PostgresClient {
    for arguments in [["migrate"], ["poll", "--once"]] {
      let command = try stage.ferry(arguments)
      #expect(await command.exit() == 0, "\(command.output)")
    }
    var options = PostgresOptions(url: try TestServers.postgres())
    options.searchPath = stage.settings["FERRY_POSTGRES_SCHEMA"]
    return PostgresClient(options)
  }

  @Test("an order waits for its customer, and goes on by itself when it arrives", .timeLimit(.minutes(5)))
  func patient() async throws {
    var stage = try await Stage.set(orders: 5, faults: "off", unmappable: 0)
    defer { stage.kill() }
    stage.settings["FERRY_MASTER_DATA_WAIT_SECONDS"] = "3600"
    stage.settings["FERRY_RETRY_SECONDS"] = "1"
    let client = try await polled(stage)
    let file = try await withoutCustomers(client)
    defer { try? FileManager.default.removeItem(at: file) }
    await client.close()
    let roles = try ["transform", "load"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    while try await !metrics(of: roles[0], stage).contains(#"outcome="later",reason="customer_unmapped""#) {}
    let put = try stage.ferry(["collection", "put", "customers", file.path, "--id", "company_id"])
    #expect(await put.exit() == 0, "\(put.output)")
    let verdict = try stage.verdict(["--without-workers", "--wait", "120"])
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    #expect(try await letters(stage, "list") == (0, "No such letter.\n"))
    for role in roles { #expect(await role.stop() == 0) }
  }

  private func metrics(of role: Program, _ stage: Stage) async throws -> String {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    let outcome = await client.perform(HTTPRequest(.get, try await stage.adminURL(of: role) + "/metrics"))
    await client.shutdown()
    guard case .response(let answer) = outcome else { throw POSIXError(.EIO) }
    return String(decoding: answer.body, as: UTF8.self)
  }

  @Test(
    "orders that lacked their customer, and bills that K/3 refused, arrive once each after a replay, however often they are replayed",
    .timeLimit(.minutes(5)))
  func whole() async throws {
    let stage = try await Stage.set(orders: 12, faults: "off", unmappable: 0)
    defer { stage.kill() }
    let client = try await polled(stage)
    let file = try await withoutCustomers(client)
    defer { try? FileManager.default.removeItem(at: file) }
    _ = try await stage.ask(stage.k3URL + "/_sim/settings", #"{"closedTo":"2099-12-31"}"#)

    let transform = try stage.ferry(["transform"])
    let load = try stage.ferry(["load"])
    defer {
      transform.kill()
      load.kill()
    }
    let unmapped = try await waiting(stage, "customer_unmapped", count: 12)
    #expect(unmapped.allSatisfy { $0["stage"]?.string == "transform" && $0["state"]?.string == "waiting" })
    let refused = try await letters(stage, "replay", "--all", "--by", "ann")
    #expect(refused.status == 64 && refused.output.contains("Replay 12 letters? Nothing was done"), "\(refused.output)")

    // The customers arrive. K/3 refuses the bills, whose period is closed.
    let put = try stage.ferry(["collection", "put", "customers", file.path, "--id", "company_id"])
    #expect(await put.exit() == 0, "\(put.output)")
    let first = try await letters(stage, "replay", "--reason", "customer_unmapped", "--yes", "--by", "ann")
    #expect(first == (0, "12 replayed\n"))
    let rejected = try await waiting(stage, "k3_rejected", count: 12)
    let number = try #require(rejected.first?["id"]?.int64)
    let show = try await letters(stage, "show", "\(number)", "--json")
    let shown = try JSONDocument(Array(show.output.utf8)).root
    #expect(show.status == 0 && shown["answer"]?.string?.isEmpty == false, "\(show.output)")
    #expect(shown["body"]?.string?.contains("\"Page1\"") == true)
    let empty = try await letters(stage, "list", "--reason", "customer_unmapped")
    #expect(empty == (0, "No such letter.\n"))

    // The period is opened. One is discarded by mistake, and replayed all the same.
    _ = try await stage.ask(stage.k3URL + "/_sim/settings", #"{"closedTo":"2019-12-31"}"#)
    let discard = try await letters(stage, "discard", "\(number)", "--yes", "--by", "bob", "--json")
    #expect(discard == (0, #"{"discarded":[\#(number)],"left":[]}"# + "\n"))
    let second = try await letters(stage, "replay", "--reason", "k3_rejected", "--yes", "--by", "ann")
    #expect(second == (0, "11 replayed\n"))
    let third = try await letters(stage, "replay", "\(number)", "--state", "discarded", "--yes", "--by", "ann")
    #expect(third == (0, "1 replayed\n"))
    let acts = try await letters(stage, "show", "\(number)")
    #expect(acts.output.contains("discarded by bob at") && acts.output.contains("replayed by ann at"), "\(acts.output)")
    let verdict = try stage.verdict(["--without-workers", "--wait", "120"])
    #expect(await verdict.exit() == 0, "\(verdict.output)")

    // What a kill between publish and mark leaves, for every letter.
    _ = try await client.run(PostgresStatement("UPDATE dead_letters SET state = 'waiting'"))
    await client.close()
    let again = try await letters(stage, "replay", "--all", "--yes", "--by", "ann")
    #expect(again == (0, "24 replayed\n"))
    // Twelve by the transformer, twelve to the loader: all are known as written.
    while try await !metrics(of: load, stage).contains(#"outcome="duplicate",reason="",stage="load"} 24"#) {}
    #expect(await transform.stop() == 0)
    #expect(await load.stop() == 0)
    let last = try stage.verdict(["--without-workers"])
    #expect(await last.exit() == 0, "\(last.output)")
    #expect(try await stage.ask(stage.k3URL + "/_sim/stats")["bills"]?.int64 == 12)
  }

  @Test(
    "an order that is mended in OKKI without a new update_time comes when it is to be read anew, once",
    .timeLimit(.minutes(5)))
  func readAnew() async throws {
    let stage = try await Stage.set(orders: 10, faults: "off", unmappable: 50)
    defer { stage.kill() }
    let client = try await polled(stage)
    let transform = try stage.ferry(["transform"])
    let load = try stage.ferry(["load"])
    defer {
      transform.kill()
      load.kill()
    }
    let parked = try #require(try await waiting(stage, "material_missing", count: 1).first)
    let (id, order) = (try #require(parked["id"]?.int64), try #require(parked["order_id"]?.string))
    let first = try stage.verdict(["--without-workers", "--wait", "120"])
    #expect(await first.exit() == 0, "\(first.output)")
    _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"mend_silently":\#(order)}"#)
    // The poller does not notice by itself, and what is parked is as it was.
    func poll() async throws {
      let poll = try stage.ferry(["poll", "--once"])
      #expect(await poll.exit() == 0, "\(poll.output)")
    }
    try await poll()
    let refused = try await letters(stage, "replay", "\(id)", "--refetch", "--by", "ann")
    #expect(refused.status == 64 && refused.output.contains("Read the orders of 1 letters anew? Nothing was done"))
    _ = try await waiting(stage, "material_missing", count: 1)
    #expect(try await stage.ask(stage.k3URL + "/_sim/stats")["bills"]?.int64 == 5)

    _ = try await client.run(
      PostgresStatement(
        "INSERT INTO dead_letters (fingerprint, stage, reason, sentence, parked_at, vendor_answer, properties, body) "
          + "VALUES ('x', 'load', 'undecodable', 'nobody knows', 0, '', '{}', 'x')"))
    let nameless = try #require(try await waiting(stage, "undecodable", count: 1).first?["id"]?.int64)
    let chosen = ["\(id)", "\(nameless)", "--refetch", "--yes", "--by", "ann", "--json"]
    let replay = try await letters(stage, ["replay"] + chosen)
    #expect(replay.status == 1)
    let told = #"{"how":"refetch","replayed":[\#(id)],"refused":[{"id":\#(nameless),"why":"it names"#
    #expect(replay.output.contains(told), "\(replay.output)")
    let show = try await letters(stage, "show", "\(id)")
    #expect(show.output.contains("replayed, its order to be read anew, by ann at"), "\(show.output)")
    try await poll()
    let verdict = try stage.verdict(["--without-workers", "--wait", "120"])
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    #expect(try await stage.ask(stage.k3URL + "/_sim/stats")["bills"]?.int64 == 6)
    // What it asked for is done with.
    try await poll()
    let last = try stage.verdict(["--without-workers"])
    #expect(await last.exit() == 0, "\(last.output)")
    #expect(try await letters(stage, "list", "--reason", "material_missing") == (0, "No such letter.\n"))

    // One that is written and has not changed: it is published all the same, and known as written.
    _ = try await client.run(
      PostgresStatement(
        """
        INSERT INTO dead_letters (
          fingerprint, stage, reason, sentence, order_id, parked_at, vendor_answer, properties, body)
        SELECT 'y', 'load', 'conflict', 'nobody knows', min(order_id), 0, '', '{}', 'x' FROM order_revisions
        WHERE order_id NOT IN (SELECT order_id FROM dead_letters WHERE order_id IS NOT NULL)
        """))
    await client.close()
    let same = try #require(try await waiting(stage, "conflict", count: 1).first?["id"]?.int64)
    #expect(
      try await letters(stage, "replay", "\(same)", "--refetch", "--yes", "--by", "ann") == (0, "1 to be read anew\n"))
    try await poll()
    while try await !metrics(of: load, stage).contains(#"outcome="duplicate",reason="",stage="load"} 1"#) {}
    let unchanged = try stage.verdict(["--without-workers"])
    #expect(await unchanged.exit() == 0, "\(unchanged.output)")
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == 6 && stats["saves"]?.int64 == 6)
    #expect(await transform.stop() == 0)
    #expect(await load.stop() == 0)
  }
}
