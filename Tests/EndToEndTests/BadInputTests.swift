import Curl
import Foundation
import PipelineTesting
import PostgreSQL
import Testing

/// What keeps a role from its work is said in one line, and ends it with a status of its own; what passes is waited for.
@Suite("Bad input", .timeLimit(.minutes(10)))
struct BadInputTests {
  /// Settings of an installation of the test's own, whose vendors are never there.
  private func settings() throws -> [String: String] {
    let word = TestServers.freshWord()
    return [
      "FERRY_OKKI_URL": "http://127.0.0.1:9", "FERRY_OKKI_CLIENT_ID": "id", "FERRY_OKKI_CLIENT_SECRET": "canary",
      "FERRY_K3_URL": "http://127.0.0.1:9", "FERRY_K3_AUTHORITY_CODE": "canary",
      "FERRY_RABBITMQ_URL": try TestServers.rabbit(),
      "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(), "FERRY_QUEUE_PREFIX": "bad-\(word).",
      "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": "bad_\(word)",
      "FERRY_STRATEGIES": Stage.checkout.appendingPathComponent("deploy/strategies").path,
      "FERRY_RETRY_SECONDS": "1", "FERRY_POLL_SINCE": "2020-01-01 00:00:00", "FERRY_ADMIN_PORT": "0",
    ]
  }

  private func run(_ role: String..., with settings: [String: String]) async throws -> (
    status: Int32, lines: [Substring]
  ) {
    let program = try Program("ferry", role, environment: settings)
    let status = await program.exit()
    #expect(!program.output.contains("canary"))
    return (status, program.output.split(separator: "\n"))
  }

  private func sql(_ statement: String) async throws {
    let client = PostgresClient(PostgresOptions(url: try TestServers.postgres()))
    _ = try await client.run(PostgresStatement(statement))
    await client.close()
  }

