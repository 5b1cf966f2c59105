import Curl
import Foundation
import PipelineTesting
import TestSockets
import Testing

/// A poller that is up and gets nothing done, and others that get nothing done because there is nothing to do or nobody answers.
@Suite("A poller that is up but stuck", .serialized, .timeLimit(.minutes(5)))
struct StuckPollerTests {
  /// Another installation on the same servers.
  private func fresh(_ stage: Stage) async throws -> Stage {
    var stage = stage
    let word = TestServers.freshWord()
    stage.settings["FERRY_QUEUE_PREFIX"] = "e2e-\(word)."
    stage.settings["FERRY_POSTGRES_SCHEMA"] = "e2e_\(word)"
    let migrate = try stage.ferry(["migrate"])
    try #require(await migrate.exit() == 0, "\(migrate.output)")
    return stage
  }

  @Test(
    "a poller whose thread for HTTP stands still says 500 and exits 70, and another one goes on; one that rests, one that stands by and one whose OKKI never answers are well meanwhile"
  )
  func stuck() async throws {
    let first = try await Stage.set(orders: 24, faults: "off", unmappable: 0)
    defer { first.kill() }
    let silent = LoopbackServer { _, socket, _ in while !receiveSome(socket).isEmpty {} }
    defer { silent.stop() }
    var stage = try await fresh(first)
    // A quarter of that lies between the health's first no, which is asked for at once, and the end.
    stage.settings["FERRY_STALL_SECONDS"] = "16"
    var resting = try await fresh(stage)
    resting.settings["FERRY_POLL_INTERVAL_SECONDS"] = "3600"
    var unanswered = try await fresh(stage)
    unanswered.settings["FERRY_OKKI_URL"] = "http://127.0.0.1:\(silent.port)"

    let poller = try stage.ferry(["poll"])
    let admin = try await stage.adminURL(of: poller)
    try await until { try await metrics(admin).contains("ferry_poll_leader 1") }
    let others = [try stage.ferry(["poll"]), try resting.ferry(["poll"]), try unanswered.ferry(["poll"])]
    defer { for role in others + [poller] { role.kill() } }
    var admins: [String] = []
    for other in others { admins.append(try await stage.adminURL(of: other)) }
    try await until { try await metrics(admins[1]).contains("ferry_poll_cycles_total 1") }
    try await until { silent.connections > 0 }
    #expect(try await ask(admin + "/healthz").status == 200)

    try await FrozenThread(named: "ferry-curl", of: poller.pid)
    let told = await poller.printed("Up, but stuck") { statusLine(admin, "/healthz") }
    #expect(told?.contains(" 500 ") == true, "\(told ?? "not told") \(poller.output)")
    #expect(await poller.exit() == 70, "\(poller.output)")
    #expect(poller.output.contains("The process ends, to be started anew"), "\(poller.output)")

    for (role, admin) in zip(others, admins) {
      #expect(try await ask(admin + "/healthz").status == 200, "\(role.output)")
      #expect(!role.output.contains("Up, but"), "\(role.output)")
    }
    // The one that stood by takes over.
    try await until { try await metrics(admins[0]).contains("ferry_poll_leader 1") }
    for role in others { #expect(await role.stop() == 0, "\(role.output)") }
  }

  private func metrics(_ admin: String) async throws -> String { try await ask(admin + "/metrics").body }
}
