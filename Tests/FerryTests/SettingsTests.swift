import Foundation
import Orders
import Testing

@testable import ferry

@Suite("Settings")
struct SettingsTests {
  static let complete = [
    "FERRY_OKKI_URL": "https://okki.example", "FERRY_OKKI_CLIENT_ID": "id", "FERRY_OKKI_CLIENT_SECRET": "s3cr3t-okki",
    "FERRY_K3_URL": "http://k3.example:8080", "FERRY_K3_AUTHORITY_CODE": "s3cr3t-k3",
    "FERRY_RABBITMQ_URL": "amqp://u:s3cr3t-mq@mq.example/",
    "FERRY_RABBITMQ_MANAGEMENT_URL": "http://u:p@mq.example:15672",
    "FERRY_POSTGRES_URL": "postgresql://u:s3cr3t-pg@pg.example/ferry", "FERRY_STRATEGIES": "/strategies",
    "FERRY_POLL_SINCE": "2026-01-01 00:00:00",
  ]

  private func problems(_ change: [String: String?], roles: Set<Role> = Role.all) -> [String] {
    var environment = Self.complete
    for (key, value) in change { environment[key] = value }
    do throws(SettingsProblems) {
      _ = try Settings(environment: environment, roles: roles)
      return []
    } catch { return error.sentences }
  }

  @Test("a complete environment is accepted, defaults filled in, foreign names left alone")
  func complete() throws {
    var environment = Self.complete
    environment["PATH"] = "/usr/bin"
    let settings = try Settings(environment: environment, roles: Role.all)
    #expect(settings.whole(.k3Concurrency) == 2)
    #expect(settings.wholes(.retrySeconds) == [10, 60, 600, 3600])
    #expect(settings.text(.postgresSchema) == "ferry")
    #expect(settings.time(.pollSince)?.description == "2026-01-01 00:00:00")
  }

  @Test("all problems are told at once")
  func allAtOnce() {
    let found = problems([
      "FERRY_OKKI_URL": nil, "FERRY_K3_CONCURRENCY": "0", "FERRY_LOG_LEVEL": "loud", "FERRY_RETRY_SECOND": "5",
      "FERRY_POLL_SINCE": "yesterday",
    ])
    #expect(found.count == 5)
    #expect(found.contains { $0.hasPrefix("FERRY_OKKI_URL is missing") })
    #expect(found.contains { $0.contains("FERRY_K3_CONCURRENCY «0»") && $0.contains("1–256") })
    #expect(found.contains { $0.contains("FERRY_LOG_LEVEL") && $0.contains("debug") })
    #expect(found.contains { $0.contains("FERRY_RETRY_SECOND is unknown") && $0.contains("FERRY_RETRY_SECONDS") })
    #expect(found.contains { $0.contains("FERRY_POLL_SINCE") })
  }

  @Test("each role needs only its own settings")
  func perRole() {
    #expect(problems(["FERRY_OKKI_URL": nil, "FERRY_STRATEGIES": nil], roles: [.load]).isEmpty)
    #expect(problems(["FERRY_K3_URL": nil], roles: [.poll, .transform]).isEmpty)
    #expect(!problems(["FERRY_K3_URL": nil], roles: [.load]).isEmpty)
  }