  @Test(
    "a missing secret file ends every role with 78 and one line", arguments: ["migrate", "poll", "transform", "load"])
  func secret(role: String) async throws {
    var settings = try settings()
    settings["FERRY_POSTGRES_URL"] = nil
    settings["FERRY_POSTGRES_URL_FILE"] = "/nowhere/postgres-url"
    let end = try await run(role, with: settings)
    #expect(end.status == 78)
    #expect(
      end.lines == [
        "The settings cannot be used: FERRY_POSTGRES_URL_FILE names a file that cannot be read: /nowhere/postgres-url"
      ])
  }

  @Test(
    "a strategy folder that is not there ends transformer and loader with 78 and one line",
    arguments: ["transform", "load"])
  func strategies(role: String) async throws {
    var settings = try settings()
    settings["FERRY_STRATEGIES"] = "/nowhere/strategies"
    let end = try await run(role, with: settings)
    #expect(end.status == 78)
    #expect(end.lines.count == 1 && end.lines[0].contains("/nowhere/strategies"), "\(end.lines)")
  }

  @Test(
    "beside a schema of a newer program that does not let this one work, migrate and every role end with 78 and say so")
  func newer() async throws {
    let settings = try settings()
    let schema = try #require(settings["FERRY_POSTGRES_SCHEMA"])
    #expect(try await run("migrate", with: settings).status == 0)
    try await sql("insert into \(schema).schema_versions (version, name, oldest) values (900, 'later', 900)")
    for role in ["migrate", "poll", "transform", "load"] {
      let end = try await run(role, with: settings)
      #expect(end.status == 78, "\(role)")
      let told = end.lines.filter { $0.contains("is at version 900, newer than this program") }
      #expect(told.count == 1 && told[0].contains("run the newer program"), "\(role): \(end.lines)")
    }
    let once = try await run("poll", "--once", with: settings)
    #expect(once.status == 78 && once.lines.count == 1, "\(once.lines)")
    // The next program's step that lets this one work.
    try await sql("update \(schema).schema_versions set oldest = 20 where version = 900")
    #expect(try await run("migrate", with: settings).status == 0)
    try await ready("load", settings)
    try await sql("drop schema \(schema) cascade")
  }

  @Test("on a ledger that was restored every role ends with 78 and says what to do, until somebody has done it")
  func restored() async throws {
    let settings = try settings()
    let schema = try #require(settings["FERRY_POSTGRES_SCHEMA"])
    #expect(try await run("migrate", with: settings).status == 0)
    try await sql("update \(schema).ledger_origin set ledger = 1")
    for role in ["migrate", "poll", "transform", "load"] {
      let end = try await run(role, with: settings)
      #expect(end.status == 78, "\(role)")
      #expect(end.lines.count { $0.contains("`ferry migrate --restored`") } == 1, "\(role): \(end.lines)")
    }
    let accepted = try await run("migrate", "--restored", with: settings)
    #expect(
      accepted.status == 0 && accepted.lines.last?.contains("K/3 is asked for each bill") == true, "\(accepted.lines)")
    try await ready("load", settings)
    let over = try await run("migrate", "--restore-over", with: settings)
    #expect(over.status == 0 && over.lines.last?.hasPrefix("The restore is over") == true, "\(over.lines)")
    try await sql("drop schema \(schema) cascade")
  }

  /// A role starts and says that it consumes.
  private func ready(_ role: String, _ settings: [String: String]) async throws {
    let program = try Program("ferry", [role], environment: settings)
    defer { program.kill() }
    #expect(await program.printed("Connected to the broker"), "\(program.output)")
    #expect(await program.stop() == 0, "\(program.output)")
  }

  @Test(
    "in a virtual host that is not there migrate ends with 78 at once, a role after a minute; both say so in one line")
  func rights() async throws {
    var settings = try settings()
    let schema = try #require(settings["FERRY_POSTGRES_SCHEMA"])
    let url = try TestServers.rabbit()
    settings["FERRY_RABBITMQ_URL"] = url + "nowhere"
    let end = try await run("migrate", with: settings)
    #expect(end.status == 78)
    #expect(end.lines.count { $0.contains("virtual host") && $0.contains("rabbitmqctl") } == 1, "\(end.lines)")
    let role = try Program("ferry", ["load"], environment: settings)
    defer { role.kill() }
    #expect(await role.exit() == 78)
    // Each of its connections says it once, however often it tries.
    #expect(role.output.split(separator: "\n").count { $0.contains("refused the login") } <= 2, "\(role.output)")
    #expect(Self.denials(of: "load", role.output) == 1, "\(role.output)")
    try await sql("drop schema \(schema) cascade")
  }

  /// How many lines say what to give whom.
  private static func denials(of role: String, _ output: String) -> Int {
    output.split(separator: "\n").count {
      $0.hasPrefix("\(role): RabbitMQ refuses us: ") && $0.contains("rabbitmqctl set_permissions")
    }
  }

  /// Gives a user, which is made where there is none, these rights in the tests' virtual host.
  private func allow(_ user: String, write: String, read: String) async throws {
    let address = try TestServers.rabbitManagement()
    let scheme = try #require(address.firstRange(of: "://"))
    let at = try #require(address.lastIndex(of: "@"))
    let login = Data(address[scheme.upperBound..<at].utf8).base64EncodedString()
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    for (path, body) in [
      ("users/\(user)", #"{"password":"canary","tags":""}"#),
      ("permissions/%2F/\(user)", #"{"configure":"^$","write":"\#(write)","read":"\#(read)"}"#),
    ] {
      let outcome = await client.perform(
        HTTPRequest(
          .put, "\(address[..<scheme.upperBound])\(address[address.index(after: at)...])/api/\(path)",
          headers: [HTTPHeader("Authorization", "Basic \(login)"), HTTPHeader("Content-Type", "application/json")],
          body: Array(body.utf8)))
      guard case .response(let response) = outcome, 200..<300 ~= response.status else {
        throw TestSetupError("the management took no rights: \(outcome)")
      }
    }
    await client.shutdown()
  }

  /// The settings of an installation whose queues are there, for a user with these rights in them.
  private func denied(write: String, read: String) async throws -> [String: String] {
    var settings = try settings()
    #expect(try await run("migrate", with: settings).status == 0)
    let url = try TestServers.rabbit()
    let user = "test-\(TestServers.freshWord())"
    try await allow(user, write: write, read: read)
    let at = try #require(url.lastIndex(of: "@"))
    settings["FERRY_RABBITMQ_URL"] = "amqp://\(user):canary@\(url[url.index(after: at)...])"
    return settings
  }

  @Test("a poller that may not publish has nothing to publish, and still ends with 78 after a minute, in one line")
  func unwritable() async throws {
    let end = try await run("poll", with: try await denied(write: "^$", read: ".*"))
    #expect(end.status == 78)
    #expect(Self.denials(of: "poll", end.lines.joined(separator: "\n")) == 1, "\(end.lines)")
    #expect(end.lines.last?.hasPrefix("poll: ") == true && end.lines.last?.contains("access to exchange") == true)
  }

  @Test("of all roles in one process one that is denied its queue is told after a minute, and the others go on")
  func together() async throws {
    let settings = try await denied(write: ".*", read: "[.]bills$")
    let process = try Program("ferry", ["run"], environment: settings)
    defer { process.kill() }
    #expect(await process.printed("The other roles of this process go on."), "\(process.output)")
    #expect(Self.denials(of: "transform", process.output) == 1, "\(process.output)")
    #expect(await process.stop() == 0, "\(process.output)")
    #expect(!process.output.contains("canary"))
  }
}
