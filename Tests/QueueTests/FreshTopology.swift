import AMQP
import Orders
import Pipeline
import PipelineTesting

@testable import Queue

/// Queues of one test's own on the real broker.
struct FreshTopology: Sendable {
  let settings: RabbitSettings
  let topology: Topology
  let administration: RabbitAdministration
  let managementURL: String

  init(limits: Topology.Limits = Topology.Limits()) throws {
    var settings = try RabbitSettings(url: try TestServers.rabbit())
    settings.connectionName = "ferry-test-\(TestServers.freshWord())"
    self.settings = settings
    managementURL = try TestServers.rabbitManagement()
    topology = try Topology(prefix: "test-\(TestServers.freshWord()).", ladder: [1], limits: limits)
    administration = try RabbitAdministration(settings, managementURL: managementURL, topology: topology)
  }

  /// A connection that takes larger messages than a worker's.
  private var options: AMQPOptions {
    var options = settings.options(for: "test")
    options.maxMessageBytes = 64 << 20
    return options
  }

  /// Takes what a stage has parked; waits until so many are there.
  func parked(by stage: StageName, count: Int) async throws -> [ParkedMessage] {
    try await deliveries(topology.deadQueue(of: stage), count: count).map { delivery in
      let coding = EnvelopeCoding(topology: topology)
      let envelope = try? coding.envelope(of: delivery, in: stage.queue).get()
      var burial: Outcome.Burial?
      if case .string(let code)? = delivery.properties[header: "ferry-parked-reason"],
        case .string(let sentence)? = delivery.properties[header: "ferry-parked-sentence"],
        case .string(let answer)? = delivery.properties[header: "ferry-vendor-answer"],
        let code = ReasonCode(rawValue: code)
      {
        burial = Outcome.Burial(Reason(code, sentence), vendorAnswer: answer)
      }
      return ParkedMessage(envelope: envelope, body: delivery.body, burial: burial)
    }
  }

  /// Takes so many messages from a queue as they are.
  func deliveries(_ queue: String, count: Int) async throws -> [AMQPDelivery] {
    let connection = try await AMQPConnection.open(options)
    try await connection.consume(queue: queue, prefetch: 100)
    var taken: [AMQPDelivery] = []
    while taken.count < count {
      // A cancelled task is given none, at once.
      try Task.checkCancellation()
      taken += try await connection.deliveries(max: count - taken.count)
    }
    connection.acknowledge(taken.map(\.tag))
    await connection.close()
    return taken
  }

  /// Publishes a message as it is.
  func publish(_ message: AMQPMessage) async throws {
    let connection = try await AMQPConnection.open(options)
    let results = await connection.publish([message], timeoutSeconds: 20)
    await connection.close()
    guard results == [.confirmed] else { throw TestSetupError("the message was not confirmed: \(results)") }
  }
}

extension Pacing {
  /// One whose waits are over when a test moves its clock.
  init(on clock: ManualClock, chance: Double = 0) {
    self.init(
      sleep: { try await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }, random: { chance },
      now: { 0 })
  }
}

/// Runs a test with queues of its own, applied and verified, and removes them.
func withTopology(
  limits: Topology.Limits = Topology.Limits(), _ body: (FreshTopology) async throws -> Void
) async throws {
  let broker = try FreshTopology(limits: limits)
  let result: Result<Void, any Error>
  do {
    let differences = try await broker.administration.apply()
    guard differences.isEmpty else { throw TestSetupError("the topology differs: \(differences)") }
    result = .success(try await body(broker))
  } catch {
    result = .failure(error)
  }
  try await broker.administration.remove()
  await broker.administration.close()
  try result.get()
}
