import AMQP
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

@Suite("The queues' ports", .timeLimit(.minutes(3)))
struct ContractTests {
  @Test("on RabbitMQ", arguments: inboxOutboxContract)
  func rabbit(_ sentence: ContractCase<InboxOutboxSubject>) async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      try await sentence.check(
        InboxOutboxSubject(
          inbox: { RabbitInbox(broker.settings, topology: broker.topology, stage: $0, prefetch: 1_024) },
          outbox: outbox, parked: { stage, count in try await broker.parked(by: stage, count: count) },
          pass: { _ in }))
      await outbox.close()
    }
  }

  @Test("in memory", arguments: inboxOutboxContract)
  func memory(_ sentence: ContractCase<InboxOutboxSubject>) async throws {
    let clock = ManualClock()
    let broker = MemoryBroker(clock: clock, ladder: [1])
    try await sentence.check(
      InboxOutboxSubject(
        inbox: { MemoryInbox(broker, stage: $0) }, outbox: MemoryOutbox(broker),
        parked: { stage, _ in broker.parked(by: stage) }, pass: { clock.advance(by: .seconds($0)) }))
  }
}
