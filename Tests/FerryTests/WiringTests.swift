import FoundationEssentials
import Logging
import Pipeline
import PipelineTesting
import Queue
import Telemetry
import Testing

@testable import ferry

@Suite("The wiring", .timeLimit(.minutes(2)))
struct WiringTests {
  @Test("the workers' delays and attempts are those of the settings, and each delay is a queue of the topology")
  func policy() throws {
    let changes = ["FERRY_RETRY_SECONDS": "7,30", "FERRY_MAX_ATTEMPTS": "3"]
    let environment = SettingsTests.complete.merging(changes) { _, new in new }
    let wiring = Wiring(
      settings: try Settings(environment: environment, roles: Role.all), logger: Logger(label: "test"),
      registry: MetricsRegistry())
    #expect(wiring.policy.ladder == [7, 30])
    #expect(wiring.policy.maxAttempts == 3)
    #expect(wiring.policy.ladder == (try wiring.topology().ladder))
  }

  private func wiring(_ changes: [String: String] = [:], _ lines: Probe<String> = Probe()) throws -> Wiring {
    let environment = SettingsTests.complete.merging(changes) { _, new in new }
    return Wiring(
      settings: try Settings(environment: environment, roles: Role.all), logger: recording(lines),
      registry: MetricsRegistry())
  }

  @Test("the table's slowest and fastest rates can both be had", arguments: ["1", "1000000"])
  func rates(rate: String) async throws {
    let wiring = try wiring(["FERRY_OKKI_RATE_PER_SECOND": rate, "FERRY_CA_FILE": "/etc/hostname"])
    _ = try wiring.orderSource()
    await wiring.close()
  }

