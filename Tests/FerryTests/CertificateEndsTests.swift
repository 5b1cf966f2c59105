import Foundation
import Ledger
import Pipeline
import PipelineTesting
import Queue
import Telemetry
import TestSockets
import Testing

@testable import ferry

@Suite("The ends of the partners' certificates", .timeLimit(.minutes(1)))
struct CertificateEndsTests {
  /// In how many days each partner's certificate ends, by what is told.
  private static func days(_ wiring: Wiring) -> [String: Int] {
    var days: [String: Int] = [:]
    for line in wiring.registry.prometheusText().split(separator: "\n") {
      let pattern = #/ferry_certificate_expiry_epoch_seconds\{partner="(.*)"\} ([0-9]+)/#
      guard let match = line.wholeMatch(of: pattern), let end = Double(match.output.2) else { continue }
      days[String(match.output.1)] = Int(((end - Date().timeIntervalSince1970) / 86_400).rounded())
    }
    return days
  }

  @Test("each partner's own one is told, by the partner's name")
  func partners() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let okki = try TLSServer(authority, name: "IP:127.0.0.1", days: 40)
    defer { okki.stop() }
    let k3 = try TLSServer(authority, name: "IP:127.0.0.1", days: 50)
    defer { k3.stop() }
    let authorities = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: authorities) }
    let files = [try TestServers.address("FERRY_TEST_CA_FILE"), authority.certificate]
    try files.map { try String(contentsOfFile: $0, encoding: .utf8) }.joined()
      .write(to: authorities, atomically: true, encoding: .utf8)
    let changes = [
      "FERRY_OKKI_URL": "https://127.0.0.1:\(okki.port)", "FERRY_K3_URL": "https://127.0.0.1:\(k3.port)",
      "FERRY_POSTGRES_URL": try TestServers.postgres() + "?sslmode=verify-full",
      "FERRY_RABBITMQ_URL": try TestServers.address("FERRY_TEST_RABBITMQ_TLS_URL"),
      "FERRY_CA_FILE": authorities.path,
    ]
    let environment = SettingsTests.complete.merging(changes) { _, new in new }
    let wiring = Wiring(
      settings: try Settings(environment: environment, roles: Role.all), logger: silent, registry: MetricsRegistry())
    #expect(Self.days(wiring) == [:])
    let outbox = RabbitOutbox(try wiring.rabbit(), topology: try wiring.topology())
    // Neither queues nor a schema are there, which the servers say over their connections.
    _ = await outbox.connect()
    await outbox.close()
    _ = try? await LedgerRestore(try wiring.database(connections: 1)).isOpen()
    // Neither answers as the vendor does, or at all: the handshake is enough.
    let (source, destination): (any OrderSource, any BillDestination) = (
      try wiring.orderSource(), try wiring.destination()
    )
    let asking = [Task { _ = try? await source.now() }, Task { _ = await destination.isAnswering() }]
    while Self.days(wiring).count < 4 {
      try Task.checkCancellation()
      await Task.yield()
    }
    // RabbitMQ and PostgreSQL have one of 30 days.
    #expect(Self.days(wiring) == ["okki": 40, "k3": 50, "postgresql": 30, "rabbitmq": 30])
    for task in asking { task.cancel() }
    await wiring.close()
  }
}
