import AMQP
import Curl
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

@Suite("The topology on the broker")
struct AdministrationTests {
  @Test("applying twice changes nothing, and verifying finds no difference")
  func repeatable() async throws {
    try await withTopology { broker async throws in
      #expect(try await broker.administration.apply().isEmpty)
      #expect(try await broker.administration.verify().isEmpty)
    }
  }

  @Test("nothing there is told, queue by queue")
  func nothing() async throws {
    let broker = try FreshTopology()
    let differences = try await broker.administration.verify()
    #expect(differences.count == broker.topology.queues.count + 1)
    #expect(differences.allSatisfy { $0.hasSuffix("is missing") })
    await broker.administration.close()
  }

  @Test("a policy that somebody changed is told, and put right")
  func drift() async throws {
    try await withTopology { broker async throws in
      let management = try Management(broker.managementURL)
      let name = broker.topology.name(of: .bills)
      try await management.ask(
        .put, "policies/%2F/\(name)",
        #"{"pattern":"^\#(name)$","apply-to":"queues","priority":100,"definition":{"delivery-limit":3,"expires":1800000}}"#
      )
      // The management shows a new policy a moment after it was put.
      var differences: [String] = []
      while differences.isEmpty { differences = try await broker.administration.verify() }
      #expect(differences.contains("delivery-limit of the queue \(name) is 3, not 20"))
      #expect(differences.contains("the queue \(name) has expires = 1800000, which Ferry did not ask for"))
      #expect(differences.contains { $0.hasPrefix("dead-letter-exchange of the queue \(name) is missing") })
      #expect(differences.allSatisfy { $0.contains(name) })
      #expect(try await broker.administration.apply().isEmpty)
    }
  }

  @Test("a queue of another type, a foreign argument and a foreign binding are told")
  func foreign() async throws {
    let broker = try FreshTopology()
    let name = broker.topology.name(of: .bills)
    let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
    try await connection.declareQueue(name: name, arguments: [AMQPHeader("x-message-ttl", .int(5_000))])
    await connection.close()
    do throws(QueueFailure) {
      _ = try await broker.administration.apply()
      Issue.record("a classic queue was taken for a quorum queue")
    } catch {
      #expect(error.description.contains("406"))
    }
    let differences = try await broker.administration.verify()
    #expect(differences.contains { $0.contains(name) && $0.contains("not quorum") })
    #expect(differences.contains { $0.contains(name) && $0.contains("x-message-ttl") })

    let again = try await AMQPConnection.open(broker.settings.options(for: "test"))
    try await again.deleteQueue(name)
    await again.close()
    #expect(try await broker.administration.apply().isEmpty)
    let third = try await AMQPConnection.open(broker.settings.options(for: "test"))
    try await third.bindQueue(name: name, exchange: broker.topology.exchange, routingKey: "orders")
    await third.close()
    #expect(
      try await broker.administration.verify() == [
        "\(name) is bound to \(broker.topology.exchange) under orders, which Ferry did not do"
      ])
    try await broker.administration.remove()
    await broker.administration.close()
  }

  @Test("queue depths are told in the topology's order")
  func depths() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let results = await outbox.publish((0..<3).map { _ in Parcel(to: .dead(.load), .unreadable([1])) })
      #expect(results == [.confirmed, .confirmed, .confirmed])
      await outbox.close()
      // A quorum queue counts a message a moment after its confirm.
      var depths: [QueueDepth] = []
      repeat { depths = try await broker.administration.queueDepths() } while depths.last?.messages != 3
      #expect(depths.map(\.queue) == broker.topology.queues.map(\.routingKey))
      #expect(depths.dropLast().allSatisfy { $0.messages == 0 })
    }
  }

  @Test("a password that the broker does not know is told without the password")
  func wrongPassword() async throws {
    let url = try TestServers.rabbitManagement()
    let at = try #require(url.lastIndex(of: "@"))
    let settings = try RabbitSettings(url: try TestServers.rabbit())
    let administration = try RabbitAdministration(
      settings, managementURL: "http://nobody:wrongword@\(url[url.index(after: at)...])", topology: try Topology())
    do throws(QueueFailure) {
      _ = try await administration.verify()
      Issue.record("a wrong password was taken")
    } catch {
      #expect(error.description.contains("401"))
      #expect(!error.description.contains("wrongword"))
    }
    await administration.close()
  }
}
