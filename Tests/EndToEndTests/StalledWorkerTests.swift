import PipelineTesting
import Testing

/// Workers that are up, with nobody at fault that they could know of, and workers that are held back.
@Suite("A worker that is up but not consuming", .serialized, .timeLimit(.minutes(4)))
struct StalledWorkerTests {
  /// Gives an installation its schema and queues, with the orders in the queue.
  private func polled(_ stage: Stage) async throws {
    for arguments in [["migrate"], ["poll", "--once"]] {
      let command = try stage.ferry(arguments)
      #expect(await command.exit() == 0, "\(command.output)")
    }
  }

  @Test(
    "a loader that gets no deliveries from a full queue says 500 and exits 70, and loses nothing; outages of RabbitMQ and of K/3 end nobody"
  )
  func deaf() async throws {
    // As many as make several messages: eight bills come in one.
    var stage = try await Stage.set(orders: 24, faults: "off", unmappable: 0)
    defer { stage.kill() }
    // A quarter of that lies between the health's first no, which is asked for at once, and the end.
    stage.settings["FERRY_STALL_SECONDS"] = "36"
    stage.settings["FERRY_RETRY_SECONDS"] = "1"
    var other = stage
    let word = TestServers.freshWord()
    other.settings["FERRY_QUEUE_PREFIX"] = "e2e-\(word)."
    other.settings["FERRY_POSTGRES_SCHEMA"] = "e2e_\(word)"
    other.settings["FERRY_K3_URL"] = "http://127.0.0.1:1"
    for installation in [stage, other] { try await polled(installation) }

    // Held back: a loader whose K/3 is away, with bills in its queue, and a transformer that has lost RabbitMQ.
    let cut = try BrokerRelay()
    defer { cut.stop() }
    var behindCut = other
    behindCut.settings["FERRY_RABBITMQ_URL"] = cut.url
    let cutOff = try behindCut.ferry(["transform"])
    let held = try other.ferry(["load"])
    defer { for role in [cutOff, held] { role.kill() } }
    let (cutOffAdmin, heldAdmin) = (try await stage.adminURL(of: cutOff), try await stage.adminURL(of: held))
    try await until { try await ask(heldAdmin + "/readyz").body == "load: K/3 WISE is away\n" }
    cut.refuse()
    try await until { try await ask(cutOffAdmin + "/readyz").body.contains("RabbitMQ") }

    // Deaf: what the broker delivers does not arrive, and all else does. One message is lent, the others are ready.
    let transform = try stage.ferry(["transform"])
    defer { transform.kill() }
    let deafening = try BrokerRelay(withholdsDeliveries: true)
    defer { deafening.stop() }
    var behindRelay = stage
    behindRelay.settings["FERRY_RABBITMQ_URL"] = deafening.url
    behindRelay.settings["FERRY_PREFETCH"] = "1"
    let deaf = try behindRelay.ferry(["load"])
    defer { deaf.kill() }
    let admin = try await stage.adminURL(of: deaf)
    #expect(try await ask(admin + "/healthz").status == 200)
    let told = await deaf.printed("Up, but not consuming") { statusLine(admin, "/healthz") }
    #expect(told?.contains(" 500 ") == true, "\(told ?? "not told") \(deaf.output)")
    #expect(await deaf.exit() == 70, "\(deaf.output)")
    #expect(deaf.output.contains("The process ends, to be started anew"), "\(deaf.output)")

    // For longer than that the others have been held back.
    for (role, admin) in [(cutOff, cutOffAdmin), (held, heldAdmin)] {
      #expect(try await ask(admin + "/healthz").status == 200, "\(role.output)")
      #expect(try await ask(admin + "/readyz").status == 503, "\(role.output)")
      #expect(!role.output.contains("Up, but"), "\(role.output)")
      #expect(await role.stop() == 0)
    }
    // What a supervisor starts in its place does the work.
    let load = try stage.ferry(["load"])
    defer { load.kill() }
    let verdict = try stage.verdict(["--without-workers", "--wait", "120"])
    #expect(await verdict.exit() == 0, "\(verdict.output)")
    for role in [transform, load] { #expect(await role.stop() == 0) }
  }
}
