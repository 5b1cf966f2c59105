import Foundation
import Logging
import Pipeline
import PipelineTesting
import PostgreSQL
import Queue
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("What ferry check says of trust", .timeLimit(.minutes(2)))
struct TrustTests {
  @Test("guest with its known password is told wherever it logs in, and no other login")
  func guest() {
    let told = [
      "amqp://guest:guest@127.0.0.1/", "amqp://127.0.0.1/", "amqps://gu%65st:guest@mq.example/",
      "https://guest:guest@mq.example",
    ].map { Trust.ofBroker(.rabbitURL, $0, remedy: "r") }
    #expect(told.allSatisfy { $0.count == 1 && $0[0].contains("logs in as guest") }, "\(told)")
    for fine in ["amqp://guest:other@127.0.0.1/", "amqp://u:guest@localhost/", "https://mq.example"] {
      #expect(Trust.ofBroker(.rabbitURL, fine, remedy: "r").isEmpty, "\(fine)")
    }
  }

  @Test("addresses in the clear are told but on this machine, with the host and without the password")
  func plaintext() {
    for url in [
      "amqp://u:canary@mq.example/", "http://u:canary@10.0.0.7:15672", "http://k3.example/K3API?token=canary",
    ] {
      let told = Trust.ofPlaintext(.k3URL, url, remedy: "use TLS")
      #expect(told.count == 1 && told[0].contains("in the clear") && told[0].hasSuffix("use TLS"), "\(told)")
      #expect(!told.joined().contains("canary"))
    }
    for fine in [
      "amqps://mq.example/", "https://k3.example", "amqp://127.0.0.1/", "http://localhost:1", "http://[::1]:1",
      "http://127.5.5.5",
    ] { #expect(Trust.ofPlaintext(.k3URL, fine, remedy: "").isEmpty, "\(fine)") }
    #expect(!Trust.isLoopback("127.0.0.1.example") && !Trust.isLoopback("128.0.0.1") && !Trust.isLoopback("1270.0.0.1"))
  }

  private func wiring(environment: [String: String]) throws -> Wiring {
    Wiring(
      settings: try Settings(environment: environment, roles: Role.all), logger: Logger(label: "test"),
      registry: MetricsRegistry())
  }

  private func wiring(_ changes: [String: String]) throws -> Wiring {
    try wiring(environment: SettingsTests.complete.merging(changes) { $1 })
  }

  private func ofDatabase(_ url: String) throws -> [String] {
    let authorities = try TestServers.address("FERRY_TEST_CA_FILE")
    return try wiring(["FERRY_POSTGRES_URL": url, "FERRY_CA_FILE": authorities]).databaseWarnings
  }

  @Test("PostgreSQL elsewhere is told in every mode but verify-full, also as one host of several")
  func database() throws {
    for (url, word) in [
      ("postgresql://u:canary@pg.example/d", "pg.example"),
      ("postgresql://u:canary@pg.example/d?sslmode=require", "require"),
      ("postgresql://u:canary@pg.example/d?sslmode=verify-ca", "verify-ca"),
      ("postgresql://u:canary@localhost,pg.example/d", "pg.example"),
    ] {
      let told = try ofDatabase(url)
      #expect(told.count == 1 && told[0].contains(word) && !told[0].contains("canary"), "\(told)")
    }
    let address = "postgresql://u:p@127.0.0.1/d?hostaddr=10.0.0.7&sslmode=verify-ca"
    #expect(try ofDatabase(address).first?.contains("10.0.0.7") == true)
    #expect(try ofDatabase(address).first?.contains("whoever has a certificate of the same authorities") == true)
    for fine in [
      "postgresql://u:p@pg.example/d?sslmode=verify-full", "postgresql://u:p@127.0.0.1/d",
      "postgresql://u:p@%2Fvar%2Frun%2Fpostgresql/d",
    ] { #expect(try ofDatabase(fine).isEmpty, "\(fine)") }
  }

  @Test("PostgreSQL's verify-ca without an authority of the site's own is a setting that cannot be used: 78")
  func publicAuthorities() async throws {
    let address = "postgresql://u:canary@127.0.0.1:1/d?sslmode=verify-ca"
    let nobody = [
      "FERRY_POSTGRES_URL": address, "FERRY_RABBITMQ_URL": "amqp://u:p@127.0.0.1:1/",
      "FERRY_RABBITMQ_MANAGEMENT_URL": "http://u:p@127.0.0.1:1", "FERRY_OKKI_URL": "http://127.0.0.1:1",
      "FERRY_K3_URL": "http://127.0.0.1:1",
    ]
    let standard = try #require(SettingRow.table.first { $0.name == .certificateAuthorities }?.standard)
    for changes in [[:], ["FERRY_CA_FILE": standard]] {
      let wiring = try wiring(nobody.merging(changes) { $1 })
      let failure = #expect(throws: LedgerFailure.self) { try wiring.database(connections: 1) }
      let told = Startup.sentence(of: try #require(failure))
      #expect(told.contains("sslmode=verify-ca") && told.contains("use verify-full"), "\(told)")
      #expect(!told.contains("canary"))
      #expect(Startup.exit(for: [try #require(failure)]) == Startup.configurationExit)
      let lines = await wiring.check().flatMap(CheckCommand.lines(of:))
      #expect(lines.contains { $0.hasPrefix("PROBLEM  PostgreSQL: ") && $0.contains("verify-ca") }, "\(lines)")
    }
    let own = try wiring([
      "FERRY_POSTGRES_URL": address, "FERRY_CA_FILE": try TestServers.address("FERRY_TEST_CA_FILE"),
    ])
    _ = try own.database(connections: 1)
    await own.close()
  }

  @Test("secrets that a container's engine hands in are one note; what only lies there is told as any other file")
  func handed() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, link) = (folder.appendingPathComponent("secret").path, folder.path + ".link")
    try Data("canary".utf8).write(to: URL(fileURLWithPath: file))
    #expect(symlink(file, link) == 0)
    defer { unlink(link) }
    for path in [file, link] {
      #expect(Trust.isHanded(path, below: folder.path) { _ in true })
      #expect(!Trust.isHanded(path, below: folder.path) { _ in false })
      // The test's own folder can be written to.
      #expect(!Trust.isHanded(path, below: folder.path))
      #expect(!Trust.isHanded(path) { _ in true })
    }
    #expect(!Trust.isHanded(file, below: folder.path + "/secret") { _ in true })
    #expect(!Trust.isHanded(folder.path + "/nothing", below: folder.path) { _ in true })
    #expect(Trust.ofHanded([]).isEmpty)
    let notes = Trust.ofHanded(["FERRY_A_FILE", "FERRY_B_FILE"])
    #expect(notes.count == 1 && notes[0].contains("engine: FERRY_A_FILE, FERRY_B_FILE;"))
  }

  @Test("a file is told that others can read or change, or that is another user's")
  func files() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("secret").path
    try Data("canary".utf8).write(to: URL(fileURLWithPath: file))
    func told(
      _ mode: mode_t, folder other: mode_t = 0o755, owner: uid_t = geteuid(), group: gid_t? = nil, isSecret: Bool = true
    )
      -> String
    {
      #expect(chmod(file, mode) == 0 && chmod(folder.path, other) == 0)
      #expect(chown(file, owner, group ?? getegid()) == 0)
      return Trust.ofFile("FERRY_X_FILE", file, isSecret: isSecret, user: geteuid(), groups: [getegid()])
        .joined(separator: "|")
    }
    #expect(told(0o600).isEmpty)
    #expect(told(0o640).isEmpty)
    #expect(told(0o644).contains("can be read by every user"))
    #expect(told(0o644, isSecret: false).isEmpty)
    #expect(told(0o666, isSecret: false).contains("can be changed by every user"))
    // Nobody comes to it.
    #expect(told(0o644, folder: 0o700).isEmpty)
    // Only root may give files away; the tests mostly are root.
    if geteuid() == 0 {
      #expect(told(0o640, group: 54_321).contains("can be read by its group 54321"))
      #expect(told(0o620, group: 54_321).contains("can be changed by its group 54321"))
      #expect(told(0o600, owner: 54_321).contains("belongs to another user (54321)"))
    }
    #expect(!told(0o644).contains("canary"))
  }

