import Foundation
import JSON
import PipelineTesting
import PostgreSQL
import Testing

/// Reconciliations and backfills, on real processes.
@Suite("Sweeps", .serialized, .timeLimit(.minutes(10)))
struct SweepTests {
  @Test(
    """
    orders that change without their update_time get to K/3, once each, though the poller is killed meanwhile; and so does \
    one whose row in OKKI's lists made its pages unreadable, once it is mended
    """)
  func reconcile() async throws {
    var stage = try await Stage.set(orders: 30, faults: "off", unmappable: 0)
    defer { stage.kill() }
    stage.settings["FERRY_CHANGED_ORDERS"] = "update"
    stage.settings["FERRY_RECONCILE_INTERVAL_SECONDS"] = "2"
    stage.settings["FERRY_POLL_PAGE_SIZE"] = "4"
    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let oldest = try await stage.ask(stage.okkiURL + "/_sim/orders")["orders"].flatMap { Array($0.elements).first }
    let bad = try #require(oldest?["id"]?.int64)
    _ = try await stage.ask(stage.okkiURL + "/_sim/settings", #"{"strayQuoteEvery":\#(bad)}"#)
    var roles = try ["transform", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    // All others are carried while that one is looked at again, and then it is parked.
    let poller = try await stage.adminURL(of: roles[2])
    try await until {
      let bills = try await stage.ask(stage.k3URL + "/_sim/stats")["bills"]?.int64
      let metrics = try await ask(poller + "/metrics").body
      return bills == 29 && metrics.contains(#"ferry_unreadable_rows_total{list="orders"} 1"#)
    }
    let letters = try stage.ferry(["dead-letters", "list", "--json"])
    #expect(await letters.exit() == 0 && letters.output.contains("order_malformed"), "\(letters.output)")
    _ = try await stage.ask(stage.okkiURL + "/_sim/settings", #"{"strayQuoteEvery":0}"#)
    // Another process, which has parked nothing: the verdict counts what these have.
    roles[2].kill()
    roles[2] = try stage.ferry(["poll"])
    func workers() async throws -> [String] {
      var arguments: [String] = []
      for role in roles { arguments += ["--worker", try await stage.adminURL(of: role)] }
      return arguments
    }
    let first = try await stage.verdict(["--json", "--wait", "120"] + workers())
    #expect(await first.exit() == 0, "\(first.output)")

    let book = try await stage.ask(stage.okkiURL + "/_sim/orders")
    for order in (book["orders"].map { Array($0.elements) } ?? []).prefix(7) {
      let id = try #require(order["id"]?.int64)
      _ = try await stage.ask(stage.okkiURL + "/_sim/orders", #"{"touch_silently":\#(id)}"#)
    }
    roles[2].kill()
    roles[2] = try stage.ferry(["poll"])
    // Every bill is as its order is now: none is outdated.
    var last = ""
    for _ in 0..<60 {
      let verdict = try await stage.verdict(["--json", "--wait", "5"] + workers())
      let code = await verdict.exit()
      last = verdict.output
      if code == 0, last.contains(#""outdated":0"#) { break }
    }
    #expect(last.contains(#""outdated":0"#), "\(last)")
    let stats = try await stage.ask(stage.k3URL + "/_sim/stats")
    #expect(stats["bills"]?.int64 == 30 && stats["saves"]?.int64 == 30)
    // The bills are there before the sweep's last second is read.
    var list = try stage.ferry(["backfill", "list"])
    #expect(await list.exit() == 0)
    while list.output.contains("reconcile\trunning"), !Task.isCancelled {
      list = try stage.ferry(["backfill", "list"])
      #expect(await list.exit() == 0)
    }
    #expect(list.output.contains("reconcile\tdone\tby create"), "\(list.output)")
    #expect(list.output.contains { $0.isNewline } && list.output.contains("read 30"), "\(list.output)")
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }

  @Test(
    "orders of before the first watermark are brought in by a backfill, counted before, paused, resumed, and cheap twice"
  )
  func backfill() async throws {
    var stage = try await Stage.set(orders: 30, faults: "off", unmappable: 0)
    defer { stage.kill() }
    let beijing = Date().addingTimeInterval(8 * 3600).formatted(.iso8601)
    let now = String(beijing.prefix(19)).replacing("T", with: " ")
    stage.settings["FERRY_POLL_SINCE"] = now
    let migrate = try stage.ferry(["migrate"])
    #expect(await migrate.exit() == 0, "\(migrate.output)")
    let window = ["--from", "2020-01-01", "--to", now]
    let dry = try stage.ferry(["backfill", "start", "--dry-run"] + window)
    #expect(await dry.exit() == 0, "\(dry.output)")
    #expect(dry.output.hasPrefix("30 orders that were entered from 2020-01-01 00:00:00 to \(now)"), "\(dry.output)")
    // It asks as every other process does: one token for all, and nobody asks during a pause.
    var options = PostgresOptions(url: try TestServers.postgres())
    options.searchPath = stage.settings["FERRY_POSTGRES_SCHEMA"]
    let client = PostgresClient(options)
    let held = try await client.run(
      PostgresStatement(
        """
        UPDATE rate_buckets SET not_before = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 600000000
        RETURNING bucket
        """))
    #expect(held.count == 1)
    let paused = try stage.ferry(["backfill", "start", "--dry-run"] + window)
    #expect(await paused.exit() == 1 && paused.output.contains("OKKI asks to slow down"), "\(paused.output)")
    _ = try await client.run(PostgresStatement("UPDATE rate_buckets SET not_before = 0"))
    let second = try stage.ferry(["backfill", "start", "--dry-run"] + window)
    #expect(await second.exit() == 0 && second.output == dry.output, "\(second.output)")
    let tokens = try await client.run(PostgresStatement("SELECT generation FROM vendor_tokens"))
    #expect(tokens.count == 1 && tokens.int(0, 0) == 1)
    await client.close()

    let none = try stage.ferry(["backfill", "list", "--json"])
    #expect(await none.exit() == 0)
    #expect(none.output.isEmpty)

    func act(_ arguments: [String]) async throws -> (code: Int32, output: String) {
      let program = try stage.ferry(["backfill"] + arguments)
      return (await program.exit(), program.output)
    }
    let begun = try await act(["start"] + window)
    #expect(begun.code == 0 && begun.output.contains("1\tbackfill\trunning\tby create"), "\(begun.output)")
    #expect(try await act(["pause", "1"]).code == 0)
    let roles = try ["transform", "load", "poll"].map { try stage.ferry([$0]) }
    defer { for role in roles { role.kill() } }
    let again = try await act(["pause", "1"])
    #expect(again.code == 1)
    #expect(again.output.contains("Backfill 1 is paused: only one that is running can become paused."))
    let unknown = try await act(["cancel", "404"])
    #expect(unknown.code == 1 && unknown.output.contains("There is no backfill 404"))
    let resumed = try await act(["resume", "1"])
    #expect(resumed.code == 0 && resumed.output.contains("1\tbackfill\trunning"))
    var workers = ["--json", "--wait", "120"]
    for role in roles { workers += ["--worker", try await stage.adminURL(of: role)] }
    let verdict = try stage.verdict(workers)
    #expect(await verdict.exit() == 0, "\(verdict.output)")

    #expect(try await act(["start"] + window).code == 0)
    var list = ""
    for _ in 0..<60 {
      list = try await act(["list", "--json"]).output
      if list.components(separatedBy: #""state":"done""#).count == 3 { break }
    }
    #expect(list.contains(#""id":2,"kind":"backfill","state":"done""#), "\(list)")
    #expect(list.contains(#""percent":100,"read":30,"published":0,"changed":0,"failed":0"#), "\(list)")
    #expect(list.contains(#""percent":100,"read":30,"published":30,"changed":0,"failed":0"#), "\(list)")
    #expect(try await act(["cancel", "1"]).output.contains("Backfill 1 is done"))
    for role in roles { #expect(await role.stop() == 0, "\(role.output.suffix(2000))") }
  }
}