  @Test(
    "values outside their kind are refused",
    arguments: [
      ("FERRY_OKKI_URL", "ftp://x"), ("FERRY_OKKI_URL", "okki"), ("FERRY_RABBITMQ_URL", "http://x"),
      ("FERRY_K3_CONCURRENCY", "1.5"), ("FERRY_K3_CONCURRENCY", ""), ("FERRY_K3_CONCURRENCY", " 2"),
      ("FERRY_RETRY_SECONDS", "60,10"), ("FERRY_RETRY_SECONDS", "10,"), ("FERRY_RETRY_SECONDS", "10,10"),
      ("FERRY_QUEUE_PREFIX", "a b"), ("FERRY_POSTGRES_SCHEMA", "Ferry-1"), ("FERRY_POSTGRES_SCHEMA", "1a"),
      ("FERRY_POLL_SINCE", "2026-02-30 00:00:00"), ("FERRY_LOG_FORMAT", "JSON"),
      ("FERRY_ADMIN_PORT", "65536"), ("FERRY_OKKI_CLIENT_ID", "a\nb"),
      ("FERRY_CA_FILE", "/nowhere/ca.crt"),
    ])
  func refused(name: String, value: String) {
    let found = problems([name: value])
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix(name) == true)
  }

  @Test(
    "a vendor's address has no user, query or fragment, and what may be secret in it is not repeated",
    arguments: [
      ("https://u:s3cr3t@host", "a user or password before the @"), ("http://s3cr3t@host:80", "a user or password"),
      ("https://host?token=s3cr3t", "a query behind the ?"), ("https://host/?", "a query"),
      ("https://host#top", "a fragment behind the #"), ("https://u@host?a=s3cr3t#b", "nor a query behind the ?, nor a"),
    ], ["FERRY_OKKI_URL", "FERRY_K3_URL"])
  func vendorAddress(_ case: (value: String, sentence: String), name: String) {
    let found = problems([name: `case`.value])
    #expect(found.count == 1)
    #expect(found.first?.contains(`case`.sentence) == true, "\(found)")
    #expect(found.first?.contains("s3cr3t") == false)
  }

  @Test("OKKI's address has no path, and what is right is told; K/3's may have one")
  func vendorPath() {
    let found = problems(["FERRY_OKKI_URL": "https://okki.example:8443/v1"])
    #expect(found.count == 1)
    #expect(found.first?.contains("without a path, https://okki.example:8443: Ferry adds /v1/… itself") == true)
    #expect(problems(["FERRY_OKKI_URL": "https://okki.example/"]).isEmpty)
    #expect(problems(["FERRY_K3_URL": "http://k3.example/site/K3API"]).isEmpty)
  }

  @Test("the lease must outlast a Save and the time until K/3 shows its bill")
  func lease() {
    #expect(problems(["FERRY_LEASE_SECONDS": "139", "FERRY_K3_SAVE_TIMEOUT_SECONDS": "60"]).count == 1)
    #expect(problems(["FERRY_LEASE_SECONDS": "140", "FERRY_K3_SAVE_TIMEOUT_SECONDS": "60"]).isEmpty)
  }

  @Test("a secret comes from its file, trimmed; a missing file, or both ways at once, is a problem")
  func secretFiles() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString)")
    try Data("from-file\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    var environment = Self.complete
    environment["FERRY_K3_AUTHORITY_CODE"] = nil
    environment["FERRY_K3_AUTHORITY_CODE_FILE"] = file.path
    #expect(try Settings(environment: environment, roles: Role.all).text(.k3AuthorityCode) == "from-file")
    #expect(problems(["FERRY_K3_AUTHORITY_CODE_FILE": file.path]).contains { $0.contains("both set") })
    #expect(
      problems(["FERRY_K3_AUTHORITY_CODE": nil, "FERRY_K3_AUTHORITY_CODE_FILE": "/nowhere"])
        .contains { $0.contains("cannot be read") })
    // Only secrets have a file form.
    #expect(problems(["FERRY_OKKI_URL_FILE": file.path]).contains { $0.contains("unknown") })
  }

  @Test("two ways at once are told once, whatever the value is; a file that cannot be read is not also missing")
  func oneProblemForEach() {
    let both = problems(["FERRY_K3_AUTHORITY_CODE": "", "FERRY_K3_AUTHORITY_CODE_FILE": "/nowhere"])
    #expect(both.count == 1)
    #expect(both.first?.contains("FERRY_K3_AUTHORITY_CODE and FERRY_K3_AUTHORITY_CODE_FILE are both set") == true)
    #expect(both.first?.contains("empty") == true)
    let unreadable = problems(["FERRY_POSTGRES_URL": nil, "FERRY_POSTGRES_URL_FILE": "/nowhere"])
    #expect(unreadable == ["FERRY_POSTGRES_URL_FILE names a file that cannot be read: /nowhere"])
  }

  @Test("a name is guessed only when it is really near")
  func guesses() {
    func told(_ name: String) -> String { problems([name: "1"]).joined() }
    #expect(told("FERRY_OKKI_ULR").contains("is FERRY_OKKI_URL meant?"))
    #expect(told("FERRY_LEASE").contains("is FERRY_LEASE_SECONDS meant?"))
    #expect(told("FERRY_OKKI_URL_FILE").contains("only secrets come from a file; set FERRY_OKKI_URL"))
    for name in ["FERRY_POLL", "FERRY_COLOUR", "FERRY_K3", "FERRY_", "FERRY_REDIS_HOST", "FERRY_LOG_FILE"] {
      #expect(told(name) == "\(name) is unknown; ferry settings prints all there are")
    }
  }

  @Test("read leniently, what is right is there, and what is wrong, missing or misspelt is named")
  func lenient() {
    var environment = Self.complete
    environment["FERRY_K3_CONCURRENCY"] = "many"
    environment["FERRY_OKKI_URL"] = nil
    environment["FERRY_QUEUE_PREFX"] = "site."
    environment["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "0"
    environment["FERRY_LEASE_SECONDS"] = "130"
    let (settings, problems) = Settings.reading(environment, roles: Role.all)
    #expect(problems.count == 4)
    #expect(settings.unusable == [.k3Concurrency, .okkiURL, .queuePrefix, .k3SaveTimeout])
    #expect(settings.text(.postgresURL) == Self.complete["FERRY_POSTGRES_URL"])
    #expect(settings.whole(.k3Concurrency) == 2)
  }

  @Test("no problem repeats a secret")
  func noSecrets() {
    let found = problems([
      "FERRY_RABBITMQ_URL": "s3cr3t-wrong", "FERRY_POSTGRES_URL": "s3cr3t-wrong",
      "FERRY_K3_AUTHORITY_CODE": String(repeating: "s3cr3t", count: 100),
    ])
    #expect(found.count == 3)
    #expect(found.allSatisfy { !$0.contains("s3cr3t") })
  }

  @Test("the table names every setting once, and each default passes its own check")
  func table() {
    #expect(SettingRow.table.map(\.name.rawValue).sorted() == SettingName.allCases.map(\.rawValue).sorted())
    for row in SettingRow.table {
      if let standard = row.standard { #expect(row.kind.complaint(about: standard) == nil, "\(row.name.rawValue)") }
    }
  }

  @Test("the README's table is the program's", arguments: ["README.md", "README.zh-CN.md"])
  func readme(file: String) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
    for row in SettingRow.table { #expect(text.contains("`\(row.name.rawValue)`"), "\(row.name.rawValue)") }
    if file == "README.md" { #expect(text.contains(SettingsCommand.markdownTable)) }
  }
}