  @Test("warnings stand beside what is found, in every part, and are no problems")
  func findings() async throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString)")
    try Data("amqp://guest:guest@127.0.0.1:1/".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(chmod(file.path, 0o644) == 0)
    var environment = SettingsTests.complete
    environment["FERRY_RABBITMQ_URL"] = nil
    environment["FERRY_RABBITMQ_URL_FILE"] = file.path
    environment["FERRY_RABBITMQ_MANAGEMENT_URL"] = "http://guest:guest@127.0.0.1:1"
    // Names that no resolver is asked for.
    environment["FERRY_POSTGRES_URL"] = "postgresql://u:p@0.0.0.0:1/ferry"
    environment["FERRY_OKKI_URL"] = "http://0.0.0.0:1"
    environment["FERRY_K3_URL"] = "http://0.0.0.0:1"
    let wiring = try wiring(environment: environment)
    let lines = await wiring.check().flatMap(CheckCommand.lines(of:))
    for start in [
      "warning  PostgreSQL: FERRY_POSTGRES_URL goes to 0.0.0.0 with sslmode=",
      "warning  RabbitMQ: FERRY_RABBITMQ_URL logs in as guest",
      "warning  RabbitMQ: FERRY_RABBITMQ_MANAGEMENT_URL logs in",
      "warning  OKKI: FERRY_OKKI_URL goes to 0.0.0.0", "warning  K/3 WISE: FERRY_K3_URL goes to 0.0.0.0",
      "warning  files: FERRY_RABBITMQ_URL_FILE \(file.path) can be read",
    ] { #expect(lines.contains { $0.hasPrefix(start) }, "\(start) is not in \(lines)") }
  }

  private func wiring(authorities: String) throws -> Wiring {
    let word = TestServers.freshWord()
    let changes = [
      "FERRY_POSTGRES_URL": try TestServers.postgres() + "?sslmode=verify-full", "FERRY_POSTGRES_SCHEMA": "tls_\(word)",
      "FERRY_RABBITMQ_URL": try TestServers.address("FERRY_TEST_RABBITMQ_TLS_URL"),
      "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.address("FERRY_TEST_RABBITMQ_MANAGEMENT_TLS_URL"),
      "FERRY_QUEUE_PREFIX": "tls-\(word).", "FERRY_RETRY_SECONDS": "1", "FERRY_CA_FILE": authorities,
    ]
    return try wiring(changes)
  }

  @Test("FERRY_CA_FILE counts for RabbitMQ, its management and PostgreSQL: with it ferry migrate makes all over TLS")
  func trusted() async throws {
    let wiring = try wiring(authorities: try TestServers.address("FERRY_TEST_CA_FILE"))
    let (done, problems) = await wiring.migrate()
    #expect(problems.isEmpty, "\(problems)")
    #expect(done.last == "RabbitMQ: queues, bindings and policies are as they should be")
    let administration = try wiring.administration()
    try await administration.remove()
    await administration.close()
    try await drop(wiring.settings.text(.postgresSchema))
  }

  @Test("with another authority each of the three is refused, in a line that names it and says why, without a password")
  func swapped() async throws {
    let other = try Authority()
    defer { other.remove() }
    let wiring = try wiring(authorities: other.certificate)
    let told = await wiring.migrate().problems.map { Startup.sentence(of: $0) }
    #expect(told.count == 3, "\(told)")
    for (line, name) in zip(
      told, ["PostgreSQL is away: ", "the broker cannot be reached: ", "the broker's management cannot"])
    {
      #expect(line.hasPrefix(name) && line.contains("certificate") && !line.contains("\n"), "\(line)")
      for secret in [try TestServers.postgres(), try TestServers.rabbit()] {
        let password = try #require(URLComponents(string: secret)?.password)
        #expect(!line.contains(password))
      }
    }
  }

  private func drop(_ schema: String) async throws {
    let client = PostgresClient(PostgresOptions(url: try TestServers.postgres()))
    _ = try await client.run(PostgresStatement("drop schema \"\(schema)\" cascade"))
    await client.close()
  }
}