  @Test("a message that is too large is counted as parked, and the log names stage and queue")
  func oversized() throws {
    let lines = Probe<String>()
    let wiring = try wiring([:], lines)
    wiring.events("load inbox")(.oversized(.load, queue: "site.bills"))
    #expect(
      lines.events == [
        "error A message is too large to be read and goes to the dead queue queue=site.bills reason=undecodable stage=load"
      ])
    let metrics = wiring.registry.prometheusText()
    #expect(metrics.contains(#"ferry_dead_letters_total{reason="undecodable",stage="load"} 1"#), "\(metrics)")
    #expect(metrics.contains(#"ferry_outcomes_total{outcome="dead",reason="undecodable",stage="load"} 1"#))
  }

  @Test("connections count as made anew from their second time on; attempts that fail do not")
  func reconnects() throws {
    let wiring = try wiring()
    let events = ["load inbox", "load outbox"].map { wiring.events($0) }
    func told(_ count: Int) -> Bool {
      wiring.registry.prometheusText().contains("ferry_reconnects_total{partner=\"rabbitmq\"} \(count)\n")
    }
    for tell in events { tell(.connected(1)) }
    #expect(told(0))
    for event in [QueueEvent.lost("reset"), .failed("refused"), .pausing(milliseconds: 5), .failed("refused")] {
      events[0](event)
    }
    #expect(told(0))
    events[0](.connected(2))
    #expect(told(1))
    events[1](.connected(2))
    events[1](.connected(3))
    #expect(told(3))
  }

  @Test("a broker that begins to hold publishers back is logged with its words, and when it ends")
  func blocked() throws {
    let lines = Probe<String>()
    let tell = try wiring([:], lines).events("poll outbox")
    tell(.blocked("low on memory"))
    tell(.unblocked)
    #expect(
      lines.events == [
        "warning The broker holds publishers back connection=poll outbox reason=low on memory",
        "info The broker takes messages again connection=poll outbox",
      ])
  }

  @Test("attempts that fail alike are told once, and again after a connection or with other words")
  func toldOnce() throws {
    let lines = Probe<String>()
    let tell = try wiring([:], lines).events("poll outbox")
    for event in [QueueEvent.lost("refused"), .failed("refused"), .failed("refused"), .failed("login"), .connected(2)] {
      tell(event)
    }
    tell(.failed("login"))
    #expect(
      lines.events.filter { $0.hasPrefix("warning") }
        == ["refused", "login", "login"].map {
          "warning The broker cannot be used connection=poll outbox failure=\($0)"
        })
  }

  @Test("the site's texts of K/3's messages are read, and a file that cannot be used ends the program with 78")
  func messages() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("messages-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(#"{"busy":["数据库忙"]}"#.utf8).write(to: file)
    _ = try wiring(["FERRY_K3_MESSAGES_FILE": file.path]).destination()
    try Data(#"{"bussy":["数据库忙"]}"#.utf8).write(to: file)
    let problem = try #require(throws: SetupProblem.self) {
      _ = try wiring(["FERRY_K3_MESSAGES_FILE": file.path]).destination()
    }
    #expect(problem.sentence.contains("«bussy»") && problem.remedy.contains("FERRY_K3_MESSAGES_FILE"))
    #expect(Startup.exit(for: [problem]) == Startup.configurationExit)
  }

  @Test("ferry check says what K/3 cannot be asked, as a note; where it is not looked at, nothing")
  func notes() async throws {
    let away = [
      "FERRY_POSTGRES_URL": "postgresql://u:p@127.0.0.1:1/ferry", "FERRY_RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/",
      "FERRY_RABBITMQ_MANAGEMENT_URL": "http://u:p@127.0.0.1:1", "FERRY_OKKI_URL": "http://127.0.0.1:1",
      "FERRY_K3_URL": "http://127.0.0.1:1",
    ]
    let findings = await (try wiring(away)).check()
    let lines = try #require(findings.first { $0.subject == "K/3 WISE" }.map(CheckCommand.lines(of:)))
    #expect(lines.filter { $0.hasPrefix("PROBLEM  K/3 WISE: K/3 cannot be reached") }.count == 1)
    let notes = lines.filter { $0.hasPrefix("note     K/3 WISE: ") }
    try #require(notes.count == 2, "\(lines)")
    #expect(notes[0].contains("a second bill with the same number"))
    #expect(notes[1].contains("cuts off a Save") && notes[1].contains("set FERRY_SHUTDOWN_SECONDS of loaders to 65"))
    #expect(findings.filter { $0.subject != "K/3 WISE" }.allSatisfy { $0.notes.isEmpty })
    let fine = Finding(subject: "K/3 WISE", notes: ["n"])
    #expect(CheckCommand.lines(of: fine) == ["ok       K/3 WISE", "note     K/3 WISE: n"])
    #expect(Finding(subject: "K/3 WISE", lacking: [.k3URL]).notes.isEmpty)
  }

  @Test(
    "a stop that cuts a Save off is noted, not refused; one that lets each come to its end is not",
    arguments: [("25", "60", true), ("60", "60", true), ("61", "60", false), ("25", "20", false)])
  func shutdownNote(shutdown: String, save: String, isNoted: Bool) throws {
    let wiring = try wiring(["FERRY_SHUTDOWN_SECONDS": shutdown, "FERRY_K3_SAVE_TIMEOUT_SECONDS": save])
    #expect((wiring.settings.shutdownNote != nil) == isNoted)
  }

  @Test("the end of a certificate is told by partner, the one that was shown last; none before that")
  func certificateEnds() throws {
    let wiring = try wiring()
    let (old, new) = (wiring.certificateWatch(.k3), wiring.certificateWatch(.k3))
    #expect(!wiring.registry.prometheusText().contains("ferry_certificate_expiry_epoch_seconds"))
    old(1_800_000_000)
    new(1_900_000_000)
    #expect(
      wiring.registry.prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        == [#"ferry_certificate_expiry_epoch_seconds{partner="k3"} 1900000000"#])
  }

  @Test("ferry migrate tells what is wrong with each of its three addresses, as ferry check does")
  func addresses() async throws {
    let wiring = try wiring([
      "FERRY_POSTGRES_URL": "postgresql://u:p@127.0.0.1:1/ferry", "FERRY_RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/",
      "FERRY_RABBITMQ_MANAGEMENT_URL": "http://u:p@127.0.0.1:1",
    ])
    let (done, problems) = await wiring.migrate()
    #expect(done.isEmpty)
    let told = problems.map { Startup.sentence(of: $0) }
    #expect(told.count == 3, "\(told)")
    #expect(told.first?.hasPrefix("PostgreSQL is away") == true)
    #expect(told.dropFirst().first?.hasPrefix("the broker cannot be reached") == true)
    #expect(told.last?.hasPrefix("the broker's management cannot be reached") == true)
  }

  @Test("what RabbitMQ's management refuses is final where AMQP answers, and may pass while that is away: it starts")
  func startingBroker() async throws {
    try await withScriptedServer { _ in
      .status(401, #"{"error":"not_authorised","reason":"Login failed"}"#)
    } _: { server in
      let management = ["FERRY_RABBITMQ_MANAGEMENT_URL": server.url.replacing("//", with: "//u:p@")]
      let nobody = [
        "FERRY_POSTGRES_URL": "postgresql://u:p@127.0.0.1:1/ferry", "FERRY_RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/",
      ]
      let starting = await (try wiring(management.merging(nobody) { $1 })).migrate().problems
      let told = starting.map { Startup.sentence(of: $0) }
      #expect(told.count == 3 && told[2].contains("refuses user or password"), "\(told)")
      #expect(Startup.exit(for: starting) != Startup.configurationExit)
      let there = ["FERRY_POSTGRES_URL": nobody["FERRY_POSTGRES_URL"], "FERRY_RABBITMQ_URL": try TestServers.rabbit()]
      let refused = await (try wiring(management.merging(there.compactMapValues { $0 }) { $1 })).migrate().problems
      #expect(Startup.exit(for: refused) == Startup.configurationExit, "\(refused)")
    }
  }
}
