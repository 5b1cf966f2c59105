import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import Queue

@Suite("Certificates of broker and management", .timeLimit(.minutes(2)))
struct TrustTests {
  private func administration(_ authorities: String) throws -> RabbitAdministration {
    var settings = try RabbitSettings(url: try TestServers.address("FERRY_TEST_RABBITMQ_TLS_URL"))
    settings.certificateAuthorityFile = authorities
    return try RabbitAdministration(
      settings, managementURL: try TestServers.address("FERRY_TEST_RABBITMQ_MANAGEMENT_TLS_URL"),
      topology: try Topology(prefix: "test-\(TestServers.freshWord()).", ladder: [1]))
  }

  @Test("queues and policies are made over TLS alone")
  func trusted() async throws {
    let administration = try administration(try TestServers.address("FERRY_TEST_CA_FILE"))
    #expect(try await administration.reach() == nil)
    #expect(try await administration.apply().isEmpty)
    try await administration.remove()
    await administration.close()
  }

  @Test("with other authorities neither is spoken with, and each says for itself why")
  func swapped() async throws {
    let other = try Authority()
    defer { other.remove() }
    let administration = try administration(other.certificate)
    let broker = await #expect(throws: QueueFailure.self) { try await administration.reach() }
    #expect(broker?.description.hasPrefix("the broker cannot be reached: its certificate is refused: ") == true)
    let management = await #expect(throws: QueueFailure.self) { try await administration.ask() }
    #expect(
      management?.description.hasPrefix("the broker's management cannot be reached: ") == true
        && management?.description.contains("certificate") == true, "\(String(describing: management))")
    await administration.close()
  }
}
